/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hot exit: 10,000 CPUIDs that count down in %esi, then one WBINVD for a debugger to stop at. Says
 * what they cost: on Bochs a tick is an instruction. */
#include "guest.inc"
    .set ROUNDS, 10000
    GUEST cpuid_hot
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
    wbinvd
    SAY_HEX "ticks for all", %edi
    DONE
