/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * See stats.h. The hypervisor counts every exit from its start on and sends the largest rows first
 * (protocol/README.md 4.5); here they are fetched as far as they are wanted, named and shown.
 */
#include "monitor/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/files.h"
#include "monitor/out.h"
#include "monitor/symbols.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "protocol/tables.h"

#define ROWS_SHOWN 20u
#define ROWS_MAX   4096u /* more than the hypervisor's tables hold */

struct row {
    char kind[24];
    uint64_t index, count, timed, cycles;
    uint16_t cs;
};

struct table {
    struct row row[ROWS_MAX];
    size_t rows;
    /* Of the whole topic, also of rows not fetched. */
    uint64_t exits, hz, kept, hits, ticks, others, others_ticks;
};

static const char *const topics[] = {"kind", "msr", "port", "leaf", "vector", "rip"};
enum { TOPIC_KIND, TOPIC_MSR, TOPIC_PORT, TOPIC_LEAF, TOPIC_VECTOR, TOPIC_RIP, TOPICS };

static const char *const heads[] = {"", "MSR", "port", "leaf", "vector", "cs:rip"};
static const int widths[] = {0, 10, 6, 10, 6, 23};

static void take_rows(const char *reply, struct table *table)
{
    for (const char *at = strchr(reply, '|'); at && table->rows < ROWS_MAX; at = strchr(at, '|')) {
        struct row *row = &table->row[table->rows];
        char one[256];

        snprintf(one, sizeof(one), "%.*s", (int)strcspn(at + 1, "|"), at + 1);
        at++;
        if (!target_key(one, "kind", row->kind, sizeof(row->kind)))
            continue;
        row->index = target_number(one, "index");
        row->cs = (uint16_t)target_number(one, "cs");
        row->count = target_number(one, "count");
        row->timed = target_number(one, "timed");
        row->cycles = target_number(one, "cycles");
        table->rows++;
    }
}

/* The sums are those of the first reply: while the guest runs the later ones are larger. */
static void take_sums(const char *reply, struct table *table)
{
    char head[256];

    snprintf(head, sizeof(head), "%.*s", (int)strcspn(reply, "|"), reply);
    table->exits = target_number(head, "exits");
    table->hz = target_number(head, "tsc-hz");
    table->kept = target_number(head, "rows");
    table->hits = target_number(head, "hits");
    table->ticks = target_number(head, "ticks");
    table->others = target_number(head, "others");
    table->others_ticks = target_number(head, "others-ticks");
}

static bool by_cycles;

static int larger(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    uint64_t vx = by_cycles ? x->cycles : x->count, vy = by_cycles ? y->cycles : y->count;

    return vx > vy ? -1 : vx < vy;
}

static bool fetch_kinds(struct console *console, struct table *table)
{
    const char *reply = target_ask(console->target, "qtl.stats");

    if (!reply) {
        out_error("%s", target_error(console->target));
        return false;
    }
    take_sums(reply, table);
    take_rows(reply, table);
    table->kept = table->rows;
    table->hits = table->exits;
    for (size_t i = 0; i < table->rows; i++)
        table->ticks += table->row[i].cycles;
    qsort(table->row, table->rows, sizeof(table->row[0]), larger);
    return true;
}

/* At least `want` rows, when there are so many. */
static bool fetch_rows(struct console *console, unsigned topic, size_t want, struct table *table)
{
    const char *order = by_cycles ? "cycles" : "count", *reply;
    char next[48] = "";

    do {
        size_t before = table->rows;

        reply = target_ask(console->target, "qtl.stats:%s,%s%s%s", topics[topic], order,
                           *next ? "," : "", next);
        if (!reply) {
            out_error("%s", target_error(console->target));
            return false;
        }
        if (before == 0)
            take_sums(reply, table);
        take_rows(reply, table);
        if (table->rows == before || !target_key(reply, "next", next, sizeof(next)))
            break;
    } while (table->rows < want && table->rows < ROWS_MAX && !console->interrupted);
    return true;
}

static bool fetch(struct console *console, unsigned topic, size_t want, struct table *table)
{
    table->rows = 0;
    table->exits = table->hz = table->kept = table->hits = table->ticks = 0;
    table->others = table->others_ticks = 0;
    return topic == TOPIC_KIND ? fetch_kinds(console, table)
                               : fetch_rows(console, topic, want, table);
}

/* What the index of a row is, for people; "" when there is nothing to add. */
static void name_of(struct console *console, unsigned topic, const struct row *row, char *text,
                    size_t cap_bytes)
{
    const struct tl_msr_row *msr;
    char symbol[SYMBOLS_TEXT_BYTES] = "";

    text[0] = '\0';
    if (topic == TOPIC_MSR) {
        msr = tl_msr_by_index((uint32_t)row->index);
        snprintf(text, cap_bytes, "%s", msr ? msr->manual : "");
    } else if (topic == TOPIC_VECTOR) {
        snprintf(text, cap_bytes, "%s", view_exception_name((unsigned)row->index));
    } else if (topic == TOPIC_RIP && symbols_describe(console->symbols, row->index, symbol)) {
        snprintf(text, cap_bytes, "<%s>", symbol);
    }
}

static void index_text(unsigned topic, const struct row *row, char *text, size_t cap_bytes)
{
    if (topic == TOPIC_KIND)
        text[0] = '\0';
    else if (topic == TOPIC_RIP)
        snprintf(text, cap_bytes, "%04x:0x%016" PRIx64, row->cs, row->index);
    else if (topic == TOPIC_PORT)
        snprintf(text, cap_bytes, "0x%04" PRIx64, row->index);
    else if (topic == TOPIC_VECTOR)
        snprintf(text, cap_bytes, "%" PRIu64, row->index);
    else
        snprintf(text, cap_bytes, "0x%08" PRIx64, row->index);
}

static void show_row(struct console *console, unsigned topic, const struct table *table,
                     const struct row *row)
{
    char index[40], name[SYMBOLS_TEXT_BYTES + 4], each[24] = "-", cycles[24] = "-";
    char timed[32] = "";

    index_text(topic, row, index, sizeof(index));
    name_of(console, topic, row, name, sizeof(name));
    if (row->timed) {
        snprintf(cycles, sizeof(cycles), "%" PRIu64, row->cycles);
        snprintf(each, sizeof(each), "%" PRIu64, row->cycles / row->timed);
    }
    if (row->timed && row->timed != row->count) /* the fast CPUIDs among them were not measured */
        snprintf(timed, sizeof(timed), "  (%" PRIu64 " timed)", row->timed);
    out_printf("  %-18s %-*s %12" PRIu64 " %6.1f%% %16s %12s%s%s%s\n", row->kind, widths[topic],
               index, row->count,
               table->hits ? 100.0 * (double)row->count / (double)table->hits : 0.0, cycles, each,
               timed, name[0] ? "  " : "", name);
}

static void show(struct console *console, unsigned topic, const struct table *table, size_t count)
{
    if (topic == TOPIC_KIND)
        out_printf("%" PRIu64 " exits\n", table->exits);
    else
        out_printf("%" PRIu64 " of %" PRIu64 " exits by %s\n", table->hits, table->exits,
                   heads[topic]);
    out_printf("  %-18s %-*s %12s %7s %16s %12s\n", "kind", widths[topic], heads[topic], "count",
               "share", "cycles", "cycles/exit");
    for (size_t i = 0; i < table->rows && i < count && !console->interrupted; i++)
        show_row(console, topic, table, &table->row[i]);
    if (table->kept > count)
        out_printf("  %" PRIu64 " more rows (`stats %s %" PRIu64 "` shows them)\n",
                   table->kept - count, topics[topic], table->kept);
    if (table->others)
        out_printf("  %" PRIu64 " exits found no room in the hypervisor's table%s\n", table->others,
                   topic == TOPIC_RIP ? "" : "s of MSRs, ports, leaves and vectors");
    if (table->hz)
        out_printf("  in handlers: %.3f s of guest time\n",
                   (double)(table->ticks + table->others_ticks) / (double)table->hz);
}

/* ---- to a file ---- */

static void save_topic(FILE *file, struct console *console, unsigned topic,
                       const struct table *table)
{
    fprintf(file, "%s\n  \"%s\": {\"others\": %" PRIu64 ", \"rows\": [", topic ? "," : "",
            topics[topic], table->others);
    for (size_t i = 0; i < table->rows; i++) {
        const struct row *row = &table->row[i];
        const struct tl_kind_row *kind = NULL;
        char name[SYMBOLS_TEXT_BYTES + 4];
        json_t *text;
        char *dumped;

        for (unsigned k = 0; k < TL_KIND_COUNT; k++) /* nothing but our own words */
            if (strcmp(tl_kinds[k].word, row->kind) == 0)
                kind = &tl_kinds[k];
        fprintf(file, "%s\n    {\"kind\": \"%s\"", i ? "," : "", kind ? kind->word : "?");
        if (topic != TOPIC_KIND)
            fprintf(file, ", \"index\": \"0x%" PRIx64 "\"", row->index);
        if (topic == TOPIC_RIP)
            fprintf(file, ", \"cs\": \"0x%x\"", row->cs);
        name_of(console, topic, row, name, sizeof(name));
        text = name[0] ? json_string(name) : NULL;
        dumped = text ? json_dumps(text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
        if (dumped)
            fprintf(file, ", \"name\": %s", dumped);
        free(dumped);
        json_decref(text);
        fprintf(file, ", \"count\": %" PRIu64 ", \"timed\": %" PRIu64 ", \"cycles\": %" PRIu64 "}",
                row->count, row->timed, row->cycles);
    }
    fprintf(file, "\n  ]}");
}

static enum cmd_result save(struct console *console, const char *path, struct table *table)
{
    FILE *file;
    bool done = true;

    if (!*path) {
        out_error("to which file? (stats save FILE.json)");
        return CMD_ERROR;
    }
    file = files_create(path);
    if (!file)
        return CMD_ERROR;
    fprintf(file, "{");
    for (unsigned topic = 0; done && topic < TOPICS; topic++) {
        done = fetch(console, topic, ROWS_MAX, table);
        if (done && topic == 0)
            fprintf(file, "\"exits\": %" PRIu64 ", \"tsc_hz\": %" PRIu64 ",", table->exits,
                    table->hz);
        if (done)
            save_topic(file, console, topic, table);
    }
    fprintf(file, "\n}\n");
    if (!files_finish(file, path) || !done)
        return CMD_ERROR;
    out_printf("statistics to %s\n", path);
    return CMD_OK;
}

enum cmd_result stats_command(struct console *console, const char *text)
{
    static struct table table; /* large, and commands do not nest */
    unsigned topic = TOPIC_KIND;
    uint64_t count = ROWS_SHOWN;
    char word[32];

    by_cycles = false;
    if (cmd_keyword(&text, "save"))
        return save(console, text, &table);
    for (unsigned i = 0; i < TOPICS; i++)
        if (cmd_keyword(&text, topics[i])) {
            topic = i;
            break;
        }
    if (topic == TOPIC_KIND)
        count = TL_KIND_COUNT;
    if (*text >= '0' && *text <= '9') {
        cmd_word(&text, word, sizeof(word));
        if (!cmd_number(word, &count) || count == 0 || count > ROWS_MAX) {
            out_error("stats shows 1 to %u rows", ROWS_MAX);
            return CMD_ERROR;
        }
    }
    if (cmd_keyword(&text, "by")) {
        by_cycles = cmd_keyword(&text, "cycles");
        if (!by_cycles && !cmd_keyword(&text, "count")) {
            out_error("stats sorts by count or by cycles");
            return CMD_ERROR;
        }
    }
    if (*text) {
        out_error("stats takes kind, msr, port, leaf, vector or rip, a number of rows, "
                  "by count or by cycles; or save FILE");
        return CMD_ERROR;
    }
    if (!fetch(console, topic, count, &table))
        return CMD_ERROR;
    show(console, topic, &table, count);
    return CMD_OK;
}
