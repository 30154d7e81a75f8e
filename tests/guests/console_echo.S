/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Echoes what is typed on its console, byte by byte, with interrupts off. `~` makes it talk as fast as
 * its UART takes it: FLOOD numbered lines, for tests of a line that is full. EBP counts the polls. */
#include "guest.inc"
    .set FLOOD, 400
    GUEST console_echo
    xor %ebp, %ebp
    .globl poll
poll:
    inc %ebp
    mov $COM1 + 5, %dx
    in %dx, %al
    test $1, %al
    jz poll
    mov $COM1, %dx
    in %dx, %al
    cmp $'~', %al
    je flood
    call put_char
    jmp poll
flood:
    xor %edi, %edi
1:  mov $text_flood, %esi
    call put_string
    mov %edi, %ebx
    call put_hex
    mov $text_long, %esi
    call put_string
    call put_newline
    inc %edi
    cmp $FLOOD, %edi
    jne 1b
    SAY "flood over"
    jmp poll
    .section .rodata
text_flood: .asciz "flood "
text_long: .asciz " the quick brown fox jumps over it"
