/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rules of the VM-entry MSR-load area: why an entry cannot be loaded. The processor goes through
 * the list in order and stops at the first that fails (exit reason 34, entry number from 1).
 */
#include "protocol/rules_run.h"

#define RULE(function, id, group, section, demands) void rule_##function(struct rule_run *run);
#include "protocol/rules_vmx.def"
#undef RULE

enum {
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_PAT = 0x277,
    MSR_UPDATE_TRIGGER = 0x79,
    MSR_SMM_MONITOR = 0x9b,
};
#define MSR_EFER           0xc0000080u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_FMASK          0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u

/* LME as the entry establishes it before the list is loaded: the EFER field where "load IA32_EFER" is
 * set, else the IA-32e mode guest control (both only matter with CR0.PG=1, when LME is frozen). */
static bool established_lme(struct rule_run *run)
{
    if (F(entry_controls) & ENTRY_LOAD_EFER)
        return F(guest_efer) & EFER_LME;
    return F(entry_controls) & ENTRY_IA32E;
}

static const char *efer_problem(struct rule_run *run, uint64_t value)
{
    const uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

    if (value & ~known)
        return "IA32_EFER has a reserved bit set: the WRMSR would raise #GP";
    if ((F(guest_cr0) & CR0_PG) && (bool)(value & EFER_LME) != established_lme(run))
        return F(entry_controls) & ENTRY_IA32E
                   ? "IA32_EFER: LME would change while CR0.PG=1; IA-32e mode guest is 1"
                   : "IA32_EFER: LME would change while CR0.PG=1; IA-32e mode guest is 0";
    return NULL;
}

/* Asks `problem` about each entry of the list; a text is a violation and its hint. */
static void each_entry(struct rule_run *run,
                       const char *(*problem)(struct rule_run *run, const struct snapshot_msr *msr))
{
    const struct snapshot_list *list = &run->s->entry_load;
    uint64_t count = F(entry_msr_load_count);

    if (!count)
        return;
    if (!list->present) {
        run->missing = true;
        run->missing_row = VMCS_ROW_entry_msr_load_addr;
        return;
    }
    if (count > list->count)
        count = list->count;
    for (unsigned i = 0; i < count; i++) {
        const char *hint = problem(run, &list->entries[i]);

        if (hint)
            rule_entry(run, i + 1, &list->entries[i], hint);
    }
}

static const char *segment(struct rule_run *run, const struct snapshot_msr *msr)
{
    (void)run;
    return msr->index == MSR_FS_BASE || msr->index == MSR_GS_BASE
               ? "FS and GS base are loaded from their VMCS fields and may not be in the list"
               : NULL;
}

void rule_msr_segment(struct rule_run *run)
{
    each_entry(run, segment);
}

static const char *x2apic(struct rule_run *run, const struct snapshot_msr *msr)
{
    (void)run;
    return msr->index >> 8 == 8 ? "x2APIC MSRs (800h-8ffh) may not be in the list" : NULL;
}

void rule_msr_x2apic(struct rule_run *run)
{
    each_entry(run, x2apic);
}

static const char *smm(struct rule_run *run, const struct snapshot_msr *msr)
{
    (void)run;
    return msr->index == MSR_SMM_MONITOR ? "IA32_SMM_MONITOR_CTL can be written in SMM only" : NULL;
}

void rule_msr_smm(struct rule_run *run)
{
    each_entry(run, smm);
}

static const char *update(struct rule_run *run, const struct snapshot_msr *msr)
{
    (void)run;
    return msr->index == MSR_UPDATE_TRIGGER ? "a microcode update cannot be triggered from the list"
                                            : NULL;
}

void rule_msr_update(struct rule_run *run)
{
    each_entry(run, update);
}

static const char *reserved(struct rule_run *run, const struct snapshot_msr *msr)
{
    (void)run;
    return msr->reserved ? "bits 63:32 of the entry (above the index) must be 0" : NULL;
}

void rule_msr_reserved(struct rule_run *run)
{
    each_entry(run, reserved);
}

static const char *efer(struct rule_run *run, const struct snapshot_msr *msr)
{
    return msr->index == MSR_EFER ? efer_problem(run, msr->value) : NULL;
}

void rule_msr_efer(struct rule_run *run)
{
    each_entry(run, efer);
}

static const char *canonical(struct rule_run *run, const struct snapshot_msr *msr)
{
    bool address = msr->index == MSR_SYSENTER_ESP || msr->index == MSR_SYSENTER_EIP ||
                   msr->index == MSR_LSTAR || msr->index == MSR_CSTAR ||
                   msr->index == MSR_KERNEL_GS_BASE;

    return address && !rule_canonical(run, msr->value)
               ? "the value is not canonical: the WRMSR would raise #GP"
               : NULL;
}

void rule_msr_canonical(struct rule_run *run)
{
    each_entry(run, canonical);
}

static const char *upper(struct rule_run *run, const struct snapshot_msr *msr)
{
    (void)run;
    return (msr->index == MSR_FMASK || msr->index == MSR_TSC_AUX) && msr->value >> 32
               ? "bits 63:32 are reserved: the WRMSR would raise #GP"
               : NULL;
}

void rule_msr_upper(struct rule_run *run)
{
    each_entry(run, upper);
}

static const char *pat(struct rule_run *run, const struct snapshot_msr *msr)
{
    (void)run;
    return msr->index == MSR_PAT && rule_pat_wrong(msr->value)
               ? "a byte of IA32_PAT is no memory type: the WRMSR would raise #GP"
               : NULL;
}

void rule_msr_pat(struct rule_run *run)
{
    each_entry(run, pat);
}
