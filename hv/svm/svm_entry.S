/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * World switch of SVM. VMRUN itself switches RAX, RSP, RIP, RFLAGS, CRs, segments of code and data;
 * VMLOAD and VMSAVE the rest of the segments and the SYSCALL MSRs; the general registers are ours.
 * Our VMSAVE image never changes, so it is only ever loaded. CR2 and debug registers are C's.
 */

#include "core/guest_regs.h"

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
        push_callers
        pushq   %rcx
        pushq   %rdx
        pushq   %rdi
        movq    %rsi, %rax
        clgi
        testq   %rcx, %rcx
        jz      1f
        lidt    (%rcx)
1:      vmload  %rax
        load_changing %rdi
        load_kept %rdi
        movq    REGS_RDI(%rdi), %rdi

        .globl  svm_vmrun
svm_vmrun:
        vmrun   %rax
        /* #VMEXIT: RAX and RSP are ours again, the other registers are the guest's. */
        vmsave  %rax
        movq    8(%rsp), %rax
        vmload  %rax
        popq    %rax                    /* regs */
        save_changing %rax
        save_kept %rax
        movq    %rdi, REGS_RDI(%rax)
        popq    %rdx
        popq    %rcx
        testq   %rcx, %rcx
        jz      1f
        lidt    OWN_IDT(%rcx)
1:      stgi
        pop_callers
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
