/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bytes from the line: where a frame begins and ends, whether it is whole, and what it says.
 * Nothing that arrives is believed before its CRC is right.
 */
#include "protocol/link_impl.h"

#include <string.h>

#define TEXT_LINE_MIN 8u /* shorter printable lines in a session are taken for noise */

static void complain(struct link *link, uint32_t now_ms)
{
    if (link->state == LINK_UP && link_reached(now_ms, link->nak_ms + NAK_EVERY_MS)) {
        link->nak_now = true;
        link->nak_ms = now_ms;
    }
}

static void accept_data(struct link *link, uint8_t type, uint8_t seq, const uint8_t *payload,
                        size_t length, uint32_t now_ms)
{
    struct link_slot *slot = &link->rx_slot[seq % LINK_WINDOW];
    bool in_order = seq == link->rx_next;

    if ((uint8_t)(seq - link->rx_next) >= LINK_WINDOW ||
        (slot->used && (uint8_t)(seq - link->rx_read) < LINK_WINDOW)) {
        link->stats.duplicates++;
        link->ack_now = true;
        return;
    }
    if ((uint8_t)(seq - link->rx_read) >= LINK_WINDOW) {
        link->stats.no_room++;
        return;
    }
    slot->used = true;
    slot->type = type;
    slot->length = (uint16_t)length;
    memcpy(slot->data, payload, length);
    while ((uint8_t)(link->rx_next - link->rx_read) < LINK_WINDOW &&
           link->rx_slot[link->rx_next % LINK_WINDOW].used)
        link->rx_next++;
    if (!in_order)
        link->ack_frame = true; /* its bitmap tells the sender what is missing */
    if (++link->rx_unacked >= 2 || link->eager)
        link->ack_now = true;
    if (!link->ack_waiting)
        link->ack_due_ms = now_ms + ACK_DELAY_MS;
    link->ack_waiting = true;
}

static void got_hello(struct link *link, const uint8_t *payload, size_t length, uint32_t now_ms)
{
    uint32_t nonce;

    if (link->role != LINK_SERVER || length != HELLO_BYTES || payload[0] != LINK_VERSION ||
        !(nonce = link_get32(payload + 4)) ||
        (nonce == link->old_nonce && nonce != link->client_nonce) ||
        (nonce == link->client_nonce && link->state == LINK_DOWN)) {
        link->stats.ignored++;
        return;
    }
    if (nonce != link->client_nonce) {
        if (link->state == LINK_UP)
            link->events |= LINK_EV_REPLACED;
        link_reset_session(link, now_ms);
        link->old_nonce = link->client_nonce;
        link->client_nonce = nonce;
        link->server_nonce = link_new_nonce(link, now_ms);
        link->session = link_session_number(nonce, link->server_nonce);
        link->state = LINK_WAITING;
    }
    if (link->state == LINK_WAITING)
        link->rx_frame_ms = now_ms;
    link->welcome_now = true;
}

static void got_welcome(struct link *link, const uint8_t *payload, size_t length, uint32_t now_ms)
{
    if (link->role != LINK_CLIENT || length != WELCOME_BYTES || payload[0] != LINK_VERSION ||
        link_get32(payload + 4) != link->client_nonce || link->state == LINK_DOWN) {
        link->stats.ignored++;
        return;
    }
    if (link->state == LINK_OPENING) {
        link->server_nonce = link_get32(payload + 8);
        link->session = link_session_number(link->client_nonce, link->server_nonce);
        link->state = LINK_UP;
        link->hello_now = false;
        link->events |= LINK_EV_OPEN;
        link->rx_frame_ms = now_ms;
    }
    link->ack_frame = true; /* lets the server begin; again if it asks again */
}

static void in_session(struct link *link, const uint8_t *frame, size_t length, uint32_t now_ms)
{
    uint8_t type = frame[0], seq = frame[1], ack = frame[2];
    const uint8_t *payload = frame + LINK_HEAD;

    length -= LINK_HEAD;
    if (link->state == LINK_WAITING) {
        link->state = LINK_UP;
        link->events |= LINK_EV_OPEN;
    }
    if (link->silent) {
        link->silent = false;
        link->events |= LINK_EV_BACK;
    }
    link->rx_frame_ms = now_ms;
    switch (type >> 4) {
    case FRAME_DATA:
        link_tx_acked(link, ack, now_ms);
        accept_data(link, type, seq, payload, length, now_ms);
        break;
    case FRAME_ACK:
        if (length != 1) {
            link->stats.ignored++;
            break;
        }
        link_tx_bitmap(link, ack, payload[0]);
        link_tx_acked(link, ack, now_ms);
        if (type & ACK_DAMAGED)
            link_tx_damaged(link, now_ms);
        if (type & ACK_POLL)
            link->ack_frame = true;
        break;
    case FRAME_BYE:
        link->old_nonce = link->client_nonce;
        link_reset_session(link, now_ms);
        link->state = LINK_DOWN;
        link->events |= LINK_EV_CLOSED;
        break;
    default:
        link->stats.ignored++;
    }
}

/* The peer goes on with a session that we have ended: our goodbye was lost, or the silence that ended
 * it was longer here than there. */
static void session_is_over(struct link *link, uint8_t kind)
{
    link->stats.ignored++;
    if (link->state == LINK_DOWN && link->session && kind != FRAME_BYE && !link->byes)
        link->byes = 1;
}

static void frame_done(struct link *link, uint32_t now_ms)
{
    const uint8_t *frame = link->rx_buf;
    size_t length = link->rx_length;
    bool greeting, escape = link->rx_escape;
    uint32_t crc;

    link->rx_length = 0;
    link->rx_escape = false;
    if (!length)
        return;
    if (length < LINK_HEAD + LINK_CRC || escape) {
        link->stats.bad_crc++;
        complain(link, now_ms);
        return;
    }
    length -= LINK_CRC;
    crc = link_get32(frame + length);
    greeting = frame[0] >> 4 == FRAME_HELLO || frame[0] >> 4 == FRAME_WELCOME;
    if (crc != link_crc32(greeting ? UINT32_MAX : UINT32_MAX ^ link->session, frame, length)) {
        link->stats.bad_crc++;
        complain(link, now_ms);
        return;
    }
    link->stats.frames_in++;
    if (frame[0] >> 4 == FRAME_HELLO)
        got_hello(link, frame + LINK_HEAD, length - LINK_HEAD, now_ms);
    else if (frame[0] >> 4 == FRAME_WELCOME)
        got_welcome(link, frame + LINK_HEAD, length - LINK_HEAD, now_ms);
    else if (link->state == LINK_UP || link->state == LINK_WAITING)
        in_session(link, frame, length, now_ms);
    else
        session_is_over(link, frame[0] >> 4);
}

static bool is_printable_line(const uint8_t *bytes, size_t length)
{
    if (length < TEXT_LINE_MIN)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((bytes[i] < 0x20 && bytes[i] != '\t' && bytes[i] != '\r' && bytes[i] != '\n') ||
            bytes[i] > 0x7e)
            return false;
    return true;
}

/* The frame being received has lost its end; what was swallowed may be text. */
static void give_up(struct link *link, uint32_t now_ms)
{
    bool up = link->state == LINK_UP;

    link->stats.resyncs++;
    if (link->text && link->rx_length && (!up || is_printable_line(link->rx_buf, link->rx_length)))
        link->text(link->text_ctx, link->rx_buf, link->rx_length);
    link->rx_length = 0;
    link->rx_escape = false;
    link->rx_inside = up; /* in a session nothing but frames is expected */
    complain(link, now_ms);
}

void link_rx_byte(struct link *link, uint8_t byte, uint32_t now_ms)
{
    bool gap = link_reached(now_ms, link->rx_byte_ms + GAP_MS);

    link->stats.bytes_in++;
    if (link->rx_inside && link->rx_length && gap)
        give_up(link, now_ms);
    link->rx_byte_ms = now_ms;
    if (byte == LINK_FLAG) {
        bool ends = link->rx_inside && link->rx_length;

        if (link->rx_inside)
            frame_done(link, now_ms);
        /* Behind a session's last frame comes text, not another frame. */
        link->rx_inside = !ends || link->state != LINK_DOWN;
        link->rx_length = 0;
        link->rx_escape = false;
        return;
    }
    if (!link->rx_inside) {
        if (link->text)
            link->text(link->text_ctx, &byte, 1);
        return;
    }
    if (byte == '\n') {
        link->rx_buf[link->rx_length++] = byte; /* rx_buf has one byte more than a frame */
        give_up(link, now_ms);
        return;
    }
    if (byte == LINK_ESC && !link->rx_escape) {
        link->rx_escape = true;
        return;
    }
    if (link->rx_length == LINK_FRAME_MAX)
        give_up(link, now_ms);
    link->rx_buf[link->rx_length++] = link->rx_escape ? byte ^ LINK_ESC_XOR : byte;
    link->rx_escape = false;
    if (!link->rx_inside) { /* just given up outside a session: this byte is text as well */
        link->rx_length = 0;
        if (link->text)
            link->text(link->text_ctx, &byte, 1);
    }
}

bool link_receive(struct link *link, struct link_piece *piece)
{
    const struct link_slot *slot = &link->rx_slot[link->rx_read % LINK_WINDOW];

    if (link->rx_read == link->rx_next)
        return false;
    piece->channel = slot->type & DATA_CHANNEL;
    piece->more = slot->type & DATA_MORE;
    piece->bytes = slot->data;
    piece->length = slot->length;
    return true;
}

void link_release(struct link *link)
{
    if (link->rx_read == link->rx_next)
        return;
    link->rx_slot[link->rx_read % LINK_WINDOW].used = false;
    link->rx_read++;
}
