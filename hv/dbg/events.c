/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Table, index and evaluation of events. Turning wants into intercepts is wants.c's; the packets that
 * make events are stub_tl.c's.
 */
#include "dbg/events.h"

#include "lib/log.h"
#include "lib/mem.h"

void events_init(struct events *events, const struct dbg_target *target, struct codepool *pool,
                 const struct dbg_out *out)
{
    memset(events, 0, sizeof(*events));
    events->target = target;
    events->pool = pool;
    events->out = *out;
    events->next_id = 1;
}

static bool watches(const struct event *event)
{
    return event->used && event->enabled && !event->disarmed;
}

/* Index, armed mask and wants follow the table; rebuilt whole, since it changes at human speed. */
static void rebuild(struct events *events)
{
    struct dbg_wants wants = {0};

    memset(events->index, 0, sizeof(events->index));
    events->armed = events->unfiltered = 0;
    for (unsigned slot = 0; slot < EVENTS_MAX; slot++) {
        const struct event *event = &events->event[slot];

        if (!watches(event))
            continue;
        events->armed |= event->kinds;
        if (!event->filter_count)
            events->unfiltered |= event->kinds;
        for (unsigned kind = 0; kind < TL_KIND_COUNT; kind++)
            if (event->kinds & DBG_KIND_BIT(kind))
                events->index[kind][slot / 64] |= UINT64_C(1) << slot % 64;
        if (event->kinds & DBG_KIND_BIT(TL_KIND_EXCEPTION)) {
            if (!event->filter_count)
                wants.exceptions |= ~(1u << 2); /* NMI is no exception of the bitmap */
            for (unsigned i = 0; i < event->filter_count; i++)
                for (uint32_t v = event->filter[i].first; v <= event->filter[i].last && v < 32; v++)
                    wants.exceptions |= 1u << v;
        }
    }
    wants.kinds = events->armed;
    if (events->armed & DBG_KIND_BIT(TL_KIND_CR0_WRITE))
        wants.cr0_mask = ~UINT64_C(0);
    if (events->armed & DBG_KIND_BIT(TL_KIND_CR4_WRITE))
        wants.cr4_mask = ~UINT64_C(0);
    events->wants = wants;
}

bool events_unfiltered(const struct events *events, enum tl_kind kind)
{
    return events->unfiltered & DBG_KIND_BIT(kind);
}

uint32_t events_add(struct events *events, const struct event *spec)
{
    for (unsigned slot = 0; slot < EVENTS_MAX; slot++) {
        struct event *event = &events->event[slot];

        if (event->used)
            continue;
        *event = *spec;
        event->used = true;
        event->id = events->next_id++;
        event->hits = 0;
        event->spent = 0;
        event->window_us = 0;
        event->disarmed = NULL;
        rebuild(events);
        return event->id;
    }
    return 0;
}

static struct event *find(struct events *events, uint32_t id)
{
    for (unsigned slot = 0; slot < EVENTS_MAX; slot++)
        if (events->event[slot].used && events->event[slot].id == id)
            return &events->event[slot];
    return NULL;
}

const struct event *events_find(const struct events *events, uint32_t id)
{
    for (unsigned slot = 0; slot < EVENTS_MAX; slot++)
        if (events->event[slot].used && events->event[slot].id == id)
            return &events->event[slot];
    return NULL;
}

const struct event *events_next(const struct events *events, uint32_t after_id)
{
    const struct event *best = NULL;

    for (unsigned slot = 0; slot < EVENTS_MAX; slot++) {
        const struct event *event = &events->event[slot];

        if (event->used && event->id > after_id && (!best || event->id < best->id))
            best = event;
    }
    return best;
}

static void drop(struct events *events, struct event *event)
{
    pool_free(events->pool, event->condition);
    for (unsigned i = 0; i < event->action_count; i++)
        pool_free(events->pool, event->action[i].code);
    event->used = false;
}

int events_delete(struct events *events, uint32_t id)
{
    struct event *event = find(events, id);

    if (id && !event)
        return -1;
    if (id)
        drop(events, event);
    for (unsigned slot = 0; !id && slot < EVENTS_MAX; slot++)
        if (events->event[slot].used)
            drop(events, &events->event[slot]);
    rebuild(events);
    return 0;
}

int events_enable(struct events *events, uint32_t id, bool on)
{
    struct event *event = find(events, id);

    if (!event)
        return -1;
    event->enabled = on;
    event->disarmed = NULL;
    event->spent = 0;
    rebuild(events);
    return 0;
}

int events_ignore(struct events *events, uint32_t id, uint32_t count)
{
    struct event *event = find(events, id);

    if (!event)
        return -1;
    event->ignore = count;
    return 0;
}

static bool filter_passes(const struct event *event, const struct dbg_exit *exit)
{
    uint32_t first, last;

    if (!event->filter_count)
        return true;
    switch (exit->kind) {
    case TL_KIND_RDMSR:
    case TL_KIND_WRMSR:
        first = last = exit->msr;
        break;
    case TL_KIND_IO_IN:
    case TL_KIND_IO_OUT:
        first = exit->port;
        last = first + (exit->io_bytes ? exit->io_bytes : 1u) - 1;
        break;
    case TL_KIND_EXCEPTION:
        first = last = exit->vector;
        break;
    default:
        return true; /* the filter belongs to the event's other kinds */
    }
    for (unsigned i = 0; i < event->filter_count; i++)
        if (first <= event->filter[i].last && last >= event->filter[i].first)
            return true;
    return false;
}

static void disarm(struct events *events, struct event *event, const char *why)
{
    static const char digits[] = "0123456789abcdef";
    char text[160], pairs[240];
    size_t len_bytes = fmt_str(pairs, sizeof(pairs), "t:disarmed;event:%x;why:", event->id);

    for (const char *c = why; *c && len_bytes + 4 < sizeof(pairs); c++) {
        pairs[len_bytes++] = digits[(uint8_t)*c >> 4];
        pairs[len_bytes++] = digits[(uint8_t)*c & 15];
    }
    memcpy(pairs + len_bytes, ";", 2);
    fmt_str(text, sizeof(text), "event %u disarmed: %s\n", event->id, why);
    event->disarmed = why;
    rebuild(events);
    if (events->out.notice)
        events->out.notice(events->out.ctx, pairs, text);
    else
        events->out.text(events->out.ctx, text, strlen(text));
}

/* Evaluates within both fuel limits. False: the event was disarmed. */
static bool evaluate(struct events *events, struct event *event, unsigned cpu, uint16_t handle,
                     uint64_t *value)
{
    uint32_t fuel = EVENT_FUEL_EACH;
    uint64_t now_us = events->target->clock_us(events->target->machine);
    enum agent_error error;
    size_t len_bytes;
    const uint8_t *code = pool_get(events->pool, handle, &len_bytes);

    if (now_us - event->window_us >= 1000000) {
        event->window_us = now_us;
        event->spent = 0;
    }
    error = dbg_eval(events->target, cpu, code, len_bytes, &events->out, &fuel, value);
    event->spent += EVENT_FUEL_EACH - fuel;
    if (error == AGENT_E_FUEL) {
        disarm(events, event, "one evaluation used more fuel than an event may");
        return false;
    }
    if (event->spent > EVENT_FUEL_SECOND) {
        disarm(events, event, "its evaluations used more fuel in one second than an event may");
        return false;
    }
    if (error != AGENT_OK) { /* unreadable memory, no such field on this vendor: not true */
        *value = 0;
        if (error == AGENT_E_REGISTER) {
            disarm(events, event, "it names a register or field that this machine does not have");
            return false;
        }
    }
    return true;
}

static struct events_verdict act(struct events *events, struct event *event, unsigned cpu)
{
    struct events_verdict verdict = {event->action_count == 0, false};
    uint64_t value;

    for (unsigned i = 0; i < event->action_count && watches(event); i++) {
        switch (event->action[i].what) {
        case EVENT_STOP:
            verdict.stop = true;
            break;
        case EVENT_SKIP:
            verdict.skip = true;
            break;
        default: /* LOG and SET are code */
            evaluate(events, event, cpu, event->action[i].code, &value);
            break;
        }
    }
    return verdict;
}

void events_alone(struct events *events, bool on)
{
    events->alone = on;
    for (unsigned i = 0; i < EVENTS_MAX; i++)
        events->event[i].passed = false;
}

static void tell_passed(struct events *events, struct event *event, const struct dbg_exit *exit)
{
    char text[160];

    if (event->passed)
        return;
    event->passed = true;
    fmt_str(text, sizeof(text), "event %u hit (%s), nobody is attached: the guest goes on\n",
            event->id, tl_kind_word(exit->kind));
    events->out.text(events->out.ctx, text, strlen(text));
}

static struct events_verdict run_one(struct events *events, struct event *event, unsigned cpu,
                                     const struct dbg_exit *exit, enum event_stage stage)
{
    struct events_verdict verdict = {false, false};
    uint64_t value = 1;

    if (event->stage != stage || (event->cpu != EVENT_ANY_CPU && event->cpu != cpu) ||
        !filter_passes(event, exit))
        return verdict;
    if (event->condition != POOL_NONE && !evaluate(events, event, cpu, event->condition, &value))
        return verdict;
    if (!value)
        return verdict;
    event->hits++;
    if (event->ignore) {
        event->ignore--;
        return verdict;
    }
    verdict = act(events, event, cpu);
    if (verdict.stop && events->alone) {
        tell_passed(events, event, exit);
        verdict.stop = false;
    } else if (verdict.stop) {
        events->last_hit = event->id;
        if (event->once)
            events_delete(events, event->id);
    }
    return verdict;
}

struct events_verdict events_run(struct events *events, unsigned cpu, const struct dbg_exit *exit,
                                 enum event_stage stage)
{
    struct events_verdict all = {false, false};

    if (exit->kind >= TL_KIND_COUNT)
        return all;
    for (unsigned word = 0; word < EVENTS_MAX / 64; word++) {
        uint64_t slots = events->index[exit->kind][word];

        while (slots) {
            unsigned slot = word * 64 + (unsigned)__builtin_ctzll(slots);
            struct events_verdict one;

            slots &= slots - 1;
            if (!watches(&events->event[slot]))
                continue; /* an earlier one of this exit disarmed it */
            one = run_one(events, &events->event[slot], cpu, exit, stage);
            all.stop |= one.stop;
            all.skip |= one.skip && stage == EVENT_BEFORE;
        }
    }
    return all;
}
