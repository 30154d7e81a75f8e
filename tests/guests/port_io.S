/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IN and OUT in all widths, immediate and DX, and string I/O to the console. */
#include "guest.inc"
    GUEST port_io
    mov $0x0f, %al          /* CMOS shutdown status: writable, no side effect */
    out %al, $0x70
    mov $0x5a, %al
    out %al, $0x71
    mov $0x0f, %al
    out %al, $0x70
    xor %eax, %eax
    in $0x71, %al
    CHECK "cmos byte", $0x5a, %eax
    mov $0x0f, %al
    out %al, $0x70
    xor %al, %al
    out %al, $0x71
    mov $0xcf8, %dx         /* PCI: vendor and device of the host bridge, 32 and 16 bits wide */
    mov $0x80000000, %eax
    out %eax, %dx
    xor %eax, %eax
    in %dx, %eax
    CHECK "dword port", $0x80000000, %eax
    mov $0xcfc, %dx
    in %dx, %eax
    SAY_HEX "host bridge", %eax
    mov %eax, %ebx
    xor %eax, %eax
    in %dx, %ax
    and $0xffff, %ebx
    CHECK "word port", %ebx, %eax
    mov $COM1 + 3, %dx      /* a wide access that begins below the UART: its byte is the UART's */
    mov $0x83, %al
    out %al, %dx
    mov $COM1, %dx
    mov $0x0c, %al          /* divisor: 9600 baud */
    out %al, %dx
    mov $COM1 - 1, %dx
    xor %eax, %eax
    in %dx, %ax
    mov %eax, %ebx
    shr $8, %ebx
    mov $COM1, %dx
    mov $1, %al
    out %al, %dx
    mov $COM1 + 3, %dx
    mov $3, %al
    out %al, %dx
    SAY_HEX "uart byte of a word", %ebx /* QEMU alone gives ff: no device takes the word */
    mov $text, %esi
    mov $text_len, %ecx
1:  push %ecx               /* REP OUTSB two at a time: the FIFO is 16 deep, THRE once a turn */
    mov $COM1 + 5, %dx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    mov $COM1, %dx
    mov $2, %ecx
    rep outsb
    pop %ecx
    sub $2, %ecx
    jnz 1b
    CHECK "outsb moved esi", $text + text_len, %esi
    DONE
    .section .rodata
text: .ascii "guest port_io: string out \r\n"
    .set text_len, . - text
