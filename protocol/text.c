/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Append-writer for text.
 */
#include "protocol/text.h"

void text_init(struct text *t, char *buf, size_t cap_bytes)
{
    *t = (struct text){buf, cap_bytes, 0};
    if (cap_bytes)
        buf[0] = 0;
}

void text_char(struct text *t, char c)
{
    if (t->len_bytes + 1 < t->cap_bytes) {
        t->buf[t->len_bytes] = c;
        t->buf[t->len_bytes + 1] = 0;
    }
    t->len_bytes++;
}

void text_str(struct text *t, const char *s)
{
    while (s && *s)
        text_char(t, *s++);
}

void text_hex_digits(struct text *t, uint64_t value, unsigned digits)
{
    while (digits--)
        text_char(t, "0123456789abcdef"[value >> (4 * digits) & 0xf]);
}

void text_hex(struct text *t, uint64_t value)
{
    unsigned digits = 1;

    while (digits < 16 && value >> (4 * digits))
        digits++;
    text_str(t, "0x");
    text_hex_digits(t, value, digits);
}

void text_dec(struct text *t, uint64_t value)
{
    char digits[20];
    unsigned count = 0;

    do
        digits[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (count)
        text_char(t, digits[--count]);
}
