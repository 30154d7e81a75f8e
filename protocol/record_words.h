/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The words of a crash record's line: `key=value` pairs behind a first word, numbers as 0x and hex
 * digits. For record_parse.c; the text may be anybody's.
 */
#pragma once

#include "protocol/args.h"

/* Cuts the next word (up to a space) off *rest; empty at the end. */
struct args record_word(struct args *rest);

/* The next word as key=value. False, and the word is gone: it has no '='. */
bool record_pair(struct args *rest, struct args *key, struct args *value);

/* Value of one key as a word; empty when it is not there. */
struct args record_find(struct args rest, const char *key);

/* 0x and 1 to 16 hex digits, nothing else. On false *value is 0. */
bool record_number(struct args word, uint64_t *value);

/* Bytes as two hex digits each, up to the first that is none; returns how many (at most max). */
unsigned record_bytes(struct args word, uint8_t *out, unsigned max);

/* The rest of the line, cut to fit, without anything that could steer a terminal. */
void record_text(char *out, size_t cap_bytes, struct args rest);

/* Which of `words` it is; -1: none. */
int record_choice(struct args word, const char *const *words, unsigned count);

/* Where a key's number goes, for lines whose keys are a fixed few. */
struct record_slot {
    const char *key;
    void *at;
    uint8_t len_bytes; /* of *at; the number's low bytes go there */
};

/* Reads pairs into slots; keys without a slot are skipped. Returns how many numbers were malformed. */
unsigned record_fill(struct args rest, const struct record_slot *slots, unsigned count);
