/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The PIT ticks about every millisecond while a loop runs with interrupts on: a debugger that steps decides
 * whether the handler comes between. EBX not 0, set from outside, ends the loop; then ticks are counted. */
#include "guest.inc"
    .macro OUTB port, value
    mov $\value, %al
    out %al, $\port
    .endm
    GUEST timer_ticks
    GATE 0x18, on_tick
    OUTB 0x20, 0x11         /* both 8259s: vectors 0x18 and 0x10, only IRQ 0 open */
    OUTB 0xa0, 0x11
    OUTB 0x21, 0x18
    OUTB 0xa1, 0x10
    OUTB 0x21, 4
    OUTB 0xa1, 2
    OUTB 0x21, 1
    OUTB 0xa1, 1
    OUTB 0x21, 0xfe
    OUTB 0xa1, 0xff
    OUTB 0x43, 0x34         /* PIT channel 0: again and again, about 1 ms */
    OUTB 0x40, 0xa9
    OUTB 0x40, 0x04
    xor %ebx, %ebx
    xor %esi, %esi
    sti
    .globl loop_first, loop_end, handler_first, handler_end
loop_first:
    nop
    inc %edi
    test %ebx, %ebx
    jz loop_first
loop_end:
    xor %esi, %esi          /* counts anew */
1:  cmp $20, %esi
    jb 1b
    cli
    SAY "twenty ticks"
    DONE
handler_first:
on_tick:
    push %eax
    inc %esi
    OUTB 0x20, 0x20
    pop %eax
    iret
handler_end:
    nop
