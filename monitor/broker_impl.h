/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What broker.c (the socket), broker_packets.c (what a packet means) and broker_breaks.c (GDB's
 * breakpoints) share. Nobody else includes this.
 */
#pragma once

#include "monitor/broker.h"
#include "monitor/broker_cache.h"
#include "monitor/console.h"
#include "protocol/rsp.h"

#define BROKER_BREAKS_MAX 64u
#define BROKER_KEY_BYTES  48u

/* One breakpoint of GDB's. */
struct broker_break {
    char key[BROKER_KEY_BYTES]; /* TYPE,ADDR,KIND as it came; "": free */
    char *text;                 /* the whole Z packet that the stub has */
    bool wanted;                /* GDB wants it in; else the stub has it still */
};

struct broker {
    struct console *console;
    int listener, client, refused; /* -1: none */
    bool greeted;                  /* the client has sent a packet */
    bool must_clean;               /* breakpoints of a client that is gone may be in the stub */
    bool no_ack, owns, has_slot;
    struct rsp_rx rx;
    uint8_t packet[RSP_PACKET_MAX];
    uint8_t frame[2 * SESSION_PACKET_BYTES + 64]; /* the last reply, for a NAK */
    size_t frame_len_bytes;
    struct broker_cache *cache;
    unsigned epoch; /* of the session, when the cache was last looked into */
    bool reads_dtd; /* the client applies defaults of an internal DTD */
    bool met;       /* the stub of this session is known */
    bool one_vcpu;  /* the stub is ours and has said so: thread numbers need no asking */
    struct broker_break breaks[BROKER_BREAKS_MAX];
};

/* broker.c */
void broker_reply(struct broker *broker, const void *bytes, size_t len_bytes);
void broker_reply_text(struct broker *broker, const char *text);
void broker_hang_up(struct broker *broker, const char *why);

/* broker_packets.c: one packet, `packet` ends with a 0 behind its len_bytes. */
void broker_packet(struct broker *broker, const char *packet, size_t len_bytes);

/* broker_breaks.c */
/* Z and z: true when the reply went out already. */
bool broker_breaks_packet(struct broker *broker, const char *packet);
/* The stub took a Z or z that was forwarded. */
void broker_breaks_took(struct broker *broker, const char *packet);
/* Nobody wants any of them: the next flush takes them out. */
void broker_breaks_abandon(struct broker *broker);
/* Takes out of the stub what GDB does not want any more; nothing while the guest runs. */
void broker_breaks_flush(struct broker *broker);
/* GDB is gone: it wants none. `quietly`: the stub is gone as well. */
void broker_breaks_end(struct broker *broker, bool quietly);
