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

/* Sets target_error(). */
void target_fail(struct target *target, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* target_ask() for a request that is bytes; `name` stands for it in the error. */
const char *target_ask_bytes(struct target *target, const char *name, const char *request,
                             size_t len_bytes);

/* Is the answer OK? NULL is not (its error stays); for another answer the error says so. */
bool target_is_ok(struct target *target, const char *reply);

/* Bytes as two hex digits each, up to the first that is none; returns how many (at most cap_bytes). */
size_t target_unhex(const char *hex, uint8_t *bytes, size_t cap_bytes);
