/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * See exit_stats.h. Open addressing with a short, fixed number of probes: on the path of every exit,
 * so two multiplications, no loop that could be long, no eviction. Nothing is ever removed.
 */
#include "core/exit_stats.h"

#include "core/ring.h"
#include "cpu/mem.h"

const char *exit_stats_init(struct vcpu *vcpu)
{
    vcpu->stats = pages_alloc((sizeof(struct exit_stats) + PAGE_BYTES - 1) / PAGE_BYTES);
    return vcpu->stats ? NULL : "no memory for the exit statistics: use a smaller ring=N";
}

/* The row of value and tag, a free one made theirs, or `others`. `rows` is a power of two. */
static inline struct exit_stat *row_of(struct exit_stat *table, uint32_t rows,
                                       struct exit_stat *others, uint64_t value, uint32_t tag)
{
    /* The golden ratio spreads neighbouring values; the upper half of the product is the good one. */
    uint32_t at = (uint32_t)(((value ^ (uint64_t)tag << 20) * UINT64_C(0x9e3779b97f4a7c15)) >> 40);

    for (uint32_t i = 0; i < EXIT_STATS_PROBES; i++) {
        struct exit_stat *row = &table[(at + i) & (rows - 1)];

        if (row->tag == tag && row->value == value)
            return row;
        if (row->tag == 0) {
            row->value = value;
            row->tag = tag;
            return row;
        }
    }
    return others;
}

static struct exit_stat *index_row(struct exit_stats *stats, enum hv_exit_kind kind, uint64_t index)
{
    return row_of(stats->index, EXIT_STATS_ROWS_INDEX, &stats->others[EXIT_STATS_INDEX], index,
                  EXIT_STAT_USED | (uint32_t)kind);
}

static struct exit_stat *rip_row(struct exit_stats *stats, enum hv_exit_kind kind, uint16_t cs,
                                 uint64_t rip)
{
    return row_of(stats->rip, EXIT_STATS_ROWS_RIP, &stats->others[EXIT_STATS_RIP], rip,
                  EXIT_STAT_USED | (uint32_t)cs << 8 | (uint32_t)kind);
}

static inline void add(struct exit_stat *row, uint64_t cycles)
{
    row->count++;
    row->timed++;
    row->cycles += cycles;
}

void exit_stats_count(struct vcpu *vcpu, enum hv_exit_kind kind, uint16_t cs, uint64_t rip,
                      uint64_t cycles)
{
    struct exit_stats *stats = vcpu->stats;
    const struct hv_exit *exit = &vcpu->exit;
    uint64_t index;

    add(rip_row(stats, kind, cs, rip), cycles);
    switch (kind) {
    case HV_EXIT_RDMSR:
    case HV_EXIT_WRMSR:
        index = exit->msr.index;
        break;
    case HV_EXIT_IO_IN:
    case HV_EXIT_IO_OUT:
        index = exit->io.port;
        break;
    case HV_EXIT_CPUID:
        index = exit->cpuid.leaf;
        break;
    case HV_EXIT_EXCEPTION:
        index = exit->exception.vector;
        break;
    default:
        return;
    }
    add(index_row(stats, kind, index), cycles);
}

void exit_stats_flush(struct vcpu *vcpu)
{
    struct exit_stats *stats = vcpu->stats;
    uint64_t count = vcpu->cpuid_run.count;

    if (!count)
        return;
    vcpu->cpuid_run.count = 0;
    rip_row(stats, HV_EXIT_CPUID, vcpu->cpuid_run.cs, vcpu->cpuid_run.rip)->count += count;
    index_row(stats, HV_EXIT_CPUID, vcpu->cpuid_run.leaf)->count += count;
    stats->fast_count += count;
    vcpu->ring->kind_count[HV_EXIT_CPUID] += count;
}

void __attribute__((noinline)) exit_stats_new_run(struct vcpu *vcpu)
{
    exit_stats_flush(vcpu);
    vcpu->cpuid_run.rip = vcpu->regs.rip;
    vcpu->cpuid_run.leaf = (uint32_t)vcpu->regs.rax;
    vcpu->cpuid_run.cs = vcpu->exit.cs_selector;
    vcpu->cpuid_run.count = 1;
}

const struct exit_stat *exit_stats_rows(const struct vcpu *vcpu, enum exit_stats_table table,
                                        unsigned *count)
{
    *count = table == EXIT_STATS_RIP ? EXIT_STATS_ROWS_RIP : EXIT_STATS_ROWS_INDEX;
    return table == EXIT_STATS_RIP ? vcpu->stats->rip : vcpu->stats->index;
}
