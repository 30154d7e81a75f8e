/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest sends itself an NMI whose frame goes to a page without a nested mapping: its delivery is
 * interrupted by an exit and must be made again, once, although the CPU counts it as begun. */
#include "guest.inc"
#include "long.inc"
    .set APIC_ICR_LOW, 0xfee00300
    .set APIC_ICR_HIGH, 0xfee00310
    .set APIC_ID, 0xfee00020
    .set ICR_NMI, 0x4400    /* to the CPU named in the upper half, level high */
    .set APIC_VA, 0x800000  /* the local APIC's 2 MiB, through the fifth entry of long_pd */
    /* 55 ms by channel 2 of the timer, gate on, speaker off. */
    .macro WAIT_55_MS
    in $0x61, %al
    and $0xfc, %al
    or $1, %al
    out %al, $0x61
    mov $0xb0, %al
    out %al, $0x43
    mov $0xff, %al
    out %al, $0x42
    out %al, $0x42
9:  in $0x61, %al
    test $0x20, %al
    jz 9b
    .endm
    GUEST nmi_high_stack
    mov $6, %ecx            /* the hypervisor takes an NMI soon after a byte on the line for its own */
1:  WAIT_55_MS
    loop 1b
    GATE64 2, on_nmi
    lidt long_idt_pointer
    mov APIC_ID, %eax
    and $0xff000000, %eax
    mov %eax, APIC_ICR_HIGH
    movl $0xfee00083, long_pd + 32
    LONG_MODE in_long_mode
    .code64
in_long_mode:
    mov $HIGH_VA + 0x1000, %rsp
    mov $APIC_VA + 0x300, %ebx
    movl $ICR_NMI, (%rbx)
    mov $0x100000, %ecx
1:  dec %ecx
    jnz 1b
    jmp 2f
on_nmi:                     /* no IRET: nobody keeps what was written to that stack */
    mov $count, %eax
    incl (%rax)
2:  COMPAT_MODE back
    .code32
back:
    CHECK "NMIs taken", $1, count
    DONE
    .bss
count: .skip 4
    .text
