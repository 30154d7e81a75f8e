/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The RSP codec, byte by byte: what goes on the wire exactly, what comes off it, and that damage is
 * noticed. Where GDB itself is the judge, the bytes are those of its manual.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/rsp.h"

static enum rsp_event feed(struct rsp_rx *rx, const char *bytes, size_t length)
{
    enum rsp_event event = RSP_NONE;

    for (size_t i = 0; i < length; i++)
        event = rsp_rx_byte(rx, (uint8_t)bytes[i]);
    return event;
}

static enum rsp_event feed_str(struct rsp_rx *rx, const char *text)
{
    return feed(rx, text, strlen(text));
}

static void assert_data(const struct rsp_rx *rx, const void *bytes, size_t length)
{
    assert_int_equal(rx->length, length);
    assert_memory_equal(rx->buf, bytes, length);
}

static void receives_packets(void **state)
{
    uint8_t buf[16];
    struct rsp_rx rx;

    (void)state;
    rsp_rx_init(&rx, buf, sizeof(buf), false);
    assert_int_equal(feed_str(&rx, "$g#67"), RSP_READY);
    assert_data(&rx, "g", 1);
    assert_false(rsp_rx_inside(&rx));
    assert_int_equal(feed_str(&rx, "$#00"), RSP_READY);
    assert_int_equal(rx.length, 0);
    assert_int_equal(feed_str(&rx, "$OK#9A"), RSP_READY); /* upper case digits are fine */
    assert_int_equal(feed_str(&rx, "$g#66"), RSP_BAD_CHECKSUM);
    assert_int_equal(feed_str(&rx, "$g#6x"), RSP_BAD_CHECKSUM);
    assert_int_equal(feed_str(&rx, "$g#67"), RSP_READY);
}

static void single_bytes_outside(void **state)
{
    uint8_t buf[16];
    struct rsp_rx rx;

    (void)state;
    rsp_rx_init(&rx, buf, sizeof(buf), false);
    assert_int_equal(rsp_rx_byte(&rx, 3), RSP_BREAK);
    assert_int_equal(rsp_rx_byte(&rx, '+'), RSP_ACK);
    assert_int_equal(rsp_rx_byte(&rx, '-'), RSP_NAK);
    assert_int_equal(rsp_rx_byte(&rx, 'x'), RSP_TEXT);
    assert_int_equal(rsp_rx_byte(&rx, '#'), RSP_TEXT);
    /* Inside a packet they are data. */
    assert_int_equal(feed(&rx, "$\003+-#5b", 7), RSP_READY);
    assert_data(&rx, "\003+-", 3);
}

static void dollar_restarts_everywhere(void **state)
{
    static const char *const heads[] = {"$", "$mff", "$mff#", "$mff#5", "$m}", "$m*"};
    uint8_t buf[16];
    struct rsp_rx rx;

    (void)state;
    rsp_rx_init(&rx, buf, sizeof(buf), true);
    for (unsigned i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        feed_str(&rx, heads[i]);
        assert_true(rsp_rx_inside(&rx));
        assert_int_equal(feed_str(&rx, "$OK#9a"), RSP_READY);
        assert_data(&rx, "OK", 2);
    }
}

static void long_packets_are_drained(void **state)
{
    uint8_t buf[4];
    struct rsp_rx rx;

    (void)state;
    rsp_rx_init(&rx, buf, sizeof(buf), false);
    assert_int_equal(feed_str(&rx, "$aaaa#84"), RSP_READY);
    assert_int_equal(feed_str(&rx, "$aaaaa#e5"), RSP_TOO_LONG);
    assert_int_equal(feed_str(&rx, "$aaaaa#e6"), RSP_BAD_CHECKSUM);
    assert_int_equal(feed_str(&rx, "$g#67"), RSP_READY);
}

static void escapes_and_runs_are_undone(void **state)
{
    uint8_t buf[200];
    struct rsp_rx rx;

    (void)state;
    rsp_rx_init(&rx, buf, sizeof(buf), false);
    assert_int_equal(feed_str(&rx, "$}\x03}\x04}]}\x0a#62"), RSP_READY);
    assert_data(&rx, "#$}*", 4);
    assert_int_equal(feed_str(&rx, "$0* #7a"), RSP_READY); /* a stub does not expand runs */
    assert_data(&rx, "0* ", 3);
    assert_int_equal(feed_str(&rx, "$a}#de"), RSP_BAD_CHECKSUM); /* half an escape */

    rsp_rx_init(&rx, buf, sizeof(buf), true);
    assert_int_equal(feed_str(&rx, "$0* #7a"), RSP_READY); /* the manual's example: "0000" */
    assert_data(&rx, "0000", 4);
    assert_int_equal(feed_str(&rx, "$* #4a"), RSP_BAD_CHECKSUM);
    assert_int_equal(feed_str(&rx, "$0*#5a"), RSP_BAD_CHECKSUM);
    assert_int_equal(feed_str(&rx, "$0*\x1f#79"), RSP_BAD_CHECKSUM);
    assert_int_equal(feed_str(&rx, "$0*~#d8"), RSP_READY);
    assert_int_equal(rx.length, 98);
}

static void link_messages_need_no_frame(void **state)
{
    uint8_t buf[8];
    struct rsp_rx rx;

    (void)state;
    rsp_rx_init(&rx, buf, sizeof(buf), true);
    rsp_rx_begin(&rx);
    rsp_rx_data(&rx, "0*", 2);
    rsp_rx_data(&rx, " }", 2);
    rsp_rx_data(&rx, "]", 1);
    assert_int_equal(rsp_rx_end(&rx), RSP_READY);
    assert_data(&rx, "0000}", 5);
    rsp_rx_begin(&rx);
    rsp_rx_data(&rx, "123456789", 9);
    assert_int_equal(rsp_rx_end(&rx), RSP_TOO_LONG);
}

#define SENDS(runs_, expected_, ...)                                                               \
    do {                                                                                           \
        uint8_t out_[300];                                                                         \
        struct rsp_tx tx;                                                                          \
        size_t n_;                                                                                 \
        rsp_tx_start(&tx, out_, sizeof(out_), runs_);                                              \
        __VA_ARGS__;                                                                               \
        n_ = rsp_tx_finish(&tx);                                                                   \
        assert_int_equal(n_, strlen(expected_));                                                   \
        assert_memory_equal(out_, expected_, n_);                                                  \
    } while (0)

static void sends_exact_bytes(void **state)
{
    (void)state;
    SENDS(false, "$OK#9a", rsp_tx_str(&tx, "OK"));
    SENDS(false, "$#00", (void)0);
    SENDS(false, "$00ff2a#bf", rsp_tx_hex_bytes(&tx, "\0\xff*", 3));
    SENDS(true, "$}\x03}\x04}]}\x0a#62", rsp_tx_binary(&tx, "#$}*", 4));
}

/* Runs of each length: the forbidden counts never appear, and nothing is lost. */
static void runs_of_every_length(void **state)
{
    (void)state;
    SENDS(true, "$000#90", rsp_tx_str(&tx, "000"));
    SENDS(true, "$0* #7a", rsp_tx_str(&tx, "0000"));
    SENDS(true, "$0*\"0#ac", rsp_tx_str(&tx, "0000000"));   /* 7: '#' is forbidden */
    SENDS(true, "$0*\"00#dc", rsp_tx_str(&tx, "00000000")); /* 8: '$' */
    SENDS(true, "$0*%#7f", rsp_tx_str(&tx, "000000000"));
    for (size_t n = 1; n < 400; n++) {
        uint8_t out[500], back[500];
        struct rsp_tx tx;
        struct rsp_rx rx;
        size_t length;
        const uint8_t *payload;

        rsp_tx_start(&tx, out, sizeof(out), true);
        for (size_t i = 0; i < n; i++)
            rsp_tx_byte(&tx, 'z');
        length = rsp_tx_finish(&tx);
        assert_true(length && length <= 4 + 3 * (n / 98 + 3));
        payload = rsp_tx_payload(&tx, &length);
        for (size_t i = 0; i + 1 < length; i++)
            if (payload[i] == '*')
                assert_null(memchr("#$+-", payload[i + 1], 4));
        rsp_rx_init(&rx, back, sizeof(back), true);
        assert_int_equal(feed(&rx, (char *)out, tx.length), RSP_READY);
        assert_int_equal(rx.length, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(back[i], 'z');
    }
}

static void writer_knows_its_limits(void **state)
{
    uint8_t out[8 + 1];
    struct rsp_tx tx;

    (void)state;
    out[8] = 0xee;
    rsp_tx_start(&tx, out, 8, false);
    rsp_tx_str(&tx, "1234");
    assert_int_equal(rsp_tx_finish(&tx), 8);
    assert_memory_equal(out, "$1234#ca", 8);
    rsp_tx_start(&tx, out, 8, true);
    rsp_tx_str(&tx, "1234567");
    assert_int_equal(rsp_tx_finish(&tx), 0);
    assert_int_equal(out[8], 0xee);
}

/* Anything sent as binary comes back, whatever the bytes, with and without runs. */
static void binary_round_trips(void **state)
{
    uint8_t in[256], out[600], back[256];

    (void)state;
    srand(1);
    for (unsigned round = 0; round < 2000; round++) {
        struct rsp_tx tx;
        struct rsp_rx rx;
        size_t n = (size_t)rand() % sizeof(in);
        bool runs = round & 1;

        for (size_t i = 0; i < n; i++)
            in[i] = i && rand() % 3 ? in[i - 1] : "#$}*\x03\0+-a\xff"[rand() % 10];
        rsp_tx_start(&tx, out, sizeof(out), runs);
        rsp_tx_binary(&tx, in, n);
        assert_true(rsp_tx_finish(&tx) > 0);
        rsp_rx_init(&rx, back, sizeof(back), runs);
        assert_int_equal(feed(&rx, (char *)out, tx.length), RSP_READY);
        assert_int_equal(rx.length, n);
        assert_memory_equal(back, in, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receives_packets),
        cmocka_unit_test(single_bytes_outside),
        cmocka_unit_test(dollar_restarts_everywhere),
        cmocka_unit_test(long_packets_are_drained),
        cmocka_unit_test(escapes_and_runs_are_undone),
        cmocka_unit_test(link_messages_need_no_frame),
        cmocka_unit_test(sends_exact_bytes),
        cmocka_unit_test(runs_of_every_length),
        cmocka_unit_test(writer_knows_its_limits),
        cmocka_unit_test(binary_round_trips),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
