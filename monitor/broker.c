/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * See broker.h. GDB's packets are passed to the session and its replies back; acknowledgements, no-ack
 * mode, detach and kill end here, because they are about GDB's connection and not about the machine.
 */
#include "monitor/broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "protocol/rsp.h"

#define TEXT_BYTES 512u /* of console or log, in one O packet */

struct broker {
    struct console *console;
    int listener, client;
    bool no_ack, owns, has_slot;
    struct rsp_rx rx;
    uint8_t packet[RSP_PACKET_MAX];
    uint8_t frame[2 * SESSION_PACKET_BYTES + 64]; /* the last reply, for a NAK */
    size_t frame_len_bytes;
};

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
    broker->client = -1;
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
    if (broker->listener >= 0)
        close(broker->listener);
    free(broker);
}

bool broker_owns(const struct broker *broker)
{
    return broker && broker->owns;
}

bool broker_connected(const struct broker *broker)
{
    return broker && broker->client >= 0;
}

static void hang_up(struct broker *broker, const char *why)
{
    if (broker->client < 0)
        return;
    close(broker->client);
    broker->client = -1;
    broker->owns = false;
    out_printf("[GDB %s]\n", why);
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
            hang_up(broker, "is gone");
            return;
        }
        from += sent;
        len_bytes -= (size_t)sent;
    }
}

static void reply(struct broker *broker, const void *bytes, size_t len_bytes)
{
    struct rsp_tx tx;

    rsp_tx_start(&tx, broker->frame, sizeof(broker->frame), false);
    rsp_tx_binary(&tx, bytes, len_bytes);
    broker->frame_len_bytes = rsp_tx_finish(&tx);
    put(broker, broker->frame, broker->frame_len_bytes);
}

static void reply_text(struct broker *broker, const char *text)
{
    reply(broker, text, strlen(text));
}

static bool is_resume(const char *packet)
{
    return strncmp(packet, "vCont;", 6) == 0 || strchr("csCS", packet[0]) ||
           strncmp(packet, "Qtl.nextexit", 12) == 0;
}

static void resume(struct broker *broker, const char *packet)
{
    struct console *console = broker->console;

    if (console_running(console)) {
        reply_text(broker, "E.running: the console lets the guest run; interrupt it there");
        return;
    }
    target_forget(console->target);
    broker->owns = session_resume(console->session, packet);
    if (!broker->owns)
        reply_text(broker, "E.lost: the line is lost");
}

/* Stubs differ in what they can; no-ack mode is ours to offer. */
static void supported(struct broker *broker, const char *packet, size_t len_bytes)
{
    char text[SESSION_PACKET_BYTES];
    const uint8_t *answer;
    long got = session_request(broker->console->session, packet, len_bytes, &answer);

    if (got < 0)
        reply_text(broker, "PacketSize=1000;QStartNoAckMode+");
    else {
        snprintf(text, sizeof(text), "%.3900s;QStartNoAckMode+", (const char *)answer);
        reply_text(broker, text);
    }
}

static void forward(struct broker *broker, const char *packet, size_t len_bytes)
{
    struct console *console = broker->console;
    const uint8_t *answer;
    long got = session_request(console->session, packet, len_bytes, &answer);

    if (got < 0) {
        reply_text(broker, "E.lost: no answer from the hypervisor");
        return;
    }
    if (strchr("GPMX", packet[0]) || strncmp(packet, "Qtl.", 4) == 0)
        target_forget(console->target); /* the console's picture is old now */
    reply(broker, answer, (size_t)got);
}

static void serve_packet(struct broker *broker)
{
    struct console *console = broker->console;
    char packet[RSP_PACKET_MAX + 1];
    size_t len_bytes = broker->rx.length;

    memcpy(packet, broker->packet, len_bytes);
    packet[len_bytes] = '\0';
    if (!broker->no_ack)
        put(broker, "+", 1);
    if (!console_attached(console)) {
        reply_text(broker, "E.lost: the machine is gone");
    } else if (strcmp(packet, "QStartNoAckMode") == 0) {
        reply_text(broker, "OK");
        broker->no_ack = true;
    } else if (packet[0] == 'D') {
        reply_text(broker, "OK");
        hang_up(broker, "has detached; the guest stays as it is");
    } else if (packet[0] == 'k') {
        hang_up(broker, "has gone (kill never touches the machine)");
    } else if (is_resume(packet)) {
        resume(broker, packet);
    } else if (strncmp(packet, "qSupported", 10) == 0) {
        supported(broker, packet, len_bytes);
    } else if (strcmp(packet, "?") == 0 && !console_running(console)) {
        reply_text(broker, session_stop_text(console->session));
    } else {
        forward(broker, packet, len_bytes);
    }
}

static void serve_byte(struct broker *broker, uint8_t byte)
{
    switch (rsp_rx_byte(&broker->rx, byte)) {
    case RSP_READY:
        serve_packet(broker);
        break;
    case RSP_BAD_CHECKSUM:
    case RSP_TOO_LONG:
        if (!broker->no_ack)
            put(broker, "-", 1);
        break;
    case RSP_NAK:
        put(broker, broker->frame, broker->frame_len_bytes);
        break;
    case RSP_BREAK:
        if (console_running(broker->console))
            session_break_in(broker->console->session);
        break;
    default:
        break;
    }
}

static void welcome(struct broker *broker)
{
    static const char busy[] = "$E.busy: another GDB is connected#00";
    int fd = accept4(broker->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

    if (fd < 0)
        return;
    if (broker->client >= 0) {
        if (write(fd, busy, sizeof(busy) - 1) < 0)
            errno = 0; /* it will see the hang-up anyway */
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    broker->client = fd;
    broker->no_ack = false;
    broker->frame_len_bytes = 0;
    rsp_rx_init(&broker->rx, broker->packet, sizeof(broker->packet), false);
    out_printf("[GDB has connected]\n");
    if (console_running(broker->console)) {
        /* GDB believes that a connected target stands. */
        session_break_in(broker->console->session);
    }
}

nfds_t broker_slots(struct broker *broker, struct pollfd *slots, nfds_t cap)
{
    if (cap < 2)
        return 0;
    slots[0] = (struct pollfd){.fd = broker->listener, .events = POLLIN};
    /* While a request of the console is under way, GDB's wait in its socket. */
    broker->has_slot = broker->client >= 0 && !session_busy(broker->console->session);
    slots[1] = (struct pollfd){.fd = broker->has_slot ? broker->client : -1, .events = POLLIN};
    return 2;
}

void broker_serve(struct broker *broker, const struct pollfd *slots, nfds_t count)
{
    uint8_t bytes[2048];
    ssize_t got;

    if (count < 2)
        return;
    if (slots[0].revents)
        welcome(broker);
    if (!broker->has_slot || !slots[1].revents || broker->client < 0)
        return;
    got = read(broker->client, bytes, sizeof(bytes));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        hang_up(broker, "has closed its connection");
        return;
    }
    /* Each packet may run the poll loop again; has_slot keeps this function out of itself. */
    for (ssize_t i = 0; i < got && broker->client >= 0; i++)
        serve_byte(broker, bytes[i]);
}

void broker_stopped(struct broker *broker)
{
    if (!broker || !broker->owns || broker->client < 0)
        return;
    broker->owns = false;
    reply_text(broker, session_stop_text(broker->console->session));
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
    reply_text(broker, text);
}
