/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See eval.h. */
#include "monitor/eval.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/target.h"

static bool symbol(void *ctx, const char *name, uint64_t *value)
{
    struct console *console = ctx;

    return symbols_find(console->symbols, name, value);
}

static bool history(void *ctx, unsigned index, bool relative, uint64_t *value)
{
    struct console *console = ctx;
    unsigned number = index; /* counts from 1 */

    if (relative) {
        if (index >= console->history_count)
            return false;
        number = console->history_count - index;
    }
    if (number == 0 || number > console->history_count ||
        console->history_count - number >= CONSOLE_HISTORY_MAX)
        return false;
    *value = console->history[(number - 1) % CONSOLE_HISTORY_MAX];
    return true;
}

static const char *near_symbol(void *ctx, const char *name)
{
    struct console *console = ctx;

    return symbols_near(console->symbols, name);
}

unsigned eval_remember(struct console *console, uint64_t value)
{
    console->history[console->history_count++ % CONSOLE_HISTORY_MAX] = value;
    return console->history_count;
}

static struct expr_names names_of(struct console *console)
{
    return (struct expr_names){
        .ctx = console,
        .symbol = symbol,
        .history = history,
        .near_symbol = near_symbol,
        .svm = console_attached(console) && target_vendor(console->target) == TL_SVM,
    };
}

static void complain(const char *text, const struct expr_error *error)
{
    size_t len_bytes = strlen(text), at = error->position < len_bytes ? error->position : len_bytes;
    size_t from = at > 50 ? at - 50 : 0;

    out_error("%s\n  %.70s\n  %*s^", error->message, text + from, (int)(at - from), "");
}

struct expr *eval_parse(struct console *console, const char *text, const char **end)
{
    struct expr_names names = names_of(console);
    struct expr_error error;
    struct expr *expr = expr_parse(text, &names, end, &error);

    if (!expr)
        complain(text, &error);
    return expr;
}

bool eval_text(struct console *console, const char *text, const char **end, uint64_t *value,
               unsigned *width_bits)
{
    struct expr *expr = eval_parse(console, text, end);
    struct agent_env env = target_env(console->target);
    struct expr_error error;
    bool done;

    if (!expr)
        return false;
    done = expr_eval(expr, &env, value, &error) == 0;
    if (!done) {
        const char *why = target_error(console->target);

        if (!console_attached(console))
            out_error("no machine: %s", console_why_detached(console));
        else if (console_running(console))
            out_error("the guest is running; `interrupt` (or ^C) stops it");
        else
            out_error("%s%s%s", error.message, *why ? ": " : "", why);
    }
    if (width_bits)
        *width_bits = expr_width_bits(expr);
    expr_free(expr);
    return done;
}

char *eval_hex(struct console *console, const char *text, const char **end)
{
    struct expr *expr = eval_parse(console, text, end);
    uint8_t code[AGENT_CODE_MAX_BYTES];
    struct expr_error error;
    size_t len_bytes;
    char *hex = NULL;

    if (!expr)
        return NULL;
    if (expr_compile(expr, code, sizeof(code), &len_bytes, &error) < 0) {
        complain(text, &error);
    } else {
        hex = malloc(2 * len_bytes + 1);
        for (size_t i = 0; hex && i < len_bytes; i++)
            snprintf(hex + 2 * i, 3, "%02x", code[i]);
    }
    expr_free(expr);
    return hex;
}

/* ---- assignment ---- */

static bool msr_index(struct console *console, const struct expr *address, uint32_t *index)
{
    struct agent_env env = target_env(console->target);
    struct expr_error error;
    uint64_t value;

    if (!address || expr_eval(address, &env, &value, &error) < 0 || value > UINT32_MAX) {
        out_error("the index is no MSR number");
        return false;
    }
    *index = (uint32_t)value;
    return true;
}

/* cr0.PG = 1: the other bits stay. */
static bool merge_bits(struct console *console, const struct expr_target *where, uint64_t *value)
{
    unsigned width = (unsigned)(where->bit_high - where->bit_low + 1);
    uint64_t ones = width >= 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1, old;

    if (where->bit_low < 0)
        return true;
    if (*value & ~ones) {
        out_error("0x%" PRIx64 " does not fit into %u bit%s", *value, width, width == 1 ? "" : "s");
        return false;
    }
    if (where->kind == EXPR_TARGET_FIELD ? !target_field(console->target, where->number, &old)
                                         : !target_reg(console->target, where->number, &old)) {
        out_error("%s", target_error(console->target));
        return false;
    }
    *value = (old & ~(ones << where->bit_low)) | *value << where->bit_low;
    return true;
}

static bool store(struct console *console, const struct expr_target *where, uint64_t value)
{
    struct target *target = console->target;
    struct agent_env env = target_env(target);
    struct expr_error error;
    uint64_t address;
    uint8_t bytes[8];
    uint32_t index;

    switch (where->kind) {
    case EXPR_TARGET_REG:
        return target_set_reg(target, where->number, value);
    case EXPR_TARGET_FIELD:
        return target_do(target, "Qtl.field:%x=%" PRIx64, where->number, value);
    case EXPR_TARGET_MSR_AREA:
    case EXPR_TARGET_MSR:
        return msr_index(console, where->address, &index) &&
               target_do(target, "Qtl.msr%s:%x=%" PRIx64,
                         where->kind == EXPR_TARGET_MSR_AREA ? "-area" : "", index, value);
    case EXPR_TARGET_MEMORY:
        if (expr_eval(where->address, &env, &address, &error) < 0)
            return false;
        for (unsigned i = 0; i < where->len_bytes && i < 8; i++)
            bytes[i] = (uint8_t)(value >> (8 * i));
        return target_write(target, address, bytes, where->len_bytes);
    default:
        return false;
    }
}

bool eval_assign(struct console *console, const char *target_text, const char *value_text)
{
    struct expr *expr = eval_parse(console, target_text, NULL);
    struct expr_target where;
    uint64_t value;
    bool done = false;

    if (!expr)
        return false;
    where = expr_target(expr);
    if (where.kind == EXPR_TARGET_NONE) {
        out_error("`%s` cannot be set; a register, vmcs.FIELD, msr-area[MSR], msr[MSR] or "
                  "u8/u16/u32/u64(ADDRESS) can",
                  target_text);
    } else if (eval_text(console, value_text, NULL, &value, NULL) &&
               merge_bits(console, &where, &value)) {
        done = store(console, &where, value);
        if (!done)
            out_error("%s", target_error(console->target));
        target_forget(console->target);
    }
    expr_free(expr);
    return done;
}
