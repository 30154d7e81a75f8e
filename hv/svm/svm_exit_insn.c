/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Exits that EXITINFO does not explain alone: the instruction at CS:RIP is fetched and decoded,
 * unless the CPU has decode assists. Also the two kinds of exit that stay inside the backend: writes
 * of CR0 that change nothing we watch, and INT n where the INTn intercept stands in for #BP.
 */
#include "svm/svm.h"

#include "core/exit_cr.h"
#include "core/guest_mem.h"
#include "core/insn.h"
#include "core/seeded.h"
#include "cpu/x86.h"

#define CR0_LMSW_BITS UINT64_C(0xf)

/* CR0 bits whose change core hears of in any case; the guest's own (MP, EM, TS, AM) are applied here
 * unless somebody watches them. The same set as on VMX. */
#define CR0_OURS (CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_CD | CR0_NW)

/* Bytes that do not decode: an exit nobody can handle; its raw code tells what it was. */
static void not_decoded(struct vcpu *vcpu)
{
    vcpu->exit.kind = HV_EXIT_OTHER;
}

static bool decode_instruction(struct vcpu *vcpu, struct insn *insn)
{
    *insn = vcpu_decode(vcpu);
    if (insn->status != INSN_OK)
        return false;
    if (!vcpu->exit.instr_len_bytes)
        vcpu->exit.instr_len_bytes = insn->len_bytes;
    return true;
}

/* The instruction was performed by the backend: on to the next one, or HV_EXIT_MTF while stepping. */
static bool svm_performed(struct vcpu *vcpu)
{
    /* While the debugger steps, TF is borrowed: the trap is its own, and this exit stands for it. */
    uint64_t borrowed = vcpu->single_step ? vcpu->regs.rflags & RFLAGS_TF : 0;
    bool ok;

    vcpu->regs.rflags &= ~borrowed;
    ok = vcpu_advance(vcpu);
    vcpu->regs.rflags |= borrowed;
    if (!ok) {
        not_decoded(vcpu);
        return true;
    }
    if (!vcpu->single_step)
        return false;
    vcpu->exit.kind = HV_EXIT_MTF; /* one instruction has passed */
    return true;
}

static uint64_t cr_as_read(const struct vcpu *vcpu, uint8_t index)
{
    const struct svm_vcpu *svm = svm_of(vcpu);

    switch (index) {
    case 0:
        return svm->cr0_read;
    case 2:
        return vcpu->cr2;
    case 3:
        return svm->vmcb->guest_cr3;
    case 4:
        return svm->cr4_read;
    case 8:
        return read_cr8(); /* V_INTR_MASKING is 0: the guest's TPR is the CPU's */
    default:
        return 0;
    }
}

/* The 16-bit source of LMSW. */
static bool lmsw_source(struct vcpu *vcpu, const struct insn *insn, uint16_t *value)
{
    uint64_t gva;

    if (!insn->mem) {
        *value = (uint16_t)vcpu->regs.by_index[insn->rm & 15];
        return true;
    }
    gva = insn_gva(insn, &vcpu->regs, guest_segment_base(vcpu, insn->segment));
    return guest_read_gva(vcpu, gva, value, sizeof(*value)) == sizeof(*value);
}

/* Which form of CR access, and its operand; false if the instruction is none. */
static bool decode_cr_operand(struct vcpu *vcpu, bool write)
{
    struct hv_exit *e = &vcpu->exit;
    struct insn insn;
    uint16_t word;

    if (hv_caps.decode_assists && (e->raw_info[0] & CR_INFO_MOV)) {
        e->cr.insn = HV_CR_MOV;
        e->cr.gpr = e->raw_info[0] & (seeded(SEEDED_crgpr8) ? 7 : 15);
        e->cr.value = vcpu->regs.by_index[e->cr.gpr];
        if (write && vcpu_code_bits(vcpu) != 64)
            e->cr.value = (uint32_t)e->cr.value;
        return true;
    }
    if (!decode_instruction(vcpu, &insn))
        return false;
    e->cr.gpr = insn.rm & (seeded(SEEDED_crgpr8) ? 7 : 15);
    switch (insn.class) {
    case INSN_MOV_CR:
        e->cr.insn = HV_CR_MOV;
        e->cr.value = vcpu->regs.by_index[e->cr.gpr];
        if (insn.op_bytes == 4)
            e->cr.value = (uint32_t)e->cr.value;
        return insn.store == write;
    case INSN_CLTS:
        e->cr.insn = HV_CR_CLTS;
        e->cr.gpr = 0;
        e->cr.value = e->cr.old & ~CR0_TS;
        return write;
    case INSN_LMSW:
        e->cr.insn = HV_CR_LMSW;
        if (!lmsw_source(vcpu, &insn, &word))
            return false;
        /* It can set PE but never clear it. */
        e->cr.value = (e->cr.old & ~(CR0_LMSW_BITS & ~CR0_PE)) | (word & CR0_LMSW_BITS);
        return write;
    case INSN_SMSW:
        e->cr.insn = HV_CR_SMSW;
        return !write;
    default:
        return false;
    }
}

/* A write of CR0 that changes only bits the guest owns, or none: done without telling anybody. Both
 * vendors then report the same writes. */
static bool cr0_write_is_quiet(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    uint64_t changed = vcpu->exit.cr.value ^ vcpu->exit.cr.old;

    if (changed & (CR0_OURS | svm->wanted.cr0_mask | ~UINT64_C(0xffffffff)))
        return false;
    changed &= CR0_MP | CR0_EM | CR0_TS | CR0_AM;
    svm->vmcb->guest_cr0 ^= changed;
    svm->cr0_read ^= changed;
    vcpu->cr0_wrote ^= changed;
    return true;
}

/* The same for CR4: bits that core leaves to the guest. A bit that does not exist here is core's, for
 * the #GP: QEMU would leave the guest with VMEXIT_INVALID. */
static bool cr4_write_is_quiet(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    uint64_t changed = vcpu->exit.cr.value ^ vcpu->exit.cr.old;

    if ((changed & svm->wanted.cr4_mask) || (vcpu->exit.cr.value & ~exit_cr4_allowed()))
        return false;
    svm->vmcb->guest_cr4 ^= changed;
    svm->cr4_read ^= changed;
    vcpu->cr4_wrote ^= changed;
    svm_nested_flush(vcpu); /* a write of CR4 can end global translations */
    return true;
}

bool svm_decode_cr(struct vcpu *vcpu, uint8_t index, bool write)
{
    struct hv_exit *e = &vcpu->exit;

    e->cr.index = index;
    e->cr.access = write ? HV_WRITE : HV_READ;
    e->cr.old = cr_as_read(vcpu, index);
    if (!decode_cr_operand(vcpu, write)) {
        not_decoded(vcpu);
        return true;
    }
    if (!write) {
        e->cr.value = e->cr.old;
        return true;
    }
    if ((index == 0 && cr0_write_is_quiet(vcpu)) || (index == 4 && cr4_write_is_quiet(vcpu)))
        return svm_performed(vcpu);
    return true;
}

/* QEMU leaves a guest that writes reserved bits into CR3 with VMEXIT_INVALID instead of #GP. */
bool svm_mend_bad_cr3(struct vcpu *vcpu)
{
    struct insn insn = vcpu_decode(vcpu);

    if (!svm_of(vcpu)->shadow || insn.status != INSN_OK || insn.class != INSN_MOV_CR ||
        !insn.store || insn.reg != 3)
        return false;
    vcpu_inject_gp(vcpu);
    return true;
}

void svm_decode_dr(struct vcpu *vcpu, uint8_t index, bool write)
{
    struct hv_exit *e = &vcpu->exit;
    struct insn insn;

    e->dr.index = index;
    e->dr.access = write ? HV_WRITE : HV_READ;
    if (hv_caps.decode_assists) {
        e->dr.gpr = e->raw_info[0] & 15;
        return;
    }
    if (!decode_instruction(vcpu, &insn) || insn.class != INSN_MOV_DR) {
        not_decoded(vcpu);
        return;
    }
    e->dr.gpr = insn.rm & 15;
}

/* APM, "IOIO Intercept": EXITINFO2 is the next RIP on every CPU. */
void svm_decode_io(struct vcpu *vcpu)
{
    struct hv_exit *e = &vcpu->exit;
    uint32_t info = (uint32_t)e->raw_info[0];
    uint64_t len_bytes = e->raw_info[1] - vcpu->regs.rip;
    struct insn insn;

    e->io.port = IOIO_PORT(info);
    e->io.in = info & IOIO_IN;
    e->io.string = info & IOIO_STRING;
    e->io.rep = info & IOIO_REP;
    e->io.size_bytes = IOIO_SIZE(info);
    e->kind = e->io.in ? HV_EXIT_IO_IN : HV_EXIT_IO_OUT;
    e->io.value = 0;
    if (len_bytes <= 15)
        e->instr_len_bytes = (uint8_t)len_bytes;
    if (!e->io.string) {
        if (!e->io.in)
            e->io.value = vcpu->regs.rax & ((UINT64_C(1) << 8 * e->io.size_bytes) - 1);
        return;
    }
    /* Address size and segment: only newer CPUs give both. */
    if (hv_caps.decode_assists && IOIO_ADDR(info)) {
        e->io.addr_bytes = (uint8_t)(IOIO_ADDR(info) << 1);
        e->io.segment = e->io.in ? HV_ES : IOIO_SEGMENT(info);
    } else if (decode_instruction(vcpu, &insn) &&
               (insn.class == INSN_INS || insn.class == INSN_OUTS)) {
        e->io.addr_bytes = insn.addr_bytes;
        e->io.segment = insn.segment;
    } else {
        not_decoded(vcpu);
    }
}

void svm_decode_invlpg(struct vcpu *vcpu)
{
    struct hv_exit *e = &vcpu->exit;
    struct insn insn;

    e->invlpg.gva = 0;
    if (!decode_instruction(vcpu, &insn)) {
        not_decoded(vcpu);
        return;
    }
    if (insn.class == INSN_INVLPG)
        e->invlpg.gva = hv_caps.decode_assists
                            ? e->raw_info[0]
                            : insn_gva(&insn, &vcpu->regs, guest_segment_base(vcpu, insn.segment));
    else if (insn.class == INSN_INVLPGA)
        e->invlpg.gva = insn.mode == INSN_MODE_64 ? vcpu->regs.rax : (uint32_t)vcpu->regs.rax;
}

/* The guest executes its INT n after all, as an injected event. */
static bool inject_again(struct vcpu *vcpu, uint8_t vector, uint8_t type)
{
    vcpu->inject = (struct hv_event){.valid = true,
                                     .vector = vector,
                                     .type = type,
                                     .instr_len_bytes = vcpu->exit.instr_len_bytes};
    return false;
}

/*
 * The INTn intercept: asked for as such, or in the place of a #BP intercept that does not work; then
 * INT3 and INTO leave by it too, and INT n is not ours.
 */
bool svm_decode_int_n(struct vcpu *vcpu)
{
    const struct svm_vcpu *svm = svm_of(vcpu);
    struct hv_exit *e = &vcpu->exit;
    struct insn insn;
    uint8_t vector;

    if (!decode_instruction(vcpu, &insn)) {
        not_decoded(vcpu);
        return true;
    }
    if (insn.class == INSN_INT_N) {
        e->exception.vector = (uint8_t)insn.imm;
        e->exception.type = HV_EVENT_SOFT_INT;
        if (svm->wanted.kinds & HV_KIND_BIT(HV_EXIT_FLAGS_ACCESS))
            return true;
        return inject_again(vcpu, (uint8_t)insn.imm, HV_EVENT_SOFT_INT);
    }
    if (insn.class == INSN_INTO && !(vcpu->regs.rflags & RFLAGS_OF))
        return svm_performed(vcpu);
    vector = insn.class == INSN_INT3 ? X86_BP : X86_OF;
    if (!(svm->wanted.exceptions >> vector & 1))
        return inject_again(vcpu, vector, HV_EVENT_SW_EXCEPTION);
    e->kind = HV_EXIT_EXCEPTION;
    e->exception.vector = vector;
    e->exception.type = HV_EVENT_SW_EXCEPTION;
    e->exception.has_error = false;
    e->exception.error_code = 0;
    e->exception.address = 0;
    return true;
}
