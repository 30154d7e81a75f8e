/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * See broker.h. The socket: who may connect, bytes into packets and replies into bytes. What a packet
 * means is broker_packets.c's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/broker_impl.h"
#include "monitor/out.h"

#define TEXT_BYTES 512u /* of console or log, in one O packet */

struct broker *broker_new(struct console *console, int port)
{
    struct broker *broker = calloc(1, sizeof(*broker));
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof(address);
    int one = 1;

    if (!broker)
        return NULL;
    broker->console = console;
    broker->client = broker->listener = broker->refused = -1;
    broker->cache = broker_cache_new();
    if (!broker->cache) {
        free(broker);
        return NULL;
    }
    broker->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(broker->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (broker->listener < 0 ||
        bind(broker->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(broker->listener, 1) < 0 ||
        getsockname(broker->listener, (struct sockaddr *)&address, &len) < 0) {
        out_error("--gdb %d: %s", port, strerror(errno));
        broker_free(broker);
        return NULL;
    }
    out_printf("[GDB: target remote localhost:%u]\n", ntohs(address.sin_port));
    return broker;
}

void broker_free(struct broker *broker)
{
    if (!broker)
        return;
    if (broker->client >= 0)
        close(broker->client);
    if (broker->refused >= 0)
        close(broker->refused);
    if (broker->listener >= 0)
        close(broker->listener);
    broker_breaks_end(broker, true);
    broker_cache_free(broker->cache);
    free(broker);
}

bool broker_owns(const struct broker *broker)
{
    return broker && broker->owns;
}

bool broker_connected(const struct broker *broker)
{
    return broker && broker->client >= 0 && broker->greeted;
}

void broker_hang_up(struct broker *broker, const char *why)
{
    if (broker->client < 0)
        return;
    close(broker->client);
    broker->client = -1;
    broker->must_clean = true;
    broker_breaks_abandon(broker); /* the next client may be here before the guest stands */
    if (broker->greeted)
        out_printf("[GDB %s%s]\n", why,
                   broker->owns && console_running(broker->console) ? "; the guest runs on" : "");
    broker->owns = broker->greeted = false;
}

static void put(struct broker *broker, const void *bytes, size_t len_bytes)
{
    const uint8_t *from = bytes;

    while (len_bytes > 0 && broker->client >= 0) {
        ssize_t sent = send(broker->client, from, len_bytes, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd wait = {.fd = broker->client, .events = POLLOUT};

            if (poll(&wait, 1, 2000) == 1)
                continue;
        }
        if (sent <= 0) {
            broker_hang_up(broker, "is gone");
            return;
        }
        from += sent;
        len_bytes -= (size_t)sent;
    }
}

void broker_reply(struct broker *broker, const void *bytes, size_t len_bytes)
{
    struct rsp_tx tx;

    rsp_tx_start(&tx, broker->frame, sizeof(broker->frame), false);
    rsp_tx_binary(&tx, bytes, len_bytes);
    broker->frame_len_bytes = rsp_tx_finish(&tx);
    put(broker, broker->frame, broker->frame_len_bytes);
}

void broker_reply_text(struct broker *broker, const char *text)
{
    broker_reply(broker, text, strlen(text));
}

/* The first packet makes a connection GDB's: something that only knocked leaves the guest alone. */
static void greet(struct broker *broker)
{
    if (broker->greeted)
        return;
    broker->greeted = true;
    out_printf("[GDB has connected]\n");
    if (console_running(broker->console)) {
        /* GDB believes that a connected target stands. */
        session_break_in(broker->console->session);
    }
}

static void serve_packet(struct broker *broker)
{
    char packet[RSP_PACKET_MAX + 1];
    size_t len_bytes = broker->rx.length;

    memcpy(packet, broker->packet, len_bytes);
    packet[len_bytes] = '\0';
    if (!broker->no_ack)
        put(broker, "+", 1);
    broker_packet(broker, packet, len_bytes);
}

static void serve_byte(struct broker *broker, uint8_t byte)
{
    switch (rsp_rx_byte(&broker->rx, byte)) {
    case RSP_READY:
        greet(broker);
        serve_packet(broker);
        break;
    case RSP_BAD_CHECKSUM:
        if (!broker->no_ack)
            put(broker, "-", 1);
        break;
    case RSP_TOO_LONG:
        if (!broker->no_ack)
            put(broker, "+", 1); /* it came whole; again it would be as long */
        broker_reply_text(broker, "E.too-long: a packet has at most 4096 bytes");
        break;
    case RSP_NAK:
        put(broker, broker->frame, broker->frame_len_bytes);
        break;
    case RSP_BREAK:
        if (!console_running(broker->console))
            break; /* a reply that nobody waits for would shift all later ones */
        if (!broker->owns)
            out_printf("[GDB asks to stop the guest]\n");
        session_break_in(broker->console->session);
        break;
    default:
        break;
    }
}

/* The other one is told in GDB's own words. Closing at once would throw the words away together with
 * what it has sent meanwhile: it is closed when it has hung up, or at the next one. */
static void refuse(struct broker *broker, int fd)
{
    uint8_t frame[160];
    struct rsp_tx tx;

    rsp_tx_start(&tx, frame, sizeof(frame), false);
    rsp_tx_str(&tx, "E.busy: another GDB is connected to this trapline; it must detach first");
    if (send(fd, "+", 1, MSG_NOSIGNAL) < 0 || send(fd, frame, rsp_tx_finish(&tx), MSG_NOSIGNAL) < 0)
        errno = 0; /* it is gone already */
    shutdown(fd, SHUT_WR);
    if (broker->refused >= 0)
        close(broker->refused);
    broker->refused = fd;
    out_printf("[a second GDB was sent away]\n");
}

static void hear_refused(struct broker *broker)
{
    uint8_t bytes[512];
    ssize_t got = read(broker->refused, bytes, sizeof(bytes));

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        close(broker->refused);
        broker->refused = -1;
    }
}

static void welcome(struct broker *broker)
{
    int fd = accept4(broker->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

    if (fd < 0)
        return;
    if (broker->client >= 0 && broker->greeted) {
        refuse(broker, fd);
        return;
    }
    if (broker->client >= 0)
        close(broker->client); /* it never said a word of GDB's */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    broker->client = fd;
    broker->greeted = broker->no_ack = false;
    broker->frame_len_bytes = 0;
    rsp_rx_init(&broker->rx, broker->packet, sizeof(broker->packet), false);
}

nfds_t broker_slots(struct broker *broker, struct pollfd *slots, nfds_t cap)
{
    if (cap < 3)
        return 0;
    slots[0] = (struct pollfd){.fd = broker->listener, .events = POLLIN};
    /* While a request of the console is under way, GDB's wait in its socket. */
    broker->has_slot = broker->client >= 0 && !session_busy(broker->console->session);
    slots[1] = (struct pollfd){.fd = broker->has_slot ? broker->client : -1, .events = POLLIN};
    slots[2] = (struct pollfd){.fd = broker->refused, .events = POLLIN};
    return 3;
}

/* GDB is gone, perhaps without a word: so go its breakpoints, as soon as the stub can be asked. */
static void clean_up(struct broker *broker)
{
    struct console *console = broker->console;

    if (!broker->must_clean || !console_attached(console) || console_running(console) ||
        session_busy(console->session))
        return;
    broker->must_clean = false;
    broker_breaks_flush(broker);
}

static void serve_client(struct broker *broker)
{
    uint8_t bytes[2048];
    ssize_t got = read(broker->client, bytes, sizeof(bytes));

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        broker_hang_up(broker, "has closed its connection");
        return;
    }
    /* Each packet may run the poll loop again; has_slot keeps this function out of itself. */
    for (ssize_t i = 0; i < got && broker->client >= 0; i++)
        serve_byte(broker, bytes[i]);
}

void broker_serve(struct broker *broker, const struct pollfd *slots, nfds_t count)
{
    if (count < 3)
        return;
    if (slots[2].revents && broker->refused == slots[2].fd)
        hear_refused(broker);
    if (broker->has_slot && slots[1].revents && broker->client == slots[1].fd)
        serve_client(broker);
    if (slots[0].revents)
        welcome(broker);
    clean_up(broker);
}

void broker_before_resume(struct broker *broker)
{
    if (broker)
        broker_breaks_flush(broker);
}

void broker_gone(struct broker *broker, const char *why, bool in_order)
{
    char text[300];

    if (!broker)
        return;
    broker_breaks_end(broker, true);
    broker->must_clean = broker->one_vcpu = broker->met = false;
    if (broker->client < 0)
        return;
    snprintf(text, sizeof(text), "trapline: %s\n", why);
    broker_text(broker, (const uint8_t *)text, strlen(text));
    if (broker->owns)
        broker_reply_text(broker, in_order ? "W00" : "W01");
    broker_hang_up(broker, "was told so");
}

void broker_stopped(struct broker *broker)
{
    if (!broker || !broker->owns || broker->client < 0)
        return;
    broker->owns = false;
    broker_reply_text(broker, session_stop_text(broker->console->session));
}

void broker_text(struct broker *broker, const uint8_t *bytes, size_t len_bytes)
{
    uint8_t frame[2 * TEXT_BYTES + 8];
    struct rsp_tx tx;

    if (!broker || !broker->owns)
        return;
    while (len_bytes > 0 && broker->client >= 0) {
        size_t part = len_bytes < TEXT_BYTES ? len_bytes : TEXT_BYTES;

        /* Not `reply`: a NAK asks for the reply, not for this. */
        rsp_tx_start(&tx, frame, sizeof(frame), false);
        rsp_tx_str(&tx, "O");
        rsp_tx_hex_bytes(&tx, bytes, part);
        put(broker, frame, rsp_tx_finish(&tx));
        bytes += part;
        len_bytes -= part;
    }
}

void broker_refused(struct broker *broker, const char *why)
{
    char text[300];

    if (!broker || !broker->owns)
        return;
    broker->owns = false;
    snprintf(text, sizeof(text), "E.refused: %s", why);
    broker_reply_text(broker, text);
}
