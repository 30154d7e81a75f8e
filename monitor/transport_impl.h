/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What transport.c and transport_rfc2217.c share. Nobody else includes this. */
#pragma once

#include "monitor/transport.h"

struct transport {
    int fd;
    bool is_tcp, rfc2217;
    char why[128];
    uint8_t *queue;
    size_t queue_len_bytes, queue_cap_bytes;
    /* RFC 2217: where in a Telnet command the receiver stands. */
    int telnet_state;
    uint8_t telnet_verb;
    uint8_t suboption[6]; /* its first bytes: option, command, and the four of a speed */
    size_t suboption_len_bytes;
    bool com_port, com_port_refused; /* what the server says about the option */
    unsigned wanted_baud, real_baud; /* real: as the server says, 0: it has not */
};

/* Appends to the output queue without sending. */
bool transport_queue(struct transport *transport, const uint8_t *bytes, size_t len_bytes);

/* Asks the server for binary mode, our speed, 8N1, no flow control. */
bool rfc2217_start(struct transport *transport, unsigned baud);

/* Takes Telnet commands out of received bytes, in place; returns how many data bytes are left. */
size_t rfc2217_filter(struct transport *transport, uint8_t *bytes, size_t len_bytes);

/* What about the server keeps the line from working, "" when nothing is known. */
void rfc2217_hint(const struct transport *transport, char *hint, size_t cap_bytes);

/* Queues data bytes with 0xff doubled. */
bool rfc2217_write(struct transport *transport, const uint8_t *bytes, size_t len_bytes);
