/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes CR0 by every road there is: MOV, LMSW, CLTS; and reads it back by MOV and SMSW. */
#include "guest.inc"
    GUEST cr0_write
    mov %cr0, %eax
    SAY_HEX "cr0 at start", %eax
    or $0x10028, %eax       /* WP, NE, TS */
    mov %eax, %ebx
    mov %eax, %cr0
    mov %cr0, %eax
    CHECK "mov to cr0", %ebx, %eax
    clts
    and $~8, %ebx
    mov %cr0, %eax
    CHECK "clts", %ebx, %eax
    mov $0x000b, %ax        /* LMSW loads PE MP EM TS and cannot clear PE: here PE, MP and TS */
    lmsw %ax
    and $~0xe, %ebx
    or $0xb, %ebx
    mov %cr0, %eax
    CHECK "lmsw" %ebx, %eax
    smsw %eax
    mov %cr0, %ecx
    and $0xffff, %eax
    and $0xffff, %ecx
    CHECK "smsw", %ecx, %eax
    mov %ebx, %eax
    and $~0x1000a, %eax     /* WP, MP, TS off again */
    mov %eax, %ebx
    mov %eax, %cr0
    mov %cr0, %eax
    CHECK "bits off", %ebx, %eax
    DONE
