/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Code at LATE_VA whose page appears by a plain store to a page-table entry, and is moved to another
 * frame by a second one before it was ever used: neither needs an INVLPG, and there is none. A
 * debugger's breakpoint on `LATE_VA` must be hit all the same. Then the page is rewritten in place.
 */
#include "guest.inc"
#include "long.inc"
    .set LATE_VA, 0x40000000
    .macro FRAME at, value
    movl $0xb8 + (\value << 8), \at  /* mov $value, %eax; ret */
    movl $0xc300, \at + 4
    .endm
    GUEST late_map
    movl $late_pd + 3, long_pdpt + 8
    movl $late_pt + 3, late_pd
    FRAME frame_a, 0x0a
    FRAME frame_b, 0x0b
    FRAME frame_c, 0x0c
    LONG_MODE work
    .code64
work:
    mov $SEL_DATA32, %eax
    mov %eax, %ss
    mov $stack_top, %esp
    mov $late_pd, %ebx
    .globl in_a, in_b, in_c, in_d
in_a:
    mov $frame_a + 3, %eax
    mov %rax, late_pt - late_pd(%rbx)               /* appears */
    mov $LATE_VA, %edx
    call *%rdx
    mov %eax, got_a - late_pd(%rbx)
in_b:
    mov $frame_c + 3, %eax
    mov %rax, late_pt + 8 - late_pd(%rbx)           /* the second page: present at frame_c ... */
    mov $frame_b + 3, %eax
    mov %rax, late_pt + 8 - late_pd(%rbx)           /* ... and before its first use at frame_b */
    mov $LATE_VA + 0x1000, %edx
    call *%rdx
    mov %eax, got_b - late_pd(%rbx)
in_c:
    movb $0x1c, frame_a + 1 - late_pd(%rbx)         /* rewritten in place, by another address */
    mov $LATE_VA, %edx
    call *%rdx
    mov %eax, got_c - late_pd(%rbx)
in_d:
    COMPAT_MODE done
    .code32
done:
    CHECK "mapped late", $0x0a, got_a
    CHECK "moved before use", $0x0b, got_b
    CHECK "rewritten", $0x1c, got_c
    DONE
    .bss
    .balign 4096
late_pd: .skip 4096
late_pt: .skip 4096
frame_a: .skip 4096
frame_b: .skip 4096
frame_c: .skip 4096
got_a: .long 0
got_b: .long 0
got_c: .long 0
