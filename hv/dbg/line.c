/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Receiving: which mode, and what the bytes are. Sending is line_out.c's.
 */
#include "dbg/line.h"

#include "dbg/line_impl.h"
#include "lib/mem.h"

void line_init(struct line *line, const struct line_io *io, const struct line_up *up)
{
    memset(line, 0, sizeof(*line));
    line->io = *io;
    line->up = *up;
    line->link_timeout_ms = 10000;
    rsp_rx_init(&line->rx, line->rx_buf, sizeof(line->rx_buf), false);
    line_link_init(line);
}

static void typed(struct line *line, const uint8_t *bytes, size_t len_bytes)
{
    if (len_bytes)
        line->up.typed(line->up.ctx, bytes, len_bytes);
}

/* What was held is text after all. */
static void release(struct line *line)
{
    size_t len_bytes = line->held_bytes;

    line->held_bytes = 0;
    rsp_rx_init(&line->rx, line->rx_buf, sizeof(line->rx_buf), false);
    typed(line, line->held, len_bytes);
}

static void enter_rsp(struct line *line)
{
    line->held_bytes = 0;
    line->acks_due = 0;
    line->mode = LINE_RSP;
    line->up.session(line->up.ctx, LINE_RSP);
}

static void send_byte(struct line *line, uint8_t byte)
{
    line->count.tx++;
    line->io.write(line->io.ctx, &byte, 1);
}

static void packet_ready(struct line *line)
{
    send_byte(line, '+');
    line->up.packet(line->up.ctx, line->rx_buf, line->rx.length);
}

/* The `+` for the last packets of a client that has detached: nobody typed it. */
static bool is_late_ack(struct line *line, uint8_t byte)
{
    if (line->acks_due && byte == '+' && !line->held_bytes &&
        line->io.clock_us(line->io.ctx) - line->tx_us < LINE_ACK_US) {
        line->acks_due--;
        return true;
    }
    line->acks_due = 0;
    return false;
}

/* Text until a whole packet with a good checksum has come. Its beginning is held back meanwhile. */
static void text_byte(struct line *line, uint8_t byte)
{
    bool inside = rsp_rx_inside(&line->rx);

    if (is_late_ack(line, byte))
        return;

    if (line->held_bytes && !inside && byte != '$') /* a '+' that no packet follows */
        release(line);
    if (!inside && byte != '$' && byte != '+') {
        typed(line, &byte, 1);
        return;
    }
    if (inside && byte < ' ') { /* a first packet has no control characters */
        release(line);
        typed(line, &byte, 1);
        return;
    }
    if (line->held_bytes == LINE_HELD_MAX)
        release(line);
    line->held[line->held_bytes++] = byte;
    switch (rsp_rx_byte(&line->rx, byte)) {
    case RSP_READY:
        enter_rsp(line);
        packet_ready(line);
        break;
    case RSP_BAD_CHECKSUM:
    case RSP_TOO_LONG:
        release(line);
        break;
    default:
        if (!rsp_rx_inside(&line->rx) && byte != '+')
            release(line);
        break;
    }
}

static void rsp_byte(struct line *line, uint8_t byte)
{
    switch (rsp_rx_byte(&line->rx, byte)) {
    case RSP_READY:
        packet_ready(line);
        break;
    case RSP_BAD_CHECKSUM:
        line->count.bad++;
        send_byte(line, '-');
        break;
    case RSP_TOO_LONG:
        send_byte(line, '+');
        line->up.too_long(line->up.ctx);
        break;
    case RSP_BREAK:
        line->up.break_in(line->up.ctx);
        break;
    case RSP_ACK:
        line->acks_due -= line->acks_due != 0;
        break;
    case RSP_NAK:
        line->count.resent++;
        line->count.tx += line->tx_bytes;
        line->io.write(line->io.ctx, line->tx_buf, line->tx_bytes);
        break;
    case RSP_TEXT: /* noise, or somebody types on the debugger's line */
        line->count.noise++;
        if (line->running && byte >= ' ')
            typed(line, &byte, 1);
        break;
    default:
        break;
    }
}

void line_byte(struct line *line, uint8_t byte)
{
    if (line->mode == LINE_TEXT)
        text_byte(line, byte);
    else if (line->mode == LINE_RSP)
        rsp_byte(line, byte);
}

size_t line_pump(struct line *line, size_t max)
{
    size_t taken = 0;

    while (taken < max) {
        int byte = line->io.read(line->io.ctx);
        uint64_t now_us;

        if (byte < 0)
            break;
        taken++;
        line->count.rx++;
        line_tick(line);
        now_us = line->io.clock_us(line->io.ctx);
        /* A client that died within a packet must not swallow the next one's HELLO. */
        if (byte == LINK_FLAG && line->mode == LINE_RSP && rsp_rx_inside(&line->rx) &&
            now_us - line->rx_us > LINE_HELD_QUIET_US)
            rsp_rx_init(&line->rx, line->rx_buf, sizeof(line->rx_buf), false);
        line->rx_us = now_us;
        if (line_link_byte(line, (uint8_t)byte))
            continue;
        line_byte(line, (uint8_t)byte);
    }
    return taken;
}

void line_tick(struct line *line)
{
    uint64_t now_us = line->io.clock_us(line->io.ctx);

    if (line->mode == LINE_TEXT && line->held_bytes && now_us - line->rx_us > LINE_HELD_QUIET_US)
        release(line);
    if (line->batch_bytes && now_us - line->batch_us > LINE_BATCH_US)
        line_flush_batch(line);
    line_link_tick(line, now_us);
}

void line_end_session(struct line *line)
{
    if (line->mode == LINE_LINK)
        return; /* the link outlives a GDB that detaches behind the broker */
    line_flush_batch(line);
    line->mode = LINE_TEXT;
    line->tx_bytes = 0;
    line_flush_backlog(line);
}

bool line_holds(const struct line *line)
{
    return line->mode == LINE_TEXT && line->held_bytes;
}

bool line_idle(const struct line *line)
{
    return !line->batch_bytes &&
           (line->mode != LINE_LINK || line->lost_bytes == line->lost_told_bytes) &&
           (line->mode != LINE_LINK || link_idle(&line->link));
}
