/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What handlers do to the guest CPU: finish an instruction, inject an event, ask for the mode.
 * Programming the vendor's structures is left to the backend.
 */
#include "core/vcpu.h"

#include "core/backend.h"
#include "core/guest_mem.h"
#include "core/guest_regs.h"
#include "core/insn.h"
#include "cpu/x86.h"
#include "lib/mem.h"

/* "Interruptibility state": blocking by STI and by MOV SS; SVM has one shadow bit, bit 0. */
#define SHADOW_BITS UINT64_C(3)

#define PENDING_DEBUG_BS (UINT64_C(1) << 14)

#define REGS_ASSERT(reg_, NAME_)                                                                   \
    _Static_assert(offsetof(struct guest_regs, reg_) == REGS_##NAME_, "guest_regs.h: " #reg_)
REGS_ASSERT(rax, RAX);
REGS_ASSERT(rcx, RCX);
REGS_ASSERT(rdx, RDX);
REGS_ASSERT(rbx, RBX);
REGS_ASSERT(rsp, RSP);
REGS_ASSERT(rbp, RBP);
REGS_ASSERT(rsi, RSI);
REGS_ASSERT(rdi, RDI);
REGS_ASSERT(r8, R8);
REGS_ASSERT(r9, R9);
REGS_ASSERT(r10, R10);
REGS_ASSERT(r11, R11);
REGS_ASSERT(r12, R12);
REGS_ASSERT(r13, R13);
REGS_ASSERT(r14, R14);
REGS_ASSERT(r15, R15);
REGS_ASSERT(rip, RIP);
REGS_ASSERT(rflags, RFLAGS);
_Static_assert(offsetof(struct vcpu, regs) == 0, "a world switch takes either address");

/* SDM, table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT"; APM, "Initial
 * Processor State". TR is busy, as a VM entry demands. */
static const struct hv_segment power_up_segments[HV_SEG_COUNT] = {
    [HV_ES] = {.limit = 0xffff, .rights = 0x93},
    [HV_CS] = {.selector = 0xf000, .base = 0xffff0000, .limit = 0xffff, .rights = 0x93},
    [HV_SS] = {.limit = 0xffff, .rights = 0x93},
    [HV_DS] = {.limit = 0xffff, .rights = 0x93},
    [HV_FS] = {.limit = 0xffff, .rights = 0x93},
    [HV_GS] = {.limit = 0xffff, .rights = 0x93},
    [HV_LDTR] = {.limit = 0xffff, .rights = 0x82},
    [HV_TR] = {.limit = 0xffff, .rights = 0x8b},
};

void vcpu_power_up(struct vcpu *vcpu)
{
    for (enum hv_seg seg = HV_ES; seg < HV_SEG_COUNT; seg++)
        hv_backend->set_segment(vcpu, seg, &power_up_segments[seg]);
    memset(&vcpu->regs, 0, sizeof(vcpu->regs));
    vcpu->regs.rip = 0xfff0;
    vcpu->regs.rflags = RFLAGS_FIXED;
    vcpu->regs.rdx = cpuid(1, 0).eax; /* processor signature */
    vcpu->cr0_wrote = CR0_POWER_UP;
    vcpu->cr4_wrote = 0;
    vcpu->efer_wrote = 0;
    vcpu->cr2 = 0;
    vcpu->xcr0 = 1;
    vcpu->dr7_wrote = DR7_RESET;
    vcpu->dr6 = DR6_RESET;
    write_dr0(0);
    write_dr1(0);
    write_dr2(0);
    write_dr3(0);
}

uint8_t vcpu_code_bits(struct vcpu *vcpu)
{
    struct hv_segment cs = hv_backend->get_segment(vcpu, HV_CS);

    return (uint8_t)(insn_mode_of(cs.rights, vcpu->efer_wrote, vcpu->cr0_wrote) * 8);
}

uint8_t vcpu_cpl(struct vcpu *vcpu)
{
    return hv_backend->get_segment(vcpu, HV_SS).rights >> 5 & 3;
}

struct insn vcpu_decode(struct vcpu *vcpu)
{
    uint8_t bytes[INSN_MAX_BYTES];
    size_t have_bytes = guest_fetch(vcpu, bytes, sizeof bytes);

    return insn_decode(bytes, have_bytes, (enum insn_mode)(vcpu_code_bits(vcpu) / 8));
}

uint8_t vcpu_instr_len(struct vcpu *vcpu)
{
    if (!vcpu->exit.instr_len_bytes) {
        struct insn insn = vcpu_decode(vcpu);

        if (insn.status == INSN_OK)
            vcpu->exit.instr_len_bytes = insn.len_bytes;
    }
    return vcpu->exit.instr_len_bytes;
}

/* IP and EIP wrap; only a carry out of the low 16 bits makes that a question. */
static uint64_t wrap_rip(struct vcpu *vcpu, uint64_t old, uint64_t next)
{
    if (((old ^ next) & ~UINT64_C(0xffff)) == 0)
        return next;
    switch (vcpu_code_bits(vcpu)) {
    case 64:
        return next;
    case 32:
        return next & 0xffffffff;
    default:
        return next & 0xffff;
    }
}

/*
 * The trap of a guest that single-steps itself: the CPU would have raised #DB behind the
 * instruction. VMX takes it as pending; SVM has no such field, so it is injected, with DR6.BS.
 */
static void owe_single_step(struct vcpu *vcpu)
{
    if (!hv_caps.pending_debug) {
        hv_backend->set(vcpu, HV_ST_DR6, hv_backend->get(vcpu, HV_ST_DR6) | DR6_BS);
        vcpu_inject_exception(vcpu, X86_DB, false, 0);
        return;
    }
    hv_backend->set(vcpu, HV_ST_PENDING_DEBUG,
                    hv_backend->get(vcpu, HV_ST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

static void end_shadow(struct vcpu *vcpu)
{
    uint64_t state = hv_backend->get(vcpu, HV_ST_INTERRUPTIBILITY);

    hv_backend->set(vcpu, HV_ST_INTERRUPTIBILITY, state & ~SHADOW_BITS);
    vcpu->exit.shadow = false;
}

bool vcpu_advance(struct vcpu *vcpu)
{
    uint8_t len_bytes = vcpu->exit.instr_len_bytes;

    if (__builtin_expect(!len_bytes, 0)) {
        len_bytes = vcpu_instr_len(vcpu);
        if (!len_bytes)
            return false;
    }
    vcpu->regs.rip = wrap_rip(vcpu, vcpu->regs.rip, vcpu->regs.rip + len_bytes);
    vcpu->regs.rflags &= ~RFLAGS_RF;
    vcpu->changed |= HV_CHANGED_RIP;
    if (__builtin_expect(vcpu->exit.shadow, 0))
        end_shadow(vcpu);
    if (__builtin_expect(vcpu->single_step, 0))
        vcpu->stepped = true;
    if (__builtin_expect(vcpu->regs.rflags & RFLAGS_TF, 0))
        owe_single_step(vcpu);
    return true;
}

/* SDM, "Conditions for Generating a Double Fault": benign, contributory, page fault. */
static unsigned fault_class(uint8_t vector)
{
    switch (vector) {
    case X86_DE:
    case X86_TS:
    case X86_NP:
    case X86_SS:
    case X86_GP:
        return 1;
    case X86_PF:
        return 2;
    default:
        return 0;
    }
}

void vcpu_inject_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error_code)
{
    const struct hv_event *first = &vcpu->inject;

    vcpu->changed |= HV_CHANGED_INJECT;
    if (first->valid && first->type == HV_EVENT_HW_EXCEPTION) {
        unsigned one = fault_class(first->vector), two = fault_class(vector);

        if (first->vector == X86_DF && (two == 1 || two == 2)) {
            /* A third fault is a shutdown; a vector-8 exception cannot express it. */
            vcpu_dead(vcpu, "fault while a double fault was being delivered: shutdown");
            return;
        }
        if ((one == 1 && two == 1) || (one == 2 && (two == 1 || two == 2))) {
            vector = X86_DF;
            has_error = true;
            error_code = 0;
        }
    }
    vcpu->inject = (struct hv_event){
        .valid = true,
        .vector = vector,
        .type = HV_EVENT_HW_EXCEPTION,
        .has_error = has_error,
        .error_code = error_code,
    };
}

enum hv_verdict vcpu_dead(struct vcpu *vcpu, const char *why)
{
    vcpu->dead = true;
    vcpu->dead_why = why;
    return HV_DEAD;
}

void vcpu_inject_ud(struct vcpu *vcpu)
{
    vcpu_inject_exception(vcpu, X86_UD, false, 0);
}

void vcpu_inject_gp(struct vcpu *vcpu)
{
    vcpu_inject_exception(vcpu, X86_GP, true, 0);
}

void vcpu_inject_pf(struct vcpu *vcpu, uint64_t gva, uint32_t error_code)
{
    vcpu->cr2 = gva;
    vcpu_inject_exception(vcpu, X86_PF, true, error_code);
}
