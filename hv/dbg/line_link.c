/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The link layer on the line: feeds it bytes and time, hands its messages up, and waits a bounded
 * time where its window is full.
 */
#include "dbg/line_impl.h"

#define NO_PROGRESS_REPLY_MS 3000u /* then the session is given up */
/* Then text is dropped until the peer is heard again. A frame or acknowledgement that was lost costs up to
 * 500 ms before it is repeated, and a busy host as much: neither may cost text. */
#define NO_PROGRESS_TEXT_MS 1000u
#define OUT_CHUNK_BYTES     256u

static uint32_t now_ms(struct line *line)
{
    return (uint32_t)(line->io.clock_us(line->io.ctx) / 1000);
}

static void flush(struct line *line)
{
    uint8_t bytes[OUT_CHUNK_BYTES];
    size_t len_bytes;

    while ((len_bytes = link_tx(&line->link, bytes, sizeof(bytes), now_ms(line))) != 0) {
        line->count.tx += len_bytes;
        line->io.write(line->io.ctx, bytes, len_bytes);
    }
}

/* Bytes that looked like a frame and were none. While a session is up they are noise. */
static void not_a_frame(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    struct line *line = ctx;

    if (line->mode == LINE_LINK) {
        line->count.noise += len_bytes;
        return;
    }
    for (size_t i = 0; i < len_bytes; i++)
        line_byte(line, bytes[i]);
}

void line_link_init(struct line *line)
{
    uint32_t seed = (uint32_t)line->io.clock_us(line->io.ctx) ^ 0x7472706cu;

    link_init(&line->link, LINK_SERVER, seed, line->link_timeout_ms, now_ms(line));
    line->link.text = not_a_frame;
    line->link.text_ctx = line;
}

static void check_events(struct line *line)
{
    /* Opening and ending may both have happened since the last look. */
    if (link_events(&line->link) & LINK_EV_OPEN) {
        line->mode = LINE_LINK;
        line->held_bytes = 0;
        line->stalled = false;
        rsp_rx_init(&line->rx, line->rx_buf, sizeof(line->rx_buf), false);
        line->in_message = false;
        line->up.session(line->up.ctx, LINE_LINK);
        line_flush_backlog(line);
    }
    /* However it ended: goodbye, silence, a reply that nobody took, or a successor that never came. */
    if (line->mode == LINE_LINK && line->link.state == LINK_DOWN) {
        line->mode = LINE_TEXT;
        line->in_message = false;
        rsp_rx_init(&line->rx, line->rx_buf, sizeof(line->rx_buf), false);
        line->up.session(line->up.ctx, LINE_TEXT);
    }
}

static void message_end(struct line *line)
{
    line->in_message = false;
    if (line->rx.length == 1 && line->rx_buf[0] == RSP_BREAK_BYTE) {
        line->up.break_in(line->up.ctx);
        return;
    }
    switch (rsp_rx_end(&line->rx)) {
    case RSP_READY:
        line->up.packet(line->up.ctx, line->rx_buf, line->rx.length);
        break;
    case RSP_TOO_LONG:
        line->up.too_long(line->up.ctx);
        break;
    default:
        line->count.bad++;
        break;
    }
}

/* A message may resume the machine, and one may wait for another: parts are taken one by one. */
static void receive(struct line *line)
{
    struct link_piece piece;

    while (line->mode == LINE_LINK && link_receive(&line->link, &piece)) {
        bool more = piece.more;

        if (piece.channel == LINK_CONSOLE) {
            line->up.typed(line->up.ctx, piece.bytes, piece.length);
            link_release(&line->link);
            continue;
        }
        if (piece.channel != LINK_RSP) {
            link_release(&line->link);
            continue;
        }
        if (!line->in_message)
            rsp_rx_begin(&line->rx);
        line->in_message = true;
        rsp_rx_data(&line->rx, piece.bytes, piece.length);
        link_release(&line->link); /* before the handler: it may send, and wait for the window */
        if (!more)
            message_end(line);
    }
}

bool line_link_byte(struct line *line, uint8_t byte)
{
    if (line->mode != LINE_LINK && !line->link.rx_inside &&
        (byte != LINK_FLAG || (line->mode == LINE_RSP && rsp_rx_inside(&line->rx))))
        return false;
    link_rx_byte(&line->link, byte, now_ms(line));
    line->stalled = false;
    check_events(line);
    receive(line);
    flush(line);
    return true;
}

void line_link_tick(struct line *line, uint64_t now_us)
{
    (void)now_us;
    if (line->link.state == LINK_DOWN && !line->link.rx_inside && line->mode != LINE_LINK)
        return;
    line->link.lost_after_ms = line->link_timeout_ms;
    link_poll(&line->link, now_ms(line));
    check_events(line);
    if (line->mode == LINE_LINK && line->backlog_bytes && link_room(&line->link) > 2)
        line_flush_backlog(line);
    else if (line->mode == LINE_LINK)
        line_tell_lost(line);
    flush(line);
}

/* Takes bytes for the link alone; messages wait in its window until the caller is done. */
static void listen(struct line *line)
{
    for (unsigned i = 0; i < 64; i++) {
        int byte = line->io.read(line->io.ctx);

        if (byte < 0)
            break;
        line->count.rx++;
        link_rx_byte(&line->link, (uint8_t)byte, now_ms(line));
        line->stalled = false;
    }
    link_poll(&line->link, now_ms(line));
    flush(line);
}

/* Sends all, or as much as goes before `limit_ms` pass without progress. Returns the bytes sent. */
static size_t send_waiting(struct line *line, enum link_channel channel, const uint8_t *bytes,
                           size_t len_bytes, uint32_t limit_ms)
{
    uint32_t since_ms = now_ms(line);
    size_t sent = 0;

    while (sent < len_bytes && line->link.state == LINK_UP) {
        size_t took = link_send(&line->link, channel, bytes + sent, len_bytes - sent, false);

        sent += took;
        flush(line);
        if (took)
            since_ms = now_ms(line);
        else if (line->stalled || now_ms(line) - since_ms > limit_ms)
            break;
        else
            listen(line);
    }
    return sent;
}

/* Waits until a line of text fits whole: half a line would spoil the next one. */
static bool wait_for_room(struct line *line, size_t len_bytes)
{
    uint32_t since_ms = now_ms(line);
    unsigned room = link_room(&line->link), frames;

    while (line->link.state == LINK_UP) {
        frames = (unsigned)(len_bytes / line->link.fragment_max) + 1;
        if (link_room(&line->link) >= (frames < LINK_WINDOW ? frames : LINK_WINDOW))
            return true;
        if (line->stalled || now_ms(line) - since_ms > NO_PROGRESS_TEXT_MS)
            return false;
        flush(line);
        listen(line);
        if (link_room(&line->link) > room)
            since_ms = now_ms(line);
        room = link_room(&line->link);
    }
    return false;
}

bool line_link_send(struct line *line, enum line_channel channel, const void *bytes,
                    size_t len_bytes)
{
    enum link_channel on = channel == LINE_CONSOLE ? LINK_CONSOLE : LINK_LOG;
    size_t sent = 0;

    if (wait_for_room(line, channel == LINE_CONSOLE ? 1 : len_bytes)) {
        line_tell_lost(line); /* before what stands behind the gap */
        if (line->lost_bytes == line->lost_told_bytes)
            sent = send_waiting(line, on, bytes, len_bytes, NO_PROGRESS_TEXT_MS);
    }
    if (sent == len_bytes)
        return true;
    line->lost_bytes += len_bytes - sent;
    line->stalled = true;
    return false;
}

bool line_link_event(struct line *line, const char *text, size_t len_bytes)
{
    if (line->link.state != LINK_UP ||
        link_room(&line->link) <= len_bytes / line->link.fragment_max)
        return false;
    link_send(&line->link, LINK_EVENTS, text, len_bytes, false);
    flush(line);
    return true;
}

void line_ack(struct line *line)
{
    if (line->mode != LINE_LINK)
        return;
    link_ack_now(&line->link);
    flush(line);
}

void line_worked(struct line *line)
{
    if (line->mode == LINE_LINK)
        link_was_deaf(&line->link, now_ms(line));
}

void line_link_reply(struct line *line, const uint8_t *bytes, size_t len_bytes)
{
    uint32_t since_ms = now_ms(line), session = line->link.session;

    line->stalled = false;
    if (!len_bytes) { /* the empty reply is a message too */
        while (line->link.state == LINK_UP && !link_room(&line->link) &&
               now_ms(line) - since_ms < NO_PROGRESS_REPLY_MS)
            listen(line);
        if (line->link.session == session && line->link.state == LINK_UP && !link_room(&line->link))
            link_close(&line->link); /* a reply that is missing would shift all later ones */
        else if (line->link.session == session)
            link_send(&line->link, LINK_RSP, bytes, 0, false);
        flush(line);
        return;
    }
    /* Half a message would spoil all later ones of its session; a new client's is not to blame. */
    if (send_waiting(line, LINK_RSP, bytes, len_bytes, NO_PROGRESS_REPLY_MS) < len_bytes &&
        line->link.state == LINK_UP && line->link.session == session)
        link_close(&line->link);
    flush(line);
}
