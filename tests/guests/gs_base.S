/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets the GS base by WRMSR, makes an exit, and uses it: with a lost base the access is to an address
 * that is not mapped, and no gate is there (as Linux dies in cr4_init_shadow). */
#include "guest.inc"
#include "long.inc"
    .set OFFSET, 0x40000000
    GUEST gs_base
    LONG_MODE in_long_mode
    .code64
in_long_mode:
    mov $0xc0000101, %ecx
    mov $cell, %eax
    sub $OFFSET, %rax
    mov %rax, %rdx
    shr $32, %rdx
    wrmsr
    xor %eax, %eax
    cpuid
    movl $0x600df00d, %gs:OFFSET
    COMPAT_MODE back
    .code32
back:
    CHECK "through gs", $0x600df00d, cell
    DONE
    .bss
cell: .long 0
