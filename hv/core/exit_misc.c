/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Instructions that exit only because the debugger asked (performed here as the CPU would, or by the
 * guest itself with the intercept lifted), those that the guest is not shown (#UD), and INIT.
 */
#include "core/backend.h"
#include "core/exit_handlers.h"
#include "core/exit_msr.h"
#include "core/guest_mem.h"
#include "core/insn.h"
#include "core/intercept.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"

#define MSR_TSC_AUX 0xc0000103u
#define OPCODE_STI  0xfb

/*
 * Instructions that only the guest's own CPU can do right (HLT waits, MONITOR arms, IRET unblocks):
 * the intercept is lifted until the next exit, and the guest executes them itself.
 */
enum hv_verdict exit_lift(struct vcpu *vcpu)
{
    const uint64_t tables = HV_KIND_BIT(HV_EXIT_GDTR_IDTR) | HV_KIND_BIT(HV_EXIT_LDTR_TR);
    uint64_t kinds = HV_KIND_BIT(vcpu->exit.kind);

    /* VMX has one control for all table registers. */
    intercept_lift(vcpu, kinds & tables ? tables : kinds);
    return HV_RESUME;
}

/*
 * HLT is executed by the guest itself, with the intercept lifted. With IF=0 only an NMI can end it, and
 * when that is one of our line's, exit_nmi() puts the guest back: the place is remembered here. Where an
 * interrupt shadow is lost between exit and entry, STI; HLT is begun again from the STI, or an
 * interrupt could slip in between and the guest would sleep through it.
 */
enum hv_verdict exit_hlt(struct vcpu *vcpu)
{
    uint8_t before = 0;

    vcpu->halted = !(vcpu->regs.rflags & RFLAGS_IF);
    vcpu->halted_rip = vcpu->regs.rip;
    vcpu->halted_len_bytes = vcpu_instr_len(vcpu);
    if (!vcpu->halted && hv_caps.shadow_lost && vcpu->exit.shadow && !vcpu->single_step &&
        guest_read_gva(vcpu, guest_segment_base(vcpu, HV_CS) + vcpu->regs.rip - 1, &before, 1) &&
        before == OPCODE_STI) {
        vcpu->regs.rip--;
        vcpu->regs.rflags &= ~RFLAGS_IF;
    }
    return exit_lift(vcpu);
}

static enum hv_verdict read_tsc(struct vcpu *vcpu, const struct insn *insn)
{
    uint64_t tsc = rdtsc(), aux;

    if (vcpu->cr4_wrote & CR4_TSD && vcpu->cr0_wrote & CR0_PE && vcpu_cpl(vcpu) != 0)
        return exit_gp(vcpu);
    vcpu->regs.rax = (uint32_t)tsc;
    vcpu->regs.rdx = tsc >> 32;
    if (insn->class == INSN_RDTSCP && exit_msr_read(vcpu, MSR_TSC_AUX, &aux)) /* VMX: in the area */
        vcpu->regs.rcx = (uint32_t)aux;
    vcpu->changed |= HV_CHANGED_GPR;
    return exit_done(vcpu);
}

/*
 * MSR of a counter: general ones from 0xc1, fixed ones (bit 30) from 0x309, as many as CPUID announces;
 * 0: none, for another number must not read an MSR that is no counter.
 */
static uint32_t pmc_msr(uint32_t index)
{
    const uint32_t fixed = 1u << 30;
    struct cpuid_regs r = {0};

    if (cpu_vendor() == CPU_AMD)
        return index < 6 ? 0xc0010201 + 2 * index : 0;
    if (cpuid(0, 0).eax >= 10)
        r = cpuid(10, 0);
    if (index & fixed)
        return (index & ~fixed) < (r.edx & 0x1f) ? 0x309 + (index & ~fixed) : 0;
    return index < (r.eax >> 8 & 0xff) ? 0xc1 + index : 0;
}

static enum hv_verdict read_pmc(struct vcpu *vcpu)
{
    uint32_t msr = pmc_msr((uint32_t)vcpu->regs.rcx);
    uint64_t value;

    if (!msr || (!(vcpu->cr4_wrote & CR4_PCE) && vcpu_cpl(vcpu) != 0) ||
        rdmsr_safe(msr, &value) != 0)
        return exit_gp(vcpu);
    vcpu->regs.rax = (uint32_t)value;
    vcpu->regs.rdx = value >> 32 & 0xff;
    vcpu->changed |= HV_CHANGED_GPR;
    return exit_done(vcpu);
}

enum hv_verdict exit_perform(struct vcpu *vcpu)
{
    struct insn insn;

    switch (vcpu->exit.kind) {
    case HV_EXIT_RDTSC:
        insn = vcpu_decode(vcpu);
        return read_tsc(vcpu, &insn);
    case HV_EXIT_RDPMC:
        return read_pmc(vcpu);
    case HV_EXIT_WBINVD:
        wbinvd(); /* INVD too: dropping our own dirty lines is never right */
        return exit_done(vcpu);
    default: /* PAUSE */
        cpu_pause();
        return exit_done(vcpu);
    }
}

/* The nested flush drops every translation of the guest, a superset of what was asked. */
enum hv_verdict exit_invlpg(struct vcpu *vcpu)
{
    hv_backend->nested_flush(vcpu);
    return exit_done(vcpu);
}

enum hv_verdict exit_undefined(struct vcpu *vcpu)
{
    vcpu_inject_ud(vcpu);
    return HV_RESUME;
}

enum hv_verdict exit_init(struct vcpu *vcpu)
{
    return vcpu_dead(vcpu, "INIT reached a CPU that runs the guest");
}

enum hv_verdict exit_entry_failure(struct vcpu *vcpu)
{
    return vcpu_dead(vcpu, "the CPU refused to enter the guest");
}
