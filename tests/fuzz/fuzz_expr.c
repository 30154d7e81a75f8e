/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: any text as an expression. What parses must compile to bytecode that the hypervisor's
 * verifier takes, or be refused with a message; the bytecode must compute what the tree says (a second
 * evaluator, below), in the fuel that the stub gives; and completion must stay inside its word.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "monitor/expr_tree.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

#define TEXT_MAX    400u
#define STUB_FUEL   20000u
#define FIELD_WORDS 0x9e3779b97f4a7c15u

static uint64_t msr_index;
static bool failed; /* the second evaluator met what ends the first one */

/* A machine whose every register is a function of its number; some are missing. */
static int reg(void *ctx, uint16_t number, uint64_t *value)
{
    (void)ctx;
    *value = (number ^ (number >= AGENT_REG_MSR_AREA && number <= AGENT_REG_MSR ? msr_index : 0)) *
             FIELD_WORDS;
    return number % 13 == 12 ? -1 : 0;
}

static int mem(void *ctx, uint64_t gva, void *buf, size_t len_bytes)
{
    (void)ctx;
    for (size_t i = 0; i < len_bytes; i++)
        ((uint8_t *)buf)[i] = (uint8_t)((gva + i) * 0x9du);
    return gva % 11 == 10 ? -1 : 0;
}

static int get_var(void *ctx, uint16_t number, uint64_t *value)
{
    (void)ctx;
    *value = number == AGENT_VAR_MSR ? msr_index : 0;
    return 0;
}

static int set_var(void *ctx, uint16_t number, uint64_t value)
{
    (void)ctx;
    MUST(number == AGENT_VAR_MSR); /* an expression changes nothing else */
    msr_index = value;
    return 0;
}

static bool symbol(void *ctx, const char *name, uint64_t *value)
{
    (void)ctx;
    *value = 0xffffffff81000000 + strlen(name);
    return name[0] == 's' || name[0] == '_';
}

static bool history(void *ctx, unsigned index, bool relative, uint64_t *value)
{
    (void)ctx;
    *value = index * 3u + relative;
    return index < 1000;
}

static const char *near_symbol(void *ctx, const char *name)
{
    (void)ctx;
    return name[0] == 't' ? "start_kernel" : NULL;
}

static uint64_t walk(const struct expr *n);

static uint64_t sign_extend(uint64_t value, unsigned bits)
{
    return bits >= 64 ? value : (uint64_t)((int64_t)(value << (64 - bits)) >> (64 - bits));
}

static uint64_t walk_leaf(const struct expr *n)
{
    uint64_t value = 0;
    uint8_t bytes[8];

    switch (n->op) {
    case EXPR_CONST:
        return n->value;
    case EXPR_REG:
        failed |= reg(NULL, (uint16_t)n->number, &value) != 0;
        return value;
    case EXPR_FIELD:
        failed |= reg(NULL, (uint16_t)(AGENT_REG_FIELD | n->number), &value) != 0;
        return value;
    case EXPR_MSR:
    case EXPR_MSR_AREA:
        msr_index = walk(n->a);
        failed |= reg(NULL, n->op == EXPR_MSR ? AGENT_REG_MSR : AGENT_REG_MSR_AREA, &value) != 0;
        return value;
    default: /* EXPR_REF */
        failed |= mem(NULL, walk(n->a), bytes, n->width_bits / 8u) != 0;
        for (unsigned i = n->width_bits / 8u; i; i--)
            value = value << 8 | bytes[i - 1];
        return n->is_signed ? sign_extend(value, n->width_bits) : value;
    }
}

static uint64_t walk_binary(const struct expr *n)
{
    uint64_t a = walk(n->a), b = failed ? 0 : walk(n->b);

    switch (n->op) {
    case EXPR_MUL:
        return a * b;
    case EXPR_DIV:
    case EXPR_REM:
        failed |= !b;
        return !b ? 0 : n->op == EXPR_DIV ? a / b : a % b;
    case EXPR_ADD:
        return a + b;
    case EXPR_SUB:
        return a - b;
    case EXPR_SHL:
        return b > 63 ? 0 : a << b;
    case EXPR_SHR:
        return b > 63 ? 0 : a >> b;
    case EXPR_LT:
        return a < b;
    case EXPR_GT:
        return a > b;
    case EXPR_LE:
        return a <= b;
    case EXPR_GE:
        return a >= b;
    case EXPR_EQ:
        return a == b;
    case EXPR_NE:
        return a != b;
    case EXPR_SLT:
        return (int64_t)a < (int64_t)b;
    case EXPR_AND:
        return a & b;
    case EXPR_XOR:
        return a ^ b;
    default: /* EXPR_OR */
        return a | b;
    }
}

/* C's meaning of the tree, without bytecode. */
static uint64_t walk(const struct expr *n)
{
    uint64_t a;

    if (failed)
        return 0;
    switch (n->op) {
    case EXPR_CONST:
    case EXPR_REG:
    case EXPR_FIELD:
    case EXPR_MSR:
    case EXPR_MSR_AREA:
    case EXPR_REF:
        return walk_leaf(n);
    case EXPR_BITS:
        a = walk(n->a) >> n->low;
        return n->high - n->low == 63 ? a : a & ((UINT64_C(2) << (n->high - n->low)) - 1);
    case EXPR_SEXT:
        return sign_extend(walk(n->a), n->width_bits);
    case EXPR_NEG:
        return -walk(n->a);
    case EXPR_NOT:
        return !walk(n->a);
    case EXPR_BIT_NOT:
        return ~walk(n->a);
    case EXPR_LAND:
        return walk(n->a) ? walk(n->b) != 0 : 0;
    case EXPR_LOR:
        return walk(n->a) ? 1 : walk(n->b) != 0;
    case EXPR_COND:
        return walk(n->a) ? walk(n->b) : walk(n->c);
    default:
        return walk_binary(n);
    }
}

static void check_error(const struct expr_error *error, const char *text)
{
    MUST(error->message[0] && memchr(error->message, 0, sizeof(error->message)));
    MUST(error->position <= strlen(text));
}

static void check_code(const struct expr *expr, const char *text)
{
    const struct agent_env env = {NULL, reg, mem, get_var, set_var, NULL, NULL};
    uint8_t code[AGENT_CODE_MAX_BYTES], *small;
    struct expr_error error = {0, ""};
    struct agent_report report;
    uint32_t fuel = STUB_FUEL;
    uint64_t value = 0, want;
    size_t len_bytes = 0, small_bytes = 0;

    if (expr_compile(expr, code, sizeof(code), &len_bytes, &error)) {
        check_error(&error, text);
        return;
    }
    MUST(agent_verify(code, len_bytes, 0, &report) == AGENT_OK);
    msr_index = 0;
    if (agent_eval(code, len_bytes, &env, &fuel, &value, &report) == AGENT_E_FUEL)
        abort(); /* there are no loops in an expression */
    msr_index = 0;
    failed = false;
    want = walk(expr);
    MUST(failed == (report.error != AGENT_OK));
    MUST(failed || want == value);
    msr_index = 0;
    MUST(!expr_eval(expr, &env, &want, &error) == !failed);
    /* A byte too little is refused and not written behind. */
    small = malloc(len_bytes);
    MUST(expr_compile(expr, small, len_bytes - 1, &small_bytes, &error));
    free(small);
}

static void emit(void *ctx, const char *word)
{
    const char *prefix = ctx;

    MUST(!strncasecmp(word, prefix, strlen(prefix)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct expr_names names = {NULL, symbol, history, near_symbol, false};
    struct expr_error error = {0, ""};
    const char *end = NULL;
    struct expr *expr;
    char *text;

    if (size < 1 || size > TEXT_MAX)
        return 0;
    names.svm = data[0] & 1;
    text = calloc(1, size); /* on the heap: a byte too many is seen */
    memcpy(text, data + 1, size - 1);
    expr = expr_parse(text, &names, data[0] & 2 ? &end : NULL, &error);
    if (!expr) {
        check_error(&error, text);
    } else {
        struct expr_target target = expr_target(expr);

        MUST(!(data[0] & 2) || (end >= text && end <= text + strlen(text)));
        MUST(target.kind != EXPR_TARGET_MEMORY || (target.address && target.len_bytes <= 8));
        MUST(expr_width_bits(expr) <= 64);
        check_code(expr, text);
        expr_free(expr);
    }
    if (data[0] & 4)
        expr_complete(text, names.svm, emit, text);
    free(text);
    return 0;
}
