/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The differential self-test of the VM-entry rules, a boot mode (`selftest=entry,seed=S,count=N`):
 * legal states are damaged, the rules say what the CPU will do, the CPU does it, and the two are
 * compared.
 */
#pragma once

#include "core/backend.h"
#include "protocol/rules.h"

/* One field as the self-test keeps it: what a legal state holds. */
struct entry_state {
    uint64_t value[SNAPSHOT_ROWS_MAX]; /* by table row */
    bool used[SNAPSHOT_ROWS_MAX];      /* the CPU has the field and it may be written */
    struct snapshot_list list;         /* VM-entry MSR-load list */
};

/* What was changed to make the state under test. */
#define ENTRY_CHANGES_MAX 3u
struct entry_change {
    uint16_t row; /* SNAPSHOT_ABSENT_ROW: an entry of the MSR list */
    uint8_t list_entry;
    uint64_t value;
};
struct entry_case {
    const char *mode; /* name of the legal state */
    unsigned count;
    struct entry_change change[ENTRY_CHANGES_MAX];
};

/* Random numbers, repeatable from the seed (selftest_damage.c). */
void entry_seed(uint64_t seed);
uint32_t entry_random(uint32_t below);
/* Reads the backend's own state as the base of all modes. Needs vcpu_init() done. */
void entry_base(struct vcpu *vcpu, uint64_t empty_root_hpa, uint64_t page_hpa,
                const struct snapshot *caps);
/* Picks a mode and damages it; *state is then what will be entered. */
struct entry_case entry_make(struct entry_state *state, uint32_t step);
/* Would an entry that succeeds leave the guest by itself? */
bool entry_is_safe(const struct entry_state *state);
/* Is this a field that the CPU uses on the hypervisor's own behalf? */
bool entry_row_is_dangerous(uint16_t row);
/* Would even a refused entry of this state take the hypervisor down on this emulator? */
bool entry_is_deadly(const struct entry_state *state);

/* Runs the test and prints its report; ends the machine where an emulator offers that. */
_Noreturn void selftest_entry(struct vcpu *vcpu, uint64_t seed, uint32_t count);
