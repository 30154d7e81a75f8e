/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One trip into the guest and back: registers in and out of the VMCB, CR2 and debug registers by
 * hand where the CPU does not carry them. What the exit means is svm_exit.c's.
 */
#include "svm/svm.h"

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/mem.h"

#define DR6_BREAKPOINTS UINT64_C(0xf)
#define DR7_ENABLES     UINT64_C(0xff)

static void save_shadow(struct svm_vcpu *svm)
{
    memcpy(svm->shadow->bytes + VMCB_SAVE_START, svm->vmcb->bytes + VMCB_SAVE_START,
           VMCB_SAVE_END - VMCB_SAVE_START);
}

/*
 * Did the CPU refuse the entry? A guest that ran into VMEXIT_INVALID on its own (a reserved CR bit
 * under QEMU) has its own RIP; where a refused VMRUN destroys the save area, it leaves RIP at VMRUN.
 */
static bool entry_refused(const struct svm_vcpu *svm)
{
    return (int32_t)svm->vmcb->exit_code == SVM_EXIT_INVALID &&
           (!svm->shadow || svm->vmcb->guest_rip == (uint64_t)svm_vmrun);
}

/* The VMCB as it was refused, for the person who looks and tries again. */
static void __attribute__((noinline, cold)) undo_entry(struct svm_vcpu *svm, uint64_t injected)
{
    svm->vmcb->event_inject = injected;
    if (svm->shadow)
        memcpy(svm->vmcb->bytes + VMCB_SAVE_START, svm->shadow->bytes + VMCB_SAVE_START,
               VMCB_SAVE_END - VMCB_SAVE_START);
}

/* Where VMRUN does not arm DR7. What a breakpoint of the guest reported to us (svm_stray_db) belongs
 * to the #DB that ended its run. */
static void arm(const struct svm_vcpu *svm)
{
    write_dr6(DR6_RESET);
    write_dr7((uint32_t)svm->vmcb->guest_dr7); /* VMRUN judges the upper half, not we */
}

static void disarm(struct svm_vcpu *svm)
{
    enum { CODE_DB = 0x41 };
    uint64_t stray = read_dr6() & DR6_BREAKPOINTS;

    write_dr7(DR7_RESET);
    if ((int32_t)svm->vmcb->exit_code == CODE_DB)
        svm->vmcb->guest_dr6 |= stray;
}

static void load_regs(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    union vmcb *vmcb = svm->vmcb;

    vmcb->guest_rax = vcpu->regs.rax;
    vmcb->guest_rsp = vcpu->regs.rsp;
    vmcb->guest_rip = vcpu->regs.rip;
    vmcb->guest_rflags = vcpu->regs.rflags;
    vmcb->guest_cr2 = vcpu->cr2;
    if (svm->step) {
        svm->own_tf = vcpu->regs.rflags & RFLAGS_TF;
        vmcb->guest_rflags |= RFLAGS_TF;
    }
}

static void save_regs(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    const union vmcb *vmcb = svm->vmcb;

    vcpu->regs.rax = vmcb->guest_rax;
    vcpu->regs.rsp = vmcb->guest_rsp;
    vcpu->regs.rip = vmcb->guest_rip;
    vcpu->regs.rflags = vmcb->guest_rflags;
    vcpu->cr2 = vmcb->guest_cr2;
    if (svm->step && !svm->own_tf)
        vcpu->regs.rflags &= ~RFLAGS_TF;
}

/*
 * The INTR intercept leaves the interrupt in the APIC. It is taken through our own IDT, which notes
 * the vector and sends no EOI (the guest will), and reported like VMX's acknowledged one. Another one
 * of a higher class can come right behind it; it stays noted until the next entry.
 */
void svm_acknowledge(struct vcpu *vcpu)
{
    vcpu->exit.exception.type = HV_EVENT_INTR;
    vcpu->exit.exception.has_error = false;
    __asm__ volatile("sti; nop; cli" : : : "memory");
    vcpu->exit.exception.vector = svm_next_interrupt(vcpu->cpu);
}

static void enter(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    const struct svm_cpu *cpu = vcpu->cpu->vendor;
    union vmcb *vmcb = svm->vmcb;
    bool dr7_by_hand = svm_quirk(SVM_QUIRK_raw_dr7) && (vmcb->guest_dr7 & DR7_ENABLES);
    uint64_t injected;

    svm_event_load(vcpu);
    load_regs(vcpu);
    injected = vmcb->event_inject;
    if (svm->shadow && (svm->edited || injected))
        save_shadow(svm);
    if (svm_quirk(SVM_QUIRK_cr2_not_loaded))
        write_cr2(vcpu->cr2);
    if (dr7_by_hand)
        arm(svm);

    svm_enter(&vcpu->regs, svm->vmcb_hpa, cpu->host_vmcb_hpa, cpu->idts);

    if (dr7_by_hand)
        disarm(svm);
    vmcb->event_inject = 0;
    svm->refused = entry_refused(svm);
    if (__builtin_expect(svm->refused, 0)) {
        undo_entry(svm, injected);
    } else {
        svm->edited = false;
        vmcb->tlb_control = 0;
    }
    save_regs(vcpu);
}

/*
 * From CLGI on an NMI waits, and ends the guest's run as soon as it has begun; one that hit us before is
 * looked at before the guest runs again, or its line would stay silent: the receiver raises no second
 * edge while bytes wait in it. Exits that svm_decode() completes itself lead straight back to here.
 * Such a trip ends as one of the timer, for which core looks at the line and does nothing to the guest.
 */
void svm_run(struct vcpu *vcpu)
{
    for (;;) {
        clgi();
        if (__builtin_expect(vcpu->cpu->nmi_seen, 0)) {
            stgi();
            break;
        }
        enter(vcpu);
        if (svm_decode(vcpu))
            return;
    }
    vcpu->exit.kind = HV_EXIT_PREEMPTION_TIMER;
    vcpu->exit.event.valid = false; /* what is to be delivered is in vcpu->inject by now */
}
