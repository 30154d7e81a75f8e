/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The poll loop and what arrives through it: signals, the line, the emulator's end, the keyboard.
 * Opening is console_open.c's, stops are console_stop.c's, the prompt is console_run.c's.
 */
#include "monitor/console.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "monitor/broker.h"
#include "monitor/console_impl.h"
#include "monitor/editor.h"
#include "monitor/out.h"
#include "monitor/stops.h"
#include "monitor/target.h"

#define PARTIAL_LINE_MS 250  /* a guest line without its end is shown after that */
#define END_WAIT_MS     1500 /* the line closed: how long its emulator may take to end */

uint64_t console_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool console_attached(const struct console *console)
{
    enum session_state state =
        console->session ? session_state(console->session) : SESSION_DETACHED;

    return state == SESSION_STOPPED || state == SESSION_RUNNING;
}

bool console_running(const struct console *console)
{
    return console->session && session_state(console->session) == SESSION_RUNNING;
}

bool console_was_attached(const struct console *console)
{
    return console->why_detached[0] != '\0';
}

const char *console_why_detached(const struct console *console)
{
    return console->why_detached[0] ? console->why_detached : "nothing is attached";
}

/* ---- what a session calls ---- */

/* Keeps what the guest prints for `expect output`, the last megabyte of it. */
static void keep_output(struct console *console, const uint8_t *bytes, size_t len_bytes)
{
    const size_t keep_bytes = 1u << 20;

    if (console->output_len_bytes + len_bytes + 1 > console->output_cap_bytes) {
        size_t cap_bytes = console->output_len_bytes + len_bytes + 1 + 65536;
        char *output = realloc(console->output, cap_bytes);

        if (!output)
            return;
        console->output = output;
        console->output_cap_bytes = cap_bytes;
    }
    for (size_t i = 0; i < len_bytes; i++)
        if (bytes[i] != 0 && bytes[i] != '\r') /* regexec() works on C strings */
            console->output[console->output_len_bytes++] = (char)bytes[i];
    console->output[console->output_len_bytes] = '\0';
    if (console->output_len_bytes > 2 * keep_bytes) {
        size_t drop_bytes = console->output_len_bytes - keep_bytes;

        memmove(console->output, console->output + drop_bytes, keep_bytes + 1);
        console->output_len_bytes = keep_bytes;
        console->output_seen_bytes =
            console->output_seen_bytes > drop_bytes ? console->output_seen_bytes - drop_bytes : 0;
    }
}

static void on_text(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    struct console *console = ctx;

    keep_output(console, bytes, len_bytes);
    if (console->attaching && console->output) {
        const char *refusal = strstr(console->output, "tl: cannot start: ");

        console->refused = refusal && strchr(refusal, '\n'); /* the whole line is here */
    }
    out_guest(bytes, len_bytes);
    broker_text(console->broker, bytes, len_bytes);
    console->text_seen_ms = console_now_ms();
}

static void on_stopped(void *ctx)
{
    struct console *console = ctx;

    console->stop_is_new = true;
    target_forget(console->target);
}

/* What happened, as one line for a person; false: nothing that this program knows. */
static bool describe_event(struct console *console, const char *text, char *line, size_t cap_bytes)
{
    char what[24] = "", hex[600], why[300] = "", state[24] = "stopped";
    uint64_t id = 0, lines = 0, lost_bytes = 0;
    unsigned number;

    target_key(text, "t", what, sizeof(what));
    if (strcmp(what, "disarmed") == 0) {
        target_key_number(text, "event", &id);
        if (target_key(text, "why", hex, sizeof(hex)))
            target_text(hex, why, sizeof(why));
        number = stops_number_of_event(console, (uint32_t)id);
        snprintf(line, cap_bytes, "[%s %u is disarmed: %s]\n", number ? "catch" : "event",
                 number ? number : (unsigned)id, why);
    } else if (strcmp(what, "lost") == 0) {
        target_key_number(text, "lines", &lines);
        target_key_number(text, "log", &lost_bytes);
        snprintf(line, cap_bytes,
                 "[lost: %llu byte(s) of log and console, %llu log line(s): the line was full]\n",
                 (unsigned long long)lost_bytes, (unsigned long long)lines);
    } else if (strcmp(what, "state") == 0) {
        target_key(text, "state", state, sizeof(state));
        snprintf(line, cap_bytes, "[the guest is %s, by no word of this program]\n", state);
    } else if (strcmp(what, "reset") == 0) {
        snprintf(line, cap_bytes, "[the machine was reset]\n");
    } else {
        return false;
    }
    return true;
}

static void on_event(void *ctx, const char *text)
{
    struct console *console = ctx;
    char line[400];

    if (!describe_event(console, text, line, sizeof(line)))
        return;
    out_printf("%s", line);
    broker_text(console->broker, (const uint8_t *)line, strlen(line)); /* GDB prints it as well */
}

static void on_silent(void *ctx, bool silent)
{
    struct console *console = ctx;

    console->silent_since_ms = silent ? console_now_ms() : 0;
    if (!silent)
        out_printf("%s[the hypervisor answers again, nothing was lost]%s\n", out_style(OUT_DIM),
                   out_style(OUT_PLAIN));
    else if (console->machine_started)
        out_printf("%s[no answer from the hypervisor for 2 s; the emulator still runs (^C gives up "
                   "waiting, `kill` ends it)]%s\n",
                   out_style(OUT_DIM), out_style(OUT_PLAIN));
    else
        out_printf(
            "%s[nothing heard from the hypervisor for 2 s: is the cable in, does the machine "
            "still run? Trying on; ^C, then `quit`, gives up]%s\n",
            out_style(OUT_ERROR), out_style(OUT_PLAIN));
}

static bool on_wait(void *ctx, int timeout_ms)
{
    struct console *console = ctx;
    bool on = console_pump_keys(console, timeout_ms, false);

    /* ^C cuts a request short only when nobody answers: else the answer is a moment away. */
    return on && !console->refused && !(console->interrupted && console->silent_since_ms);
}

struct session_calls console_session_calls(struct console *console)
{
    return (struct session_calls){.ctx = console,
                                  .text = on_text,
                                  .stopped = on_stopped,
                                  .event = on_event,
                                  .silent = on_silent,
                                  .wait = on_wait};
}

/* ---- ends ---- */

static void say_end(struct console *console, const char *why)
{
    const char *next = !console->interactive      ? ""
                       : console->machine_started ? " (`reset` starts it again)"
                                                  : " (`quit`, then `trapline attach` again)";

    snprintf(console->why_detached, sizeof(console->why_detached), "%.200s%s", why, next);
    out_guest_flush();
    out_printf("%s[%s]%s\n", out_style(OUT_DIM), why, out_style(OUT_PLAIN));
    broker_gone(console->broker, why, console->end_seen && console->end != MACHINE_CRASHED);
}

static void machine_ended(struct console *console)
{
    struct machine *machine = &console->machine;

    if (console->end_seen)
        return;
    console->end_seen = true;
    console->end = machine->end;
    if (console->session) {
        session_last_words(console->session);
        session_lose(console->session, machine->why);
    }
    say_end(console, machine->why);
    if (machine->end == MACHINE_CRASHED)
        console->status = STATUS_LOST;
    else if (machine->end == MACHINE_RESET && console->status == STATUS_OK)
        console->dead_unasked = true;
}

static void line_lost(struct console *console)
{
    uint64_t until_ms = console_now_ms() + END_WAIT_MS;
    struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    char why[300];

    /* An emulator that ends closes its line first: which of the two was it? */
    while (console->machine_started && !console->end_seen && console_now_ms() < until_ms) {
        if (console->machine.control_fd >= 0)
            machine_control(&console->machine);
        if (machine_poll(&console->machine) != MACHINE_RUNNING) {
            machine_ended(console);
            return;
        }
        nanosleep(&pause, NULL);
    }
    if (console->end_seen || console_was_attached(console))
        return;
    snprintf(why, sizeof(why), "the line is lost: %.200s", session_why(console->session));
    say_end(console, why);
    if (!console->machine_started)
        out_printf("[check the cable or the machine, then `trapline attach %s` again]\n",
                   console->options->target ? console->options->target : "TARGET");
    console->status = STATUS_LOST;
}

static void time_is_up(struct console *console)
{
    console->timed_out = true;
    console->quitting = true;
    console->status = STATUS_LOST;
    out_guest_flush();
    out_error("time-out after %.3g seconds; the guest was %s", console->options->timeout_seconds,
              !console_attached(console) ? "not attached"
              : console_running(console) ? "running"
                                         : "stopped");
}

/* ---- signals ---- */

static void on_signal(struct console *console, uint32_t number)
{
    switch (number) {
    case SIGINT:
        console->interrupted = true;
        if (console_running(console) && !console->script_active) {
            out_printf("^C: stopping the guest\n");
            session_break_in(console->session);
        } else if (!console->script_active) {
            editor_cancel_line();
        }
        break;
    case SIGTERM:
    case SIGHUP:
        console->quitting = true;
        console->status = STATUS_LOST;
        break;
    case SIGWINCH:
        editor_resize();
        break;
    default:
        break; /* SIGCHLD: machine_poll() looks anyway */
    }
}

static void read_signals(struct console *console)
{
    struct signalfd_siginfo info;

    while (read(console->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        on_signal(console, info.ssi_signo);
}

/* ---- the loop ---- */

enum {
    SLOT_SIGNAL,
    SLOT_LINE,
    SLOT_MACHINE,
    SLOT_CONTROL,
    SLOT_KEYS,
    SLOT_SCRIPT,
    SLOT_BROKER,
    SLOTS = 16
};

static int shorten(int timeout_ms, int64_t other_ms)
{
    if (other_ms < 0)
        other_ms = 0;
    return timeout_ms < 0 || other_ms < timeout_ms ? (int)other_ms : timeout_ms;
}

static int loop_timeout(struct console *console, int timeout_ms)
{
    uint64_t now_ms = console_now_ms();
    int tick_ms;

    if (console->deadline_ms)
        timeout_ms = shorten(timeout_ms, (int64_t)(console->deadline_ms - now_ms));
    if (out_guest_waits())
        timeout_ms = shorten(timeout_ms,
                             (int64_t)(console->text_seen_ms + PARTIAL_LINE_MS) - (int64_t)now_ms);
    if (console_attached(console)) {
        tick_ms = session_tick(console->session);
        if (tick_ms >= 0)
            timeout_ms = shorten(timeout_ms, tick_ms);
        /* A tick can bring a stop or the end (a replay does): then there is nothing to sleep for. But
         * while a request waits for its reply nobody takes the stop. */
        if ((console->stop_is_new && !session_busy(console->session)) || !console_attached(console))
            timeout_ms = 0;
    }
    return timeout_ms;
}

bool console_pump_keys(struct console *console, int timeout_ms, bool keys)
{
    bool line = console->session && session_state(console->session) != SESSION_LOST;
    struct pollfd slot[SLOTS] = {
        [SLOT_SIGNAL] = {.fd = console->signal_fd, .events = POLLIN},
        [SLOT_LINE] = {.fd = line ? session_fd(console->session) : -1, .events = POLLIN},
        [SLOT_MACHINE] = {.fd = console->machine_started ? console->machine.pid_fd : -1,
                          .events = POLLIN},
        [SLOT_CONTROL] = {.fd = console->machine_started ? console->machine.control_fd : -1,
                          .events = POLLIN},
        [SLOT_KEYS] = {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN},
        [SLOT_SCRIPT] = {.fd = console->script_waits ? console->script_fd : -1,
                         .events = POLLIN}, /* only wakes: see its reader */
    };
    nfds_t count = SLOT_BROKER;

    if (console->quitting)
        return false;
    if (line && session_wants_write(console->session))
        slot[SLOT_LINE].events |= POLLOUT;
    if (console->broker)
        count += broker_slots(console->broker, &slot[SLOT_BROKER], SLOTS - SLOT_BROKER);
    timeout_ms = loop_timeout(console, timeout_ms);
    out_flush();
    if (poll(slot, count, timeout_ms) < 0 && errno != EINTR)
        return false;
    if (slot[SLOT_SIGNAL].revents)
        read_signals(console);
    if (slot[SLOT_LINE].revents & POLLOUT)
        session_output(console->session);
    if (slot[SLOT_LINE].revents & (POLLIN | POLLHUP | POLLERR))
        session_input(console->session);
    if (slot[SLOT_CONTROL].revents)
        machine_control(&console->machine);
    if (slot[SLOT_MACHINE].revents && machine_poll(&console->machine) != MACHINE_RUNNING)
        machine_ended(console);
    if (line && session_state(console->session) == SESSION_LOST)
        line_lost(console);
    if (console->broker)
        broker_serve(console->broker, &slot[SLOT_BROKER], count - SLOT_BROKER);
    if (out_guest_waits() && console_now_ms() >= console->text_seen_ms + PARTIAL_LINE_MS)
        out_guest_flush();
    console_show_new_stop(console);
    if (slot[SLOT_KEYS].revents & (POLLIN | POLLHUP))
        editor_input();
    if (console->deadline_ms && !console->timed_out && console_now_ms() >= console->deadline_ms)
        time_is_up(console);
    return !console->quitting;
}

bool console_resume(struct console *console, const char *request)
{
    broker_before_resume(console->broker);
    target_forget(console->target);
    return session_resume(console->session, request);
}

bool console_wait_until(struct console *console, bool (*done)(struct console *), int timeout_ms)
{
    uint64_t until_ms = console_now_ms() + (uint64_t)timeout_ms;

    while (!done(console)) {
        int64_t left_ms = (int64_t)(until_ms - console_now_ms());

        if (left_ms <= 0 || !console_pump_keys(console, (int)left_ms, false) ||
            console->interrupted)
            return done(console);
    }
    return true;
}
