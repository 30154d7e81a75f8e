/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `--report FILE.json` or `FILE.xml` (JUnit): what was asked, what came of it. One test case for each
 * command of the script; an `expect` that failed is a failure, anything else that failed an error.
 */
#pragma once

#include "monitor/cmd.h"
#include "monitor/options.h"

struct report;

/* NULL in *made when none was asked for. False after complaining: the file cannot be written. */
bool report_new(const struct options *options, struct report **made);
void report_command(struct report *report, const char *line);
/* More about the command that runs: the message of a failed expect. */
void report_note(struct report *report, const char *text);
void report_result(struct report *report, enum cmd_result result);
/* Why the guest died or hung: the verdict, up to its first line feed. The last one counts. */
void report_why(struct report *report, const char *text);
/* Writes the file, the first time it is called. False after complaining. */
bool report_end(struct report *report, enum exit_status status);
void report_free(struct report *report);
