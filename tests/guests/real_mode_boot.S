/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A boot sector: real mode at 0x7c00, BIOS calls, a visit to protected mode and back. */
    .code16
    .globl _start
_start:
    ljmp $0, $1f
1:  cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    sti
    mov $0x3fb, %dx         /* COM1: 8N1; the speed is what the BIOS left */
    mov $3, %al
    out %al, %dx
    mov $text_start, %si
    call say
    mov $0x0e21, %ax        /* BIOS teletype: '!' on the screen */
    mov $7, %bx
    int $0x10
    int $0x12               /* conventional memory in KiB */
    cmp $500, %ax
    jb failed
    mov $text_bios, %si
    call say
    cli
    lgdt gdt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmp $8, $protected
    .code32
protected:
    mov $0x10, %ax
    mov %ax, %ds
    mov 0xffff0, %bl        /* the reset vector's jump, reached by a flat 32-bit address */
    ljmp $0x18, $leave
    .code16
leave:
    mov %cr0, %eax
    and $~1, %al
    mov %eax, %cr0
    ljmp $0, $2f
2:  xor %ax, %ax
    mov %ax, %ds
    sti
    cmp $0xea, %bl
    jne failed
    mov $text_back, %si
    call say
    mov $text_done, %si
    call say
    mov $0x10, %al
    out %al, $0xf4
    mov $0x604, %dx
    mov $0x2000, %ax
    out %ax, %dx
    mov $0x8900, %dx
    mov $'D', %al
    out %al, %dx
    mov $text_shutdown, %si
    mov $8, %cx
    rep outsb
failed:
    hlt
    jmp failed

say:                        /* %si: text */
    lodsb
    test %al, %al
    jz 2f
    mov %al, %ah
    mov $0x3fd, %dx
1:  in %dx, %al
    test $0x20, %al
    jz 1b
    mov %ah, %al
    mov $0x3f8, %dx
    out %al, %dx
    jmp say
2:  ret

text_start: .asciz "guest real_mode: start\r\n"
text_bios: .asciz "guest real_mode: bios: ok\r\n"
text_back: .asciz "guest real_mode: back: ok\r\n"
text_done: .asciz "guest real_mode: done\r\n"
text_shutdown: .ascii "Shutdown"
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00009b000000ffff /* 16-bit code */
gdt_pointer:
    .word . - gdt - 1
    .long gdt
    .org _start + 510
    .word 0xaa55
