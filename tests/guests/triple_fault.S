/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dies: an invalid opcode with an IDT that has no gate. */
#include "guest.inc"
    GUEST triple_fault
    lidt no_idt
    mov $0x600df00d, %eax
    .globl last_words
last_words:
    ud2
    DONE
    .section .rodata
no_idt:
    .word 0
    .long 0
