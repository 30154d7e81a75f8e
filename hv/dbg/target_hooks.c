/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Binds core to the debugger: fills hv_debug, gives the client its serial line and the log its way
 * out. What the debugger asks of the machine is target_vcpu.c's.
 */
#include "core/backend.h"
#include "core/hooks.h"
#include "cpu/x86.h"
#include "dbg/client.h"
#include "dbg/target_impl.h"
#include "dev/uart.h"
#include "lib/log.h"
#include "lib/mem.h"

#define FLUSH_US   500000 /* for a client to take the last words, and the UART to send them */
#define IDLE_SPINS 2000u

static struct client client;
bool target_stage_after;

static enum hv_verdict filter(struct vcpu *vcpu, enum hv_stage stage, bool *skip)
{
    struct events_verdict verdict =
        run_filter(&client.stub.run, vcpu->id, target_last_exit(NULL, vcpu->id),
                   stage == HV_AFTER ? EVENT_AFTER : EVENT_BEFORE);

    *skip = verdict.skip;
    if (verdict.stop)
        target_stage_after = stage == HV_AFTER;
    if (verdict.stop && verdict.skip) /* stop behind the instruction, which is not performed */
        *skip = vcpu_advance(vcpu);
    return verdict.stop ? HV_STOP : HV_RESUME;
}

static bool owns_exit(struct vcpu *vcpu, enum hv_verdict *verdict)
{
    bool stop;
    bool ours = run_owns_exit(&client.stub.run, vcpu->id, target_last_exit(NULL, vcpu->id), &stop);

    if (ours)
        *verdict = stop ? HV_STOP : HV_RESUME;
    return ours;
}

static bool step_done(struct vcpu *vcpu, enum hv_verdict *verdict)
{
    bool stop;

    if (!run_step_done(&client.stub.run, vcpu->id, &stop))
        return false;
    *verdict = stop ? HV_STOP : HV_RESUME;
    return true;
}

/* Nothing came: looks until something does, or the turn is over. hv/README.md says why it does not
 * sleep. */
static void idle(void *ctx)
{
    (void)ctx;
    for (unsigned i = 0; i < IDLE_SPINS && !uart_ready(&hv_uart); i++)
        cpu_pause();
}

static const enum run_why whys[] = {
    [HV_STOP_START] = RUN_WHY_START,       [HV_STOP_BREAK_IN] = RUN_WHY_BREAK_IN,
    [HV_STOP_STEP] = RUN_WHY_STEP,         [HV_STOP_BREAKPOINT] = RUN_WHY_BREAKPOINT,
    [HV_STOP_EVENT] = RUN_WHY_EVENT,       [HV_STOP_DEAD] = RUN_WHY_DEAD,
    [HV_STOP_HV_FAULT] = RUN_WHY_HV_FAULT,
};

static void stopped(struct vcpu *vcpu, enum hv_stop_why why)
{
    if (!client_attached(&client)) {
        if (why == HV_STOP_DEAD && client.stub.options.dead_resets)
            target_reboot(NULL);
        log_info("stopped (%s) at %#lx; waiting for a debugger on this line",
                 why == HV_STOP_START  ? "start"
                 : why == HV_STOP_DEAD ? "dead"
                                       : "event",
                 vcpu->regs.rip);
    }
    client_serve(&client, vcpu->id, whys[why], idle, NULL);
}

static bool poll(struct vcpu *vcpu)
{
    (void)vcpu;
    return client_poll(&client);
}

static void before_entry(struct vcpu *vcpu)
{
    run_before_entry(&client.stub.run, vcpu->id);
}

static void console_out(const uint8_t *bytes, unsigned len_bytes)
{
    line_text(&client.line, LINE_CONSOLE, bytes, len_bytes);
}

/* Frames first, then the transmitter itself: an emulator drops what its UART still holds. */
static void flush(void)
{
    uint64_t begun_us;

    client_flush(&client, FLUSH_US);
    begun_us = target_clock_us(NULL);
    while (!uart_drained(&hv_uart) && target_clock_us(NULL) - begun_us < FLUSH_US)
        cpu_pause();
}

static bool attached(void)
{
    return client_attached(&client);
}

static void log_out(const char *bytes, size_t len_bytes)
{
    line_text(&client.line, LINE_LOG, bytes, len_bytes);
}

static void guest_input(const uint8_t *bytes, size_t len_bytes)
{
    uart16550_input(bytes, (unsigned)len_bytes);
}

/* ---- struct line_io ---- */

static size_t io_write(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    (void)ctx;
    return uart_write(&hv_uart, bytes, len_bytes);
}

static int io_read(void *ctx)
{
    (void)ctx;
    return uart_read(&hv_uart);
}

void dbg_init(void)
{
    const struct line_io io = {NULL, io_write, io_read, target_clock_us};

    client_guest_input = guest_input;
    client_init(&client, target_init(), &io);
    /* Bochs' clock runs away while the guest sleeps in HLT: seconds of it say nothing about a client. */
    if (!strcmp(hv_caps.platform, "bochs"))
        client.stub.options.link_timeout_ms = 0;
    hv_debug = (struct hv_debug_hooks){
        .filter = filter,
        .owns_exit = owns_exit,
        .step_done = step_done,
        .stopped = stopped,
        .poll = poll,
        .before_entry = before_entry,
        .console_out = console_out,
        .attached = attached,
        .flush = flush,
    };
    log_sink = log_out;
}
