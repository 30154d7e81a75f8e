/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Events on the wire: Qtl.event.* and qtl.events (protocol/README.md, "Events").
 */
#include "dbg/stub_impl.h"
#include "lib/log.h"
#include "lib/mem.h"

/* Bytecode as hex into the pool, verified for what it may do. */
static bool take_code(struct stub *stub, struct args args, unsigned may, uint16_t *handle,
                      enum tl_error *error)
{
    uint8_t code[AGENT_CODE_MAX_BYTES];
    int len = args_hex_bytes(&args, code, sizeof(code));

    *error = TL_E_syntax;
    if (len <= 0 || !args_empty(&args))
        return false;
    *error = TL_E_bad_code;
    if (agent_verify(code, (size_t)len, may, NULL) != AGENT_OK)
        return false;
    *error = TL_E_table_full;
    *handle = pool_add(&stub->pool, code, (size_t)len);
    return *handle != POOL_NONE;
}

static bool take_kinds(struct args value, uint64_t *kinds)
{
    *kinds = 0;
    while (!args_empty(&value)) {
        struct args word = args_until(&value, ",");
        uint64_t more = tl_kinds_by_word(word.at, args_len_bytes(&word));

        if (!more)
            return false;
        *kinds |= more;
    }
    return *kinds != 0;
}

static bool take_filters(struct args value, struct event *event)
{
    while (!args_empty(&value)) {
        struct args part = args_until(&value, ",");
        uint64_t first, last;

        if (event->filter_count == EVENT_FILTERS_MAX || !args_hex(&part, &first))
            return false;
        last = first;
        if (args_char(&part, '-') && !args_hex(&part, &last))
            return false;
        if (!args_empty(&part) || last < first || last > UINT32_MAX)
            return false;
        event->filter[event->filter_count].first = (uint32_t)first;
        event->filter[event->filter_count].last = (uint32_t)last;
        event->filter_count++;
    }
    return event->filter_count > 0;
}

static bool take_action(struct stub *stub, struct args value, struct event *event,
                        enum tl_error *error)
{
    struct args word = args_until(&value, ",");
    unsigned n = event->action_count;

    *error = TL_E_table_full;
    if (n == EVENT_ACTIONS_MAX)
        return false;
    event->action[n].code = POOL_NONE;
    *error = TL_E_syntax;
    if (args_is(&word, "stop")) {
        event->action[n].what = EVENT_STOP;
    } else if (args_is(&word, "skip")) {
        event->action[n].what = EVENT_SKIP;
    } else if (args_is(&word, "log")) {
        event->action[n].what = EVENT_LOG;
        if (!take_code(stub, value, AGENT_MAY_PRINT, &event->action[n].code, error))
            return false;
    } else if (args_is(&word, "set")) {
        event->action[n].what = EVENT_SET;
        if (!take_code(stub, value, AGENT_MAY_SET, &event->action[n].code, error))
            return false;
    } else {
        return false;
    }
    event->action_count++;
    return true;
}

static bool take_number(struct args value, uint64_t max, uint64_t *number)
{
    return args_number(value, number) && *number <= max;
}

/* One key of event.add. False with *error. */
static bool take_pair(struct stub *stub, struct args key, struct args value, struct event *event,
                      enum tl_error *error)
{
    uint64_t number = 0;

    *error = TL_E_syntax;
    if (args_is(&key, "kinds")) {
        *error = TL_E_no_kind;
        return take_kinds(value, &event->kinds);
    }
    if (args_is(&key, "mask")) {
        *error = TL_E_no_kind;
        return take_number(value, (UINT64_C(1) << TL_KIND_COUNT) - 1, &event->kinds);
    }
    if (args_is(&key, "stage")) {
        event->stage = args_is(&value, "after") ? EVENT_AFTER : EVENT_BEFORE;
        return args_is(&value, "after") || args_is(&value, "before");
    }
    if (args_is(&key, "cpu")) {
        *error = TL_E_no_cpu;
        if (!take_number(value, stub->target->cpus - 1u, &number))
            return false;
        event->cpu = (uint8_t)number;
        return true;
    }
    if (args_is(&key, "only"))
        return take_filters(value, event);
    if (args_is(&key, "if"))
        return event->condition == POOL_NONE && take_code(stub, value, 0, &event->condition, error);
    if (args_is(&key, "ignore")) {
        if (!take_number(value, UINT32_MAX, &number))
            return false;
        event->ignore = (uint32_t)number;
        return true;
    }
    if (args_is(&key, "once") || args_is(&key, "off")) {
        if (!take_number(value, 1, &number))
            return false;
        if (args_is(&key, "once"))
            event->once = number;
        else
            event->enabled = !number;
        return true;
    }
    return args_is(&key, "do") && take_action(stub, value, event, error);
}

static void give_up(struct stub *stub, const struct event *event)
{
    pool_free(&stub->pool, event->condition);
    for (unsigned i = 0; i < event->action_count; i++)
        pool_free(&stub->pool, event->action[i].code);
}

static void changed(struct stub *stub)
{
    stub->run.filters_dirty = true;
    run_sync(&stub->run);
}

enum stub_answer tl_event_add(struct stub *stub, struct args args)
{
    struct event event = {.enabled = true, .cpu = EVENT_ANY_CPU};
    enum tl_error error = TL_E_syntax;
    uint32_t id;

    while (!args_empty(&args)) {
        struct args pair = args_until(&args, ";");
        struct args key = args_until(&pair, ":");

        if (take_pair(stub, key, pair, &event, &error))
            continue;
        give_up(stub, &event);
        reply_error(&stub->reply, error, NULL);
        return STUB_REPLY;
    }
    if (!event.kinds)
        return give_up(stub, &event), stub_fail(stub, TL_E_no_kind, "kinds or mask is needed");
    id = events_add(&stub->events, &event);
    if (!id)
        return give_up(stub, &event), stub_fail(stub, TL_E_table_full, NULL);
    changed(stub);
    reply_fmt(&stub->reply, "event:%x;", id);
    return STUB_REPLY;
}

static int change_one(struct stub *stub, enum tl_packet packet, uint32_t id, uint32_t count)
{
    switch (packet) {
    case TL_P_event_del:
        return events_delete(&stub->events, id);
    case TL_P_event_ignore:
        return events_ignore(&stub->events, id, count);
    default:
        return events_enable(&stub->events, id, packet == TL_P_event_enable);
    }
}

enum stub_answer tl_event_change(struct stub *stub, enum tl_packet packet, struct args args)
{
    uint64_t id = 0, count = 0;
    int rc = 0;

    if (args_is(&args, "all") && packet != TL_P_event_ignore) {
        if (packet == TL_P_event_del)
            rc = events_delete(&stub->events, 0);
        else
            for (const struct event *e = events_next(&stub->events, 0); e;
                 e = events_next(&stub->events, e->id))
                rc |= events_enable(&stub->events, e->id, packet == TL_P_event_enable);
    } else {
        if (!args_hex(&args, &id) ||
            (packet == TL_P_event_ignore && (!args_char(&args, ',') || !args_hex(&args, &count))) ||
            !args_empty(&args) || count > UINT32_MAX)
            return stub_syntax(stub);
        if (!id || id > UINT32_MAX || change_one(stub, packet, (uint32_t)id, (uint32_t)count))
            return stub_fail(stub, TL_E_no_event, NULL);
    }
    changed(stub);
    return rc ? stub_fail(stub, TL_E_no_event, NULL) : stub_ok(stub);
}

static void put_code(struct stub *stub, struct reply *reply, uint16_t handle)
{
    size_t len_bytes;
    const uint8_t *code = pool_get(&stub->pool, handle, &len_bytes);

    reply_hex(reply, code, len_bytes);
}

/* with_code: conditions and actions too; without, an event always fits. */
static void put_event(struct stub *stub, struct reply *reply, const struct event *e, bool with_code)
{
    static const char *const actions[] = {
        [EVENT_STOP] = "stop", [EVENT_LOG] = "log,", [EVENT_SKIP] = "skip", [EVENT_SET] = "set,"};

    reply_fmt(reply, "|event:%x;mask:%lx;stage:%s;hits:%lx;ignore:%x;", e->id, e->kinds,
              e->stage == EVENT_AFTER ? "after" : "before", e->hits, e->ignore);
    if (e->cpu != EVENT_ANY_CPU)
        reply_fmt(reply, "cpu:%x;", e->cpu);
    for (unsigned i = 0; i < e->filter_count; i++)
        reply_fmt(reply, "%s%x-%x", i ? "," : "only:", e->filter[i].first, e->filter[i].last);
    if (e->filter_count)
        reply_str(reply, ";");
    if (e->once)
        reply_str(reply, "once:1;");
    if (!e->enabled)
        reply_str(reply, "off:1;");
    if (with_code && e->condition != POOL_NONE) {
        reply_str(reply, "if:");
        put_code(stub, reply, e->condition);
        reply_str(reply, ";");
    }
    for (unsigned i = 0; with_code && i < e->action_count; i++) {
        reply_fmt(reply, "do:%s", actions[e->action[i].what]);
        if (e->action[i].code != POOL_NONE)
            put_code(stub, reply, e->action[i].code);
        reply_str(reply, ";");
    }
    if (e->disarmed) {
        reply_str(reply, "why:");
        reply_hex(reply, e->disarmed, strlen(e->disarmed));
        reply_str(reply, ";");
    }
}

/* As many as fit; `next` goes first, so the list is built behind a place kept for it. */
enum stub_answer tl_events(struct stub *stub, struct args args)
{
    struct reply *reply = &stub->reply;
    uint64_t from = 0;
    unsigned count = 0;
    size_t head_len, kept;
    char head[48];

    if (!args_empty(&args) && (!args_number(args, &from) || from > UINT32_MAX))
        return stub_syntax(stub);
    for (const struct event *e = events_next(&stub->events, 0); e;
         e = events_next(&stub->events, e->id))
        count++;
    head_len = fmt_str(head, sizeof(head), "count:%x;", count);
    for (const struct event *e = events_next(&stub->events, from ? (uint32_t)from - 1 : 0); e;
         e = events_next(&stub->events, e->id)) {
        kept = reply->len_bytes;
        put_event(stub, reply, e, true);
        if (kept == 0 && (reply->overflow || reply_left(reply) < sizeof(head))) {
            reply_reset(reply);
            put_event(stub, reply, e, false);
            reply_str(reply, "cut:1;");
        }
        if (!reply->overflow && reply_left(reply) >= sizeof(head))
            continue;
        reply->len_bytes = kept;
        reply->overflow = false;
        head_len += fmt_str(head + head_len, sizeof(head) - head_len, "next:%x;", e->id);
        break;
    }
    memmove(reply->bytes + head_len, reply->bytes, reply->len_bytes);
    memcpy(reply->bytes, head, head_len);
    reply->len_bytes += head_len;
    return STUB_REPLY;
}
