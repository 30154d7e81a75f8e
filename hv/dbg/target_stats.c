/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * qtl.stats: how often the guest left, by kind or by what the exit was about. The rows of a table go
 * out in order, the largest first, as many as a reply holds: the person wants the top of the list, and
 * the line is slow. Formats are protocol/README.md's, section 4.5.
 */
#include "core/exit_stats.h"
#include "core/ring.h"
#include "cpu/cpu.h"
#include "dbg/target_impl.h"

#define ROWS_A_REPLY 28u /* of at most 130 bytes */

/* What may stand behind `qtl.stats:`. */
static const struct topic {
    const char *word;
    enum exit_stats_table table;
    uint64_t kinds;
} topics[] = {
    {"msr", EXIT_STATS_INDEX, HV_KIND_BIT(HV_EXIT_RDMSR) | HV_KIND_BIT(HV_EXIT_WRMSR)},
    {"port", EXIT_STATS_INDEX, HV_KIND_BIT(HV_EXIT_IO_IN) | HV_KIND_BIT(HV_EXIT_IO_OUT)},
    {"leaf", EXIT_STATS_INDEX, HV_KIND_BIT(HV_EXIT_CPUID)},
    {"vector", EXIT_STATS_INDEX, HV_KIND_BIT(HV_EXIT_EXCEPTION)},
    {"rip", EXIT_STATS_RIP, ~UINT64_C(0)},
};

static int by_kind(struct vcpu *vcpu, struct reply *reply)
{
    const struct exit_ring *ring = vcpu->ring;

    reply_fmt(reply, "exits:%lx;tsc-hz:%lx;", vcpu->exit_count, tsc_khz * 1000);
    for (unsigned kind = 0; kind < HV_EXIT_KIND_COUNT; kind++) {
        uint64_t timed = ring->kind_count[kind];

        if (!timed)
            continue;
        if (kind == HV_EXIT_CPUID)
            timed -= vcpu->stats->fast_count;
        reply_fmt(reply, "|kind:%s;count:%lx;timed:%lx;cycles:%lx;", tl_kind_word(kind),
                  ring->kind_count[kind], timed, ring->kind_cycles[kind]);
    }
    return 0;
}

struct question {
    const struct topic *topic;
    bool by_cycles;
    /* Rows that stand behind this one in the order are wanted; slot: rows of one value. */
    uint64_t after_value, after_slot;
};

static bool take(struct args args, struct question *q)
{
    struct args word = args_until(&args, ",");

    *q = (struct question){.after_value = UINT64_MAX, .after_slot = UINT64_MAX};
    for (unsigned i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        if (args_is(&word, topics[i].word))
            q->topic = &topics[i];
    if (!q->topic || args_empty(&args))
        return q->topic != NULL;
    word = args_until(&args, ",");
    q->by_cycles = args_is(&word, "cycles");
    if (!q->by_cycles && !args_is(&word, "count"))
        return false;
    return args_empty(&args) || (args_hex(&args, &q->after_value) && args_char(&args, ',') &&
                                 args_hex(&args, &q->after_slot) && args_empty(&args));
}

static uint64_t rank_of(const struct question *q, const struct exit_stat *row)
{
    return q->by_cycles ? row->cycles : row->count;
}

/* Does (value, slot) stand behind (than, than_slot)? Of equal values the later slot does. */
static bool behind(uint64_t value, uint64_t slot, uint64_t than, uint64_t than_slot)
{
    return value != than ? value < than : slot > than_slot;
}

/* The next row in the order, or `count`. */
static unsigned next_row(const struct question *q, const struct exit_stat *rows, unsigned count)
{
    unsigned best = count;

    for (unsigned i = 0; i < count; i++) {
        uint64_t rank = rank_of(q, &rows[i]);

        if (!rows[i].tag || !(q->topic->kinds >> (rows[i].tag & 0xff) & 1))
            continue;
        /* At the start after_value is the largest number there is, and no row has that. */
        if (behind(rank, i, q->after_value, q->after_slot) &&
            (best == count || behind(rank_of(q, &rows[best]), best, rank, i)))
            best = i;
    }
    return best;
}

static void put_row(struct reply *reply, const struct exit_stat *row, bool place)
{
    reply_fmt(reply, "|kind:%s;index:%lx;", tl_kind_word(row->tag & 0xff), row->value);
    if (place)
        reply_fmt(reply, "cs:%x;", row->tag >> 8 & 0xffff);
    reply_fmt(reply, "count:%lx;timed:%lx;cycles:%lx;", row->count, row->timed, row->cycles);
}

int target_stats(struct vcpu *vcpu, struct args args, struct reply *reply)
{
    struct question q;
    const struct exit_stat *rows, *others;
    struct exit_stat sum = {0};
    unsigned count, kept = 0, sent[ROWS_A_REPLY], n = 0, row;

    exit_stats_flush(vcpu);
    if (args_empty(&args))
        return by_kind(vcpu, reply);
    if (!take(args, &q))
        return TARGET_FAIL(syntax);
    rows = exit_stats_rows(vcpu, q.topic->table, &count);
    others = &vcpu->stats->others[q.topic->table];
    for (unsigned i = 0; i < count; i++)
        if (rows[i].tag && (q.topic->kinds >> (rows[i].tag & 0xff) & 1)) {
            kept++;
            sum.count += rows[i].count;
            sum.cycles += rows[i].cycles;
        }
    while (n < ROWS_A_REPLY && (row = next_row(&q, rows, count)) < count) {
        sent[n++] = row;
        q.after_value = rank_of(&q, &rows[row]);
        q.after_slot = row;
    }
    reply_fmt(reply, "exits:%lx;tsc-hz:%lx;rows:%x;hits:%lx;ticks:%lx;", vcpu->exit_count,
              tsc_khz * 1000, kept, sum.count, sum.cycles);
    reply_fmt(reply, "others:%lx;others-ticks:%lx;", others->count, others->cycles);
    if (n && next_row(&q, rows, count) < count)
        reply_fmt(reply, "next:%lx,%lx;", q.after_value, q.after_slot);
    for (unsigned i = 0; i < n; i++)
        put_row(reply, &rows[sent[i]], q.topic->table == EXIT_STATS_RIP);
    return 0;
}
