/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does the monitor trap flag do what the capability MSR promises? Some emulators offer the control
 * and ignore it, and a debugger that trusts it then never stops. Tried once, with a throw-away guest
 * that is a copy of ourselves: no EPT, our own page tables, two NOPs and a VMCALL.
 */
#include "vmx/vmx.h"

#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"

#define REASON_VMCALL 18
#define REASON_MTF    37

extern const char vmx_selfcheck_guest[];
__asm__(".pushsection .text\n"
        "vmx_selfcheck_guest:\n"
        "        nop\n"
        "        nop\n"
        "        vmcall\n"
        "        .popsection\n");

/* Guest state: where the host is now. */
static void copy_host_state(const struct cpu *cpu)
{
    static const struct {
        enum hv_seg seg;
        uint32_t rights;
    } flat[] = {
        {HV_CS, 0xa09b},
        {HV_SS, 0xc093},
        {HV_DS, HV_SEG_UNUSABLE},
        {HV_ES, HV_SEG_UNUSABLE},
        {HV_TR, 0x8b},
        {HV_FS, HV_SEG_UNUSABLE},
        {HV_GS, HV_SEG_UNUSABLE},
        {HV_LDTR, HV_SEG_UNUSABLE},
    };
    const uint32_t tss_limit = 0x67;

    for (unsigned i = 0; i < sizeof(flat) / sizeof(flat[0]); i++) {
        struct hv_segment segment = {.limit = UINT32_MAX, .rights = flat[i].rights};

        if (flat[i].seg == HV_CS)
            segment.selector = cpu->cs;
        if (flat[i].seg == HV_SS)
            segment.selector = cpu->ss;
        if (flat[i].seg == HV_GS)
            segment.base = rdmsr(MSR_GS_BASE);
        if (flat[i].seg == HV_TR)
            segment = (struct hv_segment){
                .selector = cpu->tr, .limit = tss_limit, .rights = 0x8b, .base = cpu->tss_hva};
        vmx_set_segment(NULL, flat[i].seg, &segment);
    }
    vmwrite(vmcs_guest_cr0, read_cr0());
    vmwrite(vmcs_guest_cr3, read_cr3());
    vmwrite(vmcs_guest_cr4, read_cr4());
    vmwrite(vmcs_guest_gdtr_base, cpu->gdt_hva);
    vmwrite(vmcs_guest_gdtr_limit, sgdt().limit);
    vmwrite(vmcs_guest_idtr_base, cpu->idt_hva);
    vmwrite(vmcs_guest_idtr_limit, sidt().limit);
    vmwrite(vmcs_guest_dr7, DR7_RESET);
    vmwrite(vmcs_guest_debugctl, 0);
    vmwrite(vmcs_guest_link_pointer, ~UINT64_C(0));
    vmwrite(vmcs_guest_sysenter_cs, 0);
    vmwrite(vmcs_guest_sysenter_esp, 0);
    vmwrite(vmcs_guest_sysenter_eip, 0);
    vmwrite(vmcs_guest_activity, ACTIVITY_ACTIVE);
    vmwrite(vmcs_guest_interruptibility, 0);
    vmwrite(vmcs_guest_pending_debug, 0);
    vmwrite(vmcs_guest_rip, (uint64_t)vmx_selfcheck_guest);
    vmwrite(vmcs_guest_rsp, 0); /* VMCALL needs no stack, and our NMI handler has its own (IST) */
    vmwrite(vmcs_guest_rflags, RFLAGS_FIXED);
}

static void setup_controls(void)
{
    vmwrite(vmcs_pin_controls, vmx_merge(vmx_caps.pin, 0));
    vmwrite(vmcs_proc_controls, vmx_merge(vmx_caps.proc, PROC_MTF));
    vmwrite(vmcs_exit_controls, vmx_merge(vmx_caps.exit, EXIT_HOST_64BIT));
    vmwrite(vmcs_entry_controls, vmx_merge(vmx_caps.entry, ENTRY_IA32E));
    vmwrite(vmcs_exception_bitmap, 0);
    vmwrite(vmcs_cr3_target_count, 0);
    vmwrite(vmcs_exit_msr_load_count, 0);
    vmwrite(vmcs_exit_msr_store_count, 0);
    vmwrite(vmcs_entry_msr_load_count, 0);
    vmwrite(vmcs_entry_intr_info, 0);
    vmwrite(vmcs_cr0_mask, 0);
    vmwrite(vmcs_cr4_mask, 0);
}

bool vmx_mtf_works(struct cpu *cpu)
{
    uint32_t revision = BASIC_REVISION(vmx_caps.basic), reason = 0;
    struct guest_regs regs = {.rip = 0};
    void *region = pages_alloc(1);
    int status;

    if (!region)
        return false;
    memcpy(region, &revision, sizeof(revision));
    if (!vmx_vmclear(virt_to_phys(region)) || !vmx_vmptrld(virt_to_phys(region)))
        return false;
    setup_controls();
    vmx_setup_host(cpu);
    copy_host_state(cpu);
    status = vmx_enter(&regs, false);
    if (!status)
        reason = vmread(vmcs_exit_reason);
    if (status || (reason != REASON_MTF && reason != REASON_VMCALL))
        log_warn("trial of the monitor trap flag failed: entry status %d, exit reason 0x%x", status,
                 reason);
    vmx_vmclear(virt_to_phys(region));
    return !status && reason == REASON_MTF;
}
