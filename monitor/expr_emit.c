/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From the tree to agent bytecode, and evaluation of that bytecode here. Short-circuit operators and
 * `?:` become jumps; everything else is postfix.
 */
#include "monitor/expr_tree.h"

#include <stdio.h>

#include "protocol/agent_code.h"

struct emitter {
    uint8_t *code;
    size_t cap_bytes,
        len_bytes; /* len counts on past cap, so that overflow is seen once, at the end */
};

static void byte(struct emitter *e, uint8_t value)
{
    if (e->len_bytes < e->cap_bytes)
        e->code[e->len_bytes] = value;
    e->len_bytes++;
}

static void big_endian(struct emitter *e, uint64_t value, unsigned len_bytes)
{
    while (len_bytes--)
        byte(e, (uint8_t)(value >> (8 * len_bytes)));
}

static void constant(struct emitter *e, uint64_t value)
{
    unsigned log2_bytes = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= 0xffffffff ? 2 : 3;

    byte(e, (uint8_t)(AGENT_OP_const8 + log2_bytes));
    big_endian(e, value, 1u << log2_bytes);
}

static void op16(struct emitter *e, uint8_t opcode, uint16_t operand)
{
    byte(e, opcode);
    big_endian(e, operand, 2);
}

/* A jump whose target is not known yet: returns the place of its operand for patch(). */
static size_t jump(struct emitter *e, uint8_t opcode)
{
    op16(e, opcode, 0);
    return e->len_bytes - 2;
}

static void patch(struct emitter *e, size_t operand)
{
    if (operand + 2 > e->cap_bytes)
        return;
    e->code[operand] = (uint8_t)(e->len_bytes >> 8);
    e->code[operand + 1] = (uint8_t)e->len_bytes;
}

static void emit(struct emitter *e, const struct expr *n);

/* Selects the MSR by our scratch variable, then reads the pseudo-register. */
static void emit_msr(struct emitter *e, const struct expr *n)
{
    emit(e, n->a);
    op16(e, AGENT_OP_setv, AGENT_VAR_MSR);
    byte(e, AGENT_OP_pop);
    op16(e, AGENT_OP_reg, n->op == EXPR_MSR ? AGENT_REG_MSR : AGENT_REG_MSR_AREA);
}

static void emit_bits(struct emitter *e, const struct expr *n)
{
    emit(e, n->a);
    if (n->low) {
        constant(e, n->low);
        byte(e, AGENT_OP_rsh_unsigned);
    }
    byte(e, AGENT_OP_zero_ext);
    byte(e, (uint8_t)(n->high - n->low + 1));
}

static void emit_cond(struct emitter *e, const struct expr *n)
{
    size_t to_yes, to_end;

    emit(e, n->a);
    to_yes = jump(e, AGENT_OP_if_goto);
    emit(e, n->c);
    to_end = jump(e, AGENT_OP_goto);
    patch(e, to_yes);
    emit(e, n->b);
    patch(e, to_end);
}

/* a && b: 0 unless a, else !!b. a || b: 1 if a, else !!b. */
static void emit_short_circuit(struct emitter *e, const struct expr *n)
{
    size_t to_short, to_end;

    emit(e, n->a);
    if (n->op == EXPR_LAND)
        byte(e, AGENT_OP_log_not);
    to_short = jump(e, AGENT_OP_if_goto);
    emit(e, n->b);
    byte(e, AGENT_OP_log_not);
    byte(e, AGENT_OP_log_not);
    to_end = jump(e, AGENT_OP_goto);
    patch(e, to_short);
    constant(e, n->op == EXPR_LOR);
    patch(e, to_end);
}

/* Operators that are one or two opcodes: `swap` exchanges the operands, `negate` adds a log_not. */
static const struct {
    uint8_t opcode;
    bool swap, negate;
} simple_ops[EXPR_COND + 1] = {
    [EXPR_MUL] = {AGENT_OP_mul, false, false},
    [EXPR_DIV] = {AGENT_OP_div_unsigned, false, false},
    [EXPR_REM] = {AGENT_OP_rem_unsigned, false, false},
    [EXPR_ADD] = {AGENT_OP_add, false, false},
    [EXPR_SUB] = {AGENT_OP_sub, false, false},
    [EXPR_SHL] = {AGENT_OP_lsh, false, false},
    [EXPR_SHR] = {AGENT_OP_rsh_unsigned, false, false},
    [EXPR_LT] = {AGENT_OP_less_unsigned, false, false},
    [EXPR_GT] = {AGENT_OP_less_unsigned, true, false},
    [EXPR_LE] = {AGENT_OP_less_unsigned, true, true},
    [EXPR_GE] = {AGENT_OP_less_unsigned, false, true},
    [EXPR_SLT] = {AGENT_OP_less_signed, false, false},
    [EXPR_EQ] = {AGENT_OP_equal, false, false},
    [EXPR_NE] = {AGENT_OP_equal, false, true},
    [EXPR_AND] = {AGENT_OP_bit_and, false, false},
    [EXPR_XOR] = {AGENT_OP_bit_xor, false, false},
    [EXPR_OR] = {AGENT_OP_bit_or, false, false},
};

static void emit_simple(struct emitter *e, const struct expr *n)
{
    emit(e, n->a);
    emit(e, n->b);
    if (simple_ops[n->op].swap)
        byte(e, AGENT_OP_swap);
    byte(e, simple_ops[n->op].opcode);
    if (simple_ops[n->op].negate)
        byte(e, AGENT_OP_log_not);
}

static void emit_unary(struct emitter *e, const struct expr *n)
{
    if (n->op == EXPR_NEG)
        constant(e, 0);
    emit(e, n->a);
    switch (n->op) {
    case EXPR_NEG:
        byte(e, AGENT_OP_sub);
        break;
    case EXPR_NOT:
        byte(e, AGENT_OP_log_not);
        break;
    case EXPR_BIT_NOT:
        byte(e, AGENT_OP_bit_not);
        break;
    case EXPR_SEXT:
        byte(e, AGENT_OP_ext);
        byte(e, n->width_bits);
        break;
    default: /* EXPR_REF */
        byte(e, (uint8_t)(AGENT_OP_ref8 + __builtin_ctz(n->width_bits / 8u)));
        if (n->is_signed) {
            byte(e, AGENT_OP_ext);
            byte(e, n->width_bits);
        }
        break;
    }
}

/* As deep as the parser allows (EXPR_DEPTH_MAX levels). */
static void emit(struct emitter *e, const struct expr *n)
{
    switch (n->op) {
    case EXPR_CONST:
        constant(e, n->value);
        break;
    case EXPR_REG:
        op16(e, AGENT_OP_reg, (uint16_t)n->number);
        break;
    case EXPR_FIELD:
        op16(e, AGENT_OP_reg, (uint16_t)(AGENT_REG_FIELD | n->number));
        break;
    case EXPR_MSR:
    case EXPR_MSR_AREA:
        emit_msr(e, n);
        break;
    case EXPR_BITS:
        emit_bits(e, n);
        break;
    case EXPR_COND:
        emit_cond(e, n);
        break;
    case EXPR_LAND:
    case EXPR_LOR:
        emit_short_circuit(e, n);
        break;
    case EXPR_NEG:
    case EXPR_NOT:
    case EXPR_BIT_NOT:
    case EXPR_SEXT:
    case EXPR_REF:
        emit_unary(e, n);
        break;
    default:
        emit_simple(e, n);
        break;
    }
}

int expr_compile(const struct expr *expr, uint8_t *code, size_t cap_bytes, size_t *len_bytes,
                 struct expr_error *error)
{
    struct emitter e = {code, cap_bytes, 0};
    struct agent_report report;

    emit(&e, expr);
    byte(&e, AGENT_OP_end);
    if (e.len_bytes > cap_bytes || e.len_bytes > AGENT_CODE_MAX_BYTES) {
        snprintf(error->message, sizeof(error->message),
                 "the expression is too long: %zu bytes of bytecode, %u are the most", e.len_bytes,
                 AGENT_CODE_MAX_BYTES);
        error->position = 0;
        return -1;
    }
    if (agent_verify(code, e.len_bytes, 0, &report)) {
        snprintf(error->message, sizeof(error->message), "the expression is too complicated: %s",
                 agent_error_text(report.error));
        error->position = 0;
        return -1;
    }
    *len_bytes = e.len_bytes;
    return 0;
}

int expr_eval(const struct expr *expr, const struct agent_env *env, uint64_t *value,
              struct expr_error *error)
{
    uint8_t code[AGENT_CODE_MAX_BYTES];
    struct agent_report report;
    uint32_t fuel = 100000;
    size_t len_bytes;

    if (expr_compile(expr, code, sizeof(code), &len_bytes, error))
        return -1;
    if (agent_eval(code, len_bytes, env, &fuel, value, &report)) {
        snprintf(error->message, sizeof(error->message), "%s", agent_error_text(report.error));
        error->position = expr->position;
        return -1;
    }
    return 0;
}
