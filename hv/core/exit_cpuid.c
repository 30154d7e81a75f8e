/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CPUID: hardware's answer, minus what the guest cannot have. The hypervisor-present bit stays as
 * the machine reports it, so that a guest takes the same paths as without us; leaf 0x40000000 always
 * names us. The most frequent exit of many guests: no read of vendor state.
 */
#include "core/exit_cpuid.h"

#include "core/backend.h"
#include "core/exit_fast.h"
#include "core/exit_handlers.h"
#include "core/exit_stats.h"
#include "core/ring.h"
#include "core/seeded.h"
#include "cpu/x86.h"

/* Leaf 1 ECX */
#define L1C_MONITOR (1u << 3)
#define L1C_VMX     (1u << 5)
#define L1C_SMX     (1u << 6)
#define L1C_X2APIC  (1u << 21) /* not handled: its ICR would start CPUs behind our back */
#define L1C_OSXSAVE (1u << 27)
/* Leaf 7, subleaf 0 */
#define L7B_INVPCID  (1u << 10)
#define L7B_INTEL_PT (1u << 25)
#define L7C_OSPKE    (1u << 4)
#define L7C_WAITPKG  (1u << 5)
#define L7C_CET_SS   (1u << 7)
#define L7C_RDPID    (1u << 22)
#define L7D_CET_IBT  (1u << 20)
/* Leaf 0xd, subleaf 1 EAX */
#define LDA_XSAVES (1u << 3)
/* Leaf 0x80000001 */
#define X1C_SVM    (1u << 2)
#define X1C_SKINIT (1u << 12)
#define X1D_RDTSCP (1u << 27)

#define LEAF_HYPERVISOR 0x40000000u

/* By value, and inline: a struct whose address is taken lives in memory, on the hot road too. */
static inline struct cpuid_regs filter_features(const struct vcpu *vcpu, struct cpuid_regs r)
{
    /* CR4.OSXSAVE and PKE always exit: what was wrote is what is real. */
    uint64_t cr4 = seeded(SEEDED_osxsave_host) ? read_cr4() : vcpu->cr4_wrote;

    r.ecx &= ~(L1C_MONITOR | L1C_VMX | L1C_SMX | L1C_X2APIC | L1C_OSXSAVE);
    if (cr4 & CR4_OSXSAVE)
        r.ecx |= L1C_OSXSAVE;
    return r;
}

static inline struct cpuid_regs filter_features7(const struct vcpu *vcpu, struct cpuid_regs r)
{
    r.ebx &= ~L7B_INTEL_PT;
    if (!hv_caps.guest_invpcid)
        r.ebx &= ~L7B_INVPCID;
    r.ecx &= ~(L7C_OSPKE | L7C_CET_SS);
    if (!hv_caps.guest_waitpkg)
        r.ecx &= ~L7C_WAITPKG;
    if (!hv_caps.guest_rdtscp) /* one control enables both */
        r.ecx &= ~L7C_RDPID;
    if (vcpu->cr4_wrote & CR4_PKE)
        r.ecx |= L7C_OSPKE;
    r.edx &= ~L7D_CET_IBT;
    return r;
}

static inline __attribute__((always_inline)) struct cpuid_regs
guest_cpuid(const struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = cpuid(leaf, subleaf);

    switch (leaf) {
    case 1:
        r = filter_features(vcpu, r);
        break;
    case 7:
        if (subleaf == 0)
            r = filter_features7(vcpu, r);
        break;
    case 5: /* MONITOR/MWAIT, which are not shown */
        r = (struct cpuid_regs){0};
        break;
    case 0xd:
        if (subleaf == 1 && !hv_caps.guest_xsaves)
            r.eax &= ~LDA_XSAVES;
        break;
    case LEAF_HYPERVISOR:
        /* "TraplineTrap" */
        r = (struct cpuid_regs){LEAF_HYPERVISOR, 0x70617254, 0x656e696c, 0x70617254};
        break;
    case 0x80000001:
        r.ecx &= ~(X1C_SVM | X1C_SKINIT);
        if (!hv_caps.guest_rdtscp)
            r.edx &= ~X1D_RDTSCP;
        break;
    case 0x8000000a: /* SVM features */
        r = (struct cpuid_regs){0};
        break;
    default:
        if (leaf > LEAF_HYPERVISOR && leaf <= LEAF_HYPERVISOR + 0xff)
            r = (struct cpuid_regs){0};
        break;
    }
    return r;
}

struct cpuid_regs exit_cpuid_shown(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    return guest_cpuid(vcpu, leaf, subleaf);
}

static inline __attribute__((always_inline)) void perform(struct vcpu *vcpu)
{
    struct guest_regs *regs = &vcpu->regs;
    struct cpuid_regs r = guest_cpuid(vcpu, (uint32_t)regs->rax, (uint32_t)regs->rcx);

    regs->rax = r.eax;
    regs->rbx = r.ebx;
    regs->rcx = r.ecx;
    regs->rdx = r.edx;
}

void exit_fast_cpuid(struct vcpu *vcpu, uint32_t raw_reason)
{
    ring_fast(vcpu, HV_EXIT_CPUID, raw_reason);
    exit_stats_fast(vcpu);
    perform(vcpu);
    ring_fast_value(vcpu, (uint32_t)vcpu->regs.rcx);
}

enum hv_verdict exit_cpuid(struct vcpu *vcpu)
{
    perform(vcpu);
    vcpu->changed |= HV_CHANGED_GPR;
    return exit_done(vcpu);
}
