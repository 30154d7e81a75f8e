/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Line and stub together: whose packet is answered when, stop replies, repeated resumes, clients that
 * come, leave and vanish.
 */
#pragma once

#include "dbg/line.h"
#include "dbg/stub.h"

#define RESUME_KEPT_BYTES 128u

struct client {
    struct stub stub;
    struct line line;
    bool want_stop;                  /* the running machine shall stop */
    bool supported_seen;             /* this session had its qSupported */
    uint8_t waiting[RSP_PACKET_MAX]; /* packet that waits for the machine to stop */
    size_t waiting_bytes;
    bool is_waiting;
    uint8_t resume[RESUME_KEPT_BYTES]; /* last resume packet, while nothing else has come */
    size_t resume_bytes;
    uint64_t reply_us;    /* when its stop reply went out; 0: not yet */
    uint64_t greeting_us; /* of the last qSupported, while nothing else has come; 0: none */
    uint64_t heard_us;    /* when the client's last byte came */
};

/* Line in text mode, nobody attached, guest running. *target must outlive it; *io is copied. */
void client_init(struct client *client, const struct dbg_target *target, const struct line_io *io);

/* While the guest runs: takes received bytes. True: stop the machine. */
bool client_poll(struct client *client);

/* The machine is about to end: goes on talking, for at most limit_us, until the client has everything. */
void client_flush(struct client *client, uint64_t limit_us);

/* The machine has stopped. Returns when it shall go on. idle() is called when no byte is there. */
void client_serve(struct client *client, unsigned cpu, enum run_why why, void (*idle)(void *ctx),
                  void *ctx);

/* Is there a session, over bare RSP or over the link? */
bool client_attached(const struct client *client);

/* Input for the guest's console goes here; set once by the owner. */
extern void (*client_guest_input)(const uint8_t *bytes, size_t len_bytes);
