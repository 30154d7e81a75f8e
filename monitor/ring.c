/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ring.h: fetching and showing. Files are ring_file.c's, comparison is ring_diff.c's. */
#include "monitor/ring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/ring_file.h"
#include "monitor/ring_filter.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "protocol/args.h"
#include "protocol/tables.h"

static uint64_t little(const uint8_t *bytes, unsigned len_bytes)
{
    uint64_t value = 0;

    while (len_bytes-- > 0)
        value = value << 8 | bytes[len_bytes];
    return value;
}

/* From the wire's bytes. */
static struct ring_row decode(const uint8_t b[RING_RECORD_BYTES])
{
    struct ring_row row = {
        .tsc = little(b, 8),
        .number = little(b + 8, 8),
        .reason = (uint32_t)little(b + 16, 4),
        .kind = b[20],
        .verdict = b[21],
        .cs = (uint16_t)little(b + 22, 2),
        .info1 = little(b + 24, 8),
        .info2 = little(b + 32, 8),
        .rip = little(b + 40, 8),
        .rsp = little(b + 48, 8),
        .rflags = little(b + 56, 8),
        .cr0 = little(b + 64, 8),
        .cr3 = little(b + 72, 8),
        .cr4 = little(b + 80, 8),
        .efer = little(b + 88, 8),
        .rax = little(b + 96, 8),
        .rcx = little(b + 104, 8),
        .rdx = little(b + 112, 8),
        .rbx = little(b + 120, 8),
        .value = little(b + 128, 8),
        .event = little(b + 136, 8),
        .inject = little(b + 144, 8),
        .changed = (uint32_t)little(b + 152, 4),
        .cycles = (uint32_t)little(b + 156, 4),
    };

    if (row.verdict == RING_UNFINISHED) { /* the rest is the place's last record's */
        row.inject = 0;
        row.changed = row.cycles = 0;
    }
    return row;
}

static bool row_of_hex(const char *hex, struct ring_row *row)
{
    struct args args = args_of(hex, strnlen(hex, 2 * RING_RECORD_BYTES));
    uint8_t bytes[RING_RECORD_BYTES];

    if (args_hex_bytes(&args, bytes, sizeof(bytes)) != (int)sizeof(bytes))
        return false;
    *row = decode(bytes);
    return true;
}

static bool append(struct ring_rows *rows, const struct ring_row *row)
{
    struct ring_row *more;

    if ((rows->count & (rows->count + 1)) == 0) { /* room for a power of two */
        more = realloc(rows->row, 2 * (rows->count + 1) * sizeof(*more));
        if (!more)
            return false;
        rows->row = more;
    }
    rows->row[rows->count++] = *row;
    return true;
}

#define ROWS_MAX  70000u /* more than the largest ring */
#define SKIPS_MAX 1000u

/* The last `want` records (UINT64_MAX: all). */
static bool fetch(struct console *console, uint64_t want, struct ring_rows *rows)
{
    const char *reply = target_ask(console->target, "qtl.ring:,1"), *record;
    uint64_t first, last, from, next;
    unsigned skips = 0;

    if (!reply || !target_key_number(reply, "first", &first) ||
        !target_key_number(reply, "last", &last)) {
        out_error("%s", reply ? "unexpected answer" : target_error(console->target));
        return false;
    }
    from = want > last || last - want + 1 < first ? first : last - want + 1;
    while (from <= last && rows->count < ROWS_MAX && !console->interrupted) {
        uint64_t before = from;

        reply = target_ask(console->target, "qtl.ring:%" PRIx64 ",%" PRIx64, from, last - from + 1);
        if (!reply) {
            out_error("%s", target_error(console->target));
            return false;
        }
        if (!target_key_number(reply, "next", &next))
            next = last + 1;
        for (record = strchr(reply, '|'); record; record = strchr(record, '|')) {
            struct ring_row row;

            if (row_of_hex(++record, &row) && row.number >= from && row.number <= last) {
                append(rows, &row);
                from = row.number + 1;
            }
        }
        if (from == before) { /* overwritten meanwhile, or nothing more */
            if (next <= from || ++skips > SKIPS_MAX)
                break;
            from = next;
        }
        if (rows->count % 512 == 0 && last - from > 512)
            out_printf("  %zu of %" PRIu64 " records\n", rows->count, last - first + 1);
    }
    return true;
}

static void show_row(struct console *console, const struct ring_row *row)
{
    char symbol[SYMBOLS_TEXT_BYTES] = "", what[200] = "";
    const struct tl_msr_row *msr;

    symbols_describe(console->symbols, row->rip, symbol);
    switch ((enum tl_kind)row->kind) {
    case TL_KIND_RDMSR:
    case TL_KIND_WRMSR:
        msr = tl_msr_by_index((uint32_t)row->rcx);
        if (row->kind == TL_KIND_RDMSR && row->verdict) /* nothing was read */
            snprintf(what, sizeof(what), "%s 0x%x", msr ? msr->manual : "MSR", (uint32_t)row->rcx);
        else
            snprintf(what, sizeof(what), "%s 0x%x = 0x%" PRIx64, msr ? msr->manual : "MSR",
                     (uint32_t)row->rcx, row->value);
        break;
    case TL_KIND_CR0_WRITE:
    case TL_KIND_CR3_WRITE:
    case TL_KIND_CR4_WRITE:
        snprintf(what, sizeof(what), "0x%" PRIx64, row->value);
        break;
    case TL_KIND_CPUID:
        snprintf(what, sizeof(what), "leaf 0x%x.%x", (uint32_t)row->rax, (uint32_t)row->rcx);
        break;
    case TL_KIND_NESTED_PAGE:
    case TL_KIND_NESTED_MISCONFIG:
        snprintf(what, sizeof(what), "gpa 0x%" PRIx64, row->value);
        break;
    default:
        snprintf(what, sizeof(what), "info 0x%" PRIx64, row->info1);
        break;
    }
    out_printf("%8" PRIu64 "  %s%-17s%s %04x:0x%-16" PRIx64 " %s%s%s%s", row->number,
               out_style(row->verdict == 2 ? OUT_ERROR : OUT_NAME), tl_kind_word(row->kind),
               out_style(OUT_PLAIN), row->cs, row->rip, what, symbol[0] ? "  <" : "", symbol,
               symbol[0] ? ">" : "");
    if (row->event >> 31 & 1)
        out_printf("  delivering %u", (unsigned)(row->event & 0xff));
    if (row->inject >> 31 & 1)
        out_printf("  injects %u", (unsigned)(row->inject & 0xff));
    out_printf("%s\n", row->verdict == 2 ? "  DEAD" : row->verdict == 1 ? "  stop" : "");
}

static enum cmd_result to_file(struct console *console, const char *path, bool export)
{
    struct ring_rows rows = {NULL, 0};
    uint64_t hz = 0;
    const char *stats;
    bool done;

    if (!*path) {
        out_error("to which file?");
        return CMD_ERROR;
    }
    done = fetch(console, UINT64_MAX, &rows);
    stats = done && export ? target_ask(console->target, "qtl.stats") : NULL;
    if (stats)
        target_key_number(stats, "tsc-hz", &hz);
    if (done)
        done = export && ring_is_trace_name(path) ? ring_write_trace(path, &rows, hz)
                                                  : ring_write_lines(path, &rows);
    if (done)
        out_printf("%zu records to %s\n", rows.count, path);
    ring_free(&rows);
    return done ? CMD_OK : CMD_ERROR;
}

enum cmd_result ring_command(struct console *console, const char *text)
{
    struct ring_rows rows = {NULL, 0};
    struct ring_filter filter;
    uint64_t count = 16;
    size_t shown = 0, from;
    bool ignore, all;
    char word[32];
    const char *rest = text;

    if (cmd_keyword(&rest, "save"))
        return to_file(console, rest, false);
    if (cmd_keyword(&rest, "export"))
        return to_file(console, rest, true);
    if (*rest >= '0' && *rest <= '9') {
        cmd_word(&rest, word, sizeof(word));
        if (!cmd_number(word, &count) || count == 0) {
            out_error("ring takes a count");
            return CMD_ERROR;
        }
    }
    ignore = cmd_keyword(&rest, "ignore");
    if (ignore && !*rest) {
        out_error("ignore what? exit kinds, msr:N, port:N, leaf:N, rip:ADDRESS");
        return CMD_ERROR;
    }
    if (!ring_filter_parse(console, rest, false, &filter))
        return CMD_ERROR;
    all = !*rest;
    if (!fetch(console, all ? count : UINT64_MAX, &rows))
        return CMD_ERROR;
    /* With a filter: the last `count` that pass it. */
    for (from = rows.count; from > 0 && shown < count; from--)
        shown += all || ring_filter_hits(&filter, &rows.row[from - 1]) != ignore;
    for (; from < rows.count && !console->interrupted; from++)
        if (all || ring_filter_hits(&filter, &rows.row[from]) != ignore)
            show_row(console, &rows.row[from]);
    if (shown == 0)
        out_printf("no such exit in the ring (%zu records)\n", rows.count);
    ring_free(&rows);
    return CMD_OK;
}

void ring_free(struct ring_rows *rows)
{
    free(rows->row);
    rows->row = NULL;
    rows->count = 0;
}
