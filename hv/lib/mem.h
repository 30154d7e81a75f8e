/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The four mem functions and the bounded string helpers of the freestanding half. Hosted builds
 * (unit tests) take the mem functions and strlen/strcmp from libc.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t len_bytes);
void *memmove(void *dst, const void *src, size_t len_bytes);
void *memset(void *dst, int value, size_t len_bytes);
int memcmp(const void *a, const void *b, size_t len_bytes);

size_t strlen(const char *text);
int strcmp(const char *a, const char *b);

/* Length of text, but never more than cap_bytes; reads no byte at or behind cap_bytes. */
size_t str_nlen(const char *text, size_t cap_bytes);

/* Copies at most cap_bytes - 1 bytes and always terminates (cap_bytes > 0). False: text was cut. */
bool str_copy(char *dst, size_t cap_bytes, const char *src);

/* Does text start with prefix? */
bool str_starts(const char *text, const char *prefix);

/* Unsigned number, decimal or 0x hex, spanning exactly len_bytes bytes; false: empty, another
 * character, or more than 64 bits. */
bool str_number(const char *text, size_t len_bytes, uint64_t *value);
