/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Seeded faults: `if (seeded(SEEDED_cr0_ne))` marks the place of a defect that is built in on
 * purpose. options.c sets the bits from `fault=NAME[,NAME]`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum hv_seeded {
#define SEEDED(NAME, word, cause) SEEDED_##NAME,
#include "core/seeded.def"
#undef SEEDED
    SEEDED_COUNT
};

/* Written once, by options.c, before the first guest instruction. */
extern uint64_t seeded_mask;

static inline bool seeded(enum hv_seeded which)
{
    return __builtin_expect(seeded_mask >> which & 1, 0);
}
