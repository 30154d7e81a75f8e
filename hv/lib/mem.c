/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * memcpy, memmove, memset, memcmp for the freestanding image; GCC emits calls to them by itself.
 * The string instructions are used because they need no vector registers and every CPU that has
 * virtualisation runs them fast enough; eight bytes at a time because an emulator counts each step.
 */
#include "lib/mem.h"

/* Or GCC recognises the loops below and compiles memcmp and strlen into calls of themselves. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

void *memcpy(void *dst, const void *src, size_t len_bytes)
{
    void *ret = dst;
    size_t words = len_bytes / 8, rest_bytes = len_bytes % 8;

    __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(rest_bytes) : : "memory");
    return ret;
}

void *memmove(void *dst, const void *src, size_t len_bytes)
{
    if ((uintptr_t)dst - (uintptr_t)src >= len_bytes)
        return memcpy(dst, src, len_bytes);

    /* Overlap with dst above src: last byte first. */
    uint8_t *to = (uint8_t *)dst + len_bytes - 1;
    const uint8_t *from = (const uint8_t *)src + len_bytes - 1;

    __asm__ volatile("std; rep movsb; cld"
                     : "+D"(to), "+S"(from), "+c"(len_bytes)
                     :
                     : "memory", "cc");
    return dst;
}

void *memset(void *dst, int value, size_t len_bytes)
{
    void *at = dst;
    size_t words = len_bytes / 8, rest_bytes = len_bytes % 8;
    uint64_t pattern = (uint8_t)value * UINT64_C(0x0101010101010101);

    __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(rest_bytes) : "a"(pattern) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t len_bytes)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < len_bytes; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *text)
{
    size_t len_bytes = 0;

    while (text[len_bytes])
        len_bytes++;
    return len_bytes;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}
