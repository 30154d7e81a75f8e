/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The loader's entry: both multiboot headers, the way from 32-bit protected mode to 64-bit at our
 * link addresses, then boot_main(). A CPU without long mode is told so on COM1 and the screen.
 *
 * Early map (replaced by boot/relocate.c): identity and HV_DIRECT_MAP cover the first 4 GiB with
 * 2 MiB pages, the link addresses cover the image with 4 KiB pages.
 */
#include "cpu/layout.h"

#define LINK_BASE 0xffffffff80000000
#define LOAD_HPA  0x100000
/* Physical address of a symbol while the image lies where the loader put it. */
#define PA(sym)   ((sym) - LINK_BASE + LOAD_HPA)

#define MB1_MAGIC 0x1badb002
#define MB1_FLAGS 0x00010003 /* page-aligned modules, memory map, address fields below */
#define MB2_MAGIC 0xe85250d6

#define CR4_PAE   (1 << 5)
#define MSR_EFER  0xc0000080
#define EFER_LME  (1 << 8)
#define EFER_NXE  (1 << 11)
#define EARLY_PT_COUNT 4 /* 8 MiB of image; hv.ld asserts that it is enough */
#define PTE_P_W   3
#define PTE_P_W_PS 0x83

    .section .boot, "ax", @progbits
    .code32
    .balign 8
mb1_header:
    .long MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
    .long PA(mb1_header)     /* header_addr */
    .long PA(image_start)    /* load_addr */
    .long PA(image_data_end) /* load_end_addr */
    .long PA(image_end)      /* bss_end_addr */
    .long PA(entry32)        /* entry_addr */

    .balign 8
mb2_header:
    .long MB2_MAGIC, 0, mb2_header_end - mb2_header
    .long -(MB2_MAGIC + (mb2_header_end - mb2_header))
    .balign 8
    .short 2, 0              /* address tag: load as it lies in the file, no ELF reading */
    .long 24
    .long PA(mb2_header), PA(image_start), PA(image_data_end), PA(image_end)
    .balign 8
    .short 3, 0              /* entry address tag */
    .long 12
    .long PA(entry32)
    .balign 8
    .short 6, 0              /* page-aligned modules */
    .long 8
    .balign 8
    .short 0, 0
    .long 8
mb2_header_end:

    .globl entry32
entry32:
    cli
    cld
    movl %eax, %ebp          /* loader's magic */
    movl %ebx, %esi          /* its information */

    /* The loader need not have cleared .bss; nothing of its own lies there, it knew the size. */
    movl $PA(image_bss_start), %edi
    movl $PA(image_end), %ecx
    subl %edi, %ecx
    xorl %eax, %eax
    rep stosb
    movl $PA(cpu_bsp_stacks + CPU_MAIN_STACK_TOP), %esp

    /* CPUID exists if EFLAGS.ID can be changed. */
    pushfl
    popl %eax
    movl %eax, %ecx
    xorl $(1 << 21), %eax
    pushl %eax
    popfl
    pushfl
    popl %eax
    cmpl %ecx, %eax
    je no_long_mode
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb no_long_mode
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx            /* long mode */
    jnc no_long_mode

    /* Execute-disable is asked for later; remember it in edi for EFER. */
    xorl %edi, %edi
    btl $20, %edx
    jnc 1f
    movl $EFER_NXE, %edi
1:
    /* Four page directories map 4 GiB; identity and direct map share them. */
    movl $PA(early_pd), %ebx
    movl $PTE_P_W_PS, %eax
    movl $2048, %ecx
2:  movl %eax, (%ebx)
    addl $0x200000, %eax
    addl $8, %ebx
    loop 2b
    movl $PA(early_pd) + PTE_P_W, %eax
    movl $PA(early_pdpt), %ebx
    movl $4, %ecx
3:  movl %eax, (%ebx)
    addl $4096, %eax
    addl $8, %ebx
    loop 3b

    /* Image: page tables in a row, one entry a page of the image. */
    movl $PA(image_start) + PTE_P_W, %eax
    movl $PA(early_pt), %ebx
    movl $PA(image_end), %ecx
    subl $PA(image_start), %ecx
    shrl $12, %ecx
4:  movl %eax, (%ebx)
    addl $4096, %eax
    addl $8, %ebx
    loop 4b
    movl $PA(early_pt) + PTE_P_W, %eax
    movl $PA(early_pd_link), %ebx
    movl $EARLY_PT_COUNT, %ecx
5:  movl %eax, (%ebx)
    addl $4096, %eax
    addl $8, %ebx
    loop 5b
    movl $PA(early_pd_link) + PTE_P_W, PA(early_pdpt_link) + 510 * 8
    movl $PA(early_pdpt) + PTE_P_W, PA(early_pml4)
    movl $PA(early_pdpt) + PTE_P_W, PA(early_pml4) + 256 * 8
    movl $PA(early_pdpt_link) + PTE_P_W, PA(early_pml4) + 511 * 8

    movl %cr4, %eax
    orl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $PA(early_pml4), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    orl %edi, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010001, %eax    /* PG, WP, PE */
    movl %eax, %cr0
    lgdt PA(early_gdt_reg)
    ljmpl $SEL_CODE64, $PA(entry64_low)

/* One line for people whose machine cannot run us. Digits and letters only: the UART may be 9600. */
no_long_mode:
    movl $PA(no_long_mode_text), %esi
    movl $0xb8000, %edi
6:  lodsb
    testb %al, %al
    jz 8f
    movb %al, (%edi)
    movb $0x4f, 1(%edi)      /* white on red */
    addl $2, %edi
    movb %al, %bl
    movl $0x10000, %ecx      /* a missing UART must not hang the message */
7:  movw $0x3fd, %dx
    inb %dx, %al
    testb $0x20, %al         /* transmitter holding register empty */
    loopz 7b
    movw $0x3f8, %dx
    movb %bl, %al
    outb %al, %dx
    jmp 6b
8:  cli
    hlt
    jmp 8b
no_long_mode_text:
    .asciz "tl: this CPU has no 64-bit mode (CPUID 80000001h EDX bit 29): Trapline cannot run here\r\n"

    .code64
entry64_low:
    movabsq $entry64, %rax
    jmp *%rax

    .text
entry64:
    lgdt early_gdt_reg64(%rip)
    movl $SEL_DATA, %eax
    movl %eax, %ss
    movl %eax, %ds
    movl %eax, %es
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    leaq cpu_bsp_stacks + CPU_MAIN_STACK_TOP(%rip), %rsp
    movl %ebp, %edi
    movl %esi, %esi          /* clears the upper half */
    xorl %ebp, %ebp          /* end of every back-trace */
    pushq $0
    pushq $0
    call boot_main
    ud2

    .section .rodata, "a", @progbits
    .balign 8
early_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
early_gdt_end:
early_gdt_reg:
    .short early_gdt_end - early_gdt - 1
    .long PA(early_gdt)
early_gdt_reg64:
    .short early_gdt_end - early_gdt - 1
    .quad early_gdt

    .section .bss, "aw", @nobits
    .balign 4096
early_pml4:
    .skip 4096
early_pdpt:
    .skip 4096
early_pdpt_link:
    .skip 4096
early_pd_link:
    .skip 4096
early_pd:
    .skip 4 * 4096
early_pt:
    .skip EARLY_PT_COUNT * 4096

    .section .note.GNU-stack, "", @progbits
