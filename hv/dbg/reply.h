/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A reply in the making (append-writer), and the arguments of a request (cursor). Both hold what
 * stands between `$` and `#` with escapes undone; framing is line.c's and the codec's.
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

struct args {
    const char *at, *end;
};

struct args args_of(const void *bytes, size_t len_bytes);
bool args_empty(const struct args *args);
bool args_char(struct args *args, char c);           /* takes c if it is next */
bool args_word(struct args *args, const char *word); /* takes the prefix */
/* 1 to 16 hex digits. False, cursor unmoved: none, or too many. */
bool args_hex(struct args *args, uint64_t *value);
/* The whole rest as such a number. */
bool args_number(struct args args, uint64_t *value);
/* Bytes as hex digits to the end or the first other character; -1 odd count or over cap. */
int args_hex_bytes(struct args *args, uint8_t *buf, size_t cap_bytes);
/* The part up to (not including) the first of `stops`, or to the end; the stop is taken. */
struct args args_until(struct args *args, const char *stops);
/* Is the rest exactly this word? */
bool args_is(const struct args *args, const char *word);
