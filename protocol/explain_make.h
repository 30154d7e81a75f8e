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

/* Was the exit answered with an exception? Then the guest's instruction was not performed. */
static inline bool explain_was_refused(const struct record_ring *entry)
{
    return (entry->inject >> 31 & 1) && (entry->inject >> 8 & 7) == 3;
}

/* "at RIP 0x..." of a ring entry. */
void explain_at(struct text *t, const struct record_ring *entry);

/* Copies code at RIP; bytes that the record does not hold are zero. */
const uint8_t *explain_code(const struct crash_record *r, uint8_t copy[16]);

bool explain_is_64bit(const struct crash_record *r);

/* "#GP", or NULL for a vector without a name of that kind. */
const char *explain_vector_name(uint8_t vector);

/* Why the instruction at RIP must raise an exception: its addresses (explain_fault.c), what it does to
 * the machine (explain_system.c). *vector: what the exit reported or EXPLAIN_NO_VECTOR; a cause of another
 * exception is not offered. True: *vector is set and the cause, a few words, appended to *t. */
#define EXPLAIN_NO_VECTOR 0xffu
bool explain_fault_cause(const struct crash_record *r, uint8_t *vector, struct text *t);
bool explain_system_cause(const struct crash_record *r, uint8_t *vector, struct text *t);

/* An instruction taken apart as far as the causes need it. */
struct explain_insn {
    const struct crash_record *r;
    bool osize; /* 66h */
    uint8_t rep, rex;
    uint8_t map; /* 0: one byte, 1: 0Fh */
    uint8_t op, modrm;
    const uint8_t *rest; /* behind the opcode: ModRM first, if it has one */
    uint8_t copy[16];
};

/* False: the record holds no code. */
bool explain_take_apart(struct explain_insn *look, const struct crash_record *r);

static inline unsigned explain_reg_of(const struct explain_insn *look)
{
    return (look->modrm >> 3 & 7u) | (look->rex & 4 ? 8u : 0u);
}

static inline unsigned explain_rm_of(const struct explain_insn *look)
{
    return (look->modrm & 7u) | (look->rex & 1 ? 8u : 0u);
}

static inline bool explain_is_register(const struct explain_insn *look)
{
    return look->modrm >> 6 == 3;
}

/* explain_segment.c; the first's exception is #GP. */
bool explain_selector_cause(const struct explain_insn *look, struct text *t);
bool explain_descriptor_cause(const struct explain_insn *look, uint8_t *vector, struct text *t);

/* May this exception be it? Sets *vector when it may. */
static inline bool explain_may_be(uint8_t *vector, uint8_t candidate)
{
    if (*vector != EXPLAIN_NO_VECTOR && *vector != candidate)
        return false;
    *vector = candidate;
    return true;
}

/* Ranks: specific proofs above rules above general pictures. */
enum {
    RANK_PROOF = 900,
    RANK_RULE = 800,
    RANK_PICTURE = 500,
    RANK_GENERAL = 300,
    RANK_LAST = 1,
};

#define X_EM          (UINT64_C(1) << 2)
#define X_TS          (UINT64_C(1) << 3)
#define X_WP          (UINT64_C(1) << 16)
#define X_NW          (UINT64_C(1) << 29)
#define X_CD          (UINT64_C(1) << 30)
#define X_OSFXSR      (UINT64_C(1) << 9)
#define X_PCIDE       (UINT64_C(1) << 17)
#define X_SMEP        (UINT64_C(1) << 20)
#define X_SMAP        (UINT64_C(1) << 21)
#define X_AC          (UINT64_C(1) << 18)
#define X_SCE         (UINT64_C(1) << 0)
#define X_NXE         (UINT64_C(1) << 11)
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
