/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The event engine: what to do when an exit of some kind comes. Events are indexed by kind, so that
 * those of other kinds cost one test of a mask. Conditions and actions are verified bytecode with
 * fuel per evaluation and per second; an event that overspends is disarmed with a message.
 */
#pragma once

#include "dbg/codepool.h"
#include "dbg/eval.h"
#include "dbg/target.h"

#define EVENTS_MAX        1024u
#define EVENT_FILTERS_MAX 8u
#define EVENT_ACTIONS_MAX 6u
#define EVENT_FUEL_EACH   20000u   /* opcodes for one evaluation */
#define EVENT_FUEL_SECOND 2000000u /* opcodes in one second, for one event */
#define EVENT_ANY_CPU     0xffu

enum event_stage { EVENT_BEFORE, EVENT_AFTER };

enum event_action { EVENT_STOP, EVENT_LOG, EVENT_SKIP, EVENT_SET };

/* Range of MSR indices, ports or vectors, as the event's kinds ask. */
struct event_filter {
    uint32_t first, last;
};

struct event {
    uint64_t kinds;
    struct event_filter filter[EVENT_FILTERS_MAX];
    uint8_t filter_count; /* 0: any */
    uint8_t stage;        /* enum event_stage */
    uint8_t cpu;          /* or EVENT_ANY_CPU */
    bool enabled;         /* by the user */
    bool used;
    bool once;            /* gone after its first stop */
    bool passed;          /* a stop of it was let pass while nobody was there, and told */
    uint8_t action_count; /* 0: stop */
    struct {
        uint8_t what;  /* enum event_action */
        uint16_t code; /* pool handle: LOG prints, SET sets */
    } action[EVENT_ACTIONS_MAX];
    uint16_t condition; /* pool handle or POOL_NONE */
    uint32_t ignore;    /* hits still to be ignored */
    uint32_t id;
    uint64_t hits;        /* condition true, ignored ones included */
    uint64_t window_us;   /* start of the running second */
    uint32_t spent;       /* fuel in it */
    const char *disarmed; /* why the engine disarmed it, or NULL */
};

struct events {
    const struct dbg_target *target;
    struct codepool *pool;
    struct dbg_out out;
    uint64_t armed;      /* kinds of enabled events */
    uint64_t unfiltered; /* those of them that an event without a filter wants */
    uint64_t index[TL_KIND_COUNT][EVENTS_MAX / 64]; /* bit n: slot n wants this kind */
    struct event event[EVENTS_MAX];
    uint32_t next_id;
    struct dbg_wants wants; /* of the enabled events */
    uint32_t last_hit;      /* id of the event that stopped last, 0 none */
    bool alone;             /* nobody is attached, and the guest is to go on: events_alone() */
};

struct events_verdict {
    bool stop, skip;
};

/* An empty table. What is pointed at must outlive it; *out is copied. */
void events_init(struct events *events, const struct dbg_target *target, struct codepool *pool,
                 const struct dbg_out *out);

/* Adds a copy of *spec (kinds, filters, stage, cpu, enabled, once, ignore, actions; its pool handles
 * become the engine's). Returns its id (from 1), or 0 when the table is full. */
uint32_t events_add(struct events *events, const struct event *spec);

/* 0, or -1: no such id. events_delete() frees its bytecode. id 0: all. */
int events_delete(struct events *events, uint32_t id);
int events_enable(struct events *events, uint32_t id, bool on);
int events_ignore(struct events *events, uint32_t id, uint32_t count);

/* on: an event that would stop the guest says so once and lets it go on; all else it does it does.
 * off: somebody is there to stop for. */
void events_alone(struct events *events, bool on);

/* The event with this id, or the first with a larger one (for lists); NULL at the end. */
const struct event *events_find(const struct events *events, uint32_t id);
const struct event *events_next(const struct events *events, uint32_t after_id);

/* Runs what is armed for this exit; called only when armed has the kind's bit. */
struct events_verdict events_run(struct events *events, unsigned cpu, const struct dbg_exit *exit,
                                 enum event_stage stage);

/* Does one enabled event of this kind watch without filters? Then all MSRs, ports must exit. */
bool events_unfiltered(const struct events *events, enum tl_kind kind);
