/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What makes the guest stop, under one numbering: events of the hypervisor (catch) and break- and
 * watchpoints (GDB's Z packets). Keeps the list; the hypervisor keeps the truth about events.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console;

enum stop_kind { STOP_EVENT, STOP_BREAK, STOP_HBREAK, STOP_WATCH, STOP_RWATCH, STOP_AWATCH };

struct stop_point {
    unsigned number;
    enum stop_kind kind;
    bool enabled, temporary;
    uint32_t event_id; /* STOP_EVENT */
    uint64_t kinds;    /* STOP_EVENT: mask */
    uint64_t address;  /* the others */
    uint32_t len_bytes;
    uint64_t stops;        /* how often it has stopped the guest in this session */
    uint64_t hits, ignore; /* counted here for break- and watchpoints */
    char *text;            /* as typed, for lists */
    char *condition_hex;   /* bytecode for Z packets, or NULL */
};

/* Registers one that the target has already; returns its number. `text` is copied. */
unsigned stops_add(struct console *console, const struct stop_point *point);

/* By number; NULL: no such. */
struct stop_point *stops_find(struct console *console, unsigned number);
/* Iterates by number: the first behind `after`, or NULL. */
struct stop_point *stops_next(struct console *console, unsigned after);
size_t stops_count(struct console *console);

/* Sends Z (insert) or z (remove) for a break- or watchpoint. */
bool stops_place(struct console *console, const struct stop_point *point, bool insert);

/* Somebody else took out what the target had of this type (GDB's digit behind Z) at this address:
 * sends ours there again. */
void stops_place_again(struct console *console, unsigned type, uint64_t gva);

/* False: no such number, or the hypervisor refused (target_error()); stops_delete() forgets the point all
 * the same. */
bool stops_delete(struct console *console, unsigned number);
bool stops_enable(struct console *console, unsigned number, bool on);
bool stops_ignore(struct console *console, unsigned number, uint64_t count);

/* Events that the hypervisor holds already (an earlier session's): into the list. */
void stops_import(struct console *console);

/* Asks for the hit counts of events. */
void stops_refresh(struct console *console);

/* The number of one of the hypervisor's events; 0: not in the list. */
unsigned stops_number_of_event(struct console *console, uint32_t event_id);

/* A stop that is no exit, in words; counts a hit of a breakpoint. */
void stops_describe_hit(struct console *console, const char *stop, const char *why, char *line,
                        size_t cap_bytes);

/*
 * After a stop: removes temporary points that were hit, counts down `ignore`. True when the guest
 * should simply go on.
 */
bool stops_after_stop(struct console *console);

/* The last stop came from an event that had stopped the guest before. */
bool stops_again(struct console *console);

/* Did anybody ask for stops of this kind (for the verdict on a dead guest)? */
bool stops_wanted(struct console *console, unsigned kind);

/*
 * Kind words "cr0-write,wrmsr" (also vendor names and `cr*`) to a mask and to the wire's spelling.
 * Takes up to the first space; *end (may be NULL: all must be used) is behind it. Complains itself.
 */
bool stops_parse_kinds(const char *text, uint64_t *kinds, char *words, size_t cap_bytes,
                       const char **end);

void stops_free(struct console *console);
