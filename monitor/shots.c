/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See shots.h. */
#include "monitor/shots.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/ring.h"
#include "monitor/ring_filter.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "protocol/tables.h"

#define SHOTS_MAX  64
#define VALUES_MAX 700

struct value {
    char name[40];
    uint64_t value;
};

struct shot {
    char name[40];
    enum tl_vendor vendor;
    struct value value[VALUES_MAX];
    size_t count;
};

/* Owned here: one console a process. */
static struct shot *shots[SHOTS_MAX];

void shots_free(void)
{
    for (size_t i = 0; i < SHOTS_MAX; i++) {
        free(shots[i]);
        shots[i] = NULL;
    }
}

static void add(struct shot *shot, const char *prefix, const char *name, uint64_t value)
{
    if (shot->count == VALUES_MAX)
        return;
    snprintf(shot->value[shot->count].name, sizeof(shot->value[0].name), "%.8s%.31s", prefix, name);
    shot->value[shot->count++].value = value;
}

static void add_registers(struct console *console, struct shot *shot)
{
    uint64_t value;

    for (unsigned i = 0; i < TL_REG_COUNT; i++) {
        enum tl_reg_source source = (enum tl_reg_source)tl_regs[i].source;

        /* Fields come from their own list, the exit is no state, the FPU is long. */
        if (source != TL_SRC_FPU && source != TL_SRC_EXIT && source != TL_SRC_FIELD &&
            target_reg(console->target, i, &value))
            add(shot, "", tl_regs[i].name, value);
    }
}

static bool add_fields(struct console *console, struct shot *shot)
{
    uint64_t from = 0, next, value;
    unsigned at;

    for (;;) {
        const char *reply = target_ask(console->target, "qtl.fields:%" PRIx64, from), *record;

        if (!reply)
            return false;
        for (record = strchr(reply, '|'); record; record = strchr(record, '|')) {
            const struct tl_field *field;

            if (sscanf(++record, "%x=%" SCNx64, &at, &value) != 2)
                continue;
            field = tl_field_by_number(shot->vendor, at);
            if (field)
                add(shot, shot->vendor == TL_VMX ? "vmcs." : "vmcb.", field->name, value);
        }
        if (!target_key_number(reply, "next", &next) || next <= from)
            return true;
        from = next;
    }
}

static bool add_area(struct console *console, struct shot *shot)
{
    const char *reply = target_ask(console->target, "qtl.msr-area"), *record;

    if (!reply)
        return false;
    for (record = strchr(reply, '|'); record; record = strchr(record, '|')) {
        const struct tl_msr_row *row;
        uint64_t index = 0, value = 0;
        char number[16];

        target_key_number(++record, "index", &index);
        target_key_number(record, "value", &value);
        row = tl_msr_by_index((uint32_t)index);
        snprintf(number, sizeof(number), "0x%" PRIx64, index);
        add(shot, "area.", row ? row->name : number, value);
    }
    return true;
}

static struct shot *make(struct console *console, const char *name)
{
    struct shot *shot = calloc(1, sizeof(*shot));

    if (!shot)
        return NULL;
    snprintf(shot->name, sizeof(shot->name), "%s", name);
    shot->vendor = target_vendor(console->target);
    add_registers(console, shot);
    if (!add_fields(console, shot) || !add_area(console, shot)) {
        out_error("%s", target_error(console->target));
        free(shot);
        return NULL;
    }
    return shot;
}

static bool standing(struct console *console)
{
    if (console_attached(console) && !console_running(console))
        return true;
    out_error(console_attached(console) ? "the guest is running; `interrupt` (or ^C) stops it"
                                        : "no machine is attached");
    return false;
}

/* One word that `diff` can be given, and that is cut nowhere. */
static bool good_name(const char *name)
{
    size_t len_bytes =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

    return name[len_bytes] == '\0' && len_bytes < sizeof(((struct shot *)NULL)->name) &&
           strcmp(name, "ignore") != 0;
}

enum cmd_result shots_take(struct console *console, const char *name)
{
    struct shot *shot;
    size_t i, slot = SHOTS_MAX;

    if (!*name) {
        for (i = 0; i < SHOTS_MAX; i++)
            if (shots[i])
                out_printf("  %-20s %zu values\n", shots[i]->name, shots[i]->count);
        return CMD_OK;
    }
    if (!good_name(name)) {
        out_error("a snapshot's name is 1 to 39 letters, digits, `_`, `-`, `.`");
        return CMD_ERROR;
    }
    if (!standing(console))
        return CMD_ERROR;
    /* The one with this name is replaced, else the first free place is taken. */
    for (i = 0; i < SHOTS_MAX && slot == SHOTS_MAX; i++)
        if (shots[i] && strcmp(shots[i]->name, name) == 0)
            slot = i;
    for (i = 0; i < SHOTS_MAX && slot == SHOTS_MAX; i++)
        if (!shots[i])
            slot = i;
    if (slot == SHOTS_MAX) {
        out_error("at most %d snapshots", SHOTS_MAX);
        return CMD_ERROR;
    }
    shot = make(console, name);
    if (!shot)
        return CMD_ERROR;
    free(shots[slot]);
    shots[slot] = shot;
    out_printf("snapshot %s: %zu values\n", name, shot->count);
    return CMD_OK;
}

static struct shot *find(const char *name)
{
    for (size_t i = 0; i < SHOTS_MAX; i++)
        if (shots[i] && strcmp(shots[i]->name, name) == 0)
            return shots[i];
    return NULL;
}

static const struct value *lookup(const struct shot *shot, const char *name)
{
    for (size_t i = 0; i < shot->count; i++)
        if (strcmp(shot->value[i].name, name) == 0)
            return &shot->value[i];
    return NULL;
}

/* Is the name, with or without its "vmcs.", one of the patterns? */
static bool is_ignored(const char *patterns, const char *name)
{
    const char *dot = strchr(name, '.');
    char pattern[64];

    for (;;) {
        size_t len_bytes;

        patterns += strspn(patterns, ", \t");
        len_bytes = strcspn(patterns, ", \t");
        if (len_bytes == 0)
            return false;
        snprintf(pattern, sizeof(pattern), "%.*s", (int)len_bytes, patterns);
        if (tl_pattern_match(pattern, name) || (dot && tl_pattern_match(pattern, dot + 1)))
            return true;
        patterns += len_bytes;
    }
}

static void compare(const struct shot *a, const struct shot *b, const char *ignored)
{
    size_t count = 0, left_out = 0;

    for (size_t i = 0; i < a->count; i++) {
        const struct value *x = &a->value[i], *y = lookup(b, x->name);
        const char *plain = strchr(x->name, '.') ? strchr(x->name, '.') + 1 : x->name;
        char changed[300] = "";
        int group;

        if (y && x->value == y->value)
            continue;
        if (is_ignored(ignored, x->name)) {
            left_out++;
            continue;
        }
        count++;
        if (!y) {
            out_printf("  %-32s 0x%-16" PRIx64 " (gone)\n", x->name, x->value);
            continue;
        }
        group = tl_bits_group_of(a->vendor, plain);
        if (group >= 0)
            view_changed_bits(group, x->value, y->value, changed, sizeof(changed));
        out_printf("  %-32s 0x%-16" PRIx64 " 0x%-16" PRIx64 " %s\n", x->name, x->value, y->value,
                   changed);
    }
    if (left_out)
        out_printf("%zu values differ, %zu more that are ignored\n", count, left_out);
    else
        out_printf("%zu values differ\n", count);
}

static enum cmd_result diff_rings(struct console *console, const char *a, const char *b,
                                  const char *ignored)
{
    struct ring_rows rows_a, rows_b;
    struct ring_filter ignore;

    if (!ring_filter_parse(console, ignored, true, &ignore))
        return CMD_ERROR;
    if (!ring_load(a, &rows_a))
        return CMD_ERROR;
    if (!ring_load(b, &rows_b)) {
        ring_free(&rows_a);
        return CMD_ERROR;
    }
    ring_diff(console, &rows_a, &rows_b, &ignore);
    ring_free(&rows_a);
    ring_free(&rows_b);
    return CMD_OK;
}

enum cmd_result shots_diff(struct console *console, const char *words)
{
    char a[512], b[512] = "";
    struct shot *first, *second, *now = NULL;

    if (!cmd_word(&words, a, sizeof(a))) {
        out_error("usage: diff SNAPSHOT [SNAPSHOT] [ignore NAME...], or diff RINGFILE RINGFILE "
                  "[ignore KIND|msr:N|port:N|leaf:N|rip:ADDRESS|VALUE...]");
        return CMD_ERROR;
    }
    if (!cmd_keyword(&words, "ignore")) {
        cmd_word(&words, b, sizeof(b));
        if (*words && !cmd_keyword(&words, "ignore")) {
            out_error("`%.40s`: diff takes two names, then `ignore` and what to leave out", words);
            return CMD_ERROR;
        }
    }
    first = find(a);
    second = b[0] ? find(b) : NULL;
    if (!first && b[0] && access(a, R_OK) == 0 && access(b, R_OK) == 0)
        return diff_rings(console, a, b, words);
    if (!first || (b[0] && !second)) {
        const char *missing = first ? b : a;

        /* The one of two files that is not there, when the other is. */
        if (!first && b[0] && access(a, R_OK) == 0)
            missing = b;
        out_error("no snapshot `%s` (`snapshot` lists them), and no file%s", missing,
                  !first && !b[0] && access(a, R_OK) == 0 ? " to compare it with"
                                                          : " of this name");
        return CMD_ERROR;
    }
    if (!second) {
        if (!standing(console))
            return CMD_ERROR;
        second = now = make(console, "now");
        if (!now)
            return CMD_ERROR;
    }
    compare(first, second, words);
    free(now);
    return CMD_OK;
}
