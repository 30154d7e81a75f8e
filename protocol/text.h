/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Append-writer for text in freestanding code that has no formatter: never overruns, always
 * terminates, counts what it wanted to write.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct text {
    char *buf;
    size_t cap_bytes, len_bytes; /* len goes on past cap: the caller sees that it was cut */
};

void text_init(struct text *t, char *buf, size_t cap_bytes);
void text_str(struct text *t, const char *s); /* NULL writes nothing */
void text_char(struct text *t, char c);
void text_hex(struct text *t, uint64_t value); /* 0x... without leading zeros */
void text_hex_digits(struct text *t, uint64_t value, unsigned digits); /* fixed width, no 0x */
void text_dec(struct text *t, uint64_t value);
