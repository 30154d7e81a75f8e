/* SPDX-License-Identifier: GPL-3.0-or-later */
/* INVPCID if CPUID shows it: without its enabling control that is #UD without a gate. */
#include "guest.inc"
    .set ALL_CONTEXTS, 2
    GUEST invpcid
    mov $7, %eax
    xor %ecx, %ecx
    cpuid
    bt $10, %ebx
    jnc 1f
    mov $ALL_CONTEXTS, %eax
    invpcid descriptor, %eax
    SAY "invpcid: ok"
1:  DONE
    .section .rodata
    .balign 16
descriptor: .quad 0, 0
