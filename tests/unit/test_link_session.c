/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The link layer's sessions: how one begins, is replaced, falls silent and ends, and how what is no
 * frame stays text before, in and after it.
 */
#include "link_line.h"

/* A client vanishes, a new one comes; what the old one still had on the way is never believed. */
static void sessions_do_not_mix(void **state)
{
    static uint8_t old_bytes[20000];
    size_t old_length = 0;

    (void)state;
    for (uint32_t seed = 50; seed < 60; seed++) {
        start(seed);
        connect_ends();
        /* The old client's frames are recorded and never arrive. */
        for (unsigned i = 0; i < 6; i++)
            link_send(&end[0], LINK_RSP, "old command", 11, false);
        old_length = link_tx(&end[0], old_bytes, sizeof(old_bytes), now_ms);
        assert_true(old_length > 6 * 11);
        link_send(&end[1], LINK_RSP, "old answer", 10, false);
        run(2); /* part of it is on its way */
        link_init(&end[0], LINK_CLIENT, seed + 1000, LOST_MS, now_ms);
        link_open(&end[0], now_ms);
        for (unsigned i = 0; i < 3000; i++) {
            tick();
            /* The old bytes trickle in, over and over. */
            if (i % 50 == 49)
                for (size_t k = 0; k < old_length; k++)
                    link_rx_byte(&end[1], old_bytes[k], now_ms);
            assert_string_equal(fetch(0), "");
            assert_string_equal(fetch(1), "");
        }
        assert_true(link_events(&end[1]) & LINK_EV_REPLACED);
        assert_int_equal(end[1].state, LINK_UP);
        link_send(&end[0], LINK_RSP, "new command", 11, false);
        run(50);
        assert_string_equal(fetch(1), "new command");
        assert_string_equal(fetch(1), "");
    }
}

static void old_hello_is_ignored(void **state)
{
    uint8_t hello[2][100];
    size_t length[2];

    (void)state;
    start(60);
    for (unsigned i = 0; i < 2; i++) {
        link_open(&end[0], now_ms);
        length[i] = link_tx(&end[0], hello[i], sizeof(hello[i]), now_ms);
        for (size_t k = 0; k < length[i]; k++)
            link_rx_byte(&end[1], hello[i][k], now_ms);
        run(100);
        assert_int_equal(end[1].state, LINK_UP);
        link_events(&end[1]);
    }
    link_send(&end[0], LINK_RSP, "kept", 4, false);
    for (unsigned i = 0; i < 2; i++) /* the old one, then a late copy of the current one */
        for (size_t k = 0; k < length[i]; k++)
            link_rx_byte(&end[1], hello[i][k], now_ms);
    assert_int_equal(link_events(&end[1]), 0);
    run(50);
    assert_string_equal(fetch(1), "kept");
    /* After a goodbye even the current one does not come back to life. */
    link_close(&end[0]);
    run(50);
    assert_int_equal(end[1].state, LINK_DOWN);
    assert_true(link_events(&end[1]) & LINK_EV_CLOSED);
    for (size_t k = 0; k < length[1]; k++)
        link_rx_byte(&end[1], hello[1][k], now_ms);
    assert_int_equal(end[1].state, LINK_DOWN);
}

static void silence_is_noticed(void **state)
{
    (void)state;
    start(70);
    connect_ends();
    run(5000); /* idle: polls keep both sure of each other */
    assert_int_equal(link_events(&end[0]) | link_events(&end[1]), 0);
    vices.drop = 1; /* the cable is out */
    link_send(&end[0], LINK_RSP, "still here", 10, false);
    run(LOST_MS + 600);
    assert_true(link_events(&end[0]) & LINK_EV_LOST);
    assert_int_equal(end[1].state, LINK_UP);
    vices.drop = 0;
    run(2500);
    assert_true(link_events(&end[0]) & LINK_EV_BACK);
    assert_string_equal(fetch(1), "still here");
    vices.drop = 1;
    run(11000);
    assert_int_equal(end[1].state, LINK_DOWN);
    assert_true(link_events(&end[1]) & LINK_EV_LOST);
    vices.drop = 0;
    link_open(&end[0], now_ms);
    run(600);
    assert_int_equal(end[1].state, LINK_UP);
    assert_int_equal(end[0].state, LINK_UP);
}

/* The server gave up waiting; the same client's next HELLO must still be welcome. */
static void slow_start(void **state)
{
    (void)state;
    start(71);
    link_open(&end[0], now_ms);
    run(3);
    vices.drop = 1;
    run(15000);
    assert_int_equal(end[1].state, LINK_DOWN);
    vices.drop = 0;
    run(600);
    assert_int_equal(end[0].state, LINK_UP);
    assert_int_equal(end[1].state, LINK_UP);
}

static char seen_text[3000];
static size_t seen_length;

static void see(void *ctx, const uint8_t *bytes, size_t length)
{
    (void)ctx;
    assert_true(seen_length + length < sizeof(seen_text));
    memcpy(seen_text + seen_length, bytes, length);
    seen_length += length;
    seen_text[seen_length] = 0;
}

static void rx_string(unsigned i, const char *text)
{
    for (; *text; text++)
        link_rx_byte(&end[i], (uint8_t)*text, now_ms);
}

static void text_passes_and_comes_back(void **state)
{
    (void)state;
    start(80);
    seen_length = 0;
    end[1].text = see;
    rx_string(1, "login: ");
    assert_string_equal(seen_text, "login: ");
    seen_length = 0;
    rx_string(1, "a\x1e"
                 "b\nc"); /* a false start ends with the line */
    assert_string_equal(seen_text, "ab\nc");
    seen_length = 0;
    rx_string(1, "\x1e"
                 "key");
    link_poll(&end[1], now_ms + 400);
    assert_int_equal(seen_length, 0);
    assert_true(link_wait_ms(&end[1], now_ms + 400) == 100);
    link_poll(&end[1], now_ms + 600);
    assert_string_equal(seen_text, "key");
    seen_length = 0;
    rx_string(1, "\x1e");
    for (unsigned i = 0; i < LINK_FRAME_MAX + 13; i++)
        rx_string(1, "x");
    assert_int_equal(seen_length, LINK_FRAME_MAX + 13);
    /* In a session only whole printable lines are text: a peer that started anew. */
    connect_ends();
    seen_length = 0;
    seen_text[0] = 0;
    rx_string(1, "\x02\x7f noise\nxy\n[0.000001] tl: hello\n");
    assert_string_equal(seen_text, "[0.000001] tl: hello\n");
}

static void text_follows_a_session_at_once(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        start(81);
        end[1].text = see;
        connect_ends();
        run(100);
        if (how == 0)
            link_close(&end[0]);
        else if (how == 1)
            link_close(&end[1]);
        else
            vices.drop = 1;
        run(how == 2 ? 11000 : 50);
        assert_int_equal(end[1].state, LINK_DOWN);
        seen_length = 0;
        seen_text[0] = 0;
        rx_string(1, "+$g#67");
        assert_string_equal(seen_text, "+$g#67");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_do_not_mix),
        cmocka_unit_test(old_hello_is_ignored),
        cmocka_unit_test(silence_is_noticed),
        cmocka_unit_test(slow_start),
        cmocka_unit_test(text_passes_and_comes_back),
        cmocka_unit_test(text_follows_a_session_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
