/* SPDX-License-Identifier: GPL-3.0-or-later */
/* x87 and SSE registers that a debugger changes at `edit_here`: the guest stores them behind it and
 * says what it finds. */
#include "guest.inc"
    GUEST fpu_regs
    mov %cr4, %eax
    or $0x200, %eax         /* OSFXSR */
    mov %eax, %cr4
    fninit
    fld1
    movl $0x1f80, image
    ldmxcsr image
    mov $0x11223344, %eax
    movd %eax, %xmm3
    .globl edit_here
edit_here:
    nop
    fstpl image
    movups %xmm3, image + 16
    movups %xmm7, image + 32
    stmxcsr image + 48
    fnstcw image + 52
    SAY_HEX "st0 low", image
    SAY_HEX "st0 high", image + 4
    SAY_HEX "xmm3.0", image + 16
    SAY_HEX "xmm3.3", image + 28
    SAY_HEX "xmm7.1", image + 36
    SAY_HEX "mxcsr", image + 48
    SAY_HEX "fcw", image + 52
    DONE
    .bss
    .balign 16
image: .skip 64
