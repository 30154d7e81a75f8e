/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * RSP over the link layer (protocol/README.md, section 3): every message arrives once and in order, so
 * nothing is repeated here. Guest console and log have channels of their own. A silent line is noticed
 * within two seconds.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "monitor/session_impl.h"
#include "protocol/link.h"
#include "protocol/rsp.h"

#define GOODBYE_ROUNDS  10 /* of 20 ms */
#define MESSAGE_BYTES   (2 * SESSION_FRAME_BYTES)
#define LINE_KEPT_BYTES 64 /* of a line of text: more than its time and "tl:" */

struct linked {
    struct link link;
    struct rsp_rx rx;
    uint8_t payload[SESSION_FRAME_BYTES];
    char event[LINK_PAYLOAD_MAX + 1]; /* a message on EVENTS, as far as it has come */
    size_t event_len_bytes;
    bool rx_begun;
    bool log_seen;              /* a line of the hypervisor's log as text, since the last frame */
    char line[LINE_KEPT_BYTES]; /* the text line that comes in */
    size_t line_len_bytes;
    uint32_t log_frames_in;       /* frames before it */
    uint8_t queue[MESSAGE_BYTES]; /* RSP messages that the window did not take yet: length, bytes */
    size_t queue_len_bytes;
    size_t message_left_bytes; /* of the message at the head of the queue */
    bool message_open;
};

static uint32_t now32(void)
{
    return (uint32_t)session_now_ms();
}

/* Text between frames. A hypervisor with a session has its log in frames: one that writes text has
 * none any more. */
static void on_text(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    struct session *session = ctx;
    struct linked *linked = session->carrier_state;

    for (size_t i = 0; linked && i < len_bytes; i++) {
        if (bytes[i] == '\n') {
            linked->line[linked->line_len_bytes] = '\0';
            if (linked->line[0] == '[' && strstr(linked->line, "] tl: ")) {
                linked->log_seen = true;
                linked->log_frames_in = linked->link.stats.frames_in;
            }
            linked->line_len_bytes = 0;
        } else if (linked->line_len_bytes + 1 < sizeof(linked->line)) {
            linked->line[linked->line_len_bytes++] = (char)bytes[i];
        }
    }
    session_text(session, bytes, len_bytes);
}

/* Everything the link has to say, to the line. */
static bool drain(struct session *session, struct linked *linked)
{
    uint8_t bytes[1024];
    size_t got;

    while ((got = link_tx(&linked->link, bytes, sizeof(bytes), now32())) > 0)
        if (!session_put(session, bytes, got))
            return false;
    return true;
}

/* Feeds queued messages to the window. Each is stored as two length bytes and its bytes. */
static void feed(struct linked *linked)
{
    while (linked->queue_len_bytes > 0) {
        size_t took;

        if (!linked->message_open) {
            if (linked->queue_len_bytes < 2)
                return;
            linked->message_left_bytes = (size_t)linked->queue[0] | (size_t)linked->queue[1] << 8;
            linked->queue_len_bytes -= 2;
            memmove(linked->queue, linked->queue + 2, linked->queue_len_bytes);
            linked->message_open = true;
        }
        took = link_send(&linked->link, LINK_RSP, linked->queue, linked->message_left_bytes, false);
        linked->queue_len_bytes -= took;
        linked->message_left_bytes -= took;
        memmove(linked->queue, linked->queue + took, linked->queue_len_bytes);
        if (linked->message_left_bytes > 0)
            return;
        linked->message_open = false;
    }
}

static bool enqueue(struct session *session, const uint8_t *bytes, size_t len_bytes)
{
    struct linked *linked = session->carrier_state;

    if (!linked || linked->queue_len_bytes + len_bytes + 2 > sizeof(linked->queue))
        return false;
    linked->queue[linked->queue_len_bytes++] = (uint8_t)len_bytes;
    linked->queue[linked->queue_len_bytes++] = (uint8_t)(len_bytes >> 8);
    memcpy(linked->queue + linked->queue_len_bytes, bytes, len_bytes);
    linked->queue_len_bytes += len_bytes;
    feed(linked);
    return drain(session, linked);
}

static bool linked_send(struct session *session, const uint8_t *payload, size_t len_bytes)
{
    uint8_t frame[SESSION_FRAME_BYTES];
    const uint8_t *message;
    struct rsp_tx tx;

    rsp_tx_start(&tx, frame, sizeof(frame), false);
    rsp_tx_binary(&tx, payload, len_bytes);
    if (rsp_tx_finish(&tx) == 0)
        return false;
    message = rsp_tx_payload(&tx, &len_bytes);
    return enqueue(session, message, len_bytes);
}

static bool linked_break_in(struct session *session)
{
    static const uint8_t byte = RSP_BREAK_BYTE;

    return enqueue(session, &byte, 1);
}

static void take_rsp(struct session *session, struct linked *linked, const struct link_piece *piece)
{
    if (!linked->rx_begun)
        rsp_rx_begin(&linked->rx);
    linked->rx_begun = true;
    rsp_rx_data(&linked->rx, piece->bytes, piece->length);
    if (piece->more)
        return;
    linked->rx_begun = false;
    if (rsp_rx_end(&linked->rx) == RSP_READY)
        session_packet(session, linked->payload, linked->rx.length);
    else
        session->counts.damaged++;
}

/* On a bad line a message comes in parts; what is longer than any of ours is cut. */
static void take_event(struct session *session, struct linked *linked,
                       const struct link_piece *piece)
{
    size_t room = sizeof(linked->event) - 1 - linked->event_len_bytes;
    size_t part = piece->length < room ? piece->length : room;

    memcpy(linked->event + linked->event_len_bytes, piece->bytes, part);
    linked->event_len_bytes += part;
    if (piece->more)
        return;
    linked->event[linked->event_len_bytes] = '\0';
    linked->event_len_bytes = 0;
    session_event(session, linked->event);
}

static void watch(struct session *session, struct linked *linked)
{
    unsigned events = link_events(&linked->link);

    if (linked->link.stats.frames_in != linked->log_frames_in)
        linked->log_seen = false;
    if (events & LINK_EV_LOST) {
        session->silent = true;
        if (!linked->log_seen)
            session->calls.silent(session->calls.ctx, true);
    }
    if (events & LINK_EV_BACK) {
        session->silent = false;
        session->calls.silent(session->calls.ctx, false);
    }
    if (events & LINK_EV_CLOSED)
        session_lose(session, "the hypervisor has ended the session (it said goodbye, or had heard "
                              "nothing of us for long)");
    else if (session->silent && linked->log_seen)
        session_lose(session, "the hypervisor has started anew, and its session is over");
}

static void linked_input(struct session *session, const uint8_t *bytes, size_t len_bytes)
{
    struct linked *linked = session->carrier_state;
    struct link_piece piece;
    uint32_t now_ms = now32();

    for (size_t i = 0; linked && i < len_bytes; i++) {
        link_rx_byte(&linked->link, bytes[i], now_ms);
        while (linked && link_receive(&linked->link, &piece)) {
            if (piece.channel == LINK_RSP)
                take_rsp(session, linked, &piece);
            else if (piece.channel == LINK_EVENTS)
                take_event(session, linked, &piece);
            else if (piece.length > 0)
                session_text(session, piece.bytes, piece.length);
            linked = session->carrier_state; /* a callback may have closed it */
            if (linked)
                link_release(&linked->link);
        }
    }
    if (!linked)
        return;
    session->counts.repeats = linked->link.stats.resent;
    session->counts.damaged = linked->link.stats.bad_crc;
    watch(session, linked);
    feed(linked);
    drain(session, linked);
}

static int linked_tick(struct session *session, uint64_t now_ms)
{
    struct linked *linked = session->carrier_state;

    if (!linked)
        return -1;
    link_poll(&linked->link, (uint32_t)now_ms);
    watch(session, linked);
    feed(linked);
    if (!drain(session, linked))
        return -1;
    return link_wait_ms(&linked->link, now32());
}

static bool linked_open(struct session *session)
{
    struct linked *linked = calloc(1, sizeof(*linked));

    if (!linked)
        return false;
    link_init(&linked->link, LINK_CLIENT, (uint32_t)session_now_ms() ^ (uint32_t)getpid() << 16,
              2000, now32());
    linked->link.text = on_text;
    linked->link.text_ctx = session;
    rsp_rx_init(&linked->rx, linked->payload, sizeof(linked->payload), true);
    session->carrier_state = linked;
    link_open(&linked->link, now32());
    return drain(session, linked);
}

static bool linked_up(struct session *session)
{
    struct linked *linked = session->carrier_state;

    return linked && linked->link.state == LINK_UP;
}

/* The goodbye is not acknowledged, and an emulator may drop what it has not read when we hang up: give
 * it time to arrive, else the hypervisor waits ten seconds for us. */
static void say_goodbye(struct session *session, struct linked *linked)
{
    struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};

    link_close(&linked->link);
    for (unsigned round = 0; round < GOODBYE_ROUNDS; round++) {
        if (!drain(session, linked) || !transport_flush(session->transport))
            return;
        nanosleep(&pause, NULL);
    }
}

static void linked_close(struct session *session)
{
    struct linked *linked = session->carrier_state;

    if (!linked)
        return;
    if (linked->link.state == LINK_UP && session->state != SESSION_LOST)
        say_goodbye(session, linked);
    free(linked);
    session->carrier_state = NULL;
}

const struct carrier carrier_link = {
    .name = "link",
    .open = linked_open,
    .up = linked_up,
    .send = linked_send,
    .break_in = linked_break_in,
    .input = linked_input,
    .tick = linked_tick,
    .close = linked_close,
};
