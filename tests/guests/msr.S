/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RDMSR and WRMSR of MSRs that the CPU does not switch by itself, of one that does not exist, and of
 * EFER with reserved bits, and of values that no CPU takes. Whether the last three fault is the CPU's
 * matter (QEMU's TCG does not mind); under the hypervisor EFER and the values do, and none of them
 * fails an entry. */
#include "guest.inc"
    .set EFER, 0xc0000080
    .set STAR, 0xc0000081
    .set LSTAR, 0xc0000082
    .set FMASK, 0xc0000084
    .set KERNEL_GS_BASE, 0xc0000102
    .set PAT, 0x277
    .set NO_SUCH_MSR, 0x4711
    GUEST msr
    GATE 13, on_gp
    mov $EFER, %ecx
    rdmsr
    SAY_HEX "efer", %eax
    or $1, %eax             /* SCE */
    wrmsr
    mov %eax, %ebx
    rdmsr
    CHECK "efer.sce", %ebx, %eax
    mov $STAR, %ecx
    mov $0x12345678, %eax
    mov $0x00230010, %edx
    wrmsr
    xor %eax, %eax
    xor %edx, %edx
    rdmsr
    CHECK "star low", $0x12345678, %eax
    CHECK "star high", $0x00230010, %edx
    mov $KERNEL_GS_BASE, %ecx
    mov $0x89abcdef, %eax
    mov $0xffff8000, %edx
    wrmsr
    xor %eax, %eax
    cpuid                   /* an exit between write and read: the value must survive it */
    mov $KERNEL_GS_BASE, %ecx
    rdmsr
    CHECK "kernel_gs_base low", $0x89abcdef, %eax
    CHECK "kernel_gs_base high", $0xffff8000, %edx
    mov $NO_SUCH_MSR, %ecx
    rdmsr
after_bad_rdmsr:
    SAY_HEX "unknown msr faulted", faulted
    mov $EFER, %ecx
    xor %eax, %eax
    mov $0xffffffff, %edx   /* reserved bits of EFER: #GP on every CPU */
    movl $0, faulted
    wrmsr
    SAY_HEX "reserved efer bits faulted", faulted
    mov $LSTAR, %ecx
    mov $0x40000000, %edx   /* not canonical, 5 levels or 4 */
    call try_wrmsr
    mov $FMASK, %ecx
    mov $1, %edx            /* reserved upper half */
    call try_wrmsr
    mov $PAT, %ecx
    mov $0x00070402, %edx   /* memory type 2 does not exist */
    call try_wrmsr
    xor %eax, %eax
    cpuid                   /* entries go on */
    SAY_HEX "bad values faulted", refusals /* one bit each */
    DONE

/* %ecx: MSR, %edx: upper half; the lower one is 0. */
try_wrmsr:
    xor %eax, %eax
    movl $0, faulted
    wrmsr
    mov faulted, %eax
    shll refusals
    or %eax, refusals
    ret

on_gp:                      /* error code, EIP, CS, EFLAGS: skip the two bytes of RDMSR or WRMSR */
    movl $1, faulted
    add $4, %esp
    addl $2, (%esp)
    iret
    .bss
faulted: .long 0
refusals: .long 0
