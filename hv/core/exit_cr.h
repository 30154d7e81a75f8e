/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What other files of core need from the control-register handlers. */
#pragma once

#include <stdint.h>

/* Once, at start-up: learns from CPUID which CR4 bits the guest may set. */
void exit_cr_init(void);

/* CR4 bits that the guest may set. */
uint64_t exit_cr4_allowed(void);
