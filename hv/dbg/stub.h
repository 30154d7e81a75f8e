/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The stub: one request in, one reply out, and the state behind it (stopped or running, who waits for
 * a stop reply, what the client understands). Knows no bytes of the line: packets come unframed from
 * client.c and go back to it.
 */
#pragma once

#include "dbg/reply.h"
#include "dbg/run.h"

#define OBJECT_CAP_BYTES (64u << 10)

/* What the client and the line do for the stub. */
struct stub_host {
    void *ctx;
    void (*console_text)(void *ctx, const char *text,
                         size_t len_bytes); /* `O` packet: qRcmd output */
    void (*guest_input)(void *ctx, const uint8_t *bytes, size_t len_bytes);
    void (*line_counters)(void *ctx, struct reply *reply);
};

struct stub_options {
    bool step_irqs_pass;
    bool disconnect_stops; /* on-disconnect=stop */
    bool dead_resets;      /* dead-stop=reset */
    bool full_description; /* description=full: SSE registers on a bare line too */
    uint32_t link_timeout_ms, bare_timeout_ms;
};

/* Memory whose checksum goes into each stop reply (Qtl.follow). */
#define FOLLOW_MAX       4u
#define FOLLOW_LEN_BYTES 512u

struct follow {
    uint64_t addr;
    size_t len_bytes;
};

struct stub {
    const struct dbg_target *target;
    struct stub_host host;
    struct codepool pool;
    struct breaks breaks;
    struct events events;
    struct run run;
    struct reply reply;
    struct stub_options options;
    bool stopped;          /* the machine stands still in client_serve() */
    bool dead;             /* and cannot go on unless something is edited */
    bool edited;           /* it was */
    bool reply_due;        /* the client resumed it and waits for a stop reply */
    bool session;          /* somebody is attached */
    bool swbreak, hwbreak; /* the client wants these words */
    bool phys_mode;        /* Qqemu.PhyMemMode */
    bool link;             /* this session's packets come over the link layer */
    bool no_ack;           /* the transport is reliable and QStartNoAckMode may be granted */
    bool detach_after;     /* the reply to this packet ends the session */
    unsigned cpu;          /* Hg */
    uint64_t stops;
    struct follow follow[FOLLOW_MAX];
    unsigned follow_count;
    struct { /* text object kept between its slices */
        char bytes[OBJECT_CAP_BYTES];
        size_t len_bytes;
        int packet; /* enum tl_packet, or -1 */
    } object;
};

enum stub_answer {
    STUB_REPLY,   /* stub->reply is the answer */
    STUB_SILENT,  /* nothing to send (now) */
    STUB_STOP,    /* the machine must stop first; offer the packet again when it has */
    STUB_RESUMED, /* the machine goes on; the stop reply comes when it stops */
};

/* No session, guest running, options at their defaults. *target must outlive it; *host and *out are
 * copied. */
void stub_init(struct stub *stub, const struct dbg_target *target, const struct stub_host *host,
               const struct dbg_out *out);

/* A client begins: settings of the last one are forgotten, its breakpoints are taken out. Events stay
 * armed. */
void stub_session_begin(struct stub *stub);
/* Breakpoints go, events stay; the machine is left as it is. */
void stub_session_end(struct stub *stub);

/* One request, unframed. STUB_STOP: nothing was done, offer it again when the machine has stopped. */
enum stub_answer stub_packet(struct stub *stub, const uint8_t *bytes, size_t len_bytes);

/* The machine has stopped; true: stub->reply holds the stop reply that the client waits for. */
bool stub_stopped(struct stub *stub, unsigned cpu, enum run_why why);

/* Writes the current stop reply. */
void stub_stop_reply(struct stub *stub, struct reply *reply);

/* Lets the machine go on without a client's word (it detached, or vanished). */
void stub_let_go(struct stub *stub);
