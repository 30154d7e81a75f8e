/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Entries of the 256 vectors. Each builds struct fault_frame (cpu/cpu.h) on whatever stack the gate
 * chose and calls trap_entry(); the NMI only counts, and touches neither GS nor C.
 *
 * Stack at trap_entry, lowest address first: rax rcx rdx rbx rbp rsi rdi r8..r15, vector, error
 * code, then what the CPU pushed: rip cs rflags rsp ss. On an IST stack the word above ss is the
 * cpu pointer (struct cpu_stack_head).
 */
#include "cpu/layout.h"

    .text

/* Vectors that push an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX. */
#define ERROR_CODE_VECTORS \
    ((1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17) | \
     (1 << 21) | (1 << 29) | (1 << 30))

    .balign 16
    .globl cpu_stub_base
cpu_stub_base:
    .set vector, 0
    .rept 256
    .balign 16
    .set has_error, 0
    .if vector < 32
    .set has_error, (ERROR_CODE_VECTORS >> vector) & 1
    .endif
    .if !has_error
    pushq $0
    .endif
    pushq $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

    .balign 16
trap_common:
    pushq %r15
    pushq %r14
    pushq %r13
    pushq %r12
    pushq %r11
    pushq %r10
    pushq %r9
    pushq %r8
    pushq %rdi
    pushq %rsi
    pushq %rbp
    pushq %rbx
    pushq %rdx
    pushq %rcx
    pushq %rax
    cld
    movq %rsp, %rdi
    /* The frame is 22 words: on an IST stack (16-byte aligned) and behind a hardware-aligned
     * interrupt frame alike, RSP is a multiple of 16 here, as the call wants. */
    call trap_entry
    popq %rax
    popq %rcx
    popq %rdx
    popq %rbx
    popq %rbp
    popq %rsi
    popq %rdi
    popq %r8
    popq %r9
    popq %r10
    popq %r11
    popq %r12
    popq %r13
    popq %r14
    popq %r15
    addq $16, %rsp
    iretq

/* The CPU pointer lies above the five words of the frame; +8 for the saved rax. */
    .balign 16
    .globl cpu_stub_nmi
cpu_stub_nmi:
    pushq %rax
    movq 48(%rsp), %rax
    lock incl CPU_NMI_SEEN(%rax)
    popq %rax
    iretq

    .section .note.GNU-stack, "", @progbits
