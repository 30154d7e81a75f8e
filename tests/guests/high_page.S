/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads a byte above 4 GiB, where no RAM is and no nested mapping at first: one exit, then all ones, as
 * from any address that nobody answers. */
#include "guest.inc"
#include "long.inc"
    GUEST high_page
    LONG_MODE in_long_mode
    .code64
in_long_mode:
    mov $HIGH_VA, %ebx
    movzbl (%rbx), %esi
    COMPAT_MODE back
    .code32
back:
    SAY_HEX "high byte", %esi
    DONE
