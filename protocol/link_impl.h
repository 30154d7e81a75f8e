/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shared between the link's three source files and nobody else: frame constants and the few steps
 * that receiver and sender call of each other.
 */
#pragma once

#include "protocol/link.h"

#define LINK_ESC     0x1d
#define LINK_ESC_XOR 0x40
#define LINK_HEAD    3u /* type, seq, ack */
#define LINK_CRC     4u

enum { FRAME_DATA = 1, FRAME_ACK = 2, FRAME_HELLO = 3, FRAME_WELCOME = 4, FRAME_BYE = 5 };
enum { DATA_MORE = 8, DATA_CHANNEL = 7, ACK_POLL = 1, ACK_DAMAGED = 2 };

#define HELLO_BYTES   8u
#define WELCOME_BYTES 12u

#define GAP_MS        500u /* silence inside a frame that ends it */
#define ACK_DELAY_MS  25u
#define NAK_EVERY_MS  20u
#define HELLO_MS      250u
#define POLL_MS       500u
#define RTO_MIN_MS    100u
#define RTO_MAX_MS    2000u
#define SRTT_FIRST_MS 125u
#define GROW_AFTER    16u /* acknowledged frames in a row before fragments grow */
#define BYE_COUNT     3u

static inline uint32_t link_get32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void link_put32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
    p[3] = (uint8_t)(value >> 24);
}

/* Has `deadline` come? Correct across the wrap of the clock. */
static inline bool link_reached(uint32_t now_ms, uint32_t deadline_ms)
{
    return (int32_t)(now_ms - deadline_ms) >= 0;
}

/* link.c: forgets all messages and timers of a session; the caller sets state and session. */
void link_reset_session(struct link *link, uint32_t now_ms);
uint32_t link_session_number(uint32_t client_nonce, uint32_t server_nonce);
uint32_t link_new_nonce(struct link *link, uint32_t now_ms);

/* link_tx.c: what an arriving ack field, bitmap or complaint means for the sender. */
void link_tx_acked(struct link *link, uint8_t ack, uint32_t now_ms);
void link_tx_bitmap(struct link *link, uint8_t ack, uint8_t bitmap);
void link_tx_damaged(struct link *link, uint32_t now_ms);
uint32_t link_rto_ms(const struct link *link);
