/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The console itself: one poll loop over the line, the keyboard, signals, the emulator and GDB; the
 * script; the verdict that becomes the exit status. Commands get this struct; what they print goes
 * through view.h and out.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "monitor/cmd.h"
#include "monitor/machine.h"
#include "monitor/options.h"
#include "monitor/session.h"
#include "monitor/symbols.h"

struct broker;
struct report;
struct target;

#define CONSOLE_HISTORY_MAX 1024

struct console {
    const struct options *options;
    struct machine machine;
    bool machine_started;
    struct session *session; /* NULL: none, never attached or replaced */
    struct target *target;   /* what we know of the stopped guest; target.h */
    struct symbols *symbols;
    struct broker *broker;
    struct report *report;

    int signal_fd;
    int script_fd; /* a script waits for this one to be readable, when script_waits */
    bool script_waits;
    bool interactive;
    bool interrupted; /* ^C since the last command began */
    bool quitting, timed_out, script_active;
    uint64_t deadline_ms;     /* 0: none */
    uint64_t silent_since_ms; /* the line says nothing; 0: it does */
    uint64_t text_seen_ms;    /* last guest text, for flushing partial lines */
    enum exit_status status;
    char why_detached[320];

    bool stop_is_new;        /* a stop came that nobody has shown */
    bool waiting_stop;       /* console_wait_stop() is at work */
    bool in_command;         /* a command runs: requests may be under way */
    bool attaching, refused; /* the hypervisor has said that it cannot start */
    bool kernel_found;       /* where KASLR has put it */
    bool resume_failed;
    bool last_command; /* the batch has no command behind this one */
    unsigned passed;   /* stops that it went past therefore */
    bool quiet_stop;   /* stops are not shown: a step among many */
    bool died;         /* the last stop was final */
    bool dead_unasked; /* the guest died, and nobody had asked for that */
    bool end_seen;     /* the machine ended (power-off, reset, crash) */
    enum machine_end end;

    uint64_t history[CONSOLE_HISTORY_MAX]; /* $1, $2, ... */
    unsigned history_count;

    bool intel_syntax; /* set disassembly-flavor intel */
    char *output;      /* what the guest has printed, for `expect output` */
    size_t output_len_bytes, output_cap_bytes, output_seen_bytes;
};

/* Starts or attaches as the options say. False after printing why; status is set. */
bool console_open(struct console *console, const struct options *options);

/* Runs scripts, then the prompt unless in batch; returns the exit status. */
int console_run(struct console *console);

/* Stops the machine, frees everything, gives the terminal back. */
void console_close(struct console *console);

/* Lets the guest go by the console's will ("vCont;c"). False: the line is lost. */
bool console_resume(struct console *console, const char *request);

/* Waits until the guest stops or is gone; ^C breaks in. CMD_OK: stopped, or ended as it should. */
enum cmd_result console_wait_stop(struct console *console);

/* Waits until `done` says so, at most that long; false at the end of time or of the machine. */
bool console_wait_until(struct console *console, bool (*done)(struct console *), int timeout_ms);

/* Runs the commands of a file ("-": standard input); stops at the first that fails. */
enum cmd_result console_source(struct console *console, const char *path);

/* Restarts the machine and attaches anew. False after printing why. */
bool console_reset(struct console *console);

/* Records everything that goes over the session from now on; "" ends it. */
bool console_record(struct console *console, const char *path);

/* Is somebody at the other end of the session? Running: its guest runs. was_attached: a session ended,
 * and why_detached() says how, in one line. */
bool console_attached(const struct console *console);
bool console_was_attached(const struct console *console);
bool console_running(const struct console *console);
const char *console_why_detached(const struct console *console);

/* Milliseconds of a clock that never jumps. */
uint64_t console_now_ms(void);
