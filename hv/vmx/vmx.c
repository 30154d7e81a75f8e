/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VMX backend: is this machine able to, VMXON, and one trip into the guest. What the VMCS holds
 * is vmcs_setup.c, what an exit means vmx_exit.c, guest state by name vmx_state.c.
 */
#include "vmx/vmx.h"

#include "core/exit_fast.h"
#include "core/seeded.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"

#define CPUID_1_ECX_VMX       (1u << 5)
#define CPUID_7_EBX_INVPCID   (1u << 10)
#define CPUID_7_ECX_WAITPKG   (1u << 5)
#define CPUID_D1_EAX_XSAVES   (1u << 3)
#define CPUID_EXT1_EDX_RDTSCP (1u << 27)
#define VMX_MEMORY_TYPE_WB    6
#define REASON_EXCEPTION_NMI  0
#define REASON_CPUID          10 /* in vmx_entry.S too */
#define REASON_TIMER          52

_Static_assert(VMCS_host_rsp == 0x6c14 && VMCS_guest_rsp == 0x681c && VMCS_guest_rip == 0x681e &&
                   VMCS_guest_rflags == 0x6820 && VMCS_exit_reason == 0x4402,
               "fields in vmx_entry.S");

struct vmx_caps vmx_caps;

_Noreturn void vmcs_access_failed(uint32_t encoding, bool write)
{
    const char *name = "?";

    switch (encoding) {
#define VMCS_FIELD(encoding_, width_, name_, access_, text_)                                       \
    case (encoding_):                                                                              \
        name = #name_;                                                                             \
        break;
#include "protocol/vmcs_fields.def"
#undef VMCS_FIELD
    }
    hv_panic("%s of VMCS field 0x%04x (%s) failed", write ? "VMWRITE" : "VMREAD", encoding, name);
}

static void read_caps(struct vmx_caps *caps)
{
    caps->basic = rdmsr(MSR_VMX_BASIC);
    caps->misc = rdmsr(MSR_VMX_MISC);
    caps->cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
    caps->cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
    caps->cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
    caps->cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
    if (!(caps->basic & BASIC_TRUE_CONTROLS))
        return;
    caps->pin = rdmsr(MSR_VMX_TRUE_PIN);
    caps->proc = rdmsr(MSR_VMX_TRUE_PROC);
    caps->exit = rdmsr(MSR_VMX_TRUE_EXIT);
    caps->entry = rdmsr(MSR_VMX_TRUE_ENTRY);
    if (!vmx_may_set(caps->proc, PROC_SECONDARY))
        return;
    caps->proc2 = rdmsr(MSR_VMX_PROC2);
    if (vmx_may_set(caps->proc2, PROC2_EPT))
        caps->ept_vpid = rdmsr(MSR_VMX_EPT_VPID_CAP);
}

/* The first demand that this CPU does not meet, as a sentence; NULL: it meets them all. */
static const char *missing_feature(const struct vmx_caps *caps)
{
    const struct {
        bool met;
        const char *sentence;
    } demands[] = {
        {BASIC_MEMORY_TYPE(caps->basic) == VMX_MEMORY_TYPE_WB,
         "this CPU wants its VMCS in uncached memory, which Trapline does not do"},
        {caps->basic & BASIC_TRUE_CONTROLS,
         "this CPU has no \"true\" VMX capability MSRs: it is older than Trapline can use"},
        {vmx_may_set(caps->pin, PIN_NMI), "this CPU has no NMI exiting for VMX guests"},
        {vmx_may_set(caps->pin, PIN_VIRTUAL_NMIS), "this CPU has no virtual NMIs for VMX guests"},
        {vmx_may_set(caps->proc, PROC_SECONDARY),
         "this CPU has no secondary VM-execution controls, so no EPT: use a newer CPU model"},
        {vmx_may_set(caps->proc, PROC_MSR_BITMAPS),
         "this CPU has no MSR bitmaps: in a nested machine, ask the outer hypervisor for them"},
        {vmx_may_set(caps->proc, PROC_IO_BITMAPS), "this CPU has no I/O bitmaps"},
        {vmx_may_set(caps->proc2, PROC2_EPT),
         "this CPU has no EPT (extended page tables): use a newer CPU model, or switch EPT on in "
         "the outer hypervisor"},
        {vmx_may_set(caps->proc2, PROC2_UNRESTRICTED_GUEST),
         "this CPU has EPT but no unrestricted guest (real mode under VMX): use a newer CPU model"},
        {caps->ept_vpid & EPTCAP_4_LEVEL, "this CPU's EPT has no 4-level page walk"},
        {caps->ept_vpid & EPTCAP_WB, "this CPU's EPT has no write-back memory type"},
        {caps->ept_vpid & EPTCAP_2M, "this CPU's EPT has no 2 MiB pages"},
        {(caps->ept_vpid & EPTCAP_INVEPT) &&
             (caps->ept_vpid & (EPTCAP_INVEPT_SINGLE | EPTCAP_INVEPT_ALL)),
         "this CPU has no INVEPT"},
        {vmx_may_set(caps->exit, EXIT_HOST_64BIT), "this CPU has no 64-bit VMX host"},
        {vmx_may_set(caps->entry, ENTRY_IA32E), "this CPU has no 64-bit VMX guests"},
        {vmx_may_set(caps->exit, EXIT_SAVE_DEBUG) && vmx_may_set(caps->entry, ENTRY_LOAD_DEBUG),
         "this CPU does not switch DR7 for VMX guests"},
        {vmx_may_set(caps->exit, EXIT_SAVE_PAT | EXIT_LOAD_PAT) &&
             vmx_may_set(caps->entry, ENTRY_LOAD_PAT),
         "this CPU does not switch IA32_PAT for VMX guests"},
    };

    for (unsigned i = 0; i < sizeof(demands) / sizeof(demands[0]); i++)
        if (!demands[i].met)
            return demands[i].sentence;
    return NULL;
}

static void fill_caps(struct hv_caps *caps)
{
    uint32_t max_leaf = cpuid(0, 0).eax, proc2 = (uint32_t)(vmx_caps.proc2 >> 32);

    caps->vendor = "vmx";
    caps->platform = cpu_platform();
    caps->maxphyaddr_bits = cpu_maxphyaddr_bits();
    caps->mtf = false; /* cpu_init() tries it */
    caps->nrip = true; /* the VM-exit instruction length */
    caps->decode_assists = true;
    caps->vnmi = true;
    caps->pending_debug = true;
    caps->halt_forgotten = !strcmp(caps->platform, "bochs"); /* real CPUs save the activity state */
    caps->efer_in_area = true; /* `efer=controls` clears it before vcpu_init() */
    caps->nested_1g = vmx_caps.ept_vpid & EPTCAP_1G;
    caps->preemption_timer = vmx_may_set(vmx_caps.pin, PIN_PREEMPTION_TIMER);
    caps->guest_rdtscp =
        (proc2 & PROC2_RDTSCP) && (cpuid(0x80000001, 0).edx & CPUID_EXT1_EDX_RDTSCP);
    caps->guest_invpcid =
        (proc2 & PROC2_INVPCID) && max_leaf >= 7 && (cpuid(7, 0).ebx & CPUID_7_EBX_INVPCID);
    caps->guest_waitpkg =
        (proc2 & PROC2_USER_WAIT_PAUSE) && max_leaf >= 7 && (cpuid(7, 0).ecx & CPUID_7_ECX_WAITPKG);
    caps->guest_xsaves =
        (proc2 & PROC2_XSAVES) && max_leaf >= 13 && (cpuid(13, 1).eax & CPUID_D1_EAX_XSAVES);
}

static const char *vmx_probe(struct hv_caps *caps)
{
    uint64_t feature_control;
    const char *missing;

    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX))
        return "this CPU has no VMX: use an Intel CPU model with it, or the svm backend";
    if (rdmsr_safe(MSR_FEATURE_CONTROL, &feature_control) < 0)
        return "IA32_FEATURE_CONTROL cannot be read, so VMX cannot be switched on";
    if ((feature_control & FEATURE_CONTROL_LOCK) && !(feature_control & FEATURE_CONTROL_VMXON))
        return "the firmware has locked VMX off (IA32_FEATURE_CONTROL): switch virtualization on "
               "in the firmware set-up and power-cycle the machine";
    read_caps(&vmx_caps);
    missing = missing_feature(&vmx_caps);
    if (!missing)
        fill_caps(caps);
    return missing;
}

static bool vmxon(uint64_t region_hpa)
{
    bool failed;

    __asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region_hpa) : "memory");
    return !failed;
}

static const char *vmx_cpu_init(struct cpu *cpu)
{
    uint32_t revision = BASIC_REVISION(vmx_caps.basic);
    uint64_t feature_control = rdmsr(MSR_FEATURE_CONTROL);
    struct vmx_cpu *vmx_cpu = pages_alloc(1);
    void *region = pages_alloc(1);

    if (!vmx_cpu || !region)
        return "no page left for the VMXON region: give the machine more memory";
    vmx_cpu->vmxon_region = region;
    cpu->vendor = vmx_cpu;
    if (!(feature_control & FEATURE_CONTROL_LOCK))
        wrmsr(MSR_FEATURE_CONTROL, feature_control | FEATURE_CONTROL_VMXON | FEATURE_CONTROL_LOCK);
    write_cr0((read_cr0() | vmx_caps.cr0_fixed0) & vmx_caps.cr0_fixed1);
    write_cr4((read_cr4() | vmx_caps.cr4_fixed0 | CR4_VMXE) & vmx_caps.cr4_fixed1);
    memcpy(region, &revision, sizeof(revision));
    if (!vmxon(virt_to_phys(region)))
        return "VMXON failed: something else on this machine already uses VMX";
    if (vmx_may_set(vmx_caps.proc, PROC_MTF)) {
        hv_caps.mtf = vmx_mtf_works(cpu);
        if (!hv_caps.mtf)
            log_info("the monitor trap flag is advertised but does nothing here: stepping uses TF");
    }
    return NULL;
}

/* Can an NMI (or an external interrupt) be injected at this entry? */
static bool window_open(const struct vcpu *vcpu, bool nmi)
{
    uint32_t blocking = vmread(vmcs_guest_interruptibility);

    if (nmi)
        return !(blocking & (BLOCKING_NMI | BLOCKING_MOV_SS | BLOCKING_STI));
    return (vcpu->regs.rflags & RFLAGS_IF) && !(blocking & (BLOCKING_MOV_SS | BLOCKING_STI));
}

/* An event that must wait for the guest to open its window; the window exit brings us back here. */
static bool must_wait(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    bool nmi = vcpu->inject.type == HV_EVENT_NMI;

    if ((!nmi && vcpu->inject.type != HV_EVENT_INTR) || window_open(vcpu, nmi))
        return false;
    if (nmi && seeded(SEEDED_nmi_reinject))
        return false;
    if (nmi) {
        vmx->pending_nmi = true;
        vmx_window_request(vcpu, PROC_NMI_WINDOW, true);
    } else {
        vmx->pending_intr = true;
        vmx->pending_intr_vector = vcpu->inject.vector;
        vmx_window_request(vcpu, PROC_INTERRUPT_WINDOW, true);
    }
    vmx_attention(vmx);
    return true;
}

/* SDM, "VM-Entry Controls for Event Injection" and "VM-Entry Interruption-Information Field" checks */
static void inject(struct vcpu *vcpu)
{
    const struct hv_event *event = &vcpu->inject;
    bool protected_mode = vmread(vmcs_guest_cr0) & CR0_PE;
    uint32_t info = INTR_VALID | event->vector | (uint32_t)event->type << 8;

    if (event->has_error && protected_mode) { /* real mode pushes no error codes */
        info |= INTR_HAS_ERROR;
        vmwrite(vmcs_entry_error_code, event->error_code);
    }
    if (event->type >= HV_EVENT_SOFT_INT)
        vmwrite(vmcs_entry_instr_len, seeded(SEEDED_insnlen0) ? 0 : event->instr_len_bytes);
    vmwrite(vmcs_entry_intr_info, info);
    if (vmread(vmcs_guest_activity) == ACTIVITY_HLT)
        vmwrite(vmcs_guest_activity,
                ACTIVITY_ACTIVE); /* every event ends HLT; few may enter there */
}

static void inject_pending(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);

    if (vmx->pending_nmi && window_open(vcpu, true)) {
        vmx->pending_nmi = false;
        vmx_window_request(vcpu, PROC_NMI_WINDOW, false);
        vcpu->inject = (struct hv_event){.valid = true, .vector = X86_NMI, .type = HV_EVENT_NMI};
    } else if (vmx->pending_intr && window_open(vcpu, false)) {
        vmx->pending_intr = false;
        vmx_window_request(vcpu, PROC_INTERRUPT_WINDOW, false);
        vcpu->inject = (struct hv_event){
            .valid = true, .vector = vmx->pending_intr_vector, .type = HV_EVENT_INTR};
    }
    vmx_attention(vmx);
}

/* The rare work before an entry, kept off the road of a plain exit. */
static void __attribute__((noinline)) before_entry(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);

    if (vcpu->inject.valid && must_wait(vcpu))
        vcpu->inject.valid = false;
    if (!vcpu->inject.valid && (vmx->pending_nmi || vmx->pending_intr))
        inject_pending(vcpu);
    if (vcpu->inject.valid) {
        inject(vcpu);
        vcpu->inject.valid = false;
    }
    if (vmx->timer_ticks && !vmx->timer_saved)
        vmwrite(vmcs_preemption_timer_value, vmx->timer_ticks);
    if (vmx->step_tf) {
        vmx->own_tf = vcpu->regs.rflags & RFLAGS_TF;
        vcpu->regs.rflags |= RFLAGS_TF;
    }
}

/*
 * SDM, "Checks on Guest Non-Register State": in an STI or MOV-SS shadow, or in HLT, TF (without BTF)
 * and the pending single-step trap must go together. For the guest's own TF the trap is made pending;
 * when we step, the shadow ends instead, or the step would trap before its instruction.
 */
static void __attribute__((noinline)) tf_at_entry(struct vcpu *vcpu)
{
    const struct vmx_vcpu *vmx = vmx_of(vcpu);
    uint32_t blocking = vmread(vmcs_guest_interruptibility);
    uint64_t pending = vmread(vmcs_guest_pending_debug);
    bool shadow = blocking & (BLOCKING_STI | BLOCKING_MOV_SS);

    if (vmx->step_tf && !vmx->own_tf) {
        if (shadow)
            vmwrite(vmcs_guest_interruptibility, blocking & ~(BLOCKING_STI | BLOCKING_MOV_SS));
        return;
    }
    if ((shadow || vmread(vmcs_guest_activity) == ACTIVITY_HLT) && !(pending & PENDING_DEBUG_BS) &&
        !(vmread(vmcs_guest_debugctl) & DEBUGCTL_BTF))
        vmwrite(vmcs_guest_pending_debug, pending | PENDING_DEBUG_BS);
}

/* The rare work after an exit (a refused injection stays in its field, for the person who looks, mends
 * and tries again): after those of rare_reason(), and whenever attention is set. */
static void __attribute__((noinline)) after_exit(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);

    if (vcpu->exit.kind == HV_EXIT_NMI)
        vmx_unblock_nmis();
    else if (vcpu->exit.kind == HV_EXIT_PREEMPTION_TIMER)
        vmwrite(vmcs_preemption_timer_value, vmx->timer_ticks);
    if (vmx->step_tf && !vmx->own_tf)
        vcpu->regs.rflags &= ~RFLAGS_TF;
}

static inline bool rare_reason(uint32_t reason)
{
    const uint64_t basic = UINT64_C(1) << REASON_EXCEPTION_NMI | UINT64_C(1) << REASON_TIMER;

    return reason < 64 ? basic >> reason & 1 : true;
}

static void __attribute__((noinline, cold)) entry_failed(struct vcpu *vcpu, int status)
{
    enum { VMFAIL_VALID = 2 };

    vmx_decode_vmfail(vcpu, status == VMFAIL_VALID ? vmread(vmcs_vm_instruction_error) : 0);
    if (status == VMFAIL_VALID)
        vcpu->regs.rip = vmread(vmcs_guest_rip); /* further than regs after a fast CPUID */
    after_exit(vcpu);
}

/*
 * CPUID in one short trip, called by vmx_entry.S between exit and entry. False, with nothing
 * changed: the exit takes the long road (something is armed, a trap is owed, RIP may wrap).
 */
bool vmx_fast_cpuid(struct vcpu *vcpu);
bool vmx_fast_cpuid(struct vcpu *vcpu)
{
    uint64_t rip, next_rip;

    if (!exit_fast_possible(vcpu) || vmx_of(vcpu)->attention || vmread(vmcs_guest_interruptibility))
        return false;
    vcpu->regs.rflags = vmread(vmcs_guest_rflags);
    rip = vmread(vmcs_guest_rip);
    next_rip = rip + vmread(vmcs_exit_instr_len);
    if (vcpu->regs.rflags & (RFLAGS_TF | RFLAGS_RF) || (rip ^ next_rip) >> 16)
        return false;
    vcpu->regs.rip = rip;
    vcpu->regs.rsp = vmread(vmcs_guest_rsp);
    vcpu->exit.cs_selector = vmread(vmcs_guest_cs_selector);
    vcpu->exit.cr3 = vmread(vmcs_guest_cr3);
    exit_fast_cpuid(vcpu, REASON_CPUID);
    vmwrite(vmcs_guest_rip, next_rip);
    return true;
}

/*
 * The preemption timer is there for one case: an NMI of the line that came in root mode, behind the
 * last look at the line, would wait for an exit that a spinning guest never makes. Without such an
 * NMI the expiry is nobody's business, and must not fill the exit ring.
 */
static bool idle_timer(struct vcpu *vcpu, uint32_t reason)
{
    if (reason != REASON_TIMER || vcpu->cpu->nmi_seen || vcpu->single_step ||
        (hv_debug.armed & HV_KIND_BIT(HV_EXIT_PREEMPTION_TIMER)))
        return false;
    vmwrite(vmcs_preemption_timer_value, vmx_of(vcpu)->timer_ticks);
    if (vcpu->halted && vcpu->regs.rip == vcpu->halted_rip + vcpu->halted_len_bytes)
        vcpu->regs.rip = vcpu->halted_rip; /* the timer is not the guest's: it sleeps on */
    return true;
}

static void vmx_run(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    uint32_t reason;
    int status;

    if (__builtin_expect(vcpu->inject.valid || vmx->attention, 0))
        before_entry(vcpu);
    if (__builtin_expect((vcpu->regs.rflags & RFLAGS_TF) && !vcpu->as_is, 0))
        tf_at_entry(vcpu);
    write_cr2(vcpu->cr2);
    do {
        status = vmx_enter(&vcpu->regs, vmx->launched);
        if (__builtin_expect(status, 0)) {
            entry_failed(vcpu, status);
            return;
        }
        reason = vmread(vmcs_exit_reason);
        if (__builtin_expect(!vmx->launched, 0)) /* a failed entry leaves the VMCS "clear" */
            vmx->launched = !(reason & EXIT_REASON_ENTRY_FAIL);
    } while (__builtin_expect(idle_timer(vcpu, reason), 0));
    vcpu->cr2 = read_cr2();
    vmx_decode(vcpu, reason);
    if (__builtin_expect(rare_reason(reason) || vmx->attention, 0))
        after_exit(vcpu);
}

const struct hv_backend vmx_backend = {
    .name = "vmx",
    .probe = vmx_probe,
    .cpu_init = vmx_cpu_init,
    .vcpu_init = vmx_vcpu_init,
    .run = vmx_run,
    .get = vmx_get,
    .set = vmx_set,
    .get_segment = vmx_get_segment,
    .set_segment = vmx_set_segment,
    .set_cr = vmx_set_cr,
    .set_efer = vmx_set_efer,
    .set_intercepts = vmx_set_intercepts,
    .msr_intercept = vmx_msr_intercept,
    .io_bitmap = vmx_io_bitmap,
    .msr_area = vmx_msr_area,
    .msr_area_set = vmx_msr_area_set,
    .field_read = vmx_field_read,
    .field_write = vmx_field_write,
    .nested_flush = vmx_nested_flush,
};
