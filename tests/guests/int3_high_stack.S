/* SPDX-License-Identifier: GPL-3.0-or-later */
/* INT3 whose frame goes to a page without a nested mapping: a software exception that must be delivered
 * again with its instruction length. */
#include "guest.inc"
#include "long.inc"
    GUEST int3_high_stack
    GATE64 3, on_int3
    lidt long_idt_pointer
    LONG_MODE in_long_mode
    .code64
in_long_mode:
    mov $HIGH_VA + 0x1000, %rsp
    int3
on_int3:
    COMPAT_MODE back
    .code32
back:
    SAY "int3"
    DONE
