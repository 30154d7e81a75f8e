/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the three rooms of the self-test's states share: selftest_state.c (the base, and which fields
 * may be touched), selftest_modes.c (legal states), selftest_damage.c (what is done to them).
 */
#pragma once

#include "core/selftest_entry.h"

static inline bool entry_on_svm(void)
{
    return hv_backend == &svm_backend;
}

/* The backend's own state, made safe to enter: what every mode starts from. Needs entry_base(). */
const struct entry_state *entry_base_state(void);
/* The bits that the field has. */
uint64_t entry_mask(uint16_t row);
/* A random one of the fields that may be damaged. */
uint16_t entry_free_row(void);
/* Makes *state the legal state number `step` (they come in turn); returns its name. */
const char *entry_apply_mode(struct entry_state *state, uint32_t step);
