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
    .kinds = HV_KIND_BIT(HV_EXIT_CPUID) | HV_KIND_BIT(HV_EXIT_XSETBV) |
             HV_KIND_BIT(HV_EXIT_NMI) | HV_KIND_BIT(HV_EXIT_INIT) |
             HV_KIND_BIT(HV_EXIT_TRIPLE_FAULT) | HV_KIND_BIT(HV_EXIT_NESTED_PAGE) |
             HV_KIND_BIT(HV_EXIT_RDMSR) | HV_KIND_BIT(HV_EXIT_WRMSR) |
             HV_KIND_BIT(HV_EXIT_IO_IN) | HV_KIND_BIT(HV_EXIT_IO_OUT) |
             HV_KIND_BIT(HV_EXIT_VMX_INSTRUCTION) | HV_KIND_BIT(HV_EXIT_SVM_INSTRUCTION) |
             HV_KIND_BIT(HV_EXIT_VMCALL),
    .cr0_mask = CR0_OWNED,
    .cr4_mask = ~CR4_LEFT_TO_GUEST,
};

/* One vCPU runs the debugger's wishes for all (all-stop); set by intercept_debugger(). */
static struct hv_intercepts debugger_wants;

#define BITMAP_BYTES (65536 / 8)

/* Ports of emulated devices, bit per port: never opened by the debugger. */
static uint8_t device_ports[BITMAP_BYTES];

static void program(struct vcpu *vcpu)
{
    struct hv_intercepts all = {
        .kinds = core_needs.kinds | (debugger_wants.kinds & ~vcpu->lifted),
        .exceptions = core_needs.exceptions | debugger_wants.exceptions,
        .cr0_mask = core_needs.cr0_mask | debugger_wants.cr0_mask,
        .cr4_mask = core_needs.cr4_mask | debugger_wants.cr4_mask,
        .step = debugger_wants.step,
    };

    hv_backend->set_intercepts(vcpu, &all);
}

void intercept_init(struct vcpu *vcpu)
{
    program(vcpu);
}

void intercept_debugger(struct vcpu *vcpu, const struct hv_intercepts *wanted)
{
    debugger_wants = *wanted;
    program(vcpu);
}

void intercept_lift(struct vcpu *vcpu, uint64_t kinds)
{
    vcpu->lifted = kinds;
    program(vcpu);
}

void intercept_msr(struct vcpu *vcpu, uint32_t index, uint8_t access, bool on)
{
    uint8_t keep = exit_msr_needs(index);

    hv_backend->msr_intercept(vcpu, index, on ? access | keep : access & ~keep, on);
}

static void set_port(struct vcpu *vcpu, uint32_t port, bool on)
{
    uint8_t bit = (uint8_t)(1u << (port & 7));
    uint8_t *byte = &hv_backend->io_bitmap(vcpu)[port >> 3];

    if (on || device_ports[port >> 3] & bit)
        *byte |= bit;
    else
        *byte &= (uint8_t)~bit;
}

void intercept_ports(struct vcpu *vcpu, uint16_t first, uint32_t count, bool on)
{
    for (uint32_t port = first; port < first + count && port < 65536; port++)
        set_port(vcpu, port, on);
}

void intercept_device_ports(struct vcpu *vcpu, uint16_t first, uint16_t count)
{
    for (uint32_t port = first; port < (uint32_t)first + count && port < 65536; port++) {
        device_ports[port >> 3] |= (uint8_t)(1u << (port & 7));
        set_port(vcpu, port, true);
    }
}
