/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rules of VMX controls: VM-execution, VM-exit and VM-entry control fields, event injection.
 * Violations end as VMfailValid with VM-instruction error 7.
 */
#include "protocol/rules_run.h"

#define RULE(function, id, group, section, demands) void rule_##function(struct rule_run *run);
#include "protocol/rules_vmx.def"
#undef RULE

/* Capability MSR of a 32-bit control: the TRUE variant where IA32_VMX_BASIC[55] offers it. */
static void reserved_controls(struct rule_run *run, uint16_t row, uint32_t plain, uint32_t precise,
                              const char *hint)
{
    bool use_precise = rule_cap(run, MSR_VMX_BASIC) >> 55 & 1;
    uint64_t cap = rule_cap(run, use_precise ? precise : plain);
    uint64_t value = rule_field(run, row);
    uint64_t must_set = (uint32_t)cap & ~value, must_clear = value & ~(cap >> 32);

    if (must_set || must_clear)
        rule_bits(run, row, must_set, must_clear, hint);
}

void rule_ctl_pin(struct rule_run *run)
{
    reserved_controls(run, VMCS_ROW_pin_controls, MSR_VMX_PIN, MSR_VMX_TRUE_PIN,
                      "the CPU does not offer this setting: read IA32_VMX_(TRUE_)PINBASED_CTLS");
}

void rule_ctl_proc(struct rule_run *run)
{
    reserved_controls(run, VMCS_ROW_proc_controls, MSR_VMX_PROC, MSR_VMX_TRUE_PROC,
                      "the CPU does not offer this setting: read IA32_VMX_(TRUE_)PROCBASED_CTLS");
}

void rule_ctl_proc2(struct rule_run *run)
{
    uint64_t value, cap;

    if (!(F(proc_controls) & PROC_SECONDARY))
        return;
    value = F(proc2_controls);
    cap = rule_cap(run, MSR_VMX_PROC2);
    if (((uint32_t)cap & ~value) || (value & ~(cap >> 32)))
        rule_bits(run, VMCS_ROW_proc2_controls, (uint32_t)cap & ~value, value & ~(cap >> 32),
                  "the CPU does not offer this setting: read IA32_VMX_PROCBASED_CTLS2");
}

void rule_ctl_proc3(struct rule_run *run)
{
    uint64_t wrong;

    if (!(F(proc_controls) & PROC_TERTIARY))
        return;
    wrong = F(proc3_controls) & ~rule_cap(run, MSR_VMX_PROC3);
    if (wrong)
        rule_bits(run, VMCS_ROW_proc3_controls, 0, wrong, NULL);
}

void rule_ctl_cr3_target(struct rule_run *run)
{
    if (F(cr3_target_count) > (rule_cap(run, MSR_VMX_MISC) >> 16 & 0x1ff))
        rule_bits(run, VMCS_ROW_cr3_target_count, 0, 0, NULL);
}

/* An address that must be aligned and within the physical-address width. */
static void address(struct rule_run *run, uint16_t row, uint64_t align_bytes, const char *hint)
{
    uint64_t wrong = rule_field(run, row) & ((align_bytes - 1) | rule_beyond_maxphyaddr(run));

    if (wrong)
        rule_bits(run, row, 0, wrong, hint);
}

void rule_ctl_io_a(struct rule_run *run)
{
    if (F(proc_controls) & PROC_IO_BITMAPS)
        address(run, VMCS_ROW_io_bitmap_a, 4096, NULL);
}

void rule_ctl_io_b(struct rule_run *run)
{
    if (F(proc_controls) & PROC_IO_BITMAPS)
        address(run, VMCS_ROW_io_bitmap_b, 4096, NULL);
}

void rule_ctl_msr_bitmap(struct rule_run *run)
{
    if (F(proc_controls) & PROC_MSR_BITMAPS)
        address(run, VMCS_ROW_msr_bitmap, 4096, NULL);
}

void rule_ctl_vapic(struct rule_run *run)
{
    if (F(proc_controls) & PROC_TPR_SHADOW)
        address(run, VMCS_ROW_virtual_apic_addr, 4096, NULL);
}

void rule_ctl_tpr(struct rule_run *run)
{
    if ((F(proc_controls) & PROC_TPR_SHADOW) && !(rule_proc2(run) & PROC2_VID) &&
        F(tpr_threshold) >> 4)
        rule_bits(run, VMCS_ROW_tpr_threshold, 0, F(tpr_threshold) & ~UINT64_C(0xf), NULL);
}

/* The page is memory: who collects the state looks into it. */
void rule_ctl_vtpr(struct rule_run *run)
{
    uint64_t threshold = F(tpr_threshold) & 0xf;

    if (!(F(proc_controls) & PROC_TPR_SHADOW) ||
        (rule_proc2(run) & (PROC2_VID | PROC2_APIC_ACCESS)) || !threshold)
        return;
    if (!run->s->vtpr_known)
        run->missing = true;
    else if (threshold > (unsigned)run->s->vtpr >> 4)
        rule_bits(run, VMCS_ROW_tpr_threshold, 0, threshold,
                  "above bits 7:4 of the TPR in the virtual-APIC page");
}

void rule_ctl_vnmi(struct rule_run *run)
{
    if ((F(pin_controls) & (PIN_NMI | PIN_VNMI)) == PIN_VNMI)
        rule_bits(run, VMCS_ROW_pin_controls, PIN_NMI, 0, NULL);
}

void rule_ctl_nmi_window(struct rule_run *run)
{
    if ((F(proc_controls) & PROC_NMI_WINDOW) && !(F(pin_controls) & PIN_VNMI))
        rule_clash(run, VMCS_ROW_proc_controls, VMCS_ROW_pin_controls, NULL);
}

void rule_ctl_apic_addr(struct rule_run *run)
{
    if (rule_proc2(run) & PROC2_APIC_ACCESS)
        address(run, VMCS_ROW_apic_access_addr, 4096, NULL);
}

void rule_ctl_apic_tpr(struct rule_run *run)
{
    if (!(F(proc_controls) & PROC_TPR_SHADOW) &&
        (rule_proc2(run) & (PROC2_X2APIC | PROC2_APIC_REGS | PROC2_VID)))
        rule_clash(run, VMCS_ROW_proc2_controls, VMCS_ROW_proc_controls, NULL);
}

void rule_ctl_x2apic(struct rule_run *run)
{
    uint64_t both = PROC2_X2APIC | PROC2_APIC_ACCESS;

    if ((rule_proc2(run) & both) == both)
        rule_bits(run, VMCS_ROW_proc2_controls, 0, both, NULL);
}

void rule_ctl_vid(struct rule_run *run)
{
    if ((rule_proc2(run) & PROC2_VID) && !(F(pin_controls) & PIN_EXT_INTR))
        rule_clash(run, VMCS_ROW_proc2_controls, VMCS_ROW_pin_controls, NULL);
}

void rule_ctl_posted(struct rule_run *run)
{
    if (!(F(pin_controls) & PIN_POSTED))
        return;
    if (!(rule_proc2(run) & PROC2_VID))
        rule_clash(run, VMCS_ROW_pin_controls, VMCS_ROW_proc2_controls, NULL);
    if (!(F(exit_controls) & EXIT_ACK_INTR))
        rule_clash(run, VMCS_ROW_pin_controls, VMCS_ROW_exit_controls, NULL);
    if (F(posted_intr_vector) >> 8)
        rule_bits(run, VMCS_ROW_posted_intr_vector, 0, 0xff00, NULL);
    address(run, VMCS_ROW_posted_intr_desc_addr, 64, NULL);
}

void rule_ctl_vpid(struct rule_run *run)
{
    if ((rule_proc2(run) & PROC2_VPID) && !F(vpid))
        rule_bits(run, VMCS_ROW_vpid, 0, 0, "VPID 0 is the hypervisor's own");
}

/* EPTP: type 2:0, walk length less one 5:3, accessed/dirty 6, supervisor shadow stack 7, then 0. */
void rule_ctl_eptp(struct rule_run *run)
{
    uint64_t eptp, cap;
    unsigned type, levels;

    if (!(rule_proc2(run) & PROC2_EPT))
        return;
    eptp = F(eptp);
    cap = rule_cap(run, MSR_VMX_EPT_VPID);
    type = eptp & 7;
    levels = (eptp >> 3 & 7) + 1;
    if (!((type == 0 && (cap >> 8 & 1)) || (type == 6 && (cap >> 14 & 1))))
        rule_bits(run, VMCS_ROW_eptp, 0, eptp & 7, "the memory type must be 0 (UC) or 6 (WB)");
    if (!((levels == 4 && (cap >> 6 & 1)) || (levels == 5 && (cap >> 7 & 1))))
        rule_bits(run, VMCS_ROW_eptp, 0, eptp & 0x38, "bits 5:3 are the walk length less one: 3");
    if ((eptp >> 6 & 1) && !(cap >> 21 & 1))
        rule_bits(run, VMCS_ROW_eptp, 0, 1 << 6, "accessed and dirty flags are not supported");
    if ((eptp >> 7 & 1) && !(cap >> 23 & 1))
        rule_bits(run, VMCS_ROW_eptp, 0, 1 << 7, NULL);
    if (eptp & (0xf00 | rule_beyond_maxphyaddr(run)))
        rule_bits(run, VMCS_ROW_eptp, 0, eptp & (0xf00 | rule_beyond_maxphyaddr(run)), NULL);
}

/* A secondary control that makes no sense without EPT. */
static void needs_ept(struct rule_run *run, uint64_t control)
{
    if ((rule_proc2(run) & control) && !(rule_proc2(run) & PROC2_EPT))
        rule_bits(run, VMCS_ROW_proc2_controls, PROC2_EPT, 0, NULL);
}

void rule_ctl_unrestr(struct rule_run *run)
{
    needs_ept(run, PROC2_UNRESTRICTED);
}

void rule_ctl_mbec(struct rule_run *run)
{
    needs_ept(run, PROC2_MBEC);
}

void rule_ctl_pml(struct rule_run *run)
{
    needs_ept(run, PROC2_PML);
    if (rule_proc2(run) & PROC2_PML)
        address(run, VMCS_ROW_pml_addr, 4096, NULL);
}

void rule_ctl_spp(struct rule_run *run)
{
    needs_ept(run, PROC2_SPP);
    if (rule_proc2(run) & PROC2_SPP)
        address(run, VMCS_ROW_sub_page_table_ptr, 4096, NULL);
}

void rule_ctl_vmfunc(struct rule_run *run)
{
    uint64_t functions;

    if (!(rule_proc2(run) & PROC2_VMFUNC))
        return;
    functions = F(vm_function_controls);
    if (functions & ~rule_cap(run, MSR_VMX_VMFUNC))
        rule_bits(run, VMCS_ROW_vm_function_controls, 0, functions & ~rule_cap(run, MSR_VMX_VMFUNC),
                  NULL);
    if (functions & 1) {
        if (!(rule_proc2(run) & PROC2_EPT))
            rule_clash(run, VMCS_ROW_vm_function_controls, VMCS_ROW_proc2_controls, NULL);
        address(run, VMCS_ROW_eptp_list_addr, 4096, NULL);
    }
}

void rule_ctl_shadow(struct rule_run *run)
{
    if (!(rule_proc2(run) & PROC2_SHADOW))
        return;
    address(run, VMCS_ROW_vmread_bitmap, 4096, NULL);
    address(run, VMCS_ROW_vmwrite_bitmap, 4096, NULL);
}

void rule_ctl_ve(struct rule_run *run)
{
    if (rule_proc2(run) & PROC2_VE)
        address(run, VMCS_ROW_ve_info_addr, 4096, NULL);
}

void rule_ctl_tsc_mult(struct rule_run *run)
{
    if ((rule_proc2(run) & PROC2_TSC_SCALING) && !F(tsc_multiplier))
        rule_bits(run, VMCS_ROW_tsc_multiplier, 0, 0, NULL);
}

void rule_ctl_exit(struct rule_run *run)
{
    reserved_controls(run, VMCS_ROW_exit_controls, MSR_VMX_EXIT, MSR_VMX_TRUE_EXIT,
                      "the CPU does not offer this setting: read IA32_VMX_(TRUE_)EXIT_CTLS");
}

void rule_ctl_save_timer(struct rule_run *run)
{
    if ((F(exit_controls) & EXIT_SAVE_TIMER) && !(F(pin_controls) & PIN_TIMER))
        rule_clash(run, VMCS_ROW_exit_controls, VMCS_ROW_pin_controls, NULL);
}

/* An MSR area: 16-byte aligned, first and last byte within the physical-address width. */
static void msr_area(struct rule_run *run, uint16_t addr_row, uint16_t count_row)
{
    uint64_t count = rule_field(run, count_row), addr, beyond, wrong;

    if (!count)
        return;
    addr = rule_field(run, addr_row);
    beyond = rule_beyond_maxphyaddr(run);
    wrong = (addr & (0xf | beyond)) | ((addr + 16 * count - 1) & beyond);
    if (wrong)
        rule_bits(run, addr_row, 0, wrong, NULL);
}

void rule_ctl_exit_store(struct rule_run *run)
{
    msr_area(run, VMCS_ROW_exit_msr_store_addr, VMCS_ROW_exit_msr_store_count);
}

void rule_ctl_exit_load(struct rule_run *run)
{
    msr_area(run, VMCS_ROW_exit_msr_load_addr, VMCS_ROW_exit_msr_load_count);
}

void rule_ctl_entry_load(struct rule_run *run)
{
    msr_area(run, VMCS_ROW_entry_msr_load_addr, VMCS_ROW_entry_msr_load_count);
}

void rule_ctl_entry(struct rule_run *run)
{
    reserved_controls(run, VMCS_ROW_entry_controls, MSR_VMX_ENTRY, MSR_VMX_TRUE_ENTRY,
                      "the CPU does not offer this setting: read IA32_VMX_(TRUE_)ENTRY_CTLS");
}

void rule_ctl_smm(struct rule_run *run)
{
    uint64_t smm_only = F(entry_controls) & (ENTRY_TO_SMM | ENTRY_NO_DUAL);

    if (smm_only && !run->s->smm)
        rule_bits(run, VMCS_ROW_entry_controls, 0, smm_only, NULL);
    if (smm_only == (ENTRY_TO_SMM | ENTRY_NO_DUAL) && run->s->smm)
        rule_bits(run, VMCS_ROW_entry_controls, 0, smm_only, "both at once are not allowed");
}

/* Event injection. Format of the field: vector 7:0, type 10:8, deliver error code 11, valid 31. */
enum { INJ_NMI = 2, INJ_HW = 3, INJ_SOFT = 4, INJ_PRIV = 5, INJ_SW = 6, INJ_OTHER = 7 };

static bool injecting(struct rule_run *run, unsigned *type, unsigned *vector)
{
    uint64_t info = F(entry_intr_info);

    *type = info >> 8 & 7;
    *vector = info & 0xff;
    return info >> 31 & 1;
}

static bool mtf_allowed(struct rule_run *run)
{
    bool precise = rule_cap(run, MSR_VMX_BASIC) >> 55 & 1;

    return rule_cap(run, precise ? MSR_VMX_TRUE_PROC : MSR_VMX_PROC) >> (32 + 27) & 1;
}

void rule_ctl_inj_type(struct rule_run *run)
{
    unsigned type, vector;

    if (injecting(run, &type, &vector) && (type == 1 || (type == INJ_OTHER && !mtf_allowed(run))))
        rule_bits(run, VMCS_ROW_entry_intr_info, 0, 0,
                  "type 1 is reserved; type 7 needs a CPU with the monitor trap flag");
}

void rule_ctl_inj_vector(struct rule_run *run)
{
    unsigned type, vector;

    if (!injecting(run, &type, &vector))
        return;
    if ((type == INJ_NMI && vector != 2) || (type == INJ_HW && vector > 31) ||
        (type == INJ_OTHER && vector != 0))
        rule_bits(run, VMCS_ROW_entry_intr_info, 0, 0, NULL);
}

void rule_ctl_inj_deliver(struct rule_run *run)
{
    unsigned type, vector;
    bool deliver, protected, expected;
    const uint64_t with_code =
        1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17;

    if (!injecting(run, &type, &vector))
        return;
    deliver = F(entry_intr_info) >> 11 & 1;
    protected = !(rule_proc2(run) & PROC2_UNRESTRICTED) || (F(guest_cr0) & CR0_PE);
    if (type == INJ_HW && protected && (rule_cap(run, MSR_VMX_BASIC) >> 56 & 1))
        return; /* this CPU lets software choose */
    if (type == INJ_HW && protected && vector == 21 && (F(guest_cr4) & CR4_CET))
        return; /* #CP has one where CET is supported */
    expected = type == INJ_HW && protected && vector < 32 && (with_code >> vector & 1);
    if (deliver != expected)
        rule_bits(run, VMCS_ROW_entry_intr_info, expected ? 1 << 11 : 0, expected ? 0 : 1 << 11,
                  "#DF #TS #NP #SS #GP #PF #AC have an error code; in real mode none has");
}

void rule_ctl_inj_reserved(struct rule_run *run)
{
    unsigned type, vector;

    if (injecting(run, &type, &vector) && (F(entry_intr_info) & 0x7ffff000))
        rule_bits(run, VMCS_ROW_entry_intr_info, 0, F(entry_intr_info) & 0x7ffff000,
                  "bit 12 of an exit's interruption information (NMI unblocking) must not be "
                  "copied into an injection");
}

void rule_ctl_inj_code(struct rule_run *run)
{
    unsigned type, vector;

    if (injecting(run, &type, &vector) && (F(entry_intr_info) >> 11 & 1) &&
        F(entry_error_code) >> 16)
        rule_bits(run, VMCS_ROW_entry_error_code, 0, F(entry_error_code) & ~UINT64_C(0xffff), NULL);
}

void rule_ctl_inj_len(struct rule_run *run)
{
    unsigned type, vector;
    uint64_t length;

    if (!injecting(run, &type, &vector) || type < INJ_SOFT || type > INJ_SW)
        return;
    length = F(entry_instr_len);
    if (length > 15 || (length == 0 && !(rule_cap(run, MSR_VMX_MISC) >> 30 & 1)))
        rule_bits(run, VMCS_ROW_entry_instr_len, 0, 0,
                  "copy the VM-exit instruction length when re-injecting a software event");
}
