/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the explainers are written with; only explain*.c.
 */
#pragma once

#include "protocol/explain.h"
#include "protocol/text.h"

struct explain_run {
    const struct crash_record *r;
    struct explanation *out;
    const char *id;
    struct explain_item overflow; /* one that found no room */
};

/* Begins a conclusion; the texts are then appended through the two writers. */
struct explain_writer {
    struct text text, evidence;
};
struct explain_writer explain_add(struct explain_run *run, enum explain_certainty certainty,
                                  uint16_t rank);

/* Newest ring entry that matches, or NULL. index: MSR of RDMSR/WRMSR, or ~0 for any. */
const struct record_ring *explain_last(const struct crash_record *r, uint8_t kind, uint64_t index);

/* "at RIP 0x..." of a ring entry. */
void explain_at(struct text *t, const struct record_ring *entry);

/* Ranks: specific proofs above rules above general pictures. */
enum {
    RANK_PROOF = 900,
    RANK_RULE = 800,
    RANK_PICTURE = 500,
    RANK_GENERAL = 300,
    RANK_LAST = 1,
};

#define X_PE          (UINT64_C(1) << 0)
#define X_PG          (UINT64_C(1) << 31)
#define X_PAE         (UINT64_C(1) << 5)
#define X_OSXSAVE     (UINT64_C(1) << 18)
#define X_LME         (UINT64_C(1) << 8)
#define X_LMA         (UINT64_C(1) << 10)
#define X_IF          (UINT64_C(1) << 9)
#define X_MSR_EFER    0xc0000080u
#define X_MSR_FS_BASE 0xc0000100u
#define X_MSR_GS_BASE 0xc0000101u
