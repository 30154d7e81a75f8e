/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The link layer (protocol/README.md, section 3): messages on channels, each delivered exactly once
 * and in order within a session, over a line that loses, doubles, damages and invents bytes. One
 * state machine for both ends. No allocation, no I/O, no clock: the caller brings bytes and
 * milliseconds and takes bytes away. What a message means is decided above.
 *
 * A caller's loop: link_rx_byte() for each byte that came; link_receive()/link_release() for what
 * arrived whole; link_send() what there is to say; link_tx() to fetch bytes for the line;
 * link_poll() when nothing happened, at the latest after link_wait_ms().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_VERSION      1u
#define LINK_FLAG         0x1e
#define LINK_WINDOW       8u /* power of two */
#define LINK_PAYLOAD_MAX  480u
#define LINK_FRAGMENT_MIN 60u
#define LINK_FRAME_MAX    (3u + LINK_PAYLOAD_MAX + 4u) /* before stuffing */
#define LINK_WIRE_MAX     (2u + 2u * LINK_FRAME_MAX)   /* flags, everything stuffed */

enum link_role { LINK_CLIENT, LINK_SERVER };

enum link_state {
    LINK_DOWN,
    LINK_OPENING, /* client: HELLO sent, no WELCOME yet */
    LINK_WAITING, /* server: WELCOME sent, nothing of the session heard yet */
    LINK_UP,
};

enum link_channel { LINK_RSP = 1, LINK_CONSOLE = 2, LINK_LOG = 3, LINK_EVENTS = 4 };

/* What happened since link_events() was last asked. */
enum {
    LINK_EV_OPEN = 1,      /* a session is up; every earlier message that was unsent is forgotten */
    LINK_EV_CLOSED = 2,    /* the peer said goodbye, or knows nothing of the session any more */
    LINK_EV_LOST = 4,      /* server: silence ended the session; client: silent for 2 s (once) */
    LINK_EV_BACK = 8,      /* client: heard again after LOST, same session */
    LINK_EV_REPLACED = 16, /* server: another client took over (followed by OPEN) */
};

struct link_stats {
    uint32_t frames_in, frames_out; /* valid ones; all */
    uint32_t bad_crc, resyncs;      /* damaged frames; frames given up before their end */
    uint32_t resent, duplicates;    /* DATA frames */
    uint32_t no_room;               /* DATA frames dropped because nobody fetched */
    uint32_t ignored;               /* valid frames without sense here */
    uint64_t bytes_in, bytes_out;
};

/* A DATA frame to be kept: sent and not acknowledged, or received and not fetched. */
struct link_slot {
    bool used;     /* tx: not acknowledged; rx: holds a frame */
    bool due;      /* tx: to be sent (again) now */
    uint8_t type;  /* type byte of the frame: channel and "more" */
    uint8_t sends; /* tx: times sent, saturating */
    uint16_t length;
    uint32_t sent_ms; /* tx: last byte handed out */
    uint32_t order;   /* tx: serial number of its last transmission */
    uint8_t data[LINK_PAYLOAD_MAX];
};

struct link {
    enum link_role role;
    enum link_state state;
    unsigned events;
    uint32_t session, client_nonce, server_nonce, old_nonce, seed;
    uint32_t lost_after_ms; /* see link_init() */
    bool silent;            /* client: LOST was said */

    /* receiver */
    uint8_t rx_buf[LINK_FRAME_MAX + 1];
    uint16_t rx_length;
    bool rx_inside, rx_escape;
    uint32_t rx_byte_ms, rx_frame_ms; /* last byte; last valid frame */
    uint8_t rx_read, rx_next;         /* next to fetch; next to arrive in order */
    struct link_slot rx_slot[LINK_WINDOW];
    uint8_t rx_unacked; /* DATA frames since an ack went out */
    uint32_t ack_due_ms, nak_ms;
    bool ack_waiting, ack_now, ack_frame, nak_now;
    bool eager; /* see link_set_eager() */

    /* sender */
    uint8_t tx_base, tx_next; /* oldest unacknowledged; next number */
    struct link_slot tx_slot[LINK_WINDOW];
    uint32_t tx_order;
    uint16_t fragment_max, good_frames;
    uint32_t srtt_x8_ms; /* smoothed round trip, times 8 */
    uint8_t backoff;
    bool hello_now, welcome_now, poll_now;
    uint8_t byes;
    uint32_t hello_ms, poll_ms;
    uint8_t out[LINK_WIRE_MAX];
    uint16_t out_length, out_at;
    int16_t out_seq; /* DATA frame in `out`, or -1 */

    /* Bytes that are no frames; may be NULL. While a session is up only whole printable lines are
     * reported (a peer that restarted), else every byte. */
    void (*text)(void *ctx, const uint8_t *bytes, size_t length);
    void *text_ctx;

    struct link_stats stats;
};

/* Part of a message, in the order it was sent. */
struct link_piece {
    uint8_t channel;
    bool more; /* further parts of this message follow */
    const uint8_t *bytes;
    size_t length;
};

/* Prepares a link in state DOWN. seed: any number that differs from run to run. lost_after_ms:
 * silence after which the server ends a session and the client says LOST; 0: never. */
void link_init(struct link *link, enum link_role role, uint32_t seed, uint32_t lost_after_ms,
               uint32_t now_ms);

/* Client: starts a new session, giving up a running one. State OPENING; LINK_EV_OPEN follows. */
void link_open(struct link *link, uint32_t now_ms);

/* Ends the session with a goodbye (queued for link_tx()). State DOWN. */
void link_close(struct link *link);

/* Takes one byte from the line. */
void link_rx_byte(struct link *link, uint8_t byte, uint32_t now_ms);

/* The next part that arrived, or false. It stays valid until link_release(), which must follow
 * before the next link_receive(). Parts not fetched hold the peer back. */
bool link_receive(struct link *link, struct link_piece *piece);
void link_release(struct link *link);

/* Queues bytes of a message; more: the message goes on with the next call for this channel. Returns
 * the bytes taken: less than length (0 too) when the window is full; then call again later with the
 * rest. An empty message is taken whole or not: ask link_room(). Bytes for CONSOLE and LOG join a
 * frame that still waits. */
size_t link_send(struct link *link, enum link_channel channel, const void *bytes, size_t length,
                 bool more);

/* Frames that can be queued now; 0 when no session is up. */
unsigned link_room(const struct link *link);

/* on: whatever arrives is acknowledged at once, because link_poll() will not be called soon (the guest
 * runs). off (the default): an acknowledgement waits a little for data to travel with. */
void link_set_eager(struct link *link, bool on);

/* The caller has done other work and fed no bytes meanwhile: the peer's silence counts from now. */
void link_was_deaf(struct link *link, uint32_t now_ms);

/* Makes an acknowledgement that waits due now. */
void link_ack_now(struct link *link);

/* Is everything sent acknowledged? */
bool link_idle(const struct link *link);

/* Fetches up to cap bytes for the line; 0: nothing to send now. */
size_t link_tx(struct link *link, uint8_t *bytes, size_t cap, uint32_t now_ms);

/* Runs the timers. link_tx() does it too. */
void link_poll(struct link *link, uint32_t now_ms);

/* Milliseconds until link_poll() or link_tx() will have something to do; 0: now; -1: nothing
 * pending. */
int link_wait_ms(const struct link *link, uint32_t now_ms);

/* LINK_EV_* since the last call. */
unsigned link_events(struct link *link);

/* CRC-32 of IEEE 802.3, with a chosen start (UINT32_MAX for the usual one), final inversion done.
 */
uint32_t link_crc32(uint32_t start, const void *bytes, size_t length);

/* Stuffs a frame (type..payload; the CRC is added) between flags into wire[LINK_WIRE_MAX]. Returns
 * the wire length. For senders of single frames and for tests. */
size_t link_encode(uint8_t *wire, uint32_t session, const uint8_t *frame, size_t length);
