/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads and writes the VGA text page. */
#include "guest.inc"
    GUEST text_page
    movw $0x0741, 0xb8000
    movzwl 0xb8000, %eax
    CHECK "text cell", $0x0741, %eax
    DONE
