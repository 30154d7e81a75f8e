/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hang nobody can interrupt: interrupts off, jump to itself. */
#include "guest.inc"
    GUEST spin_cli
    mov $0x5717, %ebx       /* a mark to find in the registers */
    .globl spin
spin:
    jmp spin
