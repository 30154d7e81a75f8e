/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first kernel of many: a boot sector that goes to protected mode, switches interrupts on and has no
 * IDT. The first timer tick ends it.
 */
    .code16
    .globl _start
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %sp
    lgdt gdt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmp $8, $protected
    .code32
protected:
    mov $0x10, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %esp
    sti
1:  hlt
    jmp 1b
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt
    .org 510
    .word 0xaa55
