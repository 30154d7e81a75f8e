/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bounded formatter against libc's snprintf, and what libc cannot show: %p's fixed width,
 * unknown conversions, the cut. Also str_number() and the log's line form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/log.h"
#include "lib/mem.h"

/* Same text and same wanted length as libc, in a buffer that is too small by each amount, too. The
 * buffer is on the heap and exact, so that the sanitizer sees one byte too many. */
#define SAME(...)                                                                                  \
    do {                                                                                           \
        char want[256];                                                                            \
        int len = snprintf(want, sizeof(want), __VA_ARGS__);                                       \
        for (size_t cap = 1; cap <= (size_t)len + 2; cap++) {                                      \
            char *got = malloc(cap);                                                               \
            char *cut = malloc(cap);                                                               \
            assert_int_equal(fmt_str(got, cap, __VA_ARGS__), len);                                 \
            snprintf(cut, cap, __VA_ARGS__);                                                       \
            assert_string_equal(got, cut);                                                         \
            free(got);                                                                             \
            free(cut);                                                                             \
        }                                                                                          \
    } while (0)

static void test_numbers(void **state)
{
    (void)state;
    SAME("%d %d %d", 0, -1, 2147483647);
    SAME("%i", (int)0x80000000);
    SAME("%ld %lu", INT64_MIN, UINT64_MAX);
    SAME("%u %x %X", 4000000000u, 0xdeadbeefu, 0xdeadbeefu);
    SAME("%lx %#lx %#x", 0xffffffff80000000ul, 1ul, 0u);
    SAME("%hhu %hu %hhd %hd", 300, 70000, 200, 40000);
    SAME("%zu %llx", (size_t)7, 0x123456789abcdefull);
}

static void test_width(void **state)
{
    (void)state;
    SAME("[%5d][%-5d][%05d]", 42, 42, 42);
    SAME("[%5d][%-5d][%05d]", -42, -42, -42);
    SAME("[%016lx][%#010x][%-#10x]", 0xabcul, 0xabcu, 0xabcu);
    SAME("[%.3u][%6.3u][%-6.3u]", 7u, 7u, 7u);
    SAME("[%*d][%-*d]", 6, 1, 6, 2);
    SAME("[%+d][% d][%+d]", 1, 1, -1);
    SAME("[%2lu]", 123456ul);
    SAME("[%.0x]", 0u);
}

static void test_text(void **state)
{
    (void)state;
    SAME("%s|%8s|%-8s|%.2s|%.*s", "abc", "abc", "abc", "abc", 1, "xyz");
    SAME("%c%c%3c", 'a', 'b', 'c');
    SAME("100%%");
    SAME("%s", "");
}

static void test_own_rules(void **state)
{
    /* Through pointers, so that the compiler does not check the formats that are wrong on purpose.
     */
    size_t (*volatile format)(char *, size_t, const char *, ...) = fmt_str;
    char buf[64];

    (void)state;
    format(buf, sizeof(buf), "%p", (void *)0x1234);
    assert_string_equal(buf, "0x0000000000001234");
    format(buf, sizeof(buf), "%s", NULL);
    assert_string_equal(buf, "(null)");
    format(buf, sizeof(buf), "%q %d", 5);
    assert_string_equal(buf, "%q 5");
    format(buf, sizeof(buf), "end %");
    assert_string_equal(buf, "end %");
    format(buf, sizeof(buf), "end %-08l");
    assert_string_equal(buf, "end %-08l");
    /* A width out of all reason is bounded, the result still terminated. */
    assert_in_range(format(buf, sizeof(buf), "%99999999999d", 1), sizeof(buf), 5000);
    assert_int_equal(strlen(buf), sizeof(buf) - 1);
    assert_int_equal(format(NULL, 0, "%d", 123), 3);
}

static void test_unterminated_string_is_not_read(void **state)
{
    char *text = malloc(3);
    char buf[8];

    (void)state;
    memcpy(text, "abc", 3);
    fmt_str(buf, sizeof(buf), "%.3s", text);
    assert_string_equal(buf, "abc");
    free(text);
}

static void test_str_number(void **state)
{
    uint64_t value = 1;

    (void)state;
    assert_true(str_number("115200,", 6, &value));
    assert_int_equal(value, 115200);
    assert_true(str_number("0x3F8", 5, &value));
    assert_int_equal(value, 0x3f8);
    assert_true(str_number("18446744073709551615", 20, &value));
    assert_int_equal(value, UINT64_MAX);
    assert_false(str_number("18446744073709551616", 20, &value));
    assert_false(str_number("0x10000000000000000", 19, &value));
    assert_false(str_number("", 0, &value));
    assert_false(str_number("0x", 2, &value));
    assert_false(str_number("12a", 3, &value));
    assert_false(str_number("-1", 2, &value));
    assert_int_equal(value, UINT64_MAX); /* untouched by what failed */
}

static char sunk[2048];
static size_t sunk_bytes;

static void sink(const char *bytes, size_t len_bytes)
{
    memcpy(sunk, bytes, len_bytes);
    sunk_bytes = len_bytes;
    sunk[len_bytes] = '\0';
}

static uint64_t clock_us(void)
{
    return 12345678; /* 12.345678 s */
}

static void test_log_line(void **state)
{
    char long_text[700];

    (void)state;
    log_sink = sink;
    log_clock_us = clock_us;
    log_info("value %d", 3);
    assert_string_equal(sunk, "[   12.345678] tl: value 3\n");

    sunk_bytes = 0;
    log_debug("not at this level");
    assert_int_equal(sunk_bytes, 0);

    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    log_error("%s", long_text);
    assert_int_equal(sunk_bytes, 501); /* 500 and the line feed */
    assert_string_equal(sunk + 496, "x...\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_own_rules),
        cmocka_unit_test(test_unterminated_string_is_not_read),
        cmocka_unit_test(test_str_number),
        cmocka_unit_test(test_log_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
