/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * struct guest_regs for the world switches, which are assembly: offsets (vcpu.c asserts them) and
 * what both vendors do with them. Registers come in two sets: those that a C function called between
 * exit and entry may change, with RBX, which CPUID writes; and those that it keeps. RAX, RDI and RSP
 * are each switch's own matter.
 */
#pragma once

#define REGS_RAX    0
#define REGS_RCX    8
#define REGS_RDX    16
#define REGS_RBX    24
#define REGS_RSP    32
#define REGS_RBP    40
#define REGS_RSI    48
#define REGS_RDI    56
#define REGS_R8     64
#define REGS_R9     72
#define REGS_R10    80
#define REGS_R11    88
#define REGS_R12    96
#define REGS_R13    104
#define REGS_R14    112
#define REGS_R15    120
#define REGS_RIP    128
#define REGS_RFLAGS 136

#ifdef __ASSEMBLER__
/* clang-format off */
/* Flags stay as they are in all of these. */
        .macro  load_changing from
        movq    REGS_RCX(\from), %rcx
        movq    REGS_RDX(\from), %rdx
        movq    REGS_RBX(\from), %rbx
        movq    REGS_RSI(\from), %rsi
        movq    REGS_R8(\from), %r8
        movq    REGS_R9(\from), %r9
        movq    REGS_R10(\from), %r10
        movq    REGS_R11(\from), %r11
        .endm

        .macro  load_kept from
        movq    REGS_RBP(\from), %rbp
        movq    REGS_R12(\from), %r12
        movq    REGS_R13(\from), %r13
        movq    REGS_R14(\from), %r14
        movq    REGS_R15(\from), %r15
        .endm

        .macro  save_changing to
        movq    %rcx, REGS_RCX(\to)
        movq    %rdx, REGS_RDX(\to)
        movq    %rbx, REGS_RBX(\to)
        movq    %rsi, REGS_RSI(\to)
        movq    %r8, REGS_R8(\to)
        movq    %r9, REGS_R9(\to)
        movq    %r10, REGS_R10(\to)
        movq    %r11, REGS_R11(\to)
        .endm

        .macro  save_kept to
        movq    %rbp, REGS_RBP(\to)
        movq    %r12, REGS_R12(\to)
        movq    %r13, REGS_R13(\to)
        movq    %r14, REGS_R14(\to)
        movq    %r15, REGS_R15(\to)
        .endm

/* Our caller's own, on our stack. */
        .macro  push_callers
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        .endm

        .macro  pop_callers
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        .endm
/* clang-format on */
#endif
