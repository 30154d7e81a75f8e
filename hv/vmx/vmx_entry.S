/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * World switch of VMX: guest registers in, guest registers out (RSP, RIP and RFLAGS through the
 * VMCS); CR2 and debug registers are C's business. Every instruction here is paid at each exit, so
 * the VMREADs and VMWRITEs are not checked one by one: these fields exist on every CPU with VMX, and
 * without a current VMCS the entry itself fails (VMfailInvalid).
 */

#include "core/guest_regs.h"

/* Rows of protocol/vmcs_fields.def; vmx.c asserts them. */
#define HOST_RSP     0x6c14
#define GUEST_RSP    0x681c
#define GUEST_RIP    0x681e
#define GUEST_RFLAGS 0x6820
#define EXIT_REASON  0x4402

/* Row of protocol/exit_reasons.def. */
#define REASON_CPUID 10

        .text

/*
 * int vmx_enter(struct guest_regs *regs [rdi], bool launched [esi])
 * Stack while the guest runs, from host RSP upwards:
 *   regs | r15 r14 r13 r12 rbx rbp | return address
 */
        .globl  vmx_enter
        .type   vmx_enter, @function
        .balign 16
vmx_enter:
        push_callers
        pushq   %rdi
        movl    $HOST_RSP, %eax
        vmwrite %rsp, %rax
        movl    $GUEST_RIP, %eax
        vmwrite REGS_RIP(%rdi), %rax
        movl    $GUEST_RSP, %eax
        vmwrite REGS_RSP(%rdi), %rax
        movl    $GUEST_RFLAGS, %eax
        vmwrite REGS_RFLAGS(%rdi), %rax
        testb   %sil, %sil              /* MOV leaves the flags alone until the branch below */
        movq    REGS_RAX(%rdi), %rax
        load_changing %rdi
        load_kept %rdi
        movq    REGS_RDI(%rdi), %rdi
        jz      .Llaunch
        vmresume
        jmp     .Lfailed
.Llaunch:
        vmlaunch
.Lfailed:                               /* CF: VMfailInvalid, else VMfailValid */
        movl    $1, %eax
        jc      .Lleave
        movl    $2, %eax
        jmp     .Lleave

        .globl  vmx_exit_landing
        .balign 16
vmx_exit_landing:                       /* host RIP; RSP as it was at the VMWRITE above */
        pushq   %rdi
        movq    8(%rsp), %rdi
        movq    %rax, REGS_RAX(%rdi)    /* the others stay in the CPU for CPUID */
        save_changing %rdi
        popq    REGS_RDI(%rdi)
        movl    $EXIT_REASON, %eax
        vmread  %rax, %rax
        cmpl    $REASON_CPUID, %eax
        je      .Lcpuid
.Lslow:
        save_kept %rdi
        movl    $GUEST_RIP, %eax
        vmread  %rax, REGS_RIP(%rdi)
        movl    $GUEST_RSP, %eax
        vmread  %rax, REGS_RSP(%rdi)
        movl    $GUEST_RFLAGS, %eax
        vmread  %rax, REGS_RFLAGS(%rdi)
        xorl    %eax, %eax
.Lleave:
        addq    $8, %rsp
        pop_callers
        retq

/* The short road of CPUID: RBP and R12-R15 stay in the CPU, where the C function leaves them alone. */
.Lcpuid:
        call    vmx_fast_cpuid          /* RSP is 16-aligned: seven pushes and the return address */
        movq    (%rsp), %rdi
        testb   %al, %al
        jz      .Lslow
        movq    REGS_RAX(%rdi), %rax
        load_changing %rdi
        movq    REGS_RDI(%rdi), %rdi
        vmresume
        movq    (%rsp), %rdi            /* refused: keep what the long road would have kept */
        save_kept %rdi
        jmp     .Lfailed
        .size   vmx_enter, . - vmx_enter

/*
 * void vmx_unblock_nmis(void)
 * SDM, "Architectural State Before a VM Exit": a VM exit caused by an NMI blocks NMIs until the next
 * IRET. The frame returns to the end of this function.
 */
        .globl  vmx_unblock_nmis
        .type   vmx_unblock_nmis, @function
vmx_unblock_nmis:
        movq    %rsp, %rax
        movl    %ss, %ecx
        pushq   %rcx                    /* SS */
        pushq   %rax                    /* RSP */
        pushfq
        movl    %cs, %ecx
        pushq   %rcx
        leaq    1f(%rip), %rcx
        pushq   %rcx
        iretq
1:      retq
        .size   vmx_unblock_nmis, . - vmx_unblock_nmis

        .section .note.GNU-stack, "", @progbits
