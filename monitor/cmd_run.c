/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands of run control: who runs, how far, and ways to leave. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/broker.h"
#include "monitor/console.h"
#include "monitor/eval.h"
#include "monitor/out.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "monitor/view.h"

/* Lets the guest go. In a script: waits for the next stop or the guest's end. At the prompt: comes
 * back at once, the stop will show itself. */
static enum cmd_result go(struct console *console, const char *request, bool wait)
{
    if (broker_connected(console->broker)) {
        out_error("GDB is connected and decides when the guest runs: let it go on there, or let "
                  "GDB detach first");
        return CMD_ERROR;
    }
    console->dead_unasked = false;
    console->output_seen_bytes = console->output_len_bytes;
    if (!console_resume(console, request)) {
        out_error("%s", session_why(console->session));
        return CMD_LOST;
    }
    return wait || console->script_active ? console_wait_stop(console) : CMD_OK;
}

static enum cmd_result cmd_continue(struct console *console, const struct cmd_args *args)
{
    uint64_t count = 1;
    const char *stop = session_stop_text(console->session);
    uint64_t id;

    if (*args->rest && !cmd_number(args->rest, &count)) {
        out_error("continue takes a count: how many hits of this stop to pass");
        return CMD_ERROR;
    }
    if (count > 1 && strlen(stop) > 3 && target_key_number(stop + 3, "tl.event", &id))
        if (!stops_ignore(console, stops_number_of_event(console, (uint32_t)id), count - 1))
            out_error("%s", target_error(console->target));
    return go(console, "vCont;c", false);
}

static enum cmd_result cmd_stepi(struct console *console, const struct cmd_args *args)
{
    uint64_t count = 1;
    enum cmd_result result = CMD_OK;

    if (*args->rest && !cmd_number(args->rest, &count)) {
        out_error("stepi takes a count");
        return CMD_ERROR;
    }
    console->quiet_stop = true;
    while (count-- > 0 && result == CMD_OK && !console->interrupted && console_attached(console)) {
        char why[20] = "";

        if (count == 0)
            console->quiet_stop = false;
        result = go(console, "vCont;s", true);
        if (result == CMD_OK && console_attached(console) &&
            target_key(session_stop_text(console->session) + 3, "tl.why", why, sizeof(why)) &&
            strcmp(why, "step") != 0 && strcmp(why, "range") != 0 && console->quiet_stop) {
            view_stop(console); /* something else came first */
            break;
        }
    }
    console->quiet_stop = false;
    return result;
}

static enum cmd_result cmd_nextexit(struct console *console, const struct cmd_args *args)
{
    char request[600] = "Qtl.nextexit", words[512];
    uint64_t kinds = 0;

    if (*args->rest) {
        if (!stops_parse_kinds(args->rest, &kinds, words, sizeof(words), NULL))
            return CMD_ERROR;
        snprintf(request, sizeof(request), "Qtl.nextexit:%s", words);
    }
    return go(console, request, false);
}

static enum cmd_result cmd_skip(struct console *console, const struct cmd_args *args)
{
    const char *reply = target_ask(console->target, "Qtl.skip");
    uint64_t len = 0;

    (void)args;
    if (!reply) {
        out_error("%s", target_error(console->target));
        return CMD_ERROR;
    }
    target_key_number(reply, "len", &len);
    out_printf("skipped %" PRIu64 " bytes without performing them; next:\n", len);
    target_forget(console->target);
    view_place(console);
    return CMD_OK;
}

static enum cmd_result cmd_retry(struct console *console, const struct cmd_args *args)
{
    (void)args;
    if (!target_do(console->target, "Qtl.retry")) {
        out_error("%s", target_error(console->target));
        return CMD_ERROR;
    }
    out_printf("the guest will be entered again at this instruction\n");
    return CMD_OK;
}

static enum cmd_result cmd_interrupt(struct console *console, const struct cmd_args *args)
{
    (void)args;
    if (!console_running(console)) {
        out_printf("the guest stands already\n");
        return CMD_OK;
    }
    session_break_in(console->session);
    return console_wait_stop(console);
}

static enum cmd_result cmd_detach(struct console *console, const struct cmd_args *args)
{
    (void)args;
    if (console_running(console)) {
        session_break_in(console->session);
        console->quiet_stop = true;
        console_wait_stop(console);
        console->quiet_stop = false;
    }
    if (!session_detach(console->session)) {
        out_error("the hypervisor does not let go: %s", session_why(console->session));
        return CMD_ERROR;
    }
    snprintf(console->why_detached, sizeof(console->why_detached),
             "detached; the guest runs by itself");
    broker_gone(console->broker, "the console has detached from the machine", false);
    out_printf("[detached: the guest goes on, the line is text]\n");
    return CMD_OK;
}

static enum cmd_result cmd_kill(struct console *console, const struct cmd_args *args)
{
    (void)args;
    if (!console->machine_started) {
        out_error("this machine was not started here; `detach` leaves it, `reset` restarts it");
        return CMD_ERROR;
    }
    if (console->end_seen) {
        out_printf("it has ended already\n");
        return CMD_OK;
    }
    machine_stop(&console->machine);
    console->end_seen = true;
    console->end = MACHINE_KILLED;
    console->dead_unasked = false;
    session_lose(console->session, "the machine was switched off");
    snprintf(console->why_detached, sizeof(console->why_detached), "it was switched off by `kill`");
    broker_gone(console->broker, "the machine was switched off", false);
    out_printf("[the machine is off]\n");
    return CMD_OK;
}

static enum cmd_result cmd_reset(struct console *console, const struct cmd_args *args)
{
    (void)args;
    if (!console_reset(console))
        return CMD_LOST;
    view_stop(console);
    return CMD_OK;
}

static enum cmd_result cmd_inject(struct console *console, const struct cmd_args *args)
{
    static const struct {
        const char *word;
        unsigned type;
    } types[] = {{"interrupt", 0}, {"nmi", 2}, {"exception", 3}, {"int", 4}};
    const char *rest = args->rest;
    char word[40], error[40] = "";
    uint64_t vector = 2, code;
    size_t i;

    cmd_word(&rest, word, sizeof(word));
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(word, types[i].word) == 0)
            break;
    if (!*args->rest || i == sizeof(types) / sizeof(types[0])) {
        out_error("usage: inject nmi | exception VECTOR [ERROR] | interrupt VECTOR | int VECTOR");
        return CMD_ERROR;
    }
    if (types[i].type != 2) {
        if (!cmd_word(&rest, word, sizeof(word)) || !cmd_number(word, &vector) || vector > 255) {
            out_error("the vector is a number from 0 to 255");
            return CMD_ERROR;
        }
        if (types[i].type == 3 && cmd_word(&rest, word, sizeof(word))) {
            if (!cmd_number(word, &code) || code > UINT32_MAX) {
                out_error("the error code is a number");
                return CMD_ERROR;
            }
            snprintf(error, sizeof(error), "error:%" PRIx64 ";", code);
        }
    }
    if (!target_do(console->target, "Qtl.inject:type:%x;vector:%" PRIx64 ";%s", types[i].type,
                   vector, error)) {
        out_error("%s", target_error(console->target));
        return CMD_ERROR;
    }
    out_printf("queued for the next entry\n");
    return CMD_OK;
}

const struct cmd_row cmd_run_rows[] = {
    {"continue|c|cont", "[COUNT]", "let the guest run until the next stop",
     "With COUNT, the next COUNT-1 hits of the event it stands at pass without a stop. In a script "
     "it waits for the next stop or the guest's end; at the prompt it comes back at once. As the "
     "last "
     "command of a batch it goes past events that have stopped the guest before, to the guest's "
     "end.",
     cmd_continue, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_NONE, NULL},
    {"stepi|si|s|step", "[COUNT]", "run one instruction, or COUNT", NULL, cmd_stepi,
     CMD_LINE | CMD_STOPPED, CMD_COMPLETE_NONE, NULL},
    {"nextexit|ne", "[KIND[,KIND]]", "run to the next exit (of these kinds), before its handler",
     NULL, cmd_nextexit, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_KIND, NULL},
    {"skip", "", "go past the exiting instruction without performing it",
     "RIP advances by the instruction's length; its handler will not run.", cmd_skip,
     CMD_LINE | CMD_STOPPED, CMD_COMPLETE_NONE, NULL},
    {"retry", "", "enter the guest again at this instruction, without the handler", NULL, cmd_retry,
     CMD_LINE | CMD_STOPPED, CMD_COMPLETE_NONE, NULL},
    {"interrupt|int", "", "stop the running guest (^C does the same)", NULL, cmd_interrupt,
     CMD_LINE, CMD_COMPLETE_NONE, NULL},
    {"inject", "nmi | exception VECTOR [ERROR] | interrupt VECTOR | int VECTOR",
     "deliver an event to the guest at its next entry", NULL, cmd_inject, CMD_LINE | CMD_STOPPED,
     CMD_COMPLETE_WORDS, "nmi exception interrupt int"},
    {"detach", "", "let the guest go and leave the line to its text", NULL, cmd_detach, CMD_LINE,
     CMD_COMPLETE_NONE, NULL},
    {"reset", "", "restart the machine and attach again", NULL, cmd_reset, 0, CMD_COMPLETE_NONE,
     NULL},
    {"kill|k", "", "switch the machine off (one that `run` started)", NULL, cmd_kill, 0,
     CMD_COMPLETE_NONE, NULL},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
