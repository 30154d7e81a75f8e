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

#define OWN_IDT 10 /* in struct svm_idts; svm.c asserts it */

        .text

/*
 * void svm_enter(struct guest_regs *regs [rdi], uint64_t vmcb_hpa [rsi], uint64_t host_hpa [rdx],
 *                const struct svm_idts *idts [rcx])
 * Stack while the guest runs, from RSP upwards: regs, host_hpa, idts, r15..rbx, rbp, return address.
 *
 * GIF is clear from CLGI to STGI, outside the guest: an NMI that ended the guest's run stays pending
 * and is taken through our IDT right behind STGI, with our TSS loaded again. IF is 0 throughout; with
 * V_INTR_MASKING = 0 the guest's own IF decides about interrupts.
 *
 * idts is NULL on real CPUs. Emulators let a #DB of the guest hit us between VMRUN and VMLOAD, when
 * an IST entry would be read from the guest's TSS: there the IDT in force has no IST.
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
        pushq   %rcx
        pushq   %rdx
        pushq   %rdi
        movq    %rsi, %rax
        clgi
        testq   %rcx, %rcx
        jz      1f
        lidt    (%rcx)
1:      vmload  %rax
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
        popq    %rax                    /* regs */
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
        popq    %rdx
        popq    %rcx
        testq   %rcx, %rcx
        jz      1f
        lidt    OWN_IDT(%rcx)
1:      stgi
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        retq
        .size   svm_enter, . - svm_enter

/*
 * #DB with the guest's TSS loaded: on the stack of svm_enter(), nothing but DR7 off; DR6 keeps the
 * reason for svm_run.c.
 */
        .globl  svm_stray_db
        .balign 16
svm_stray_db:
        pushq   %rax
        movl    $0x400, %eax
        movq    %rax, %dr7
        popq    %rax
        iretq

        .section .note.GNU-stack, "", @progbits
