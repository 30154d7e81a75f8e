/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GDB's packets: framing in both directions, run-length encoding, escapes, hex. Buffers belong to the
 * caller; nothing is allocated and nothing is sent from here. What stands in a packet is read with
 * args.h; what it means is the stub's and the clients' affair.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RSP_PACKET_MAX 4096u /* PacketSize: most that stands between '$' and '#' */
#define RSP_BREAK_BYTE 0x03

/* ---- receiving (rsp_rx.c) ---- */

enum rsp_event {
    RSP_NONE,         /* the byte was taken, nothing is complete */
    RSP_READY,        /* rx->buf holds rx->length bytes of packet data, escapes undone */
    RSP_BAD_CHECKSUM, /* a packet ended wrongly: answer '-' */
    RSP_TOO_LONG,     /* a packet with a good checksum did not fit: answer an error */
    RSP_BREAK,        /* 0x03 outside a packet */
    RSP_ACK,          /* '+' outside a packet */
    RSP_NAK,          /* '-' outside a packet */
    RSP_TEXT,         /* any other byte outside a packet */
};

struct rsp_rx {
    uint8_t *buf;
    size_t cap_bytes, length;
    uint8_t state;  /* enum in rsp_rx.c */
    uint8_t sum;    /* of the bytes since '$' */
    uint8_t check;  /* first digit of the checksum */
    bool expand;    /* undo run-length encoding: we are the client, reading replies */
    bool escaped;   /* the next byte is the second one of an escape */
    bool repeating; /* the next byte is a repeat count */
    bool overflow;  /* data did not fit into buf */
    bool malformed; /* repeat without a byte before it, or a count that cannot be */
};

/* Starts with an empty state. expand_runs: true for a client (replies are run-length encoded). */
void rsp_rx_init(struct rsp_rx *rx, void *buf, size_t cap_bytes, bool expand_runs);

/* Takes one byte from the line. A '$' always begins a new packet, whatever came before. */
enum rsp_event rsp_rx_byte(struct rsp_rx *rx, uint8_t byte);

/* Is a packet begun and not complete? */
bool rsp_rx_inside(const struct rsp_rx *rx);

/* For messages of the link, which are packet data without frame: begin, data..., end. end returns
 * RSP_READY, RSP_TOO_LONG, or RSP_BAD_CHECKSUM for malformed escapes and runs. */
void rsp_rx_begin(struct rsp_rx *rx);
void rsp_rx_data(struct rsp_rx *rx, const void *bytes, size_t length);
enum rsp_event rsp_rx_end(struct rsp_rx *rx);

/* ---- sending (rsp_tx.c) ---- */

struct rsp_tx {
    uint8_t *buf;
    size_t cap_bytes, length; /* length counts what is in buf, frame included */
    uint8_t sum;
    uint8_t last;  /* byte of the run being collected */
    uint32_t run;  /* its length */
    bool runs;     /* run-length encode: we are the stub, sending replies */
    bool overflow; /* something did not fit: rsp_tx_finish() will say so */
};

/* Puts '$'. cap_bytes must be at least 5. */
void rsp_tx_start(struct rsp_tx *tx, void *buf, size_t cap_bytes, bool encode_runs);

void rsp_tx_byte(struct rsp_tx *tx, uint8_t byte);    /* as it is; not '#', '$', '}', '*' */
void rsp_tx_str(struct rsp_tx *tx, const char *text); /* the same, a whole string */
void rsp_tx_hex_bytes(struct rsp_tx *tx, const void *bytes, size_t length);
void rsp_tx_binary(struct rsp_tx *tx, const void *bytes, size_t length); /* escaped */

/* Puts '#' and the checksum. Returns the length of the whole packet, or 0 when it did not fit. */
size_t rsp_tx_finish(struct rsp_tx *tx);

/* After a good finish: the data between '$' and '#', for the link's RSP channel. */
const uint8_t *rsp_tx_payload(const struct rsp_tx *tx, size_t *length);

int rsp_hex_digit(uint8_t c); /* 0..15 or -1 */
