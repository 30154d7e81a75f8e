/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one serial line: text, bare RSP or the link layer, told apart by the bytes that arrive. Takes
 * bytes from the UART and hands up packets, break-ins and typed text; takes replies, log and console
 * text and puts each where the mode wants it. Knows nothing of what packets mean.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/link.h"
#include "protocol/rsp.h"

#define LINE_HELD_MAX      1024u   /* longest first packet that is waited for in text mode */
#define LINE_HELD_QUIET_US 100000  /* a begun packet without a byte for so long was text */
#define LINE_ACK_US        1000000 /* a client acknowledges within so long, or not at all */
#define LINE_BACKLOG_BYTES 8192u   /* text of a stopped machine, sent when it goes on */
#define LINE_BATCH_BYTES   96u     /* guest console bytes in one `O` packet */
#define LINE_BATCH_US      20000
#define LINE_FRAME_BYTES   (2 * RSP_PACKET_MAX + 16)

enum line_mode { LINE_TEXT, LINE_RSP, LINE_LINK };
enum line_channel { LINE_LOG, LINE_CONSOLE, LINE_EVENTS };

struct line_io {
    void *ctx;
    size_t (*write)(void *ctx, const uint8_t *bytes, size_t len_bytes); /* bytes that were taken */
    int (*read)(void *ctx); /* a byte, or -1: none now */
    uint64_t (*clock_us)(void *ctx);
};

struct line_up {
    void *ctx;
    void (*session)(void *ctx,
                    enum line_mode mode); /* a client begins; LINE_TEXT: the link ended */
    void (*packet)(void *ctx, const uint8_t *bytes, size_t len_bytes);
    void (*too_long)(void *ctx);
    void (*break_in)(void *ctx);
    void (*typed)(void *ctx, const uint8_t *bytes, size_t len_bytes); /* for the guest's console */
};

struct line {
    struct line_io io;
    struct line_up up;
    enum line_mode mode;
    bool running; /* the guest runs: `O` packets may be sent */
    bool sending; /* a frame is on its way: text must wait */
    struct rsp_rx rx;
    uint8_t rx_buf[RSP_PACKET_MAX];
    uint8_t held[LINE_HELD_MAX]; /* text mode: what may become a packet */
    size_t held_bytes;
    uint64_t rx_us; /* time of the last byte */
    uint8_t tx_buf[LINE_FRAME_BYTES];
    size_t tx_bytes;   /* last packet sent, for `-` */
    unsigned acks_due; /* bare RSP: packets sent less `+` received */
    uint64_t tx_us;    /* time of the last one */
    char backlog[LINE_BACKLOG_BYTES];
    size_t backlog_bytes;
    uint64_t lost_bytes, lost_told_bytes; /* of log and console: dropped; of these, said so */
    uint64_t lost_lines, lost_told_lines; /* of the log: lines that went not at all, or not whole */
    uint8_t batch[LINE_BATCH_BYTES];
    size_t batch_bytes;
    uint64_t batch_us;
    struct link link;
    uint32_t link_timeout_ms; /* option; 0: never */
    bool stalled;             /* the peer takes nothing: text is dropped without waiting */
    bool in_message;          /* fragments of an RSP message are being collected */
    struct {
        uint64_t rx, tx, bad, resent, noise;
    } count;
};

/* A line in text mode; *io and *up are copied. */
void line_init(struct line *line, const struct line_io *io, const struct line_up *up);

/* Takes what the receiver has, at most `max` bytes. Returns the number taken. */
size_t line_pump(struct line *line, size_t max);

/* Time passes: held bytes that are text after all, batches of console bytes, the link's timers. */
void line_tick(struct line *line);

/* Does it hold back bytes that may yet become a packet? */
bool line_holds(const struct line *line);

/* Has the client everything (as far as the mode can know)? */
bool line_idle(const struct line *line);

/* One packet to the client: framed here. Nothing happens in text mode. */
void line_reply(struct line *line, const void *bytes, size_t len_bytes);
/* Output of a `monitor` command: an `O` packet whatever the guest does. */
void line_output(struct line *line, const char *text, size_t len_bytes);

/* Log line, guest console bytes or an event: as text, as `O` packets while the guest runs (kept in a
 * bounded backlog until then), or on their channels. Never waits but for the UART, and a bounded time
 * for the link's peer; what finds no room is counted, and the log says so as soon as it can. */
void line_text(struct line *line, enum line_channel channel, const void *bytes, size_t len_bytes);

/* Something happened that is no stop: `pairs` on the EVENTS channel of a link, `text` (a whole line, or
 * NULL) on any other line, or where the link takes no more. */
void line_notice(struct line *line, const char *pairs, const char *text);

/* The guest goes on (what was kept back is sent), or stands. */
void line_set_running(struct line *line, bool running);
/* A packet has been worked on, perhaps for long, and nobody listened: that is no silence of the client's. */
void line_worked(struct line *line);
/* Acknowledges at once what arrived over the link; nothing in the other modes. */
void line_ack(struct line *line);
/* The client has gone: text again. */
void line_end_session(struct line *line);
