/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What rule functions are written with; only rules_*.c. A read of a missing value returns 0 and marks
 * the run, so that the rule ends as "cannot tell" whatever it then reports.
 */
#pragma once

#include "protocol/rules.h"

/* VMX controls that decide rules (SDM, "VM-Execution Control Fields" and following). */
enum {
    PIN_EXT_INTR = 1 << 0,
    PIN_NMI = 1 << 3,
    PIN_VNMI = 1 << 5,
    PIN_TIMER = 1 << 6,
    PIN_POSTED = 1 << 7,
};
enum {
    PROC_TPR_SHADOW = 1 << 21,
    PROC_NMI_WINDOW = 1 << 22,
    PROC_IO_BITMAPS = 1 << 25,
    PROC_MSR_BITMAPS = 1 << 28,
    PROC_TERTIARY = 1 << 17,
};
#define PROC_SECONDARY (UINT64_C(1) << 31)
enum {
    PROC2_APIC_ACCESS = 1 << 0,
    PROC2_EPT = 1 << 1,
    PROC2_X2APIC = 1 << 4,
    PROC2_VPID = 1 << 5,
    PROC2_UNRESTRICTED = 1 << 7,
    PROC2_APIC_REGS = 1 << 8,
    PROC2_VID = 1 << 9,
    PROC2_VMFUNC = 1 << 13,
    PROC2_SHADOW = 1 << 14,
    PROC2_PML = 1 << 17,
    PROC2_VE = 1 << 18,
    PROC2_MBEC = 1 << 22,
    PROC2_SPP = 1 << 23,
    PROC2_TSC_SCALING = 1 << 25,
};
enum {
    EXIT_HOST_64 = 1 << 9,
    EXIT_LOAD_PERF = 1 << 12,
    EXIT_ACK_INTR = 1 << 15,
    EXIT_LOAD_PAT = 1 << 19,
    EXIT_LOAD_EFER = 1 << 21,
    EXIT_SAVE_TIMER = 1 << 22,
    EXIT_LOAD_CET = 1 << 28,
};
enum {
    ENTRY_LOAD_DEBUG = 1 << 2,
    ENTRY_IA32E = 1 << 9,
    ENTRY_TO_SMM = 1 << 10,
    ENTRY_NO_DUAL = 1 << 11,
    ENTRY_LOAD_PERF = 1 << 13,
    ENTRY_LOAD_PAT = 1 << 14,
    ENTRY_LOAD_EFER = 1 << 15,
    ENTRY_LOAD_BNDCFGS = 1 << 16,
    ENTRY_LOAD_CET = 1 << 20,
};

#define CR0_PE    (UINT64_C(1) << 0)
#define CR0_WP    (UINT64_C(1) << 16)
#define CR0_NW    (UINT64_C(1) << 29)
#define CR0_CD    (UINT64_C(1) << 30)
#define CR0_PG    (UINT64_C(1) << 31)
#define CR4_PAE   (UINT64_C(1) << 5)
#define CR4_PCIDE (UINT64_C(1) << 17)
#define CR4_CET   (UINT64_C(1) << 23)
#define CR4_LA57  (UINT64_C(1) << 12)
#define EFER_SCE  (UINT64_C(1) << 0)
#define EFER_LME  (UINT64_C(1) << 8)
#define EFER_LMA  (UINT64_C(1) << 10)
#define EFER_NXE  (UINT64_C(1) << 11)
#define EFER_SVME (UINT64_C(1) << 12)
#define RFLAGS_TF (UINT64_C(1) << 8)
#define RFLAGS_IF (UINT64_C(1) << 9)
#define RFLAGS_VM (UINT64_C(1) << 17)

#define MSR_VMX_BASIC      0x480u
#define MSR_VMX_PIN        0x481u
#define MSR_VMX_PROC       0x482u
#define MSR_VMX_EXIT       0x483u
#define MSR_VMX_ENTRY      0x484u
#define MSR_VMX_MISC       0x485u
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR0_FIXED1 0x487u
#define MSR_VMX_CR4_FIXED0 0x488u
#define MSR_VMX_CR4_FIXED1 0x489u
#define MSR_VMX_PROC2      0x48bu
#define MSR_VMX_EPT_VPID   0x48cu
#define MSR_VMX_TRUE_PIN   0x48du
#define MSR_VMX_TRUE_PROC  0x48eu
#define MSR_VMX_TRUE_EXIT  0x48fu
#define MSR_VMX_TRUE_ENTRY 0x490u
#define MSR_VMX_VMFUNC     0x491u
#define MSR_VMX_PROC3      0x492u

/* Value of a field by row; missing: 0 and the run is marked. */
uint64_t rule_field(struct rule_run *run, uint16_t row);
/* A capability MSR. */
uint64_t rule_cap(struct rule_run *run, uint32_t index);
/* Bits at and above the physical-address width; marks the run when the width is unknown. */
uint64_t rule_beyond_maxphyaddr(struct rule_run *run);
bool rule_canonical(const struct rule_run *run, uint64_t address);
/* The field must be a canonical address. */
void rule_canonical_field(struct rule_run *run, uint16_t row);
/* The field must be a legal IA32_PAT; the first byte that is no memory type is reported. */
void rule_pat_field(struct rule_run *run, uint16_t row);
/* The first byte of a PAT that is no memory type, as a mask; 0 when there is none. */
uint64_t rule_pat_wrong(uint64_t pat);
/* Secondary controls in force: 0 unless "activate secondary controls". */
uint64_t rule_proc2(struct rule_run *run);

#define F(name_) rule_field(run, VMCS_ROW_##name_)

/* "IA-32e mode guest" of the entry controls; "unrestricted guest", in force. */
static inline bool rule_ia32e(struct rule_run *run)
{
    return F(entry_controls) & ENTRY_IA32E;
}

static inline bool rule_unrestricted(struct rule_run *run)
{
    return rule_proc2(run) & PROC2_UNRESTRICTED;
}

/* The current rule is violated by the field: bits wrong, and what usually causes it. */
void rule_bits(struct rule_run *run, uint16_t row, uint64_t must_set, uint64_t must_clear,
               const char *hint);
/* The same for a relation of two fields. */
void rule_clash(struct rule_run *run, uint16_t row, uint16_t row2, const char *hint);
/* For an entry of the VM-entry MSR-load list. */
void rule_entry(struct rule_run *run, unsigned entry_number, const struct snapshot_msr *msr,
                const char *hint);
