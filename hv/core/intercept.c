/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keeps what core needs and what the debugger wants apart, and gives their union to the backend.
 */
#include "core/intercept.h"

#include "core/exit_msr.h"
#include "cpu/x86.h"

/* Changes of these bits change the mode, or differ between what is wrote and what is real. */
#define CR0_OWNED (CR0_PG | CR0_NE | CR0_NW | CR0_CD)

/* The guest flips these often, and they mean nothing to us. Everything else exits. */
#define CR4_LEFT_TO_GUEST                                                                          \
    (CR4_TSD | CR4_DE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT)

static const struct hv_intercepts core_needs = {
    .kinds = HV_KIND_BIT(HV_EXIT_CPUID) | HV_KIND_BIT(HV_EXIT_XSETBV) | HV_KIND_BIT(HV_EXIT_NMI) |
             HV_KIND_BIT(HV_EXIT_INIT) | HV_KIND_BIT(HV_EXIT_TRIPLE_FAULT) |
             HV_KIND_BIT(HV_EXIT_NESTED_PAGE) | HV_KIND_BIT(HV_EXIT_RDMSR) |
             HV_KIND_BIT(HV_EXIT_WRMSR) | HV_KIND_BIT(HV_EXIT_IO_IN) | HV_KIND_BIT(HV_EXIT_IO_OUT) |
             HV_KIND_BIT(HV_EXIT_VMX_INSTRUCTION) | HV_KIND_BIT(HV_EXIT_SVM_INSTRUCTION) |
             HV_KIND_BIT(HV_EXIT_VMCALL) | HV_KIND_BIT(HV_EXIT_PREEMPTION_TIMER),
    .cr0_mask = CR0_OWNED,
    .cr4_mask = ~CR4_LEFT_TO_GUEST,
};

/* One vCPU runs the debugger's wishes for all (all-stop); set by intercept_debugger(). */
static struct hv_intercepts debugger_wants;

#define BITMAP_BYTES (65536 / 8)

/* Ports of emulated devices, bit per port: never opened by the debugger. */
static uint8_t device_ports[BITMAP_BYTES];

/* HLT is looked at where the CPU forgets that it was halted (exit_misc.c, exit_hlt()). */
static uint64_t halt_kind(void)
{
    return hv_caps.halt_forgotten ? HV_KIND_BIT(HV_EXIT_HLT) : 0;
}

static void program(struct vcpu *vcpu)
{
    struct hv_intercepts all = {
        .kinds = core_needs.kinds | ((debugger_wants.kinds | halt_kind()) & ~vcpu->lifted),
        .exceptions = core_needs.exceptions | debugger_wants.exceptions,
        .cr0_mask = core_needs.cr0_mask | debugger_wants.cr0_mask,
        .cr4_mask = core_needs.cr4_mask | debugger_wants.cr4_mask,
        .step = debugger_wants.step,
    };

    hv_backend->set_intercepts(vcpu, &all);
}

/* MSRs by number that the debugger asked for: two bits each (HV_READ, HV_WRITE), by range. */
#define MSR_RANGE_COUNT 0x2000u
static const uint32_t msr_ranges[] = {0, 0xc0000000, 0xc0010000};
#define MSR_RANGES (sizeof msr_ranges / sizeof msr_ranges[0])
static uint8_t debugger_msrs[MSR_RANGES][MSR_RANGE_COUNT / 4];
static uint8_t debugger_ports[BITMAP_BYTES];

/* The debugger's two bits of an MSR, NULL outside the ranges (those MSRs always exit). */
static uint8_t *msr_slot(uint32_t index, unsigned *shift)
{
    for (unsigned i = 0; i < MSR_RANGES; i++)
        if (index - msr_ranges[i] < MSR_RANGE_COUNT) {
            *shift = 2 * (index & 3);
            return &debugger_msrs[i][(index - msr_ranges[i]) / 4];
        }
    return NULL;
}

/* Accesses of all MSRs that the debugger's kinds ask for. */
static uint8_t wide_msr_access(void)
{
    return (debugger_wants.kinds & HV_KIND_BIT(HV_EXIT_RDMSR) ? HV_READ : 0) |
           (debugger_wants.kinds & HV_KIND_BIT(HV_EXIT_WRMSR) ? HV_WRITE : 0);
}

struct msr_area {
    struct hv_msr_entry entry[HV_MSR_AREA_MAX];
    int count;
};

static struct msr_area read_area(struct vcpu *vcpu)
{
    struct msr_area area;

    area.count = hv_backend->msr_area(vcpu, area.entry, HV_MSR_AREA_MAX);
    return area;
}

static void apply_msr(struct vcpu *vcpu, uint32_t index, const struct msr_area *area)
{
    uint8_t access = exit_msr_needs(index) | wide_msr_access(), *slot;
    unsigned shift;

    slot = msr_slot(index, &shift);
    if (slot)
        access |= *slot >> shift & (HV_READ | HV_WRITE);
    for (int i = 0; i < area->count; i++)
        if (area->entry[i].index == index)
            access = HV_READ | HV_WRITE;
    hv_backend->msr_intercept(vcpu, index, access, true);
    hv_backend->msr_intercept(vcpu, index, (HV_READ | HV_WRITE) & ~access, false);
}

static void apply_all_msrs(struct vcpu *vcpu)
{
    struct msr_area area = read_area(vcpu);

    for (unsigned i = 0; i < MSR_RANGES; i++)
        for (uint32_t n = 0; n < MSR_RANGE_COUNT; n++)
            apply_msr(vcpu, msr_ranges[i] + n, &area);
}

/* The bitmap knows no direction: IN or OUT wanted for all ports opens none. */
static void apply_all_ports(struct vcpu *vcpu)
{
    uint8_t *bitmap = hv_backend->io_bitmap(vcpu);
    bool all = debugger_wants.kinds & (HV_KIND_BIT(HV_EXIT_IO_IN) | HV_KIND_BIT(HV_EXIT_IO_OUT));

    for (unsigned i = 0; i < BITMAP_BYTES; i++)
        bitmap[i] = all ? 0xff : device_ports[i] | debugger_ports[i];
}

void intercept_init(struct vcpu *vcpu)
{
    program(vcpu);
}

#define MSR_KINDS (HV_KIND_BIT(HV_EXIT_RDMSR) | HV_KIND_BIT(HV_EXIT_WRMSR))
#define IO_KINDS  (HV_KIND_BIT(HV_EXIT_IO_IN) | HV_KIND_BIT(HV_EXIT_IO_OUT))

void intercept_debugger(struct vcpu *vcpu, const struct hv_intercepts *wanted)
{
    uint64_t changed = debugger_wants.kinds ^ wanted->kinds;

    debugger_wants = *wanted;
    if (changed & MSR_KINDS)
        apply_all_msrs(vcpu);
    if (changed & IO_KINDS)
        apply_all_ports(vcpu);
    program(vcpu);
}

void intercept_lift(struct vcpu *vcpu, uint64_t kinds)
{
    vcpu->lifted = kinds;
    vcpu->lifted_rip = vcpu->regs.rip;
    program(vcpu);
}

void intercept_msr(struct vcpu *vcpu, uint32_t index, uint8_t access, bool on)
{
    struct msr_area area = read_area(vcpu);
    unsigned shift;
    uint8_t *slot = msr_slot(index, &shift), bits;

    if (!slot)
        return;
    bits = (uint8_t)((access & (HV_READ | HV_WRITE)) << shift);
    *slot = on ? *slot | bits : *slot & (uint8_t)~bits;
    apply_msr(vcpu, index, &area);
}

static void set_port(uint8_t *bitmap, uint32_t port, bool on)
{
    uint8_t bit = (uint8_t)(1u << (port & 7));

    bitmap[port >> 3] = on ? bitmap[port >> 3] | bit : bitmap[port >> 3] & (uint8_t)~bit;
}

void intercept_ports(struct vcpu *vcpu, uint16_t first, uint32_t count, bool on)
{
    for (uint32_t port = first; port < first + count && port < 65536; port++)
        set_port(debugger_ports, port, on);
    apply_all_ports(vcpu);
}

void intercept_device_ports(struct vcpu *vcpu, uint16_t first, uint16_t count)
{
    for (uint32_t port = first; port < (uint32_t)first + count && port < 65536; port++)
        set_port(device_ports, port, true);
    apply_all_ports(vcpu);
}
