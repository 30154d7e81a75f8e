/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Events in and out: struct hv_event to EVENTINJ, EXITINTINFO to struct hv_event, mended where an
 * emulator reports it wrong. Which event to inject is core's decision; this file knows how.
 */
#include "svm/svm.h"

#include "cpu/cpu.h"
#include "cpu/x86.h"

#define SHADOW UINT64_C(1)

/* APM, "EXITINTINFO Pseudo-Code" and table "EVENTINJ Field". SVM has no types of its own for INT3,
 * INTO and ICEBP: they are exceptions 3, 4 and 1, and only the vector tells. */
struct hv_event svm_event_decode(uint64_t info)
{
    struct hv_event event = {
        .valid = info & EVENT_VALID,
        .vector = EVENT_VECTOR(info),
        .type = EVENT_TYPE(info),
        .has_error = info & EVENT_HAS_ERROR,
    };

    if (!event.valid)
        return (struct hv_event){.valid = false};
    if (svm_quirk(SVM_QUIRK_lost_event) && event.type == HV_EVENT_INTR && event.vector == 0)
        return (struct hv_event){.valid = false};
    if (svm_quirk(SVM_QUIRK_event_type) && event.type == HV_EVENT_HW_EXCEPTION) {
        if (event.vector >= 32)
            event.type = HV_EVENT_INTR;
        else if (event.vector == X86_NMI)
            event.type = HV_EVENT_NMI;
    }
    if (event.type == HV_EVENT_HW_EXCEPTION && (event.vector == X86_BP || event.vector == X86_OF)) {
        event.type = HV_EVENT_SW_EXCEPTION;
        event.instr_len_bytes = 1;
    }
    if (event.has_error)
        event.error_code = (uint32_t)(info >> EVENT_ERROR_SHIFT);
    return event;
}

static uint64_t encode(const struct hv_event *event, bool protected_mode)
{
    uint64_t type = event->type;
    bool has_error = event->has_error && protected_mode; /* real mode pushes no error codes */

    if (type == HV_EVENT_SW_EXCEPTION)
        /* QEMU checks the gate's DPL only for a software interrupt; real CPUs want an exception. */
        type = svm_quirk(SVM_QUIRK_no_bp_intercept) ? HV_EVENT_SOFT_INT : HV_EVENT_HW_EXCEPTION;
    else if (type == HV_EVENT_PRIV_SW_EXCEPTION)
        type = HV_EVENT_HW_EXCEPTION;
    return EVENT_VALID | event->vector | type << EVENT_TYPE_SHIFT |
           (has_error ? EVENT_HAS_ERROR : 0) | (uint64_t)event->error_code << EVENT_ERROR_SHIFT;
}

/*
 * The return address of a software event is the next instruction. CPUs with nRIP take it from there
 * (APM, "Event Injection"), others and the emulators push RIP: both get it.
 */
static void load_soft(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);

    svm->soft.valid = true;
    svm->soft.vector = vcpu->inject.vector;
    svm->soft.rip = vcpu->regs.rip;
    svm->soft.next_rip = vcpu->regs.rip + vcpu->inject.instr_len_bytes;
    vcpu->regs.rip = svm->soft.next_rip;
    svm->vmcb->nrip = svm->soft.next_rip;
}

static bool can_take_interrupt(const struct vcpu *vcpu)
{
    return (vcpu->regs.rflags & RFLAGS_IF) && !(svm_of(vcpu)->vmcb->interrupt_shadow & SHADOW);
}

/* An interrupt that has to wait comes back as soon as the guest can take it: a virtual interrupt
 * with its intercept is the window. */
static void open_window(struct svm_vcpu *svm, bool on)
{
    if (on) {
        svm->vmcb->vintr |= VINTR_IRQ | VINTR_PRIO_MAX | VINTR_IGNORE_TPR;
        svm->vmcb->intercept_misc1 |= SVM1_VINTR;
    } else {
        svm->vmcb->vintr &= ~(VINTR_IRQ | VINTR_PRIO_MAX | VINTR_IGNORE_TPR);
        if (!(svm->wanted.kinds & HV_KIND_BIT(HV_EXIT_INTERRUPT_WINDOW)))
            svm->vmcb->intercept_misc1 &= ~SVM1_VINTR;
    }
}

uint8_t svm_next_interrupt(struct cpu *cpu)
{
    for (int word = 3; word >= 0; word--) {
        uint64_t bits = cpu->irq_seen[word];
        unsigned bit;

        if (!bits)
            continue;
        bit = 63 - (unsigned)__builtin_clzll(bits);
        cpu->irq_seen[word] = bits & ~(UINT64_C(1) << bit);
        return (uint8_t)(word * 64 + bit);
    }
    return 0;
}

void svm_event_load(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);

    svm->soft.valid = false;
    if ((svm->vmcb->intercept_misc1 & SVM1_INTR) && !svm->pending_intr) {
        svm->pending_intr_vector = svm_next_interrupt(vcpu->cpu);
        svm->pending_intr = svm->pending_intr_vector != 0;
    }
    if (__builtin_expect(!vcpu->inject.valid && !svm->pending_intr, 1))
        return; /* event_inject is 0, or what a debugger wrote there */

    if (vcpu->inject.valid && vcpu->inject.type == HV_EVENT_INTR && !can_take_interrupt(vcpu)) {
        svm->pending_intr = true;
        svm->pending_intr_vector = vcpu->inject.vector;
        vcpu->inject.valid = false;
    }
    if (!vcpu->inject.valid && svm->pending_intr && can_take_interrupt(vcpu)) {
        vcpu->inject = (struct hv_event){
            .valid = true, .vector = svm->pending_intr_vector, .type = HV_EVENT_INTR};
        svm->pending_intr = false;
    }
    open_window(svm, svm->pending_intr);
    if (!vcpu->inject.valid)
        return;
    svm->vmcb->event_inject = encode(&vcpu->inject, svm->vmcb->guest_cr0 & CR0_PE);
    if (vcpu->inject.type >= HV_EVENT_SOFT_INT)
        load_soft(vcpu);
    vcpu->inject.valid = false;
}

void svm_event_after(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    struct hv_event *event = &vcpu->exit.event;
    uint64_t info = svm->vmcb->exit_int_info;

    event->valid = false;
    if (__builtin_expect(!(info & EVENT_VALID), 1))
        return;
    *event = svm_event_decode(info);
    /* The delivery of our software event was interrupted: RIP goes back to its instruction. */
    if (svm->soft.valid && event->vector == svm->soft.vector &&
        event->type >= HV_EVENT_HW_EXCEPTION && vcpu->regs.rip == svm->soft.next_rip) {
        if (event->type == HV_EVENT_HW_EXCEPTION)
            event->type = HV_EVENT_PRIV_SW_EXCEPTION;
        event->instr_len_bytes = (uint8_t)(svm->soft.next_rip - svm->soft.rip);
        vcpu->regs.rip = svm->soft.rip;
        return;
    }
    if (event->type == HV_EVENT_SOFT_INT) {
        uint64_t len_bytes = svm->vmcb->nrip - vcpu->regs.rip;

        event->instr_len_bytes = hv_caps.nrip && len_bytes - 1 < 15 ? (uint8_t)len_bytes : 2;
    }
}
