/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plain RSP on the raw line, with acknowledgements. A packet that resumes the guest is never sent
 * twice: when its acknowledgement is lost, `?` tells what happened. Framing is protocol/rsp.h's.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/session_impl.h"
#include "protocol/rsp.h"

#define ACK_TIMEOUT_MS 1000
#define REPEATS_MAX    4

struct bare {
    struct rsp_rx rx;
    uint8_t payload[SESSION_FRAME_BYTES];

    uint8_t sent[SESSION_FRAME_BYTES]; /* whole frame of the last request */
    size_t sent_len_bytes;
    bool unacknowledged, resumes;
    unsigned repeats;
    uint64_t sent_ms;
};

static struct bare *bare_of(struct session *session)
{
    struct bare *bare = session->carrier_state;

    if (!bare) {
        bare = session->carrier_state = calloc(1, sizeof(struct bare));
        if (bare)
            rsp_rx_init(&bare->rx, bare->payload, sizeof(bare->payload), true);
    }
    return bare;
}

static void bare_close(struct session *session)
{
    free(session->carrier_state);
    session->carrier_state = NULL;
}

static bool put_frame(struct session *session, struct bare *bare)
{
    bare->unacknowledged = true;
    bare->sent_ms = session_now_ms();
    return session_put(session, bare->sent, bare->sent_len_bytes);
}

static void build(struct bare *bare, const void *payload, size_t len_bytes)
{
    struct rsp_tx tx;

    rsp_tx_start(&tx, bare->sent, sizeof(bare->sent), false);
    rsp_tx_binary(&tx, payload, len_bytes);
    bare->sent_len_bytes = rsp_tx_finish(&tx);
}

static bool bare_send(struct session *session, const uint8_t *payload, size_t len_bytes)
{
    struct bare *bare = bare_of(session);

    if (!bare)
        return false;
    build(bare, payload, len_bytes);
    if (bare->sent_len_bytes == 0)
        return false;
    bare->repeats = 0;
    bare->resumes = session->state == SESSION_RUNNING && !session->waiting;
    return put_frame(session, bare);
}

static bool bare_break_in(struct session *session)
{
    static const uint8_t byte = RSP_BREAK_BYTE;

    return session_put(session, &byte, 1);
}

static void repeat(struct session *session, struct bare *bare)
{
    if (++bare->repeats > REPEATS_MAX) {
        bare->unacknowledged = false;
        session_give_up(session, "the other end does not acknowledge");
        return;
    }
    session->counts.repeats++;
    if (bare->resumes && bare->repeats == 1)
        build(bare, "?", 1); /* did it start? A standing guest answers with a stop */
    put_frame(session, bare);
}

static void bare_input(struct session *session, const uint8_t *bytes, size_t len_bytes)
{
    struct bare *bare = bare_of(session);

    for (size_t i = 0; bare && i < len_bytes; i++) {
        switch (rsp_rx_byte(&bare->rx, bytes[i])) {
        case RSP_READY:
            session_put(session, (const uint8_t *)"+", 1);
            bare->unacknowledged = false; /* an answer says more than its acknowledgement */
            session_packet(session, bare->payload, bare->rx.length);
            break;
        case RSP_BAD_CHECKSUM:
        case RSP_TOO_LONG:
            session->counts.damaged++;
            session_put(session, (const uint8_t *)"-", 1);
            break;
        case RSP_ACK:
            bare->unacknowledged = false;
            break;
        case RSP_NAK:
            if (bare->unacknowledged)
                repeat(session, bare);
            break;
        case RSP_TEXT:
            session_text(session, &bytes[i], 1);
            break;
        case RSP_BREAK:
        case RSP_NONE:
            break;
        }
        bare = session->carrier_state; /* a callback may have closed it */
    }
}

static int bare_tick(struct session *session, uint64_t now_ms)
{
    struct bare *bare = session->carrier_state;

    if (!bare || !bare->unacknowledged)
        return -1;
    if (now_ms - bare->sent_ms >= ACK_TIMEOUT_MS) {
        if (session->handshake) { /* the handshake has its own patience */
            bare->unacknowledged = false;
            session_give_up(session, "no answer");
            return -1;
        }
        repeat(session, bare);
    }
    return ACK_TIMEOUT_MS;
}

const struct carrier carrier_bare = {
    .name = "RSP",
    .send = bare_send,
    .break_in = bare_break_in,
    .input = bare_input,
    .tick = bare_tick,
    .close = bare_close,
};
