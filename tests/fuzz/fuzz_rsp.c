/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: any bytes as the RSP line, as packet data for the parsers, and as data to be sent,
 * which must come back as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/args.h"
#include "protocol/rsp.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

static void parse(const uint8_t *data, size_t size)
{
    struct args args = args_of(data, size), record, all = args, key, value;
    const char *begin = all.at, *end = all.end;
    uint64_t number;
    size_t records = 0;

    while (args_record(&args, &record)) {
        MUST(record.at >= begin && record.end <= end);
        MUST(++records <= size + 1);
        while (args_pair(&record, &key, &value)) {
            MUST(args_len_bytes(&key) + args_len_bytes(&value) < size);
            if (args_number(value, &number))
                MUST(!args_empty(&value));
        }
    }
    args_find_number(all, "count", &number);
    while (!args_empty(&all)) {
        const char *at = all.at;

        if (!args_hex(&all, &number) && !args_char(&all, ';'))
            all.at++;
        MUST(all.at > at && all.at <= all.end);
    }
}

static void round_trip(const uint8_t *data, size_t size, bool runs)
{
    static uint8_t out[3 * RSP_PACKET_MAX], back[RSP_PACKET_MAX];
    struct rsp_tx tx;
    struct rsp_rx rx;
    const uint8_t *payload;
    size_t length;
    enum rsp_event event = RSP_NONE;

    if (size > sizeof(back))
        size = sizeof(back);
    rsp_tx_start(&tx, out, sizeof(out), runs);
    rsp_tx_binary(&tx, data, size);
    length = rsp_tx_finish(&tx);
    MUST(length);
    rsp_rx_init(&rx, back, sizeof(back), runs);
    for (size_t i = 0; i < length; i++) {
        MUST(event == RSP_NONE);
        event = rsp_rx_byte(&rx, out[i]);
    }
    MUST(event == RSP_READY && rx.length == size && !memcmp(back, data, size));
    payload = rsp_tx_payload(&tx, &length);
    rsp_rx_begin(&rx);
    rsp_rx_data(&rx, payload, length);
    MUST(rsp_rx_end(&rx) == RSP_READY && rx.length == size);
}

/* Appending never leaves a small buffer, whatever is appended. */
static void small_writer(const uint8_t *data, size_t size)
{
    uint8_t *out = malloc(32);
    struct rsp_tx tx;

    rsp_tx_start(&tx, out, 32, true);
    for (size_t i = 0; i + 1 < size; i += 2) {
        if (data[i] & 1)
            rsp_tx_hex_bytes(&tx, data + i + 1, 1);
        else
            rsp_tx_binary(&tx, data + i, 2);
        MUST(tx.length <= 32);
    }
    MUST(rsp_tx_finish(&tx) <= 32);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rsp_rx rx;
    uint8_t *buf;
    size_t cap;

    if (!size)
        return 0;
    /* On the heap, so that one byte too many is seen. */
    cap = 1 + (data[0] & 0x3f);
    buf = malloc(cap);
    rsp_rx_init(&rx, buf, cap, data[0] & 0x80);
    for (size_t i = 1; i < size; i++)
        if (rsp_rx_byte(&rx, data[i]) == RSP_READY)
            parse(rx.buf, rx.length);
    free(buf);
    parse(data + 1, size - 1);
    round_trip(data + 1, size - 1, data[0] & 0x40);
    small_writer(data + 1, size - 1);
    return 0;
}
