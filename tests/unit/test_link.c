/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The link layer as a carrier: exact frames, and two ends over a hostile line, where every message must
 * arrive once, in order, unharmed; what it costs. Sessions are test_link_session.c's.
 */
#include "link_line.h"

#define POLL_LIMIT 500u

/* ---- numbered messages in both directions ---- */

struct talk { /* one direction */
    unsigned sent, arrived, target;
    uint8_t message[700];
    size_t length, done; /* of the one being sent */
    bool busy;
    uint8_t back[700];
    size_t back_length;
    enum link_channel channel;
};

static struct talk talk[2];

/* Content follows from direction and number, so the receiver knows what it must see. */
static size_t make_message(uint8_t *out, unsigned direction, unsigned number)
{
    uint32_t x = number * 2246822519u + direction + 77;
    size_t length = number % 50 == 0 ? 600 : 4 + x % 60;

    out[0] = (uint8_t)number;
    out[1] = (uint8_t)(number >> 8);
    out[2] = (uint8_t)(number >> 16);
    for (size_t i = 3; i < length; i++) {
        x = x * 1664525 + 1013904223;
        out[i] = (uint8_t)(x >> 24);
        if (x % 7 == 0)
            out[i] = "\x1e\x1d\n$#\x03\x11"[x / 7 % 7];
    }
    return length;
}

static void talk_step(unsigned i)
{
    struct talk *t = &talk[i], *other = &talk[1 - i];
    struct link_piece piece;

    if (!t->busy && t->sent < t->target) {
        t->length = make_message(t->message, i, t->sent);
        t->channel = t->sent % 3 ? LINK_RSP : LINK_EVENTS;
        t->done = 0;
        t->busy = true;
    }
    if (t->busy && link_room(&end[i])) {
        t->done += link_send(&end[i], t->channel, t->message + t->done, t->length - t->done, false);
        if (t->done == t->length) {
            t->busy = false;
            t->sent++;
        }
    }
    while (link_receive(&end[i], &piece)) {
        assert_true(other->back_length + piece.length <= sizeof(other->back));
        memcpy(other->back + other->back_length, piece.bytes, piece.length);
        other->back_length += piece.length;
        if (!piece.more) {
            uint8_t expected[700];
            size_t length = make_message(expected, 1 - i, other->arrived);

            assert_int_equal(piece.channel, other->arrived % 3 ? LINK_RSP : LINK_EVENTS);
            assert_int_equal(other->back_length, length);
            assert_memory_equal(other->back, expected, length);
            other->arrived++;
            other->back_length = 0;
        }
        link_release(&end[i]);
        if (one_in(20))
            break; /* a reader that is slow at times */
    }
}

/* Sends `count` messages each way; returns milliseconds taken. */
static uint32_t talk_both(unsigned count)
{
    uint32_t start_ms = now_ms;

    memset(talk, 0, sizeof(talk));
    talk[0].target = talk[1].target = count;
    while (talk[0].arrived < count || talk[1].arrived < count) {
        talk_step(0);
        talk_step(1);
        tick();
        assert_true(now_ms - start_ms < 4000000);
    }
    return now_ms - start_ms;
}

static void report(const char *name, uint32_t ms)
{
    print_message("%s: %u+%u messages in %u.%03u s, resent %u+%u, duplicates %u+%u, "
                  "bad CRC %u+%u, resyncs %u+%u\n",
                  name, talk[0].arrived, talk[1].arrived, ms / 1000, ms % 1000, end[0].stats.resent,
                  end[1].stats.resent, end[0].stats.duplicates, end[1].stats.duplicates,
                  end[0].stats.bad_crc, end[1].stats.bad_crc, end[0].stats.resyncs,
                  end[1].stats.resyncs);
}

/* ---- tests ---- */

static void frames_are_exact(void **state)
{
    static const uint8_t frame[] = {0x11, 0x03, 0x1e, 'O', 'K'};
    static const uint8_t expected[] = {0x1e, 0x1d, 0x51, 0x1d, 0x43, 0x1d, 0x5e, 'O', 'K'};
    uint8_t wire_bytes[LINK_WIRE_MAX], crc[4];
    size_t n = link_encode(wire_bytes, 0x1234, frame, sizeof(frame));
    uint32_t check = link_crc32(UINT32_MAX ^ 0x1234, frame, sizeof(frame));
    size_t at = sizeof(expected);

    (void)state;
    assert_int_equal(link_crc32(UINT32_MAX, "123456789", 9), 0xcbf43926);
    assert_memory_equal(wire_bytes, expected, sizeof(expected));
    for (unsigned i = 0; i < 4; i++) {
        crc[i] = wire_bytes[at++];
        if (crc[i] == 0x1d)
            crc[i] = wire_bytes[at++] ^ 0x40;
        assert_int_equal(crc[i], check >> 8 * i & 0xff);
    }
    assert_int_equal(wire_bytes[at++], 0x1e);
    assert_int_equal(at, n);
}

static void nothing_forbidden_on_the_wire(void **state)
{
    uint8_t frame[256], out[LINK_WIRE_MAX];
    size_t n;

    (void)state;
    for (unsigned i = 0; i < 256; i++)
        frame[i] = (uint8_t)i;
    n = link_encode(out, 7, frame, sizeof(frame));
    for (size_t i = 1; i + 1 < n; i++)
        assert_null(memchr("\x03\n\x11\x13\x1e", out[i], 5));
}

static void clean_line(void **state)
{
    uint32_t ms;

    (void)state;
    start(1);
    connect_ends();
    ms = talk_both(2000);
    report("clean", ms);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(end[i].stats.resent, 0);
        assert_int_equal(end[i].stats.bad_crc, 0);
        assert_int_equal(end[i].stats.duplicates, 0);
        assert_int_equal(end[i].stats.resyncs, 0);
    }
}

static void hostile_line(const char *name, uint32_t seed, struct vices v, unsigned count)
{
    start(seed);
    vices = v;
    connect_ends();
    report(name, talk_both(count));
    assert_true(end[0].stats.resent + end[1].stats.resent > 0);
}

static void one_bad_byte_in_a_thousand(void **state)
{
    (void)state;
    hostile_line("1/1000 mixed", 2, (struct vices){4000, 4000, 4000, 0, 4000, 0}, 10000);
}

static void each_vice_alone(void **state)
{
    (void)state;
    hostile_line("drop 1/300", 3, (struct vices){.drop = 300}, 2000);
    hostile_line("twice 1/300", 4, (struct vices){.twice = 300}, 2000);
    hostile_line("flip 1/300", 5, (struct vices){.flip = 300}, 2000);
    hostile_line("invent 1/300", 6, (struct vices){.invent = 300}, 2000);
    hostile_line("cut 1/2000", 7, (struct vices){.cut = 2000}, 2000);
    hostile_line("stall 1/1000", 8, (struct vices){.stall = 1000, .drop = 2000}, 1000);
}

static void everything_at_once(void **state)
{
    (void)state;
    for (uint32_t seed = 10; seed < 20; seed++)
        hostile_line("all vices", seed, (struct vices){400, 600, 400, 3000, 700, 4000}, 1000);
}

static void fast_line(void **state)
{
    (void)state;
    start(30);
    bytes_per_s = 3000000;
    vices = (struct vices){3000, 3000, 3000, 20000, 3000, 0};
    connect_ends();
    report("3 MB/s", talk_both(10000));
}

/* Line budget of a single step over the broker: request, stop reply, and all that goes with it. */
static void a_step_is_cheap(void **state)
{
    static const char request[] = "vCont;s:1";
    static const char reply[] =
        "T0510:3b01000100* ;07:f0ff06000* ;11:02000* ;12:100* ;32:310*\"80*\";"
        "35:010d0* ;thread:1;tl.why:step;";
    uint64_t before, cost;
    unsigned steps = 200;

    (void)state;
    start(40);
    connect_ends();
    run(100);
    before = wire[0].total + wire[1].total;
    for (unsigned i = 0; i < steps; i++) {
        link_send(&end[0], LINK_RSP, request, sizeof(request) - 1, false);
        while (strcmp(fetch(1), request) != 0)
            tick();
        link_send(&end[1], LINK_RSP, reply, sizeof(reply) - 1, false);
        while (strcmp(fetch(0), reply) != 0)
            tick();
    }
    cost = (wire[0].total + wire[1].total - before) / steps;
    print_message("a step: %u bytes (%zu of them packet data)\n", (unsigned)cost,
                  sizeof(request) + sizeof(reply) - 2);
    assert_true(cost <= 150);
}

/* Random-looking bytes, 4 KiB a request, as `dump` asks for them. */
static void dump_reaches_the_line_rate(void **state)
{
    uint32_t got = 0, asked = 0, begin;
    unsigned percent;
    uint8_t block[4096];

    (void)state;
    start(41);
    connect_ends();
    run(100);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (uint8_t)(rnd() >> 9);
    begin = now_ms;
    for (unsigned i = 0; i < 32; i++) {
        size_t done = 0;
        bool last = false;

        link_send(&end[0], LINK_RSP, "x100000,1000", 12, false);
        asked++;
        while (fetch(1)[0] != 'x')
            tick();
        while (!last) {
            struct link_piece piece;

            if (done < sizeof(block))
                done += link_send(&end[1], LINK_RSP, block + done, sizeof(block) - done, false);
            tick();
            while (link_receive(&end[0], &piece)) {
                got += (uint32_t)piece.length;
                last = !piece.more;
                link_release(&end[0]);
            }
        }
    }
    percent = (unsigned)((uint64_t)got * 1000 * 100 / (now_ms - begin) / bytes_per_s);
    print_message("dump: %u bytes in %u requests, %u %% of the line rate\n", got, asked, percent);
    assert_int_equal(got, 32 * 4096);
    assert_true(percent >= 93);
}

static void slow_reader_loses_nothing(void **state)
{
    unsigned sent = 0, got = 0;

    (void)state;
    start(90);
    connect_ends();
    while (got < 60) {
        uint8_t message[2] = {(uint8_t)sent, 7};
        struct link_piece piece;

        if (sent < 60 && link_send(&end[0], LINK_RSP, message, 2, false) == 2)
            sent++;
        tick();
        if (now_ms % 97 == 0 && link_receive(&end[1], &piece)) {
            assert_int_equal(piece.bytes[0], got);
            assert_int_equal(piece.length, 2);
            got++;
            link_release(&end[1]);
        }
    }
    assert_false(link_receive(&end[1], &(struct link_piece){0}));
}

static void console_bytes_join(void **state)
{
    uint32_t frames;

    (void)state;
    start(91);
    connect_ends();
    run(100);
    frames = end[1].stats.frames_out;
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(link_send(&end[1], LINK_CONSOLE, "x", 1, false), 1);
    run(100);
    assert_int_equal(strlen(fetch(0)), 200);
    assert_true(end[1].stats.frames_out - frames <= 3);
    assert_true(link_idle(&end[1]));
    assert_int_equal(link_send(&end[1], LINK_RSP, NULL, 0, false), 0); /* an empty message */
    run(100);
    {
        struct link_piece piece;

        assert_true(link_receive(&end[0], &piece));
        assert_int_equal(piece.length, 0);
        assert_int_equal(piece.channel, LINK_RSP);
        link_release(&end[0]);
    }
}

/* A server that runs a guest polls seldom: its acknowledgements must not wait for that. */
static void eager_acknowledgements(void **state)
{
    uint8_t bytes[100];
    size_t length;

    (void)state;
    start(96);
    connect_ends();
    run(100);
    for (unsigned round = 0; round < 3; round++) {
        link_set_eager(&end[1], round == 1);
        link_send(&end[0], LINK_RSP, "vCont;c", 7, false);
        for (unsigned i = 0; i < 60; i++) { /* the line, by hand: no clock at the server */
            uint8_t byte;

            if (link_tx(&end[0], &byte, 1, now_ms))
                link_rx_byte(&end[1], byte, now_ms);
        }
        assert_string_equal(fetch(1), "vCont;c");
        if (round == 2)
            link_ack_now(&end[1]);
        length = link_tx(&end[1], bytes, sizeof(bytes), now_ms);
        assert_int_equal(length > 0, round > 0);
        for (size_t i = 0; i < length; i++)
            link_rx_byte(&end[0], bytes[i], now_ms);
        assert_int_equal(link_idle(&end[0]), round > 0);
        run(100);
        assert_true(link_idle(&end[0]));
    }
    assert_int_equal(end[0].stats.resent, 0);
}

/* A caller that sleeps exactly as long as link_wait_ms() says must not be slower. */
static void waiting_times_suffice(void **state)
{
    (void)state;
    start(95);
    connect_ends();
    run(3000);
    for (unsigned i = 0; i < 5000; i++) {
        int wait_ms = link_wait_ms(&end[0], now_ms);
        uint8_t byte;

        assert_true(wait_ms >= 0 && wait_ms <= (int)POLL_LIMIT);
        if (wait_ms > 0)
            assert_int_equal(link_tx(&end[0], &byte, 1, now_ms), 0);
        tick();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_exact),
        cmocka_unit_test(nothing_forbidden_on_the_wire),
        cmocka_unit_test(clean_line),
        cmocka_unit_test(one_bad_byte_in_a_thousand),
        cmocka_unit_test(each_vice_alone),
        cmocka_unit_test(everything_at_once),
        cmocka_unit_test(fast_line),
        cmocka_unit_test(a_step_is_cheap),
        cmocka_unit_test(dump_reaches_the_line_rate),
        cmocka_unit_test(slow_reader_loses_nothing),
        cmocka_unit_test(console_bytes_join),
        cmocka_unit_test(eager_acknowledgements),
        cmocka_unit_test(waiting_times_suffice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
