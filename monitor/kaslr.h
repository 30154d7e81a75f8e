/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a Linux guest's kernel really is: compares symbols with addresses the guest itself uses. */
#pragma once

#include <stdbool.h>

struct console;

/* Looks (when the guest is stopped in 64-bit paging) and tells symbols.h; says what it found. Quiet
 * when there is nothing to find yet: false. */
bool kaslr_find(struct console *console);
