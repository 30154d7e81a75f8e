/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bounded writing of replies and reading of arguments.
 */
#include "dbg/reply.h"

#include <stdarg.h>

#include "lib/log.h"
#include "lib/mem.h"

void reply_reset(struct reply *reply)
{
    reply->len_bytes = 0;
    reply->overflow = false;
    reply->failed = false;
}

size_t reply_left(const struct reply *reply)
{
    return sizeof(reply->bytes) - reply->len_bytes;
}

void reply_bytes(struct reply *reply, const void *bytes, size_t len_bytes)
{
    if (len_bytes > reply_left(reply)) {
        reply->overflow = true;
        return;
    }
    memcpy(reply->bytes + reply->len_bytes, bytes, len_bytes);
    reply->len_bytes += len_bytes;
}

void reply_str(struct reply *reply, const char *text)
{
    reply_bytes(reply, text, strlen(text));
}

void reply_fmt(struct reply *reply, const char *format, ...)
{
    char text[512];
    va_list args;
    size_t len;

    va_start(args, format);
    len = fmt_vstr(text, sizeof(text), format, args);
    va_end(args);
    if (len >= sizeof(text))
        reply->overflow = true;
    else
        reply_bytes(reply, text, len);
}

void reply_hex(struct reply *reply, const void *bytes, size_t len_bytes)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;

    if (len_bytes > reply_left(reply) / 2) {
        reply->overflow = true;
        return;
    }
    for (size_t i = 0; i < len_bytes; i++) {
        reply->bytes[reply->len_bytes++] = (uint8_t)digits[from[i] >> 4];
        reply->bytes[reply->len_bytes++] = (uint8_t)digits[from[i] & 15];
    }
}

void reply_le(struct reply *reply, uint64_t value, size_t len_bytes)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    reply_hex(reply, bytes, len_bytes < 8 ? len_bytes : 8);
}

void reply_error(struct reply *reply, enum tl_error error, const char *detail)
{
    const struct tl_error_row *row = &tl_errors[error];

    reply_reset(reply);
    reply->failed = true;
    if (!reply->text_errors) {
        reply_fmt(reply, "E%02x", (unsigned)error + 1);
        return;
    }
    reply_str(reply, "E.");
    for (const char *c = row->name; *c; c++)
        reply_bytes(reply, *c == '_' ? "-" : c, 1);
    reply_str(reply, ": ");
    reply_str(reply, row->text);
    if (detail) {
        reply_str(reply, ": ");
        reply_str(reply, detail);
    }
}

void reply_errno(struct reply *reply, uint8_t number)
{
    reply_reset(reply);
    reply->failed = true;
    reply_fmt(reply, "E%02x", number);
}
