/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Instructions that may raise #GP on a guest's behalf. Each has a row in .extable (instruction
 * address, fix-up address); fault.c resumes at the fix-up. All return 0, or -1 with nothing changed.
 */
    .macro may_fault insn:vararg
9001:   \insn
    .pushsection .extable, "a", @progbits
    .balign 8
    .quad 9001b, safe_failed
    .popsection
    .endm

    .text

/* int rdmsr_safe(uint32_t index, uint64_t *value) */
    .globl rdmsr_safe
rdmsr_safe:
    movl %edi, %ecx
    may_fault rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, (%rsi)
    xorl %eax, %eax
    ret

/* int wrmsr_safe(uint32_t index, uint64_t value) */
    .globl wrmsr_safe
wrmsr_safe:
    movl %edi, %ecx
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
    may_fault wrmsr
    xorl %eax, %eax
    ret

/* int xsetbv_safe(uint32_t index, uint64_t value) */
    .globl xsetbv_safe
xsetbv_safe:
    movl %edi, %ecx
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
    may_fault xsetbv
    xorl %eax, %eax
    ret

safe_failed:
    movl $-1, %eax
    ret

    .section .note.GNU-stack, "", @progbits
