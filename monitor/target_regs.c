/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Registers of the stopped guest: read once a stop, all that `g` carries at a time.
 */
#include <stdio.h>
#include <string.h>

#include "monitor/target_impl.h"

bool target_hex_value(const char *hex, uint64_t *value)
{
    uint8_t byte;
    unsigned shift = 0;

    *value = 0;
    for (; target_unhex(hex, &byte, 1); hex += 2, shift += 8)
        if (shift < 64)
            *value |= (uint64_t)byte << shift;
    return shift > 0; /* "xxxx": not available */
}

/* `g` once brings all it carries: cheaper than two single reads. */
static bool read_general(struct target *target)
{
    const char *reply = target_ask(target, "g");

    if (!reply)
        return false;
    for (unsigned i = 0; i < TL_REG_G_COUNT; i++) {
        size_t digits = tl_regs[i].bits / 4;
        char hex[40] = "";

        if (strlen(reply) < digits || digits >= sizeof(hex))
            break;
        memcpy(hex, reply, digits);
        reply += digits;
        target->reg_known[i] = target_hex_value(hex, &target->reg[i]);
    }
    return true;
}

bool target_reg(struct target *target, unsigned number, uint64_t *value)
{
    const char *reply;

    if (number >= TL_REG_COUNT) {
        target_fail(target, "no such register");
        return false;
    }
    if (!target->reg_known[number] && number < TL_REG_G_COUNT)
        read_general(target);
    if (!target->reg_known[number]) {
        reply = target_ask(target, "p%x", number);
        if (!reply)
            return false;
        if (!target_hex_value(reply, &target->reg[number])) {
            target_fail(target, "%s is not available on this platform", tl_regs[number].name);
            return false;
        }
        target->reg_known[number] = true;
    }
    *value = target->reg[number];
    return true;
}

bool target_set_reg(struct target *target, unsigned number, uint64_t value)
{
    char hex[2 * 16 + 1];
    unsigned bytes;

    if (number >= TL_REG_COUNT)
        return false;
    bytes = tl_regs[number].bits / 8u;
    if (bytes > 8) {
        target_fail(target, "%s has %u bits: GDB can set it", tl_regs[number].name,
                    tl_regs[number].bits);
        return false;
    }
    if (bytes < 8 && value >> (8 * bytes)) {
        target_fail(target, "%s has %u bits", tl_regs[number].name, tl_regs[number].bits);
        return false;
    }
    for (unsigned i = 0; i < bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)(value >> (8 * i)) & 0xff);
    if (!target_do(target, "P%x=%s", number, hex))
        return false;
    target_forget(target); /* one register can change another: cr0 efer, rip the exit */
    return true;
}

unsigned target_code_bits(struct target *target)
{
    uint64_t mode;

    if (!target_reg(target, TL_REG_cpu_mode, &mode))
        return 64;
    switch ((enum tl_cpu_mode)mode) {
    case TL_MODE_REAL:
    case TL_MODE_VM86:
    case TL_MODE_PROT16:
    case TL_MODE_COMPAT16:
        return 16;
    case TL_MODE_PROT32:
    case TL_MODE_COMPAT32:
        return 32;
    default:
        return 64;
    }
}

uint64_t target_pc_gva(struct target *target)
{
    uint64_t rip = 0, base = 0;

    target_reg(target, TL_REG_rip, &rip);
    if (target_code_bits(target) != 64)
        target_reg(target, TL_REG_cs_base, &base);
    return base + rip;
}
