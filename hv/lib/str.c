/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bounded string helpers; the same file serves the image and the hosted unit tests.
 */
#include "lib/mem.h"

size_t str_nlen(const char *text, size_t cap_bytes)
{
    size_t len_bytes = 0;

    while (len_bytes < cap_bytes && text[len_bytes])
        len_bytes++;
    return len_bytes;
}

bool str_copy(char *dst, size_t cap_bytes, const char *src)
{
    size_t len_bytes = str_nlen(src, cap_bytes);
    bool whole = len_bytes < cap_bytes;

    if (!whole)
        len_bytes = cap_bytes - 1;
    memcpy(dst, src, len_bytes);
    dst[len_bytes] = '\0';
    return whole;
}

bool str_starts(const char *text, const char *prefix)
{
    while (*prefix)
        if (*text++ != *prefix++)
            return false;
    return true;
}

bool str_number(const char *text, size_t len_bytes, uint64_t *value)
{
    uint64_t sum = 0;
    unsigned base = 10;

    if (len_bytes > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
        len_bytes -= 2;
    }
    if (!len_bytes)
        return false;
    for (size_t i = 0; i < len_bytes; i++) {
        char c = text[i];
        unsigned digit;

        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (base == 16 && c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (base == 16 && c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return false;
        if (sum > (UINT64_MAX - digit) / base)
            return false;
        sum = sum * base + digit;
    }
    *value = sum;
    return true;
}
