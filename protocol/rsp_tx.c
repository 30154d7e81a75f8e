/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets to the line, appended to the caller's buffer: the checksum is kept as bytes pass and runs
 * are collected, so that nothing is looked at twice.
 */
#include "protocol/rsp.h"

#define REPEAT_BIAS 29
#define RUN_MIN     4 /* three bytes "c*n" save nothing before this */
#define RUN_MAX     98
#define TRAILER     3 /* "#xx" */

static const char digits[] = "0123456789abcdef";

static void put(struct rsp_tx *tx, uint8_t byte)
{
    if (tx->length + TRAILER >= tx->cap_bytes) {
        tx->overflow = true;
        return;
    }
    tx->buf[tx->length++] = byte;
    tx->sum += byte;
}

/* The longest run not above `run` whose count character is none of '#', '$', '+', '-'. */
static uint32_t allowed_run(uint32_t run)
{
    if (run > RUN_MAX)
        run = RUN_MAX;
    for (;; run--) {
        char c = (char)(run - 1 + REPEAT_BIAS);

        if (c != '#' && c != '$' && c != '+' && c != '-')
            return run;
    }
}

static void end_run(struct rsp_tx *tx)
{
    while (tx->run) {
        uint32_t n = 1;

        put(tx, tx->last);
        if (tx->run >= RUN_MIN) {
            n = allowed_run(tx->run);
            put(tx, '*');
            put(tx, (uint8_t)(n - 1 + REPEAT_BIAS));
        }
        tx->run -= n;
    }
}

void rsp_tx_start(struct rsp_tx *tx, void *buf, size_t cap_bytes, bool encode_runs)
{
    *tx = (struct rsp_tx){.buf = buf, .cap_bytes = cap_bytes, .runs = encode_runs};
    tx->buf[tx->length++] = '$';
}

void rsp_tx_byte(struct rsp_tx *tx, uint8_t byte)
{
    if (!tx->runs) {
        put(tx, byte);
        return;
    }
    if (tx->run && tx->last != byte)
        end_run(tx);
    tx->last = byte;
    tx->run++;
}

void rsp_tx_str(struct rsp_tx *tx, const char *text)
{
    while (*text)
        rsp_tx_byte(tx, (uint8_t)*text++);
}

static bool is_special(uint8_t byte)
{
    return byte == '#' || byte == '$' || byte == '}' || byte == '*';
}

void rsp_tx_hex_bytes(struct rsp_tx *tx, const void *bytes, size_t length)
{
    const uint8_t *b = bytes;

    for (size_t i = 0; i < length; i++) {
        rsp_tx_byte(tx, (uint8_t)digits[b[i] >> 4]);
        rsp_tx_byte(tx, (uint8_t)digits[b[i] & 15]);
    }
}

void rsp_tx_binary(struct rsp_tx *tx, const void *bytes, size_t length)
{
    const uint8_t *b = bytes;

    for (size_t i = 0; i < length; i++) {
        if (is_special(b[i])) {
            /* Both bytes of an escape stay out of runs: a repeat would repeat the second only. */
            end_run(tx);
            put(tx, '}');
            put(tx, b[i] ^ 0x20);
        } else {
            rsp_tx_byte(tx, b[i]);
        }
    }
}

size_t rsp_tx_finish(struct rsp_tx *tx)
{
    end_run(tx);
    if (tx->overflow)
        return 0;
    tx->buf[tx->length++] = '#';
    tx->buf[tx->length++] = (uint8_t)digits[tx->sum >> 4];
    tx->buf[tx->length++] = (uint8_t)digits[tx->sum & 15];
    return tx->length;
}

const uint8_t *rsp_tx_payload(const struct rsp_tx *tx, size_t *length)
{
    *length = tx->length - 1 - TRAILER;
    return tx->buf + 1;
}
