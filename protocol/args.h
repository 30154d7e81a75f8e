/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the text of packets: the arguments of requests, and the `key:value;` pairs and records of
 * replies (protocol/README.md, section 4). The bytes belong to the caller; nothing reads behind the
 * end, and what fails leaves the reader where it was.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left to read; also a word or value taken from it. Not terminated by a 0. */
struct args {
    const char *at, *end;
};

struct args args_of(const void *bytes, size_t len_bytes);
bool args_empty(const struct args *args);
size_t args_len_bytes(const struct args *args);
/* Is the rest exactly this word? */
bool args_is(const struct args *args, const char *word);

/* ---- taking from the front ---- */

bool args_char(struct args *args, char c);           /* takes c if it is next */
bool args_word(struct args *args, const char *word); /* takes the prefix */
/* One or more hex digits, at most 16 behind leading zeros. */
bool args_hex(struct args *args, uint64_t *value);
/* The whole rest as such a number. */
bool args_number(struct args args, uint64_t *value);
/* Bytes as hex digits to the end or the first other character; -1 odd count or over cap. */
int args_hex_bytes(struct args *args, uint8_t *buf, size_t cap_bytes);
/* The part up to (not including) the first of `stops`, or to the end; the stop is taken. */
struct args args_until(struct args *args, const char *stops);

/* ---- pairs and records ---- */

/* One `key:value;` pair (the last ';' may be missing). False at the end, at '|', when malformed. */
bool args_pair(struct args *args, struct args *key, struct args *value);
/* The part before the next '|' (that is the header, then each record); false at the end. */
bool args_record(struct args *args, struct args *record);
/* Value of the first pair with this key in `pairs` (a header or record: it ends at a '|'). False when
 * it is not there, or is no number. */
bool args_find(struct args pairs, const char *key, struct args *value);
bool args_find_number(struct args pairs, const char *key, uint64_t *value);
