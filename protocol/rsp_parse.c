/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading replies to our own packets: `key:value;` pairs and records. All bounded by the cursor's
 * end; a parse that fails leaves the cursor where it was. Requests are read by the stub.
 */
#include "protocol/rsp.h"

struct rsp_cursor rsp_cursor(const void *bytes, size_t length)
{
    const uint8_t *b = bytes;

    return (struct rsp_cursor){b, length ? b + length : b};
}

bool rsp_at_end(const struct rsp_cursor *cursor)
{
    return cursor->at == cursor->end;
}

bool rsp_take(struct rsp_cursor *cursor, char c)
{
    if (rsp_at_end(cursor) || *cursor->at != (uint8_t)c)
        return false;
    cursor->at++;
    return true;
}

bool rsp_take_hex(struct rsp_cursor *cursor, uint64_t *value)
{
    const uint8_t *at = cursor->at;
    uint64_t result = 0;

    for (; at != cursor->end; at++) {
        int digit = rsp_hex_digit(*at);

        if (digit < 0)
            break;
        if (result >> 60)
            return false;
        result = result << 4 | (unsigned)digit;
    }
    if (at == cursor->at)
        return false;
    cursor->at = at;
    *value = result;
    return true;
}

static bool is_one_of(uint8_t c, const char *set)
{
    for (; *set; set++)
        if (c == (uint8_t)*set)
            return true;
    return false;
}

struct rsp_slice rsp_take_until(struct rsp_cursor *cursor, const char *stops)
{
    const uint8_t *start = cursor->at;

    while (cursor->at != cursor->end && !is_one_of(*cursor->at, stops))
        cursor->at++;
    return (struct rsp_slice){(const char *)start, (size_t)(cursor->at - start)};
}

bool rsp_take_pair(struct rsp_cursor *cursor, struct rsp_slice *key, struct rsp_slice *value)
{
    struct rsp_cursor c = *cursor;
    struct rsp_slice k = rsp_take_until(&c, ":;|"), v;

    if (!k.length || !rsp_take(&c, ':'))
        return false;
    v = rsp_take_until(&c, ";|");
    rsp_take(&c, ';');
    *cursor = c;
    *key = k;
    *value = v;
    return true;
}

bool rsp_take_record(struct rsp_cursor *cursor, struct rsp_cursor *record)
{
    struct rsp_slice part;

    if (!cursor->at)
        return false;
    part = rsp_take_until(cursor, "|");
    *record = rsp_cursor(part.text, part.length);
    /* A '|' promises another record, perhaps an empty one; after the last there is nothing. */
    if (!rsp_take(cursor, '|'))
        *cursor = (struct rsp_cursor){NULL, NULL};
    return true;
}

bool rsp_slice_is(struct rsp_slice slice, const char *text)
{
    size_t i = 0;

    while (i < slice.length && text[i] && slice.text[i] == text[i])
        i++;
    return i == slice.length && !text[i];
}

bool rsp_slice_hex(struct rsp_slice slice, uint64_t *value)
{
    struct rsp_cursor cursor = rsp_cursor(slice.text, slice.length);
    uint64_t result;

    if (!rsp_take_hex(&cursor, &result) || !rsp_at_end(&cursor))
        return false;
    *value = result;
    return true;
}

bool rsp_find(struct rsp_cursor pairs, const char *key, struct rsp_slice *value)
{
    struct rsp_slice k, v;

    for (;;) {
        if (!rsp_take_pair(&pairs, &k, &v)) { /* a word without a value: not ours, step over it */
            rsp_take_until(&pairs, ";|");
            if (!rsp_take(&pairs, ';'))
                return false;
        } else if (rsp_slice_is(k, key)) {
            *value = v;
            return true;
        }
    }
}

bool rsp_find_hex(struct rsp_cursor pairs, const char *key, uint64_t *value)
{
    struct rsp_slice slice;

    return rsp_find(pairs, key, &slice) && rsp_slice_hex(slice, value);
}
