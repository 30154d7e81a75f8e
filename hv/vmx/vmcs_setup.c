/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VMCS of a guest CPU as one readable list: controls, host state, the guest's power-up state,
 * bitmaps and MSR areas; and the control bits that follow what must exit. Entering and decoding are
 * elsewhere.
 */
#include "vmx/vmx.h"

#include "core/seeded.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"

#define TIMER_PERIOD_MS  10u
#define IO_BITMAP_PAGES  2
#define EXCEPTION_DB_BIT (1u << X86_DB)

/* CR0 bits that the guest does not own: paging and mode changes are followed (IA-32e control,
 * PDPTEs), NE must stay 1, CD and NW must not reach the CPU. TS, MP, EM, AM are the guest's. */
#define CR0_OURS (CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_CD | CR0_NW)
/* CR4 bits that must keep the value VMX operation demands; core asks for the rest. */
#define CR4_OURS CR4_VMXE

/* Guest MSRs that no VMCS field holds. EFER first: its entry number is 1 in a failed entry. */
static const uint32_t area_msrs[] = {
    MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_TSC_AUX,
};

/* Kinds that one control bit switches on. */
static const struct {
    uint8_t kind;
    uint32_t proc, proc2, pin;
} kind_controls[] = {
    {HV_EXIT_HLT, .proc = PROC_HLT},
    {HV_EXIT_INVLPG, .proc = PROC_INVLPG},
    {HV_EXIT_MWAIT, .proc = PROC_MWAIT},
    {HV_EXIT_RDPMC, .proc = PROC_RDPMC},
    {HV_EXIT_RDTSC, .proc = PROC_RDTSC},
    {HV_EXIT_CR3_WRITE, .proc = PROC_CR3_LOAD},
    {HV_EXIT_CR3_READ, .proc = PROC_CR3_STORE},
    {HV_EXIT_CR8_WRITE, .proc = PROC_CR8_LOAD},
    {HV_EXIT_CR8_READ, .proc = PROC_CR8_STORE},
    {HV_EXIT_DR_ACCESS, .proc = PROC_MOV_DR},
    {HV_EXIT_MONITOR, .proc = PROC_MONITOR},
    {HV_EXIT_PAUSE, .proc = PROC_PAUSE},
    {HV_EXIT_INTERRUPT_WINDOW, .proc = PROC_INTERRUPT_WINDOW},
    {HV_EXIT_GDTR_IDTR, .proc2 = PROC2_DESCRIPTOR_TABLE},
    {HV_EXIT_LDTR_TR, .proc2 = PROC2_DESCRIPTOR_TABLE},
    {HV_EXIT_WBINVD, .proc2 = PROC2_WBINVD},
    {HV_EXIT_INTERRUPT, .pin = PIN_EXTERNAL_INTERRUPT},
    {HV_EXIT_PREEMPTION_TIMER, .pin = PIN_PREEMPTION_TIMER},
};

/* In force whatever anybody asks for. */
static uint32_t base_pin(void)
{
    return PIN_NMI | PIN_VIRTUAL_NMIS;
}

static uint32_t base_proc2(const struct vmx_vcpu *vmx)
{
    uint32_t bits = PROC2_EPT | PROC2_UNRESTRICTED_GUEST;

    if (vmx->vpid)
        bits |= PROC2_VPID;
    /* CPUID shows these instructions exactly when they are enabled here (hv_caps). */
    if (hv_caps.guest_rdtscp && !seeded(SEEDED_no_rdtscp))
        bits |= PROC2_RDTSCP;
    if (hv_caps.guest_invpcid && !seeded(SEEDED_no_invpcid))
        bits |= PROC2_INVPCID;
    if (hv_caps.guest_xsaves && !seeded(SEEDED_no_xsaves))
        bits |= PROC2_XSAVES;
    if (seeded(SEEDED_ctl_unsupported)) /* the lowest bit that may not be 1 */
        bits |= ~(uint32_t)(vmx_caps.proc2 >> 32) & ((uint32_t)(vmx_caps.proc2 >> 32) + 1);
    if (hv_caps.guest_waitpkg)
        bits |= PROC2_USER_WAIT_PAUSE;
    return bits;
}

void vmx_window_request(struct vcpu *vcpu, uint32_t proc_bit, bool on)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);

    vmx->proc = on ? vmx->proc | proc_bit : vmx->proc & ~proc_bit;
    vmwrite(vmcs_proc_controls, vmx->proc);
}

static uint32_t timer_period_ticks(void)
{
    uint64_t ticks = (tsc_khz * TIMER_PERIOD_MS) >> MISC_TIMER_SHIFT(vmx_caps.misc);

    return ticks == 0 ? 1 : ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks;
}

/* A control that this CPU does not offer is left out: core knows from hv_caps what it can have. */
void vmx_set_intercepts(struct vcpu *vcpu, const struct hv_intercepts *wanted)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    uint32_t proc = PROC_SECONDARY | PROC_IO_BITMAPS | PROC_MSR_BITMAPS;
    uint32_t proc2 = base_proc2(vmx), pin = base_pin(), exceptions = wanted->exceptions;
    bool timer;

    for (unsigned i = 0; i < sizeof(kind_controls) / sizeof(kind_controls[0]); i++) {
        if (!(wanted->kinds & HV_KIND_BIT(kind_controls[i].kind)))
            continue;
        if (vmx_may_set(vmx_caps.proc, kind_controls[i].proc))
            proc |= kind_controls[i].proc;
        if (vmx_may_set(vmx_caps.proc2, kind_controls[i].proc2))
            proc2 |= kind_controls[i].proc2;
        if (vmx_may_set(vmx_caps.pin, kind_controls[i].pin))
            pin |= kind_controls[i].pin;
    }
    /* RDMSR, WRMSR, IN and OUT: the bitmaps say which, and are always in force. */
    vmx->step_tf = wanted->step && !hv_caps.mtf;
    if (wanted->step && hv_caps.mtf)
        proc |= PROC_MTF;
    if (vmx->step_tf)
        exceptions |= EXCEPTION_DB_BIT;
    if (vmx->pending_nmi)
        proc |= PROC_NMI_WINDOW;
    if (vmx->pending_intr)
        proc |= PROC_INTERRUPT_WINDOW;

    timer = pin & PIN_PREEMPTION_TIMER;
    if (timer && !vmx->timer_ticks)
        vmwrite(vmcs_preemption_timer_value, timer_period_ticks());
    vmx->timer_ticks = timer ? timer_period_ticks() : 0;
    vmx_attention(vmx);

    vmx->proc = vmx_merge(vmx_caps.proc, proc);
    /* SDM, "VM-Exit Control Fields": saving the timer without running it fails the entry. */
    vmwrite(vmcs_exit_controls,
            vmx->exit_controls | (timer && vmx->timer_saved ? EXIT_SAVE_PREEMPTION_TIMER : 0));
    vmwrite(vmcs_pin_controls, vmx_merge(vmx_caps.pin, pin));
    vmwrite(vmcs_proc_controls, vmx->proc);
    vmwrite(vmcs_proc2_controls, vmx_merge(vmx_caps.proc2, proc2));
    vmwrite(vmcs_exception_bitmap, exceptions);
    vmwrite(vmcs_cr0_mask, CR0_OURS | wanted->cr0_mask);
    vmwrite(vmcs_cr4_mask, CR4_OURS | vmx_caps.cr4_fixed0 | wanted->cr4_mask);
}

/*
 * SDM, "MSR-Bitmap Address": four 1 KiB bitmaps, read low, read high, write low, write high. MSRs
 * outside both ranges always exit.
 */
void vmx_msr_intercept(struct vcpu *vcpu, uint32_t index, uint8_t access, bool on)
{
    enum { RANGE_MSRS = 0x2000, HIGH_FIRST = 1024, WRITE_FIRST = 2048 };
    const uint32_t high_base = 0xc0000000;
    uint8_t *bitmap = vmx_of(vcpu)->msr_bitmap;
    uint32_t bit = index;

    if (index - high_base < RANGE_MSRS) {
        bitmap += HIGH_FIRST;
        bit = index - high_base;
    } else if (index >= RANGE_MSRS) {
        return;
    }
    for (int write = 0; write < 2; write++) {
        uint8_t *byte = bitmap + write * WRITE_FIRST + bit / 8;
        uint8_t mask = (uint8_t)(1u << bit % 8);

        if (access & (write ? HV_WRITE : HV_READ))
            *byte = on ? *byte | mask : *byte & (uint8_t)~mask;
    }
}

uint8_t *vmx_io_bitmap(struct vcpu *vcpu)
{
    return vmx_of(vcpu)->io_bitmap;
}

static void setup_controls(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    uint32_t exit = EXIT_SAVE_DEBUG | EXIT_HOST_64BIT | EXIT_SAVE_PAT | EXIT_LOAD_PAT;
    uint32_t entry = ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT;
    const struct hv_intercepts nothing = {.kinds = 0};

    if (vmx_may_set(vmx_caps.exit, EXIT_ACK_INTERRUPT))
        exit |= EXIT_ACK_INTERRUPT;
    if (!vmx->efer_in_area) {
        exit |= EXIT_SAVE_EFER | EXIT_LOAD_EFER;
        entry |= ENTRY_LOAD_EFER;
    }
    vmx->timer_saved = vmx_may_set(vmx_caps.exit, EXIT_SAVE_PREEMPTION_TIMER);
    vmx->exit_controls = vmx_merge(vmx_caps.exit, exit);
    vmwrite(vmcs_entry_controls, vmx_merge(vmx_caps.entry, entry));
    vmx_set_intercepts(vcpu, &nothing); /* the other controls */

    vmwrite(vmcs_pf_error_mask, 0);
    vmwrite(vmcs_pf_error_match, 0);
    vmwrite(vmcs_cr3_target_count, 0);
    vmwrite(vmcs_tsc_offset, 0);
    vmwrite(vmcs_entry_intr_info, 0);
    vmwrite(vmcs_io_bitmap_a, virt_to_phys(vmx->io_bitmap));
    vmwrite(vmcs_io_bitmap_b, virt_to_phys(vmx->io_bitmap) + PAGE_BYTES);
    vmwrite(vmcs_msr_bitmap, virt_to_phys(vmx->msr_bitmap));
    vmwrite(vmcs_eptp, vmx->eptp);
    if (vmx->vpid)
        vmwrite(vmcs_vpid, vmx->vpid);
    if (hv_caps.guest_xsaves)
        vmwrite(vmcs_xss_exiting_bitmap, 0);
}

void vmx_setup_host(const struct cpu *cpu)
{
    vmwrite(vmcs_host_cr0, read_cr0());
    vmwrite(vmcs_host_cr3, read_cr3());
    vmwrite(vmcs_host_cr4, read_cr4());
    vmwrite(vmcs_host_cs_selector, cpu->cs);
    vmwrite(vmcs_host_ss_selector, cpu->ss);
    vmwrite(vmcs_host_ds_selector, 0); /* unused in 64-bit mode; GS base is a field of its own */
    vmwrite(vmcs_host_es_selector, seeded(SEEDED_host_sel) ? 3 : 0);
    vmwrite(vmcs_host_fs_selector, 0);
    vmwrite(vmcs_host_gs_selector, 0);
    vmwrite(vmcs_host_tr_selector, cpu->tr);
    vmwrite(vmcs_host_fs_base, rdmsr(MSR_FS_BASE));
    vmwrite(vmcs_host_gs_base, rdmsr(MSR_GS_BASE));
    vmwrite(vmcs_host_tr_base, cpu->tss_hva);
    vmwrite(vmcs_host_gdtr_base, cpu->gdt_hva);
    vmwrite(vmcs_host_idtr_base, cpu->idt_hva);
    vmwrite(vmcs_host_sysenter_cs, 0);
    vmwrite(vmcs_host_sysenter_esp, 0);
    vmwrite(vmcs_host_sysenter_eip, 0);
    vmwrite(vmcs_host_pat, rdmsr(MSR_PAT));
    vmwrite(vmcs_host_rip, (uint64_t)vmx_exit_landing);
    /* host_rsp: vmx_enter() */
}

/* SDM, table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT" */
static void setup_power_up(struct vcpu *vcpu)
{
    vcpu_power_up(vcpu);
    vmwrite(vmcs_guest_gdtr_base, 0);
    vmwrite(vmcs_guest_gdtr_limit, 0xffff);
    vmwrite(vmcs_guest_idtr_base, 0);
    vmwrite(vmcs_guest_idtr_limit, 0xffff);
    vmwrite(vmcs_guest_cr3, 0);
    vmx_set_cr(vcpu, 0, CR0_ET, CR0_POWER_UP);
    vmx_set_cr(vcpu, 4, 0, 0);
    vmx_set_efer(vcpu, 0);
    vmwrite(vmcs_guest_dr7, DR7_RESET);
    vmwrite(vmcs_guest_debugctl, 0);
    vmwrite(vmcs_guest_pat, PAT_POWER_UP);
    vmwrite(vmcs_guest_sysenter_cs, 0);
    vmwrite(vmcs_guest_sysenter_esp, 0);
    vmwrite(vmcs_guest_sysenter_eip, 0);
    vmwrite(vmcs_guest_activity, ACTIVITY_ACTIVE);
    vmwrite(vmcs_guest_interruptibility, 0);
    vmwrite(vmcs_guest_pending_debug, 0);
    vmwrite(vmcs_guest_link_pointer, ~UINT64_C(0));
    vmwrite(vmcs_guest_pdpte0, 0);
    vmwrite(vmcs_guest_pdpte1, 0);
    vmwrite(vmcs_guest_pdpte2, 0);
    vmwrite(vmcs_guest_pdpte3, 0);
    write_dr6(DR6_RESET);
}

static void setup_areas(struct vmx_vcpu *vmx)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < sizeof(area_msrs) / sizeof(area_msrs[0]); i++) {
        uint32_t index = area_msrs[i];

        if ((index == MSR_EFER && !vmx->efer_in_area) ||
            (index == MSR_TSC_AUX && !hv_caps.guest_rdtscp))
            continue;
        vmx->guest_area[count] = (struct hv_msr_entry){.index = index, .value = 0};
        vmx->host_area[count] = (struct hv_msr_entry){.index = index, .value = rdmsr(index)};
        count++;
    }
    vmx->guest_area_count = count;
    vmwrite(vmcs_entry_msr_load_addr, virt_to_phys(vmx->guest_area));
    vmwrite(vmcs_entry_msr_load_count, count);
    vmwrite(vmcs_exit_msr_store_addr, virt_to_phys(vmx->guest_area));
    vmwrite(vmcs_exit_msr_store_count, count);
    vmwrite(vmcs_exit_msr_load_addr, virt_to_phys(vmx->host_area));
    vmwrite(vmcs_exit_msr_load_count, count);
    if (!vmx->efer_in_area) {
        vmwrite(vmcs_host_efer, rdmsr(MSR_EFER));
        vmwrite(vmcs_guest_efer, 0);
    }
}

/* Guest MSRs of the area exit, so that an access meets the area and not the hardware; what else must
 * exit, core says with msr_intercept(). Fields of the VMCS (FS_BASE, PAT ...) are the CPU's work. */
static void setup_msr_bitmap(struct vcpu *vcpu)
{
    const struct vmx_vcpu *vmx = vmx_of(vcpu);

    for (uint32_t i = 0; i < vmx->guest_area_count; i++)
        vmx_msr_intercept(vcpu, vmx->guest_area[i].index, HV_READ | HV_WRITE, true);
}

const char *vmx_vcpu_init(struct vcpu *vcpu, uint64_t nested_root_hpa)
{
    struct vmx_vcpu *vmx = pages_alloc(1);
    uint32_t revision = BASIC_REVISION(vmx_caps.basic);

    _Static_assert(sizeof(*vmx) <= PAGE_BYTES / 2, "the MSR areas share the page");
    _Static_assert(2 * HV_MSR_AREA_MAX * sizeof(struct hv_msr_entry) <= PAGE_BYTES / 2, "areas");
    _Static_assert(sizeof(area_msrs) / sizeof(area_msrs[0]) <= HV_MSR_AREA_MAX, "area rows");
    if (!vmx)
        return "no page left for a guest CPU: give the machine more memory";
    vcpu->vendor = vmx;
    vmx->guest_area = (struct hv_msr_entry *)((uint8_t *)vmx + PAGE_BYTES / 2);
    vmx->host_area = vmx->guest_area + HV_MSR_AREA_MAX;
    vmx->vmcs = pages_alloc(1);
    vmx->msr_bitmap = pages_alloc(1);
    vmx->io_bitmap = pages_alloc(IO_BITMAP_PAGES);
    if (!vmx->vmcs || !vmx->msr_bitmap || !vmx->io_bitmap)
        return "no page left for a VMCS and its bitmaps: give the machine more memory";
    vmx->efer_in_area = hv_caps.efer_in_area;
    if (!vmx->efer_in_area && (!vmx_may_set(vmx_caps.exit, EXIT_SAVE_EFER | EXIT_LOAD_EFER) ||
                               !vmx_may_set(vmx_caps.entry, ENTRY_LOAD_EFER)))
        return "this CPU has no load/save IA32_EFER controls: use efer=area";
    vmx->eptp = nested_root_hpa | EPTP_WB | EPTP_4_LEVEL;
    if (vmx_may_set(vmx_caps.proc2, PROC2_VPID) && (vmx_caps.ept_vpid & EPTCAP_INVVPID) &&
        (vmx_caps.ept_vpid & EPTCAP_INVVPID_ONE))
        vmx->vpid = (uint16_t)(vcpu->id + 1);

    memcpy(vmx->vmcs, &revision, sizeof(revision));
    if (!vmx_vmclear(virt_to_phys(vmx->vmcs)) || !vmx_vmptrld(virt_to_phys(vmx->vmcs)))
        return "the CPU does not accept a VMCS of the revision it announces";
    setup_areas(vmx);
    setup_msr_bitmap(vcpu);
    setup_controls(vcpu);
    vmx_setup_host(vcpu->cpu);
    setup_power_up(vcpu);
    vmx_nested_flush(vcpu);
    vmx_tlb_flush(vcpu);
    return NULL;
}
