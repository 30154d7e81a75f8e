/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RDMSR of a capability MSR that this CPU need not have, with a handler for the #GP it deserves. */
#include "guest.inc"
    .set IA32_VMX_PROCBASED_CTLS3, 0x492
    GUEST msr_absent
    GATE 13, on_gp
    mov $IA32_VMX_PROCBASED_CTLS3, %ecx
    rdmsr
    SAY "no fault"
    DONE
on_gp:
    SAY "general protection"
    DONE
