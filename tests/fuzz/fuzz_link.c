/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: the input is a script of what happens on a line between two ends: bytes lost, doubled,
 * flipped and repeated later, sessions opened anew, sides that close. Whatever arrives must be of the
 * running session, in order, once; left alone at the end, the line must deliver the rest. With forged
 * frames (valid CRC, any content) nothing may break inside either end.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/link.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

struct script {
    const uint8_t *at, *end;
};

#define KEPT_BYTES 256u

static struct link ends[2];
static uint32_t now_ms;
static bool forged, closed;
static uint8_t sent[2], arrived[2]; /* message numbers of the session, by sender and by receiver */
static struct {
    uint8_t bytes[KEPT_BYTES];
    size_t count,
        mark; /* from mark on they are of the running session, before it of the last one */
} kept[2];    /* last bytes that end i received */

static uint8_t next(struct script *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static void check_inside(const struct link *link)
{
    MUST(link->rx_length <= LINK_FRAME_MAX);
    MUST((uint8_t)(link->rx_next - link->rx_read) <= LINK_WINDOW);
    MUST((uint8_t)(link->tx_next - link->tx_base) <= LINK_WINDOW);
    MUST(link->fragment_max >= LINK_FRAGMENT_MIN && link->fragment_max <= LINK_PAYLOAD_MAX);
    MUST(link->out_at <= link->out_length && link->out_length <= LINK_WIRE_MAX);
    MUST(link_wait_ms(link, now_ms) >= -1);
}

/* A session counts its messages from 0, at both ends. */
static void look_at_events(unsigned i)
{
    if (link_events(&ends[i]) & LINK_EV_OPEN)
        sent[i] = arrived[i] = 0;
}

/* What every byte of message n of a session is: another's is told from it, and a neighbour. */
static uint8_t content(const struct link *link, uint8_t n)
{
    return (uint8_t)(link->session * 31u + n);
}

static void fetch(unsigned i)
{
    struct link_piece piece;

    look_at_events(i);
    while (link_receive(&ends[i], &piece)) {
        MUST(piece.length <= LINK_PAYLOAD_MAX);
        for (size_t k = 0; !forged && k < piece.length; k++)
            MUST(piece.bytes[k] == content(&ends[i], arrived[i]));
        if (!piece.more)
            arrived[i]++;
        link_release(&ends[i]);
    }
}

static void say(unsigned i, size_t length)
{
    static uint8_t message[2 * LINK_PAYLOAD_MAX];

    look_at_events(i);
    /* Whole messages only: what fits surely. */
    if (link_room(&ends[i]) < 1 + length / LINK_FRAGMENT_MIN)
        return;
    memset(message, content(&ends[i], sent[i]), length);
    MUST(link_send(&ends[i], LINK_RSP, message, length, false) == length);
    sent[i]++;
}

static void receive(unsigned i, uint8_t byte)
{
    if (kept[i].count == KEPT_BYTES) {
        memmove(kept[i].bytes, kept[i].bytes + KEPT_BYTES / 2, KEPT_BYTES / 2);
        kept[i].count = KEPT_BYTES / 2;
        kept[i].mark = kept[i].mark > KEPT_BYTES / 2 ? kept[i].mark - KEPT_BYTES / 2 : 0;
    }
    kept[i].bytes[kept[i].count++] = byte;
    link_rx_byte(&ends[i], byte, now_ms);
}

/* The line says once more what end i has heard, as a terminal server with a full buffer does. */
static void again(unsigned i, uint8_t back)
{
    size_t count = kept[i].count < back ? kept[i].count : back;

    for (size_t k = kept[i].count - count; k < kept[i].count; k++)
        link_rx_byte(&ends[i], kept[i].bytes[k], now_ms);
}

/* A new session; the line is cut meanwhile. What is repeated from now on is of the last one at the
 * oldest, and of none that the server has never heard of: it remembers one old nonce. */
static void reopen(void)
{
    bool heard = ends[1].client_nonce == ends[0].client_nonce;
    uint8_t bytes[64];

    for (unsigned i = 0; i < 2; i++) {
        while (link_tx(&ends[i], bytes, sizeof(bytes), now_ms))
            ;
        kept[i].count -= kept[i].mark;
        memmove(kept[i].bytes, kept[i].bytes + kept[i].mark, kept[i].count);
        if (!heard)
            kept[i].count = 0;
        kept[i].mark = kept[i].count;
    }
    closed = false;
    link_open(&ends[0], now_ms);
}

/* Moves up to n bytes from end i to the other; every 64th or so meets what `vice` says. */
static void carry(unsigned i, unsigned n, uint8_t vice)
{
    uint8_t bytes[64];
    size_t got;

    for (; n && (got = link_tx(&ends[i], bytes, n < 64 ? n : 64, now_ms)); n -= (unsigned)got)
        for (size_t k = 0; k < got; k++) {
            uint8_t byte = bytes[k];

            if (k == (vice & 63u)) {
                if (vice >> 6 == 1)
                    byte ^= (uint8_t)(1 << (vice & 7));
                else if (vice >> 6 == 2)
                    continue;
                else if (vice >> 6 == 3)
                    receive(1 - i, byte);
            }
            receive(1 - i, byte);
        }
}

static void forge(struct script *s, unsigned i)
{
    uint8_t frame[64], wire[LINK_WIRE_MAX];
    size_t length = 1 + next(s) % sizeof(frame), n;
    uint32_t session;

    forged = true;
    for (size_t k = 0; k < length; k++)
        frame[k] = next(s);
    session = frame[0] >> 4 == 3 || frame[0] >> 4 == 4 ? 0 : ends[i].session;
    n = link_encode(wire, session, frame, length);
    for (size_t k = 0; k < n; k++)
        link_rx_byte(&ends[i], wire[k], now_ms);
}

static void text(void *ctx, const uint8_t *bytes, size_t length)
{
    volatile uint8_t sink = 0;

    (void)ctx;
    MUST(length && length <= LINK_FRAME_MAX + 1);
    for (size_t i = 0; i < length; i++)
        sink = bytes[i];
    (void)sink;
}

static void step(struct script *s)
{
    uint8_t op = next(s);
    unsigned i = op >> 7;

    switch (op & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
        carry(i, 1 + (op >> 4 & 7) * 90u, next(s));
        break;
    case 4:
    case 5:
        say(i, next(s) & 63u);
        break;
    case 6:
        say(i, 4u * next(s));
        break;
    case 7:
        now_ms += next(s);
        break;
    case 8:
        now_ms += next(s) * 16u;
        break;
    case 9:
    case 10:
        fetch(i);
        break;
    case 11:
        if (op & 0x40)
            again(i, next(s));
        else
            link_rx_byte(&ends[i], next(s), now_ms);
        break;
    case 12:
        forge(s, i);
        break;
    case 13:
        link_poll(&ends[i], now_ms);
        break;
    case 14:
        if (op & 0x60)
            link_set_eager(&ends[i], op & 0x40);
        else
            reopen();
        break;
    case 15:
        if (!(op & 0x70)) {
            closed = true;
            link_close(&ends[i]);
        } else {
            link_ack_now(&ends[i]);
        }
        break;
    }
}

/* Do both ends have one session, have all of it, and know that the other has? */
static bool delivered(void)
{
    look_at_events(0);
    look_at_events(1);
    return ends[0].state == LINK_UP && ends[1].state == LINK_UP &&
           ends[0].session == ends[1].session && sent[0] == arrived[1] && sent[1] == arrived[0] &&
           link_idle(&ends[0]) && link_idle(&ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, data + size};

    now_ms = 0xfffff000;
    forged = closed = false;
    memset(sent, 0, sizeof(sent));
    memset(arrived, 0, sizeof(arrived));
    memset(kept, 0, sizeof(kept));
    link_init(&ends[0], LINK_CLIENT, 1, 2000, now_ms);
    link_init(&ends[1], LINK_SERVER, 2, 0, now_ms);
    ends[0].text = ends[1].text = text;
    link_open(&ends[0], now_ms);
    for (unsigned k = 0; k < 4; k++)
        carry(k & 1, 100, 0);
    MUST(ends[0].state == LINK_UP && ends[1].state == LINK_UP);
    while (script.at < script.end) {
        step(&script);
        check_inside(&ends[0]);
        check_inside(&ends[1]);
    }
    if (forged || closed)
        return 0;
    for (unsigned k = 0; k < 4000 && !delivered(); k++) {
        carry(k & 1, 2000, 0);
        fetch(1 - (k & 1));
        now_ms += 25;
    }
    MUST(delivered());
    return 0;
}
