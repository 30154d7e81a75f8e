/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands that arm and disarm stops. The list is stops.c's, `catch` is catch.c's. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/catch.h"
#include "monitor/console.h"
#include "monitor/eval.h"
#include "monitor/out.h"
#include "monitor/stops.h"
#include "monitor/target.h"

/* "f000:e05b" or "cs:ip" style; real-mode linear address. */
static bool seg_off(const char *text, uint64_t *address, const char **end)
{
    unsigned segment, offset;
    int used = 0;

    if (sscanf(text, "%x:%x%n", &segment, &offset, &used) != 2 || used == 0 || segment > 0xffff ||
        offset > 0xffff || (text[used] != '\0' && text[used] != ' '))
        return false;
    *address = ((uint64_t)segment << 4) + offset;
    *end = text + used;
    return true;
}

static const char *spaces(const char *text)
{
    return text + strspn(text, " \t");
}

/* ADDR [,LEN] [if EXPR] to a placed stop. */
static enum cmd_result place(struct console *console, const struct cmd_args *args,
                             enum stop_kind kind, bool temporary)
{
    struct stop_point point = {
        .kind = kind, .enabled = true, .temporary = temporary, .len_bytes = 1};
    const char *text = args->rest, *end = text;
    uint64_t value;
    bool done;

    if (text[0] == '*' && kind <= STOP_HBREAK)
        text++; /* GDB's `break *ADDR` */
    if (*text == '\0' || strncmp(text, "if ", 3) == 0)
        point.address = target_pc_gva(console->target);
    else if (!seg_off(text, &point.address, &end) &&
             !eval_text(console, text, &end, &point.address, NULL))
        return CMD_ERROR;
    end = spaces(end);
    if (kind >= STOP_WATCH) {
        point.len_bytes = 8;
        if (*end == ',') {
            if (!eval_text(console, end + 1, &end, &value, NULL))
                return CMD_ERROR;
            point.len_bytes = (uint32_t)value;
            if (value != 1 && value != 2 && value != 4 && value != 8) {
                out_error("a watchpoint covers 1, 2, 4 or 8 bytes");
                return CMD_ERROR;
            }
        } else if (point.address % 8 != 0) {
            point.len_bytes = point.address % 4 == 0 ? 4 : point.address % 2 == 0 ? 2 : 1;
        }
        end = spaces(end);
        if (point.address % point.len_bytes != 0) {
            out_error("the CPU watches aligned addresses: 0x%" PRIx64 " is no multiple of %u",
                      point.address, point.len_bytes);
            return CMD_ERROR;
        }
    }
    if (cmd_keyword(&end, "if")) {
        point.condition_hex = eval_hex(console, end, NULL);
        if (!point.condition_hex)
            return CMD_ERROR;
    } else if (*end) {
        out_error("expected `if CONDITION` at `%.40s`", end);
        return CMD_ERROR;
    }
    point.text = (char *)args->rest;
    done = stops_place(console, &point, true);
    if (done)
        out_printf("%s %u at 0x%" PRIx64 "\n", kind >= STOP_WATCH ? "watchpoint" : "breakpoint",
                   stops_add(console, &point), point.address);
    else
        out_error("%s", target_error(console->target));
    free(point.condition_hex);
    return done ? CMD_OK : CMD_ERROR;
}

static enum cmd_result cmd_break(struct console *console, const struct cmd_args *args)
{
    struct cmd_args catch = *args;

    if (cmd_keyword(&catch.rest, "exit"))
        return catch_add(console, catch.rest);
    return place(console, args, STOP_BREAK, false);
}

static enum cmd_result cmd_tbreak(struct console *console, const struct cmd_args *args)
{
    return place(console, args, STOP_BREAK, true);
}

static enum cmd_result cmd_hbreak(struct console *console, const struct cmd_args *args)
{
    return place(console, args, STOP_HBREAK, false);
}

static enum cmd_result watch(struct console *console, const struct cmd_args *args,
                             enum stop_kind kind)
{
    if (!*args->rest) {
        out_error("watch what? An address, a symbol, or an expression");
        return CMD_ERROR;
    }
    return place(console, args, kind, false);
}

static enum cmd_result cmd_watch(struct console *console, const struct cmd_args *args)
{
    return watch(console, args, STOP_WATCH);
}

static enum cmd_result cmd_rwatch(struct console *console, const struct cmd_args *args)
{
    return watch(console, args, STOP_RWATCH);
}

static enum cmd_result cmd_awatch(struct console *console, const struct cmd_args *args)
{
    return watch(console, args, STOP_AWATCH);
}

static enum cmd_result cmd_catch(struct console *console, const struct cmd_args *args)
{
    return catch_add(console, args->rest);
}

/* Calls `act` for each number of the words, or for all without any. */
static enum cmd_result each(struct console *console, const char *words,
                            bool (*act)(struct console *console, unsigned number))
{
    enum cmd_result result = CMD_OK;
    char word[40];
    uint64_t number;

    if (!*words || strcmp(words, "all") == 0) {
        unsigned after = 0;
        struct stop_point *point;

        while ((point = stops_next(console, after)) != NULL) {
            after = point->number;
            if (!act(console, after)) {
                out_error("%u: %s", after, target_error(console->target));
                result = CMD_ERROR;
            }
        }
        return result;
    }
    while (cmd_word(&words, word, sizeof(word))) {
        if (!cmd_number(word, &number) || !stops_find(console, (unsigned)number)) {
            out_error("no breakpoint number %s (`info breakpoints` lists them)", word);
            return CMD_ERROR;
        }
        if (!act(console, (unsigned)number)) {
            out_error("%" PRIu64 ": %s", number, target_error(console->target));
            result = CMD_ERROR;
        }
    }
    return result;
}

static bool enable_one(struct console *console, unsigned number)
{
    return stops_enable(console, number, true);
}

static bool disable_one(struct console *console, unsigned number)
{
    return stops_enable(console, number, false);
}

static enum cmd_result cmd_delete(struct console *console, const struct cmd_args *args)
{
    return each(console, args->rest, stops_delete);
}

static enum cmd_result cmd_enable(struct console *console, const struct cmd_args *args)
{
    return each(console, args->rest, enable_one);
}

static enum cmd_result cmd_disable(struct console *console, const struct cmd_args *args)
{
    return each(console, args->rest, disable_one);
}

static enum cmd_result cmd_ignore(struct console *console, const struct cmd_args *args)
{
    const char *rest = args->rest;
    char number_word[20], count_word[24];
    uint64_t number, count;

    if (!cmd_word(&rest, number_word, sizeof(number_word)) ||
        !cmd_word(&rest, count_word, sizeof(count_word)) || !cmd_number(number_word, &number) ||
        !cmd_number(count_word, &count)) {
        out_error("usage: ignore NUMBER COUNT");
        return CMD_ERROR;
    }
    if (!stops_find(console, (unsigned)number)) {
        out_error("no breakpoint number %" PRIu64, number);
        return CMD_ERROR;
    }
    if (!stops_ignore(console, (unsigned)number, count)) {
        out_error("%s", target_error(console->target));
        return CMD_ERROR;
    }
    out_printf("the next %" PRIu64 " hits of %" PRIu64 " pass\n", count, number);
    return CMD_OK;
}

static enum cmd_result cmd_info_breakpoints(struct console *console, const struct cmd_args *args)
{
    static const char *const words[] = {
        [STOP_EVENT] = "catch", [STOP_BREAK] = "break",   [STOP_HBREAK] = "hbreak",
        [STOP_WATCH] = "watch", [STOP_RWATCH] = "rwatch", [STOP_AWATCH] = "awatch",
    };
    struct stop_point *point;
    unsigned after = 0;

    (void)args;
    stops_refresh(console);
    if (stops_count(console) == 0) {
        out_printf("no breakpoints, watchpoints or catches\n");
        return CMD_OK;
    }
    out_printf("Num  Type    On   Hits  What\n");
    while ((point = stops_next(console, after)) != NULL) {
        after = point->number;
        out_printf("%-4u %-7s %-4s %-5" PRIu64 " ", point->number, words[point->kind],
                   point->enabled ? "yes" : "no", point->hits);
        if (point->kind != STOP_EVENT)
            out_printf("0x%" PRIx64 "  ", point->address);
        out_printf("%s%s", point->text, point->temporary ? "  (once)" : "");
        if (point->ignore)
            out_printf("  (next %" PRIu64 " pass)", point->ignore);
        out_printf("\n");
    }
    return CMD_OK;
}

static const char catch_details[] =
    "KIND is a kind of exit (`help kinds`), a vendor's name of one, or a pattern like cr*. The "
    "condition is evaluated inside the hypervisor. Words: `before` (default) or `after` the "
    "handler; `only LIST`: MSR indices, ports or vectors, ranges with '-'; `cpu N`; `once`. "
    "Actions, "
    "separated by `;`: stop, log \"format\", EXPR..., skip, set X = EXPR.";

const struct cmd_row cmd_stops_rows[] = {
    {"catch", "KIND[,KIND] [before|after] [only LIST] [once] [if EXPR] [do ACTION;...]",
     "stop at exits of these kinds, or do something else there", catch_details, cmd_catch, CMD_LINE,
     CMD_COMPLETE_CATCH, NULL},
    {"break|b", "[ADDR|SYMBOL|SEG:OFF] [if EXPR], or: exit KIND...",
     "stop at an instruction; without an address, at this one", NULL, cmd_break, CMD_LINE,
     CMD_COMPLETE_EXPR, NULL},
    {"tbreak|tb", "[ADDR|SYMBOL|SEG:OFF] [if EXPR]", "as break, and gone after its first stop",
     NULL, cmd_tbreak, CMD_LINE, CMD_COMPLETE_EXPR, NULL},
    {"hbreak|hb", "[ADDR|SYMBOL|SEG:OFF] [if EXPR]", "as break, with a debug register", NULL,
     cmd_hbreak, CMD_LINE, CMD_COMPLETE_EXPR, NULL},
    {"watch", "ADDR[,LEN] [if EXPR]", "stop when memory is written", NULL, cmd_watch, CMD_LINE,
     CMD_COMPLETE_EXPR, NULL},
    {"rwatch", "ADDR[,LEN] [if EXPR]", "stop when memory is read", NULL, cmd_rwatch, CMD_LINE,
     CMD_COMPLETE_EXPR, NULL},
    {"awatch", "ADDR[,LEN] [if EXPR]", "stop when memory is read or written", NULL, cmd_awatch,
     CMD_LINE, CMD_COMPLETE_EXPR, NULL},
    {"info breakpoints|info b|info watchpoints", "", "list what makes the guest stop", NULL,
     cmd_info_breakpoints, 0, CMD_COMPLETE_NONE, NULL},
    {"delete|d", "[NUMBER...]", "delete breakpoints; without numbers, all", NULL, cmd_delete,
     CMD_LINE, CMD_COMPLETE_NONE, NULL},
    {"enable", "[NUMBER...]", "arm breakpoints again", NULL, cmd_enable, CMD_LINE,
     CMD_COMPLETE_NONE, NULL},
    {"disable", "[NUMBER...]", "disarm breakpoints, keep them in the list", NULL, cmd_disable,
     CMD_LINE, CMD_COMPLETE_NONE, NULL},
    {"ignore", "NUMBER COUNT", "let the next COUNT hits pass", NULL, cmd_ignore, CMD_LINE,
     CMD_COMPLETE_NONE, NULL},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
