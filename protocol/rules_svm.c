/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rules of VMRUN: the consistency checks of the VMCB and of event injection. What VMRUN does not look
 * at (TR, most segment attributes) has no rule here.
 */
#include "protocol/rules_run.h"

#define RULE(function, id, group, section, demands) void rule_##function(struct rule_run *run);
#include "protocol/rules_svm.def"
#undef RULE

#define B(name_) rule_field(run, VMCB_ROW_##name_)

#define LONG_AND_PAGED(efer_, cr0_) (((efer_)&EFER_LME) && ((cr0_)&CR0_PG))

/* CR4 bits that some CPU defines: VME to UMIP, VMXE is not one of SVM's, FSGSBASE to PKE, CET. Bits that
 * this very CPU lacks are must-be-zero too, where the snapshot knows them. */
#define CR4_DEFINED UINT64_C(0x00f71fff)

void rule_svm_svme(struct rule_run *run)
{
    if (!(B(guest_efer) & EFER_SVME))
        rule_bits(run, VMCB_ROW_guest_efer, EFER_SVME, 0,
                  "hide SVME from the guest by intercepting EFER, not by clearing it in the VMCB");
}

void rule_svm_nw(struct rule_run *run)
{
    if ((B(guest_cr0) & (CR0_CD | CR0_NW)) == CR0_NW)
        rule_bits(run, VMCB_ROW_guest_cr0, 0, CR0_NW, "NW=1 with CD=0 is not a cache mode");
}

static void high_half(struct rule_run *run, uint16_t row)
{
    uint64_t high = rule_field(run, row) & ~UINT64_C(0xffffffff);

    if (high)
        rule_bits(run, row, 0, high, NULL);
}

void rule_svm_cr0_high(struct rule_run *run)
{
    high_half(run, VMCB_ROW_guest_cr0);
}

void rule_svm_dr6(struct rule_run *run)
{
    high_half(run, VMCB_ROW_guest_dr6);
}

void rule_svm_dr7(struct rule_run *run)
{
    high_half(run, VMCB_ROW_guest_dr7);
}

/* Bits beyond the physical-address width are must-be-zero in every mode. */
void rule_svm_cr3(struct rule_run *run)
{
    uint64_t wrong = B(guest_cr3) & rule_beyond_maxphyaddr(run);

    if (wrong)
        rule_bits(run, VMCB_ROW_guest_cr3, 0, wrong, NULL);
}

void rule_svm_cr4(struct rule_run *run)
{
    uint64_t allowed = CR4_DEFINED, known, wrong;

    if (snapshot_cap(run->s, SNAPSHOT_CAP_CR4_KNOWN, &known))
        allowed = known;
    wrong = B(guest_cr4) & ~allowed;
    if (wrong)
        rule_bits(
            run, VMCB_ROW_guest_cr4, 0, wrong,
            "a guest that sets a CR4 bit its CPU lacks must get #GP from the CR4-write handler");
}

/* SCE, LME, LMA, NXE, SVME, LMSLE, FFXSR, TCE, MCOMMIT, INTWB, UAIE, AIBRS */
void rule_svm_efer(struct rule_run *run)
{
    uint64_t known = UINT64_C(0x36fd01), here;

    if (snapshot_cap(run->s, SNAPSHOT_CAP_EFER_KNOWN, &here))
        known = here;
    if (B(guest_efer) & ~known)
        rule_bits(run, VMCB_ROW_guest_efer, 0, B(guest_efer) & ~known, NULL);
}

void rule_svm_lme_pae(struct rule_run *run)
{
    if (LONG_AND_PAGED(B(guest_efer), B(guest_cr0)) && !(B(guest_cr4) & CR4_PAE))
        rule_bits(run, VMCB_ROW_guest_cr4, CR4_PAE, 0, NULL);
}

void rule_svm_lme_pe(struct rule_run *run)
{
    if (LONG_AND_PAGED(B(guest_efer), B(guest_cr0)) && !(B(guest_cr0) & CR0_PE))
        rule_bits(run, VMCB_ROW_guest_cr0, CR0_PE, 0, NULL);
}

/* The packed attribute of the VMCB: L is bit 9, D bit 10. */
void rule_svm_cs_ld(struct rule_run *run)
{
    if (LONG_AND_PAGED(B(guest_efer), B(guest_cr0)) && (B(guest_cr4) & CR4_PAE) &&
        (B(guest_cs_rights) & 0x600) == 0x600)
        rule_bits(run, VMCB_ROW_guest_cs_rights, 0, 0x400, NULL);
}

void rule_svm_vmrun(struct rule_run *run)
{
    if (!(B(intercept_misc2) & 1))
        rule_bits(run, VMCB_ROW_intercept_misc2, 1, 0, NULL);
}

void rule_svm_asid(struct rule_run *run)
{
    if (!B(asid))
        rule_bits(run, VMCB_ROW_asid, 0, 0, "ASID 0 is the host's own");
}

/* A permission map of len_bytes; its low 12 address bits are ignored. */
static void map(struct rule_run *run, uint16_t row, uint64_t len_bytes)
{
    uint64_t base = rule_field(run, row) & ~UINT64_C(0xfff);
    uint64_t beyond = rule_beyond_maxphyaddr(run);

    if ((base & beyond) || ((base + len_bytes - 1) & beyond))
        rule_bits(run, row, 0, base & beyond, NULL);
}

void rule_svm_iopm(struct rule_run *run)
{
    map(run, VMCB_ROW_iopm_base, 3 * 4096);
}

void rule_svm_msrpm(struct rule_run *run)
{
    map(run, VMCB_ROW_msrpm_base, 2 * 4096);
}

void rule_svm_ncr3(struct rule_run *run)
{
    uint64_t wrong = B(nested_cr3) & rule_beyond_maxphyaddr(run);

    if ((B(nested_control) & 1) && wrong)
        rule_bits(run, VMCB_ROW_nested_cr3, 0, wrong, NULL);
}

void rule_svm_pat(struct rule_run *run)
{
    if (B(nested_control) & 1)
        rule_pat_field(run, VMCB_ROW_guest_pat);
}

void rule_svm_inj_type(struct rule_run *run)
{
    unsigned type = B(event_inject) >> 8 & 7;

    if ((B(event_inject) >> 31 & 1) && (type == 1 || type > 4))
        rule_bits(run, VMCB_ROW_event_inject, 0, 0,
                  "types are 0 interrupt, 2 NMI, 3 exception, 4 INT n");
}

void rule_svm_inj_vector(struct rule_run *run)
{
    unsigned type = B(event_inject) >> 8 & 7, vector = B(event_inject) & 0xff;

    if ((B(event_inject) >> 31 & 1) && type == 3 && (vector == 2 || vector > 31))
        rule_bits(
            run, VMCB_ROW_event_inject, 0, 0,
            "re-inject what EXITINTINFO says: an external interrupt is type 0, an NMI type 2");
}
