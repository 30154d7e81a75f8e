/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our own packets (rows of packets.def): those about the stub are answered here, those about the
 * machine by the target.
 */
#include "dbg/stub_impl.h"
#include "dbg/wants.h"
#include "lib/log.h"
#include "lib/mem.h"

/* ---- options ---- */

struct option {
    const char *name, *off, *on; /* values; NULL: a number of milliseconds, hex */
    size_t at;                   /* in struct stub_options */
};

static const struct option options[] = {
    {"step-irqs", "hold", "pass", offsetof(struct stub_options, step_irqs_pass)},
    {"on-disconnect", "go", "stop", offsetof(struct stub_options, disconnect_stops)},
    {"dead-stop", "hold", "reset", offsetof(struct stub_options, dead_resets)},
    {"description", "short", "full", offsetof(struct stub_options, full_description)},
    {"link-timeout", NULL, NULL, offsetof(struct stub_options, link_timeout_ms)},
    {"bare-timeout", NULL, NULL, offsetof(struct stub_options, bare_timeout_ms)},
};
#define OPTIONS_COUNT (sizeof(options) / sizeof(options[0]))

static int option_store(struct stub *stub, const struct option *option, struct args value)
{
    uint8_t *at = (uint8_t *)&stub->options + option->at;
    uint64_t number;
    uint32_t ms;
    bool on;

    if (!option->on) {
        if (!args_number(value, &number) || number > UINT32_MAX)
            return -2;
        ms = (uint32_t)number;
        memcpy(at, &ms, sizeof(ms));
        return 0;
    }
    if (!args_is(&value, option->on) && !args_is(&value, option->off))
        return -2;
    on = args_is(&value, option->on);
    memcpy(at, &on, sizeof(on));
    for (unsigned cpu = 0; cpu < RUN_CPUS_MAX; cpu++)
        stub->run.cpu[cpu].step.hold_interrupts = !stub->options.step_irqs_pass;
    return 0;
}

int stub_option_set(struct stub *stub, struct args name, struct args value)
{
    for (unsigned i = 0; i < OPTIONS_COUNT; i++)
        if (args_is(&name, options[i].name))
            return option_store(stub, &options[i], value);
    return -1;
}

void stub_options_list(struct stub *stub, struct reply *reply, bool pairs)
{
    for (unsigned i = 0; i < OPTIONS_COUNT; i++) {
        const uint8_t *at = (const uint8_t *)&stub->options + options[i].at;
        uint32_t ms;
        bool on;

        reply_fmt(reply, pairs ? "|name:%s;value:" : "%s=", options[i].name);
        if (options[i].on) {
            memcpy(&on, at, sizeof(on));
            reply_str(reply, on ? options[i].on : options[i].off);
        } else {
            memcpy(&ms, at, sizeof(ms));
            reply_fmt(reply, "%x", ms);
        }
        reply_str(reply, pairs ? ";" : "\n");
    }
}

static enum stub_answer set_option(struct stub *stub, struct args args)
{
    struct args name = args_until(&args, "=");

    switch (stub_option_set(stub, name, args)) {
    case 0:
        return stub_ok(stub);
    case -1:
        return stub_fail(stub, TL_E_no_option, NULL);
    default:
        return stub_fail(stub, TL_E_bad_value, NULL);
    }
}

/* ---- small ones ---- */

static enum stub_answer query_state(struct stub *stub)
{
    const struct dbg_target *t = stub->target;
    uint64_t ms = t->clock_us(t->machine) / 1000;
    struct reply *reply = &stub->reply;

    reply_fmt(reply, "state:%s;", !stub->stopped ? "running" : stub->dead ? "dead" : "stopped");
    t->query(t->machine, 0, TL_P_state, NULL, 0, reply); /* exits:N; */
    reply_fmt(reply, "stops:%lx;uptime:%lx;", stub->stops, ms);
    return STUB_REPLY;
}

static enum stub_answer query_hello(struct stub *stub, struct args args)
{
    const struct dbg_target *t = stub->target;
    int rc;

    reply_fmt(&stub->reply, "protocol:1;state:%s;packet:%x;events:%x;cpus:%x;",
              !stub->stopped ? "running"
              : stub->dead   ? "dead"
                             : "stopped",
              REPLY_CAP_BYTES, EVENTS_MAX, t->cpus);
    rc = t->query(t->machine, stub->cpu, TL_P_hello, args.at, args_len_bytes(&args), &stub->reply);
    return rc < 0 ? stub_fail(stub, (enum tl_error)(-rc - 1), NULL) : STUB_REPLY;
}

static enum stub_answer action_console(struct stub *stub, struct args args)
{
    uint8_t bytes[512];
    int len = args_hex_bytes(&args, bytes, sizeof(bytes));

    if (len < 0 || !args_empty(&args))
        return stub_syntax(stub);
    stub->host.guest_input(stub->host.ctx, bytes, (size_t)len);
    return stub_ok(stub);
}

static enum stub_answer action_reset(struct stub *stub)
{
    stub->target->reboot(stub->target->machine);
    return stub_ok(stub);
}

/* ---- dispatch ---- */

static enum stub_answer ask_target(struct stub *stub, enum tl_packet packet, struct args args)
{
    const struct dbg_target *t = stub->target;
    unsigned cpu = stub->cpu;
    uint64_t number;
    int rc;

    if (packet == TL_P_exit && !args_empty(&args)) { /* [CPU] */
        if (!args_number(args, &number))
            return stub_syntax(stub);
        if (number >= t->cpus)
            return stub_fail(stub, TL_E_no_cpu, NULL);
        cpu = (unsigned)number;
    }
    rc = t->query(t->machine, cpu, packet, args.at, args_len_bytes(&args), &stub->reply);
    if (rc < 0)
        return stub_fail(stub, (enum tl_error)(-rc - 1), NULL);
    if (tl_packets[packet].kind == TL_PACKET_A) {
        stub->edited = true;
        if (!stub->reply.len_bytes)
            reply_str(&stub->reply, "OK");
    }
    return STUB_REPLY;
}

static enum stub_answer answer(struct stub *stub, enum tl_packet packet, struct args args)
{
    switch (packet) {
    case TL_P_hello:
        return query_hello(stub, args);
    case TL_P_state:
        return query_state(stub);
    case TL_P_events:
        return tl_events(stub, args);
    case TL_P_event_add:
        return tl_event_add(stub, args);
    case TL_P_event_del:
    case TL_P_event_enable:
    case TL_P_event_disable:
    case TL_P_event_ignore:
        return tl_event_change(stub, packet, args);
    case TL_P_follow:
        return tl_follow(stub, args);
    case TL_P_phys:
        return tl_phys(stub, args);
    case TL_P_phys_set:
        return tl_phys_set(stub, args);
    case TL_P_options:
        stub_options_list(stub, &stub->reply, true);
        return STUB_REPLY;
    case TL_P_option:
        return set_option(stub, args);
    case TL_P_line:
        stub->host.line_counters(stub->host.ctx, &stub->reply);
        return STUB_REPLY;
    case TL_P_echo:
        reply_bytes(&stub->reply, args.at, args_len_bytes(&args));
        return STUB_REPLY;
    case TL_P_console:
        return action_console(stub, args);
    case TL_P_reset:
        return action_reset(stub);
    default:
        return ask_target(stub, packet, args);
    }
}

static enum stub_answer dispatch(struct stub *stub, enum tl_packet_kind kind, struct args args)
{
    struct args name = args_until(&args, ":");
    int packet = tl_packet_by_name(kind, name.at, args_len_bytes(&name));

    if (packet < 0)
        return STUB_REPLY; /* empty: unknown */
    if (!stub->stopped && tl_packets[packet].when != TL_WHEN_ANY)
        return stub_fail(stub, TL_E_running, NULL);
    if (packet == TL_P_nextexit) {
        if (!args_empty(&args)) /* its parser takes the colon itself */
            args.at--;
        return tl_nextexit(stub, args);
    }
    return answer(stub, (enum tl_packet)packet, args);
}

enum stub_answer packet_tl_query(struct stub *stub, struct args args)
{
    return dispatch(stub, TL_PACKET_Q, args);
}

enum stub_answer packet_tl_action(struct stub *stub, struct args args)
{
    return dispatch(stub, TL_PACKET_A, args);
}
