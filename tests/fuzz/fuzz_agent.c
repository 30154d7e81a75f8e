/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: any bytes as an agent expression. Whatever the verifier accepts must evaluate within
 * its fuel and stay inside its stack (the sanitizers watch).
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/agent.h"

static int reg(void *ctx, uint16_t number, uint64_t *value)
{
    (void)ctx;
    *value = number * UINT64_C(0x9e3779b97f4a7c15);
    return number & 0x100 ? -1 : 0;
}

static int mem(void *ctx, uint64_t gva, void *buf, size_t len_bytes)
{
    (void)ctx;
    memset(buf, (int)gva, len_bytes);
    return gva >> 40 ? -1 : 0;
}

static int set_var(void *ctx, uint16_t number, uint64_t value)
{
    (void)ctx;
    (void)value;
    return number & 1 ? -1 : 0;
}

static int print(void *ctx, const char *format, const uint64_t *args, unsigned args_count)
{
    volatile uint64_t sink = 0;

    (void)ctx;
    sink += strlen(format);
    for (unsigned i = 0; i < args_count; i++)
        sink += args[i];
    (void)sink;
    return 0;
}

static int collect(void *ctx, uint64_t gva, uint64_t len_bytes)
{
    (void)ctx;
    return gva == len_bytes ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const unsigned may = size ? data[0] & 7u : 7u;
    struct agent_env env = {NULL, reg, mem, reg, set_var, print, collect};
    struct agent_report report;
    uint32_t fuel = 2000;
    uint64_t value;

    if (agent_verify(data, size, may, &report) != AGENT_OK)
        return 0;
    if (report.stack_max > AGENT_STACK_MAX)
        abort();
    agent_eval(data, size, &env, &fuel, &value, &report);
    if (fuel > 2000)
        abort();
    return 0;
}
