/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A timer interrupt whose frame goes to a page without a nested mapping: its delivery is interrupted by
 * an exit and must be made again. The guest watches itself: no tick, and it dies by UD2. */
#include "guest.inc"
#include "long.inc"
    .macro OUTB port, value
    mov $\value, %al
    out %al, $\port
    .endm
    GUEST irq_high_stack
    OUTB 0x20, 0x11         /* both 8259s: vectors 0x20 and 0x28, only IRQ 0 open */
    OUTB 0xa0, 0x11
    OUTB 0x21, 0x20
    OUTB 0xa1, 0x28
    OUTB 0x21, 4
    OUTB 0xa1, 2
    OUTB 0x21, 1
    OUTB 0xa1, 1
    OUTB 0x21, 0xfe
    OUTB 0xa1, 0xff
    GATE64 0x20, on_tick
    lidt long_idt_pointer
    LONG_MODE in_long_mode
    .code64
in_long_mode:
    mov $HIGH_VA + 0x1000, %rsp
    OUTB 0x43, 0x30         /* PIT channel 0: one shot, about 1 ms */
    OUTB 0x40, 0xa9
    OUTB 0x40, 0x04
    sti
    mov $0x2000000, %ecx
1:  dec %ecx
    jnz 1b
    cli
    mov $no_idt, %eax
    lidt (%rax)
    ud2
on_tick:
    OUTB 0x20, 0x20
    COMPAT_MODE back
    .code32
back:
    SAY "tick"
    DONE
    .section .rodata
no_idt: .word 0
    .quad 0
