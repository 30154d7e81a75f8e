/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the target_*.c files share. Nobody else includes this. */
#pragma once

#include "monitor/target.h"

struct target {
    struct console *console;
    char error[400];
    size_t reply_len_bytes; /* of the last target_ask() */
    char *hello;            /* qtl.hello, for the whole session */

    bool reg_known[TL_REG_COUNT];
    uint64_t reg[TL_REG_COUNT];
    char *exit_text;      /* qtl.exit of this stop */
    uint8_t memory[1024]; /* the last piece read */
    uint64_t memory_gva;
    size_t memory_len_bytes;
    uint64_t msr_variable; /* AGENT_VAR_MSR while bytecode runs */
};

void target_fail(struct target *target, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
