/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes to instruction text, in 16, 32 or 64 bits, AT&T as GDB writes it or Intel. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISAS_TEXT_BYTES 192
#define DISAS_INSN_BYTES 15 /* the longest instruction */

struct disas_insn {
    uint8_t len_bytes; /* 0: not an instruction */
    bool has_target;   /* a direct jump or call, or a RIP-relative operand */
    uint64_t target_gva;
    char text[DISAS_TEXT_BYTES];
};

/* Decodes one instruction at `address` (its offset within CS). bits is 16, 32 or 64. */
struct disas_insn disas_one(unsigned bits, bool intel, uint64_t address, const uint8_t *bytes,
                            size_t len_bytes);
