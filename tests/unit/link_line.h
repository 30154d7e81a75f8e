/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two ends of the link over a seeded line with a speed and vices: it drops, doubles, flips, cuts,
 * invents and delays bytes. For one test program each: include it behind <cmocka.h>.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/link.h"

#define LOST_MS 2000u

static uint32_t random_state;

static inline uint32_t rnd(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static inline bool one_in(uint32_t n)
{
    return n && rnd() % n == 0;
}

struct vices {
    uint32_t drop, twice, flip, cut, invent, stall; /* one in N bytes; 0: never */
};

#define LINE_BYTES 65536u

struct wire { /* one direction */
    uint8_t byte[LINE_BYTES];
    uint32_t at_ms[LINE_BYTES];
    uint32_t head, tail, credit, cut_left, stall_until_ms;
    uint64_t total;
};

static struct link end[2];
static struct wire wire[2]; /* wire[i] leaves end[i] */
static struct vices vices;
static uint32_t now_ms, bytes_per_s, delay_ms;

static inline void wire_put(struct wire *w, uint8_t byte)
{
    w->byte[w->head % LINE_BYTES] = byte;
    w->at_ms[w->head % LINE_BYTES] = now_ms + delay_ms;
    w->head++;
    assert_true(w->head - w->tail < LINE_BYTES);
}

static inline void wire_send(struct wire *w, uint8_t byte)
{
    w->total++;
    if (w->cut_left) {
        w->cut_left--;
        return;
    }
    if (one_in(vices.cut))
        w->cut_left = rnd() % 200;
    if (one_in(vices.drop))
        return;
    if (one_in(vices.flip))
        byte ^= (uint8_t)(1 << rnd() % 8);
    if (one_in(vices.invent))
        wire_put(w, (uint8_t)rnd());
    if (one_in(vices.twice))
        wire_put(w, byte);
    if (one_in(vices.stall))
        w->stall_until_ms = now_ms + rnd() % 400;
    wire_put(w, byte);
}

static inline void start(uint32_t seed)
{
    random_state = seed * 2654435761u + 1;
    now_ms = UINT32_MAX - 3000; /* the clock wraps soon */
    bytes_per_s = 11520;
    delay_ms = 1;
    memset(&vices, 0, sizeof(vices));
    memset(wire, 0, sizeof(wire));
    link_init(&end[0], LINK_CLIENT, seed, LOST_MS, now_ms);
    link_init(&end[1], LINK_SERVER, ~seed, 10000, now_ms);
}

/* One millisecond of both directions. */
static inline void tick(void)
{
    now_ms++;
    for (unsigned i = 0; i < 2; i++) {
        struct wire *w = &wire[i];
        uint8_t byte;

        w->credit += bytes_per_s;
        while (w->credit >= 1000 && link_tx(&end[i], &byte, 1, now_ms)) {
            w->credit -= 1000;
            wire_send(w, byte);
        }
        if (w->credit >= 1000)
            w->credit = 999;
        if ((int32_t)(now_ms - w->stall_until_ms) < 0 && vices.stall)
            continue;
        while (w->tail != w->head && (int32_t)(now_ms - w->at_ms[w->tail % LINE_BYTES]) >= 0)
            link_rx_byte(&end[1 - i], w->byte[w->tail++ % LINE_BYTES], now_ms);
    }
}

static inline void run(unsigned ms)
{
    while (ms--)
        tick();
}

static inline void connect_ends(void)
{
    link_open(&end[0], now_ms);
    for (unsigned i = 0; i < 60000 && (end[0].state != LINK_UP || end[1].state != LINK_UP); i++)
        tick();
    assert_int_equal(end[0].state, LINK_UP);
    assert_int_equal(end[1].state, LINK_UP);
    assert_true(link_events(&end[0]) & LINK_EV_OPEN);
    assert_true(link_events(&end[1]) & LINK_EV_OPEN);
}

/* Fetches everything that arrived at an end as one text. */
static inline const char *fetch(unsigned i)
{
    static char text[5000];
    struct link_piece piece;
    size_t n = 0;

    while (link_receive(&end[i], &piece)) {
        assert_true(n + piece.length < sizeof(text));
        memcpy(text + n, piece.bytes, piece.length);
        n += piece.length;
        link_release(&end[i]);
    }
    text[n] = 0;
    return text;
}
