/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Performs the integer instructions with a memory operand that compilers and libraries use on
 * devices: moves, arithmetic, string stores and copies. Decoding is insn.c's.
 */
#include "core/mmio.h"

#include "core/exit_handlers.h"
#include "core/guest_mem.h"
#include "core/insn.h"
#include "cpu/x86.h"
#include "lib/log.h"

#define STRING_CHUNK 256u /* repetitions per exit, so that the guest stays interruptible */

#define ARITH_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static uint64_t size_mask(unsigned size_bytes)
{
    return size_bytes >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << size_bytes * 8) - 1;
}

static uint64_t zsp_flags(uint64_t result, unsigned size_bytes)
{
    uint64_t flags = 0;

    result &= size_mask(size_bytes);
    if (!result)
        flags |= RFLAGS_ZF;
    if (result >> (size_bytes * 8 - 1) & 1)
        flags |= RFLAGS_SF;
    if (!__builtin_parity((unsigned)(result & 0xff)))
        flags |= RFLAGS_PF;
    return flags;
}

/* a op b with the flags of the CPU; SDM, "ADD", "SUB", "AND" ... AF after logic is undefined: 0. */
static uint64_t alu(enum insn_alu op, uint64_t a, uint64_t b, unsigned size_bytes, uint64_t *rflags)
{
    uint64_t mask = size_mask(size_bytes), top = UINT64_C(1) << (size_bytes * 8 - 1);
    uint64_t carry = (op == ALU_ADC || op == ALU_SBB) && *rflags & RFLAGS_CF ? 1 : 0;
    uint64_t result, flags = 0;

    a &= mask;
    b &= mask;
    switch (op) {
    case ALU_ADD:
    case ALU_ADC:
        result = (a + b + carry) & mask;
        if (result < a || (carry && result == a))
            flags |= RFLAGS_CF;
        if ((a ^ result) & (b ^ result) & top)
            flags |= RFLAGS_OF;
        flags |= (a ^ b ^ result) & RFLAGS_AF;
        break;
    case ALU_SUB:
    case ALU_SBB:
    case ALU_CMP:
        result = (a - b - carry) & mask;
        if (a < b || (carry && a == b))
            flags |= RFLAGS_CF;
        if ((a ^ b) & (a ^ result) & top)
            flags |= RFLAGS_OF;
        flags |= (a ^ b ^ result) & RFLAGS_AF;
        break;
    case ALU_OR:
        result = a | b;
        break;
    case ALU_AND:
        result = a & b;
        break;
    default:
        result = a ^ b;
        break;
    }
    *rflags = (*rflags & ~ARITH_FLAGS) | flags | zsp_flags(result, size_bytes);
    return result;
}

static uint64_t dev_read(const struct mmio_device *device, uint64_t offset, unsigned size_bytes)
{
    return device->read(offset, size_bytes) & size_mask(size_bytes);
}

static uint64_t source(struct vcpu *vcpu, const struct insn *insn)
{
    return insn->imm_form ? insn->imm : insn_gpr_get(insn, &vcpu->regs, insn->reg, insn->op_bytes);
}

static uint64_t sign_extend(uint64_t value, unsigned size_bytes)
{
    unsigned shift = 64 - size_bytes * 8;

    return (uint64_t)((int64_t)(value << shift) >> shift);
}

static enum hv_verdict do_alu(struct vcpu *vcpu, const struct mmio_device *device,
                              const struct insn *insn, uint64_t offset)
{
    unsigned size = insn->op_bytes;
    enum insn_alu op = insn->class == INSN_TEST ? ALU_AND : (enum insn_alu)insn->alu;
    uint64_t memory = dev_read(device, offset, size), other = source(vcpu, insn);
    bool to_memory = insn->store || insn->imm_form || insn->class == INSN_TEST;
    uint64_t result = to_memory ? alu(op, memory, other, size, &vcpu->regs.rflags)
                                : alu(op, other, memory, size, &vcpu->regs.rflags);

    if (insn->class == INSN_TEST || op == ALU_CMP)
        return exit_done(vcpu);
    if (to_memory)
        device->write(offset, size, result);
    else
        insn_gpr_set(insn, &vcpu->regs, insn->reg, insn->op_bytes, result);
    return exit_done(vcpu);
}

static enum hv_verdict do_unary(struct vcpu *vcpu, const struct mmio_device *device,
                                const struct insn *insn, uint64_t offset)
{
    unsigned size = insn->op_bytes;
    uint64_t value = dev_read(device, offset, size), *rflags = &vcpu->regs.rflags;
    uint64_t carry = *rflags & RFLAGS_CF;

    switch (insn->class) {
    case INSN_NOT:
        value = ~value;
        break;
    case INSN_NEG:
        value = alu(ALU_SUB, 0, value, size, rflags);
        break;
    case INSN_INC:
        value = alu(ALU_ADD, value, 1, size, rflags);
        *rflags = (*rflags & ~RFLAGS_CF) | carry;
        break;
    default:
        value = alu(ALU_SUB, value, 1, size, rflags);
        *rflags = (*rflags & ~RFLAGS_CF) | carry;
        break;
    }
    device->write(offset, size, value);
    return exit_done(vcpu);
}

static uint64_t addr_mask(const struct insn *insn)
{
    return size_mask(insn->addr_bytes);
}

static void step_index(struct vcpu *vcpu, const struct insn *insn, unsigned gpr)
{
    uint64_t step = vcpu->regs.rflags & RFLAGS_DF ? -(uint64_t)insn->op_bytes : insn->op_bytes;
    uint64_t mask = addr_mask(insn), *reg = &vcpu->regs.by_index[gpr];
    uint64_t next = (*reg + step) & mask;

    *reg = insn->addr_bytes == 2 ? (*reg & ~mask) | next : next;
}

/* One repetition of STOS, LODS or MOVS at `offset` of the device. False: *verdict says why not. */
static bool string_once(struct vcpu *vcpu, const struct mmio_device *device,
                        const struct insn *insn, uint64_t offset, enum hv_verdict *verdict)
{
    unsigned size = insn->op_bytes;
    uint64_t mask = addr_mask(insn), value = 0;
    uint64_t src_gva = guest_segment_base(vcpu, insn->segment) + (vcpu->regs.rsi & mask);
    uint64_t dst_gva = guest_segment_base(vcpu, HV_ES) + (vcpu->regs.rdi & mask);
    struct guest_fault fault;

    if (insn->class == INSN_STOS) {
        device->write(offset, size, vcpu->regs.rax & size_mask(size));
    } else if (insn->class == INSN_LODS) {
        insn_gpr_set(insn, &vcpu->regs, GPR_RAX, insn->op_bytes, dev_read(device, offset, size));
    } else if (vcpu->exit.nested.access & HV_WRITE) {
        if (!guest_access(vcpu, src_gva, &value, size, HV_READ, &fault)) {
            *verdict = guest_access_failed(vcpu, &fault);
            return false;
        }
        device->write(offset, size, value);
    } else {
        value = dev_read(device, offset, size);
        if (!guest_access(vcpu, dst_gva, &value, size, HV_WRITE, &fault)) {
            *verdict = guest_access_failed(vcpu, &fault);
            return false;
        }
    }
    if (insn->class != INSN_STOS)
        step_index(vcpu, insn, GPR_RSI);
    if (insn->class != INSN_LODS)
        step_index(vcpu, insn, GPR_RDI);
    return true;
}

/* Repeats inside the device's page; the rest of the count exits again. */
static enum hv_verdict do_string(struct vcpu *vcpu, const struct mmio_device *device,
                                 const struct insn *insn, uint64_t offset)
{
    uint64_t mask = addr_mask(insn), page = offset >> 12;
    bool down = vcpu->regs.rflags & RFLAGS_DF;
    enum hv_verdict verdict;

    vcpu->changed |= HV_CHANGED_GPR;
    if (!insn->rep) {
        if (!string_once(vcpu, device, insn, offset, &verdict))
            return verdict;
        return exit_done(vcpu);
    }
    for (unsigned i = 0; i < STRING_CHUNK && vcpu->regs.rcx & mask; i++) {
        if (offset >> 12 != page || offset >= device->len_bytes)
            return HV_RESUME; /* left the page: the CPU finds out what is there */
        if (!string_once(vcpu, device, insn, offset, &verdict))
            return verdict;
        vcpu->regs.rcx = insn->addr_bytes == 2
                             ? (vcpu->regs.rcx & ~mask) | ((vcpu->regs.rcx - 1) & mask)
                             : (vcpu->regs.rcx - 1) & mask;
        offset += down ? -(uint64_t)insn->op_bytes : insn->op_bytes;
    }
    return vcpu->regs.rcx & mask ? HV_RESUME : exit_done(vcpu);
}

static enum hv_verdict unknown(struct vcpu *vcpu, const struct mmio_device *device,
                               const struct insn *insn)
{
    log_error("mmio: no emulation of this instruction on the %s: RIP %#lx, opcode %#x, map %u, %s",
              device->name, (unsigned long)vcpu->regs.rip, insn->opcode, insn->map,
              insn_status_text((enum insn_status)insn->status));
    return vcpu_dead(vcpu, "an instruction on emulated memory that the emulator does not know");
}

enum hv_verdict mmio_emulate(struct vcpu *vcpu, const struct mmio_device *device)
{
    struct insn insn = vcpu_decode(vcpu);
    uint64_t offset = vcpu->exit.nested.gpa - device->base_gpa, value;

    if (insn.status != INSN_OK || insn.vex || !insn.mem)
        return unknown(vcpu, device, &insn);
    vcpu->exit.instr_len_bytes = insn.len_bytes;
    vcpu->changed |= HV_CHANGED_GPR;
    switch (insn.class) {
    case INSN_MOV:
        if (insn.store)
            device->write(offset, insn.op_bytes, source(vcpu, &insn) & size_mask(insn.op_bytes));
        else
            insn_gpr_set(&insn, &vcpu->regs, insn.reg, insn.op_bytes,
                         dev_read(device, offset, insn.op_bytes));
        return exit_done(vcpu);
    case INSN_MOVZX:
    case INSN_MOVSX:
        value = dev_read(device, offset, insn.mem_bytes);
        if (insn.class == INSN_MOVSX)
            value = sign_extend(value, insn.mem_bytes);
        insn_gpr_set(&insn, &vcpu->regs, insn.reg, insn.op_bytes, value);
        return exit_done(vcpu);
    case INSN_XCHG:
        value = dev_read(device, offset, insn.op_bytes);
        device->write(offset, insn.op_bytes, source(vcpu, &insn));
        insn_gpr_set(&insn, &vcpu->regs, insn.reg, insn.op_bytes, value);
        return exit_done(vcpu);
    case INSN_ALU:
    case INSN_TEST:
        return do_alu(vcpu, device, &insn, offset);
    case INSN_NOT:
    case INSN_NEG:
    case INSN_INC:
    case INSN_DEC:
        return do_unary(vcpu, device, &insn, offset);
    case INSN_STOS:
    case INSN_LODS:
    case INSN_MOVS:
        return do_string(vcpu, device, &insn, offset);
    default:
        return unknown(vcpu, device, &insn);
    }
}
