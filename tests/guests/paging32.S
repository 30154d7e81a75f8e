/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two-level 32-bit paging with 4 KiB pages; an alias page proves that the tables are used, a hole
 * proves that #PF arrives with its address and error code. */
#include "guest.inc"
    .set ALIAS, 0x00400000
    .set HOLE, 0x00401000
    GUEST paging32
    GATE 14, on_pf
    mov $0x3, %eax          /* first 4 MiB, identity */
    mov $table0, %edi
    mov $1024, %ecx
1:  stosl
    add $0x1000, %eax
    loop 1b
    movl $table0 + 3, directory
    movl $table1 + 3, directory + 4
    movl $data + 3, table1  /* ALIAS -> data, HOLE -> nothing */
    mov $directory, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80010000, %eax
    .globl paging_on
paging_on:
    mov %eax, %cr0
    CHECK "alias read", $0xfeedface, ALIAS
    movl $0x0badcafe, ALIAS + 4
    CHECK "alias write", $0x0badcafe, data + 4
    movl $1, HOLE + 0x10
    CHECK "page fault address", $HOLE + 0x10, fault_address
    CHECK "page fault code", $2, fault_code
    movl $data + 3, table1 + 4
    invlpg HOLE
    CHECK "hole filled", $0xfeedface, HOLE
    mov %cr3, %eax
    CHECK "cr3", $directory, %eax
    DONE

on_pf:
    pop fault_code
    mov %cr2, %eax
    mov %eax, fault_address
    addl $10, (%esp)        /* over the MOVL imm32, disp32 that faulted */
    iret
    .data
    .balign 4096
data: .long 0xfeedface, 0
    .bss
    .balign 4096
directory: .skip 4096
table0: .skip 4096
table1: .skip 4096
fault_address: .long 0
fault_code: .long 0
