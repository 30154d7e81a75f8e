/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bytes to and from a line, whatever carries it: a tty or pty, a unix socket, TCP, or a serial port
 * behind RFC 2217. Knows nothing of packets. Reads and writes never block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TRANSPORT_ERROR_BYTES 1280

struct transport;

/*
 * Opens TARGET: `/dev/ttyS0[,BAUD]`, a pty, `PATH` of a unix socket, `unix:PATH`, `HOST:PORT`,
 * `tcp:HOST:PORT`, `rfc2217://HOST:PORT[,BAUD]`. Waits at most timeout_ms for a connection.
 * Returns NULL and one line in `error` (TRANSPORT_ERROR_BYTES) on failure.
 */
struct transport *transport_open(const char *target, int timeout_ms, char *error);

/* Takes over a connected descriptor (the machine's side made it). NULL: no memory. */
struct transport *transport_from_fd(int fd);

void transport_close(struct transport *transport);

int transport_fd(const struct transport *transport);

/* Bytes read; 0: nothing there now; -1: the line is gone (transport_why() says how). */
ssize_t transport_read(struct transport *transport, uint8_t *bytes, size_t cap_bytes);

/*
 * Queues all bytes and sends what the line takes now. Returns false when the line is gone, or when
 * more than a megabyte is waiting (nobody reads the other end).
 */
bool transport_write(struct transport *transport, const uint8_t *bytes, size_t len_bytes);

/* True while queued bytes wait for the line: poll for POLLOUT, then call transport_flush(). */
bool transport_wants_write(const struct transport *transport);
bool transport_flush(struct transport *transport);

/* Nobody answers on the line: what the transport knows about it, one line, or "". */
void transport_hint(const struct transport *transport, char *hint, size_t cap_bytes);

/* Why the line is gone, in words. */
const char *transport_why(const struct transport *transport);
