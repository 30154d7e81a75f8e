/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Exceptions, NMIs, external interrupts and shutdown. What the debugger did not take goes to the
 * guest exactly as it was raised: vector, type, error code, CR2 or DR6, instruction length.
 */
#include "core/backend.h"
#include "core/exit_handlers.h"
#include "core/line.h"
#include "core/seeded.h"
#include "cpu/x86.h"

static bool soft(uint8_t type)
{
    return type == HV_EVENT_SOFT_INT || type == HV_EVENT_SW_EXCEPTION ||
           type == HV_EVENT_PRIV_SW_EXCEPTION;
}

enum hv_verdict exit_exception(struct vcpu *vcpu)
{
    const struct hv_exit *exit = &vcpu->exit;
    uint8_t vector = exit->exception.vector;

    if (soft(exit->exception.type)) {
        vcpu->inject = (struct hv_event){
            .valid = true,
            .vector = vector,
            .type = exit->exception.type,
            .instr_len_bytes = vcpu_instr_len(vcpu),
        };
        vcpu->changed |= HV_CHANGED_INJECT;
        return HV_RESUME;
    }
    if (vector == X86_PF)
        vcpu->cr2 = exit->exception.address;
    if (vector == X86_DB) {
        vcpu->dr6 = DR6_RESET | exit->exception.address;
        hv_backend->set(vcpu, HV_ST_DR6, vcpu->dr6);
    }
    if (vector == X86_MC)
        return vcpu_dead(vcpu, "machine check while the guest ran");
    vcpu_inject_exception(vcpu, vector, exit->exception.has_error, exit->exception.error_code);
    return HV_RESUME;
}

/* An NMI or timer of our own must not end the guest's HLT: it goes on from there. */
static void halt_again(struct vcpu *vcpu)
{
    if (vcpu->halted && vcpu->regs.rip == vcpu->halted_rip + vcpu->halted_len_bytes)
        vcpu->regs.rip = vcpu->halted_rip;
    vcpu->halted = false;
}

/* The line's receiver raises NMIs (see ioapic.c); any other one is the guest's. */
enum hv_verdict exit_nmi(struct vcpu *vcpu)
{
    if (line_poll(vcpu)) {
        halt_again(vcpu);
        vcpu->stop_why = HV_STOP_BREAK_IN;
        return HV_STOP;
    }
    if (line_caused_nmi()) {
        halt_again(vcpu);
    } else if (!vcpu->inject.valid) {
        vcpu->inject = (struct hv_event){.valid = true, .vector = X86_NMI, .type = HV_EVENT_NMI};
        vcpu->changed |= HV_CHANGED_INJECT;
    }
    return HV_RESUME;
}

/*
 * External interrupts belong to the guest and exit only when the debugger asked. The backend has
 * acknowledged it, so it must go on to the guest; the backend waits for RFLAGS.IF if need be. The
 * preemption timer comes here too, for the line.
 */
enum hv_verdict exit_interrupt(struct vcpu *vcpu)
{
    const struct hv_exit *exit = &vcpu->exit;

    if (exit->kind == HV_EXIT_INTERRUPT && exit->exception.vector && !vcpu->inject.valid) {
        vcpu->inject = (struct hv_event){
            .valid = true, .vector = exit->exception.vector, .type = HV_EVENT_INTR};
        vcpu->changed |= HV_CHANGED_INJECT;
    }
    if (exit->kind == HV_EXIT_PREEMPTION_TIMER)
        halt_again(vcpu);
    if (line_poll(vcpu)) {
        vcpu->stop_why = HV_STOP_BREAK_IN;
        return HV_STOP;
    }
    return HV_RESUME;
}

enum hv_verdict exit_triple_fault(struct vcpu *vcpu)
{
    return vcpu_dead(vcpu, "triple fault in the guest");
}
