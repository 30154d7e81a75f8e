/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one dispatcher: ring record, debugger, handler by kind, debugger again. It knows no vendor and
 * no topic. An exit without a handler is a final stop, never a guess.
 */
#include "core/backend.h"
#include "core/exit_handlers.h"
#include "core/hooks.h"
#include "core/intercept.h"
#include "core/ring.h"
#include "core/seeded.h"

/* Kinds that the debugger sees first even with nothing armed: they may be of its own making. */
#define OWNED_KINDS                                                                                \
    (HV_KIND_BIT(HV_EXIT_EXCEPTION) | HV_KIND_BIT(HV_EXIT_NMI) | HV_KIND_BIT(HV_EXIT_MTF) |        \
     HV_KIND_BIT(HV_EXIT_DR_ACCESS) | HV_KIND_BIT(HV_EXIT_NESTED_PAGE))

typedef enum hv_verdict (*exit_handler)(struct vcpu *vcpu);

static const exit_handler handlers[HV_EXIT_KIND_COUNT] = {
    [HV_EXIT_CR0_WRITE] = exit_cr_write,
    [HV_EXIT_CR3_WRITE] = exit_cr_write,
    [HV_EXIT_CR4_WRITE] = exit_cr_write,
    [HV_EXIT_CR8_WRITE] = exit_cr_write,
    [HV_EXIT_CR0_READ] = exit_cr_read,
    [HV_EXIT_CR3_READ] = exit_cr_read,
    [HV_EXIT_CR4_READ] = exit_cr_read,
    [HV_EXIT_CR8_READ] = exit_cr_read,
    [HV_EXIT_DR_ACCESS] = exit_dr_access,
    [HV_EXIT_RDMSR] = exit_rdmsr,
    [HV_EXIT_WRMSR] = exit_wrmsr,
    [HV_EXIT_CPUID] = exit_cpuid,
    [HV_EXIT_IO_IN] = exit_io,
    [HV_EXIT_IO_OUT] = exit_io,
    [HV_EXIT_HLT] = exit_hlt,
    [HV_EXIT_VMCALL] = exit_undefined,
    [HV_EXIT_INVLPG] = exit_invlpg,
    [HV_EXIT_RDTSC] = exit_perform,
    [HV_EXIT_RDPMC] = exit_perform,
    [HV_EXIT_XSETBV] = exit_xsetbv,
    [HV_EXIT_WBINVD] = exit_perform,
    [HV_EXIT_MONITOR] = exit_lift,
    [HV_EXIT_MWAIT] = exit_lift,
    [HV_EXIT_PAUSE] = exit_perform,
    [HV_EXIT_EXCEPTION] = exit_exception,
    [HV_EXIT_INTERRUPT] = exit_interrupt,
    [HV_EXIT_NMI] = exit_nmi,
    [HV_EXIT_INIT] = exit_init,
    [HV_EXIT_TRIPLE_FAULT] = exit_triple_fault,
    [HV_EXIT_NESTED_PAGE] = exit_nested_page,
    [HV_EXIT_NESTED_MISCONFIG] = exit_nested_misconfig,
    [HV_EXIT_MTF] = exit_resume,
    [HV_EXIT_PREEMPTION_TIMER] = exit_interrupt,
    [HV_EXIT_ENTRY_FAILURE] = exit_entry_failure,
    [HV_EXIT_VMX_INSTRUCTION] = exit_undefined,
    [HV_EXIT_SVM_INSTRUCTION] = exit_undefined,
    [HV_EXIT_GDTR_IDTR] = exit_lift,
    [HV_EXIT_LDTR_TR] = exit_lift,
    [HV_EXIT_FLAGS_ACCESS] = exit_lift,
    [HV_EXIT_INTERRUPT_WINDOW] = exit_resume,
};

enum hv_verdict exit_done(struct vcpu *vcpu)
{
    if (vcpu_advance(vcpu))
        return HV_RESUME;
    return vcpu_dead(vcpu, "the length of the instruction that exited cannot be found");
}

enum hv_verdict exit_gp(struct vcpu *vcpu)
{
    vcpu_inject_gp(vcpu);
    return HV_RESUME;
}

enum hv_verdict exit_resume(struct vcpu *vcpu)
{
    (void)vcpu;
    return HV_RESUME;
}

static enum hv_verdict handle(struct vcpu *vcpu)
{
    exit_handler handler = handlers[vcpu->exit.kind];
    enum hv_verdict verdict;

    if (!handler)
        return vcpu_dead(vcpu, "no handler for this kind of exit");
    verdict = handler(vcpu);
    return vcpu->dead ? HV_DEAD : verdict;
}

/* Has the debugger already stopped before this very exit? Then it is handled now. */
static bool passes_once(struct vcpu *vcpu)
{
    if (!vcpu->pass_once.valid || vcpu->pass_once.kind != vcpu->exit.kind ||
        vcpu->pass_once.rip != vcpu->regs.rip)
        return false;
    vcpu->pass_once.valid = false;
    return true;
}

/* An armed kind: events before the handler, the handler, events after it. */
static __attribute__((noinline)) enum hv_verdict filtered(struct vcpu *vcpu)
{
    enum hv_verdict verdict;
    bool skip = false;

    vcpu->stop_why = HV_STOP_EVENT;
    if (!passes_once(vcpu)) {
        verdict = hv_debug.filter(vcpu, HV_BEFORE, &skip);
        if (verdict != HV_RESUME) {
            vcpu->pass_once.valid = true;
            vcpu->pass_once.kind = vcpu->exit.kind;
            vcpu->pass_once.rip = vcpu->regs.rip;
            return verdict;
        }
        if (skip)
            return exit_done(vcpu);
    }
    verdict = handle(vcpu);
    if (verdict != HV_RESUME)
        return verdict;
    return hv_debug.filter(vcpu, HV_AFTER, &skip);
}

/* The debugger looks at an exit of its own making, or at every exit of a step. */
static __attribute__((noinline)) bool owned(struct vcpu *vcpu, enum hv_verdict *verdict)
{
    if (!hv_debug.owns_exit)
        return false;
    vcpu->stop_why = vcpu->exit.kind == HV_EXIT_NMI ? HV_STOP_BREAK_IN
                     : vcpu->single_step            ? HV_STOP_STEP
                                                    : HV_STOP_BREAKPOINT;
    return hv_debug.owns_exit(vcpu, verdict);
}

/* The exit came before the instruction that an intercept was lifted for: put back now, it would exit, and
 * be an event, twice. A HLT that the line's NMI ended is begun anew and must exit for that: it is what
 * says that the guest sleeps. */
static bool still_lifted(const struct vcpu *vcpu)
{
    const uint64_t between = HV_KIND_BIT(HV_EXIT_NMI) | HV_KIND_BIT(HV_EXIT_PREEMPTION_TIMER) |
                             HV_KIND_BIT(HV_EXIT_NESTED_PAGE);

    return between & HV_KIND_BIT(vcpu->exit.kind) && !(vcpu->lifted & HV_KIND_BIT(HV_EXIT_HLT)) &&
           vcpu->regs.rip == vcpu->lifted_rip && !vcpu->inject.valid;
}

enum hv_verdict exit_dispatch(struct vcpu *vcpu)
{
    uint64_t bit = HV_KIND_BIT(vcpu->exit.kind);
    enum hv_verdict verdict = HV_RESUME;
    bool taken = false;

    /* The exit interrupted the delivery of an event: it is delivered again unless a handler says
     * otherwise. SDM, "Information for VM Exits That Occur During Event Delivery". */
    if (vcpu->exit.event.valid && !seeded(SEEDED_drop_idtvec))
        vcpu->inject = vcpu->exit.event;
    if (vcpu->lifted && !still_lifted(vcpu))
        intercept_lift(vcpu, 0);
    vcpu->stepped = false;
    if (vcpu->single_step || OWNED_KINDS & bit)
        taken = owned(vcpu, &verdict);
    ring_begin(vcpu);
    if (taken)
        ;
    else if (hv_debug.armed & bit)
        verdict = filtered(vcpu);
    else
        verdict = handle(vcpu);
    if (vcpu->stepped && verdict == HV_RESUME && hv_debug.step_done) {
        vcpu->stop_why = HV_STOP_STEP;
        if (!hv_debug.step_done(vcpu, &verdict))
            verdict = HV_RESUME;
    }
    if (verdict == HV_DEAD)
        vcpu->stop_why = HV_STOP_DEAD;
    ring_end(vcpu, verdict);
    return verdict;
}
