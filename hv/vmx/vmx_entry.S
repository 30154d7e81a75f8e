/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * World switch of VMX: guest registers in, guest registers out (RSP, RIP and RFLAGS through the
 * VMCS); CR2 and debug registers are C's business. Every instruction here is paid at each exit, so
 * the VMREADs and VMWRITEs are not checked one by one: these fields exist on every CPU with VMX, and
 * without a current VMCS the entry itself fails (VMfailInvalid).
 */

/* Offsets in struct guest_regs; vmx.c asserts them. */
#define RAX 0
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
#define RSP 32
#define RIP 128
#define RFLAGS 136

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
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushq   %rdi
        movl    $HOST_RSP, %eax
        vmwrite %rsp, %rax
        movl    $GUEST_RIP, %eax
        vmwrite RIP(%rdi), %rax
        movl    $GUEST_RSP, %eax
        vmwrite RSP(%rdi), %rax
        movl    $GUEST_RFLAGS, %eax
        vmwrite RFLAGS(%rdi), %rax
        testb   %sil, %sil              /* MOV leaves the flags alone until the branch below */
        movq    RAX(%rdi), %rax
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
        movq    %rax, RAX(%rdi)         /* first what a C function may change, and RBX for CPUID */
        movq    %rcx, RCX(%rdi)
        movq    %rdx, RDX(%rdi)
        movq    %rbx, RBX(%rdi)
        movq    %rsi, RSI(%rdi)
        movq    %r8, R8(%rdi)
        movq    %r9, R9(%rdi)
        movq    %r10, R10(%rdi)
        movq    %r11, R11(%rdi)
        popq    RDI(%rdi)
        movl    $EXIT_REASON, %eax
        vmread  %rax, %rax
        cmpl    $REASON_CPUID, %eax
        je      .Lcpuid
.Lslow:
        movq    %rbp, RBP(%rdi)
        movq    %r12, R12(%rdi)
        movq    %r13, R13(%rdi)
        movq    %r14, R14(%rdi)
        movq    %r15, R15(%rdi)
        movl    $GUEST_RIP, %eax
        vmread  %rax, RIP(%rdi)
        movl    $GUEST_RSP, %eax
        vmread  %rax, RSP(%rdi)
        movl    $GUEST_RFLAGS, %eax
        vmread  %rax, RFLAGS(%rdi)
        xorl    %eax, %eax
.Lleave:
        addq    $8, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        retq

/* The short road of CPUID: RBP and R12-R15 stay in the CPU, where the C function leaves them alone. */
.Lcpuid:
        call    vmx_fast_cpuid          /* RSP is 16-aligned: seven pushes and the return address */
        movq    (%rsp), %rdi
        testb   %al, %al
        jz      .Lslow
        movq    RAX(%rdi), %rax
        movq    RCX(%rdi), %rcx
        movq    RDX(%rdi), %rdx
        movq    RBX(%rdi), %rbx
        movq    RSI(%rdi), %rsi
        movq    R8(%rdi), %r8
        movq    R9(%rdi), %r9
        movq    R10(%rdi), %r10
        movq    R11(%rdi), %r11
        movq    RDI(%rdi), %rdi
        vmresume
        movq    (%rsp), %rdi            /* refused: keep what the long road would have kept */
        movq    %rbp, RBP(%rdi)
        movq    %r12, R12(%rdi)
        movq    %r13, R13(%rdi)
        movq    %r14, R14(%rdi)
        movq    %r15, R15(%rdi)
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
