/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Agent expressions: what the verifier refuses and why, and every opcode's result.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/agent.h"

/* A machine with register n holding 100 + n, and memory where byte a is a & 0xff below 0x10000. */
struct fake {
    uint64_t msr_selector;
    uint64_t collected_gva, collected_bytes;
    char printed[64];
    uint64_t printed_args[AGENT_PRINTF_ARGS_MAX];
    unsigned printed_count;
};

static int fake_reg(void *ctx, uint16_t number, uint64_t *value)
{
    (void)ctx;
    *value = 100u + number;
    return number < 64 ? 0 : -1;
}

static int fake_mem(void *ctx, uint64_t gva, void *buf, size_t len_bytes)
{
    (void)ctx;
    if (gva >= 0x10000 || gva + len_bytes > 0x10000)
        return -1;
    for (size_t i = 0; i < len_bytes; i++)
        ((uint8_t *)buf)[i] = (uint8_t)(gva + i);
    return 0;
}

static int fake_get(void *ctx, uint16_t number, uint64_t *value)
{
    *value = ((struct fake *)ctx)->msr_selector;
    return number == AGENT_VAR_MSR ? 0 : -1;
}

static int fake_set(void *ctx, uint16_t number, uint64_t value)
{
    ((struct fake *)ctx)->msr_selector = value;
    return number == AGENT_VAR_MSR ? 0 : -1;
}

static int fake_print(void *ctx, const char *format, const uint64_t *args, unsigned count)
{
    struct fake *fake = ctx;

    strncpy(fake->printed, format, sizeof(fake->printed) - 1);
    memcpy(fake->printed_args, args, count * sizeof(*args));
    fake->printed_count = count;
    return 0;
}

static int fake_collect(void *ctx, uint64_t gva, uint64_t len_bytes)
{
    ((struct fake *)ctx)->collected_gva = gva;
    ((struct fake *)ctx)->collected_bytes = len_bytes;
    return 0;
}

#define MAY_ALL (AGENT_MAY_PRINT | AGENT_MAY_COLLECT | AGENT_MAY_SET)

static enum agent_error run(struct fake *fake, const uint8_t *code, size_t len, uint64_t *value)
{
    struct agent_env env = {fake, fake_reg, fake_mem, fake_get, fake_set, fake_print, fake_collect};
    uint32_t fuel = 1000;
    enum agent_error error = agent_verify(code, len, MAY_ALL, NULL);

    return error ? error : agent_eval(code, len, &env, &fuel, value, NULL);
}

#define EVALUATES(expected_, ...)                                                                  \
    do {                                                                                           \
        static const uint8_t code_[] = {__VA_ARGS__};                                              \
        struct fake fake_ = {0};                                                                   \
        uint64_t value_ = 0xdead;                                                                  \
        assert_int_equal(run(&fake_, code_, sizeof(code_), &value_), AGENT_OK);                    \
        assert_int_equal(value_, (uint64_t)(expected_));                                           \
    } while (0)

#define FAILS(error_, ...)                                                                         \
    do {                                                                                           \
        static const uint8_t code_[] = {__VA_ARGS__};                                              \
        struct fake fake_ = {0};                                                                   \
        uint64_t value_;                                                                           \
        assert_int_equal(run(&fake_, code_, sizeof(code_), &value_), error_);                      \
    } while (0)

#define C8(n_) 0x22, (n_)
#define M1     0x22, 1, 0x22, 0, 0x2b, 0x03 /* 0 - 1 */
#define END    0x27

static void arithmetic(void **state)
{
    (void)state;
    EVALUATES(7, C8(3), C8(4), 0x02, END);
    EVALUATES(-1, C8(3), C8(4), 0x03, END);
    EVALUATES(12, C8(3), C8(4), 0x04, END);
    EVALUATES(-3, C8(6), C8(0), C8(2), 0x03, 0x05, END); /* 6 / (0 - 2) */
    EVALUATES(0, C8(6), C8(0), C8(2), 0x03, 0x06, END);  /* unsigned: 6 / huge */
    EVALUATES(1, C8(7), C8(3), 0x07, END);
    EVALUATES(1, C8(7), C8(3), 0x08, END);
    EVALUATES(0x80, C8(1), C8(7), 0x09, END);
    EVALUATES(0, C8(1), C8(64), 0x09, END);
    EVALUATES(-1, C8(0), C8(1), 0x03, C8(70), 0x0a, END);
    EVALUATES(1, C8(0), C8(1), 0x03, C8(63), 0x0b, END);
    FAILS(AGENT_E_DIVIDE, C8(1), C8(0), 0x05, END);
    /* the signed division that traps on the CPU: INT64_MIN / -1 */
    EVALUATES(UINT64_C(1) << 63, 0x25, 0x80, 0, 0, 0, 0, 0, 0, 0, C8(0), C8(1), 0x03, 0x05, END);
    EVALUATES(0, 0x25, 0x80, 0, 0, 0, 0, 0, 0, 0, C8(0), C8(1), 0x03, 0x07, END);
}

static void logic_and_comparison(void **state)
{
    (void)state;
    EVALUATES(0x0c, C8(0x1c), C8(0x0e), 0x0f, END);
    EVALUATES(0x1e, C8(0x1c), C8(0x0e), 0x10, END);
    EVALUATES(0x12, C8(0x1c), C8(0x0e), 0x11, END);
    EVALUATES(~UINT64_C(5), C8(5), 0x12, END);
    EVALUATES(1, C8(0), 0x0e, END);
    EVALUATES(0, C8(9), 0x0e, END);
    EVALUATES(1, C8(9), C8(9), 0x13, END);
    EVALUATES(1, C8(0), C8(1), 0x03, C8(1), 0x14, END); /* -1 < 1 */
    EVALUATES(0, C8(0), C8(1), 0x03, C8(1), 0x15, END); /* ~0 < 1, unsigned */
    EVALUATES(-128, C8(0x80), 0x16, 8, END);
    EVALUATES(0x80, 0x23, 0xff, 0x80, 0x2a, 8, END);
    EVALUATES(0xff80, 0x23, 0xff, 0x80, 0x2a, 64, END);
}

static void memory_registers_constants(void **state)
{
    (void)state;
    EVALUATES(0x11, C8(0x11), 0x17, END);
    EVALUATES(0x1211, C8(0x11), 0x18, END);
    EVALUATES(0x14131211, C8(0x11), 0x19, END);
    EVALUATES(UINT64_C(0x1817161514131211), C8(0x11), 0x1a, END);
    FAILS(AGENT_E_MEMORY, 0x24, 0, 1, 0, 0, 0x17, END);
    EVALUATES(105, 0x26, 0, 5, END);
    FAILS(AGENT_E_REGISTER, 0x26, 1, 0, END);
    EVALUATES(0x01020304, 0x24, 1, 2, 3, 4, END);
    EVALUATES(0, 0x27); /* nothing on the stack is a zero */
    /* what GDB 13.1 sends for `$r == 10` on a 32-bit register 0x28 (= 140 here) */
    EVALUATES(0, 0x26, 0x00, 0x28, 0x2a, 0x20, 0x22, 0x0a, 0x2a, 0x20, 0x13, 0x27);
}

static void stack_and_jumps(void **state)
{
    (void)state;
    EVALUATES(10, C8(5), 0x28, 0x02, END);
    EVALUATES(5, C8(5), C8(6), 0x29, END);
    EVALUATES(1, C8(5), C8(6), 0x2b, 0x03, END);
    EVALUATES(5, C8(5), C8(6), C8(7), 0x32, 2, END);
    EVALUATES(2, C8(1), C8(2), C8(3), 0x33, END); /* 1 2 3 -> 3 1 2 */
    /* if (1) 7 else 9 */
    EVALUATES(7, C8(1), 0x20, 0, 10, C8(9), 0x21, 0, 12, C8(7), END);
    EVALUATES(9, C8(0), 0x20, 0, 10, C8(9), 0x21, 0, 12, C8(7), END);
    /* a counting loop: 5 down to 0 */
    EVALUATES(0, C8(5), C8(1), 0x03, 0x28, 0x20, 0, 2, END);
}

static void verifier_refuses(void **state)
{
    static uint8_t big[AGENT_CODE_MAX_BYTES + 1];
    static uint8_t deep[2 * AGENT_STACK_MAX + 3];

    (void)state;
    assert_int_equal(agent_verify(big, 0, 0, NULL), AGENT_E_EMPTY);
    assert_int_equal(agent_verify(big, sizeof(big), 0, NULL), AGENT_E_LENGTH);
    FAILS(AGENT_E_OPCODE, 0x01, END); /* float */
    FAILS(AGENT_E_OPCODE, 0x1b, END); /* ref_float */
    FAILS(AGENT_E_OPCODE, 0xff);
    FAILS(AGENT_E_LENGTH, 0x24, 1, 2, 3); /* const32 cut off */
    FAILS(AGENT_E_STACK, 0x02, END);      /* underflow */
    FAILS(AGENT_E_STACK, C8(1), 0x32, 1, END);
    FAILS(AGENT_E_NO_END, C8(1));
    FAILS(AGENT_E_JUMP, 0x21, 0, 9, END);
    FAILS(AGENT_E_JUMP, 0x21, 0, 1, END);    /* into its own operand */
    FAILS(AGENT_E_STACK, C8(1), 0x21, 0, 0); /* loop that grows */
    FAILS(AGENT_E_OPERAND, C8(1), 0x2a, 0, END);
    FAILS(AGENT_E_OPERAND, C8(1), 0x16, 65, END);
    for (unsigned i = 0; i <= AGENT_STACK_MAX; i++) {
        deep[2 * i] = 0x22;
        deep[2 * i + 1] = 1;
    }
    deep[sizeof(deep) - 1] = END;
    assert_int_equal(agent_verify(deep, sizeof(deep), 0, NULL), AGENT_E_STACK);
}

static void permissions(void **state)
{
    static const uint8_t print[] = {C8(0), C8(0), 0x34, 0, 0, 1, 0, END};
    static const uint8_t collect[] = {C8(0), C8(1), 0x0c, END};
    static const uint8_t setv[] = {C8(1), 0x2d, 0, 1, END};
    static const uint8_t select[] = {C8(1), 0x2d, 0xff, 0, END};
    struct agent_report report;

    (void)state;
    assert_int_equal(agent_verify(print, sizeof(print), 0, &report), AGENT_E_REFUSED);
    assert_int_equal(report.pc, 4);
    assert_int_equal(agent_verify(print, sizeof(print), AGENT_MAY_PRINT, &report), AGENT_OK);
    assert_int_equal(report.stack_max, 2);
    assert_int_equal(agent_verify(collect, sizeof(collect), 0, NULL), AGENT_E_REFUSED);
    assert_int_equal(agent_verify(setv, sizeof(setv), 0, NULL), AGENT_E_REFUSED);
    assert_int_equal(agent_verify(select, sizeof(select), 0, NULL), AGENT_OK);
}

static void printing_and_collecting(void **state)
{
    static const uint8_t print[] = {C8(8), C8(7), C8(0), C8(0), 0x34, 2, 0, 3, '%', 'd', 0, END};
    static const uint8_t no_nul[] = {C8(0), C8(0), 0x34, 0, 0, 1, 'x', END};
    static const uint8_t trace[] = {C8(0x40), C8(16), 0x0c, END};
    static const uint8_t string[] = {0x22, 0xfe, C8(9), 0x2f, END}; /* fe ff 00 */
    struct fake fake = {0};
    uint64_t value;

    (void)state;
    assert_int_equal(run(&fake, print, sizeof(print), &value), AGENT_OK);
    assert_string_equal(fake.printed, "%d");
    assert_int_equal(fake.printed_count, 2);
    assert_int_equal(fake.printed_args[0], 7);
    assert_int_equal(fake.printed_args[1], 8);
    assert_int_equal(run(&fake, no_nul, sizeof(no_nul), &value), AGENT_E_OPERAND);
    assert_int_equal(run(&fake, trace, sizeof(trace), &value), AGENT_OK);
    assert_int_equal(fake.collected_gva, 0x40);
    assert_int_equal(fake.collected_bytes, 16);
    assert_int_equal(run(&fake, string, sizeof(string), &value), AGENT_OK);
    assert_int_equal(fake.collected_bytes, 3);
}

static void fuel_ends_a_loop(void **state)
{
    static const uint8_t loop[] = {0x21, 0, 0};
    struct agent_env env = {0};
    struct agent_report report;
    uint32_t fuel = 500;
    uint64_t value = 1;

    (void)state;
    assert_int_equal(agent_verify(loop, sizeof(loop), 0, NULL), AGENT_OK);
    assert_int_equal(agent_eval(loop, sizeof(loop), &env, &fuel, &value, &report), AGENT_E_FUEL);
    assert_int_equal(fuel, 0);
    assert_int_equal(value, 0);
}

static void printing_costs_more(void **state)
{
    static const uint8_t loop[] = {C8(0), C8(0), 0x34, 0, 0, 1, 0, 0x21, 0, 0};
    struct fake fake = {0};
    struct agent_env env = {.ctx = &fake, .print = fake_print};
    struct agent_report report;
    uint32_t fuel = AGENT_PRINT_FUEL + 4; /* one turn: two constants, printf, goto */
    uint64_t value = 1;

    (void)state;
    assert_int_equal(agent_verify(loop, sizeof(loop), AGENT_MAY_PRINT, NULL), AGENT_OK);
    assert_int_equal(agent_eval(loop, sizeof(loop), &env, &fuel, &value, &report), AGENT_E_FUEL);
    assert_int_equal(report.pc, 0);
    assert_int_equal(fuel, 0);
}

static void names(void **state)
{
    uint8_t operand_bytes = 0xff;

    (void)state;
    assert_string_equal(agent_op_name(0x26, &operand_bytes), "reg");
    assert_int_equal(operand_bytes, 2);
    assert_null(agent_op_name(0x31, NULL));
    assert_null(agent_op_name(0xff, NULL));
    for (int error = AGENT_OK; error <= AGENT_E_OUTPUT; error++)
        assert_non_null(agent_error_text((enum agent_error)error));
    assert_string_equal(agent_error_text((enum agent_error)99), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(logic_and_comparison),
        cmocka_unit_test(memory_registers_constants),
        cmocka_unit_test(stack_and_jumps),
        cmocka_unit_test(verifier_refuses),
        cmocka_unit_test(permissions),
        cmocka_unit_test(printing_and_collecting),
        cmocka_unit_test(fuel_ends_a_loop),
        cmocka_unit_test(printing_costs_more),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
