/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sessions and timers of the link, and its CRC. Bytes in are link_rx.c, bytes out link_tx.c.
 */
#include "protocol/link_impl.h"

#include <string.h>

uint32_t link_crc32(uint32_t start, const void *bytes, size_t length)
{
    /* Half a byte at a time: 64 bytes of table, and fast enough for any serial line. */
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *b = bytes;
    uint32_t crc = start;

    for (size_t i = 0; i < length; i++) {
        crc ^= b[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

uint32_t link_session_number(uint32_t client_nonce, uint32_t server_nonce)
{
    uint32_t session = client_nonce ^ (server_nonce << 16 | server_nonce >> 16);

    return session ? session : 1;
}

/* Not secret, only different: xorshift over the seed, stirred with the time. */
uint32_t link_new_nonce(struct link *link, uint32_t now_ms)
{
    uint32_t x = link->seed ^ now_ms * 2654435761u;

    do {
        x += 0x9e3779b9;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
    } while (!x || x == link->client_nonce || x == link->old_nonce);
    link->seed = x;
    return x;
}

void link_reset_session(struct link *link, uint32_t now_ms)
{
    for (unsigned i = 0; i < LINK_WINDOW; i++)
        link->rx_slot[i].used = link->tx_slot[i].used = link->tx_slot[i].due = false;
    link->rx_read = link->rx_next = link->tx_base = link->tx_next = 0;
    link->rx_unacked = 0;
    link->ack_waiting = link->ack_now = link->ack_frame = link->nak_now = false;
    link->hello_now = link->welcome_now = link->poll_now = link->silent = false;
    link->byes = 0;
    link->out_seq = -1; /* a frame of the old session may still leave; nobody will believe it */
    link->fragment_max = LINK_PAYLOAD_MAX;
    link->good_frames = 0;
    link->srtt_x8_ms = SRTT_FIRST_MS * 8;
    link->backoff = 0;
    link->rx_frame_ms = link->poll_ms = now_ms;
    link->nak_ms = now_ms - NAK_EVERY_MS;
}

void link_init(struct link *link, enum link_role role, uint32_t seed, uint32_t lost_after_ms,
               uint32_t now_ms)
{
    memset(link, 0, sizeof(*link));
    link->role = role;
    link->seed = seed;
    link->lost_after_ms = lost_after_ms;
    link_reset_session(link, now_ms);
}

void link_open(struct link *link, uint32_t now_ms)
{
    link_reset_session(link, now_ms);
    link->old_nonce = link->client_nonce;
    link->client_nonce = link_new_nonce(link, now_ms);
    link->state = LINK_OPENING;
    link->hello_now = true;
    link->hello_ms = now_ms;
}

void link_close(struct link *link)
{
    if (link->state == LINK_DOWN)
        return;
    for (unsigned i = 0; i < LINK_WINDOW; i++)
        link->tx_slot[i].used = link->tx_slot[i].due = false;
    link->tx_base = link->tx_next;
    link->byes = link->state == LINK_OPENING ? 0 : BYE_COUNT;
    link->hello_now = link->welcome_now = link->ack_now = link->ack_waiting = false;
    link->ack_frame = link->nak_now = link->poll_now = false;
    if (link->state == LINK_WAITING)
        link->client_nonce = 0; /* it never began: the same HELLO may come again */
    link->old_nonce = link->client_nonce;
    link->state = LINK_DOWN;
    link->rx_inside = link->rx_length != 0;
}

void link_set_eager(struct link *link, bool on)
{
    link->eager = on;
}

void link_was_deaf(struct link *link, uint32_t now_ms)
{
    link->rx_frame_ms = now_ms;
}

void link_ack_now(struct link *link)
{
    if (link->ack_waiting)
        link->ack_now = true;
}

unsigned link_events(struct link *link)
{
    unsigned events = link->events;

    link->events = 0;
    return events;
}

static void check_silence(struct link *link, uint32_t now_ms)
{
    uint32_t silence_ms = now_ms - link->rx_frame_ms;

    if (!link->lost_after_ms || silence_ms < link->lost_after_ms)
        return;
    if (link->role == LINK_CLIENT) {
        if (!link->silent)
            link->events |= LINK_EV_LOST;
        link->silent = true;
        return;
    }
    if (link->state == LINK_UP) {
        link->events |= LINK_EV_LOST;
        link->old_nonce = link->client_nonce;
    } else {
        link->client_nonce = 0; /* it never began: the same HELLO may come again */
    }
    link_reset_session(link, now_ms);
    link->state = LINK_DOWN;
    link->rx_inside = link->rx_length != 0;
}

static void check_resend(struct link *link, uint32_t now_ms)
{
    uint32_t rto_ms = link_rto_ms(link);
    bool oldest = true;

    for (uint8_t seq = link->tx_base; seq != link->tx_next; seq++) {
        struct link_slot *slot = &link->tx_slot[seq % LINK_WINDOW];

        if (!slot->used)
            continue; /* already there, by an ACK's bitmap */
        if (slot->sends && !slot->due && link->out_seq != seq &&
            link_reached(now_ms, slot->sent_ms + rto_ms)) {
            slot->due = true;
            if (oldest && link->backoff < 6)
                link->backoff++;
        }
        oldest = false;
    }
}

void link_poll(struct link *link, uint32_t now_ms)
{
    if (link->rx_inside && link->rx_length && link->state != LINK_UP &&
        link_reached(now_ms, link->rx_byte_ms + GAP_MS)) {
        /* Not a frame after all: give the bytes back to whoever reads text. */
        link->stats.resyncs++;
        if (link->text)
            link->text(link->text_ctx, link->rx_buf, link->rx_length);
        link->rx_inside = link->rx_escape = false;
        link->rx_length = 0;
    }
    if (link->state == LINK_OPENING && link_reached(now_ms, link->hello_ms + HELLO_MS)) {
        link->hello_now = true;
        link->hello_ms = now_ms;
    }
    if (link->state != LINK_WAITING && link->state != LINK_UP)
        return;
    check_silence(link, now_ms);
    if (link->state != LINK_UP)
        return;
    check_resend(link, now_ms);
    if (link->ack_waiting && link_reached(now_ms, link->ack_due_ms))
        link->ack_now = true;
    if (link->role == LINK_CLIENT && link_reached(now_ms, link->rx_frame_ms + POLL_MS) &&
        link_reached(now_ms, link->poll_ms + POLL_MS)) {
        link->poll_now = true;
        link->poll_ms = now_ms;
    }
}

/* The earlier of a known wait and a deadline. */
static int sooner(int wait_ms, uint32_t now_ms, uint32_t deadline_ms)
{
    int left_ms = link_reached(now_ms, deadline_ms) ? 0 : (int)(deadline_ms - now_ms);

    return wait_ms < 0 || left_ms < wait_ms ? left_ms : wait_ms;
}

int link_wait_ms(const struct link *link, uint32_t now_ms)
{
    int wait_ms = -1;

    if (link->out_at < link->out_length || link->hello_now || link->welcome_now || link->byes ||
        link->ack_now || link->ack_frame || link->nak_now || link->poll_now)
        return 0;
    if (link->rx_inside && link->rx_length && link->state != LINK_UP)
        wait_ms = sooner(wait_ms, now_ms, link->rx_byte_ms + GAP_MS);
    if (link->state == LINK_OPENING)
        wait_ms = sooner(wait_ms, now_ms, link->hello_ms + HELLO_MS);
    if (link->state == LINK_WAITING || link->state == LINK_UP)
        if (link->lost_after_ms && !link->silent)
            wait_ms = sooner(wait_ms, now_ms, link->rx_frame_ms + link->lost_after_ms);
    if (link->state != LINK_UP)
        return wait_ms;
    for (unsigned i = 0; i < LINK_WINDOW; i++) {
        const struct link_slot *slot = &link->tx_slot[i];

        if (slot->used && slot->due)
            return 0;
        if (slot->used)
            wait_ms = sooner(wait_ms, now_ms, slot->sent_ms + link_rto_ms(link));
    }
    if (link->ack_waiting)
        wait_ms = sooner(wait_ms, now_ms, link->ack_due_ms);
    if (link->role == LINK_CLIENT) {
        uint32_t poll_ms = link->rx_frame_ms + POLL_MS;

        if (!link_reached(poll_ms, link->poll_ms + POLL_MS))
            poll_ms = link->poll_ms + POLL_MS;
        wait_ms = sooner(wait_ms, now_ms, poll_ms);
    }
    return wait_ms;
}
