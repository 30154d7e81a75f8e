/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `catch`: the words a person types to an event of the hypervisor (Qtl.event.add). */
#pragma once

#include "monitor/cmd.h"

/* Parses, arms, prints the number. */
enum cmd_result catch_add(struct console *console, const char *text);
