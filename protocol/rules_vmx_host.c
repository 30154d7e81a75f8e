/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rules of the host-state area and of address-space size. Violations end as VMfailValid with
 * VM-instruction error 8 (address-space size may be reported as 7; see tests/README.md).
 */
#include "protocol/rules_run.h"

#define RULE(function, id, group, section, demands) void rule_##function(struct rule_run *run);
#include "protocol/rules_vmx.def"
#undef RULE

static void fixed(struct rule_run *run, uint16_t row, uint32_t fixed0, uint32_t fixed1)
{
    uint64_t value = rule_field(run, row);
    uint64_t must_set = rule_cap(run, fixed0) & ~value;
    uint64_t must_clear = value & ~rule_cap(run, fixed1);

    if (must_set || must_clear)
        rule_bits(run, row, must_set, must_clear, NULL);
}

void rule_host_cr0(struct rule_run *run)
{
    fixed(run, VMCS_ROW_host_cr0, MSR_VMX_CR0_FIXED0, MSR_VMX_CR0_FIXED1);
}

void rule_host_cr4(struct rule_run *run)
{
    fixed(run, VMCS_ROW_host_cr4, MSR_VMX_CR4_FIXED0, MSR_VMX_CR4_FIXED1);
}

void rule_host_cr3(struct rule_run *run)
{
    if (F(host_cr3) & rule_beyond_maxphyaddr(run))
        rule_bits(run, VMCS_ROW_host_cr3, 0, F(host_cr3) & rule_beyond_maxphyaddr(run), NULL);
}

void rule_host_cet(struct rule_run *run)
{
    if ((F(host_cr4) & CR4_CET) && !(F(host_cr0) & CR0_WP))
        rule_clash(run, VMCS_ROW_host_cr4, VMCS_ROW_host_cr0, NULL);
}

void rule_host_sysenter_esp(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_host_sysenter_esp);
}

void rule_host_sysenter_eip(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_host_sysenter_eip);
}

void rule_host_pat(struct rule_run *run)
{
    if (F(exit_controls) & EXIT_LOAD_PAT)
        rule_pat_field(run, VMCS_ROW_host_pat);
}

void rule_host_efer(struct rule_run *run)
{
    uint64_t efer, both, wanted;

    if (!(F(exit_controls) & EXIT_LOAD_EFER))
        return;
    efer = F(host_efer);
    both = EFER_LME | EFER_LMA;
    wanted = F(exit_controls) & EXIT_HOST_64 ? both : 0;
    if (efer & ~(EFER_SCE | EFER_NXE | both))
        rule_bits(run, VMCS_ROW_host_efer, 0, efer & ~(EFER_SCE | EFER_NXE | both), NULL);
    if ((efer & both) != wanted)
        rule_bits(run, VMCS_ROW_host_efer, wanted & ~efer, efer & both & ~wanted, NULL);
}

static void selector(struct rule_run *run, uint16_t row, bool zero_allowed)
{
    uint64_t value = rule_field(run, row);

    if (value & 7)
        rule_bits(run, row, 0, value & 7,
                  "RPL or TI left over from user mode: load a kernel selector before VMXON");
    else if (!value && !zero_allowed)
        rule_bits(run, row, 0, 0, "the null selector is not allowed here");
}

void rule_host_sel_es(struct rule_run *run)
{
    selector(run, VMCS_ROW_host_es_selector, true);
}

void rule_host_sel_cs(struct rule_run *run)
{
    selector(run, VMCS_ROW_host_cs_selector, false);
}

void rule_host_sel_ss(struct rule_run *run)
{
    selector(run, VMCS_ROW_host_ss_selector, F(exit_controls) & EXIT_HOST_64);
}

void rule_host_sel_ds(struct rule_run *run)
{
    selector(run, VMCS_ROW_host_ds_selector, true);
}

void rule_host_sel_fs(struct rule_run *run)
{
    selector(run, VMCS_ROW_host_fs_selector, true);
}

void rule_host_sel_gs(struct rule_run *run)
{
    selector(run, VMCS_ROW_host_gs_selector, true);
}

void rule_host_sel_tr(struct rule_run *run)
{
    selector(run, VMCS_ROW_host_tr_selector, false);
}

void rule_host_fs_base(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_host_fs_base);
}

void rule_host_gs_base(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_host_gs_base);
}

void rule_host_tr_base(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_host_tr_base);
}

void rule_host_gdtr(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_host_gdtr_base);
}

void rule_host_idtr(struct rule_run *run)
{
    rule_canonical_field(run, VMCS_ROW_host_idtr_base);
}

void rule_host_lma(struct rule_run *run)
{
    bool host_64 = F(exit_controls) & EXIT_HOST_64;

    if (!run->s->host_mode_known)
        run->missing = true;
    else if (host_64 != run->s->host_long_mode)
        rule_bits(run, VMCS_ROW_exit_controls, host_64 ? 0 : EXIT_HOST_64,
                  host_64 ? EXIT_HOST_64 : 0,
                  "host-address-space size must be what IA32_EFER.LMA is while VMLAUNCH runs");
    if (!host_64 && (F(entry_controls) & ENTRY_IA32E))
        rule_clash(run, VMCS_ROW_entry_controls, VMCS_ROW_exit_controls, NULL);
}

void rule_host_space_32(struct rule_run *run)
{
    if (F(exit_controls) & EXIT_HOST_64)
        return;
    if (F(host_cr4) & CR4_PCIDE)
        rule_bits(run, VMCS_ROW_host_cr4, 0, CR4_PCIDE, NULL);
    if (F(host_rip) >> 32)
        rule_bits(run, VMCS_ROW_host_rip, 0, F(host_rip) & ~UINT64_C(0xffffffff), NULL);
}

void rule_host_space_64(struct rule_run *run)
{
    if (!(F(exit_controls) & EXIT_HOST_64))
        return;
    if (!(F(host_cr4) & CR4_PAE))
        rule_bits(run, VMCS_ROW_host_cr4, CR4_PAE, 0, NULL);
    rule_canonical_field(run, VMCS_ROW_host_rip);
}
