/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets from the line, one byte at a time: checksum, escapes and runs are undone as bytes pass,
 * so that one buffer suffices and a packet that is too long is drained to its end.
 */
#include "protocol/rsp.h"

enum { OUTSIDE, DATA, CHECK_HIGH, CHECK_LOW };

#define REPEAT_BIAS 29 /* GDB manual, "Overview": count character = repeats + 29 */

int rsp_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void rsp_rx_init(struct rsp_rx *rx, void *buf, size_t cap_bytes, bool expand_runs)
{
    *rx = (struct rsp_rx){.buf = buf, .cap_bytes = cap_bytes, .expand = expand_runs};
}

void rsp_rx_begin(struct rsp_rx *rx)
{
    rx->state = DATA;
    rx->length = 0;
    rx->sum = 0;
    rx->escaped = rx->repeating = rx->overflow = rx->malformed = false;
}

bool rsp_rx_inside(const struct rsp_rx *rx)
{
    return rx->state != OUTSIDE;
}

static void store(struct rsp_rx *rx, uint8_t byte)
{
    if (rx->length < rx->cap_bytes)
        rx->buf[rx->length++] = byte;
    else
        rx->overflow = true;
}

static void repeat(struct rsp_rx *rx, uint8_t count_char)
{
    if (count_char < ' ' || count_char > '~' || !rx->length) {
        rx->malformed = true;
        return;
    }
    for (unsigned n = count_char - REPEAT_BIAS; n && !rx->overflow; n--)
        store(rx, rx->buf[rx->length - 1]);
}

static void data(struct rsp_rx *rx, uint8_t byte)
{
    if (rx->escaped) {
        rx->escaped = false;
        store(rx, byte ^ 0x20);
    } else if (rx->repeating) {
        rx->repeating = false;
        repeat(rx, byte);
    } else if (byte == '}') {
        rx->escaped = true;
    } else if (byte == '*' && rx->expand) {
        rx->repeating = true;
    } else {
        store(rx, byte);
    }
}

void rsp_rx_data(struct rsp_rx *rx, const void *bytes, size_t length)
{
    const uint8_t *b = bytes;

    for (size_t i = 0; i < length; i++)
        data(rx, b[i]);
}

enum rsp_event rsp_rx_end(struct rsp_rx *rx)
{
    rx->state = OUTSIDE;
    if (rx->malformed || rx->escaped || rx->repeating)
        return RSP_BAD_CHECKSUM;
    return rx->overflow ? RSP_TOO_LONG : RSP_READY;
}

static enum rsp_event outside(uint8_t byte)
{
    switch (byte) {
    case RSP_BREAK_BYTE:
        return RSP_BREAK;
    case '+':
        return RSP_ACK;
    case '-':
        return RSP_NAK;
    default:
        return RSP_TEXT;
    }
}

enum rsp_event rsp_rx_byte(struct rsp_rx *rx, uint8_t byte)
{
    /* An escape's second byte is never '$' or '#': they are 0x04 and 0x03 there. */
    if (byte == '$') {
        rsp_rx_begin(rx);
        return RSP_NONE;
    }
    switch (rx->state) {
    case DATA:
        if (byte == '#') {
            rx->state = CHECK_HIGH;
            return RSP_NONE;
        }
        rx->sum += byte;
        data(rx, byte);
        return RSP_NONE;
    case CHECK_HIGH:
        rx->check = byte;
        rx->state = CHECK_LOW;
        return RSP_NONE;
    case CHECK_LOW: {
        int high = rsp_hex_digit(rx->check), low = rsp_hex_digit(byte);

        rx->state = OUTSIDE;
        if (high < 0 || low < 0 || (high << 4 | low) != rx->sum)
            return RSP_BAD_CHECKSUM;
        return rsp_rx_end(rx);
    }
    default:
        return outside(byte);
    }
}
