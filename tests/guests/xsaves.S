/* SPDX-License-Identifier: GPL-3.0-or-later */
/* XSAVES and XRSTORS of the x87 state if CPUID shows them: without their enabling control they are #UD
 * without a gate. */
#include "guest.inc"
    .set CR4_OSFXSR, 1 << 9
    .set CR4_OSXSAVE, 1 << 18
    .set X87, 1
    GUEST xsaves
    mov $1, %eax
    cpuid
    bt $26, %ecx
    jnc 1f
    mov $0xd, %eax
    mov $1, %ecx
    cpuid
    bt $3, %eax
    jnc 1f
    mov %cr4, %eax
    or $CR4_OSFXSR | CR4_OSXSAVE, %eax
    mov %eax, %cr4
    fninit
    fld1
    mov $X87, %eax
    xor %edx, %edx
    xsaves area
    fninit
    mov $X87, %eax
    xrstors area
    fistpl value
    CHECK "st0 came back", $1, value
1:  DONE
    .bss
    .balign 64
area: .skip 4096
value: .skip 4
    .text
