/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * World switch of SVM. VMRUN itself switches RAX, RSP, RIP, RFLAGS, CRs, segments of code and data;
 * VMLOAD and VMSAVE the rest of the segments and the SYSCALL MSRs; the general registers are ours.
 * Our VMSAVE image never changes, so it is only ever loaded. CR2 and debug registers are C's.
 */

/* Offsets in struct guest_regs; svm.c asserts them. */
#define RCX 8
#define RDX 16
#define RBX 24
#define RBP 40
#define RSI 48
#define RDI 56
#define R8  64
#define R9  72
#define R10 80
#define R11 88
#define R12 96
#define R13 104
#define R14 112
#define R15 120

        .text

/*
 * void svm_enter(struct guest_regs *regs [rdi], uint64_t vmcb_hpa [rsi], uint64_t host_hpa [rdx])
 * Stack while the guest runs, from RSP upwards: regs, host_hpa, r15..rbx, rbp, return address.
 *
 * GIF is clear from CLGI to STGI, outside the guest: an NMI that ended the guest's run stays pending
 * and is taken through our IDT right behind STGI, with our TSS loaded again. IF is 0 throughout; with
 * V_INTR_MASKING = 0 the guest's own IF decides about interrupts.
 */
        .globl  svm_enter
        .type   svm_enter, @function
        .balign 16
svm_enter:
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushq   %rdx
        pushq   %rdi
        movq    %rsi, %rax
        clgi
        vmload  %rax
        movq    RCX(%rdi), %rcx
        movq    RDX(%rdi), %rdx
        movq    RBX(%rdi), %rbx
        movq    RBP(%rdi), %rbp
        movq    RSI(%rdi), %rsi
        movq    R8(%rdi), %r8
        movq    R9(%rdi), %r9
        movq    R10(%rdi), %r10
        movq    R11(%rdi), %r11
        movq    R12(%rdi), %r12
        movq    R13(%rdi), %r13
        movq    R14(%rdi), %r14
        movq    R15(%rdi), %r15
        movq    RDI(%rdi), %rdi

        .globl  svm_vmrun
svm_vmrun:
        vmrun   %rax
        /* #VMEXIT: RAX and RSP are ours again, the other registers are the guest's. */
        vmsave  %rax
        movq    8(%rsp), %rax
        vmload  %rax
        popq    %rax
        movq    %rcx, RCX(%rax)
        movq    %rdx, RDX(%rax)
        movq    %rbx, RBX(%rax)
        movq    %rbp, RBP(%rax)
        movq    %rsi, RSI(%rax)
        movq    %rdi, RDI(%rax)
        movq    %r8, R8(%rax)
        movq    %r9, R9(%rax)
        movq    %r10, R10(%rax)
        movq    %r11, R11(%rax)
        movq    %r12, R12(%rax)
        movq    %r13, R13(%rax)
        movq    %r14, R14(%rax)
        movq    %r15, R15(%rax)
        stgi
        addq    $8, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        retq
        .size   svm_enter, . - svm_enter

        .section .note.GNU-stack, "", @progbits
