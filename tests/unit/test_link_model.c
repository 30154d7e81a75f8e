/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Model checking of the link by brute force: two ends, a line with every vice (bytes dropped, doubled,
 * flipped, invented, cut off, delayed, garbage of any kind), ends that restart at any byte without a
 * word, clients that replace each other, goodbyes, readers that pause. Thousands of short seeded runs.
 *
 * The model: a client's session is a list of numbered commands. The server executes what it is given and
 * must see the numbers of one session from 0, each once, none left out; the client must see the answers
 * in the same order. Left alone on a clean line at the end, everything asked must be answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/link.h"

#define RUNS       1500u
#define RUN_MS     4000u
#define SETTLE_MS  30000u
#define LINE_BYTES 8192u
#define TAG_MAX    1100u /* a message: up to three fragments */

enum { CLIENT, SERVER };

static struct {
    uint8_t byte[LINE_BYTES];
    uint32_t at_ms[LINE_BYTES];
    uint32_t head, tail, cut_left, stall_until_ms;
} wire[2]; /* wire[i] leaves end i */

static struct link end[2];
static uint32_t now_ms, random_state, bytes_per_ms, one_in_n; /* of bytes hurt; 0: clean */

/* One message under construction or arrival, and the numbers of the running session. */
static struct {
    uint32_t id;       /* client: of the session it opened; server: of the one it hears */
    uint32_t next;     /* client: next command; server: next command expected */
    uint32_t answered; /* client: answers seen; server: answers queued */
    uint8_t out[TAG_MAX], in[TAG_MAX];
    size_t out_length, out_done, in_length;
    bool open, out_busy;
} side[2];

static uint32_t next_session_id;
static struct {
    uint64_t bytes, hurt[6], executed, answers, sessions, replaced, restarts[2], wraps, byes,
        resent;
} sum;

static uint32_t rnd(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static bool one_in(uint32_t n)
{
    return n && rnd() % n == 0;
}

static void wire_put(unsigned i, uint8_t byte)
{
    if (wire[i].head - wire[i].tail == LINE_BYTES)
        return; /* an overrun is a loss like any other */
    wire[i].byte[wire[i].head % LINE_BYTES] = byte;
    wire[i].at_ms[wire[i].head % LINE_BYTES] = now_ms + 1;
    wire[i].head++;
}

/* Garbage that looks like the beginning of something. */
static void garbage(unsigned i)
{
    static const uint8_t starts[][8] = {
        {0x1e, 0x11, 0x00, 0x00, 0x1d}, {0x1e, 0x1d}, {0x1d, 0x1d, 0x1e}, {0x1e, 0x30, 0, 0, 1},
        {'$', 'g', '#', '6', '7'},      {0x03},       {0, 0, 0},          {'\n'},
    };
    unsigned which = rnd() % 8, length = which == 0 ? 5 : rnd() % 8, more = rnd() % 700;

    for (unsigned k = 0; k < length; k++)
        wire_put(i, starts[which][k]);
    for (unsigned k = 0; one_in(4) && k < more; k++)
        wire_put(i, (uint8_t)(rnd() % 255)); /* a frame with no end in sight */
}

static void wire_send(unsigned i, uint8_t byte)
{
    sum.bytes++;
    if (wire[i].cut_left) {
        wire[i].cut_left--;
        return;
    }
    if (!one_in(one_in_n)) {
        wire_put(i, byte);
        return;
    }
    switch (rnd() % 6) {
    case 0:
        sum.hurt[0]++;
        return;
    case 1:
        sum.hurt[1]++;
        wire_put(i, byte);
        wire_put(i, byte);
        return;
    case 2:
        sum.hurt[2]++;
        wire_put(i, byte ^ (uint8_t)(1 << rnd() % 8));
        return;
    case 3:
        sum.hurt[3]++;
        wire[i].cut_left = rnd() % 600;
        return;
    case 4:
        sum.hurt[4]++;
        wire[i].stall_until_ms = now_ms + rnd() % 700;
        wire_put(i, byte);
        return;
    default:
        sum.hurt[5]++;
        garbage(i);
        wire_put(i, byte);
    }
}

/* Message n of a session: who, session, number, and a body that follows from them. */
static size_t make_message(uint8_t *out, unsigned who, uint32_t id, uint32_t n)
{
    uint32_t x = (id * 2654435761u) ^ (n * 40503u) ^ who;
    size_t length = 9 + (x >> 8) % (n % 11 == 3 ? TAG_MAX - 9 : 40);

    out[0] = (uint8_t)who;
    memcpy(out + 1, &id, 4);
    memcpy(out + 5, &n, 4);
    for (size_t i = 9; i < length; i++) {
        x = x * 1664525 + 1013904223;
        out[i] = x >> 29 ? (uint8_t)(x >> 24) : (uint8_t) "\x1e\x1d\n$#\x03\x11\x13"[x >> 20 & 7];
    }
    return length;
}

static void must_be(unsigned from, uint32_t id, uint32_t n, const uint8_t *bytes, size_t length)
{
    uint8_t expected[TAG_MAX];
    size_t expected_length = make_message(expected, from, id, n);

    assert_int_equal(length, expected_length);
    assert_memory_equal(bytes, expected, length);
}

static void forget(unsigned i)
{
    side[i].out_busy = false;
    side[i].in_length = 0;
}

static void look_at_events(unsigned i)
{
    unsigned events = link_events(&end[i]);

    if (events & LINK_EV_REPLACED)
        sum.replaced++;
    if (events & LINK_EV_OPEN || end[i].state != LINK_UP)
        forget(i);
    if (events & LINK_EV_OPEN && end[i].state == LINK_UP) {
        side[i].open = true;
        side[i].next = side[i].answered = 0;
        if (i == SERVER)
            side[i].id = 0; /* the first command says */
        sum.sessions += i;
    }
    if (end[i].state != LINK_UP)
        side[i].open = false;
}

static void message(unsigned i, const uint8_t *bytes, size_t length)
{
    uint32_t id;

    assert_true(length >= 9);
    memcpy(&id, bytes + 1, 4);
    if (i == CLIENT) {
        must_be(SERVER, side[CLIENT].id, side[CLIENT].answered, bytes, length);
        assert_true(side[CLIENT].answered < side[CLIENT].next); /* no answer before its question */
        side[CLIENT].answered++;
        sum.answers++;
        return;
    }
    if (!side[SERVER].next)
        side[SERVER].id = id;
    must_be(CLIENT, side[SERVER].id, side[SERVER].next, bytes, length);
    side[SERVER].next++;
    sum.executed++;
    sum.wraps += side[SERVER].next == 300;
}

static void receive(unsigned i)
{
    struct link_piece piece;

    look_at_events(i);
    while (!one_in(3) && link_receive(&end[i], &piece)) {
        assert_true(side[i].in_length + piece.length <= TAG_MAX);
        assert_int_equal(piece.channel, LINK_RSP);
        memcpy(side[i].in + side[i].in_length, piece.bytes, piece.length);
        side[i].in_length += piece.length;
        if (!piece.more) {
            message(i, side[i].in, side[i].in_length);
            side[i].in_length = 0;
        }
        link_release(&end[i]);
    }
}

static void speak(unsigned i, bool new_commands)
{
    look_at_events(i);
    if (!side[i].open)
        return;
    if (!side[i].out_busy) {
        uint32_t n = i == CLIENT ? side[i].next : side[i].answered;

        if (i == CLIENT ? !new_commands || n - side[i].answered > 5 || !one_in(3)
                        : n == side[i].next)
            return;
        side[i].out_length = make_message(side[i].out, i, side[i].id, n);
        side[i].out_done = 0;
        side[i].out_busy = true;
        if (i == CLIENT)
            side[i].next++;
        else
            side[i].answered++;
    }
    if (!link_room(&end[i]))
        return;
    side[i].out_done += link_send(&end[i], LINK_RSP, side[i].out + side[i].out_done,
                                  side[i].out_length - side[i].out_done, false);
    side[i].out_busy = side[i].out_done < side[i].out_length;
}

static void carry(unsigned i)
{
    uint8_t bytes[64];
    size_t length = link_tx(&end[i], bytes, bytes_per_ms < 64 ? bytes_per_ms : 64, now_ms);

    for (size_t k = 0; k < length; k++)
        wire_send(i, bytes[k]);
    if ((int32_t)(now_ms - wire[i].stall_until_ms) < 0)
        return;
    while (wire[i].tail != wire[i].head &&
           (int32_t)(now_ms - wire[i].at_ms[wire[i].tail % LINE_BYTES]) >= 0) {
        link_rx_byte(&end[1 - i], wire[i].byte[wire[i].tail++ % LINE_BYTES], now_ms);
        receive(1 - i);
    }
}

static void tick(bool new_commands)
{
    now_ms++;
    for (unsigned i = 0; i < 2; i++) {
        speak(i, new_commands);
        carry(i);
        receive(i);
    }
}

static void new_client(void)
{
    link_open(&end[CLIENT], now_ms);
    forget(CLIENT);
    side[CLIENT].open = false;
    side[CLIENT].id = ++next_session_id;
}

/* A power cut, kill -9: all state gone, what is on the wire stays there. */
static void restart(unsigned i)
{
    sum.resent += end[i].stats.resent;
    sum.restarts[i]++;
    link_init(&end[i], i == CLIENT ? LINK_CLIENT : LINK_SERVER, rnd(), i == CLIENT ? 2000 : 10000,
              now_ms);
    forget(i);
    side[i].open = false;
    side[i].next = side[i].answered = 0;
    if (i == CLIENT)
        new_client();
}

static void mishap(void)
{
    switch (rnd() % 5) {
    case 0:
        restart(CLIENT);
        break;
    case 1:
        restart(SERVER);
        break;
    case 2:
        new_client(); /* the owner gives up and opens another session */
        break;
    case 3:
        sum.byes++;
        link_close(&end[rnd() % 2]);
        break;
    default:
        now_ms += rnd() % 12000; /* everybody sleeps */
    }
}

static void settle(void)
{
    uint32_t begin_ms = now_ms;

    one_in_n = 0;
    wire[0].cut_left = wire[1].cut_left = 0;
    /* The owner's rule: a line that is lost, or a goodbye, means a new session. */
    while (now_ms - begin_ms < SETTLE_MS) {
        tick(false);
        if (end[CLIENT].state == LINK_DOWN || (end[CLIENT].silent && side[CLIENT].open))
            new_client();
        if (side[CLIENT].open && side[SERVER].open && !side[CLIENT].out_busy &&
            link_idle(&end[CLIENT]) && side[CLIENT].answered == side[CLIENT].next)
            break;
    }
    assert_int_equal(end[CLIENT].state, LINK_UP);
    assert_int_equal(end[SERVER].state, LINK_UP);
    assert_int_equal(end[CLIENT].session, end[SERVER].session);
    assert_int_equal(side[CLIENT].answered, side[CLIENT].next);
    assert_int_equal(side[SERVER].next, side[CLIENT].next);
}

static void one_run(uint32_t seed, uint32_t mishap_ms, uint32_t run_ms)
{
    random_state = seed * 2654435761u + 1;
    now_ms = rnd();
    memset(wire, 0, sizeof(wire));
    wire[0].stall_until_ms = wire[1].stall_until_ms = now_ms;
    memset(side, 0, sizeof(side));
    bytes_per_ms = 1 + rnd() % 64;
    one_in_n = (uint32_t[]){0, 30, 100, 400, 1000}[rnd() % 5];
    restart(SERVER);
    restart(CLIENT);
    for (uint32_t ms = 0; ms < run_ms; ms++) {
        if (one_in(mishap_ms))
            mishap();
        tick(true);
    }
    settle();
    sum.resent += end[0].stats.resent + end[1].stats.resent;
}

static void report(const char *name, unsigned runs)
{
    print_message(
        "%s: %u runs, %lu bytes, hurt: %lu drop %lu double %lu flip %lu cut %lu delay %lu "
        "garbage; %lu sessions, %lu replaced, %lu+%lu restarts, %lu goodbyes; %lu commands "
        "executed, %lu answers, %lu sessions with numbers wrapped, %lu frames sent again\n",
        name, runs, sum.bytes, sum.hurt[0], sum.hurt[1], sum.hurt[2], sum.hurt[3], sum.hurt[4],
        sum.hurt[5], sum.sessions, sum.replaced, sum.restarts[0], sum.restarts[1], sum.byes,
        sum.executed, sum.answers, sum.wraps, sum.resent);
    for (unsigned i = 0; i < 6; i++)
        assert_true(sum.hurt[i] > 100); /* else nothing was proved */
}

static void ends_that_restart_at_any_moment(void **state)
{
    (void)state;
    memset(&sum, 0, sizeof(sum));
    for (uint32_t seed = 1; seed <= RUNS; seed++)
        one_run(seed, 700, RUN_MS);
    report("mishaps", RUNS);
    assert_true(sum.restarts[CLIENT] > 2 * RUNS && sum.restarts[SERVER] > 2 * RUNS);
    assert_true(sum.replaced > 100 && sum.byes > 100);
}

/* Sequence numbers wrap many times, on every kind of line. */
static void long_sessions(void **state)
{
    (void)state;
    memset(&sum, 0, sizeof(sum));
    for (uint32_t seed = 1; seed <= 40; seed++)
        one_run(seed ^ 0x5eed0000, 0, 60000);
    report("long", 40);
    assert_true(sum.wraps > 10);
}

/* The peer goes on with a session that ended here: it must hear of it. */
static void a_session_that_ended_is_told(void **state)
{
    (void)state;
    one_run(1, 0, 10); /* both are up, on a clean line from here on */
    for (unsigned ms = 0; ms < 100; ms++)
        tick(false);
    link_close(&end[SERVER]);
    end[SERVER].byes = 0; /* lost on the way */
    for (unsigned ms = 0; ms < 2000 && end[CLIENT].state == LINK_UP; ms++)
        tick(false);
    assert_int_equal(end[CLIENT].state, LINK_DOWN);
    for (unsigned ms = 0; ms < 2000; ms++) { /* and no goodbye answers a goodbye */
        uint8_t byte;

        now_ms++;
        assert_int_equal(link_tx(&end[SERVER], &byte, 1, now_ms), 0);
        assert_int_equal(link_tx(&end[CLIENT], &byte, 1, now_ms), 0);
    }
    assert_true(link_wait_ms(&end[SERVER], now_ms) != 0);
    assert_true(link_wait_ms(&end[CLIENT], now_ms) != 0);
}

/* The server restarts; a copy of the running client's HELLO, late on the way, must not give that
 * client a session that has forgotten what was said in it. */
static void a_late_hello_after_a_restart(void **state)
{
    uint8_t hello[100];
    size_t length;

    (void)state;
    one_run(2, 0, 0);
    new_client();
    length = link_tx(&end[CLIENT], hello, sizeof(hello), now_ms);
    for (size_t k = 0; k < length; k++)
        wire_put(CLIENT, hello[k]);
    for (unsigned ms = 0; ms < 200; ms++)
        tick(true);
    assert_true(side[CLIENT].answered > 2);
    restart(SERVER);
    for (size_t k = 0; k < length; k++)
        wire_put(CLIENT, hello[k]);
    for (unsigned ms = 0; ms < 1000; ms++)
        tick(true);
    assert_int_equal(side[SERVER].next, 0);
    settle();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_that_restart_at_any_moment),
        cmocka_unit_test(long_sessions),
        cmocka_unit_test(a_session_that_ended_is_told),
        cmocka_unit_test(a_late_hello_after_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
