/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Raises exceptions and checks vector, error code and return address of each. */
#include "guest.inc"
    .macro STUB vector, has_code
on_\vector:
    .if \has_code == 0
    push $0x0
    .endif
    push $\vector
    jmp common
    .endm
    /* Runs one instruction that faults (or traps) and checks what arrived. */
    .macro RAISE text, vector, code, instruction:vararg
    movl $9f, resume_at
    movl $-1, seen_vector
7:  \instruction
9:  CHECK "\text vector", $\vector, seen_vector
    CHECK "\text code", $\code, seen_code
    .endm
    GUEST exceptions
    GATE 0, on_0
    GATE 3, on_3
    GATE 4, on_4
    GATE 6, on_6
    GATE 7, on_7
    GATE 11, on_11
    GATE 13, on_13
    GATE 31, on_31
    xor %ecx, %ecx
    RAISE "divide", 0, 0, div %ecx
    RAISE "int3", 3, 0, int3
    mov $0x7fffffff, %eax
    add $1, %eax            /* sets OF */
    RAISE "into", 4, 0, into
    RAISE "ud2", 6, 0, ud2
    mov %cr0, %eax
    or $8, %eax
    mov %eax, %cr0
    RAISE "no fpu", 7, 0, fninit
    clts
    mov $0x38, %eax         /* beyond the GDT's limit */
    RAISE "selector", 13, 0x38, mov %eax, %es
    RAISE "int 31", 31, 0, int $31
    RAISE "no gate", 13, 20*8+2, int $20
    DONE
    STUB 0, 0
    STUB 3, 0
    STUB 4, 0
    STUB 6, 0
    STUB 7, 0
    STUB 11, 1
    STUB 13, 1
    STUB 31, 0
common:                     /* vector, code, EIP, CS, EFLAGS */
    pop seen_vector
    pop seen_code
    push %eax
    mov resume_at, %eax
    mov %eax, 4(%esp)
    pop %eax
    iret
    .bss
resume_at: .long 0
seen_vector: .long 0
seen_code: .long 0
