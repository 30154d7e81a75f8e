/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Causes of the kind "the guest wrote it, the CPU does not have it": what the last exits show the
 * guest writing, against what the VMCS or VMCB (or the MSR area) holds at the end.
 */
#include "protocol/explain_make.h"

#include "protocol/tables.h"

#define EXPLAIN(function, id, text) void explain_##function(struct explain_run *run);
#include "protocol/explain.def"
#undef EXPLAIN

/* Number of an MSR in the load area from 0, or -1; *value gets what it holds. */
static int area_entry(const struct crash_record *r, uint32_t index, uint64_t *value)
{
    const struct snapshot_list *list = &r->state.entry_load;

    for (unsigned i = 0; list->present && i < list->count; i++)
        if (list->entries[i].index == index) {
            *value = list->entries[i].value;
            return (int)i;
        }
    return -1;
}

/* Did a RDMSR of EFER give the guest the hypervisor's own value? The guest cannot have LMA without
 * paging. */
static bool read_hardware_efer(const struct crash_record *r)
{
    const struct record_ring *read = explain_last(r, TL_KIND_RDMSR, X_MSR_EFER);

    return read && (read->value & X_LMA) && !(read->cr0 & X_PG);
}

void explain_efer_lost(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    const struct record_ring *write = explain_last(r, TL_KIND_WRMSR, X_MSR_EFER);
    struct explain_writer w;
    uint64_t held = 0;
    int entry;

    if (!write || explain_was_refused(write) || !(write->value & X_LME) || (r->efer_real & X_LME) ||
        r->why == RECORD_ENTRY_FAILURE)
        return;
    entry = area_entry(r, X_MSR_EFER, &held);
    w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF);
    text_str(&w.text, "EFER.LME was lost: ");
    text_str(&w.text, read_hardware_efer(r) ? "RDMSR/WRMSR reached the hardware MSR, "
                                            : "WRMSR did not reach the guest's EFER, ");
    if (entry >= 0) {
        text_str(&w.text, "load area entry ");
        text_dec(&w.text, (uint64_t)entry);
    } else {
        text_str(&w.text, r->state.svm ? "the VMCB's guest_efer" : "guest_efer");
        held = r->efer_real;
    }
    text_str(&w.text, " holds ");
    if (held)
        text_hex(&w.text, held);
    else
        text_char(&w.text, '0');
    text_str(&w.evidence, "the guest wrote EFER ");
    text_hex(&w.evidence, write->value);
    explain_at(&w.evidence, write);
    if (read_hardware_efer(r))
        text_str(&w.evidence,
                 "; its RDMSR before that gave the hypervisor's own EFER, with LMA set "
                 "although paging was off");
    if (r->cr0_real & X_PG)
        text_str(&w.evidence,
                 "; CR0.PG=1 without LME is not long mode: with CR4.PAE it is PAE paging "
                 "over a 4-level table, and the next fetch faults");
}

void explain_lma_lost(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    const struct record_ring *pg = explain_last(r, TL_KIND_CR0_WRITE, ~UINT64_C(0));
    struct explain_writer w;

    if (r->why != RECORD_TRIPLE_FAULT || !(r->cr0_real & X_PG) || !(r->efer_real & X_LME) ||
        (r->efer_real & X_LMA))
        return;
    w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF);
    text_str(&w.text, r->state.svm
                          ? "EFER.LMA is 0 while CR0.PG=1 and EFER.LME=1: the VMCB's EFER must "
                            "follow, LMA = LME and PG"
                          : "EFER.LMA is 0 while CR0.PG=1 and EFER.LME=1: IA-32e mode guest "
                            "must follow, LMA = LME and PG");
    text_str(&w.evidence, "EFER ");
    text_hex(&w.evidence, r->efer_real);
    text_str(&w.evidence, " CR0 ");
    text_hex(&w.evidence, r->cr0_real);
    if (pg) {
        text_str(&w.evidence, "; paging was switched on by the MOV to CR0");
        explain_at(&w.evidence, pg);
    }
}

void explain_efer_inherited(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    const struct record_ring *pg = explain_last(r, TL_KIND_CR0_WRITE, ~UINT64_C(0));
    struct explain_writer w;

    if (explain_last(r, TL_KIND_WRMSR, X_MSR_EFER) || !(r->efer_real & X_LME) ||
        (r->cr4_wrote & X_PAE))
        return;
    w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF);
    text_str(&w.text,
             "EFER.LME is set although the guest never wrote EFER: its EFER was initialised "
             "with the hypervisor's own");
    text_str(&w.evidence, "guest EFER ");
    text_hex(&w.evidence, r->efer_real);
    text_str(&w.evidence, ", CR4.PAE 0");
    if (pg && (pg->value & X_PG)) {
        text_str(&w.evidence, "; MOV to CR0 with PG=1");
        explain_at(&w.evidence, pg);
        text_str(&w.evidence, " raises #GP when LME=1 and PAE=0");
    }
}

/* FS and GS base against the last WRMSR; a later load of the selector would change the base too, so
 * only a base that is still 0 or the old one counts. */
static void base_lost(struct explain_run *run, uint32_t msr, const struct record_segment *segment,
                      const char *name)
{
    const struct record_ring *write = explain_last(run->r, TL_KIND_WRMSR, msr);
    struct explain_writer w;

    if (!write || explain_was_refused(write) || write->value == segment->base || segment->base != 0)
        return;
    w = explain_add(run, EXPLAIN_LIKELY, RANK_PROOF);
    text_str(&w.text, name);
    text_str(&w.text, " base was lost: the guest wrote ");
    text_hex(&w.text, write->value);
    text_str(&w.text, " with WRMSR, its ");
    text_str(&w.text, name);
    text_str(&w.text, " base is ");
    text_hex(&w.text, segment->base);
    text_str(&w.text, run->r->state.svm
                          ? "; VMLOAD did not bring it, or it was written to the hardware"
                          : "; the WRMSR reached the hardware MSR, not the VMCS field");
    text_str(&w.evidence, "WRMSR");
    explain_at(&w.evidence, write);
    text_str(&w.evidence, "; the base is loaded from the guest-state area at every entry");
}

void explain_base_lost(struct explain_run *run)
{
    base_lost(run, X_MSR_GS_BASE, &run->r->segment[5], "GS");
    base_lost(run, X_MSR_FS_BASE, &run->r->segment[4], "FS");
}

void explain_cr4_lost(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    const struct record_ring *write = explain_last(r, TL_KIND_CR4_WRITE, ~UINT64_C(0));
    const uint64_t hidden = UINT64_C(1) << 13; /* VMXE is the hypervisor's */
    struct explain_writer w;
    char names[120];
    uint64_t lost;

    if (!write || explain_was_refused(write))
        return;
    lost = write->value & ~r->cr4_real & ~hidden;
    /* the last exit is not performed yet when the guest was stopped before its handler */
    if (!lost || (write == &r->ring[r->ring_count - 1] && r->why == RECORD_LIVE))
        return;
    w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF);
    text_str(&w.text, "CR4 bits were lost: the guest wrote CR4 = ");
    text_hex(&w.text, write->value);
    text_str(&w.text, ", the CPU holds ");
    text_hex(&w.text, r->cr4_real);
    text_str(&w.text, "; missing: ");
    tl_bits_format(tl_bits_group("cr4"), lost, names, sizeof(names));
    text_str(&w.text, names);
    text_str(&w.evidence, "MOV to CR4");
    explain_at(&w.evidence, write);
    text_str(&w.evidence, "; the handler must put the bits into guest_cr4, not only into the read "
                          "shadow");
}

/* MOV CRn, reg at the exit's RIP: 0F 22 /r with an optional REX, from the code window. */
static bool mov_cr_gpr(const struct crash_record *r, uint64_t rip, unsigned *gpr)
{
    uint64_t at = rip - r->code_gva;
    bool rex_b = false;

    if (at >= r->code_bytes || r->code_bytes - at < 4)
        return false;
    if ((r->code[at] & 0xf0) == 0x40) {
        rex_b = r->code[at] & 1;
        at++;
    }
    if (r->code[at] != 0x0f || r->code[at + 1] != 0x22)
        return false;
    *gpr = (r->code[at + 2] & 7u) | (rex_b ? 8u : 0u);
    return true;
}

void explain_wrong_gpr(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    struct explain_writer w;

    for (unsigned i = r->ring_count; i-- > 0 && i + 4 > r->ring_count;) {
        const struct record_ring *e = &r->ring[i];
        unsigned gpr;

        if (e->kind != TL_KIND_CR0_WRITE && e->kind != TL_KIND_CR3_WRITE &&
            e->kind != TL_KIND_CR4_WRITE)
            continue;
        if (!mov_cr_gpr(r, e->rip, &gpr) || gpr < 8 || e->value == r->gpr[gpr] ||
            e->value != r->gpr[gpr & 7])
            continue;
        w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF);
        text_str(&w.text, "the ");
        text_str(&w.text, tl_kind_word(e->kind));
        text_str(&w.text, " took the value of register ");
        text_dec(&w.text, gpr & 7);
        text_str(&w.text, " instead of r");
        text_dec(&w.text, gpr);
        text_str(&w.text, ": the register number of the exit was cut to 3 bits");
        text_str(&w.evidence, "the instruction");
        explain_at(&w.evidence, e);
        text_str(&w.evidence, " names r");
        text_dec(&w.evidence, gpr);
        text_str(&w.evidence, " = ");
        text_hex(&w.evidence, r->gpr[gpr]);
        text_str(&w.evidence, ", handled was ");
        text_hex(&w.evidence, e->value);
        text_str(&w.evidence, " [SDM, \"Exit Qualification for Control-Register Accesses\"]");
        return;
    }
}

void explain_pdpte_stale(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    struct explain_writer w;

    if (r->state.svm || !r->pdptes_present || !(r->cr0_real & X_PG) || !(r->cr4_real & X_PAE) ||
        (r->efer_real & X_LMA))
        return;
    for (uint16_t i = 0; i < 4; i++) {
        uint64_t held = r->state.field[VMCS_ROW_guest_pdpte0 + i];

        if (!snapshot_has(&r->state, VMCS_ROW_guest_pdpte0 + i) || held == r->pdpte_memory[i])
            continue;
        /* an EFER that lost LME makes any 4-level table look like that: the cause ranks higher */
        w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF - 10);
        text_str(&w.text, "the PDPTE fields are stale: guest_pdpte");
        text_dec(&w.text, i);
        text_str(&w.text, " is ");
        text_hex(&w.text, held);
        text_str(&w.text, ", memory at CR3 says ");
        text_hex(&w.text, r->pdpte_memory[i]);
        text_str(&w.text, "; an emulated write of CR0, CR3 or CR4 did not load them");
        text_str(&w.evidence, "PAE paging under EPT uses the four VMCS fields, not memory [SDM, "
                              "\"Loading Page-Directory-Pointer-Table Entries\"]; CR3 ");
        text_hex(&w.evidence, r->cr3);
        return;
    }
}

void explain_gpa_cut(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    struct explain_writer w;

    for (unsigned i = r->ring_count; i-- > 0;) {
        const struct record_ring *e = &r->ring[i];
        uint64_t gpa = r->state.svm ? e->info2 : 0;

        if (e->kind != TL_KIND_NESTED_PAGE)
            continue;
        if (!r->state.svm && snapshot_has(&r->state, VMCS_ROW_guest_phys_addr) &&
            i + 1 == r->ring_count)
            gpa = r->state.field[VMCS_ROW_guest_phys_addr];
        if (!(gpa >> 32) || e->value != (uint32_t)gpa)
            continue;
        w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF);
        text_str(&w.text, "a guest-physical address was cut to 32 bits: the fault was at ");
        text_hex(&w.text, gpa);
        text_str(&w.text, ", handled was ");
        text_hex(&w.text, e->value);
        text_str(&w.evidence, "nested page fault");
        explain_at(&w.evidence, e);
        return;
    }
}
