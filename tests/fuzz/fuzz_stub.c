/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: the whole debugger side of the line against a fake machine. The first byte chooses: raw
 * bytes of the UART; packets straight to the stub, with exits in between; or packets, guest output and
 * lost clients over the real link layer. Whatever leaves must be well-formed for its mode, and when the
 * client has gone nothing of its breakpoints may be left in the machine.
 */
#include <stdlib.h>

#include "dbg/client.h"
#include "tests/unit/fake_target.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

/* What an item of a link script may begin with; anything else is a packet. */
enum { ITEM_END = 0xff, ITEM_TIME = 0xfe, ITEM_REOPEN = 0xfd, ITEM_CLOSE = 0xfc, ITEM_TEXT = 0xfb };

static struct fake f;
static struct client client;
static struct link peer; /* link mode: the other end */
static bool over_link, peer_in_message;
static struct rsp_rx peer_rx; /* what a debugger makes of our bytes */
static uint8_t peer_buf[RSP_PACKET_MAX];
static const uint8_t *in_at, *in_end;

static uint32_t peer_ms(void)
{
    return (uint32_t)(f.now_us / 1000);
}

static void check_rsp(const uint8_t *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        enum rsp_event event = rsp_rx_byte(&peer_rx, bytes[i]);

        MUST(event == RSP_NONE || event == RSP_READY || event == RSP_ACK || event == RSP_NAK);
    }
    MUST(!rsp_rx_inside(&peer_rx)); /* a frame is one write */
}

static size_t io_write(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    volatile uint8_t sink = 0;

    (void)ctx;
    if (!over_link && client.line.mode == LINE_RSP)
        check_rsp(bytes, len_bytes);
    for (size_t i = 0; i < len_bytes; i++) {
        sink ^= bytes[i];
        if (over_link)
            link_rx_byte(&peer, bytes[i], peer_ms());
    }
    (void)sink;
    return len_bytes;
}

static void peer_receive(void)
{
    struct link_piece piece;

    if (link_events(&peer) & LINK_EV_OPEN)
        peer_in_message = false;
    while (link_receive(&peer, &piece)) {
        if (piece.channel == LINK_RSP) {
            if (!peer_in_message)
                rsp_rx_begin(&peer_rx);
            rsp_rx_data(&peer_rx, piece.bytes, piece.length);
            peer_in_message = piece.more;
            MUST(piece.more || rsp_rx_end(&peer_rx) == RSP_READY);
        } else {
            MUST(piece.channel >= LINK_CONSOLE && piece.channel <= LINK_EVENTS);
        }
        link_release(&peer);
    }
}

/* Takes an item off the script and does what it says at the client's end. */
static void peer_item(void)
{
    const uint8_t *item = in_at, *end = in_at;
    size_t len_bytes;

    while (end < in_end && *end != ITEM_END)
        end++;
    len_bytes = (size_t)(end - item);
    in_at = end < in_end ? end + 1 : end;
    if (!len_bytes)
        return;
    if (item[0] == ITEM_TIME)
        f.now_us += 50000u * (len_bytes > 1 ? item[1] : 1);
    else if (item[0] == ITEM_REOPEN)
        link_open(&peer, peer_ms());
    else if (item[0] == ITEM_CLOSE)
        link_close(&peer);
    else if (item[0] == ITEM_TEXT && len_bytes > 1)
        line_text(&client.line, item[1] % 3u, item + 2, len_bytes - 2);
    else
        link_send(&peer, item[0] == '~' ? LINK_CONSOLE : LINK_RSP, item, len_bytes, false);
}

static int io_read(void *ctx)
{
    uint8_t byte;

    (void)ctx;
    if (!over_link)
        return in_at < in_end ? *in_at++ : -1;
    peer_receive();
    return link_tx(&peer, &byte, 1, peer_ms()) ? byte : -1;
}

static uint64_t io_clock(void *ctx)
{
    (void)ctx;
    f.now_us += 50; /* waits of the link end */
    return f.now_us;
}

/* Nothing came: the next item of the script, or the machine goes on. */
static void idle(void *ctx)
{
    (void)ctx;
    if (over_link && in_at < in_end && *in_at != ITEM_END)
        peer_item();
    else
        client.stub.stopped = false;
}

static void drop(const uint8_t *bytes, size_t len_bytes)
{
    (void)bytes, (void)len_bytes;
}

/* An exit of each sort that the debugger may take for its own. */
static void happen(uint8_t which)
{
    bool stop;

    f.exit = (struct dbg_exit){
        .kind = which & 1   ? TL_KIND_EXCEPTION
                : which & 2 ? TL_KIND_NESTED_PAGE
                            : which % TL_KIND_COUNT,
        .vector = which & 4 ? 1 : 14,
        .access = DBG_EXEC,
        .gpa = f.reg[TL_REG_rip],
        .dr6 = which >> 3 & 1 ? DR6_BS : which >> 4,
    };
    run_before_entry(&client.stub.run, 0);
    f.inject.valid = false;
    if (!run_owns_exit(&client.stub.run, 0, &f.exit, &stop))
        run_filter(&client.stub.run, 0, &f.exit, which & 8 ? EVENT_AFTER : EVENT_BEFORE);
}

static void raw_bytes(void)
{
    while (in_at < in_end)
        if (client_poll(&client))
            client_serve(&client, 0, RUN_WHY_BREAK_IN, idle, &client);
}

static void packets(bool may_run)
{
    const uint8_t *begin = in_at;

    client.line.mode = LINE_RSP;
    while (in_at < in_end) {
        const uint8_t *end = in_at;

        while (end < in_end && *end != ITEM_END)
            end++;
        client.stub.stopped = !may_run || (end - begin) & 1;
        if ((size_t)(end - in_at) <= RSP_PACKET_MAX)
            client.line.up.packet(client.line.up.ctx, in_at, (size_t)(end - in_at));
        MUST(client.stub.reply.len_bytes <= sizeof(client.stub.reply.bytes));
        MUST(!client.stub.reply.failed || client.stub.reply.bytes[0] == 'E');
        if (end < in_end && end + 1 < in_end)
            happen(end[1]);
        in_at = end < in_end ? end + 1 : end;
    }
}

static void link_script(void)
{
    over_link = true;
    peer_in_message = false;
    link_init(&peer, LINK_CLIENT, 7, 2000, peer_ms());
    link_open(&peer, peer_ms());
    client_serve(&client, 0, RUN_WHY_BREAK_IN, idle, &client);
    while (in_at < in_end) {
        happen(*in_at++);
        if (client_poll(&client) || *(in_at - 1) & 0x80)
            client_serve(&client, 0, RUN_WHY_BREAK_IN, idle, &client);
    }
}

/* The client has gone without a word. */
static void check_left(void)
{
    uint64_t armed = 0;

    over_link = false;
    client.line.mode = LINE_TEXT;
    stub_session_end(&client.stub);
    client.stub.stopped = true;
    client.stub.dead = false;
    stub_let_go(&client.stub);
    MUST(!client.stub.stopped && !client.stub.breaks.count);
    run_before_entry(&client.stub.run, 0);
    MUST(!f.page_count && client.stub.pool.used_bytes <= POOL_BYTES);
    for (unsigned i = 0; i < EVENTS_MAX; i++)
        if (client.stub.events.event[i].used && client.stub.events.event[i].enabled)
            armed |= client.stub.events.event[i].kinds;
    MUST(client.stub.events.armed == armed);
}

/* Half a megabyte of state, the same at the start of every execution: copied, not built anew. */
static void start(void)
{
    static const struct line_io io = {NULL, io_write, io_read, io_clock};
    static struct fake first_fake;
    static struct client first_client;

    if (!client_guest_input) {
        client_guest_input = drop;
        fake_init(&f);
        client_init(&client, &f.target, &io);
        first_fake = f;
        first_client = client;
        return;
    }
    f = first_fake;
    client = first_client;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 9000)
        return 0;
    over_link = false;
    start();
    rsp_rx_init(&peer_rx, peer_buf, sizeof(peer_buf), true);
    in_at = data + 1;
    in_end = data + size;
    if (data[0] & 1)
        raw_bytes();
    else if (data[0] & 4)
        link_script();
    else
        packets(data[0] & 2);
    check_left();
    return 0;
}
