/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PAE paging: four PDPTEs that the CPU loads with CR3, 2 MiB and 4 KiB pages, and a PDPTE that is
 * changed in memory and seen only after CR3 is written again. */
#include "guest.inc"
    .set ALIAS, 0x40000000
    GUEST pae_paging
    movl $pd0 + 1, pdpt
    movl $0x83, pd0         /* first 4 MiB, identity, 2 MiB pages */
    movl $0x200083, pd0 + 8
    movl $pd1 + 1, pdpt + 8
    movl $table + 3, pd1
    movl $data + 3, table
    mov %cr4, %eax
    or $0x20, %eax
    mov %eax, %cr4
    mov $pdpt, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    .globl paging_on
paging_on:
    mov %eax, %cr0
    CHECK "alias read", $0xfeedface, ALIAS
    movl $pd2 + 1, pdpt + 8 /* the same address, another directory */
    movl $table2 + 3, pd2
    movl $data2 + 3, table2
    mov $pdpt, %eax
    mov %eax, %cr3
    CHECK "after cr3 reload", $0x0badcafe, ALIAS
    mov %cr4, %eax
    and $0x20, %eax
    CHECK "cr4.pae", $0x20, %eax
    DONE
    .data
    .balign 4096
data: .long 0xfeedface
    .balign 4096
data2: .long 0x0badcafe
    .bss
    .balign 4096
pd0: .skip 4096
pd1: .skip 4096
pd2: .skip 4096
table: .skip 4096
table2: .skip 4096
pdpt: .skip 32
