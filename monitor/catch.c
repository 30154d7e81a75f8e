/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See catch.h. Conditions and actions become agent bytecode; the hypervisor evaluates them. */
#include "monitor/catch.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/eval.h"
#include "monitor/out.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "protocol/agent.h"
#include "protocol/agent_code.h"
#include "protocol/tables.h"

#define REQUEST_BYTES 3900 /* fits a packet of 4096 with its frame */
#define FORMAT_BYTES  400

struct request {
    char text[REQUEST_BYTES];
    size_t len_bytes;
    bool full;
};

static void put(struct request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct request *request, const char *format, ...)
{
    size_t room = sizeof(request->text) - request->len_bytes;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(request->text + request->len_bytes, room, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= room)
        request->full = true;
    else
        request->len_bytes += (size_t)len;
}

static const char *spaces(const char *text)
{
    return text + strspn(text, " \t");
}

bool stops_parse_kinds(const char *text, uint64_t *kinds, char *words, size_t cap_bytes,
                       const char **end)
{
    size_t used = 0;

    *kinds = 0;
    for (;;) {
        size_t len_bytes = strcspn(text, ", \t");
        uint64_t mask = tl_kinds_by_word(text, len_bytes);

        if (mask == 0) {
            const char *near = tl_nearest_kind(text, len_bytes);

            out_error("no exit kind `%.*s`%s%s%s (`help kinds` lists them)", (int)len_bytes, text,
                      near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
            return false;
        }
        *kinds |= mask;
        text = spaces(text + len_bytes);
        if (*text != ',')
            break;
        text = spaces(text + 1);
    }
    words[0] = '\0';
    for (unsigned kind = 0; kind < TL_KIND_COUNT; kind++)
        if (*kinds >> kind & 1 && used + 1 < cap_bytes)
            used += (size_t)snprintf(words + used, cap_bytes - used, "%s%s", used ? "," : "",
                                     tl_kind_word(kind));
    if (used >= cap_bytes) {
        out_error("too many kinds at once");
        return false;
    }
    if (end)
        *end = text;
    else if (*text) {
        out_error("`%.40s`: more than kinds", text);
        return false;
    }
    return true;
}

/* `only 0xc0000080,0x174-0x176`: numbers, MSR names, ranges. */
static bool parse_only(struct console *console, const char **text, struct request *request)
{
    unsigned count = 0;

    put(request, "only:");
    for (;;) {
        uint64_t first, last;
        size_t len_bytes = strcspn(*text, ",- \t");
        const struct tl_msr_row *msr = tl_msr_by_name(*text, len_bytes);

        if (msr) {
            first = msr->index;
            *text = spaces(*text + len_bytes);
        } else {
            char word[24];

            snprintf(word, sizeof(word), "%.*s", (int)len_bytes, *text);
            if (!cmd_number(word, &first) || first > UINT32_MAX) {
                out_error("`only` takes MSRs, ports or vectors: `%.*s` is none", (int)len_bytes,
                          *text);
                return false;
            }
            *text = spaces(*text + len_bytes);
        }
        last = first;
        if (**text == '-') {
            char *end;

            last = strtoull(*text + 1, &end, 0);
            if (end == *text + 1 || last < first || last > UINT32_MAX) {
                out_error("the range ends before it begins");
                return false;
            }
            *text = spaces(end);
        }
        put(request, last == first ? "%s%" PRIx64 : "%s%" PRIx64 "-%" PRIx64, count ? "," : "",
            first, last);
        if (++count > 8) {
            out_error("at most 8 ranges behind `only`");
            return false;
        }
        if (**text != ',')
            break;
        *text = spaces(*text + 1);
    }
    put(request, ";");
    (void)console;
    return true;
}

/* ---- actions ---- */

static void put_hex(struct request *request, const uint8_t *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        put(request, "%02x", bytes[i]);
}

/* A "..." literal with C's usual escapes; returns its length with the final 0, or 0. */
static size_t parse_string(const char **text, char *out, size_t cap_bytes)
{
    static const char escapes[] = "n\nt\t\"\"\\\\";
    size_t len_bytes = 0;
    const char *from = *text;

    if (*from++ != '"')
        return 0;
    for (; *from && *from != '"'; from++) {
        char c = *from;

        if (c == '\\') {
            const char *known = from[1] ? strchr(escapes, from[1]) : NULL;

            if (!known)
                return 0;
            c = known[1];
            from++;
        }
        if (len_bytes + 3 > cap_bytes)
            return 0;
        if (c == '\\') /* the stub reads escapes too */
            out[len_bytes++] = c;
        out[len_bytes++] = c;
    }
    if (*from != '"')
        return 0;
    out[len_bytes++] = '\0';
    *text = spaces(from + 1);
    return len_bytes;
}

static unsigned conversions(const char *format)
{
    unsigned count = 0;

    for (; *format; format++)
        if (*format == '%' && *++format != '%')
            count++;
        else if (*format == '\0')
            break;
    return count;
}

static unsigned hex_byte(const char *hex)
{
    unsigned value = 0;

    sscanf(hex, "%2x", &value);
    return value;
}

/* One argument's code without its `end`, behind `base` bytes of others: jumps are absolute, so they
 * move along. Returns its length. */
static size_t put_argument(struct request *request, const char *hex, size_t base)
{
    size_t len_bytes = strlen(hex) / 2 - 1, at = 0;

    while (at < len_bytes) {
        uint8_t opcode = (uint8_t)hex_byte(hex + 2 * at), operand_bytes = 0;

        agent_op_name(opcode, &operand_bytes);
        if (opcode == AGENT_OP_goto || opcode == AGENT_OP_if_goto)
            put(request, "%02x%04zx", opcode,
                base + (hex_byte(hex + 2 * at + 2) << 8 | hex_byte(hex + 2 * at + 4)));
        else
            put(request, "%.*s", 2 * (1 + operand_bytes), hex + 2 * at);
        at += 1u + operand_bytes;
    }
    return len_bytes;
}

/* log "format", EXPR, ...: the arguments are pushed last first, then channel and function. */
static bool parse_log(struct console *console, const char **text, struct request *request)
{
    char format[FORMAT_BYTES];
    size_t format_len_bytes = parse_string(text, format, sizeof(format));
    char *code[AGENT_PRINTF_ARGS_MAX];
    unsigned count = 0;
    size_t base = 0;
    bool good = true;
    uint8_t tail[] = {AGENT_OP_const8, 0, AGENT_OP_const8, 0, AGENT_OP_printf, 0, 0, 0};

    if (format_len_bytes == 0) {
        out_error("log takes \"format\", EXPR...: at `%.40s`", *text);
        return false;
    }
    while (good && **text == ',') {
        *text = spaces(*text + 1);
        if (count == AGENT_PRINTF_ARGS_MAX) {
            out_error("log prints at most %u values", AGENT_PRINTF_ARGS_MAX);
            good = false;
        } else {
            code[count] = eval_hex(console, *text, text);
            good = code[count] != NULL;
            count += good;
            *text = spaces(*text);
        }
    }
    /* A line each, whether or not the format says so. */
    if (format_len_bytes >= 2 && format[format_len_bytes - 2] != '\n' &&
        format_len_bytes < sizeof(format)) {
        format[format_len_bytes - 1] = '\n';
        format[format_len_bytes++] = '\0';
    }
    if (good && conversions(format) != count) {
        out_error("the format has %u conversion%s, and there are %u values", conversions(format),
                  conversions(format) == 1 ? "" : "s", count);
        good = false;
    }
    if (good) {
        put(request, "do:log,");
        for (unsigned i = count; i > 0; i--)
            base += put_argument(request, code[i - 1], base);
        tail[5] = (uint8_t)count;
        tail[6] = (uint8_t)(format_len_bytes >> 8);
        tail[7] = (uint8_t)format_len_bytes;
        put_hex(request, tail, sizeof(tail));
        put_hex(request, (const uint8_t *)format, format_len_bytes);
        put(request, "%02x;", AGENT_OP_end);
    }
    while (count > 0)
        free(code[--count]);
    return good;
}

/* set X = EXPR: EXPR, setv X, pop. A bit of a register is merged into the whole first. */
static bool parse_set(struct console *console, const char **text, struct request *request)
{
    const char *equals = strchr(*text, '='), *end;
    struct expr_target where = {.kind = EXPR_TARGET_NONE};
    char *left = equals ? strndup(*text, (size_t)(equals - *text)) : NULL, *merged = NULL,
         *hex = NULL;
    struct expr *expr = left ? eval_parse(console, left, NULL) : NULL;
    uint32_t number = 0;
    bool good = false;

    if (!equals)
        out_error("set X = EXPR: there is no `=`");
    if (expr)
        where = expr_target(expr);
    if (where.kind == EXPR_TARGET_REG || where.kind == EXPR_TARGET_FIELD) {
        number = where.kind == EXPR_TARGET_FIELD ? AGENT_REG_FIELD | where.number : where.number;
        if (where.bit_low >= 0) {
            const char *dot = strrchr(left, '.');
            unsigned width = (unsigned)(where.bit_high - where.bit_low + 1);
            uint64_t ones = (width >= 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1)
                            << where.bit_low;
            struct expr *value = eval_parse(console, equals + 1, &end);

            if (value &&
                asprintf(&merged, "((%.*s) & ~0x%" PRIx64 ") | (((%.*s) << %d) & 0x%" PRIx64 ")",
                         (int)(dot - left), left, ones, (int)(end - equals - 1), equals + 1,
                         where.bit_low, ones) > 0)
                hex = eval_hex(console, merged, NULL);
            expr_free(value);
            free(merged);
        } else {
            hex = eval_hex(console, equals + 1, &end);
        }
    } else if (expr) {
        out_error("an action can set registers and vmcs.FIELDs; `%s` is neither", left);
    }
    if (hex) {
        uint8_t tail[] = {AGENT_OP_setv, (uint8_t)(number >> 8), (uint8_t)number, AGENT_OP_pop,
                          AGENT_OP_end};

        put(request, "do:set,%.*s", (int)strlen(hex) - 2, hex);
        put_hex(request, tail, sizeof(tail));
        put(request, ";");
        *text = spaces(end);
        good = true;
    }
    free(hex);
    free(left);
    expr_free(expr);
    return good;
}

static bool parse_actions(struct console *console, const char **text, struct request *request)
{
    for (;;) {
        size_t len_bytes = strcspn(*text, " \t;\"");
        const char *word = *text;
        bool good = true;

        *text = spaces(*text + len_bytes);
        if (len_bytes == 4 && memcmp(word, "stop", 4) == 0)
            put(request, "do:stop;");
        else if (len_bytes == 4 && memcmp(word, "skip", 4) == 0)
            put(request, "do:skip;");
        else if (len_bytes == 3 && memcmp(word, "log", 3) == 0)
            good = parse_log(console, text, request);
        else if (len_bytes == 3 && memcmp(word, "set", 3) == 0)
            good = parse_set(console, text, request);
        else {
            out_error("no action `%.*s`: stop, log \"format\", EXPR...; skip; set X = EXPR",
                      (int)len_bytes, word);
            good = false;
        }
        if (!good)
            return false;
        if (**text == '\0')
            return true;
        if (**text != ';') {
            out_error("expected `;` at `%.40s`", *text);
            return false;
        }
        *text = spaces(*text + 1);
        if (**text == '\0')
            return true;
    }
}

static bool parse_words(struct console *console, const char *text, struct request *request,
                        struct stop_point *point)
{
    char *hex, word[24];
    uint64_t value;

    while (*text) {
        if (cmd_keyword(&text, "before")) {
            put(request, "stage:before;");
        } else if (cmd_keyword(&text, "after")) {
            put(request, "stage:after;");
        } else if (cmd_keyword(&text, "once")) {
            put(request, "once:1;");
            point->temporary = true;
        } else if (cmd_keyword(&text, "cpu")) {
            if (!cmd_word(&text, word, sizeof(word)) || !cmd_number(word, &value) || value > 255) {
                out_error("`cpu` takes the number of a vCPU");
                return false;
            }
            put(request, "cpu:%" PRIx64 ";", value);
        } else if (cmd_keyword(&text, "only")) {
            if (!parse_only(console, &text, request))
                return false;
        } else if (cmd_keyword(&text, "if")) {
            hex = eval_hex(console, text, &text);
            if (!hex)
                return false;
            put(request, "if:%s;", hex);
            free(hex);
            text = spaces(text);
        } else if (cmd_keyword(&text, "do")) {
            return parse_actions(console, &text, request);
        } else {
            out_error("expected before, after, only, cpu, once, if or do at `%.40s`", text);
            return false;
        }
    }
    return true;
}

enum cmd_result catch_add(struct console *console, const char *text)
{
    struct request request = {.len_bytes = 0};
    struct stop_point point = {.kind = STOP_EVENT, .enabled = true, .text = (char *)text};
    char kinds[1200];
    const char *rest, *reply;
    uint64_t id;

    if (!*text) {
        out_error("catch which kind of exit? (`help kinds` lists them)");
        return CMD_ERROR;
    }
    if (!stops_parse_kinds(text, &point.kinds, kinds, sizeof(kinds), &rest))
        return CMD_ERROR;
    put(&request, "Qtl.event.add:mask:%" PRIx64 ";", point.kinds);
    if (!parse_words(console, rest, &request, &point))
        return CMD_ERROR;
    if (request.full) {
        out_error("this is too long for one packet; make the condition or the texts shorter");
        return CMD_ERROR;
    }
    reply = target_ask(console->target, "%s", request.text);
    if (!reply || !target_key_number(reply, "event", &id)) {
        out_error("%s", reply ? "unexpected answer" : target_error(console->target));
        return CMD_ERROR;
    }
    point.event_id = (uint32_t)id;
    out_printf("catch %u: %s\n", stops_add(console, &point), text);
    return CMD_OK;
}
