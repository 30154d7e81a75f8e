/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Line, client and stub at the end of a link whose other end misbehaves: vanishes in the middle of
 * anything, is replaced by another, never reads, sends half of something. Afterwards the guest must
 * be able to run and the next client must find a clean start; what was dropped must be said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dbg/client.h"
#include "fake_target.h"

#define READ_US 50u /* what a look at the receiver takes: loops that wait come to an end */

static struct fake f;
static struct client client;
static struct link peer;
static uint8_t to_hv[65536], raw[1 << 17]; /* bytes for the hypervisor; all that it wrote */
static size_t to_hv_at, to_hv_end, raw_bytes;
static bool peer_listens, uart_stuck;
static char got[1 << 17]; /* what the peer received: log and console; replies in brackets */
static size_t got_bytes;
static size_t (*on_idle_read)(void); /* called when the hypervisor finds nothing to read */

static uint32_t peer_ms(void)
{
    return (uint32_t)(f.now_us / 1000);
}

static void note(const void *bytes, size_t len_bytes)
{
    assert_true(got_bytes + len_bytes < sizeof(got));
    memcpy(got + got_bytes, bytes, len_bytes);
    got_bytes += len_bytes;
    got[got_bytes] = 0;
}

static size_t io_write(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    struct link_piece piece;

    (void)ctx;
    if (uart_stuck)
        return 0;
    assert_true(raw_bytes + len_bytes < sizeof(raw));
    memcpy(raw + raw_bytes, bytes, len_bytes);
    raw_bytes += len_bytes;
    raw[raw_bytes] = 0;
    for (size_t i = 0; peer_listens && i < len_bytes; i++)
        link_rx_byte(&peer, bytes[i], peer_ms());
    while (peer_listens && link_receive(&peer, &piece)) {
        if (piece.channel == LINK_RSP)
            note("[", 1);
        note(piece.bytes, piece.length);
        if (piece.channel == LINK_RSP)
            note("]", 1);
        link_release(&peer);
    }
    return len_bytes;
}

static void queue(const void *bytes, size_t len_bytes)
{
    if (to_hv_at == to_hv_end)
        to_hv_at = to_hv_end = 0;
    assert_true(to_hv_end + len_bytes <= sizeof(to_hv));
    memcpy(to_hv + to_hv_end, bytes, len_bytes);
    to_hv_end += len_bytes;
}

static void peer_speaks(void)
{
    uint8_t bytes[512];
    size_t len_bytes;

    while ((len_bytes = link_tx(&peer, bytes, sizeof(bytes), peer_ms())) != 0)
        queue(bytes, len_bytes);
}

static int io_read(void *ctx)
{
    (void)ctx;
    f.now_us += READ_US;
    if (to_hv_at == to_hv_end && peer_listens)
        peer_speaks();
    if (to_hv_at == to_hv_end && on_idle_read)
        on_idle_read();
    return to_hv_at < to_hv_end ? to_hv[to_hv_at++] : -1;
}

static uint64_t io_clock(void *ctx)
{
    (void)ctx;
    return f.now_us;
}

static void typed(const uint8_t *bytes, size_t len_bytes)
{
    (void)bytes, (void)len_bytes;
}

static int setup(void **state)
{
    const struct line_io io = {NULL, io_write, io_read, io_clock};

    (void)state;
    fake_init(&f);
    f.now_us = 5000000;
    to_hv_at = to_hv_end = raw_bytes = got_bytes = 0;
    uart_stuck = false;
    on_idle_read = NULL;
    client_guest_input = typed;
    client_init(&client, &f.target, &io);
    return 0;
}

static void turn(unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        f.now_us += 1000;
        if (peer_listens)
            peer_speaks();
        client_poll(&client);
    }
}

/* A new client, with a nonce of its own. The guest runs or stands as it did. */
static void open_peer(uint32_t seed)
{
    link_init(&peer, LINK_CLIENT, seed, 2000, peer_ms());
    link_open(&peer, peer_ms());
    peer_listens = true;
    turn(300);
    assert_int_equal(peer.state, LINK_UP);
    assert_int_equal(client.line.mode, LINE_LINK);
    assert_int_equal(client.line.link.state, LINK_UP);
    got_bytes = 0;
    got[0] = 0;
}

static void say(const char *packet)
{
    assert_int_equal(link_send(&peer, LINK_RSP, packet, strlen(packet), false), strlen(packet));
    peer_speaks();
}

static void stand(void)
{
    client.line.running = false;
    client.stub.stopped = true;
}

/* The next client must find a working line, with nothing of the former. */
static void clean_start(uint32_t seed)
{
    open_peer(seed);
    say("qtl.echo:c0ffee");
    turn(60);
    assert_string_equal(got, "[c0ffee]");
    assert_int_equal(client.stub.breaks.count, 0);
    assert_false(client.is_waiting);
}

static void text_reaches_the_line(const char *text)
{
    size_t before = raw_bytes;

    line_text(&client.line, LINE_CONSOLE, text, strlen(text));
    assert_int_equal(raw_bytes - before, strlen(text));
    assert_memory_equal(raw + before, text, strlen(text));
}

/* The guest's own output may be what runs the timers when the silence is full. */
static void vanishes_while_the_guest_prints(void **state)
{
    (void)state;
    open_peer(1);
    peer_listens = false;
    for (unsigned ms = 0; ms < 10100; ms += 100) {
        f.now_us += 100000;
        line_text(&client.line, LINE_LOG, "a line\n", 7);
    }
    client_poll(&client);
    assert_int_equal(client.line.mode, LINE_TEXT);
    assert_false(client_attached(&client));
    text_reaches_the_line("login: ");
    clean_start(2);
}

/* Nobody takes the reply: the session ends, and the stopped guest goes on as the option says. */
static void vanishes_before_the_reply(void **state)
{
    (void)state;
    for (unsigned stops = 0; stops < 2; stops++) {
        setup(NULL);
        open_peer(3 + stops);
        client.stub.options.disconnect_stops = stops;
        stand();
        say("Z0,2000,1");
        turn(50);
        assert_int_equal(client.stub.breaks.count, 1);
        say("m0,7ff");
        say("m0,7ff");
        say("m0,7ff");
        say("m0,7ff");
        memset(f.mem, 0x5a, 0x800);
        for (unsigned i = 0; i < 0x800; i++)
            f.mem[i] = (uint8_t)(i * 37 + (i >> 3)); /* runs would make it short */
        peer_listens = false;
        turn(20);
        assert_int_equal(client.line.mode, LINE_TEXT);
        assert_int_equal(client.stub.stopped, stops);
        assert_int_equal(client.stub.breaks.count, 0);
        clean_start(5 + stops);
    }
}

static struct link second;
static bool second_began;

/* The second client's HELLO comes while the first one's reply waits for room. */
static size_t second_hello(void)
{
    uint8_t bytes[64];
    size_t len_bytes;

    if (second_began)
        return 0;
    second_began = true;
    link_init(&second, LINK_CLIENT, 77, 2000, peer_ms());
    link_open(&second, peer_ms());
    len_bytes = link_tx(&second, bytes, sizeof(bytes), peer_ms());
    queue(bytes, len_bytes);
    return len_bytes;
}

static void another_takes_over_within_a_reply(void **state)
{
    (void)state;
    open_peer(7);
    stand();
    for (unsigned i = 0; i < 0x800; i++)
        f.mem[i] = (uint8_t)(i * 37 + (i >> 3));
    for (unsigned i = 0; i < 4; i++)
        say("m0,7ff");
    peer_listens = false;
    second_began = false;
    on_idle_read = second_hello;
    turn(20);
    on_idle_read = NULL;
    assert_true(second_began);
    /* The very client that knocked must get in, not only a third one. */
    peer = second;
    peer_listens = true;
    turn(600);
    assert_int_equal(peer.state, LINK_UP);
    assert_int_equal(client.line.mode, LINE_LINK);
    assert_int_equal(client.line.link.state, LINK_UP);
    assert_string_equal(got, ""); /* nothing of the first one's replies */
    say("qtl.echo:01");
    turn(60);
    assert_string_equal(got, "[01]");
}

/* A HELLO ends the running session; its sender dies before it says another word. */
static void successor_never_comes(void **state)
{
    (void)state;
    open_peer(8);
    stand();
    say("Z0,2000,1");
    turn(50);
    peer_listens = false;
    second_began = false;
    second_hello();
    turn(11000);
    assert_int_equal(client.line.mode, LINE_TEXT);
    assert_false(client.stub.stopped);
    assert_int_equal(client.stub.breaks.count, 0);
    clean_start(9);
}

/* Steps and the next exit that a dead client asked for must not stop the guest for ever. */
static void goals_go_with_the_client(void **state)
{
    (void)state;
    open_peer(10);
    stand();
    say("vCont;s:1");
    turn(20);
    assert_false(client.stub.stopped);
    client.stub.run.cpu[0].goal = RUN_STEP;
    client.stub.run.any_exit = true;
    peer_listens = false;
    turn(11000);
    assert_false(client_attached(&client));
    assert_int_equal(client.stub.run.cpu[0].goal, RUN_CONTINUE);
    assert_false(client.stub.run.any_exit);
    assert_false(client.stub.reply_due);
}

static void half_a_packet_does_not_lock_the_link_out(void **state)
{
    static const char greeting[] = "$qSupported#37", half[] = "$m1000,";

    (void)state;
    peer_listens = false;
    stand();
    queue(greeting, sizeof(greeting) - 1);
    turn(5);
    assert_int_equal(client.line.mode, LINE_RSP);
    queue(half, sizeof(half) - 1); /* GDB is killed here */
    turn(300);
    clean_start(11);
}

static size_t slow_read(void *m, unsigned cpu, uint64_t gva, void *buf, size_t len_bytes)
{
    f.now_us += 1000000;
    return fake_mem_read(m, cpu, gva, buf, len_bytes);
}

/* A search through much memory: for as long as it takes nobody listens, which is no silence of the peer's. */
static void long_work_is_not_the_peers_silence(void **state)
{
    (void)state;
    open_peer(13);
    stand();
    say("Z0,2000,1");
    turn(50);
    f.target.mem_read = slow_read;
    say("qSearch:memory:0;8000;needle");
    turn(300);
    assert_true(f.now_us > 5000000 + 25000000);
    assert_int_equal(client.line.mode, LINE_LINK);
    assert_true(client.stub.stopped);
    assert_int_equal(client.stub.breaks.count, 1);
    assert_non_null(strstr(got, "[0]"));
    peer_listens = false; /* silence itself still ends the session */
    turn(10100);
    assert_int_equal(client.line.mode, LINE_TEXT);
}

/* Every byte of guest and log arrives, or is counted in what the log says. */
static void account(size_t sent_bytes, const char *text, char letter)
{
    size_t arrived = 0, told = 0;

    for (const char *c = text; *c; c++)
        arrived += *c == letter;
    for (const char *c = text; (c = strstr(c, "] tl: ")) != NULL; c++)
        told += strtoul(c + 6, NULL, 10);
    for (const char *c = text; (c = strstr(c, "t:lost;log:")) != NULL; c++)
        told += strtoul(c + 11, NULL, 16);
    assert_int_equal(arrived + told, sent_bytes);
    assert_true(told > 0);
    assert_int_equal(client.line.lost_bytes, told);
}

static void flood(unsigned lines)
{
    static const char text[] = "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~";

    for (unsigned i = 0; i < lines; i++)
        line_text(&client.line, i & 1 ? LINE_CONSOLE : LINE_LOG, text, sizeof(text) - 1);
}

static void a_reader_that_stops_is_told_what_it_missed(void **state)
{
    uint64_t begun_us;

    (void)state;
    open_peer(12);
    flood(50);
    turn(100);
    assert_int_equal(client.line.lost_bytes, 0); /* a reader loses nothing */
    peer_listens = false;
    begun_us = f.now_us;
    flood(500);
    assert_true(f.now_us - begun_us < 1500000); /* and a stuck one costs the guest little */
    peer_listens = true;
    turn(3000);
    account(550 * 64, got, '~');
    say("qtl.echo:02");
    turn(100);
    assert_non_null(strstr(got, "[02]"));
}

static void a_stuck_uart_is_told_of(void **state)
{
    (void)state;
    peer_listens = false;
    flood(10);
    uart_stuck = true;
    flood(100);
    uart_stuck = false;
    flood(10);
    account(120 * 64, (const char *)raw, '~');
}

static void a_full_backlog_is_told_of(void **state)
{
    static const char greeting[] = "$qSupported#37";

    (void)state;
    peer_listens = false;
    queue(greeting, sizeof(greeting) - 1);
    turn(5);
    line_set_running(&client.line, false);
    flood(300);
    line_set_running(&client.line, true);
    assert_true(client.line.lost_bytes > 0);
    assert_int_equal(client.line.lost_bytes, client.line.lost_told_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(vanishes_while_the_guest_prints, setup),
        cmocka_unit_test_setup(vanishes_before_the_reply, setup),
        cmocka_unit_test_setup(another_takes_over_within_a_reply, setup),
        cmocka_unit_test_setup(successor_never_comes, setup),
        cmocka_unit_test_setup(goals_go_with_the_client, setup),
        cmocka_unit_test_setup(half_a_packet_does_not_lock_the_link_out, setup),
        cmocka_unit_test_setup(long_work_is_not_the_peers_silence, setup),
        cmocka_unit_test_setup(a_reader_that_stops_is_told_what_it_missed, setup),
        cmocka_unit_test_setup(a_stuck_uart_is_told_of, setup),
        cmocka_unit_test_setup(a_full_backlog_is_told_of, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
