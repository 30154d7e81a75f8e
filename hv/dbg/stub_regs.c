/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Registers on the wire: rows of regs.def in target byte order. A register that this platform does
 * not have reads as x digits.
 */
#include "dbg/stub_impl.h"
#include "lib/mem.h"

#define WIDE_BYTES_MAX 16u

static unsigned reg_bytes(unsigned regno)
{
    return tl_regs[regno].bits / 8u;
}

void stub_put_reg(struct stub *stub, struct reply *reply, unsigned cpu, unsigned regno)
{
    const struct dbg_target *t = stub->target;
    uint8_t wide[WIDE_BYTES_MAX];
    uint64_t value = 0;
    bool is_wide = reg_bytes(regno) > sizeof(value);

    if (is_wide ? t->reg_wide_read(t->machine, cpu, regno, wide)
                : t->reg_read(t->machine, cpu, regno, &value)) {
        for (unsigned i = 0; i < reg_bytes(regno); i++)
            reply_str(reply, "xx");
        return;
    }
    if (is_wide)
        reply_hex(reply, wide, reg_bytes(regno));
    else
        reply_le(reply, value, reg_bytes(regno));
}

enum stub_answer packet_g(struct stub *stub, struct args args)
{
    if (!args_empty(&args))
        return stub_syntax(stub);
    for (unsigned regno = 0; regno < TL_REG_G_COUNT; regno++)
        stub_put_reg(stub, &stub->reply, stub->cpu, regno);
    return STUB_REPLY;
}

/* Takes one register's digits; 0 stored, 1 all x (left alone), -1 bad. */
static int take(struct args *args, unsigned regno, uint64_t *value)
{
    unsigned len = reg_bytes(regno);
    uint8_t bytes[8];
    struct args part;

    if (args->end - args->at < (int)(2 * len))
        return -1;
    part = (struct args){args->at, args->at + 2 * len};
    args->at = part.end;
    if (*part.at == 'x')
        return 1;
    if (len > 8 || args_hex_bytes(&part, bytes, len) != (int)len)
        return -1;
    *value = 0;
    for (unsigned i = 0; i < len; i++)
        *value |= (uint64_t)bytes[i] << 8 * i;
    return 0;
}

enum stub_answer packet_G(struct stub *stub, struct args args)
{
    const struct dbg_target *t = stub->target;
    uint64_t values[TL_REG_G_COUNT];
    bool given[TL_REG_G_COUNT] = {false};

    for (unsigned regno = 0; regno < TL_REG_G_COUNT && !args_empty(&args); regno++) {
        int rc = take(&args, regno, &values[regno]);

        if (rc < 0)
            return stub_syntax(stub);
        given[regno] = rc == 0;
    }
    if (!args_empty(&args))
        return stub_syntax(stub);
    for (unsigned regno = 0; regno < TL_REG_G_COUNT; regno++) {
        uint64_t now;

        /* GDB writes all to change one: registers that keep their value are not written. */
        if (!given[regno] ||
            (!t->reg_read(t->machine, stub->cpu, regno, &now) && now == values[regno]))
            continue;
        if (t->reg_write(t->machine, stub->cpu, regno, values[regno]))
            return stub_fail(stub, TL_E_bad_value, tl_regs[regno].name);
        stub->edited = true;
    }
    return stub_ok(stub);
}

enum stub_answer packet_p(struct stub *stub, struct args args)
{
    uint64_t regno;

    if (!args_number(args, &regno))
        return stub_syntax(stub);
    if (regno >= TL_REG_COUNT)
        return stub_fail(stub, TL_E_no_register, NULL);
    stub_put_reg(stub, &stub->reply, stub->cpu, (unsigned)regno);
    return STUB_REPLY;
}

static enum stub_answer write_wide(struct stub *stub, struct args args, unsigned regno)
{
    const struct dbg_target *t = stub->target;
    uint8_t bytes[WIDE_BYTES_MAX];
    unsigned len = reg_bytes(regno);

    if (args_hex_bytes(&args, bytes, len) != (int)len || !args_empty(&args))
        return stub_syntax(stub);
    if (t->reg_wide_write(t->machine, stub->cpu, regno, bytes))
        return stub_fail(stub, TL_E_bad_value, tl_regs[regno].name);
    stub->edited = true;
    return stub_ok(stub);
}

enum stub_answer packet_P(struct stub *stub, struct args args)
{
    const struct dbg_target *t = stub->target;
    uint64_t regno, value;

    if (!args_hex(&args, &regno) || !args_char(&args, '='))
        return stub_syntax(stub);
    if (regno >= TL_REG_COUNT)
        return stub_fail(stub, TL_E_no_register, NULL);
    if (tl_regs[regno].bits > 64)
        return write_wide(stub, args, (unsigned)regno);
    if (take(&args, (unsigned)regno, &value) || !args_empty(&args))
        return stub_syntax(stub);
    if (t->reg_write(t->machine, stub->cpu, (unsigned)regno, value)) {
        uint64_t now;

        if (t->reg_read(t->machine, stub->cpu, (unsigned)regno, &now))
            return stub_fail(stub, TL_E_no_register, tl_regs[regno].name);
        return stub_fail(stub,
                         tl_regs[regno].source == TL_SRC_EXIT ? TL_E_read_only : TL_E_bad_value,
                         tl_regs[regno].name);
    }
    stub->edited = true;
    return stub_ok(stub);
}
