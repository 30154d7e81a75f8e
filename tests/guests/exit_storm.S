/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nothing but exits, interrupts off: CPUID for ever. */
#include "guest.inc"
    GUEST exit_storm
storm:
    xor %eax, %eax
    cpuid
    jmp storm
