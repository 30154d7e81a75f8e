/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ring_file.h, and ring_diff() of ring.h. */
#include "monitor/ring_file.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "protocol/tables.h"

/* One row each: name in the file, member. */
#define RING_MEMBERS(M)                                                                            \
    M(number)                                                                                      \
    M(tsc)                                                                                         \
    M(reason)                                                                                      \
    M(info1)                                                                                       \
    M(info2)                                                                                       \
    M(cs)                                                                                          \
    M(rip)                                                                                         \
    M(rsp)                                                                                         \
    M(rflags)                                                                                      \
    M(cr0)                                                                                         \
    M(cr3)                                                                                         \
    M(cr4)                                                                                         \
    M(efer)                                                                                        \
    M(rax)                                                                                         \
    M(rcx)                                                                                         \
    M(rdx)                                                                                         \
    M(rbx)                                                                                         \
    M(value)                                                                                       \
    M(event)                                                                                       \
    M(inject)                                                                                      \
    M(changed)                                                                                     \
    M(cycles)                                                                                      \
    M(verdict)

bool ring_is_trace_name(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && strcmp(dot, ".json") == 0;
}

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file)
        out_error("%s: %s", path, strerror(errno));
    return file;
}

static bool finish(FILE *file, const char *path)
{
    if (fclose(file) == 0)
        return true;
    out_error("%s: %s", path, strerror(errno));
    return false;
}

/* Numbers as hex strings: JSON readers lose bits above 2^53. */
bool ring_write_lines(const char *path, const struct ring_rows *rows)
{
    FILE *file = create(path);

    if (!file)
        return false;
    for (size_t i = 0; i < rows->count; i++) {
        const struct ring_row *row = &rows->row[i];

        fprintf(file, "{\"kind\":\"%s\"", tl_kind_word(row->kind));
#define PUT(member) fprintf(file, ",\"" #member "\":\"0x%" PRIx64 "\"", (uint64_t)row->member);
        RING_MEMBERS(PUT)
#undef PUT
        fprintf(file, "}\n");
    }
    return finish(file, path);
}

/* Chrome's trace-event format: complete events ("X"), microseconds since the first record. */
bool ring_write_trace(const char *path, const struct ring_rows *rows, uint64_t tsc_hz)
{
    double per_us = tsc_hz ? (double)tsc_hz / 1e6 : 1000.0;
    FILE *file = create(path);

    if (!file)
        return false;
    fprintf(file, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
                  "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"process_name\",\"args\":{\"name\":"
                  "\"guest\"}},\n"
                  "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"thread_name\",\"args\":{\"name\":"
                  "\"vCPU 0\"}}");
    for (size_t i = 0; i < rows->count; i++) {
        const struct ring_row *row = &rows->row[i];

        fprintf(file,
                ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"cat\":\"exit\",\"name\":\"%s\",\"ts\":%.3f,"
                "\"dur\":%.3f,"
                "\"args\":{\"number\":%" PRIu64 ",\"rip\":\"0x%" PRIx64
                "\",\"reason\":\"0x%x\",\"info1\":\"0x%" PRIx64 "\",\"value\":\"0x%" PRIx64 "\"}}",
                tl_kind_word(row->kind), (double)(row->tsc - rows->row[0].tsc) / per_us,
                (double)row->cycles / per_us, row->number, row->rip, row->reason, row->info1,
                row->value);
    }
    fprintf(file, "\n]}\n");
    return finish(file, path);
}

static uint64_t member(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? strtoull(text, NULL, 0) : 0;
}

static bool parse_row(const char *line, struct ring_row *row)
{
    json_t *object = json_loads(line, 0, NULL);
    const char *kind = json_string_value(json_object_get(object, "kind"));
    bool good = false;

    memset(row, 0, sizeof(*row));
    for (unsigned i = 0; kind && i < TL_KIND_COUNT; i++)
        if (strcmp(tl_kinds[i].word, kind) == 0) {
            row->kind = (uint8_t)i;
            good = true;
        }
#define GET(name) row->name = (__typeof__(row->name))member(object, #name);
    RING_MEMBERS(GET)
#undef GET
    json_decref(object);
    return good;
}

bool ring_load(const char *path, struct ring_rows *rows)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t cap_bytes = 0, cap = 0;
    unsigned number = 0;
    bool good = true;

    *rows = (struct ring_rows){NULL, 0};
    if (!file) {
        out_error("%s: %s", path, strerror(errno));
        return false;
    }
    while (good && getline(&line, &cap_bytes, file) >= 0) {
        number++;
        if (rows->count == cap) {
            struct ring_row *more;

            cap = cap ? 2 * cap : 256;
            more = realloc(rows->row, cap * sizeof(*more));
            if (!more) {
                good = false;
                break;
            }
            rows->row = more;
        }
        good = parse_row(line, &rows->row[rows->count]);
        rows->count += good;
    }
    if (!good)
        out_error("%s:%u: not a record of a saved ring", path, number);
    free(line);
    fclose(file);
    if (!good)
        ring_free(rows);
    return good;
}

/* ---- comparison ---- */

/* Interrupts come when they come; their exits say nothing about the guest's own way. */
static bool is_noise(const struct ring_row *row)
{
    return row->kind == TL_KIND_INTERRUPT || row->kind == TL_KIND_NMI ||
           row->kind == TL_KIND_INTERRUPT_WINDOW || row->kind == TL_KIND_PREEMPTION_TIMER;
}

static bool same_place(const struct ring_row *a, const struct ring_row *b)
{
    return a->kind == b->kind && a->rip == b->rip && a->cs == b->cs;
}

static void print_side(struct console *console, char side, const struct ring_row *row)
{
    char symbol[SYMBOLS_TEXT_BYTES] = "";

    if (!row) {
        out_printf("%c (the ring ends here)\n", side);
        return;
    }
    symbols_describe(console->symbols, row->rip, symbol);
    out_printf("%c exit %" PRIu64 "  %s  %04x:0x%" PRIx64 "%s%s%s\n", side, row->number,
               tl_kind_word(row->kind), row->cs, row->rip, symbol[0] ? "  <" : "", symbol,
               symbol[0] ? ">" : "");
}

/* What may differ between two good runs is left out: time, counts, stack randomisation. */
static bool values_differ(const struct ring_row *a, const struct ring_row *b, bool print)
{
    bool differ = false;
#define COMPARE(name)                                                                              \
    if (a->name != b->name) {                                                                      \
        differ = true;                                                                             \
        if (print)                                                                                 \
            out_printf("  %-8s 0x%" PRIx64 "  0x%" PRIx64 "\n", #name, (uint64_t)a->name,          \
                       (uint64_t)b->name);                                                         \
    }
    COMPARE(reason)
    COMPARE(info1)
    COMPARE(cr0)
    COMPARE(cr4)
    COMPARE(efer)
    COMPARE(value)
    COMPARE(inject)
    COMPARE(changed)
    COMPARE(verdict)
#undef COMPARE
    return differ;
}

static size_t skip_noise(const struct ring_rows *rows, size_t at)
{
    while (at < rows->count && is_noise(&rows->row[at]))
        at++;
    return at;
}

/* The older ring may have lost its beginning: start both at the first place they have in common. */
static void align(const struct ring_rows *a, const struct ring_rows *b, size_t *ia, size_t *ib)
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t j = 0; j < b->count && j <= 4096; j++)
            if (!is_noise(&a->row[i]) && same_place(&a->row[i], &b->row[j]) &&
                (i == 0 || j == 0 || a->row[i].number == b->row[j].number)) {
                *ia = i;
                *ib = j;
                return;
            }
    *ia = *ib = 0;
}

bool ring_diff(struct console *console, const struct ring_rows *a, const struct ring_rows *b)
{
    size_t ia, ib, same = 0;

    align(a, b, &ia, &ib);
    for (;;) {
        const struct ring_row *ra, *rb;

        ia = skip_noise(a, ia);
        ib = skip_noise(b, ib);
        ra = ia < a->count ? &a->row[ia] : NULL;
        rb = ib < b->count ? &b->row[ib] : NULL;
        if (!ra && !rb) {
            out_printf("no difference in %zu exits (interrupts left out)\n", same);
            return false;
        }
        if (!ra || !rb || !same_place(ra, rb) || values_differ(ra, rb, false)) {
            out_printf("after %zu equal exits the first that differs is:\n", same);
            print_side(console, '-', ra);
            print_side(console, '+', rb);
            if (ra && rb && same_place(ra, rb))
                values_differ(ra, rb, true);
            return true;
        }
        same++;
        ia++;
        ib++;
    }
}
