/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * #VMEXIT -> struct hv_exit, for every code: kind from the table, details from EXITINFO1 and 2.
 * Exits whose instruction must be read are in svm_exit_insn.c. No policy, no handling.
 */
#include "svm/svm.h"

#include "core/seeded.h"
#include "cpu/x86.h"

#define SHADOW      UINT64_C(1)
#define DR6_REASONS UINT64_C(0xe00f) /* BT, BS, BD, B3-0 */

/* The kind of every code of the manual; what is newer than the table is "other". */
enum hv_exit_kind svm_kind_of_code(int64_t code)
{
    switch ((uint64_t)code) {
#define SVM_EXIT(code_, name, kind, text)                                                          \
    case (code_):                                                                                  \
        return HV_EXIT_##kind;
#include "protocol/exit_reasons.def"
    default:
        return HV_EXIT_OTHER;
    }
}

enum svm_code {
#define SVM_EXIT(code_, name, kind, text) SVM_CODE_##name = (int)(code_),
#include "protocol/exit_reasons.def"
};

/* Exits that happen between instructions, or whose RIP is no instruction that a handler completes. */
static bool is_instruction(int32_t code)
{
    if (code >= SVM_CODE_EXCP0 && code <= SVM_CODE_VINTR)
        return false;
    return code >= 0 && code < SVM_CODE_NPF && code != SVM_CODE_SHUTDOWN &&
           code != SVM_CODE_TASK_SWITCH && code != SVM_CODE_FERR_FREEZE &&
           !(code >= SVM_CODE_EFER_WRITE_TRAP && code <= SVM_CODE_CR15_WRITE_TRAP);
}

/* nRIP, where the CPU has it and it can be a length. */
static uint8_t length_by_nrip(const struct vcpu *vcpu)
{
    uint64_t len_bytes = svm_of(vcpu)->vmcb->nrip - vcpu->regs.rip;

    return hv_caps.nrip && len_bytes <= 15 ? (uint8_t)len_bytes : 0;
}

/* Where the CPU does not say why it raised #DB: its own single step, or a breakpoint at RIP. */
static uint64_t guess_dr6(const struct vcpu *vcpu)
{
    const union vmcb *vmcb = svm_of(vcpu)->vmcb;
    uint64_t dr7 = vmcb->guest_dr7, rip_gva = vmcb->guest_cs_base + vcpu->regs.rip;
    const uint64_t dr[4] = {read_dr0(), read_dr1(), read_dr2(), read_dr3()};

    for (unsigned i = 0; i < 4; i++)
        if ((dr7 >> 2 * i & 3) && !(dr7 >> (16 + 4 * i) & 3) && dr[i] == rip_gva)
            return UINT64_C(1) << i;
    return vmcb->guest_rflags & RFLAGS_TF ? DR6_BS : 0;
}

static uint64_t take_dr6(const struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    uint64_t reasons = svm->vmcb->guest_dr6 & DR6_REASONS;

    if (svm->dr6_parked)
        svm->vmcb->guest_dr6 = DR6_RESET;
    if (!reasons && svm_quirk(SVM_QUIRK_dr6_not_saved))
        reasons = guess_dr6(vcpu);
    return reasons;
}

static bool pushes_error_code(uint8_t vector)
{
    switch (vector) {
    case X86_DF:
    case X86_TS:
    case X86_NP:
    case X86_SS:
    case X86_GP:
    case X86_PF:
    case X86_AC:
    case X86_CP:
    case X86_VC:
    case X86_SX:
        return true;
    default:
        return false;
    }
}

/* APM, "Exception Intercepts" */
static void decode_exception(struct vcpu *vcpu, uint8_t vector)
{
    struct hv_exit *e = &vcpu->exit;

    e->exception.vector = vector;
    e->exception.has_error = pushes_error_code(vector);
    e->exception.error_code = e->exception.has_error ? (uint32_t)e->raw_info[0] : 0;
    e->exception.type = HV_EVENT_HW_EXCEPTION;
    e->exception.address = 0;
    if (vector == X86_BP || vector == X86_OF) {
        e->exception.type = HV_EVENT_SW_EXCEPTION;
        e->instr_len_bytes = 1;
    } else if (vector == X86_PF) {
        e->exception.address = e->raw_info[1];
    } else if (vector == X86_DB) {
        e->exception.address = take_dr6(vcpu);
    }
}

/* APM, "Nested Paging and #VMEXIT". A walk is reported as a write even when it only read. */
static void decode_nested(struct hv_exit *e)
{
    uint64_t info = e->raw_info[0];

    if (info & NPF_RESERVED)
        e->kind = HV_EXIT_NESTED_MISCONFIG;
    e->nested.gpa = seeded(SEEDED_gpa32) ? (uint32_t)e->raw_info[1] : e->raw_info[1];
    e->nested.gva = 0;
    e->nested.gva_valid = false;
    e->nested.page_walk = (info & (NPF_WALK | NPF_FINAL)) == NPF_WALK;
    e->nested.present = info & NPF_PRESENT;
    if (info & NPF_FETCH)
        e->nested.access = HV_EXEC;
    else if (info & NPF_WRITE)
        e->nested.access = e->nested.page_walk ? HV_READ | HV_WRITE : HV_WRITE;
    else
        e->nested.access = HV_READ;
}

static void decode_msr(struct vcpu *vcpu)
{
    struct hv_exit *e = &vcpu->exit;

    e->kind = e->raw_info[0] & 1 ? HV_EXIT_WRMSR : HV_EXIT_RDMSR;
    e->msr.index = (uint32_t)vcpu->regs.rcx;
    e->msr.value = e->kind == HV_EXIT_WRMSR ? vcpu->regs.rdx << 32 | (uint32_t)vcpu->regs.rax : 0;
}

static void decode_entry_failure(struct hv_exit *e)
{
    e->event.valid = false; /* nothing was being delivered; QEMU copies EVENTINJ there */
    e->entry.reason = (uint32_t)e->raw_reason;
    e->entry.instr_error = 0;
}

/* Kinds with details of their own. */
static bool decode_by_code(struct vcpu *vcpu, int32_t code)
{
    struct hv_exit *e = &vcpu->exit;

    switch (code) {
    case SVM_CODE_CR0_READ ... SVM_CODE_CR15_READ:
        return svm_decode_cr(vcpu, (uint8_t)code, false);
    case SVM_CODE_CR0_WRITE ... SVM_CODE_CR15_WRITE:
        return svm_decode_cr(vcpu, (uint8_t)(code - SVM_CODE_CR0_WRITE), true);
    case SVM_CODE_CR0_SEL_WRITE:
        return svm_decode_cr(vcpu, 0, true);
    case SVM_CODE_DR0_READ ... SVM_CODE_DR15_READ:
        svm_decode_dr(vcpu, (uint8_t)(code - SVM_CODE_DR0_READ), false);
        break;
    case SVM_CODE_DR0_WRITE ... SVM_CODE_DR15_WRITE:
        svm_decode_dr(vcpu, (uint8_t)(code - SVM_CODE_DR0_WRITE), true);
        break;
    case SVM_CODE_EXCP0 ... SVM_CODE_EXCP31:
        decode_exception(vcpu, (uint8_t)(code - SVM_CODE_EXCP0));
        break;
    case SVM_CODE_INTR:
        svm_acknowledge(vcpu);
        break;
    case SVM_CODE_CPUID:
        e->cpuid.leaf = (uint32_t)vcpu->regs.rax;
        e->cpuid.subleaf = (uint32_t)vcpu->regs.rcx;
        break;
    case SVM_CODE_SWINT:
        return svm_decode_int_n(vcpu);
    case SVM_CODE_INVLPG:
    case SVM_CODE_INVLPGA:
    case SVM_CODE_INVPCID:
        svm_decode_invlpg(vcpu);
        break;
    case SVM_CODE_IOIO:
        svm_decode_io(vcpu);
        break;
    case SVM_CODE_MSR:
        decode_msr(vcpu);
        break;
    case SVM_CODE_XSETBV:
        e->xsetbv.index = (uint32_t)vcpu->regs.rcx;
        e->xsetbv.value = vcpu->regs.rdx << 32 | (uint32_t)vcpu->regs.rax;
        break;
    case SVM_CODE_NPF:
        decode_nested(e);
        break;
    default:
        if (e->kind == HV_EXIT_ENTRY_FAILURE) {
            decode_entry_failure(e);
            return svm_of(vcpu)->refused || !svm_mend_bad_cr3(vcpu);
        }
        break;
    }
    return true;
}

bool svm_decode(struct vcpu *vcpu)
{
    const union vmcb *vmcb = svm_of(vcpu)->vmcb;
    struct hv_exit *e = &vcpu->exit;
    /* Codes are compared as 32 bits: QEMU writes VMEXIT_INVALID without its upper half. */
    int32_t code = (int32_t)vmcb->exit_code;

    e->raw_reason = (uint64_t)(int64_t)code;
    e->raw_info[0] = vmcb->exit_info1;
    e->raw_info[1] = vmcb->exit_info2;
    e->cs_selector = vmcb->guest_cs_selector;
    e->shadow = vmcb->interrupt_shadow & SHADOW;
    e->cr3 = vmcb->guest_cr3;
    e->cs_selector = vmcb->guest_cs_selector;
    e->shadow = vmcb->interrupt_shadow & 1;
    e->cr3 = vmcb->guest_cr3;
    svm_event_after(vcpu);
    e->instr_len_bytes = hv_caps.nrip && is_instruction(code) ? length_by_nrip(vcpu) : 0;
    e->kind = svm_kind_of_code(code);
    return decode_by_code(vcpu, code);
}
