/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Price of an exit: ticks of the TSC for 1000 CPUIDs, loop cost taken off. On Bochs a tick is an
 * instruction, so "ticks for 1000" is the count of instructions of 1000 round trips. */
#include "guest.inc"
    .set ROUNDS, 1000
    GUEST cpuid_loop
    call measure            /* warm: first touches fill caches and TLBs */
    call measure
    SAY_HEX "rounds", $ROUNDS
    SAY_HEX "ticks for all", %edi
    mov %edi, %eax
    xor %edx, %edx
    mov $ROUNDS, %ecx
    div %ecx
    SAY_HEX "ticks each", %eax
    DONE

/* Leaves ticks of ROUNDS CPUIDs in %edi, the bare loop's taken off. */
measure:
    rdtsc
    mov %eax, %edi
    mov $ROUNDS, %esi
1:  xor %eax, %eax
    cpuid
    dec %esi
    jnz 1b
    rdtsc
    sub %edi, %eax
    mov %eax, %edi
    rdtsc
    mov %eax, %ebp
    mov $ROUNDS, %esi
1:  xor %eax, %eax
    dec %esi
    jnz 1b
    rdtsc
    sub %ebp, %eax
    sub %eax, %edi
    ret
