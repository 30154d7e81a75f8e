/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Expressions people type: C operators and precedence over registers, the fields of the last exit,
 * `vmcs.FIELD`, `msr-area[MSR]`, `msr[MSR]`, `cr0.PG`, `u8/u16/u32/u64(ADDRESS)`, symbols, and the
 * history ($, $$, $N). There is one meaning: an expression is compiled to GDB agent bytecode, which the
 * hypervisor runs for conditions and the console runs (protocol/agent.h) for print and x.
 *
 * Every value is an unsigned 64-bit number. `<` and `/` are unsigned; s8/s16/s32(ADDRESS) and
 * sext(VALUE, BITS) extend a sign, slt(A, B) compares signed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/agent.h"

/* What the words of an expression may be besides the built-in tables. Any callback may be NULL. */
struct expr_names {
    void *ctx;
    bool (*symbol)(void *ctx, const char *name, uint64_t *value);
    /* $N: index N counts from 1; relative: $ is (0, true), $$ is (1, true), $$N is (N, true). */
    bool (*history)(void *ctx, unsigned index, bool relative, uint64_t *value);
    /* Nearest symbol for "did you mean", or NULL. */
    const char *(*near_symbol)(void *ctx, const char *name);
    bool svm; /* field names are those of the VMCB, else of the VMCS */
};

/* Where it went wrong (offset into the text) and what was expected, in one line. */
struct expr_error {
    size_t position;
    char message[200];
};

struct expr;

/* Parses one expression at text. With end == NULL all of the text must be used; otherwise *end is set
 * behind the expression (at a comma, `do`, `if`, a closing brace of the caller, ...). Returns NULL with
 * *error filled. Release with expr_free(). */
struct expr *expr_parse(const char *text, const struct expr_names *names, const char **end,
                        struct expr_error *error);
void expr_free(struct expr *expr);

/* Bytecode for it, with its `end`. 0, or -1 with *error when it does not fit into cap_bytes. */
int expr_compile(const struct expr *expr, uint8_t *code, size_t cap_bytes, size_t *len_bytes,
                 struct expr_error *error);

/* Runs it here, with env's registers and memory. 0, or -1 with the reason in *error. */
int expr_eval(const struct expr *expr, const struct agent_env *env, uint64_t *value,
              struct expr_error *error);

/* What `set EXPR = ...` would change. */
enum expr_target_kind {
    EXPR_TARGET_NONE,  /* not something that can be set */
    EXPR_TARGET_REG,   /* number: regs.def row */
    EXPR_TARGET_FIELD, /* number: VMCS encoding or VMCB offset */
    EXPR_TARGET_MSR_AREA,
    EXPR_TARGET_MSR, /* address: expression for the index */
    EXPR_TARGET_MEMORY,
};

struct expr_target {
    enum expr_target_kind kind;
    uint32_t number;
    unsigned len_bytes;         /* memory: 1, 2, 4, 8 */
    int bit_low, bit_high;      /* cr0.PG: only these bits; -1, -1: the whole */
    const struct expr *address; /* memory address or MSR index; belongs to the expression */
};

/* Looks at the shape only; EXPR_TARGET_NONE when it cannot be set. */
struct expr_target expr_target(const struct expr *expr);

/* Bits the value has by nature (8, 16, 32, 64), for printing. */
unsigned expr_width_bits(const struct expr *expr);

/* Words that can follow here, for completion: calls emit for each whose spelling begins with prefix.
 * Knows registers, exit words, vmcs./vmcb. fields, bit names after `cr0.`, MSR names after `[`. */
void expr_complete(const char *prefix, bool svm, void (*emit)(void *ctx, const char *word),
                   void *ctx);
