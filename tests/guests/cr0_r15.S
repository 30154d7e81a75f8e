/* SPDX-License-Identifier: GPL-3.0-or-later */
/* MOV %r15,%cr0, as Windows does it: a register number that needs its fourth bit. */
#include "guest.inc"
#include "long.inc"
    GUEST cr0_r15
    LONG_MODE in_long_mode
    .code64
in_long_mode:
    mov %cr0, %r15
    btc $5, %r15            /* NE: one of the bits that exit on VMX */
    mov %r15, %r14
    mov $0x12, %edi         /* what a number cut to 3 bits takes instead */
    mov %r15, %cr0
    mov %cr0, %r13
    xor %r14d, %r13d
    mov %r13d, %ebx
    COMPAT_MODE back
    .code32
back:
    CHECK "cr0 read back", $0, %ebx
    DONE
