/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `stats`: the hypervisor's counters as a table, or all of them to a JSON file. */
#pragma once

#include "monitor/cmd.h"

/* `stats ...` behind its name. */
enum cmd_result stats_command(struct console *console, const char *text);
