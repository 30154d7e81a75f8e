/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stop has come: whose it is, what it means for the verdict, whether it is shown, and whether the
 * guest goes on. The loop that it came through is console.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/broker.h"
#include "monitor/console_impl.h"
#include "monitor/kaslr.h"
#include "monitor/out.h"
#include "monitor/report.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "monitor/view.h"

/* The hypervisor prints a crash record only when nobody is attached. With us there it is fetched, so that
 * the log alone still says why; a run that nobody watches says it at once, too. */
void console_keep_record(struct console *console, bool say)
{
    char *text = target_object(console->target, "tl.record", "");

    if (text)
        session_log_lines(console->session, text);
    free(text);
    if (!say)
        return;
    text = target_object(console->target, "tl.explain", "");
    if (text) {
        out_text(text, strlen(text));
        report_why(console->report, text);
    }
    free(text);
}

/* A dead guest is a failure of the run unless somebody has asked for just that. */
static void judge_death(struct console *console)
{
    const char *stop = session_stop_text(console->session);
    char why[20] = "", kind[40] = "";
    uint64_t kinds;

    console->died = false;
    if (strlen(stop) < 3 || !target_key(stop + 3, "tl.why", why, sizeof(why)))
        return;
    target_key(stop + 3, "tl.kind", kind, sizeof(kind));
    kinds = tl_kinds_by_word(kind, strlen(kind));
    console->dead_unasked = strcmp(why, "hv-fault") == 0;
    console->died = console->dead_unasked || strcmp(why, "dead") == 0;
    if (strcmp(why, "dead") == 0) {
        console->dead_unasked = true;
        for (unsigned i = 0; i < TL_KIND_COUNT; i++)
            if (kinds >> i & 1 && stops_wanted(console, i))
                console->dead_unasked = false;
    }
}

#define PASSED_SHOWN 10

/* The batch ends with `continue`, which runs to the guest's end: an event that has been looked at
 * already is shown and passed, because no command is left that could look again. */
static bool pass(struct console *console)
{
    if (console->passed++ < PASSED_SHOWN)
        view_stop(console);
    else if (console->passed == PASSED_SHOWN + 1)
        out_printf("[further stops at events seen before are not shown]\n");
    return console_resume(console, "vCont;c");
}

/* Once per session, at the first stop in a kernel whose symbols we have. */
static void find_kernel(struct console *console)
{
    uint64_t rip;

    if (!console->kernel_found && symbols_count(console->symbols) > 0 &&
        target_reg(console->target, TL_REG_rip, &rip) && rip >= UINT64_C(0xffffffff80000000))
        console->kernel_found = kaslr_find(console);
}

/* Shows a stop, or why there was no going on. True when the guest runs again: an ignored hit. */
static bool take_stop(struct console *console)
{
    const char *refusal;
    bool gdbs;

    console->stop_is_new = false;
    refusal = session_refusal(console->session);
    if (refusal) {
        out_error("%s", refusal);
        console->resume_failed = true;
        broker_refused(console->broker, refusal);
        return false;
    }
    gdbs = broker_owns(console->broker);
    if (gdbs) {
        broker_stopped(console->broker);
    } else if (!broker_connected(console->broker) && stops_after_stop(console) &&
               !console->interrupted) {
        return console_resume(console, "vCont;c");
    }
    judge_death(console);
    if (console->last_command && !console->dead_unasked && !console->interrupted &&
        !broker_connected(console->broker) && stops_again(console))
        return pass(console);
    if (gdbs && !console->died) {
        view_stop_of_gdb(console); /* GDB asks what it wants to know; the line has enough to do */
    } else if (!console->quiet_stop) {
        find_kernel(console);
        view_stop(console);
    }
    if (console->died)
        console_keep_record(console, !console->interactive && console->dead_unasked);
    return false;
}

void console_show_new_stop(struct console *console)
{
    /* Not in the middle of somebody's request: showing a stop asks questions of its own. */
    if (console->stop_is_new && !console->waiting_stop && !console->in_command &&
        !console_running(console) && console_attached(console) && !session_busy(console->session))
        take_stop(console);
}

enum cmd_result console_wait_stop(struct console *console)
{
    bool broke_in = false;
    uint64_t give_up_ms = 0;

    console->resume_failed = false;
    console->waiting_stop = true;
    while (console_running(console) || (console->stop_is_new && console_attached(console))) {
        if (console->stop_is_new && !console_running(console)) {
            if (!take_stop(console))
                break;
            continue;
        }
        if (console->quitting)
            break;
        if (console->interrupted && !broke_in) {
            out_printf("^C: stopping the guest\n");
            session_break_in(console->session);
            broke_in = true;
            give_up_ms = console_now_ms() + 3000;
        }
        if (broke_in && console_now_ms() > give_up_ms) {
            out_error("the guest does not stop; `kill` ends the machine");
            break;
        }
        console_pump_keys(console, broke_in ? 200 : -1, false);
    }
    console->waiting_stop = false;
    if (console->quitting || console_running(console))
        return CMD_LOST;
    if (console->resume_failed)
        return CMD_ERROR;
    if (console->end_seen && console->end != MACHINE_CRASHED)
        return CMD_OK;
    return console_attached(console) ? CMD_OK : CMD_LOST;
}
