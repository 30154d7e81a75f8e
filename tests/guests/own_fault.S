/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dies of a mistake that kernels make, with no IDT to report it; the last letter of the command line
 * says which: a..d on the way to long mode, the others in it. explain must name each.
 */
#include "guest.inc"
    .set EFER, 0xc0000080
    .macro IF_BUG letter    /* EBP holds the letter; nothing else uses it */
    cmp $\letter, %ebp
    jne 9f
    .endm
    GUEST own_fault
    lidt no_idt
    mov 16(%ebx), %esi      /* multiboot information: command line */
1:  movzbl (%esi), %eax
    test %eax, %eax
    jz 2f
    mov %eax, %ebp
    inc %esi
    jmp 1b
2:  movl $pdpt + 3, pml4
    movl $0x83, pd          /* 2 MiB pages: identity, first 4 MiB */
    movl $0x200083, pd + 8
    movl $pd + 3, pdpt
    IF_BUG 'd'               /* NX in an entry of the code's, EFER.NXE clear */
    movl $0x80000000, pd + 4
9:  mov $0x20, %eax
    IF_BUG 'a'               /* long mode without PAE */
    xor %eax, %eax
9:  IF_BUG 'b'               /* a reserved bit of CR4 */
    or $0x80000000, %eax
9:  mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    IF_BUG 'c'               /* LME into the neighbour of EFER */
    inc %ecx
9:  xor %edx, %edx
    mov $0x100, %eax
    wrmsr
    mov $0x80000001, %eax
    mov %eax, %cr0
    ljmp $SEL_CODE64, $in_long_mode
    .code64
in_long_mode:
    IF_BUG 'e'               /* a read of what is not mapped */
    mov $0x40000000, %ebx
    mov (%rbx), %rax
9:  IF_BUG 'f'               /* a jump to what is no address */
    mov $0x8000000000000000, %rax
    jmp *%rax
9:  IF_BUG 'g'               /* MOVAPS of what is not aligned */
    mov %cr4, %rax
    or $0x200, %eax
    mov %rax, %cr4
    mov $pml4 + 8, %eax
    movaps (%rax), %xmm0
9:  IF_BUG 'h'               /* SSE that nobody switched on */
    movups (%rbx), %xmm0
9:  IF_BUG 'i'               /* the stack has run off the mapped memory */
    mov $0x40000000, %esp
    push %rax
9:  IF_BUG 'j'               /* a write to a read-only page */
    mov %cr0, %rax
    or $0x10000, %eax
    mov %rax, %cr0
    mov $pd, %eax
    andl $~2, 8(%rax)
    mov %cr3, %rax
    mov %rax, %cr3
    mov $0x200000, %eax
    movl $1, (%rax)
9:  hlt
    jmp 9b
    .code32
    .section .rodata
no_idt:
    .word 0
    .long 0
    .bss
    .balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4096
