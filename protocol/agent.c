/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names, lengths and the verifier of agent expressions. The evaluator is agent_eval.c.
 */
#include "protocol/agent.h"

#include <stdbool.h>
#include <string.h>

#include "protocol/agent_code.h"

const struct agent_op agent_ops[AGENT_OPS_COUNT] = {
#define AGENT_OP(code_, name_, operand_, pops_, pushes_)                                           \
    [code_] = {#name_, operand_, pops_, pushes_},
#include "protocol/agent_ops.def"
#undef AGENT_OP
};

const char *agent_op_name(uint8_t opcode, uint8_t *operand_bytes)
{
    if (opcode >= AGENT_OPS_COUNT || !agent_ops[opcode].name)
        return NULL;
    if (operand_bytes)
        *operand_bytes = agent_ops[opcode].operand_bytes;
    return agent_ops[opcode].name;
}

const char *agent_error_text(enum agent_error error)
{
    static const char *const texts[] = {
        [AGENT_OK] = "no error",
        [AGENT_E_EMPTY] = "the bytecode is empty",
        [AGENT_E_LENGTH] = "the bytecode is too long or cut off inside an operand",
        [AGENT_E_OPCODE] = "unknown opcode (floating point is not supported)",
        [AGENT_E_REFUSED] = "an opcode that is not allowed here (printf, trace or setv)",
        [AGENT_E_OPERAND] = "an operand is out of range",
        [AGENT_E_JUMP] = "a jump leaves the code or lands inside an operand",
        [AGENT_E_STACK] = "the stack under- or overflows, or its depth depends on the way taken",
        [AGENT_E_NO_END] = "the bytecode runs off its end",
        [AGENT_E_DIVIDE] = "division by zero",
        [AGENT_E_MEMORY] = "guest memory is not readable there",
        [AGENT_E_REGISTER] = "no such register or variable here",
        [AGENT_E_FUEL] = "the expression ran out of fuel",
        [AGENT_E_OUTPUT] = "the output was refused",
    };

    return (unsigned)error < sizeof(texts) / sizeof(texts[0]) ? texts[error] : "unknown error";
}

static bool op_allowed(uint8_t opcode, unsigned may)
{
    switch (opcode) {
    case AGENT_OP_printf:
        return may & AGENT_MAY_PRINT;
    case AGENT_OP_trace:
    case AGENT_OP_trace_quick:
    case AGENT_OP_trace16:
    case AGENT_OP_tracenz:
    case AGENT_OP_tracev:
        return may & AGENT_MAY_COLLECT;
    default:
        return true;
    }
}

/* Bytes the instruction at pc takes, or 0 when it does not fit into the code. */
static size_t op_length(const uint8_t *code, size_t len_bytes, size_t pc)
{
    size_t length = 1u + agent_ops[code[pc]].operand_bytes;

    if (pc + length > len_bytes)
        return 0;
    if (code[pc] == AGENT_OP_printf)
        length += agent_be(code + pc + 2, 2);
    return pc + length > len_bytes ? 0 : length;
}

/* The format's own rules: text with its NUL last, no NUL before, at most the arguments it has. */
static bool printf_operand_ok(const uint8_t *op)
{
    size_t format_bytes = agent_be(op + 2, 2);

    if (op[1] > AGENT_PRINTF_ARGS_MAX || !format_bytes || op[4 + format_bytes - 1])
        return false;
    for (size_t i = 0; i < format_bytes - 1; i++)
        if (!op[4 + i])
            return false;
    return true;
}

static bool operand_ok(const uint8_t *op, unsigned may)
{
    switch (op[0]) {
    case AGENT_OP_ext:
    case AGENT_OP_zero_ext:
        return op[1] >= 1 && op[1] <= 64;
    case AGENT_OP_setv: /* our own selector is scratch, all others are state */
        return (may & AGENT_MAY_SET) || agent_be(op + 1, 2) == AGENT_VAR_MSR;
    case AGENT_OP_printf:
        return printf_operand_ok(op);
    default:
        return true;
    }
}

/*
 * Depth of the stack before each byte of code: DEPTH_NONE not reached, DEPTH_INSIDE operand byte.
 * The pass runs in address order and repeats while a backward jump reached new ground; each
 * repetition fixes the depth of at least one more opcode, so it ends.
 */
enum { DEPTH_NONE = -1, DEPTH_INSIDE = -2 };

struct verifier {
    const uint8_t *code;
    size_t len_bytes;
    int8_t depth[AGENT_CODE_MAX_BYTES];
    bool again;
    uint8_t stack_max;
};

static enum agent_error flow_to(struct verifier *v, size_t from_pc, size_t to_pc, int depth)
{
    if (to_pc >= v->len_bytes)
        return to_pc == v->len_bytes ? AGENT_E_NO_END : AGENT_E_JUMP;
    if (v->depth[to_pc] == DEPTH_INSIDE)
        return AGENT_E_JUMP;
    if (v->depth[to_pc] != DEPTH_NONE)
        return v->depth[to_pc] == depth ? AGENT_OK : AGENT_E_STACK;
    v->depth[to_pc] = (int8_t)depth;
    if (to_pc <= from_pc)
        v->again = true;
    return AGENT_OK;
}

/* Follows one opcode whose entry depth is known. */
static enum agent_error verify_op(struct verifier *v, size_t pc, size_t length)
{
    const uint8_t *op = v->code + pc;
    int depth = v->depth[pc];
    int pops = agent_ops[op[0]].pops;
    int after;
    enum agent_error error;

    if (op[0] == AGENT_OP_printf)
        pops += op[1];
    if (depth < pops || (op[0] == AGENT_OP_pick && op[1] >= depth))
        return AGENT_E_STACK;
    after = depth - pops + agent_ops[op[0]].pushes;
    if (after > (int)AGENT_STACK_MAX)
        return AGENT_E_STACK;
    if (after > v->stack_max)
        v->stack_max = (uint8_t)after;

    if (op[0] == AGENT_OP_end)
        return AGENT_OK;
    if (op[0] == AGENT_OP_goto || op[0] == AGENT_OP_if_goto) {
        error = flow_to(v, pc, agent_be(op + 1, 2), after);
        if (error == AGENT_E_NO_END)
            error = AGENT_E_JUMP;
        if (error || op[0] == AGENT_OP_goto)
            return error;
    }
    return flow_to(v, pc, pc + length, after);
}

/* Opcodes, lengths and operands, in one pass over the bytes; marks operand bytes. */
static enum agent_error verify_shape(struct verifier *v, unsigned may, uint16_t *bad_pc)
{
    size_t pc, length;

    memset(v->depth, DEPTH_NONE, sizeof(v->depth));
    for (pc = 0; pc < v->len_bytes; pc += length) {
        *bad_pc = (uint16_t)pc;
        if (!agent_op_name(v->code[pc], NULL))
            return AGENT_E_OPCODE;
        length = op_length(v->code, v->len_bytes, pc);
        if (!length)
            return AGENT_E_LENGTH;
        if (!op_allowed(v->code[pc], may))
            return AGENT_E_REFUSED;
        if (!operand_ok(v->code + pc, may))
            return v->code[pc] == AGENT_OP_setv ? AGENT_E_REFUSED : AGENT_E_OPERAND;
        memset(v->depth + pc + 1, DEPTH_INSIDE, length - 1);
    }
    return AGENT_OK;
}

static enum agent_error verify_flow(struct verifier *v, uint16_t *bad_pc)
{
    v->depth[0] = 0;
    do {
        v->again = false;
        for (size_t pc = 0, length; pc < v->len_bytes; pc += length) {
            enum agent_error error;

            length = op_length(v->code, v->len_bytes, pc);
            if (v->depth[pc] < 0)
                continue;
            *bad_pc = (uint16_t)pc;
            error = verify_op(v, pc, length);
            if (error)
                return error;
        }
    } while (v->again);
    return AGENT_OK;
}

enum agent_error agent_verify(const uint8_t *code, size_t len_bytes, unsigned may,
                              struct agent_report *report)
{
    struct verifier v = {.code = code, .len_bytes = len_bytes};
    enum agent_error error = AGENT_OK;
    uint16_t pc = 0;

    if (!len_bytes)
        error = AGENT_E_EMPTY;
    else if (len_bytes > AGENT_CODE_MAX_BYTES)
        error = AGENT_E_LENGTH;
    if (!error)
        error = verify_shape(&v, may, &pc);
    if (!error)
        error = verify_flow(&v, &pc);
    if (report)
        *report = (struct agent_report){error, pc, error ? 0 : v.stack_max};
    return error;
}
