/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A boot sector that prints the BIOS's memory map, one line an entry: what INT 15h shows a guest. */
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
    xor %ebx, %ebx
next:
    mov $0xe820, %eax
    mov $0x534d4150, %edx   /* 'SMAP' */
    mov $20, %ecx
    mov $entry, %di
    int $0x15
    jc failed
    cmp $0x534d4150, %eax
    jne failed
    cmp $20, %ecx
    jne failed
    push %ebx
    mov $text_entry, %si
    call say
    mov $entry + 8, %di
    call hex64
    mov $entry + 16, %di
    call hex64
    mov $entry + 20, %di
    call hex32
    mov $text_line, %si
    call say
    pop %ebx
    test %ebx, %ebx
    jnz next
    mov $0xe801, %ax
    int $0x15
    jc failed
    mov %cx, entry
    mov %dx, entry + 2
    mov $text_e801, %si
    call say
    mov $entry + 4, %di
    call hex32
    mov $text_done, %si
    call say
    mov $0x10, %al          /* the ways out of QEMU and Bochs */
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
    mov $text_failed, %si
    call say
1:  hlt
    jmp 1b

/* The number that ends at %di, most significant digit first, then a blank. */
hex64:
    mov $8, %cx
    jmp 1f
hex32:
    mov $4, %cx
1:  dec %di
    mov (%di), %bl
    mov %bl, %al
    shr $4, %al
    call digit
    mov %bl, %al
    and $15, %al
    call digit
    loop 1b
    mov $' ', %al
    jmp put
digit:
    cmp $10, %al
    sbb $0x69, %al          /* '0'..'9', 'A'..'F' without a table */
    das
put:
    mov %al, %ah
    mov $0x3fd, %dx
1:  in %dx, %al
    test $0x20, %al
    jz 1b
    mov %ah, %al
    mov $0x3f8, %dx
    out %al, %dx
    ret
say:                        /* %si: text */
    lodsb
    test %al, %al
    jz 1f
    call put
    jmp say
1:  ret

text_entry: .asciz "guest e820: "
text_e801: .asciz "guest e820: e801 "
text_shutdown: .ascii "Shutdown"
text_done: .ascii "\r\nguest e820: done"
text_line: .asciz "\r\n"
text_failed: .asciz "guest e820: FAILED\r\n"
    .balign 4
entry:
    .skip 24
    .org _start + 510
    .word 0xaa55
