/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands on values and memory: print, set, x, disassemble, walk, find, dump, load. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/eval.h"
#include "monitor/files.h"
#include "monitor/out.h"
#include "monitor/target.h"
#include "monitor/view.h"

struct format {
    unsigned count, unit_bytes;
    char letter;
};

/* "4xg": count, letter, unit. */
static bool parse_format(const char *text, struct format *format, bool memory)
{
    char *end;

    if (isdigit((unsigned char)*text)) {
        format->count = (unsigned)strtoul(text, &end, 10);
        text = end;
    }
    for (; *text; text++) {
        static const char units[] = "bhwg";
        const char *unit = strchr(units, *text);

        if (unit && memory)
            format->unit_bytes = 1u << (unit - units);
        else if (strchr("xduotca", *text) || (memory && strchr("is", *text)))
            format->letter = *text;
        else {
            out_error("no format `%c`: x d u o t c a%s", *text,
                      memory ? " i s, and sizes b h w g" : "");
            return false;
        }
    }
    return true;
}

static enum cmd_result cmd_print(struct console *console, const struct cmd_args *args)
{
    struct format format = {.count = 1};
    char text[SYMBOLS_TEXT_BYTES + 40];
    unsigned width = 64;
    uint64_t value;

    if (!parse_format(args->format, &format, false))
        return CMD_ERROR;
    if (!*args->rest) {
        out_error("print what? For example: print/x cr4 & (1<<5)");
        return CMD_ERROR;
    }
    if (!eval_text(console, args->rest, NULL, &value, &width))
        return CMD_ERROR;
    view_value(console, format.letter, width ? width : 64, value, text, sizeof(text));
    out_printf("$%u = %s\n", eval_remember(console, value), text);
    return CMD_OK;
}

static enum cmd_result set_setting(struct console *console, const char *rest, bool *known)
{
    char word[40];

    *known = true;
    if (cmd_keyword(&rest, "disassembly-flavor")) {
        if (strcmp(rest, "intel") != 0 && strcmp(rest, "att") != 0) {
            out_error("disassembly-flavor is intel or att");
            return CMD_ERROR;
        }
        console->intel_syntax = rest[0] == 'i';
        return CMD_OK;
    }
    if (cmd_keyword(&rest, "option")) {
        const char *value = rest;

        if (!cmd_word(&value, word, sizeof(word)) || !*value) {
            out_error("usage: set option NAME VALUE (`info options` lists them)");
            return CMD_ERROR;
        }
        if (target_do(console->target, "Qtl.option:%s=%s", word, value))
            return CMD_OK;
        out_error("%s", target_error(console->target));
        return CMD_ERROR;
    }
    *known = false;
    return CMD_OK;
}

/* The '=' of an assignment: not part of == <= >= !=, not inside parentheses. */
static const char *assignment(const char *text)
{
    int depth = 0;

    for (const char *at = text; *at; at++) {
        if (strchr("([", *at))
            depth++;
        else if (strchr(")]", *at))
            depth--;
        else if (*at == '=' && depth == 0 && at[1] != '=' && at > text && !strchr("<>!=", at[-1]))
            return at;
    }
    return NULL;
}

static enum cmd_result cmd_set(struct console *console, const struct cmd_args *args)
{
    const char *rest = args->rest, *equals;
    enum cmd_result result;
    bool known;
    char *left;

    result = set_setting(console, rest, &known);
    if (known)
        return result;
    cmd_keyword(&rest, "var"); /* GDB's `set var` and `set variable` */
    cmd_keyword(&rest, "variable");
    equals = assignment(rest);
    if (!equals) {
        out_error("usage: set WHAT = EXPR, for example: set $rip = 0x100013b");
        return CMD_ERROR;
    }
    if (!console_attached(console) || console_running(console)) {
        out_error(console_attached(console) ? "the guest is running; `interrupt` (or ^C) stops it"
                                            : "no machine: nothing is attached");
        return CMD_ERROR;
    }
    left = strndup(rest, (size_t)(equals - rest));
    if (!left)
        return CMD_ERROR;
    for (size_t end = strlen(left); end > 0 && isspace((unsigned char)left[end - 1]);)
        left[--end] = '\0';
    result = eval_assign(console, left, equals + 1) ? CMD_OK : CMD_ERROR;
    free(left);
    return result;
}

/* ---- x ---- */

/* GDB's `x` goes on where it stopped, in the same format. */
static struct {
    struct format format;
    uint64_t next;
} last_x = {.format = {.count = 1, .unit_bytes = 4, .letter = 'x'}};

static enum cmd_result cmd_x(struct console *console, const struct cmd_args *args)
{
    struct format format = last_x.format;
    uint64_t address = last_x.next, next;

    format.count = 1;
    if (!parse_format(args->format, &format, true))
        return CMD_ERROR;
    if (format.letter == 'a')
        format.unit_bytes = 8;
    if (*args->rest) {
        if (!eval_text(console, args->rest, NULL, &address, NULL))
            return CMD_ERROR;
    }
    next = view_memory(console, address, format.count, format.letter, format.unit_bytes);
    last_x.format = format;
    last_x.next = next;
    return next == address ? CMD_ERROR : CMD_OK;
}

static enum cmd_result cmd_disassemble(struct console *console, const struct cmd_args *args)
{
    const char *rest = args->rest, *end;
    uint64_t low, high, pc = 0;

    target_reg(console->target, TL_REG_rip, &pc);
    if (!*rest)
        return view_disassemble(console, pc, pc + 32) ? CMD_OK : CMD_ERROR;
    if (!eval_text(console, rest, &end, &low, NULL))
        return CMD_ERROR;
    end += strspn(end, " \t");
    if (*end == '\0') {
        high = low + 32;
    } else if (*end == ',') {
        bool relative;

        end++;
        end += strspn(end, " \t");
        relative = *end == '+';
        if (!eval_text(console, end + relative, NULL, &high, NULL))
            return CMD_ERROR;
        if (relative)
            high += low;
    } else {
        out_error("expected `START, END` or `START, +LENGTH` at `%.40s`", end);
        return CMD_ERROR;
    }
    return view_disassemble(console, low, high) ? CMD_OK : CMD_ERROR;
}

static enum cmd_result cmd_walk(struct console *console, const struct cmd_args *args)
{
    uint64_t address;

    if (!*args->rest)
        address = target_pc_gva(console->target);
    else if (!eval_text(console, args->rest, NULL, &address, NULL))
        return CMD_ERROR;
    return view_walk(console, address) ? CMD_OK : CMD_ERROR;
}

/* ---- find, dump, load ---- */

#define FIND_CHUNK 4096u

/* "string" or a value with the size suffix of its format (/b /h /w /g; default by value). */
static size_t parse_pattern(struct console *console, const struct cmd_args *args, const char *text,
                            uint8_t *pattern, size_t cap_bytes)
{
    struct format format = {.unit_bytes = 0};
    uint64_t value;
    size_t len_bytes = strlen(text);

    if (text[0] == '"' && len_bytes >= 3 && text[len_bytes - 1] == '"' &&
        len_bytes - 2 <= cap_bytes) {
        memcpy(pattern, text + 1, len_bytes - 2);
        return len_bytes - 2;
    }
    if (!parse_format(args->format, &format, true) || !eval_text(console, text, NULL, &value, NULL))
        return 0;
    if (format.unit_bytes == 0)
        format.unit_bytes = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= UINT32_MAX ? 4 : 8;
    for (unsigned i = 0; i < format.unit_bytes; i++)
        pattern[i] = (uint8_t)(value >> (8 * i));
    return format.unit_bytes;
}

static unsigned search(struct console *console, uint64_t from, uint64_t len_bytes,
                       const uint8_t *pattern, size_t pattern_len_bytes)
{
    uint8_t bytes[FIND_CHUNK + 64];
    unsigned found = 0;
    uint64_t at = 0;

    while (at < len_bytes && !console->interrupted && found < 100) {
        size_t want = len_bytes - at < FIND_CHUNK ? (size_t)(len_bytes - at) : FIND_CHUNK, got;

        /* The pattern may begin in this piece and end in the next. */
        got = target_read(console->target, from + at, bytes, want + pattern_len_bytes - 1);
        if (got < pattern_len_bytes) {
            out_printf("0x%" PRIx64 ": %s\n", from + at + got, target_error(console->target));
            break;
        }
        for (size_t i = 0; i < want && i + pattern_len_bytes <= got; i++)
            if (memcmp(bytes + i, pattern, pattern_len_bytes) == 0) {
                out_printf("0x%" PRIx64 "\n", from + at + i);
                found++;
            }
        at += want;
    }
    return found;
}

static enum cmd_result cmd_search(struct console *console, const struct cmd_args *args)
{
    const char *end;
    uint64_t from, to;
    uint8_t pattern[60];
    size_t pattern_len_bytes;
    bool relative;

    if (!*args->rest) {
        out_error("usage: find START, +LENGTH|END, VALUE|\"text\"");
        return CMD_ERROR;
    }
    if (!eval_text(console, args->rest, &end, &from, NULL))
        return CMD_ERROR;
    end += strspn(end, " \t");
    if (*end++ != ',') {
        out_error("usage: find START, +LENGTH|END, VALUE|\"text\"");
        return CMD_ERROR;
    }
    end += strspn(end, " \t");
    relative = *end == '+';
    if (!eval_text(console, end + relative, &end, &to, NULL))
        return CMD_ERROR;
    if (relative)
        to += from;
    end += strspn(end, " \t");
    if (*end++ != ',' || to <= from) {
        out_error(to <= from ? "the range is empty" : "find what? A value or \"text\"");
        return CMD_ERROR;
    }
    end += strspn(end, " \t");
    pattern_len_bytes = parse_pattern(console, args, end, pattern, sizeof(pattern));
    if (pattern_len_bytes == 0)
        return CMD_ERROR;
    out_printf("%u found\n", search(console, from, to - from, pattern, pattern_len_bytes));
    return CMD_OK;
}

/* A line for each 64 KiB; of large areas for each sixteenth. */
static void progress(uint64_t before, uint64_t done, uint64_t all)
{
    uint64_t step = all / 16 > 65536 ? all / 16 : 65536;

    if (all > 65536 && before / step != done / step && done < all)
        out_printf("  %" PRIu64 " of %" PRIu64 " KiB\n", done / 1024, all / 1024);
}

static enum cmd_result cut_short(const char *what, uint64_t done, uint64_t all)
{
    out_error("^C: %s ended after %" PRIu64 " of %" PRIu64 " bytes", what, done, all);
    return CMD_ERROR;
}

/* "START, +LENGTH" or "START, END" (END is the first byte behind). */
static bool parse_area(struct console *console, const char *text, uint64_t *from,
                       uint64_t *len_bytes)
{
    const char *end;
    bool relative;

    if (!eval_text(console, text, &end, from, NULL))
        return false;
    end += strspn(end, " \t");
    if (*end == ',')
        end += 1 + strspn(end + 1, " \t");
    if (!*end) { /* "START +LENGTH" is a sum */
        out_error("which area? START, +LENGTH or START, END, with the comma");
        return false;
    }
    relative = *end == '+';
    if (!eval_text(console, end + relative, NULL, len_bytes, NULL))
        return false;
    if (!relative && *len_bytes > *from) {
        *len_bytes -= *from;
    } else if (!relative || *len_bytes == 0 || *from + (*len_bytes - 1) < *from) {
        out_error("the area 0x%" PRIx64 ", %s0x%" PRIx64 " is empty, or ends before it begins",
                  *from, relative ? "+" : "", *len_bytes);
        return false;
    }
    return true;
}

static enum cmd_result cmd_dump(struct console *console, const struct cmd_args *args)
{
    const char *rest = args->rest;
    uint64_t from, len_bytes, at = 0;
    bool good = true;
    char path[512];
    FILE *file;

    if (!cmd_word(&rest, path, sizeof(path)) || !*rest) {
        out_error("usage: dump FILE START, +LENGTH|END");
        return CMD_ERROR;
    }
    if (!parse_area(console, rest, &from, &len_bytes))
        return CMD_ERROR;
    file = files_create(path);
    if (!file)
        return CMD_ERROR;
    while (good && at < len_bytes && !console->interrupted) {
        uint8_t bytes[1024];
        size_t want = len_bytes - at < sizeof(bytes) ? (size_t)(len_bytes - at) : sizeof(bytes);
        size_t got = target_read(console->target, from + at, bytes, want);

        good = got == want && fwrite(bytes, 1, got, file) == got;
        if (got < want && !console->interrupted)
            out_error("0x%" PRIx64 ": %s", from + at + got, target_error(console->target));
        progress(at, at + got, len_bytes);
        at += got;
    }
    if (!files_finish(file, path))
        return CMD_ERROR;
    if (console->interrupted)
        return cut_short("dump", at, len_bytes);
    out_printf("%" PRIu64 " bytes to %s\n", at, path);
    return good ? CMD_OK : CMD_ERROR;
}

static enum cmd_result cmd_load(struct console *console, const struct cmd_args *args)
{
    const char *rest = args->rest;
    uint64_t to, at = 0, len_bytes;
    char path[512];
    uint8_t bytes[1024];
    FILE *file;
    size_t got;
    bool good = true;

    if (!cmd_word(&rest, path, sizeof(path)) || !*rest) {
        out_error("usage: load FILE ADDRESS");
        return CMD_ERROR;
    }
    if (!eval_text(console, rest, NULL, &to, NULL))
        return CMD_ERROR;
    file = files_open_regular(path, &len_bytes);
    if (!file)
        return CMD_ERROR;
    while (good && !console->interrupted && (got = fread(bytes, 1, sizeof(bytes), file)) > 0) {
        good = target_write(console->target, to + at, bytes, got);
        progress(at, at + got, len_bytes);
        at += good ? got : 0;
    }
    if (!good && !console->interrupted)
        out_error("0x%" PRIx64 ": %s", to + at, target_error(console->target));
    if (ferror(file)) {
        out_error("%s: cannot be read to its end", path);
        good = false;
    }
    fclose(file);
    if (console->interrupted)
        return cut_short("load", at, len_bytes);
    out_printf("%" PRIu64 " bytes to 0x%" PRIx64 "\n", at, to);
    return good ? CMD_OK : CMD_ERROR;
}

const struct cmd_row cmd_data_rows[] = {
    {"print|p|inspect", "[/FMT] EXPR", "compute a value; FMT: x d u o t c a",
     "Expressions have C's operators, registers, words of the exit (value, old, index, port, "
     "vector, "
     "gpa ...), vmcs.FIELD, msr-area[MSR], msr[MSR], bits as cr0.PG, memory as u32(ADDR), symbols, "
     "and "
     "$ $$ $N of the history.",
     cmd_print, CMD_FORMAT, CMD_COMPLETE_EXPR, NULL},
    {"set", "WHAT = EXPR", "change a register, vmcs.FIELD, msr-area[MSR], msr[MSR], u32(ADDR)",
     "Also: set disassembly-flavor intel|att; set option NAME VALUE.", cmd_set, 0,
     CMD_COMPLETE_EXPR, NULL},
    {"x", "[/FMT] ADDR", "show memory; FMT as in GDB: count, x d u o t c a i s, size b h w g", NULL,
     cmd_x, CMD_FORMAT | CMD_LINE | CMD_STOPPED, CMD_COMPLETE_EXPR, NULL},
    {"disassemble|disas|u", "[START[, END|+LENGTH]]", "instructions of the current mode", NULL,
     cmd_disassemble, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_EXPR, NULL},
    {"walk", "[ADDR]", "translate an address level by level: guest's tables, then EPT or NPT", NULL,
     cmd_walk, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_EXPR, NULL},
    {"find", "[/SIZE] START, +LENGTH|END, VALUE|\"text\"", "search memory", NULL, cmd_search,
     CMD_FORMAT | CMD_LINE | CMD_STOPPED, CMD_COMPLETE_EXPR, NULL},
    {"dump", "FILE START, +LENGTH|END", "write guest memory to a file", NULL, cmd_dump,
     CMD_LINE | CMD_STOPPED, CMD_COMPLETE_FILE, NULL},
    {"load", "FILE ADDRESS", "write a file to guest memory", NULL, cmd_load, CMD_LINE | CMD_STOPPED,
     CMD_COMPLETE_FILE, NULL},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
