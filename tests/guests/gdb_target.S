/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Something for a stock GDB or LLDB to work on: 64-bit code, a round of exactly 20 instructions with an
 * IRETQ and an STI in it, a word it writes, one it reads, and a place that stores RAX. Goes round for
 * ever, and says nothing after its start.
 */
#include "guest.inc"
#include "long.inc"
    GUEST gdb_target
    mov $0xff, %al          /* no interrupts: STI is only stepped over */
    out %al, $0x21
    out %al, $0xa1
    LONG_MODE work
    .code64
work:
    mov $SEL_DATA32, %eax
    mov %eax, %ss
    mov $vars, %ebx
    mov $stack_top, %esp
    .globl round, spot, after_write, after_read, store_rax, counter, watched, readme, saved, needle
round:
    incl counter - vars(%rbx)
    mov %rsp, %rcx
    mov %ss, %eax
    push %rax
    push %rcx
    pushfq
    mov %cs, %eax
    push %rax
    mov $after_iret, %eax
    push %rax
    iretq
after_iret:
    sti
    nop
    cli
    mov counter - vars(%rbx), %eax
spot:
    mov %eax, watched - vars(%rbx)
after_write:
    mov readme - vars(%rbx), %edx
after_read:
    add $1, %r8
    nop
    jmp round               /* the 20th */
store_rax:
    mov %rax, saved - vars(%rbx)
    jmp round
    .section .rodata
    .balign 16
needle: .long 0, 0xfeedface, 0
    .bss
    .balign 8
vars:
saved: .quad 0
counter: .long 0
watched: .long 0
readme: .long 0
