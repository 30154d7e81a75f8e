/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decoded operands and registers together: effective addresses, partial register access. */
#include "core/insn.h"

static uint64_t size_mask(uint8_t size_bytes)
{
    return size_bytes >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << (8 * size_bytes)) - 1;
}

uint64_t insn_offset(const struct insn *insn, const struct guest_regs *regs)
{
    uint64_t mask = size_mask(insn->addr_bytes);
    uint64_t offset = (uint64_t)insn->disp;

    if (insn->rip_relative)
        offset += regs->rip + insn->len_bytes;
    if (insn->base != INSN_NO_REG)
        offset += regs->by_index[insn->base & 15];
    if (insn->index != INSN_NO_REG)
        offset += regs->by_index[insn->index & 15] << insn->scale;
    return offset & mask;
}

uint64_t insn_gva(const struct insn *insn, const struct guest_regs *regs, uint64_t segment_base)
{
    uint64_t gva = insn_offset(insn, regs) + segment_base;

    return insn->mode == INSN_MODE_64 ? gva : gva & 0xffffffff;
}

/* Byte registers 4-7 without REX are AH CH DH BH. */
static bool is_high_byte(const struct insn *insn, uint8_t number, uint8_t size_bytes)
{
    return size_bytes == 1 && !insn->has_rex && number >= 4 && number <= 7;
}

uint64_t insn_gpr_get(const struct insn *insn, const struct guest_regs *regs, uint8_t number,
                      uint8_t size_bytes)
{
    if (is_high_byte(insn, number, size_bytes))
        return (regs->by_index[number - 4] >> 8) & 0xff;
    return regs->by_index[number & 15] & size_mask(size_bytes);
}

void insn_gpr_set(const struct insn *insn, struct guest_regs *regs, uint8_t number,
                  uint8_t size_bytes, uint64_t value)
{
    uint64_t *reg = &regs->by_index[number & 15];
    uint64_t mask = size_mask(size_bytes);

    if (is_high_byte(insn, number, size_bytes)) {
        reg = &regs->by_index[number - 4];
        *reg = (*reg & ~UINT64_C(0xff00)) | ((value & 0xff) << 8);
    } else if (size_bytes >= 4) {
        *reg = value & mask; /* 32-bit writes clear the upper half */
    } else {
        *reg = (*reg & ~mask) | (value & mask);
    }
}
