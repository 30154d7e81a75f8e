/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Switches XSAVE on unless CPUID says that it is on, then reads XCR0: with a wrong OSXSAVE bit that is
 * #UD without a gate. */
#include "guest.inc"
    GUEST osxsave
    mov $1, %eax
    cpuid
    bt $26, %ecx
    jc 1f
    SAY "no xsave here"
    DONE
1:  bt $27, %ecx
    jc 2f
    mov %cr4, %eax
    bts $18, %eax
    mov %eax, %cr4
2:  xor %ecx, %ecx
    xgetbv
    and $1, %eax
    CHECK "xcr0.x87", $1, %eax
    mov $1, %eax
    cpuid
    shr $27, %ecx
    and $1, %ecx
    CHECK "osxsave follows cr4", $1, %ecx
    DONE
