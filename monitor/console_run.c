/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the console does with an attached machine: the -x and -e script (its lines are
 * console_script.c's), then the prompt; and the verdict at the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/broker.h"
#include "monitor/console_impl.h"
#include "monitor/editor.h"
#include "monitor/out.h"
#include "monitor/report.h"
#include "monitor/target.h"
#include "monitor/view.h"

#define PROMPT         "(tl) "
#define PROMPT_RUNNING "(tl running) "
#define PROMPT_GDB     "(tl gdb) "
#define HANG_LOOK_MS   3000u

/* readline's callbacks carry no context: there is one console a process. */
static struct console *the_console;

enum cmd_result console_run_line(struct console *console, const char *line)
{
    enum cmd_result result;

    console->interrupted = false;
    report_command(console->report, line);
    console->in_command = true;
    result = cmd_execute(console, line);
    console->in_command = false;
    report_result(console->report, result);
    if (result == CMD_QUIT)
        console->quitting = true;
    return result;
}

/* ---- scripts ---- */

static void settle(struct console *console, enum cmd_result result)
{
    if (console->status != STATUS_OK)
        return;
    if (result == CMD_EXPECT_FAILED)
        console->status = STATUS_EXPECT_FAILED;
    else if (result == CMD_LOST)
        console->status = STATUS_LOST;
    else if (result == CMD_ERROR)
        console->status = STATUS_USAGE;
}

static enum cmd_result run_script(struct console *console)
{
    const struct options *options = console->options;
    enum cmd_result result = CMD_OK;

    for (size_t i = 0; i < options->script_count && result == CMD_OK; i++) {
        bool last = i + 1 == options->script_count;

        if (options->script[i].is_file) {
            result = console_script_file(console, options->script[i].text, last);
        } else {
            char *copy = strdup(options->script[i].text);

            result = copy ? console_script_line(console, copy, last) : CMD_ERROR;
            free(copy);
        }
    }
    return result;
}

/* ---- the prompt ---- */

static void on_line(char *text)
{
    struct console *console = the_console;
    static char *last; /* an empty line repeats a step or an `x` */
    const char *line = text;

    if (!text) {
        out_printf("\n");
        console->quitting = true;
        editor_stop(); /* or readline prompts once more */
        return;
    }
    line += strspn(line, " \t");
    if (*line) {
        free(last);
        last = NULL;
        if (cmd_repeats(line))
            last = strdup(line);
        console_run_line(console, line);
    } else if (last) {
        console_run_line(console, last);
    }
    free(text);
    if (console->quitting)
        editor_stop();
}

static char *on_complete(const char *line, int start, const char *word, int state)
{
    return cmd_complete(the_console, line, start, word, state);
}

static void prompt_loop(struct console *console)
{
    static const struct editor_calls calls = {.line = on_line, .complete = on_complete};

    the_console = console;
    editor_start(PROMPT, &calls);
    while (!console->quitting) {
        /* With GDB there it stays the same: a thousand steps must not draw it a thousand times. */
        editor_prompt(broker_connected(console->broker) ? PROMPT_GDB
                      : console_running(console)        ? PROMPT_RUNNING
                                                        : PROMPT);
        editor_show();
        console_pump_keys(console, -1, true);
        console->interrupted = false;
    }
    editor_stop();
}

/* Commands from a pipe: as -x -, until its end. */
static enum cmd_result pipe_loop(struct console *console)
{
    return console_source(console, "-");
}

/* The time is over and the guest runs: where? Stops it for the answer, and leaves a record in the log. */
static void look_at_hang(struct console *console)
{
    uint64_t give_up_ms = console_now_ms() + HANG_LOOK_MS;

    if (!console->timed_out || !console_attached(console) || !console_running(console))
        return;
    console->quitting = false;
    session_break_in(console->session);
    while ((console_running(console) || console->stop_is_new) && console_attached(console) &&
           console_now_ms() < give_up_ms)
        if (!console_pump_keys(console, 50, false))
            break;
    if (console_attached(console) && !console_running(console))
        console_keep_record(console, true);
    console->quitting = true;
}

int console_run(struct console *console)
{
    enum cmd_result result;

    if (!console->options->batch || console->options->script_count == 0)
        view_attached(console);
    console->stop_is_new = false;
    view_stop(console);
    result = run_script(console);
    if (!console->interactive || result == CMD_QUIT || result == CMD_LOST)
        settle(console, result);
    if (console->interactive && result != CMD_QUIT)
        prompt_loop(console);
    else if (!console->options->batch && result == CMD_OK && !console->interactive)
        settle(console, pipe_loop(console));
    look_at_hang(console);
    if (console->status == STATUS_OK && console->dead_unasked && !console->interactive) {
        console->status = STATUS_GUEST_DIED;
        out_error("the guest died, and no `catch` or `expect stop` asked for that");
    }
    if (!report_end(console->report, console->status) && console->status == STATUS_OK)
        console->status = STATUS_USAGE;
    return (int)console->status;
}
