/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sending: replies, `O` packets, text. One packet is written by one call and nothing is written
 * between its bytes: text that comes up meanwhile waits in the backlog.
 */
#include "dbg/line_impl.h"
#include "lib/log.h"
#include "lib/mem.h"

#define O_TEXT_BYTES 400u /* text in one `O` packet */

static size_t write_out(struct line *line, const uint8_t *bytes, size_t len_bytes)
{
    line->count.tx += len_bytes;
    return line->io.write(line->io.ctx, bytes, len_bytes);
}

/* Text has no repetition: what the UART does not take is lost. */
static void write_raw(struct line *line, const uint8_t *bytes, size_t len_bytes)
{
    line->lost_bytes += len_bytes - write_out(line, bytes, len_bytes);
}

static void send_frame(struct line *line, const char *letter, const void *bytes, size_t len_bytes,
                       bool hex)
{
    struct rsp_tx tx;

    line->sending = true;
    rsp_tx_start(&tx, line->tx_buf, sizeof(line->tx_buf), true);
    rsp_tx_str(&tx, letter);
    if (hex)
        rsp_tx_hex_bytes(&tx, bytes, len_bytes);
    else
        rsp_tx_binary(&tx, bytes, len_bytes);
    line->tx_bytes = rsp_tx_finish(&tx); /* fits: twice PacketSize */
    if (line->mode == LINE_LINK) {
        size_t payload_bytes;
        const uint8_t *payload = rsp_tx_payload(&tx, &payload_bytes);

        line_link_reply(line, payload, payload_bytes);
    } else {
        write_out(line, line->tx_buf, line->tx_bytes);
        line->acks_due++;
        line->tx_us = line->io.clock_us(line->io.ctx);
    }
    line->sending = false;
}

void line_reply(struct line *line, const void *bytes, size_t len_bytes)
{
    if (line->mode == LINE_TEXT)
        return;
    line_flush_batch(line);
    send_frame(line, "", bytes, len_bytes, false);
}

void line_output(struct line *line, const char *text, size_t len_bytes)
{
    while (len_bytes && line->mode != LINE_TEXT) {
        size_t part = len_bytes < O_TEXT_BYTES ? len_bytes : O_TEXT_BYTES;

        send_frame(line, "O", text, part, true);
        text += part;
        len_bytes -= part;
    }
}

/* Text lines end in CR LF, as terminals want them. */
static void write_text(struct line *line, const uint8_t *bytes, size_t len_bytes)
{
    size_t start = 0;

    for (size_t i = 0; i < len_bytes; i++) {
        if (bytes[i] != '\n')
            continue;
        write_raw(line, bytes + start, i - start);
        write_raw(line, (const uint8_t *)"\r\n", 2);
        start = i + 1;
    }
    write_raw(line, bytes + start, len_bytes - start);
}

static void keep(struct line *line, enum line_channel channel, const void *bytes, size_t len_bytes)
{
    size_t room = sizeof(line->backlog) - line->backlog_bytes;

    if (len_bytes > room) {
        line->lost_bytes += len_bytes;
        line->lost_lines += channel != LINE_CONSOLE;
        return;
    }
    memcpy(line->backlog + line->backlog_bytes, bytes, len_bytes);
    line->backlog_bytes += len_bytes;
}

void line_tell_lost(struct line *line)
{
    uint64_t lost_bytes = line->lost_bytes, lost_lines = line->lost_lines, now_us;
    char text[128];
    size_t len_bytes;

    if (lost_bytes == line->lost_told_bytes || line->sending ||
        (line->mode == LINE_RSP && !line->running) || (line->mode == LINE_LINK && line->stalled))
        return;
    if (line->mode == LINE_LINK) {
        len_bytes = fmt_str(text, sizeof(text), "t:lost;log:%lx;lines:%lx;",
                            lost_bytes - line->lost_told_bytes, lost_lines - line->lost_told_lines);
        if (line_link_event(line, text, len_bytes)) {
            line->lost_told_bytes = lost_bytes;
            line->lost_told_lines = lost_lines;
        }
        return;
    }
    now_us = line->io.clock_us(line->io.ctx);
    len_bytes = fmt_str(text, sizeof(text),
                        "[%5lu.%06lu] tl: %lu bytes of log and console were lost here, %lu log "
                        "line(s)\n",
                        now_us / 1000000, now_us % 1000000, lost_bytes - line->lost_told_bytes,
                        lost_lines - line->lost_told_lines);
    if (line->mode == LINE_RSP) {
        line->lost_told_bytes = lost_bytes;
        line->lost_told_lines = lost_lines;
        line_output(line, text, len_bytes);
    } else if (write_out(line, (const uint8_t *)"\r", 1) == 1) { /* else: still stuck */
        uint64_t before_bytes = line->lost_bytes;

        write_text(line, (const uint8_t *)text, len_bytes);
        if (line->lost_bytes == before_bytes) {
            line->lost_told_bytes = lost_bytes;
            line->lost_told_lines = lost_lines;
        } else {
            line->lost_bytes = before_bytes; /* half a notice is none */
        }
    }
}

void line_notice(struct line *line, const char *pairs, const char *text)
{
    if (line->mode == LINE_LINK && !line->sending && line_link_event(line, pairs, strlen(pairs)))
        return;
    if (text)
        line_text(line, LINE_EVENTS, text, strlen(text));
}

/* Line by line: what is lost is counted in lines. */
static void flush_backlog_linked(struct line *line, size_t len_bytes)
{
    size_t start = 0;

    for (size_t i = 0; i < len_bytes; i++) {
        if (line->backlog[i] != '\n' && i + 1 < len_bytes)
            continue;
        if (!line_link_send(line, LINE_LOG, line->backlog + start, i + 1 - start))
            line->lost_lines++;
        start = i + 1;
    }
}

void line_flush_backlog(struct line *line)
{
    size_t len_bytes = line->backlog_bytes;

    line->backlog_bytes = 0;
    if (line->mode == LINE_RSP)
        line_output(line, line->backlog, len_bytes);
    else if (line->mode == LINE_TEXT)
        write_text(line, (const uint8_t *)line->backlog, len_bytes);
    else
        flush_backlog_linked(line, len_bytes);
    line_tell_lost(line);
}

void line_flush_batch(struct line *line)
{
    size_t len_bytes = line->batch_bytes;

    line->batch_bytes = 0;
    if (!len_bytes)
        return;
    line->batch_us = line->io.clock_us(line->io.ctx);
    if (line->mode == LINE_TEXT)
        write_raw(line, line->batch, len_bytes);
    else if (line->mode == LINE_LINK)
        line_link_send(line, LINE_CONSOLE, line->batch, len_bytes);
    else if (line->running)
        send_frame(line, "O", line->batch, len_bytes, true);
    else
        keep(line, LINE_CONSOLE, line->batch, len_bytes);
}

/* A packet a byte would be nine bytes for one. A byte after a pause goes at once (somebody types and
 * waits for the echo); of a burst, a line or what comes within a moment goes together. */
static void batch(struct line *line, const uint8_t *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        line->batch[line->batch_bytes++] = bytes[i];
        if (bytes[i] == '\n' || line->batch_bytes == sizeof(line->batch) ||
            line->io.clock_us(line->io.ctx) - line->batch_us > LINE_BATCH_US)
            line_flush_batch(line);
    }
}

void line_text(struct line *line, enum line_channel channel, const void *bytes, size_t len_bytes)
{
    if (line->mode == LINE_LINK && channel == LINE_CONSOLE) {
        batch(line, bytes, len_bytes);
        return;
    }
    if (line->mode == LINE_LINK && !line->sending) {
        if (!line_link_send(line, channel, bytes, len_bytes))
            line->lost_lines++;
        return;
    }
    if (line->sending || (line->mode == LINE_RSP && !line->running)) {
        keep(line, channel, bytes, len_bytes);
        return;
    }
    if (line->mode == LINE_TEXT) {
        uint64_t before_bytes;

        line_tell_lost(line);
        before_bytes = line->lost_bytes;
        if (channel == LINE_CONSOLE)
            write_raw(line, bytes, len_bytes);
        else
            write_text(line, bytes, len_bytes);
        line->lost_lines += channel != LINE_CONSOLE && line->lost_bytes != before_bytes;
    } else if (channel == LINE_CONSOLE) {
        batch(line, bytes, len_bytes);
    } else {
        line_flush_batch(line);
        line_output(line, bytes, len_bytes);
    }
}

void line_set_running(struct line *line, bool running)
{
    if (!running)
        line_flush_batch(line);
    line->running = running;
    link_set_eager(&line->link, running);
    if (running)
        line_flush_backlog(line);
}
