/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sends itself one NMI after the other through the local APIC, interrupts off, for ever; counts those
 * that its handler took in %edi. */
#include "guest.inc"
    .set APIC_ID, 0xfee00020
    .set ICR_LOW, 0xfee00300
    .set ICR_HIGH, 0xfee00310
    GUEST nmi_storm
    GATE 2, on_nmi
    xor %edi, %edi
    mov APIC_ID, %eax
    and $0xff000000, %eax
    mov %eax, ICR_HIGH
1:  movl $0x4400, ICR_LOW   /* NMI, asserted, to one physical destination: this CPU */
    cmp $100, %edi
    jb 1b
    SAY "100 NMIs"
2:  movl $0x4400, ICR_LOW
    jmp 2b
on_nmi:
    inc %edi
    iret
