/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ring_file.h. Comparison is ring_diff.c's. */
#include "monitor/ring_file.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/files.h"
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

/* Numbers as hex strings: JSON readers lose bits above 2^53. */
bool ring_write_lines(const char *path, const struct ring_rows *rows)
{
    FILE *file = files_create(path);

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
    return files_finish(file, path);
}

/* Chrome's trace-event format: complete events ("X"), microseconds since the first record. */
bool ring_write_trace(const char *path, const struct ring_rows *rows, uint64_t tsc_hz)
{
    double per_us = tsc_hz ? (double)tsc_hz / 1e6 : 1000.0;
    uint64_t since = rows->count ? rows->row[0].tsc : 0;
    FILE *file = files_create(path);

    if (!file)
        return false;
    fprintf(file, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
                  "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"process_name\",\"args\":{\"name\":"
                  "\"guest\"}},\n"
                  "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"thread_name\",\"args\":{\"name\":"
                  "\"vCPU 0\"}}");
    for (size_t i = 0; i < rows->count; i++) {
        const struct ring_row *row = &rows->row[i];

        /* Viewers want time to go forward only; a guest's reset of the TSC must not wrap it. */
        if (row->tsc > since)
            since = row->tsc;
        fprintf(file,
                ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"cat\":\"exit\",\"name\":\"%s\",\"ts\":%.3f,"
                "\"dur\":%.3f,"
                "\"args\":{\"number\":%" PRIu64 ",\"rip\":\"0x%" PRIx64
                "\",\"reason\":\"0x%x\",\"info1\":\"0x%" PRIx64 "\",\"value\":\"0x%" PRIx64 "\"}}",
                tl_kind_word(row->kind), (double)(since - rows->row[0].tsc) / per_us,
                (double)row->cycles / per_us, row->number, row->rip, row->reason, row->info1,
                row->value);
    }
    fprintf(file, "\n]}\n");
    return files_finish(file, path);
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
    uint64_t len_bytes;
    FILE *file = files_open_regular(path, &len_bytes);
    char *line = NULL;
    size_t cap_bytes = 0, cap = 0;
    unsigned number = 0;
    bool good = true;

    *rows = (struct ring_rows){NULL, 0};
    if (!file)
        return false;
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
