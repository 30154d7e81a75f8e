/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Console expressions: value, precedence, names, places of errors, and that compiled conditions are
 * what the hypervisor's verifier accepts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/expr.h"
#include "protocol/tables.h"

static uint64_t msr_selector;

static int fake_reg(void *ctx, uint16_t number, uint64_t *value)
{
    (void)ctx;
    if (number == TL_REG_cr0)
        *value = 0x80000011;
    else if (number == TL_REG_exit_kind)
        *value = TL_KIND_CR0_WRITE;
    else if (number == TL_REG_exit_index)
        *value = 0x40000000; /* of a CPUID: its leaf */
    else if (number == TL_REG_rip)
        *value = 0x1000143;
    else if (number == TL_REG_exit_value)
        *value = 0x80000001;
    else if (number == (AGENT_REG_FIELD | VMCS_guest_cr4))
        *value = 0x2020;
    else if (number == AGENT_REG_MSR_AREA)
        *value = msr_selector == 0xc0000080 ? 0x500 : 0;
    else
        return -1;
    return 0;
}

static int fake_mem(void *ctx, uint64_t gva, void *buf, size_t len_bytes)
{
    (void)ctx;
    memset(buf, 0xf0, len_bytes);
    return gva == 0x100 ? 0 : -1;
}

static int fake_set(void *ctx, uint16_t number, uint64_t value)
{
    (void)ctx;
    msr_selector = value;
    return number == AGENT_VAR_MSR ? 0 : -1;
}

static bool fake_symbol(void *ctx, const char *name, uint64_t *value)
{
    (void)ctx;
    *value = 0xffffffff81000000;
    return !strcmp(name, "startup_64") || !strcmp(name, "foo.constprop.0");
}

static bool fake_history(void *ctx, unsigned index, bool relative, uint64_t *value)
{
    (void)ctx;
    *value = relative ? 70 + index : 50 + index;
    return index < 5;
}

static const char *fake_near(void *ctx, const char *name)
{
    (void)ctx;
    return !strncmp(name, "startup", 7) ? "startup_64" : NULL;
}

static const struct expr_names names = {NULL, fake_symbol, fake_history, fake_near, false};
static const struct agent_env env = {NULL, fake_reg, fake_mem, NULL, fake_set, NULL, NULL};

static uint64_t value_of(const char *text)
{
    struct expr_error error;
    struct expr *expr = expr_parse(text, &names, NULL, &error);
    uint64_t value = 0;

    if (!expr)
        fail_msg("`%s`: %s at %zu", text, error.message, error.position);
    if (expr_eval(expr, &env, &value, &error))
        fail_msg("`%s`: %s", text, error.message);
    expr_free(expr);
    return value;
}

static void operators_and_precedence(void **state)
{
    (void)state;
    assert_int_equal(value_of("1 + 2 * 3"), 7);
    assert_int_equal(value_of("(1+2)*3"), 9);
    assert_int_equal(value_of("10 - 3 - 2"), 5);
    assert_int_equal(value_of("1 << 4 | 1"), 17);
    assert_int_equal(value_of("0xff & ~0xf"), 0xf0);
    assert_int_equal(value_of("1 == 1 && 2 < 1 || 3 >= 3"), 1);
    assert_int_equal(value_of("5 & 4 == 4"), 1); /* as in C: & binds less than == */
    assert_int_equal(value_of("1 ? 2 : 3"), 2);
    assert_int_equal(value_of("0 ? 2 : 0 ? 3 : 4"), 4);
    assert_int_equal(value_of("-1"), UINT64_MAX);
    assert_int_equal(value_of("!0 + !5"), 1);
    assert_int_equal(value_of("7 % 4 + 9 / 2"), 7);
    assert_int_equal(value_of("2 > 1"), 1);
    assert_int_equal(value_of("1 <= 1"), 1);
    assert_int_equal(value_of("1 != 1"), 0);
    assert_int_equal(value_of("0b101 + 'A' + '\\n'"), 5 + 65 + 10);
    assert_int_equal(value_of("0 && 1/0"), 0); /* the right side is not touched */
    assert_int_equal(value_of("1 || 1/0"), 1);
    assert_int_equal(value_of("slt(-1, 0)"), 1);
    assert_int_equal(value_of("-1 < 0"), 0); /* values are unsigned */
    assert_int_equal(value_of("sext(0x80, 8)"), (uint64_t)-128);
}

static void words(void **state)
{
    (void)state;
    assert_int_equal(value_of("value & 0x80000000"), 0x80000000);
    assert_int_equal(value_of("$rip"), 0x1000143);
    assert_int_equal(value_of("leaf == 0x40000000 && index == leaf"), 1);
    assert_int_equal(value_of("pc - 8"), 0x100013b);
    assert_int_equal(value_of("cr0.PG"), 1);
    assert_int_equal(value_of("cr0.NE"), 0);
    assert_int_equal(value_of("cr0.pe + cr0.ET"), 2);
    assert_int_equal(value_of("vmcs.guest_cr4 & (1<<5)"), 0x20);
    assert_int_equal(value_of("vmcs.guest_cr4.PAE"), 1);
    assert_int_equal(value_of("msr-area[EFER]"), 0x500);
    assert_int_equal(value_of("msr-area[0xc0000080] >> 8 & 1"), 1);
    assert_int_equal(value_of("msr-area[IA32_LSTAR]"), 0);
    assert_int_equal(value_of("kind == cr0-write"), 1);
    assert_int_equal(value_of("kind == triple-fault"), 0);
    assert_int_equal(value_of("kind==cr0-write && value==0x80000001"), 1);
    assert_int_equal(value_of("cr0-0x11"), 0x80000000); /* a register, a minus */
    assert_int_equal(value_of("u8(0x100)"), 0xf0);
    assert_int_equal(value_of("u32(0x100)"), 0xf0f0f0f0);
    assert_int_equal(value_of("s8(0x100)"), (uint64_t)-16);
    assert_int_equal(value_of("*0x100"), 0xf0f0f0f0f0f0f0f0);
    assert_int_equal(value_of("startup_64 + 0x77"), 0xffffffff81000077);
    assert_int_equal(value_of("foo.constprop.0"), 0xffffffff81000000);
    assert_int_equal(value_of("$ + $$ + $2 + $$3"), 70 + 71 + 52 + 73);
}

static void fails_at(const char *text, size_t position, const char *part)
{
    struct expr_error error;
    struct expr *expr = expr_parse(text, &names, NULL, &error);

    if (expr)
        fail_msg("`%s` was accepted", text);
    if (!strstr(error.message, part))
        fail_msg("`%s`: message is `%s`", text, error.message);
    assert_int_equal(error.position, position);
}

static void errors_say_where_and_what(void **state)
{
    char deep[300];

    (void)state;
    fails_at("1 +", 3, "too early");
    fails_at("valu & 1", 0, "did you mean `value`");
    fails_at("1 + startup_65", 4, "did you mean `startup_64`");
    fails_at("cr0.PGG", 4, "did you mean `PG`");
    fails_at("vmcs.guest_cr44", 5, "did you mean `guest_cr4`");
    fails_at("msr-area[EFFER]", 9, "did you mean");
    fails_at("(1 + 2", 6, "`)` expected");
    fails_at("1 2", 2, "left over");
    fails_at("u9(1)", 0, "no function `u9`");
    fails_at("0x10000000000000000", 0, "64 bits");
    fails_at("12ab", 0, "not a number");
    fails_at("$9", 0, "history");
    fails_at("'ab'", 0, "one letter");
    fails_at("1 @ 2", 2, "left over");
    fails_at("sext(1, 65)", 0, "1 to 64");
    fails_at("", 0, "too early");
    memset(deep, '(', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = 0;
    fails_at(deep, 64, "nested deeper");
    memset(deep, '!', sizeof(deep) - 1);
    fails_at(deep, 64, "nested deeper");
}

static void run_time_errors(void **state)
{
    struct expr_error error;
    uint64_t value;
    struct expr *expr = expr_parse("1 + u8(0x200)", &names, NULL, &error);

    (void)state;
    assert_non_null(expr);
    assert_int_equal(expr_eval(expr, &env, &value, &error), -1);
    assert_non_null(strstr(error.message, "memory"));
    expr_free(expr);
    expr = expr_parse("1 / (cr0 - cr0)", &names, NULL, &error);
    assert_int_equal(expr_eval(expr, &env, &value, &error), -1);
    assert_non_null(strstr(error.message, "division"));
    expr_free(expr);
}

static void ends_where_the_caller_goes_on(void **state)
{
    struct expr_error error;
    const char *text = "value & 1 do log", *end;
    struct expr *expr = expr_parse(text, &names, &end, &error);

    (void)state;
    assert_non_null(expr);
    assert_string_equal(end, "do log");
    expr_free(expr);
}

static struct expr_target target_of(const char *text, struct expr **expr)
{
    struct expr_error error;

    *expr = expr_parse(text, &names, NULL, &error);
    assert_non_null(*expr);
    return expr_target(*expr);
}

static void targets(void **state)
{
    struct expr *expr;
    struct expr_target t;

    (void)state;
    t = target_of("$rip", &expr);
    assert_int_equal(t.kind, EXPR_TARGET_REG);
    assert_int_equal(t.number, TL_REG_rip);
    expr_free(expr);
    t = target_of("cr0.PG", &expr);
    assert_int_equal(t.kind, EXPR_TARGET_REG);
    assert_int_equal(t.bit_low, 31);
    assert_int_equal(t.bit_high, 31);
    expr_free(expr);
    t = target_of("vmcs.entry_controls", &expr);
    assert_int_equal(t.kind, EXPR_TARGET_FIELD);
    assert_int_equal(t.number, VMCS_entry_controls);
    expr_free(expr);
    t = target_of("u16(0x100)", &expr);
    assert_int_equal(t.kind, EXPR_TARGET_MEMORY);
    assert_int_equal(t.len_bytes, 2);
    expr_free(expr);
    t = target_of("msr-area[EFER]", &expr);
    assert_int_equal(t.kind, EXPR_TARGET_MSR_AREA);
    assert_non_null(t.address);
    expr_free(expr);
    t = target_of("1 + 1", &expr);
    assert_int_equal(t.kind, EXPR_TARGET_NONE);
    expr_free(expr);
}

static void compiles_to_verified_code(void **state)
{
    uint8_t code[AGENT_CODE_MAX_BYTES];
    struct expr_error error;
    struct expr *expr = expr_parse("value & 0x80000000", &names, NULL, &error);
    const uint8_t wanted[] = {0x26, 0, TL_REG_exit_value, 0x24, 0x80, 0, 0, 0, 0x0f, 0x27};
    char longer[4000] = "1";
    size_t len;

    (void)state;
    assert_int_equal(expr_compile(expr, code, sizeof(code), &len, &error), 0);
    assert_int_equal(len, sizeof(wanted));
    assert_memory_equal(code, wanted, len);
    assert_int_equal(expr_compile(expr, code, 4, &len, &error), -1);
    expr_free(expr);
    for (unsigned i = 0; i < 250; i++)
        strcat(longer, "+0x123456789");
    assert_null(expr_parse(longer, &names, NULL, &error));
}

static unsigned offered;

static void count_offer(void *ctx, const char *word)
{
    if (!strcmp(word, ctx))
        offered++;
}

static void completion(void **state)
{
    (void)state;
    offered = 0;
    expr_complete("cr0.P", false, count_offer, (void *)"cr0.PG");
    expr_complete("vmcs.guest_cr", false, count_offer, (void *)"vmcs.guest_cr4");
    expr_complete("vmcb.guest_cr", true, count_offer, (void *)"vmcb.guest_cr4");
    expr_complete("msr-area[IA32_EF", false, count_offer, (void *)"msr-area[IA32_EFER");
    expr_complete("$ri", false, count_offer, (void *)"$rip");
    expr_complete("val", false, count_offer, (void *)"value");
    assert_int_equal(offered, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_and_precedence),      cmocka_unit_test(words),
        cmocka_unit_test(errors_say_where_and_what),     cmocka_unit_test(run_time_errors),
        cmocka_unit_test(ends_where_the_caller_goes_on), cmocka_unit_test(targets),
        cmocka_unit_test(compiles_to_verified_code),     cmocka_unit_test(completion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
