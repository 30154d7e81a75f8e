/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rules of guest state but for segments: control and debug registers, MSRs, descriptor tables, RIP,
 * RFLAGS, non-register state, PDPTEs. Violations end as exit reason 33.
 */
#include "protocol/rules_run.h"

#define RULE(function, id, group, section, demands) void rule_##function(struct rule_run *run);
#include "protocol/rules_vmx.def"
#undef RULE

void rule_guest_cr0(struct rule_run *run)
{
    uint64_t cr0 = F(guest_cr0);
    uint64_t exempt = CR0_CD | CR0_NW | (rule_unrestricted(run) ? CR0_PE | CR0_PG : 0);
    uint64_t must_set = rule_cap(run, MSR_VMX_CR0_FIXED0) & ~cr0 & ~exempt;
    uint64_t must_clear = cr0 & ~rule_cap(run, MSR_VMX_CR0_FIXED1) & ~exempt;

    if (must_set || must_clear)
        rule_bits(run, VMCS_ROW_guest_cr0, must_set, must_clear,
                  "the CR0-write handler must keep the bits fixed in VMX operation (NE) set in "
                  "guest_cr0 and show the guest its own value through cr0_shadow");
}

void rule_guest_cr0_pg(struct rule_run *run)
{
    if ((F(guest_cr0) & (CR0_PG | CR0_PE)) == CR0_PG)
        rule_bits(run, VMCS_ROW_guest_cr0, CR0_PE, 0, "paging needs protected mode");
}

void rule_guest_cr4(struct rule_run *run)
{
    uint64_t cr4 = F(guest_cr4);
    uint64_t must_set = rule_cap(run, MSR_VMX_CR4_FIXED0) & ~cr4;
    uint64_t must_clear = cr4 & ~rule_cap(run, MSR_VMX_CR4_FIXED1);

    if (must_set || must_clear)
        rule_bits(run, VMCS_ROW_guest_cr4, must_set, must_clear,
                  "CR4.VMXE must stay set in guest_cr4; hide it with cr4_mask and cr4_shadow");
}

void rule_guest_cet(struct rule_run *run)
{
    if ((F(guest_cr4) & CR4_CET) && !(F(guest_cr0) & CR0_WP))
        rule_clash(run, VMCS_ROW_guest_cr4, VMCS_ROW_guest_cr0, NULL);
}

/* Bits 2 to 5 and 13 up (less RTM, 15) are reserved in every DEBUGCTL so far. */
void rule_guest_debugctl(struct rule_run *run)
{
    const uint64_t reserved = ~UINT64_C(0xdfc7);

    if ((F(entry_controls) & ENTRY_LOAD_DEBUG) && (F(guest_debugctl) & reserved))
        rule_bits(run, VMCS_ROW_guest_debugctl, 0, F(guest_debugctl) & reserved, NULL);
}

void rule_guest_ia32e(struct rule_run *run)
{
    if (!rule_ia32e(run))
        return;
    if (!(F(guest_cr0) & CR0_PG))
        rule_bits(run, VMCS_ROW_guest_cr0, CR0_PG, 0,
                  "IA-32e mode guest must be cleared when the guest turns paging off");
    if (!(F(guest_cr4) & CR4_PAE))
        rule_bits(run, VMCS_ROW_guest_cr4, CR4_PAE, 0, NULL);
}

void rule_guest_pcide(struct rule_run *run)
{
    if (!rule_ia32e(run) && (F(guest_cr4) & CR4_PCIDE))
        rule_bits(run, VMCS_ROW_guest_cr4, 0, CR4_PCIDE, NULL);
}

void rule_guest_cr3(struct rule_run *run)
{
    if (F(guest_cr3) & rule_beyond_maxphyaddr(run))
        rule_bits(run, VMCS_ROW_guest_cr3, 0, F(guest_cr3) & rule_beyond_maxphyaddr(run),
                  "bit 63 of a value for MOV to CR3 (keep PCID) is not part of CR3");
}

void rule_guest_dr7(struct rule_run *run)
{
    if ((F(entry_controls) & ENTRY_LOAD_DEBUG) && F(guest_dr7) >> 32)
        rule_bits(run, VMCS_ROW_guest_dr7, 0, F(guest_dr7) & ~UINT64_C(0xffffffff), NULL);
}

void rule_guest_sysenter_esp(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_guest_sysenter_esp);
}

void rule_guest_sysenter_eip(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_guest_sysenter_eip);
}

void rule_guest_pat(struct rule_run *run)
{
    if (F(entry_controls) & ENTRY_LOAD_PAT)
        rule_pat_field(run, VMCS_ROW_guest_pat);
}

void rule_guest_efer_res(struct rule_run *run)
{
    const uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

    if ((F(entry_controls) & ENTRY_LOAD_EFER) && (F(guest_efer) & ~known))
        rule_bits(run, VMCS_ROW_guest_efer, 0, F(guest_efer) & ~known, NULL);
}

void rule_guest_efer_lma(struct rule_run *run)
{
    uint64_t efer;
    bool lma;

    if (!(F(entry_controls) & ENTRY_LOAD_EFER))
        return;
    efer = F(guest_efer);
    lma = efer & EFER_LMA;
    if (lma != rule_ia32e(run))
        rule_clash(run, VMCS_ROW_guest_efer, VMCS_ROW_entry_controls,
                   "IA-32e mode guest must follow EFER.LMA = EFER.LME and CR0.PG");
    if ((F(guest_cr0) & CR0_PG) && lma != (bool)(efer & EFER_LME))
        rule_bits(run, VMCS_ROW_guest_efer, lma ? EFER_LME : 0, lma ? 0 : EFER_LME,
                  "with CR0.PG=1, LMA and LME must be equal");
}

void rule_guest_bndcfgs(struct rule_run *run)
{
    if (!(F(entry_controls) & ENTRY_LOAD_BNDCFGS))
        return;
    if ((F(guest_bndcfgs) & 0xffc) || !rule_canonical(run, F(guest_bndcfgs) & ~UINT64_C(0xfff)))
        rule_bits(run, VMCS_ROW_guest_bndcfgs, 0, F(guest_bndcfgs) & 0xffc, NULL);
}

void rule_gdtr_base(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_guest_gdtr_base);
}

void rule_idtr_base(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_guest_idtr_base);
}

void rule_gdtr_limit(struct rule_run *run)
{
    if (F(guest_gdtr_limit) >> 16)
        rule_bits(run, VMCS_ROW_guest_gdtr_limit, 0, F(guest_gdtr_limit) & 0xffff0000, NULL);
}

void rule_idtr_limit(struct rule_run *run)
{
    if (F(guest_idtr_limit) >> 16)
        rule_bits(run, VMCS_ROW_guest_idtr_limit, 0, F(guest_idtr_limit) & 0xffff0000, NULL);
}

/* Bits 63:N must be identical, where N is the linear-address width: one bit less strict than
 * canonical, because RIP may have just walked off the end of the lower half. */
void rule_guest_rip(struct rule_run *run)
{
    uint64_t rip = F(guest_rip);
    unsigned width = run->s->linear_bits ? run->s->linear_bits : 48;
    uint64_t upper = rip >> width, all = ~UINT64_C(0) >> width;

    if (!rule_ia32e(run) || !(F(guest_cs_rights) >> 13 & 1)) {
        if (rip >> 32)
            rule_bits(run, VMCS_ROW_guest_rip, 0, rip & ~UINT64_C(0xffffffff), NULL);
    } else if (upper != 0 && upper != all) {
        rule_bits(run, VMCS_ROW_guest_rip, 0, 0, NULL);
    }
}

void rule_rflags_res(struct rule_run *run)
{
    const uint64_t reserved = ~UINT64_C(0x3f7fd7) & ~UINT64_C(2);
    uint64_t rflags = F(guest_rflags);

    if (!(rflags & 2) || (rflags & reserved))
        rule_bits(run, VMCS_ROW_guest_rflags, ~rflags & 2, rflags & reserved, NULL);
}

void rule_rflags_vm(struct rule_run *run)
{
    if ((F(guest_rflags) & RFLAGS_VM) && (rule_ia32e(run) || !(F(guest_cr0) & CR0_PE)))
        rule_bits(run, VMCS_ROW_guest_rflags, 0, RFLAGS_VM, NULL);
}

/* Type of a valid injection, or -1. */
static int inject_type(struct rule_run *run)
{
    uint64_t info = F(entry_intr_info);

    return info >> 31 & 1 ? (int)(info >> 8 & 7) : -1;
}

void rule_rflags_if(struct rule_run *run)
{
    if (inject_type(run) == 0 && !(F(guest_rflags) & RFLAGS_IF))
        rule_bits(run, VMCS_ROW_guest_rflags, RFLAGS_IF, 0,
                  "wait for an interrupt window before injecting an external interrupt");
}

enum { ACTIVE, HLT, SHUTDOWN, WAIT_SIPI };
enum {
    BLOCK_STI = 1 << 0,
    BLOCK_MOV_SS = 1 << 1,
    BLOCK_SMI = 1 << 2,
    BLOCK_NMI = 1 << 3,
    ENCLAVE_INTR = 1 << 4,
};

void rule_activity(struct rule_run *run)
{
    uint64_t state = F(guest_activity);

    if (state > WAIT_SIPI || (state != ACTIVE && !(rule_cap(run, MSR_VMX_MISC) >> (5 + state) & 1)))
        rule_bits(run, VMCS_ROW_guest_activity, 0, 0, NULL);
}

void rule_activity_hlt(struct rule_run *run)
{
    if (F(guest_activity) == HLT && (F(guest_ss_rights) >> 5 & 3))
        rule_clash(run, VMCS_ROW_guest_activity, VMCS_ROW_guest_ss_rights, NULL);
}

void rule_activity_block(struct rule_run *run)
{
    if (F(guest_activity) != ACTIVE && (F(guest_interruptibility) & (BLOCK_STI | BLOCK_MOV_SS)))
        rule_clash(run, VMCS_ROW_guest_activity, VMCS_ROW_guest_interruptibility, NULL);
}

void rule_activity_event(struct rule_run *run)
{
    int type = inject_type(run);
    unsigned vector = F(entry_intr_info) & 0xff;
    uint64_t state = F(guest_activity);
    bool ok = true;

    if (type < 0 || state == ACTIVE)
        return;
    if (state == HLT)
        ok = type == 0 || type == 2 || (type == 3 && (vector == 1 || vector == 18)) ||
             (type == 7 && vector == 0);
    else if (state == SHUTDOWN)
        ok = (type == 2 && vector == 2) || (type == 3 && vector == 18);
    else if (state == WAIT_SIPI)
        ok = false;
    if (!ok)
        rule_clash(run, VMCS_ROW_guest_activity, VMCS_ROW_entry_intr_info, NULL);
}

/* Enclave interruption (bit 4) is for CPUs with SGX, and not together with blocking by MOV SS. */
void rule_intr_reserved(struct rule_run *run)
{
    uint64_t reserved = F(guest_interruptibility) & ~UINT64_C(0x1f), sgx;

    if ((snapshot_cap(run->s, SNAPSHOT_CAP_SGX, &sgx) && !sgx) ||
        (F(guest_interruptibility) & BLOCK_MOV_SS))
        reserved |= F(guest_interruptibility) & ENCLAVE_INTR;
    if (reserved)
        rule_bits(run, VMCS_ROW_guest_interruptibility, 0, reserved, NULL);
}

void rule_intr_both(struct rule_run *run)
{
    if ((F(guest_interruptibility) & (BLOCK_STI | BLOCK_MOV_SS)) == (BLOCK_STI | BLOCK_MOV_SS))
        rule_bits(run, VMCS_ROW_guest_interruptibility, 0, BLOCK_STI | BLOCK_MOV_SS, NULL);
}

void rule_intr_sti_if(struct rule_run *run)
{
    if ((F(guest_interruptibility) & BLOCK_STI) && !(F(guest_rflags) & RFLAGS_IF))
        rule_clash(run, VMCS_ROW_guest_interruptibility, VMCS_ROW_guest_rflags,
                   "clear blocking by STI when an instruction behind STI was emulated or RFLAGS.IF "
                   "was changed");
}

void rule_intr_extint(struct rule_run *run)
{
    uint64_t blocking = F(guest_interruptibility) & (BLOCK_STI | BLOCK_MOV_SS);

    if (inject_type(run) == 0 && blocking)
        rule_bits(run, VMCS_ROW_guest_interruptibility, 0, blocking, NULL);
}

void rule_intr_nmi_ss(struct rule_run *run)
{
    if (inject_type(run) == 2 && (F(guest_interruptibility) & BLOCK_MOV_SS))
        rule_bits(run, VMCS_ROW_guest_interruptibility, 0, BLOCK_MOV_SS, NULL);
}

void rule_intr_smi(struct rule_run *run)
{
    if (!run->s->smm && (F(guest_interruptibility) & BLOCK_SMI))
        rule_bits(run, VMCS_ROW_guest_interruptibility, 0, BLOCK_SMI, NULL);
}

void rule_intr_nmi(struct rule_run *run)
{
    if ((F(pin_controls) & PIN_VNMI) && inject_type(run) == 2 &&
        (F(guest_interruptibility) & BLOCK_NMI))
        rule_bits(run, VMCS_ROW_guest_interruptibility, 0, BLOCK_NMI,
                  "NMIs are still blocked: inject after the guest's IRET, by an NMI window");
}

void rule_pending_res(struct rule_run *run)
{
    /* B3:0, enabled breakpoint 12, BS 14, RTM 16 */
    uint64_t reserved = F(guest_pending_debug) & ~UINT64_C(0x1500f), rtm;

    if (snapshot_cap(run->s, SNAPSHOT_CAP_RTM, &rtm) && !rtm)
        reserved |= F(guest_pending_debug) & 0x10000;
    if (reserved)
        rule_bits(run, VMCS_ROW_guest_pending_debug, 0, reserved, NULL);
}

void rule_pending_bs(struct rule_run *run)
{
    bool blocked =
        (F(guest_interruptibility) & (BLOCK_STI | BLOCK_MOV_SS)) || F(guest_activity) == HLT;
    bool step = (F(guest_rflags) & RFLAGS_TF) && !(F(guest_debugctl) >> 1 & 1);
    bool bs = F(guest_pending_debug) >> 14 & 1;

    if (blocked && bs != step)
        rule_bits(run, VMCS_ROW_guest_pending_debug, step ? 1 << 14 : 0, step ? 0 : 1 << 14,
                  "a single-step trap is pending exactly when RFLAGS.TF is 1 and BTF is 0");
}

void rule_link_pointer(struct rule_run *run)
{
    uint64_t link = F(guest_link_pointer);
    uint64_t wrong;

    if (link == ~UINT64_C(0))
        return;
    wrong = link & (0xfff | rule_beyond_maxphyaddr(run));
    if (wrong)
        rule_bits(run, VMCS_ROW_guest_link_pointer, 0, wrong,
                  "without a shadow VMCS the link pointer is ffffffffffffffff, both halves");
    else if (run->s->current_vmcs_hpa && link == run->s->current_vmcs_hpa && !run->s->smm)
        rule_bits(run, VMCS_ROW_guest_link_pointer, 0, 0, "it points at the current VMCS itself");
    else if (!run->s->link_revision_known)
        run->missing = true;
    else if ((run->s->revision_id & 0x7fffffff) != (rule_cap(run, MSR_VMX_BASIC) & 0x7fffffff) ||
             (run->s->revision_id >> 31) != (rule_proc2(run) & PROC2_SHADOW ? 1u : 0u))
        rule_bits(run, VMCS_ROW_guest_link_pointer, 0, 0,
                  "the memory it points at does not start with this CPU's VMCS revision id");
}

/* Reserved in a PDPTE: 2:1, 8:5, and everything beyond the physical-address width. */
void rule_pdptes(struct rule_run *run)
{
    const uint16_t first = VMCS_ROW_guest_pdpte0;
    bool pae_paging = (F(guest_cr0) & CR0_PG) && (F(guest_cr4) & CR4_PAE) && !rule_ia32e(run);

    if (!pae_paging || !(rule_proc2(run) & PROC2_EPT))
        return;
    for (uint16_t i = 0; i < 4; i++) {
        uint64_t entry = rule_field(run, first + i);
        uint64_t wrong = entry & (0x1e6 | rule_beyond_maxphyaddr(run));

        if ((entry & 1) && wrong)
            rule_bits(run, first + i, 0, wrong,
                      "fill the four PDPTE fields from guest memory whenever CR0.PG, CR4.PAE or "
                      "CR3 of a PAE guest is written by the hypervisor");
    }
}
