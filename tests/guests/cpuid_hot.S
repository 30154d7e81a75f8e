/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hot exit: 10,000 CPUIDs that count down in %esi, then one WBINVD for a debugger to stop at. Says
 * what the cheapest 1,000 in a row cost, because a byte of the line may interrupt the others: on Bochs
 * a tick is an instruction. */
#include "guest.inc"
    .set ROUNDS, 10000
    .set BATCH, 1000
    GUEST cpuid_hot
    mov $ROUNDS, %esi
    or $-1, %ebp            /* the fewest ticks so far */
1:  movl $BATCH, batch
    rdtsc
    mov %eax, %edi
2:  xor %eax, %eax
    cpuid
    dec %esi
    decl batch
    jnz 2b
    rdtsc
    sub %edi, %eax
    cmp %ebp, %eax
    cmovb %eax, %ebp
    test %esi, %esi
    jnz 1b
    wbinvd
    SAY_HEX "ticks for the cheapest 1,000", %ebp
    DONE

    .data
    .balign 4
batch:
    .long 0
