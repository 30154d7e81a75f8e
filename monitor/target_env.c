/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What expressions read of the stopped guest: MSRs, fields, and the environment of their bytecode. */
#include <string.h>

#include "monitor/target_impl.h"
#include "protocol/args.h"

bool target_msr(struct target *target, uint32_t index, uint64_t *value)
{
    const char *reply = target_ask(target, "qtl.msr:%x", index);

    if (reply && target_key_number(reply, "guest", value))
        return true;
    if (reply)
        target_fail(target, "MSR 0x%x raises #GP in the guest", index);
    return false;
}

static bool msr_area(struct target *target, uint32_t index, uint64_t *value)
{
    const char *reply = target_ask(target, "qtl.msr-area");
    struct args rest = args_of(reply, reply ? strlen(reply) : 0), record;
    uint64_t entry;

    while (args_record(&rest, &record))
        if (args_find_number(record, "index", &entry) && entry == index)
            return args_find_number(record, "value", value);
    target_fail(target, "MSR 0x%x has no entry in the area", index);
    return false;
}

bool target_field(struct target *target, uint32_t number, uint64_t *value)
{
    const char *reply = target_ask(target, "qtl.field:%x", number);

    return reply && target_key_number(reply, "value", value);
}

static int env_reg(void *ctx, uint16_t number, uint64_t *value)
{
    struct target *target = ctx;
    bool done;

    if (number == AGENT_REG_MSR)
        done = target_msr(target, (uint32_t)target->msr_variable, value);
    else if (number == AGENT_REG_MSR_AREA)
        done = msr_area(target, (uint32_t)target->msr_variable, value);
    else if (number & AGENT_REG_FIELD)
        done = target_field(target, number & (AGENT_REG_FIELD - 1), value);
    else
        done = target_reg(target, number, value);
    return done ? 0 : -1;
}

static int env_mem(void *ctx, uint64_t gva, void *buf, size_t len_bytes)
{
    return target_read(ctx, gva, buf, len_bytes) == len_bytes ? 0 : -1;
}

static int env_get_var(void *ctx, uint16_t number, uint64_t *value)
{
    struct target *target = ctx;

    if (number != AGENT_VAR_MSR)
        return -1;
    *value = target->msr_variable;
    return 0;
}

static int env_set_var(void *ctx, uint16_t number, uint64_t value)
{
    struct target *target = ctx;

    if (number != AGENT_VAR_MSR)
        return -1;
    target->msr_variable = value;
    return 0;
}

struct agent_env target_env(struct target *target)
{
    target->error[0] = '\0'; /* what is there after an evaluation belongs to it */
    return (struct agent_env){.ctx = target,
                              .reg = env_reg,
                              .mem = env_mem,
                              .get_var = env_get_var,
                              .set_var = env_set_var};
}
