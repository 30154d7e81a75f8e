/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other hang: halted for ever with interrupts off. */
#include "guest.inc"
    GUEST hlt_cli
    mov $0xa17, %ebx
    cli
    .globl halted
halted:
    hlt
    SAY "woke up"
    jmp halted
