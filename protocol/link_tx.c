/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bytes to the line: cutting messages into frames, choosing what goes next, and what must go again.
 */
#include "protocol/link_impl.h"

#include <string.h>

static size_t stuff(uint8_t *wire, const uint8_t *bytes, size_t length)
{
    size_t n = 0;

    for (size_t i = 0; i < length; i++) {
        uint8_t b = bytes[i];

        if (b == 0x03 || b == '\n' || b == 0x11 || b == 0x13 || b == LINK_ESC || b == LINK_FLAG) {
            wire[n++] = LINK_ESC;
            b ^= LINK_ESC_XOR;
        }
        wire[n++] = b;
    }
    return n;
}

size_t link_encode(uint8_t *wire, uint32_t session, const uint8_t *frame, size_t length)
{
    uint8_t crc[LINK_CRC];
    size_t n = 0;

    link_put32(crc, link_crc32(UINT32_MAX ^ session, frame, length));
    wire[n++] = LINK_FLAG;
    n += stuff(wire + n, frame, length);
    n += stuff(wire + n, crc, sizeof(crc));
    wire[n++] = LINK_FLAG;
    return n;
}

uint32_t link_rto_ms(const struct link *link)
{
    uint32_t rto_ms = link->srtt_x8_ms / 2; /* four times the smoothed round trip */

    if (rto_ms < RTO_MIN_MS)
        rto_ms = RTO_MIN_MS;
    rto_ms <<= link->backoff;
    return rto_ms > RTO_MAX_MS ? RTO_MAX_MS : rto_ms;
}

static uint8_t outstanding(const struct link *link)
{
    return (uint8_t)(link->tx_next - link->tx_base);
}

unsigned link_room(const struct link *link)
{
    return link->state == LINK_UP ? LINK_WINDOW - outstanding(link) : 0;
}

bool link_idle(const struct link *link)
{
    return !outstanding(link);
}

static void measure(struct link *link, const struct link_slot *slot, uint32_t now_ms)
{
    uint32_t rtt_ms = now_ms - slot->sent_ms;

    if (slot->sends != 1 || rtt_ms > RTO_MAX_MS) /* of a resent frame one cannot know which */
        return;
    link->srtt_x8_ms += rtt_ms - link->srtt_x8_ms / 8;
}

static void slot_arrived(struct link *link, struct link_slot *slot)
{
    slot->used = slot->due = false;
    if (slot->sends == 1 && ++link->good_frames >= GROW_AFTER) {
        link->good_frames = 0;
        if (link->fragment_max < LINK_PAYLOAD_MAX)
            link->fragment_max *= 2;
    }
}

void link_tx_acked(struct link *link, uint8_t ack, uint32_t now_ms)
{
    uint8_t count = (uint8_t)(ack - link->tx_base);

    if (count > outstanding(link))
        return; /* old news */
    for (; count; count--, link->tx_base++) {
        struct link_slot *slot = &link->tx_slot[link->tx_base % LINK_WINDOW];

        if (slot->used) {
            measure(link, slot, now_ms);
            slot_arrived(link, slot);
        }
        link->backoff = 0;
    }
}

/* Frame ack+1+n arrived for each bit n. What was sent before one of them and is still missing is
 * lost, because a line does not reorder. */
void link_tx_bitmap(struct link *link, uint8_t ack, uint8_t bitmap)
{
    uint32_t newest = 0;
    bool any = false;

    if ((uint8_t)(ack - link->tx_base) > outstanding(link))
        return;
    for (unsigned n = 0; n < 8; n++) {
        uint8_t seq = (uint8_t)(ack + 1 + n);
        struct link_slot *slot = &link->tx_slot[seq % LINK_WINDOW];

        if (!(bitmap >> n & 1) || (uint8_t)(seq - link->tx_base) >= outstanding(link))
            continue;
        if (slot->sends && (!any || (int32_t)(slot->order - newest) > 0)) {
            newest = slot->order;
            any = true;
        }
        if (slot->used)
            slot_arrived(link, slot);
    }
    for (uint8_t seq = ack; any && seq != link->tx_next; seq++) {
        struct link_slot *slot = &link->tx_slot[seq % LINK_WINDOW];

        if (slot->used && slot->sends && link->out_seq != seq &&
            (int32_t)(slot->order - newest) < 0)
            slot->due = true;
    }
}

/* Something arrived damaged over there: most likely the oldest frame that is still missing. */
void link_tx_damaged(struct link *link, uint32_t now_ms)
{
    for (uint8_t seq = link->tx_base; seq != link->tx_next; seq++) {
        struct link_slot *slot = &link->tx_slot[seq % LINK_WINDOW];

        if (!slot->used)
            continue;
        if (slot->sends && link->out_seq != seq && now_ms - slot->sent_ms >= link->srtt_x8_ms / 16)
            slot->due = true;
        return;
    }
}

static bool is_stream(enum link_channel channel)
{
    return channel == LINK_CONSOLE || channel == LINK_LOG;
}

/* Adds to the youngest frame if it has not left yet. */
static size_t join(struct link *link, enum link_channel channel, const uint8_t *bytes,
                   size_t length)
{
    struct link_slot *slot = &link->tx_slot[(uint8_t)(link->tx_next - 1) % LINK_WINDOW];
    size_t room;

    if (!outstanding(link) || !slot->used || slot->sends ||
        slot->type != (FRAME_DATA << 4 | channel) || slot->length >= link->fragment_max)
        return 0;
    room = link->fragment_max - slot->length;
    if (length > room)
        length = room;
    memcpy(slot->data + slot->length, bytes, length);
    slot->length = (uint16_t)(slot->length + length);
    return length;
}

size_t link_send(struct link *link, enum link_channel channel, const void *bytes, size_t length,
                 bool more)
{
    const uint8_t *from = bytes;
    size_t taken = 0;

    if (link->state != LINK_UP)
        return 0;
    if (is_stream(channel)) {
        more = false;
        taken = join(link, channel, from, length);
        if (taken == length)
            return taken;
    }
    while (link_room(link)) {
        struct link_slot *slot = &link->tx_slot[link->tx_next % LINK_WINDOW];
        size_t part = length - taken;

        if (part > link->fragment_max)
            part = link->fragment_max;
        slot->used = slot->due = true;
        slot->sends = 0;
        slot->length = (uint16_t)part;
        slot->type = FRAME_DATA << 4 | channel;
        if (part)
            memcpy(slot->data, from + taken, part);
        taken += part;
        if (!is_stream(channel) && (more || taken < length))
            slot->type |= DATA_MORE;
        link->tx_next++;
        if (taken == length)
            break;
    }
    return taken;
}

static void put_frame(struct link *link, uint32_t session, const uint8_t *frame, size_t length)
{
    link->out_length = (uint16_t)link_encode(link->out, session, frame, length);
    link->out_at = 0;
    link->stats.frames_out++;
}

/* Whatever goes out now carries the current ack. */
static void acked_everything(struct link *link)
{
    link->rx_unacked = 0;
    link->ack_waiting = link->ack_now = false;
}

static uint8_t rx_bitmap(const struct link *link)
{
    uint8_t bitmap = 0;

    for (unsigned n = 0; n < LINK_WINDOW - 1; n++) {
        uint8_t seq = (uint8_t)(link->rx_next + 1 + n);

        if ((uint8_t)(seq - link->rx_read) < LINK_WINDOW && link->rx_slot[seq % LINK_WINDOW].used)
            bitmap |= (uint8_t)(1 << n);
    }
    return bitmap;
}

static void put_ack(struct link *link)
{
    uint8_t frame[LINK_HEAD + 1] = {FRAME_ACK << 4, 0, link->rx_next, rx_bitmap(link)};

    if (link->nak_now)
        frame[0] |= ACK_DAMAGED;
    if (link->poll_now)
        frame[0] |= ACK_POLL;
    link->nak_now = link->poll_now = link->ack_frame = false;
    acked_everything(link);
    put_frame(link, link->session, frame, sizeof(frame));
}

static void put_data(struct link *link, uint8_t seq)
{
    struct link_slot *slot = &link->tx_slot[seq % LINK_WINDOW];
    uint8_t frame[LINK_HEAD + LINK_PAYLOAD_MAX];

    frame[0] = slot->type;
    frame[1] = seq;
    frame[2] = link->rx_next;
    memcpy(frame + LINK_HEAD, slot->data, slot->length);
    if (slot->sends) {
        link->stats.resent++;
        link->good_frames = 0;
        if (link->fragment_max / 2 >= LINK_FRAGMENT_MIN)
            link->fragment_max /= 2;
    }
    if (slot->sends < UINT8_MAX)
        slot->sends++;
    slot->due = false;
    slot->order = ++link->tx_order;
    link->out_seq = seq;
    acked_everything(link);
    put_frame(link, link->session, frame, LINK_HEAD + slot->length);
}

static void put_hello(struct link *link)
{
    uint8_t frame[LINK_HEAD + HELLO_BYTES] = {FRAME_HELLO << 4, 0, 0, LINK_VERSION};

    link_put32(frame + LINK_HEAD + 4, link->client_nonce);
    link->hello_now = false;
    put_frame(link, 0, frame, sizeof(frame));
}

static void put_welcome(struct link *link)
{
    uint8_t frame[LINK_HEAD + WELCOME_BYTES] = {
        FRAME_WELCOME << 4,    0, 0, LINK_VERSION, LINK_WINDOW, LINK_PAYLOAD_MAX & 0xff,
        LINK_PAYLOAD_MAX >> 8,
    };

    link_put32(frame + LINK_HEAD + 4, link->client_nonce);
    link_put32(frame + LINK_HEAD + 8, link->server_nonce);
    link->welcome_now = false;
    put_frame(link, 0, frame, sizeof(frame));
}

static void put_bye(struct link *link)
{
    uint8_t frame[LINK_HEAD] = {FRAME_BYE << 4, 0, link->rx_next};

    link->byes--;
    put_frame(link, link->session, frame, sizeof(frame));
}

/* Fills `out` with what is most urgent; false: nothing. */
static bool next_frame(struct link *link)
{
    if (link->hello_now)
        return put_hello(link), true;
    if (link->welcome_now)
        return put_welcome(link), true;
    if (link->byes)
        return put_bye(link), true;
    if (link->state != LINK_UP)
        return false;
    if (link->nak_now || link->ack_frame || link->poll_now)
        return put_ack(link), true;
    for (uint8_t seq = link->tx_base; seq != link->tx_next; seq++) {
        const struct link_slot *slot = &link->tx_slot[seq % LINK_WINDOW];

        if (slot->used && slot->due)
            return put_data(link, seq), true;
    }
    if (link->ack_now)
        return put_ack(link), true;
    return false;
}

size_t link_tx(struct link *link, uint8_t *bytes, size_t cap, uint32_t now_ms)
{
    size_t n = 0;

    link_poll(link, now_ms);
    while (n < cap) {
        size_t part = link->out_length - link->out_at;

        if (!part) {
            if (!next_frame(link))
                break;
            continue;
        }
        if (part > cap - n)
            part = cap - n;
        memcpy(bytes + n, link->out + link->out_at, part);
        n += part;
        link->out_at = (uint16_t)(link->out_at + part);
        if (link->out_at == link->out_length && link->out_seq >= 0) {
            link->tx_slot[(unsigned)link->out_seq % LINK_WINDOW].sent_ms = now_ms;
            link->out_seq = -1;
        }
    }
    link->stats.bytes_out += n;
    return n;
}
