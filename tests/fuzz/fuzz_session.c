/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: the console's end of the line. The first byte chooses: raw bytes against the bare RSP
 * carrier, or against the link carrier; messages over the real link layer from a server of ours; raw bytes
 * of an RFC 2217 server. The rest is a script of what the console does and what comes meanwhile. Every
 * answer ends with a 0, a session that has no line says so, and nothing waits for ever.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/session_impl.h"
#include "monitor/transport_impl.h"
#include "protocol/link.h"
#include "tests/fuzz/sandbox.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

#define STEPS_MAX 64u

enum mode { MODE_BARE, MODE_LINK_BYTES, MODE_LINK_PEER, MODE_TELNET };

static struct session *session;
static struct link server;
static bool with_server;
static const uint8_t *in_at, *in_end;
static uint8_t last_request[SESSION_PACKET_BYTES];
static size_t last_request_bytes;

static uint8_t next(void)
{
    return in_at < in_end ? *in_at++ : 0;
}

/* Bytes to the console, as the poll loop would bring them. */
static void arrive(const uint8_t *bytes, size_t len_bytes)
{
    uint8_t *copy = malloc(len_bytes + !len_bytes); /* a byte too many is seen */

    memcpy(copy, bytes, len_bytes);
    session->spoke = true;
    if (session->carrier && session->state != SESSION_LOST)
        session->carrier->input(session, copy, len_bytes);
    else
        session_text(session, copy, len_bytes);
    free(copy);
}

static void server_speaks(void)
{
    uint8_t bytes[512];
    size_t got;

    while ((got = link_tx(&server, bytes, sizeof(bytes), (uint32_t)session_now_ms())))
        arrive(bytes, got);
}

/* What the server hears must be what the console asked. */
static void server_hears(void)
{
    static uint8_t message[2 * SESSION_FRAME_BYTES];
    static size_t length;
    struct link_piece piece;

    if (link_events(&server) & LINK_EV_OPEN)
        length = 0;
    while (link_receive(&server, &piece)) {
        MUST(piece.channel == LINK_RSP && length + piece.length <= sizeof(message));
        memcpy(message + length, piece.bytes, piece.length);
        length = piece.more ? length + piece.length : 0;
        link_release(&server);
    }
}

/* The line's other end (linker's --wrap): takes everything. */
bool __wrap_transport_write(struct transport *transport, const uint8_t *bytes, size_t len_bytes);

bool __wrap_transport_write(struct transport *transport, const uint8_t *bytes, size_t len_bytes)
{
    (void)transport;
    for (size_t i = 0; with_server && i < len_bytes; i++)
        link_rx_byte(&server, bytes[i], (uint32_t)session_now_ms());
    return true;
}

/* The next piece of the script that comes from the line. */
static void something_comes(void)
{
    static const enum link_channel channels[] = {LINK_RSP, LINK_CONSOLE, LINK_LOG, LINK_EVENTS};
    size_t left, len_bytes = next();
    uint8_t channel = (uint8_t)(len_bytes >> 6);

    len_bytes &= 63;
    left = (size_t)(in_end - in_at);
    len_bytes = len_bytes < left ? len_bytes : left;
    if (with_server) {
        server_hears();
        link_send(&server, channels[channel], in_at, len_bytes, false);
        server_speaks();
    } else {
        arrive(in_at, len_bytes);
    }
    in_at += len_bytes;
}

static void text(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    volatile uint8_t sink = 0;

    (void)ctx;
    for (size_t i = 0; i < len_bytes; i++)
        sink ^= bytes[i];
    (void)sink;
}

static void stopped(void *ctx)
{
    (void)ctx;
    MUST(session->state == SESSION_STOPPED);
    MUST(memchr(session->stop, 0, sizeof(session->stop)));
}

static void event(void *ctx, const char *line)
{
    text(ctx, (const uint8_t *)line, strlen(line));
}

static void silent(void *ctx, bool is)
{
    (void)ctx, (void)is;
}

static bool wait(void *ctx, int timeout_ms)
{
    struct timespec pause = {.tv_nsec = (timeout_ms < 400 ? timeout_ms : 400) * 1000000l};

    (void)ctx;
    MUST(timeout_ms >= 0);
    nanosleep(&pause, NULL); /* the sandbox's */
    if (with_server) {
        server_hears();
        server_speaks();
    }
    if (in_at < in_end)
        something_comes();
    return in_at < in_end || with_server;
}

static void ask(const char *request, size_t len_bytes)
{
    const uint8_t *reply = NULL;
    long got = session_request(session, request, len_bytes, &reply);

    MUST(reply && got < SESSION_FRAME_BYTES);
    MUST(got < 0 || !reply[got]);
    MUST(got >= 0 || session_why(session)[0]);
    MUST(!session_busy(session));
}

static void step(void)
{
    static const char *const requests[] = {"g", "m1000,40", "qtl.exit", "?"};
    uint8_t op = next();
    struct timespec pause = {.tv_sec = op >> 5, .tv_nsec = 100000000};

    switch (op & 7) {
    case 0:
    case 1:
        ask(requests[op >> 3 & 3], strlen(requests[op >> 3 & 3]));
        break;
    case 2:
        last_request_bytes = (size_t)next() * 16;
        memset(last_request, '#', last_request_bytes); /* every byte escaped */
        ask((const char *)last_request, last_request_bytes);
        break;
    case 3:
        session_resume(session, "vCont;c");
        session_refusal(session);
        break;
    case 4:
        if (session->state == SESSION_RUNNING)
            session_break_in(session);
        break;
    case 5:
        nanosleep(&pause, NULL);
        MUST(session_tick(session) >= -1);
        break;
    case 6:
        something_comes();
        break;
    case 7:
        if (op >> 3 == 1 && session->state == SESSION_STOPPED)
            session_detach(session);
        else if (op >> 3 == 2 && !session->carrier)
            session_attach(session, op & 0x80, false, 3000);
        else
            something_comes();
        break;
    }
    MUST(session->state <= SESSION_LOST && session_stop_text(session)[0] != 1);
}

/* What a serial server sends: data comes through, commands do not, and no more than came. */
static void telnet(int fd)
{
    struct transport *transport = transport_from_fd(fd);
    char hint[200];

    MUST(transport);
    rfc2217_start(transport, 115200);
    while (in_at < in_end) {
        size_t len_bytes = 1u + (next() & 31u), left = (size_t)(in_end - in_at), kept;
        uint8_t *bytes;

        len_bytes = len_bytes < left ? len_bytes : left;
        bytes = malloc(len_bytes + !len_bytes);
        memcpy(bytes, in_at, len_bytes);
        kept = rfc2217_filter(transport, bytes, len_bytes);
        MUST(kept <= len_bytes);
        rfc2217_write(transport, bytes, kept);
        free(bytes);
        in_at += len_bytes;
        rfc2217_hint(transport, hint, sizeof(hint));
        MUST(memchr(hint, 0, sizeof(hint)));
    }
    transport_close(transport);
}

static void talk(enum mode mode, int fd)
{
    const struct session_calls calls = {NULL, text, stopped, event, silent, wait};

    session = session_new(transport_from_fd(fd), &calls);
    MUST(session && session->transport);
    with_server = mode == MODE_LINK_PEER;
    if (with_server)
        link_init(&server, LINK_SERVER, 9, 0, (uint32_t)session_now_ms());
    session->carrier = mode == MODE_BARE ? &carrier_bare : &carrier_link;
    if (session->carrier->open)
        MUST(session->carrier->open(session));
    if (with_server) {
        server_speaks();
        MUST(session->carrier->up(session));
    }
    session->state = SESSION_STOPPED;
    for (unsigned steps = 0; steps < STEPS_MAX && in_at < in_end; steps++)
        step();
    with_server = false;
    session_free(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    MUST(fd >= 0);
    in_at = data + !!size;
    in_end = data + size;
    sandbox_enter((const uint8_t *)"", 0);
    if (size && (data[0] & 3) == MODE_TELNET)
        telnet(fd);
    else
        talk(size ? data[0] & 3 : 0, fd);
    sandbox_leave();
    return 0;
}
