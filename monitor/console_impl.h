/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What console.c and the console_*.c files share. Nobody else includes this. */
#pragma once

#include "monitor/console.h"

struct session_calls console_session_calls(struct console *console);

/* One round of the poll loop: waits at most timeout_ms, and serves the keyboard when `keys`. False when
 * waiting is pointless: time-out, line lost, quitting. */
bool console_pump_keys(struct console *console, int timeout_ms, bool keys);

/* console_stop.c: a new stop is shown when nobody else asks for something just now. */
void console_show_new_stop(struct console *console);

/* console_run.c: one command, with its place in the report. */
enum cmd_result console_run_line(struct console *console, const char *line);

/* console_script.c. `last`: in a batch, nothing comes behind this line or file. */
enum cmd_result console_script_line(struct console *console, char *line, bool last);
enum cmd_result console_script_file(struct console *console, const char *path, bool last);

/* Fetches the crash record of a stopped guest into the log; `say`: shows what `explain` says, too. */
void console_keep_record(struct console *console, bool say);
