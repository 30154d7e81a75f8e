/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VMCB of a guest CPU as one readable list: controls, intercepts, permission maps, the guest's
 * power-up state; and the intercept bits that follow what must exit. Entering and decoding are
 * elsewhere.
 */
#include "svm/svm.h"

#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/mem.h"
#include "protocol/tables.h"

#define IOPM_PAGES  3
#define MSRPM_PAGES 2

/* What must never reach the CPU from a guest, whatever anybody asks for: instructions of SVM (VMRUN
 * is demanded by the CPU), signals that would end us, INVD (drops our dirty lines too). Physical
 * interrupts are the guest's own and do not exit. */
#define BASE_MISC1                                                                                 \
    (SVM1_NMI | SVM1_INIT | SVM1_CPUID | SVM1_INVD | SVM1_INVLPGA | SVM1_IOIO | SVM1_MSR |         \
     SVM1_SHUTDOWN)
#define BASE_MISC2                                                                                 \
    (SVM2_VMRUN | SVM2_VMMCALL | SVM2_VMLOAD | SVM2_VMSAVE | SVM2_STGI | SVM2_CLGI | SVM2_SKINIT | \
     SVM2_XSETBV)

#define CR_BIT(n_)    (1u << (n_))
#define DR_ALL        0xffffu
#define DR6_AND_ALIAS (1u << 6 | 1u << 4)
#define DR7_AND_ALIAS (1u << 7 | 1u << 5)
#define DB_BIT        (1u << X86_DB)
#define BP_BIT        (1u << X86_BP)

/* Kinds that intercept bits switch on. */
static const struct {
    uint8_t kind;
    uint16_t cr_read, cr_write;
    uint32_t misc1, misc2;
} kind_intercepts[] = {
    {HV_EXIT_CR0_READ, .cr_read = CR_BIT(0)},
    {HV_EXIT_CR3_READ, .cr_read = CR_BIT(3)},
    {HV_EXIT_CR4_READ, .cr_read = CR_BIT(4)},
    {HV_EXIT_CR8_READ, .cr_read = CR_BIT(8)},
    {HV_EXIT_CR3_WRITE, .cr_write = CR_BIT(3)},
    {HV_EXIT_CR8_WRITE, .cr_write = CR_BIT(8)},
    {HV_EXIT_HLT, .misc1 = SVM1_HLT},
    {HV_EXIT_INVLPG, .misc1 = SVM1_INVLPG},
    {HV_EXIT_RDTSC, .misc1 = SVM1_RDTSC, .misc2 = SVM2_RDTSCP},
    {HV_EXIT_RDPMC, .misc1 = SVM1_RDPMC},
    {HV_EXIT_WBINVD, .misc2 = SVM2_WBINVD},
    {HV_EXIT_MONITOR, .misc2 = SVM2_MONITOR},
    {HV_EXIT_MWAIT, .misc2 = SVM2_MWAIT},
    {HV_EXIT_PAUSE, .misc1 = SVM1_PAUSE},
    {HV_EXIT_INTERRUPT, .misc1 = SVM1_INTR},
    {HV_EXIT_INTERRUPT_WINDOW, .misc1 = SVM1_VINTR},
    {HV_EXIT_TASK_SWITCH, .misc1 = SVM1_TASK_SWITCH},
    {HV_EXIT_GDTR_IDTR,
     .misc1 = SVM1_GDTR_READ | SVM1_GDTR_WRITE | SVM1_IDTR_READ | SVM1_IDTR_WRITE},
    {HV_EXIT_LDTR_TR, .misc1 = SVM1_LDTR_READ | SVM1_LDTR_WRITE | SVM1_TR_READ | SVM1_TR_WRITE},
    {HV_EXIT_FLAGS_ACCESS, .misc1 = SVM1_PUSHF | SVM1_POPF | SVM1_IRET | SVM1_INTN,
     .misc2 = SVM2_ICEBP},
};

/* Controls and debug registers follow from more than one cause. */
static void apply_registers(struct svm_vcpu *svm, uint16_t cr_read, uint16_t cr_write)
{
    union vmcb *vmcb = svm->vmcb;
    uint16_t dr_read = 0, dr_write = 0;

    /* Writes always: CR0 for paging and mode changes, CR4 for its reserved bits. Reads while the
     * guest must not see what the CPU holds. */
    cr_write |= CR_BIT(0) | CR_BIT(4);
    if (svm->cr0_read != vmcb->guest_cr0)
        cr_read |= CR_BIT(0);
    if (svm->cr4_read != vmcb->guest_cr4)
        cr_read |= CR_BIT(4);
    vmcb->intercept_cr_read = cr_read;
    vmcb->intercept_cr_write = cr_write;

    if (svm->wanted.kinds & HV_KIND_BIT(HV_EXIT_DR_ACCESS))
        dr_read = dr_write = DR_ALL;
    if (svm->dr6_parked) {
        dr_read |= DR6_AND_ALIAS;
        dr_write |= DR6_AND_ALIAS;
    }
    if (svm_quirk(SVM_QUIRK_raw_dr7))
        dr_write |= DR7_AND_ALIAS;
    vmcb->intercept_dr_read = dr_read;
    vmcb->intercept_dr_write = dr_write;
}

void svm_apply_intercepts(struct svm_vcpu *svm)
{
    const struct hv_intercepts *wanted = &svm->wanted;
    uint32_t misc1 = BASE_MISC1, misc2 = BASE_MISC2, exceptions = wanted->exceptions;
    uint16_t cr_read = 0, cr_write = 0;

    for (unsigned i = 0; i < sizeof(kind_intercepts) / sizeof(kind_intercepts[0]); i++) {
        if (!(wanted->kinds & HV_KIND_BIT(kind_intercepts[i].kind)))
            continue;
        cr_read |= kind_intercepts[i].cr_read;
        cr_write |= kind_intercepts[i].cr_write;
        misc1 |= kind_intercepts[i].misc1;
        misc2 |= kind_intercepts[i].misc2;
    }
    if (wanted->step)
        exceptions |= DB_BIT;
    if (svm_quirk(SVM_QUIRK_no_bp_intercept) && (exceptions & BP_BIT))
        misc1 |= SVM1_INTN;
    if (svm->pending_intr)
        misc1 |= SVM1_VINTR;
    svm->edited = true;
    svm_park_dr6(svm, exceptions & DB_BIT);
    svm->vmcb->intercept_misc1 = misc1;
    svm->vmcb->intercept_misc2 = misc2;
    svm->vmcb->intercept_exceptions = exceptions;
    apply_registers(svm, cr_read, cr_write);
}

/* RDMSR, WRMSR, IN and OUT: the permission maps say which, and are always in force. */
void svm_set_intercepts(struct vcpu *vcpu, const struct hv_intercepts *wanted)
{
    struct svm_vcpu *svm = svm_of(vcpu);

    svm->wanted = *wanted;
    svm->step = wanted->step;
    svm_apply_intercepts(svm);
}

/* APM, "MSR Intercepts": two bits an MSR (read, write), three ranges of 8192; others always exit. */
void svm_msr_intercept(struct vcpu *vcpu, uint32_t index, uint8_t access, bool on)
{
    static const uint32_t ranges[] = {0, 0xc0000000, 0xc0010000};
    enum { RANGE_MSRS = 0x2000, RANGE_BYTES = 0x800 };

    if (index == MSR_efer)
        return; /* VMCB.EFER.SVME is ours: both ways, always */
    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        uint32_t n = index - ranges[i];
        uint8_t bits = (uint8_t)((access & HV_READ ? 1 : 0) | (access & HV_WRITE ? 2 : 0));
        uint8_t *byte = svm_of(vcpu)->msrpm + i * RANGE_BYTES + n / 4;

        if (n >= RANGE_MSRS)
            continue;
        bits = (uint8_t)(bits << 2 * (n % 4));
        *byte = on ? *byte | bits : *byte & (uint8_t)~bits;
    }
}

uint8_t *svm_io_bitmap(struct vcpu *vcpu)
{
    return svm_of(vcpu)->iopm;
}

/* Everything exits, except MSRs that VMLOAD and VMSAVE switch and that a guest kernel writes at each
 * of its task switches. */
static void setup_msrpm(struct vcpu *vcpu)
{
    static const uint32_t free_msrs[] = {MSR_fs_base, MSR_gs_base, MSR_kernel_gs_base};

    memset(svm_of(vcpu)->msrpm, 0xff, MSRPM_PAGES * PAGE_BYTES);
    for (unsigned i = 0; i < sizeof(free_msrs) / sizeof(free_msrs[0]); i++)
        svm_msr_intercept(vcpu, free_msrs[i], HV_READ | HV_WRITE, false);
}

static void setup_controls(struct vcpu *vcpu, uint64_t nested_root_hpa)
{
    const struct svm_vcpu *svm = svm_of(vcpu);
    union vmcb *vmcb = svm->vmcb;
    const struct hv_intercepts nothing = {.kinds = 0};

    vmcb->iopm_base = virt_to_phys(svm->iopm);
    vmcb->msrpm_base = virt_to_phys(svm->msrpm);
    vmcb->tsc_offset = 0;
    vmcb->asid = vcpu->id + 1; /* 0 is the host's */
    vmcb->tlb_control = TLB_FLUSH_ALL;
    vmcb->vintr = 0;
    vmcb->nested_control = NESTED_ENABLE;
    vmcb->nested_cr3 = nested_root_hpa;
    vmcb->clean_bits = 0; /* nothing is cached from one VMRUN to the next */
    svm_set_intercepts(vcpu, &nothing);
}

/* APM, "Initial Processor State" */
static void setup_power_up(struct vcpu *vcpu)
{
    union vmcb *vmcb = svm_of(vcpu)->vmcb;

    vcpu_power_up(vcpu);
    vmcb->guest_gdtr_limit = 0xffff;
    vmcb->guest_idtr_limit = 0xffff;
    vmcb->guest_dr6 = svm_of(vcpu)->dr6 = DR6_RESET;
    vmcb->guest_dr7 = DR7_RESET;
    vmcb->guest_pat = PAT_POWER_UP;
    svm_set_efer(vcpu, 0);
    svm_set_cr(vcpu, 0, CR0_ET, CR0_POWER_UP);
    svm_set_cr(vcpu, 4, 0, 0);
    /* Shared with us (we use neither), and under QEMU the guest's XSETBV does not exit. */
    if (read_cr4() & CR4_OSXSAVE)
        xsetbv_safe(0, 1);
}

const char *svm_vcpu_init(struct vcpu *vcpu, uint64_t nested_root_hpa)
{
    struct svm_vcpu *svm = pages_alloc(1);
    bool ok = svm != NULL;

    _Static_assert(sizeof(*svm) <= PAGE_BYTES, "one page");
    if (vcpu->id + 1 >= svm_caps.asid_count)
        return "more guest CPUs than this CPU has ASIDs: use fewer";
    if (ok) {
        vcpu->vendor = svm;
        svm->vmcb = pages_alloc(1);
        svm->iopm = pages_alloc(IOPM_PAGES);
        svm->msrpm = pages_alloc(MSRPM_PAGES);
        ok = svm->vmcb && svm->iopm && svm->msrpm;
        if (ok && svm_quirk(SVM_QUIRK_clobbered_save))
            ok = (svm->shadow = pages_alloc(1)) != NULL;
    }
    if (!ok)
        return "no page left for a VMCB and its maps: give the machine more memory";
    svm->vmcb_hpa = virt_to_phys(svm->vmcb);
    setup_msrpm(vcpu);
    setup_controls(vcpu, nested_root_hpa);
    setup_power_up(vcpu);
    svm_apply_intercepts(svm);
    return NULL;
}
