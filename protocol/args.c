/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the text of packets, from both ends: the stub reads requests with this, clients replies.
 */
#include "protocol/args.h"

#include "protocol/rsp.h"

struct args args_of(const void *bytes, size_t len_bytes)
{
    const char *at = bytes;

    return (struct args){at, len_bytes ? at + len_bytes : at}; /* no bytes may have no address */
}

bool args_empty(const struct args *args)
{
    return args->at == args->end;
}

size_t args_len_bytes(const struct args *args)
{
    return (size_t)(args->end - args->at);
}

bool args_char(struct args *args, char c)
{
    if (args_empty(args) || *args->at != c)
        return false;
    args->at++;
    return true;
}

bool args_word(struct args *args, const char *word)
{
    const char *at = args->at;

    while (at != args->end && *word && *at == *word) {
        at++;
        word++;
    }
    if (*word)
        return false;
    args->at = at;
    return true;
}

bool args_is(const struct args *args, const char *word)
{
    struct args rest = *args;

    return args_word(&rest, word) && args_empty(&rest);
}

bool args_hex(struct args *args, uint64_t *value)
{
    const char *at = args->at;
    uint64_t number = 0;

    for (; at != args->end; at++) {
        int digit = rsp_hex_digit((uint8_t)*at);

        if (digit < 0)
            break;
        if (number >> 60)
            return false;
        number = number << 4 | (unsigned)digit;
    }
    if (at == args->at)
        return false;
    args->at = at;
    *value = number;
    return true;
}

bool args_number(struct args args, uint64_t *value)
{
    uint64_t number;

    if (!args_hex(&args, &number) || !args_empty(&args))
        return false;
    *value = number;
    return true;
}

int args_hex_bytes(struct args *args, uint8_t *buf, size_t cap_bytes)
{
    const char *at = args->at;
    size_t n = 0;

    while (at != args->end && rsp_hex_digit((uint8_t)*at) >= 0) {
        int high = rsp_hex_digit((uint8_t)*at), low;

        if (++at == args->end || n == cap_bytes)
            return -1;
        low = rsp_hex_digit((uint8_t)*at++);
        if (low < 0)
            return -1;
        buf[n++] = (uint8_t)(high << 4 | low);
    }
    args->at = at;
    return (int)n;
}

static bool is_one_of(char c, const char *set)
{
    for (; *set; set++)
        if (c == *set)
            return true;
    return false;
}

/* args_until(), but the stop is left where it is. */
static struct args take_to(struct args *args, const char *stops)
{
    struct args part = *args;

    while (args->at != args->end && !is_one_of(*args->at, stops))
        args->at++;
    part.end = args->at;
    return part;
}

struct args args_until(struct args *args, const char *stops)
{
    struct args part = take_to(args, stops);

    if (!args_empty(args))
        args->at++;
    return part;
}

bool args_pair(struct args *args, struct args *key, struct args *value)
{
    struct args rest = *args, k = take_to(&rest, ":;|"), v;

    if (args_empty(&k) || !args_char(&rest, ':'))
        return false;
    v = take_to(&rest, ";|");
    args_char(&rest, ';');
    *args = rest;
    *key = k;
    *value = v;
    return true;
}

bool args_record(struct args *args, struct args *record)
{
    if (!args->at)
        return false;
    *record = take_to(args, "|");
    /* A '|' promises another record, perhaps an empty one; after the last there is nothing. */
    if (!args_char(args, '|'))
        *args = (struct args){NULL, NULL};
    return true;
}

bool args_find(struct args pairs, const char *key, struct args *value)
{
    struct args k, v;

    for (;;) {
        if (!args_pair(&pairs, &k, &v)) { /* a word without a value: not ours, step over it */
            take_to(&pairs, ";|");
            if (!args_char(&pairs, ';'))
                return false;
        } else if (args_is(&k, key)) {
            *value = v;
            return true;
        }
    }
}

bool args_find_number(struct args pairs, const char *key, uint64_t *value)
{
    struct args found;

    return args_find(pairs, key, &found) && args_number(found, value);
}
