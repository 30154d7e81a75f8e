/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * State of the stub and the way of one packet: find its row, ask whether it may be answered now, call
 * its handler. Unknown packets get the empty reply here and nowhere else.
 */
#include "dbg/stub.h"

#include "dbg/stub_impl.h"
#include "lib/mem.h"

void stub_init(struct stub *stub, const struct dbg_target *target, const struct stub_host *host,
               const struct dbg_out *out)
{
    memset(stub, 0, sizeof(*stub));
    stub->target = target;
    stub->host = *host;
    stub->object.packet = -1;
    stub->options.link_timeout_ms = 10000;
    pool_reset(&stub->pool);
    breaks_init(&stub->breaks, target, &stub->pool, out);
    events_init(&stub->events, target, &stub->pool, out);
    run_init(&stub->run, target, &stub->breaks, &stub->events);
}

void stub_session_begin(struct stub *stub)
{
    stub_session_end(stub);
    stub->session = true;
    events_alone(&stub->events, false);
}

void stub_session_end(struct stub *stub)
{
    stub->session = false;
    stub->swbreak = stub->hwbreak = false;
    stub->phys_mode = false;
    stub->reply.text_errors = false;
    stub->reply_due = false;
    stub->detach_after = false;
    stub->cpu = 0;
    stub->follow_count = 0;
    stub->object.packet = -1;
    breaks_remove_all(&stub->breaks);
    run_forget_goals(&stub->run); /* else the guest stops for a client that is no more */
    run_sync(&stub->run);
}

enum stub_answer stub_syntax(struct stub *stub)
{
    return stub_fail(stub, TL_E_syntax, NULL);
}

enum stub_answer stub_ok(struct stub *stub)
{
    reply_str(&stub->reply, "OK");
    return STUB_REPLY;
}

enum stub_answer stub_fail(struct stub *stub, enum tl_error error, const char *detail)
{
    reply_error(&stub->reply, error, detail);
    return STUB_REPLY;
}

enum stub_answer stub_packet(struct stub *stub, const uint8_t *bytes, size_t len_bytes)
{
    const struct packet_row *row = packet_find((const char *)bytes, len_bytes);
    enum stub_answer answer;
    struct args args;

    reply_reset(&stub->reply);
    if (!row)
        return STUB_REPLY; /* empty: not supported */
    if (row->when == WHEN_STOPS && !stub->stopped)
        return STUB_STOP;
    if (row->when == WHEN_STOPPED && !stub->stopped)
        return stub_fail(stub, TL_E_running, NULL);
    args = args_of(bytes, len_bytes);
    args_word(&args, row->name);
    answer = row->handler(stub, args);
    if (answer == STUB_REPLY && stub->reply.overflow)
        reply_error(&stub->reply, TL_E_too_long, NULL);
    return answer;
}

bool stub_stopped(struct stub *stub, unsigned cpu, enum run_why why)
{
    bool due = stub->reply_due;

    run_stopped(&stub->run, cpu, why);
    stub->stopped = true;
    stub->dead = why == RUN_WHY_DEAD;
    stub->edited = false;
    stub->stops++;
    stub->cpu = cpu;
    stub->reply_due = false;
    if (due) {
        reply_reset(&stub->reply);
        stub_stop_reply(stub, &stub->reply);
    }
    return due;
}

void stub_let_go(struct stub *stub)
{
    if (!stub->stopped || (stub->dead && !stub->edited))
        return;
    for (unsigned cpu = 0; cpu < stub->target->cpus; cpu++)
        run_resume(&stub->run, cpu, RUN_CONTINUE, 0, 0);
    stub->stopped = false;
    stub->reply_due = false;
}

static unsigned signal_of(const struct run_stop *stop)
{
    switch (stop->why) {
    case RUN_WHY_BREAK_IN:
        return 2;
    case RUN_WHY_DEAD:
    case RUN_WHY_HV_FAULT:
        return 11;
    default:
        return 5;
    }
}

static const char *why_word(const struct stub *stub)
{
    static const char *const words[] = {
        [RUN_WHY_START] = "start",       [RUN_WHY_BREAK_IN] = "break-in",
        [RUN_WHY_STEP] = "step",         [RUN_WHY_BREAKPOINT] = "breakpoint",
        [RUN_WHY_EVENT] = "event",       [RUN_WHY_DEAD] = "dead",
        [RUN_WHY_HV_FAULT] = "hv-fault",
    };
    const struct run_stop *stop = &stub->run.stop;

    if (stop->why == RUN_WHY_EVENT && !stop->event_id)
        return "nextexit";
    if (stop->why == RUN_WHY_STEP && stub->run.cpu[stop->cpu].goal == RUN_RANGE)
        return "range";
    return words[stop->why];
}

static void put_break_reason(const struct stub *stub, struct reply *reply)
{
    static const char *const words[] = {
        [BREAK_WRITE] = "watch", [BREAK_READ] = "rwatch", [BREAK_ACCESS] = "awatch"};
    const struct run_stop *stop = &stub->run.stop;

    if (!stop->bp_valid)
        return;
    if (stop->bp_type == BREAK_SOFT && stub->swbreak)
        reply_str(reply, "swbreak:;");
    else if (stop->bp_type == BREAK_HARD && stub->hwbreak)
        reply_str(reply, "hwbreak:;");
    else if (stop->bp_type >= BREAK_WRITE)
        reply_fmt(reply, "%s:%lx;", words[stop->bp_type], stop->bp_addr);
}

void stub_stop_reply(struct stub *stub, struct reply *reply)
{
    static const uint8_t expedited[] = {TL_REG_rip,    TL_REG_rsp,  TL_REG_rbp,
                                        TL_REG_eflags, TL_REG_cs,   TL_REG_cr0,
                                        TL_REG_cr4,    TL_REG_efer, TL_REG_cpu_mode};
    const struct run_stop *stop = &stub->run.stop;
    const struct dbg_exit *exit = stub->target->last_exit(stub->target->machine, stop->cpu);
    unsigned row_count = sizeof(expedited);

    reply_fmt(reply, "T%02x", signal_of(stop));
    if (stop->why == RUN_WHY_STEP) /* a step keeps it short: what a debugger prints of each */
        row_count = 4;
    for (unsigned i = 0; i < row_count; i++) {
        reply_fmt(reply, "%02x:", expedited[i]);
        stub_put_reg(stub, reply, stop->cpu, expedited[i]);
        reply_str(reply, ";");
    }
    reply_fmt(reply, "thread:%x;", stop->cpu + 1u);
    put_break_reason(stub, reply);
    reply_fmt(reply, "tl.why:%s;", why_word(stub));
    if (stop->why == RUN_WHY_EVENT || stop->why == RUN_WHY_DEAD) {
        uint64_t reason = 0;

        stub->target->reg_read(stub->target->machine, stop->cpu, TL_REG_exit_reason, &reason);
        reply_fmt(reply, "tl.kind:%s;tl.reason:%lx;", tl_kind_word(exit->kind), reason);
    }
    if (stop->event_id) {
        const struct event *event = events_find(&stub->events, stop->event_id);

        reply_fmt(reply, "tl.event:%x;tl.stage:%s;", stop->event_id,
                  event && event->stage == EVENT_AFTER ? "after" : "before");
    }
    stub_put_follow(stub, reply);
}
