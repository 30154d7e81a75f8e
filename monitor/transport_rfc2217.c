/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Telnet with the COM Port Control option (RFC 2217), as ser2net speaks it: set the port up once,
 * then pass data. Modem lines and notifications are read over.
 */
#include "monitor/transport_impl.h"

#include <stdio.h>

enum {
    TELNET_SE = 240,
    TELNET_SB = 250,
    TELNET_WILL = 251,
    TELNET_WONT = 252,
    TELNET_DO = 253,
    TELNET_DONT = 254,
    TELNET_IAC = 255,
    OPTION_BINARY = 0,
    OPTION_SUPPRESS_GO_AHEAD = 3,
    OPTION_COM_PORT = 44,
    COM_SET_BAUDRATE = 1,
    COM_SET_DATASIZE = 2,
    COM_SET_PARITY = 3,
    COM_SET_STOPSIZE = 4,
    COM_SET_CONTROL = 5,
    COM_SERVER_BAUDRATE = 101,
};

enum telnet_state { DATA, COMMAND, OPTION, SUBOPTION, SUBOPTION_IAC };

bool rfc2217_start(struct transport *transport, unsigned baud)
{
    static const uint8_t options[] = {
        TELNET_IAC, TELNET_WILL, OPTION_BINARY,
        TELNET_IAC, TELNET_DO,   OPTION_BINARY,
        TELNET_IAC, TELNET_WILL, OPTION_SUPPRESS_GO_AHEAD,
        TELNET_IAC, TELNET_DO,   OPTION_SUPPRESS_GO_AHEAD,
        TELNET_IAC, TELNET_WILL, OPTION_COM_PORT,
    };
    static const struct {
        uint8_t what, value;
    } port[] = {
        {COM_SET_DATASIZE, 8},
        {COM_SET_PARITY, 1},
        {COM_SET_STOPSIZE, 1},
        {COM_SET_CONTROL, 1},
    };
    uint8_t speed[] = {TELNET_IAC,
                       TELNET_SB,
                       OPTION_COM_PORT,
                       COM_SET_BAUDRATE,
                       (uint8_t)(baud >> 24),
                       (uint8_t)(baud >> 16),
                       (uint8_t)(baud >> 8),
                       (uint8_t)baud,
                       TELNET_IAC,
                       TELNET_SE};
    uint8_t one[] = {TELNET_IAC, TELNET_SB, OPTION_COM_PORT, 0, 0, TELNET_IAC, TELNET_SE};
    size_t i;

    transport->rfc2217 = true;
    transport->wanted_baud = baud;
    /* None of the bytes of a usual speed is 255; one that were would have to be doubled. */
    for (i = 4; i < 8; i++)
        if (speed[i] == TELNET_IAC)
            return false;
    if (!transport_queue(transport, options, sizeof(options)) ||
        !transport_queue(transport, speed, sizeof(speed)))
        return false;
    for (i = 0; i < sizeof(port) / sizeof(port[0]); i++) {
        one[3] = port[i].what;
        one[4] = port[i].value;
        if (!transport_queue(transport, one, sizeof(one)))
            return false;
    }
    return transport_flush(transport);
}

/* Answers an offer or a demand we did not start: refuse all but the three options we use. */
static void answer(struct transport *transport, uint8_t verb, uint8_t option)
{
    bool ours =
        option == OPTION_BINARY || option == OPTION_SUPPRESS_GO_AHEAD || option == OPTION_COM_PORT;
    uint8_t reply[] = {TELNET_IAC, 0, option};

    if (option == OPTION_COM_PORT) {
        transport->com_port |= verb == TELNET_DO;
        transport->com_port_refused |= verb == TELNET_DONT || verb == TELNET_WONT;
    }
    if (ours) /* announced in rfc2217_start(); answering again could loop */
        return;
    if (verb == TELNET_DO)
        reply[1] = TELNET_WONT;
    else if (verb == TELNET_WILL)
        reply[1] = TELNET_DONT;
    else
        return;
    transport_queue(transport, reply, sizeof(reply));
    transport_flush(transport);
}

static void take_suboption(struct transport *transport)
{
    const uint8_t *at = transport->suboption;

    if (transport->suboption_len_bytes == sizeof(transport->suboption) &&
        at[0] == OPTION_COM_PORT && at[1] == COM_SERVER_BAUDRATE)
        transport->real_baud =
            (unsigned)at[2] << 24 | (unsigned)at[3] << 16 | (unsigned)at[4] << 8 | at[5];
    transport->suboption_len_bytes = 0;
}

static void keep_suboption(struct transport *transport, uint8_t byte)
{
    if (transport->suboption_len_bytes < sizeof(transport->suboption))
        transport->suboption[transport->suboption_len_bytes++] = byte;
}

void rfc2217_hint(const struct transport *transport, char *hint, size_t cap_bytes)
{
    hint[0] = '\0';
    if (transport->com_port_refused || !transport->com_port)
        snprintf(hint, cap_bytes,
                 "the server does not control its port by RFC 2217%s: is it a plain TCP port "
                 "(then: attach HOST:PORT)?",
                 transport->com_port_refused ? "" : " (no answer to the offer)");
    else if (transport->real_baud && transport->real_baud != transport->wanted_baud)
        snprintf(hint, cap_bytes, "the server's port runs at %u baud, not at %u",
                 transport->real_baud, transport->wanted_baud);
}

size_t rfc2217_filter(struct transport *transport, uint8_t *bytes, size_t len_bytes)
{
    size_t i, kept = 0;

    for (i = 0; i < len_bytes; i++) {
        uint8_t byte = bytes[i];

        switch ((enum telnet_state)transport->telnet_state) {
        case DATA:
            if (byte == TELNET_IAC)
                transport->telnet_state = COMMAND;
            else
                bytes[kept++] = byte;
            break;
        case COMMAND:
            transport->telnet_state = DATA;
            if (byte == TELNET_IAC) {
                bytes[kept++] = byte;
            } else if (byte == TELNET_SB) {
                transport->telnet_state = SUBOPTION;
                transport->suboption_len_bytes = 0;
            } else if (byte >= TELNET_WILL) {
                transport->telnet_verb = byte;
                transport->telnet_state = OPTION;
            }
            break;
        case OPTION:
            answer(transport, transport->telnet_verb, byte);
            transport->telnet_state = DATA;
            break;
        case SUBOPTION:
            if (byte == TELNET_IAC)
                transport->telnet_state = SUBOPTION_IAC;
            else
                keep_suboption(transport, byte);
            break;
        case SUBOPTION_IAC:
            transport->telnet_state = byte == TELNET_SE ? DATA : SUBOPTION;
            if (byte == TELNET_SE)
                take_suboption(transport);
            else
                keep_suboption(transport, byte); /* a doubled 255 */
            break;
        }
    }
    return kept;
}

bool rfc2217_write(struct transport *transport, const uint8_t *bytes, size_t len_bytes)
{
    static const uint8_t doubled[] = {TELNET_IAC, TELNET_IAC};
    size_t from = 0, i;

    for (i = 0; i < len_bytes; i++) {
        if (bytes[i] != TELNET_IAC)
            continue;
        if (!transport_queue(transport, bytes + from, i - from) ||
            !transport_queue(transport, doubled, sizeof(doubled)))
            return false;
        from = i + 1;
    }
    return transport_queue(transport, bytes + from, len_bytes - from);
}
