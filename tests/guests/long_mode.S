/* SPDX-License-Identifier: GPL-3.0-or-later */
/* To long mode the way Linux's startup_32 goes: CR4.PAE, CR3, EFER.LME, then CR0.PG by
 * MOV %rax,%cr0 in what still is compatibility mode's code segment. Comes back to 32 bit to report. */
#include "guest.inc"
    .set EFER, 0xc0000080
    GUEST long_mode
    movl $pdpt + 3, pml4
    movl $0x83, pd          /* 2 MiB pages: present, writable, large; identity, first 4 MiB */
    movl $0x200083, pd + 8
    movl $pd + 3, pdpt
    mov %cr4, %eax
    or $0x20, %eax
    mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    rdmsr
    bts $8, %eax
    wrmsr
    mov $0x80000001, %eax
    .globl paging_on
paging_on:
    mov %eax, %cr0
    rdmsr
    and $0x500, %eax
    CHECK "efer.lme and lma", $0x500, %eax
    ljmp $SEL_CODE64, $in_long_mode
    .code64
in_long_mode:
    mov $0x1122334455667788, %rax
    mov %rax, %r15
    mov $wide, %ebx         /* 32-bit relocations only: this is a 32-bit ELF */
    mov %r15, (%rbx)
    mov %cr4, %rax
    mov %eax, cr4_seen - wide(%rbx)
    mov $back, %ecx
    push $SEL_CODE32
    push %rcx
    lretq
    .code32
back:
    CHECK "64-bit low", $0x55667788, wide
    CHECK "64-bit high", $0x11223344, wide + 4
    mov cr4_seen, %eax
    and $0x20, %eax
    CHECK "cr4.pae", $0x20, %eax
    mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0          /* PG off: LMA must go, LME must stay */
    mov $EFER, %ecx
    rdmsr
    and $0x500, %eax
    CHECK "efer after paging off", $0x100, %eax
    DONE
    .bss
    .balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4096
wide: .quad 0
cr4_seen: .quad 0
