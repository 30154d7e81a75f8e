/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tree between parser and compiler, and the names the parser looks up. Only monitor/expr_*.c.
 */
#pragma once

#include "monitor/expr.h"

#define EXPR_NODES_MAX 200u
#define EXPR_DEPTH_MAX 64u

enum expr_op {
    EXPR_CONST,    /* value */
    EXPR_REG,      /* number */
    EXPR_FIELD,    /* number */
    EXPR_MSR_AREA, /* a: index */
    EXPR_MSR,      /* a: index */
    EXPR_BITS,     /* a: register, low..high */
    EXPR_REF,      /* a: address, width_bits, is_signed */
    EXPR_SEXT,     /* a, width_bits */
    EXPR_NEG,
    EXPR_NOT,
    EXPR_BIT_NOT,
    EXPR_MUL,
    EXPR_DIV,
    EXPR_REM,
    EXPR_ADD,
    EXPR_SUB,
    EXPR_SHL,
    EXPR_SHR,
    EXPR_LT,
    EXPR_GT,
    EXPR_LE,
    EXPR_GE,
    EXPR_EQ,
    EXPR_NE,
    EXPR_SLT,
    EXPR_AND,
    EXPR_XOR,
    EXPR_OR,
    EXPR_LAND,
    EXPR_LOR,
    EXPR_COND, /* a ? b : c */
};

struct expr {
    enum expr_op op;
    uint32_t number;
    uint64_t value;
    uint8_t width_bits, low, high;
    bool is_signed;
    struct expr *a, *b, *c;
    size_t position; /* in the text, for messages */
    struct expr *arena;
};

/* A word the tables know. */
enum expr_word_kind { EXPR_WORD_NONE, EXPR_WORD_REG, EXPR_WORD_CONST };

struct expr_word {
    enum expr_word_kind kind;
    uint32_t number;
    uint64_t value;
    unsigned width_bits;
};

/* Registers (regs.def), exit words (value, index, ...), exit kinds and vendor names as numbers. */
struct expr_word expr_word_find(const char *name);

/* Field by name: true and its number and width. */
bool expr_field_find(const char *name, bool svm, uint32_t *number, unsigned *width_bits);

/* Bit or bit field of a register group: true and its range. */
bool expr_bits_find(const char *group, const char *name, uint8_t *low, uint8_t *high);

/* MSR name (EFER, IA32_EFER, ia32_efer): true and its index. */
bool expr_msr_find(const char *name, uint32_t *index);

/* Length of the longest exit-kind word at text ("cr0-write" has a minus in it), or 0. */
size_t expr_kind_length(const char *text);

/* Nearest known word of the class, or NULL. */
const char *expr_near_word(const char *name);
const char *expr_near_field(const char *name, bool svm);
const char *expr_near_bit(const char *group, const char *name);
const char *expr_near_msr(const char *name);
