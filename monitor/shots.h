/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Snapshots of a stopped guest (registers, VMCS or VMCB fields, MSR area) and what differs. */
#pragma once

#include "monitor/cmd.h"

/* Takes one under a name; without a name lists them. */
enum cmd_result shots_take(struct console *console, const char *name);

/* "A B", or "A" against now; names of snapshots, or two files of `ring save`. */
enum cmd_result shots_diff(struct console *console, const char *words);

/* At the end of the program. */
void shots_free(void);
