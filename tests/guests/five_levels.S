/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Five-level paging, where the CPU has it: the first 4 MiB once more at bit 48, an address that is not
 * canonical with four levels. */
#include "guest.inc"
#include "long.inc"
    GUEST five_levels
    mov $7, %eax
    xor %ecx, %ecx
    cpuid
    bt $16, %ecx            /* LA57 */
    jc 1f
    SAY "la57: absent"
    DONE
1:  movl $long_pml4 + 3, pml5
    movl $long_pml4 + 3, pml5 + 8
    LONG_MODE in_long_mode, pml5, 0x1020
    .code64
in_long_mode:
    mov $SEL_DATA32, %eax
    mov %eax, %ss
    mov $needle, %ebx
    bts $48, %rbx
    .globl at_needle
at_needle:
    mov (%rbx), %esi
    COMPAT_MODE back
    .code32
back:
    CHECK "far read", $0xfeedface, %esi
    DONE
    .data
    .globl needle
    .balign 4096
needle: .long 0xfeedface, 0
    .bss
    .balign 4096
pml5: .skip 4096
