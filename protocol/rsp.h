/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GDB's packets: framing in both directions, run-length encoding, escapes, hex, and the small
 * grammar of our own packets (protocol/README.md). Buffers belong to the caller; nothing is
 * allocated and nothing is sent from here. What packets mean is the stub's and the clients' affair.
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

/* ---- parsing (rsp_parse.c): a cursor never reads behind its end ---- */

struct rsp_cursor {
    const uint8_t *at, *end;
};

struct rsp_slice {
    const char *text;
    size_t length;
};

struct rsp_cursor rsp_cursor(const void *bytes, size_t length);
bool rsp_at_end(const struct rsp_cursor *cursor);

/* Each take_ moves the cursor and returns true, or leaves it and returns false. */
bool rsp_take(struct rsp_cursor *cursor, char c);
/* One or more hex digits, at most 16 significant ones. */
bool rsp_take_hex(struct rsp_cursor *cursor, uint64_t *value);
/* All up to one of the stop characters or the end; may be empty, so it always succeeds. */
struct rsp_slice rsp_take_until(struct rsp_cursor *cursor, const char *stops);
/* One `key:value;` pair (the last ';' may be missing). False at the end, at '|', when malformed. */
bool rsp_take_pair(struct rsp_cursor *cursor, struct rsp_slice *key, struct rsp_slice *value);
/* The part before the next '|' (that is the header, then each record); false at the end. */
bool rsp_take_record(struct rsp_cursor *cursor, struct rsp_cursor *record);

bool rsp_slice_is(struct rsp_slice slice, const char *text);
/* The whole slice as a number. */
bool rsp_slice_hex(struct rsp_slice slice, uint64_t *value);

/* Value of the first pair with this key in `pairs` (a header or record: it ends at a '|'). False when it
 * is not there. */
bool rsp_find(struct rsp_cursor pairs, const char *key, struct rsp_slice *value);
bool rsp_find_hex(struct rsp_cursor pairs, const char *key, uint64_t *value);

int rsp_hex_digit(uint8_t c); /* 0..15 or -1 */
