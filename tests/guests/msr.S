/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RDMSR and WRMSR of MSRs that the CPU does not switch by itself, of one that does not exist, and of
 * EFER with reserved bits. Whether the last two fault is the CPU's matter (QEMU's TCG does not mind);
 * under the hypervisor the EFER one does. */
#include "guest.inc"
    .set EFER, 0xc0000080
    .set STAR, 0xc0000081
    .set KERNEL_GS_BASE, 0xc0000102
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
    DONE

on_gp:                      /* error code, EIP, CS, EFLAGS: skip the two bytes of RDMSR or WRMSR */
    movl $1, faulted
    add $4, %esp
    addl $2, (%esp)
    iret
    .bss
faulted: .long 0
