/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * RDMSR and WRMSR: one table says what each MSR is to the guest. Members of the MSR area are read and
 * written there, never in hardware; what no row names goes to hardware, and hardware's #GP becomes
 * the guest's. The bitmaps let most MSRs pass without an exit.
 */
#include "core/exit_msr.h"

#include "core/apic.h"
#include "core/backend.h"
#include "core/exit_cr.h"
#include "core/exit_handlers.h"
#include "core/seeded.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/log.h"

enum msr_rule {
    MSR_HARDWARE, /* the real one, with fix-up */
    MSR_STATE,    /* guest state of the VMCS or VMCB: `state` */
    MSR_BASE,     /* base of segment `state` */
    MSR_EFER,
    MSR_APIC_BASE,
    MSR_X2APIC_ICR,
    MSR_FEATURE_CONTROL,
    MSR_VM_CR,
    MSR_IGNORE_WRITE, /* reads the real one */
    MSR_ABSENT,       /* #GP: belongs to a feature that the guest is not shown */
};

struct msr_row {
    uint32_t first, last;
    uint8_t rule;      /* enum msr_rule */
    uint8_t state;     /* enum hv_state or enum hv_seg */
    uint8_t intercept; /* accesses that must exit: HV_READ | HV_WRITE */
};

/* Sorted by number; checked from the top, first match counts. */
static const struct msr_row rows[] = {
    {0x0000001b, 0x0000001b, MSR_APIC_BASE, 0, HV_WRITE},
    {0x0000003a, 0x0000003a, MSR_FEATURE_CONTROL, 0, HV_READ | HV_WRITE},
    {0x00000079, 0x00000079, MSR_IGNORE_WRITE, 0,
     HV_WRITE}, /* microcode update: takes a host address */
    {0x00000174, 0x00000174, MSR_STATE, HV_ST_SYSENTER_CS, 0},
    {0x00000175, 0x00000175, MSR_STATE, HV_ST_SYSENTER_ESP, 0},
    {0x00000176, 0x00000176, MSR_STATE, HV_ST_SYSENTER_EIP, 0},
    {0x000001d9, 0x000001d9, MSR_STATE, HV_ST_DEBUGCTL, 0},
    {0x00000277, 0x00000277, MSR_STATE, HV_ST_PAT, 0},
    {0x00000480, 0x000004ff, MSR_ABSENT, 0, HV_READ | HV_WRITE}, /* VMX capabilities */
    {0x00000560, 0x00000561, MSR_ABSENT, 0,
     HV_READ | HV_WRITE}, /* Processor Trace: not shown, and */
    {0x00000570, 0x00000572, MSR_ABSENT, 0,
     HV_READ | HV_WRITE}, /* its output takes host addresses */
    {0x00000580, 0x00000587, MSR_ABSENT, 0, HV_READ | HV_WRITE},
    {0x00000830, 0x00000830, MSR_X2APIC_ICR, 0, HV_WRITE},
    {0xc0000080, 0xc0000080, MSR_EFER, 0, HV_READ | HV_WRITE},
    {0xc0000100, 0xc0000100, MSR_BASE, HV_FS, 0},
    {0xc0000101, 0xc0000101, MSR_BASE, HV_GS, 0},
    {0xc0010114, 0xc0010114, MSR_VM_CR, 0, HV_READ | HV_WRITE},
    {0xc0010117, 0xc0010117, MSR_ABSENT, 0, HV_READ | HV_WRITE}, /* VM_HSAVE_PA */
};

#define APIC_BASE_KEPT     UINT64_C(0x000ffffffffffc00) /* address, enable, x2APIC */
#define FEATURE_LOCKED     UINT64_C(1)
#define VM_CR_SVM_DISABLED (UINT64_C(1) << 4)
#define VM_CR_LOCKED       (UINT64_C(1) << 3)

/* Set once by exit_msr_init(): EFER bits that CPUID announces. */
static uint64_t efer_allowed;

static const struct msr_row *find_row(uint32_t index)
{
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (index >= rows[i].first && index <= rows[i].last)
            return &rows[i];
    return NULL;
}

void exit_msr_init(struct vcpu *vcpu)
{
    struct cpuid_regs r = cpuid(0x80000001, 0);

    efer_allowed = (r.edx >> 11 & 1 ? EFER_SCE : 0) | (r.edx >> 20 & 1 ? EFER_NXE : 0) |
                   (r.edx >> 25 & 1 ? EFER_FFXSR : 0) |
                   (r.edx >> 29 & 1 ? EFER_LME | EFER_LMA : 0) | (r.ecx >> 17 & 1 ? EFER_TCE : 0);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint32_t index = rows[i].first; rows[i].intercept && index <= rows[i].last; index++)
            hv_backend->msr_intercept(vcpu, index, rows[i].intercept, true);
    if (seeded(SEEDED_gsbase_passthru)) {
        hv_backend->msr_intercept(vcpu, 0xc0000100, HV_WRITE, true);
        hv_backend->msr_intercept(vcpu, 0xc0000101, HV_WRITE, true);
    }
}

uint8_t exit_msr_needs(uint32_t index)
{
    const struct msr_row *row = find_row(index);

    return row ? row->intercept : 0;
}

/* MSRs that the area keeps for the guest. False: index is no member. */
static bool area_find(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
    struct hv_msr_entry entries[HV_MSR_AREA_MAX];
    int count = hv_backend->msr_area(vcpu, entries, HV_MSR_AREA_MAX);

    for (int i = 0; i < count; i++)
        if (entries[i].index == index) {
            *value = entries[i].value;
            return true;
        }
    return false;
}

/* The value of one MSR as the guest reads it; false: #GP. */
bool exit_msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
    const struct msr_row *row = find_row(index);

    switch (row ? row->rule : MSR_HARDWARE) {
    case MSR_STATE:
        *value = hv_backend->get(vcpu, (enum hv_state)row->state);
        return true;
    case MSR_BASE:
        *value = hv_backend->get_segment(vcpu, (enum hv_seg)row->state).base;
        return true;
    case MSR_EFER:
        if (seeded(SEEDED_efer_passthru))
            return rdmsr_safe(index, value) == 0;
        *value = vcpu->efer_wrote;
        return true;
    case MSR_FEATURE_CONTROL:
        if (rdmsr_safe(index, value) != 0)
            return false;
        *value = FEATURE_LOCKED; /* locked without VMX, as CPUID says */
        return true;
    case MSR_VM_CR:
        if (rdmsr_safe(index, value) != 0)
            return false;
        *value |= VM_CR_SVM_DISABLED | VM_CR_LOCKED;
        return true;
    case MSR_ABSENT:
        if (!seeded(SEEDED_msr_nofixup))
            return false;
        *value = rdmsr(index);
        return true;
    default:
        if (area_find(vcpu, index, value))
            return true;
        if (seeded(SEEDED_msr_nofixup)) {
            *value = rdmsr(index);
            return true;
        }
        return rdmsr_safe(index, value) == 0;
    }
}

static bool write_efer(struct vcpu *vcpu, uint64_t value)
{
    bool paging = vcpu->cr0_wrote & CR0_PG;

    if (seeded(SEEDED_efer_passthru))
        return wrmsr_safe(0xc0000080, value | (rdmsr(0xc0000080) & (EFER_LMA | EFER_SVME))) == 0;
    if (value & ~efer_allowed)
        return false;
    if (paging && (value ^ vcpu->efer_wrote) & EFER_LME)
        return false;
    /* LMA is the CPU's to say: a written one is ignored. */
    value = (value & ~EFER_LMA) | (vcpu->efer_wrote & EFER_LMA);
    vcpu->efer_wrote = value;
    hv_backend->set_efer(vcpu, value);
    vcpu->changed |= HV_CHANGED_EFER;
    return true;
}

static bool write_apic_base(uint64_t value)
{
    uint64_t now = rdmsr(0x1b);

    if (value == now)
        return true;
    if ((value ^ now) & APIC_BASE_KEPT) {
        log_warn("apic: guest may not move or disable the local APIC: IA32_APIC_BASE %#lx -> %#lx "
                 "answered with #GP",
                 (unsigned long)now, (unsigned long)value);
        return false;
    }
    return wrmsr_safe(0x1b, value) == 0;
}

static bool write_base(struct vcpu *vcpu, uint32_t index, enum hv_seg seg, uint64_t value)
{
    struct hv_segment segment = hv_backend->get_segment(vcpu, seg);
    int64_t top = (int64_t)value >> (vcpu->cr4_wrote & CR4_LA57 ? 56 : 47);

    if (top != 0 && top != -1)
        return false;
    if (seeded(SEEDED_gsbase_passthru)) {
        (void)index; /* hardware's own base is replaced at the next entry: the write is lost */
        return true;
    }
    segment.base = value;
    hv_backend->set_segment(vcpu, seg, &segment);
    return true;
}

/* Performs the guest's write; false: #GP. */
bool exit_msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    const struct msr_row *row = find_row(index);
    uint64_t old;

    vcpu->changed |= HV_CHANGED_MSR;
    switch (row ? row->rule : MSR_HARDWARE) {
    case MSR_STATE:
        hv_backend->set(vcpu, (enum hv_state)row->state, value);
        return true;
    case MSR_BASE:
        return write_base(vcpu, index, (enum hv_seg)row->state, value);
    case MSR_EFER:
        return write_efer(vcpu, value);
    case MSR_APIC_BASE:
        return write_apic_base(value);
    case MSR_X2APIC_ICR:
        return apic_icr_allowed((uint32_t)value, (uint32_t)(value >> 32))
                   ? wrmsr_safe(index, value) == 0
                   : true;
    case MSR_IGNORE_WRITE:
        log_info("msr: write of %#x ignored (microcode update is the host's)", index);
        return true;
    case MSR_FEATURE_CONTROL:
    case MSR_VM_CR:
    case MSR_ABSENT:
        return false;
    default:
        if (area_find(vcpu, index, &old))
            return hv_backend->msr_area_set(vcpu, index, value) == 0;
        return wrmsr_safe(index, value) == 0;
    }
}

enum hv_verdict exit_rdmsr(struct vcpu *vcpu)
{
    uint64_t value;

    if (!exit_msr_read(vcpu, vcpu->exit.msr.index, &value))
        return exit_gp(vcpu);
    vcpu->exit.msr.value = value; /* the ring's */
    vcpu->regs.rax = (uint32_t)value;
    vcpu->regs.rdx = value >> 32;
    vcpu->changed |= HV_CHANGED_GPR;
    return exit_done(vcpu);
}

static bool canonical(uint64_t value)
{
    int64_t top = (int64_t)value >> (exit_cr4_allowed() & CR4_LA57 ? 56 : 47);

    return top == 0 || top == -1;
}

/* SDM, "IA32_PAT MSR": eight types, of which 2, 3 and what is above 7 are reserved. */
static bool pat_valid(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++, value >>= 8)
        if ((value & 0xff) > 7 || (value & 0xff) == 2 || (value & 0xff) == 3)
            return false;
    return true;
}

/*
 * What WRMSR refuses for MSRs whose value we only keep for the next entry: there a bad one would fail
 * the entry. SDM, "WRMSR", "Loading MSRs", "Checks on Guest Control Registers, Debug Registers, and
 * MSRs". Asked for the guest's writes alone: a debugger may want to see what the CPU says.
 */
static bool refused_by_cpu(uint32_t index, uint64_t value)
{
    const uint64_t debugctl_reserved = ~UINT64_C(0xdfc7); /* as protocol/rules_vmx_guest.c has it */

    switch (index) {
    case 0x00000175: /* SYSENTER_ESP, SYSENTER_EIP, LSTAR, CSTAR, KERNEL_GS_BASE */
    case 0x00000176:
    case 0xc0000082:
    case 0xc0000083:
    case 0xc0000102:
        return !canonical(value);
    case 0xc0000084: /* FMASK, TSC_AUX */
    case 0xc0000103:
        return value >> 32;
    case 0x00000277:
        return !pat_valid(value);
    case 0x000001d9:
        return hv_caps.pending_debug && value & debugctl_reserved; /* checked by VMX entries only */
    default:
        return false;
    }
}

enum hv_verdict exit_wrmsr(struct vcpu *vcpu)
{
    if (refused_by_cpu(vcpu->exit.msr.index, vcpu->exit.msr.value) ||
        !exit_msr_write(vcpu, vcpu->exit.msr.index, vcpu->exit.msr.value))
        return exit_gp(vcpu);
    return exit_done(vcpu);
}
