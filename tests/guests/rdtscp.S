/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RDTSCP if CPUID shows it: without its enabling control that is #UD without a gate. */
#include "guest.inc"
    GUEST rdtscp
    mov $0x80000001, %eax
    cpuid
    bt $27, %edx
    jnc 1f
    rdtscp
    SAY "rdtscp: ok"
1:  DONE
