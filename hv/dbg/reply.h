/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A reply in the making: an append-writer of what stands between `$` and `#`. Escapes and framing are
 * line.c's and the codec's; the arguments of a request are read with protocol/args.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/tables.h"

#define REPLY_CAP_BYTES 4096u /* PacketSize */

struct reply {
    uint8_t bytes[REPLY_CAP_BYTES];
    size_t len_bytes;
    bool overflow;    /* something did not fit; the reply becomes E.too-long */
    bool failed;      /* holds an error */
    bool text_errors; /* the client understands E.name: text */
};

/* Empties it. The others append; what does not fit is left out and sets `overflow`. */
void reply_reset(struct reply *reply);
void reply_bytes(struct reply *reply, const void *bytes, size_t len_bytes);
void reply_str(struct reply *reply, const char *text);
void reply_fmt(struct reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_hex(struct reply *reply, const void *bytes, size_t len_bytes); /* two digits a byte */
void reply_le(struct reply *reply, uint64_t value, size_t len_bytes); /* target byte order, hex */
size_t reply_left(const struct reply *reply);

/* Replaces what was written by an error; detail may be NULL. */
void reply_error(struct reply *reply, enum tl_error error, const char *detail);
/* Where GDB 13 and older would take E.text for data (m, g): E and two digits. */
void reply_errno(struct reply *reply, uint8_t number);
