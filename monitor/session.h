/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A conversation with the stub: requests and replies, running and stopped, and what arrives by
 * itself (guest console, log, stops). Rides on one of two carriers: bare RSP with acknowledgements,
 * or the link layer. Meaning of registers and packets is target.h's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "monitor/transport.h"

#define SESSION_PACKET_BYTES 4096

enum session_state {
    SESSION_DETACHED, /* nothing attached (yet, or any more): the line is text */
    SESSION_STOPPED,
    SESSION_RUNNING,
    SESSION_LOST, /* the line is gone */
};

struct session;

/* What a session tells its owner. None may call back into session_request(). */
struct session_calls {
    void *ctx;
    /* Guest console and hypervisor log: everything that is no answer. */
    void (*text)(void *ctx, const uint8_t *bytes, size_t len_bytes);
    /* A stop arrived; session_stop_text() has it. */
    void (*stopped)(void *ctx);
    /* Something happened that is no stop: "t:disarmed;event:3;why:...;". */
    void (*event)(void *ctx, const char *text);
    /* The line has been silent for two seconds (true), or is heard again. */
    void (*silent)(void *ctx, bool silent);
    /* One round of the poll loop, at most timeout_ms; false: give up waiting. */
    bool (*wait)(void *ctx, int timeout_ms);
};

/* Takes the transport over (NULL: a recording will be attached). */
struct session *session_new(struct transport *transport, const struct session_calls *calls);
void session_free(struct session *session);

/* Open files or NULL; the session closes none. */
struct session_logs {
    FILE *text;    /* log and guest console, whatever carried them */
    FILE *timed;   /* the same with host timestamps */
    FILE *raw;     /* every byte that came */
    FILE *packets; /* requests and replies */
};
void session_set_logs(struct session *session, const struct session_logs *logs);

/* Puts text of ours (whole lines) into the text logs, as if it had come on the line as log lines. */
void session_log_lines(struct session *session, const char *text);

/* Records requests, replies, stops and text for replay.h; NULL ends it. */
void session_record(struct session *session, FILE *file);

/* Asks who is there over a carrier that is set already. */
bool session_greet(struct session *session);

/*
 * Shakes hands: link layer first (unless `bare`), else plain RSP. Waits for a hypervisor that is
 * still `booting` (our own machine: nothing is sent before it has said a word, lest requests pile up
 * in its UART). True when attached; else session_why().
 */
bool session_attach(struct session *session, bool bare, bool booting, int timeout_ms);

enum session_state session_state(const struct session *session);
const char *session_why(const struct session *session);
bool session_is_recorded(const struct session *session);
bool session_linked(const struct session *session); /* link layer, not bare RSP */
bool session_spoke(const struct session *session);  /* any byte came since the start */
/* What the transport knows about a line on which nobody answers, or "". */
void session_line_hint(const struct session *session, char *hint, size_t cap_bytes);

/* For the poll loop: the descriptor, whether it wants to write, what to do when it is ready, and
 * the time work (repeats) with the milliseconds until it wants to run again. */
int session_fd(const struct session *session);
bool session_wants_write(const struct session *session);
void session_input(struct session *session);
void session_output(struct session *session);
/* The machine has ended: reads all that it left in the line. */
void session_last_words(struct session *session);
int session_tick(struct session *session);

/*
 * Sends a request and waits for its reply. Returns the reply's length, or -1 when there was none
 * (session_why()). The reply is unescaped, run lengths expanded, and ends with a 0 that is not
 * counted; it stays valid until the next request. `Enn` and `E.text` are replies like any other.
 */
long session_request(struct session *session, const char *request, size_t len_bytes,
                     const uint8_t **reply);

/* The same for printf-made requests without binary data. */
long session_ask(struct session *session, const uint8_t **reply, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sends a resume request ("vCont;c"): running from here on, until `stopped` is called. */
bool session_resume(struct session *session, const char *request);

/* Why the last resume was refused, or NULL; asking forgets it. `stopped` is called for it too. */
const char *session_refusal(struct session *session);

/* Asks a running guest to stop (0x03). */
bool session_break_in(struct session *session);

/* The last stop reply, "" before the first. */
const char *session_stop_text(const struct session *session);

/* Changes whenever an answer given before may be true no more: at a resume, a stop, and a request that
 * does more than read, whoever made it. */
unsigned session_epoch(const struct session *session);

/* Has nothing been done since the stop came, so that what its reply says is so still? */
bool session_stop_is_new(const struct session *session);

/* D: the guest goes on without us; the line is text again. */
bool session_detach(struct session *session);

/* The machine restarts: the line is text again, without a word to the stub. */
void session_detach_quietly(struct session *session);

/* Kills the conversation because the machine is gone; why is copied. */
void session_lose(struct session *session, const char *why);

/* A request waits for its reply: no other can be sent now. */
bool session_busy(const struct session *session);

/* Bytes and packets, for `info line`. */
struct session_counts {
    uint64_t bytes_in, bytes_out, packets_in, packets_out, repeats, damaged;
};
struct session_counts session_counts(const struct session *session);
