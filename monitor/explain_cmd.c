/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See explain_cmd.h. */
#include "monitor/explain_cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/disas.h"
#include "monitor/options.h"
#include "monitor/out.h"
#include "monitor/symbols.h"
#include "protocol/explain.h"
#include "protocol/tables.h"

/* Of --symbols; NULL without. */
static struct symbols *symbols;

static unsigned code_bits(const struct crash_record *r)
{
    uint32_t rights = r->segment[1].rights; /* L is bit 13, D/B bit 14 */

    if ((r->cr0_real & 1) && (r->efer_real >> 10 & 1) && (rights >> 13 & 1))
        return 64;
    return rights >> 14 & 1 ? 32 : 16;
}

/* The instruction at RIP, as the CPU decoded it. */
static bool instruction(const struct crash_record *r, char *text, size_t cap_bytes)
{
    unsigned bits = code_bits(r);
    uint64_t at = r->rip + (bits == 64 ? 0 : r->segment[1].base) - r->code_gva;
    struct disas_insn insn;

    if (at >= r->code_bytes)
        return false;
    insn = disas_one(bits, false, r->rip, r->code + at, r->code_bytes - at);
    snprintf(text, cap_bytes, "%s", insn.text);
    return true;
}

static void print_place(const struct crash_record *r)
{
    unsigned bits = code_bits(r);
    char text[DISAS_TEXT_BYTES], symbol[SYMBOLS_TEXT_BYTES];

    out_printf("  at %04x:0x%" PRIx64, r->segment[1].selector, r->rip);
    if (symbols && symbols_describe(symbols, r->rip, symbol))
        out_printf(" <%s>", symbol);
    if (instruction(r, text, sizeof(text)))
        out_printf("  %s", text);
    out_printf("\n  %u-bit code, exit %" PRIu64 " (%s, reason 0x%" PRIx64 ")%s%s\n", bits,
               r->exit_count, tl_kind_word(r->exit.kind), r->exit.reason,
               r->platform[0] ? ", on " : "", r->platform);
}

static void print_registers(const struct crash_record *r)
{
    static const char *const names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    unsigned bits = code_bits(r);

    for (unsigned i = 0; i < (bits == 64 ? 16u : 8u); i++)
        out_printf("%s%3s %0*" PRIx64 "%s", i % 4 ? "  " : "    ", names[i], bits == 64 ? 16 : 8,
                   r->gpr[i], i % 4 == 3 ? "\n" : "");
}

static void print_record(const char *path, unsigned number, const struct crash_record *record,
                         const struct explanation *why, unsigned bad)
{
    out_printf("%s%s: crash %u%s: %s\n", out_style(OUT_STOP), path, number, out_style(OUT_PLAIN),
               record->why_text[0] ? record->why_text : record_why_words[record->why]);
    if (record->regs_present)
        print_place(record);
    if (!record->complete)
        out_printf("  (the record is cut off: what is missing could change the verdict)\n");
    if (bad)
        out_printf("  (%u items were damaged and are not believed)\n", bad);
    for (unsigned i = 0; i < why->count; i++) {
        out_printf("  %u. %s%s%s [%s]\n", i + 1, i == 0 ? out_style(OUT_CHANGED) : "",
                   why->item[i].text, i == 0 ? out_style(OUT_PLAIN) : "",
                   explain_certainty_text(why->item[i].certainty));
        if (why->item[i].evidence[0])
            out_printf("     %s\n", why->item[i].evidence);
    }
    if (record->regs_present)
        print_registers(record);
    out_printf("  VM-entry rules: %u violated, %u cannot be told from this record\n",
               why->rules_violated, why->rules_untold);
}

/* Bytes of a log need not be UTF-8; JSON must. */
static json_t *json_text(const char *text)
{
    json_t *value = json_string(text);

    return value ? value : json_string("(not UTF-8)");
}

static json_t *json_record(const char *path, unsigned number, const struct crash_record *record,
                           const struct explanation *why, unsigned bad)
{
    json_t *object = json_object(), *items = json_array();
    char place[SYMBOLS_TEXT_BYTES];

    json_object_set_new(object, "log", json_text(path));
    json_object_set_new(object, "crash", json_integer(number));
    json_object_set_new(object, "why", json_text(record_why_words[record->why]));
    json_object_set_new(object, "text", json_text(record->why_text));
    json_object_set_new(object, "platform", json_text(record->platform));
    json_object_set_new(object, "complete", json_boolean(record->complete));
    json_object_set_new(object, "damaged_items", json_integer(bad));
    json_object_set_new(object, "kind", json_text(tl_kind_word(record->exit.kind)));
    json_object_set_new(object, "reason", json_integer((json_int_t)record->exit.reason));
    json_object_set_new(object, "rip", json_integer((json_int_t)record->rip));
    if (record->regs_present && instruction(record, place, sizeof(place)))
        json_object_set_new(object, "instruction", json_text(place));
    if (symbols && symbols_describe(symbols, record->rip, place))
        json_object_set_new(object, "symbol", json_text(place));
    json_object_set_new(object, "rules_violated", json_integer(why->rules_violated));
    json_object_set_new(object, "rules_untold", json_integer(why->rules_untold));
    for (unsigned i = 0; i < why->count; i++) {
        json_t *item = json_object();

        json_object_set_new(item, "id", json_text(why->item[i].id));
        json_object_set_new(item, "certainty",
                            json_text(explain_certainty_text(why->item[i].certainty)));
        json_object_set_new(item, "text", json_text(why->item[i].text));
        json_object_set_new(item, "evidence", json_text(why->item[i].evidence));
        json_array_append_new(items, item);
    }
    json_object_set_new(object, "conclusions", items);
    return object;
}

static void judge(const struct options *options, const char *path, unsigned number,
                  const struct crash_record *record, unsigned bad, json_t *list)
{
    static struct explanation why;

    explain(record, &why);
    if (options->json)
        json_array_append_new(list, json_record(path, number, record, &why, bad));
    else
        print_record(path, number, record, &why, bad);
}

/* Crashes in one log, or -1. */
static int read_log(const struct options *options, const char *path, json_t *list)
{
    static struct crash_record record;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *line = NULL;
    size_t cap_bytes = 0;
    ssize_t len_bytes;
    unsigned bad = 0, count = 0;
    bool begun = false;

    if (!file) {
        out_error("%s: %s", path, strerror(errno));
        return -1;
    }
    record_clear(&record, false);
    while ((len_bytes = getline(&line, &cap_bytes, file)) >= 0) {
        if (strstr(line, "tl: crash begin")) {
            begun = true;
            bad = 0;
        }
        if (record_parse_line(&record, line, (size_t)len_bytes, &bad)) {
            judge(options, path, ++count, &record, bad, list);
            begun = false;
        }
    }
    if (begun) /* the log ends inside a record: the machine was switched off, or the line was cut */
        judge(options, path, ++count, &record, bad, list);
    free(line);
    if (file != stdin)
        fclose(file);
    return (int)count;
}

static bool load_symbols(const struct options *options)
{
    char error[SYMBOLS_ERROR_BYTES];

    if (!options->symbols_count)
        return true;
    symbols = symbols_new();
    for (size_t i = 0; symbols && i < options->symbols_count; i++)
        if (symbols_load(symbols, options->symbols[i], 0, error) < 0) {
            out_error("%s", error);
            return false;
        }
    return symbols != NULL;
}

int explain_logs(const struct options *options)
{
    json_t *list = json_array();
    int crashes = 0, status = STATUS_OK;

    out_init(false);
    if (!load_symbols(options)) {
        json_decref(list);
        return STATUS_USAGE;
    }
    for (size_t i = 0; i < options->file_count; i++) {
        int count = read_log(options, options->files[i], list);

        if (count < 0)
            status = STATUS_USAGE;
        else if (count == 0 && !options->json)
            out_printf("%s: no crash record in it\n", options->files[i]);
        crashes += count > 0 ? count : 0;
    }
    if (options->json) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        printf("\n");
    }
    json_decref(list);
    symbols_free(symbols);
    symbols = NULL;
    return status != STATUS_OK ? status : crashes ? STATUS_OK : STATUS_EXPECT_FAILED;
}
