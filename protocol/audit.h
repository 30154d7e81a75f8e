/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The judges of `audit cpuid|memtype|reset`: pure functions of facts that the hypervisor collects
 * (hv/core/audit.c) and tests make up. Each disagreement is one line; the rows that are looked at stand
 * in audit.def.
 */
#pragma once

#include "protocol/record.h"
#include "protocol/snapshot.h"

/* Where the lines go, and the count of what was looked at and what disagrees. */
struct audit_out {
    void (*line)(void *ctx, const char *text);
    void *ctx;
    unsigned checked, found;
};

#define AUDIT_LINE_MAX 240u

/* "N disagreement(s) in M checks", the last line of every audit. */
void audit_end(struct audit_out *out);

/* ---- CPUID ---- */

enum audit_leaf { AUDIT_LEAF_1, AUDIT_LEAF_7, AUDIT_LEAF_D1, AUDIT_LEAF_X1, AUDIT_LEAF_COUNT };
enum audit_reg { AUDIT_EAX, AUDIT_EBX, AUDIT_ECX, AUDIT_EDX };

struct audit_cpuid {
    uint32_t guest[AUDIT_LEAF_COUNT][4]; /* what the guest is told, by audit_leaf and audit_reg */
    uint32_t host[AUDIT_LEAF_COUNT][4];  /* what the CPU says to us */
    uint64_t cr4_guest;                  /* as the guest wrote it */
    uint64_t cr4_allowed;                /* bits that the guest may set */
    const struct snapshot *state;        /* controls and capability MSRs */
};

/* Leaf and subleaf of a row, to collect them. */
void audit_leaf_number(enum audit_leaf leaf, uint32_t *number, uint32_t *subleaf);
void audit_cpuid(const struct audit_cpuid *facts, struct audit_out *out);

/* ---- memory types ---- */

#define AUDIT_MTRR_VAR_MAX 32u
#define AUDIT_MTRR_FIXED   11u

/* The MTRRs as they are at the moment of the question. */
struct audit_mtrrs {
    uint64_t cap, def_type;
    uint64_t fixed[AUDIT_MTRR_FIXED]; /* 250h 258h 259h 268h .. 26fh */
    uint64_t base[AUDIT_MTRR_VAR_MAX], mask[AUDIT_MTRR_VAR_MAX];
    uint8_t maxphyaddr_bits;
};

extern const uint32_t audit_fixed_msrs[AUDIT_MTRR_FIXED];

/* Memory type of an address (SDM, "MTRR Precedences"); *until_gpa: the first address above it at which
 * another MTRR range begins or ends. */
uint8_t audit_mtrr_type(const struct audit_mtrrs *mtrrs, uint64_t gpa, uint64_t *until_gpa);

/* Fed with pieces in ascending order, each of one MTRR and one nested type; joins equal neighbours. */
struct audit_memtype {
    struct audit_out *out;
    bool nested_has_type; /* EPT; NPT leaves the types to the MTRRs */
    bool open;
    uint64_t from_gpa, to_gpa;
    uint8_t nested_type, mtrr_type;
};
void audit_memtype_add(struct audit_memtype *run, uint64_t from_gpa, uint64_t to_gpa,
                       uint8_t nested_type, uint8_t mtrr_type);
void audit_memtype_end(struct audit_memtype *run);

/* ---- the guest's first state ---- */

enum audit_handoff { AUDIT_LINUX32, AUDIT_MULTIBOOT, AUDIT_BOOT_SECTOR, AUDIT_FLAT };

struct audit_reset {
    enum audit_handoff handoff;
    uint64_t gpr[16], rip, rflags;
    uint64_t cr0, cr2, cr3, cr4, efer; /* as the guest reads them */
    uint64_t cr4_real, efer_real;      /* as the CPU holds them */
    uint64_t cr4_forced;               /* CR4 bits that VMX operation demands */
    uint64_t dr[4], dr6, dr7, xcr0, pat, debugctl;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t gdtr_base, idtr_base;
    uint32_t gdtr_limit, idtr_limit;
    struct record_segment segment[8]; /* ES CS SS DS FS GS LDTR TR */
};

void audit_reset(const struct audit_reset *facts, struct audit_out *out);
