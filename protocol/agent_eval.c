/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Evaluator of verified agent expressions. Lengths, jumps and stack depth were proved by
 * agent_verify(); what can still go wrong is arithmetic, memory, registers, output and time.
 */
#include "protocol/agent.h"
#include "protocol/agent_code.h"

struct machine {
    uint64_t stack[AGENT_STACK_MAX];
    unsigned depth;
};

static uint64_t pop(struct machine *m)
{
    return m->stack[--m->depth];
}

static void push(struct machine *m, uint64_t value)
{
    m->stack[m->depth++] = value;
}

static uint64_t sign_extend(uint64_t value, unsigned bits)
{
    unsigned shift = 64 - bits;

    return (uint64_t)((int64_t)(value << shift) >> shift);
}

static uint64_t zero_extend(uint64_t value, unsigned bits)
{
    return bits >= 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

/* Division as the manual wants it; the one signed overflow wraps instead of trapping. */
static enum agent_error divide(uint8_t opcode, uint64_t a, uint64_t b, uint64_t *result)
{
    int64_t sa = (int64_t)a, sb = (int64_t)b;

    if (!b)
        return AGENT_E_DIVIDE;
    switch (opcode) {
    case AGENT_OP_div_unsigned:
        *result = a / b;
        break;
    case AGENT_OP_rem_unsigned:
        *result = a % b;
        break;
    case AGENT_OP_div_signed:
        *result = sb == -1 ? 0 - a : (uint64_t)(sa / sb);
        break;
    default:
        *result = sb == -1 ? 0 : (uint64_t)(sa % sb);
        break;
    }
    return AGENT_OK;
}

/* Shift counts of 64 and more give what an unbounded shift would. */
static uint64_t shift(uint8_t opcode, uint64_t a, uint64_t count)
{
    if (opcode == AGENT_OP_rsh_signed)
        return (uint64_t)((int64_t)a >> (count > 63 ? 63 : count));
    if (count > 63)
        return 0;
    return opcode == AGENT_OP_lsh ? a << count : a >> count;
}

static enum agent_error binary(struct machine *m, uint8_t opcode)
{
    uint64_t b = pop(m), a = pop(m), r = 0;
    enum agent_error error = AGENT_OK;

    switch (opcode) {
    case AGENT_OP_add:
        r = a + b;
        break;
    case AGENT_OP_sub:
        r = a - b;
        break;
    case AGENT_OP_mul:
        r = a * b;
        break;
    case AGENT_OP_lsh:
    case AGENT_OP_rsh_signed:
    case AGENT_OP_rsh_unsigned:
        r = shift(opcode, a, b);
        break;
    case AGENT_OP_bit_and:
        r = a & b;
        break;
    case AGENT_OP_bit_or:
        r = a | b;
        break;
    case AGENT_OP_bit_xor:
        r = a ^ b;
        break;
    case AGENT_OP_equal:
        r = a == b;
        break;
    case AGENT_OP_less_signed:
        r = (int64_t)a < (int64_t)b;
        break;
    case AGENT_OP_less_unsigned:
        r = a < b;
        break;
    default:
        error = divide(opcode, a, b, &r);
        break;
    }
    push(m, r);
    return error;
}

static enum agent_error reference(struct machine *m, const struct agent_env *env,
                                  unsigned len_bytes)
{
    uint8_t bytes[8] = {0};
    uint64_t value = 0;

    if (env->mem(env->ctx, pop(m), bytes, len_bytes))
        return AGENT_E_MEMORY;
    for (unsigned i = len_bytes; i-- > 0;)
        value = value << 8 | bytes[i];
    push(m, value);
    return AGENT_OK;
}

/* tracenz: collect a string of at most `limit` bytes, with its NUL. */
static enum agent_error collect_string(const struct agent_env *env, uint64_t gva, uint64_t limit)
{
    uint64_t length = 0;
    uint8_t byte = 1;

    if (limit > 4096)
        limit = 4096;
    while (length < limit && byte) {
        if (env->mem(env->ctx, gva + length, &byte, 1))
            return AGENT_E_MEMORY;
        length++;
    }
    return env->collect(env->ctx, gva, length) ? AGENT_E_OUTPUT : AGENT_OK;
}

static enum agent_error collect(struct machine *m, const struct agent_env *env, const uint8_t *op)
{
    uint64_t len_bytes = 0;

    if (!env->collect)
        return AGENT_E_OUTPUT;
    switch (op[0]) {
    case AGENT_OP_trace:
        len_bytes = pop(m);
        return env->collect(env->ctx, pop(m), len_bytes) ? AGENT_E_OUTPUT : AGENT_OK;
    case AGENT_OP_tracenz:
        len_bytes = pop(m);
        return collect_string(env, pop(m), len_bytes);
    case AGENT_OP_tracev: /* variables live in the hypervisor; reading one checks that it exists */
        return env->get_var && !env->get_var(env->ctx, (uint16_t)agent_be(op + 1, 2), &len_bytes)
                   ? AGENT_OK
                   : AGENT_E_REGISTER;
    default: /* trace_quick, trace16: the address stays on the stack */
        len_bytes = agent_be(op + 1, op[0] == AGENT_OP_trace16 ? 2 : 1);
        return env->collect(env->ctx, m->stack[m->depth - 1], len_bytes) ? AGENT_E_OUTPUT
                                                                         : AGENT_OK;
    }
}

/* The function and the channel that GDB pushes for its own dprintf styles mean nothing here. */
static enum agent_error print(struct machine *m, const struct agent_env *env, const uint8_t *op,
                              uint32_t *fuel)
{
    uint64_t args[AGENT_PRINTF_ARGS_MAX];
    unsigned count = op[1];

    pop(m);
    pop(m);
    for (unsigned i = 0; i < count; i++)
        args[i] = pop(m);
    *fuel -= *fuel < AGENT_PRINT_FUEL ? *fuel : AGENT_PRINT_FUEL;
    if (!env->print || env->print(env->ctx, (const char *)op + 4, args, count))
        return AGENT_E_OUTPUT;
    return AGENT_OK;
}

static enum agent_error variable(struct machine *m, const struct agent_env *env, const uint8_t *op)
{
    uint16_t number = (uint16_t)agent_be(op + 1, 2);
    uint64_t value = 0;

    if (op[0] == AGENT_OP_setv) /* leaves its value on the stack */
        return env->set_var && !env->set_var(env->ctx, number, m->stack[m->depth - 1])
                   ? AGENT_OK
                   : AGENT_E_REGISTER;
    if (!env->get_var || env->get_var(env->ctx, number, &value))
        return AGENT_E_REGISTER;
    push(m, value);
    return AGENT_OK;
}

static void shuffle(struct machine *m, const uint8_t *op)
{
    uint64_t *top = &m->stack[m->depth - 1];
    uint64_t kept = *top;

    switch (op[0]) {
    case AGENT_OP_dup:
        push(m, kept);
        break;
    case AGENT_OP_pop:
        m->depth--;
        break;
    case AGENT_OP_swap:
        top[0] = top[-1];
        top[-1] = kept;
        break;
    case AGENT_OP_pick:
        push(m, top[-(int)op[1]]);
        break;
    default: /* rot: a b c -> c a b */
        top[0] = top[-1];
        top[-1] = top[-2];
        top[-2] = kept;
        break;
    }
}

static enum agent_error unary(struct machine *m, const uint8_t *op)
{
    uint64_t a = pop(m);

    switch (op[0]) {
    case AGENT_OP_log_not:
        a = !a;
        break;
    case AGENT_OP_bit_not:
        a = ~a;
        break;
    case AGENT_OP_ext:
        a = sign_extend(a, op[1]);
        break;
    default:
        a = zero_extend(a, op[1]);
        break;
    }
    push(m, a);
    return AGENT_OK;
}

/* Everything but control flow. */
static enum agent_error execute(struct machine *m, const struct agent_env *env, const uint8_t *op,
                                uint32_t *fuel)
{
    uint64_t value = 0;

    switch (op[0]) {
    case AGENT_OP_log_not:
    case AGENT_OP_bit_not:
    case AGENT_OP_ext:
    case AGENT_OP_zero_ext:
        return unary(m, op);
    case AGENT_OP_ref8:
    case AGENT_OP_ref16:
    case AGENT_OP_ref32:
    case AGENT_OP_ref64:
        return reference(m, env, 1u << (op[0] - AGENT_OP_ref8));
    case AGENT_OP_const8:
    case AGENT_OP_const16:
    case AGENT_OP_const32:
    case AGENT_OP_const64:
        push(m, agent_be(op + 1, 1u << (op[0] - AGENT_OP_const8)));
        return AGENT_OK;
    case AGENT_OP_reg:
        if (env->reg(env->ctx, (uint16_t)agent_be(op + 1, 2), &value))
            return AGENT_E_REGISTER;
        push(m, value);
        return AGENT_OK;
    case AGENT_OP_getv:
    case AGENT_OP_setv:
        return variable(m, env, op);
    case AGENT_OP_dup:
    case AGENT_OP_pop:
    case AGENT_OP_swap:
    case AGENT_OP_pick:
    case AGENT_OP_rot:
        shuffle(m, op);
        return AGENT_OK;
    case AGENT_OP_printf:
        return print(m, env, op, fuel);
    case AGENT_OP_trace:
    case AGENT_OP_trace_quick:
    case AGENT_OP_trace16:
    case AGENT_OP_tracenz:
    case AGENT_OP_tracev:
        return collect(m, env, op);
    default:
        return binary(m, op[0]);
    }
}

enum agent_error agent_eval(const uint8_t *code, size_t len_bytes, const struct agent_env *env,
                            uint32_t *fuel, uint64_t *value, struct agent_report *report)
{
    struct machine m; /* only depth is set: the verifier proved that nothing above it is read */
    enum agent_error error = AGENT_OK;
    size_t pc = 0;

    m.depth = 0;
    while (!error && pc < len_bytes && code[pc] != AGENT_OP_end) {
        const uint8_t *op = code + pc;

        if (*fuel == 0) {
            error = AGENT_E_FUEL;
            break;
        }
        (*fuel)--;
        if (op[0] == AGENT_OP_goto || (op[0] == AGENT_OP_if_goto && pop(&m))) {
            pc = agent_be(op + 1, 2);
            continue;
        }
        if (op[0] != AGENT_OP_if_goto)
            error = execute(&m, env, op, fuel);
        if (error)
            break;
        pc += 1u + agent_ops[op[0]].operand_bytes;
        if (op[0] == AGENT_OP_printf)
            pc += agent_be(op + 2, 2);
    }
    *value = !error && m.depth ? m.stack[m.depth - 1] : 0;
    if (report)
        *report = (struct agent_report){error, (uint16_t)pc, 0};
    return error;
}
