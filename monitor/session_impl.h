/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What session.c and its carriers share. A carrier turns bytes of the line into packets and back;
 * session.c decides what a packet means. Nobody else includes this.
 */
#pragma once

#include "monitor/session.h"

#define GREETING            "qSupported:swbreak+;hwbreak+;vContSupported+;error-message+"
#define SESSION_FRAME_BYTES (2 * SESSION_PACKET_BYTES + 64)

struct session;

struct carrier {
    const char *name;
    /* Starts; then `up` says when packets can be sent. Both NULL: at once. */
    bool (*open)(struct session *session);
    bool (*up)(struct session *session);
    /* Sends one RSP payload, unescaped; the carrier repeats it until the other end has it. */
    bool (*send)(struct session *session, const uint8_t *payload, size_t len_bytes);
    bool (*break_in)(struct session *session);
    /* Bytes from the line. Calls session_packet() and session_text(). */
    void (*input)(struct session *session, const uint8_t *bytes, size_t len_bytes);
    /* Time work; returns ms until the next, -1 for none. */
    int (*tick)(struct session *session, uint64_t now_ms);
    void (*close)(struct session *session);
};

extern const struct carrier carrier_bare, carrier_link;

struct session {
    struct transport *transport;
    struct session_calls calls;
    const struct carrier *carrier;
    void *carrier_state;
    enum session_state state;
    char why[256];
    bool spoke, handshake, machine_gone;
    FILE *log, *raw_log, *timed_log, *packet_log, *record;
    bool timed_at_start; /* the timed log stands at the start of a line */
    struct session_counts counts;

    unsigned epoch;      /* session_epoch() */
    unsigned stop_epoch; /* as it was when the last stop came */
    bool waiting;        /* for the reply to a request */
    bool silent;         /* the link has heard nothing for two seconds */
    /* Over the link: replies that nobody waits for any more and that will still come, before any other.
     * Without this count each would be taken for the answer to the request after it. */
    unsigned owed;
    bool reply_ready, gave_up;
    uint8_t reply[SESSION_FRAME_BYTES];
    size_t reply_len_bytes;
    char stop[SESSION_PACKET_BYTES];
    char refusal[200]; /* of the last resume; "" when none */
    char refusal_read[200];
};

/* Carrier to session: one payload, unescaped and expanded. */
void session_packet(struct session *session, const uint8_t *payload, size_t len_bytes);
/* Carrier to session: one message of the events channel. */
void session_event(struct session *session, const char *text);
/* Carrier to session: bytes that belong to no packet. */
void session_text(struct session *session, const uint8_t *bytes, size_t len_bytes);
/* Carrier to session: the request could not be delivered, or its reply never came. */
void session_give_up(struct session *session, const char *why);
/* Logs a payload and gives it to the carrier. */
bool session_send(struct session *session, const uint8_t *payload, size_t len_bytes);
/* A request in any state; see session_request(). */
long session_exchange(struct session *session, const uint8_t *request, size_t len_bytes,
                      const uint8_t **reply, int timeout_ms);
/* A stop reply: its shape, and what follows from it. */
bool session_is_stop(const uint8_t *payload, size_t len_bytes);
void session_take_stop(struct session *session, const uint8_t *payload, size_t len_bytes);
/* Bytes to the line. */
bool session_put(struct session *session, const uint8_t *bytes, size_t len_bytes);
uint64_t session_now_ms(void);
/* One line of the packet log. */
void session_log_packet(struct session *session, const char *arrow, const uint8_t *payload,
                        size_t len_bytes);
