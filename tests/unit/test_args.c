/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reader of packet text: words, numbers, bytes, pairs and records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/args.h"

static struct args text_of(const char *text)
{
    return args_of(text, strlen(text));
}

static void words_are_whole_or_untouched(void **state)
{
    struct args a = text_of("read:7"), nothing = args_of(NULL, 0);

    (void)state;
    assert_false(args_word(&a, "reads"));
    assert_false(args_word(&a, "read:70"));
    assert_int_equal(args_len_bytes(&a), 6);
    assert_false(args_is(&a, "read:"));
    assert_false(args_is(&a, "read:70"));
    assert_true(args_is(&a, "read:7"));
    assert_true(args_word(&a, "read:"));
    assert_true(args_is(&a, "7"));
    assert_true(args_word(&a, ""));
    assert_true(args_is(&a, "7"));

    assert_true(args_empty(&nothing));
    assert_true(args_is(&nothing, ""));
    assert_false(args_is(&nothing, "x"));
    assert_false(args_word(&nothing, "x"));
    assert_false(args_char(&nothing, 'x'));
}

static void parts_end_at_a_stop_which_is_taken(void **state)
{
    struct args a = text_of("kinds:3;;off"), part;

    (void)state;
    part = args_until(&a, ";:");
    assert_true(args_is(&part, "kinds"));
    part = args_until(&a, ";:");
    assert_true(args_is(&part, "3"));
    part = args_until(&a, ";:"); /* between two stops there is a part without anything */
    assert_true(args_empty(&part));
    part = args_until(&a, ";:");
    assert_true(args_is(&part, "off"));
    assert_true(args_empty(&a));
    part = args_until(&a, ";:");
    assert_true(args_empty(&part));
}

static void bytes_come_in_twos_and_fit(void **state)
{
    struct args a = text_of("00fFx"), odd = text_of("001"), broken = text_of("0g");
    uint8_t bytes[2] = {9, 9};

    (void)state;
    assert_int_equal(args_hex_bytes(&a, bytes, 1), -1); /* two do not fit into one */
    assert_int_equal(args_hex_bytes(&a, bytes, 2), 2);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(bytes[1], 0xff);
    assert_true(args_is(&a, "x"));
    assert_int_equal(args_hex_bytes(&a, bytes, 2), 0); /* none is a number of bytes, too */
    assert_int_equal(args_hex_bytes(&odd, bytes, 2), -1);
    assert_int_equal(args_hex_bytes(&broken, bytes, 2), -1);
    assert_true(args_is(&broken, "0g"));
}

static void integers_are_bounded(void **state)
{
    struct args c = args_of("00000000000000001f,x", 20);
    uint64_t value = 7;

    (void)state;
    assert_true(args_hex(&c, &value));
    assert_true(value == 0x1f);
    assert_false(args_hex(&c, &value));
    assert_true(args_char(&c, ','));
    assert_false(args_char(&c, ','));
    assert_true(args_char(&c, 'x'));
    assert_true(args_empty(&c));

    c = args_of("123456789abcdef01", 17);
    assert_false(args_hex(&c, &value)); /* 17 digits */
    c = args_of("ffffffffffffffff", 16);
    assert_true(args_hex(&c, &value));
    assert_true(value == UINT64_MAX);
}

static void pairs_and_records(void **state)
{
    static const char text[] = "count:2;next:a;|index:c0000080;value:d01;|index:10;empty:;why:41";
    struct args c = args_of(text, sizeof(text) - 1), record, found;
    uint64_t value;

    (void)state;
    assert_true(args_find_number(c, "next", &value) && value == 10);
    assert_false(args_find_number(c, "index", &value)); /* only in the header */
    assert_true(args_record(&c, &record));
    assert_true(args_find_number(record, "count", &value) && value == 2);
    assert_true(args_record(&c, &record));
    assert_true(args_find_number(record, "value", &value) && value == 0xd01);
    assert_true(args_record(&c, &record));
    assert_true(args_find(record, "empty", &found) && args_empty(&found));
    assert_true(args_find(record, "why", &found));
    assert_true(args_is(&found, "41"));
    assert_false(args_record(&c, &record));

    c = args_of("|a|", 3); /* empty header, one record, one empty record */
    for (unsigned i = 0; i < 3; i++)
        assert_true(args_record(&c, &record));
    assert_false(args_record(&c, &record));
    c = args_of("novalue;", 8);
    assert_false(args_pair(&c, &found, &found));
    assert_false(args_number(args_of("12g", 3), &value));
    assert_false(args_number(args_of("", 0), &value));
    assert_true(args_find_number(args_of("word;key:1f;", 12), "key", &value) && value == 0x1f);
    assert_false(args_find_number(args_of("word|key:1f;", 12), "key", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_whole_or_untouched),
        cmocka_unit_test(parts_end_at_a_stop_which_is_taken),
        cmocka_unit_test(bytes_come_in_twos_and_fit),
        cmocka_unit_test(integers_are_bounded),
        cmocka_unit_test(pairs_and_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
