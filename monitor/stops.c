/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See stops.h. */
#include "monitor/stops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/target.h"

#define STOPS_MAX 4096

/* One list a process: a console has one target. */
static struct {
    struct stop_point *row; /* by number */
    size_t count, cap;
    unsigned last_number;
} stops;

unsigned stops_add(struct console *console, const struct stop_point *point)
{
    struct stop_point *row;

    (void)console;
    if (stops.count == STOPS_MAX)
        return 0;
    if (stops.count == stops.cap) {
        size_t cap = stops.cap ? 2 * stops.cap : 16;

        row = realloc(stops.row, cap * sizeof(*row));
        if (!row)
            return 0;
        stops.row = row;
        stops.cap = cap;
    }
    row = &stops.row[stops.count++];
    *row = *point;
    row->number = ++stops.last_number;
    row->text = strdup(point->text ? point->text : "");
    row->condition_hex = point->condition_hex ? strdup(point->condition_hex) : NULL;
    return row->number;
}

struct stop_point *stops_find(struct console *console, unsigned number)
{
    (void)console;
    for (size_t i = 0; i < stops.count; i++)
        if (stops.row[i].number == number)
            return &stops.row[i];
    return NULL;
}

struct stop_point *stops_next(struct console *console, unsigned after)
{
    (void)console;
    for (size_t i = 0; i < stops.count; i++)
        if (stops.row[i].number > after)
            return &stops.row[i];
    return NULL;
}

size_t stops_count(struct console *console)
{
    (void)console;
    return stops.count;
}

static void forget(struct stop_point *point)
{
    free(point->text);
    free(point->condition_hex);
    memmove(point, point + 1, (size_t)(&stops.row[stops.count] - (point + 1)) * sizeof(*point));
    stops.count--;
}

void stops_free(struct console *console)
{
    (void)console;
    while (stops.count > 0)
        forget(&stops.row[stops.count - 1]);
    free(stops.row);
    memset(&stops, 0, sizeof(stops));
}

/* GDB's digit behind Z. */
static unsigned z_type(enum stop_kind kind)
{
    static const unsigned types[] = {[STOP_BREAK] = 0,
                                     [STOP_HBREAK] = 1,
                                     [STOP_WATCH] = 2,
                                     [STOP_RWATCH] = 3,
                                     [STOP_AWATCH] = 4};

    return types[kind];
}

bool stops_place(struct console *console, const struct stop_point *point, bool insert)
{
    char condition[2 * AGENT_CODE_MAX_BYTES + 32] = "";

    if (insert && point->condition_hex)
        snprintf(condition, sizeof(condition), ";X%zx,%s", strlen(point->condition_hex) / 2,
                 point->condition_hex);
    return target_do(console->target, "%c%u,%" PRIx64 ",%x%s", insert ? 'Z' : 'z',
                     z_type(point->kind), point->address, point->len_bytes, condition);
}

void stops_place_again(struct console *console, unsigned type, uint64_t gva)
{
    for (size_t i = 0; i < stops.count; i++) {
        const struct stop_point *point = &stops.row[i];

        if (point->kind != STOP_EVENT && point->enabled && z_type(point->kind) == type &&
            point->address == gva)
            stops_place(console, point, true);
    }
}

bool stops_delete(struct console *console, unsigned number)
{
    struct stop_point *point = stops_find(console, number);
    bool done;

    if (!point)
        return false;
    if (point->kind == STOP_EVENT)
        done = target_do(console->target, "Qtl.event.del:%x", point->event_id);
    else
        done = !point->enabled || stops_place(console, point, false);
    forget(point);
    return done;
}

bool stops_enable(struct console *console, unsigned number, bool on)
{
    struct stop_point *point = stops_find(console, number);

    if (!point)
        return false;
    if (point->kind == STOP_EVENT) {
        if (!target_do(console->target, "Qtl.event.%s:%x", on ? "enable" : "disable",
                       point->event_id))
            return false;
    } else if (point->enabled != on && !stops_place(console, point, on)) {
        return false;
    }
    point->enabled = on;
    return true;
}

bool stops_ignore(struct console *console, unsigned number, uint64_t count)
{
    struct stop_point *point = stops_find(console, number);

    if (!point)
        return false;
    point->ignore = count;
    if (point->kind == STOP_EVENT)
        return target_do(console->target, "Qtl.event.ignore:%x,%" PRIx64, point->event_id, count);
    return true;
}

unsigned stops_number_of_event(struct console *console, uint32_t event_id)
{
    (void)console;
    for (size_t i = 0; i < stops.count; i++)
        if (stops.row[i].kind == STOP_EVENT && stops.row[i].event_id == event_id)
            return stops.row[i].number;
    return 0;
}

void stops_import(struct console *console)
{
    const char *list = target_ask(console->target, "qtl.events"), *record;
    char *copy = list ? strdup(list) : NULL, off[4];

    for (record = copy ? strchr(copy, '|') : NULL; record; record = strchr(record, '|')) {
        struct stop_point point = {.kind = STOP_EVENT, .enabled = true};
        uint64_t id, mask = 0;
        char text[64];

        record++;
        if (!target_key_number(record, "event", &id) ||
            stops_number_of_event(console, (uint32_t)id) != 0)
            continue;
        target_key_number(record, "mask", &mask);
        point.event_id = (uint32_t)id;
        point.kinds = mask;
        point.enabled = !(target_key(record, "off", off, sizeof(off)) && off[0] == '1');
        snprintf(text, sizeof(text), "catch (from an earlier session)");
        point.text = text;
        stops_add(console, &point);
    }
    free(copy);
}

void stops_refresh(struct console *console)
{
    uint64_t from = 0;

    if (!console_attached(console))
        return;
    stops_import(console);
    for (;;) {
        const char *list =
            target_ask(console->target, from ? "qtl.events:%" PRIx64 : "qtl.events", from);
        const char *record;
        uint64_t id, hits, ignore, next;

        for (record = list ? strchr(list, '|') : NULL; record; record = strchr(record, '|')) {
            struct stop_point *point;

            record++;
            if (!target_key_number(record, "event", &id))
                continue;
            point = stops_find(console, stops_number_of_event(console, (uint32_t)id));
            if (!point)
                continue;
            if (target_key_number(record, "hits", &hits))
                point->hits = hits;
            if (target_key_number(record, "ignore", &ignore))
                point->ignore = ignore;
        }
        if (!list || !target_key_number(list, "next", &next) || next <= from)
            return;
        from = next;
    }
}

static struct stop_point *hit_of(const char *stop, const char *why, uint64_t rip)
{
    static const struct {
        const char *key;
        enum stop_kind kind;
    } watches[] = {{"watch", STOP_WATCH}, {"rwatch", STOP_RWATCH}, {"awatch", STOP_AWATCH}};
    uint64_t address;

    for (size_t w = 0; w < 3; w++) {
        if (!target_key_number(stop, watches[w].key, &address))
            continue;
        for (size_t i = 0; i < stops.count; i++)
            if (stops.row[i].kind == watches[w].kind &&
                address - stops.row[i].address < stops.row[i].len_bytes)
                return &stops.row[i];
    }
    if (strcmp(why, "breakpoint") != 0)
        return NULL;
    for (size_t i = 0; i < stops.count; i++)
        if ((stops.row[i].kind == STOP_BREAK || stops.row[i].kind == STOP_HBREAK) &&
            stops.row[i].address == rip)
            return &stops.row[i];
    return NULL;
}

void stops_describe_hit(struct console *console, const char *stop, const char *why, char *line,
                        size_t cap_bytes)
{
    static const struct {
        const char *why, *text;
    } texts[] = {
        {"start", "before the guest's first instruction"},
        {"break-in", "interrupted"},
        {"step", "step"},
        {"range", "step"},
        {"event", "event"},
        {"nextexit", "next exit"},
        {"hv-fault", "a fault in the hypervisor itself (`explain` shows it)"},
        {"breakpoint", "breakpoint"},
    };
    uint64_t pc = target_pc_gva(console->target);
    struct stop_point *point = hit_of(stop, why, pc);

    if (point) {
        snprintf(line, cap_bytes, "%s %u: %s",
                 point->kind >= STOP_WATCH ? "watchpoint" : "breakpoint", point->number,
                 point->text);
        return;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(texts[i].why, why) == 0) {
            snprintf(line, cap_bytes, "%s", texts[i].text);
            return;
        }
    snprintf(line, cap_bytes, "stopped%s%s", why[0] ? ": " : "", why);
}

bool stops_after_stop(struct console *console)
{
    const char *stop = session_stop_text(console->session);
    char why[20] = "";
    struct stop_point *point;
    uint64_t id;

    if (strlen(stop) < 3)
        return false;
    target_key(stop + 3, "tl.why", why, sizeof(why));
    if (target_key_number(stop + 3, "tl.event", &id)) {
        point = stops_find(console, stops_number_of_event(console, (uint32_t)id));
        if (point)
            point->stops++;
        if (point && point->temporary)
            forget(point); /* `once`: the hypervisor has deleted it */
        return false;
    }
    point = hit_of(stop + 3, why, target_pc_gva(console->target));
    if (!point)
        return false;
    point->hits++;
    if (point->ignore > 0) {
        point->ignore--;
        return true;
    }
    if (point->temporary)
        stops_delete(console, point->number);
    return false;
}

bool stops_again(struct console *console)
{
    const char *stop = session_stop_text(console->session);
    struct stop_point *point;
    uint64_t id;

    if (strlen(stop) < 3 || !target_key_number(stop + 3, "tl.event", &id))
        return false;
    point = stops_find(console, stops_number_of_event(console, (uint32_t)id));
    return point && point->stops > 1;
}

bool stops_wanted(struct console *console, unsigned kind)
{
    (void)console;
    for (size_t i = 0; i < stops.count; i++)
        if (stops.row[i].kind == STOP_EVENT && stops.row[i].enabled &&
            stops.row[i].kinds >> kind & 1)
            return true;
    return false;
}
