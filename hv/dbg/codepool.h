/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Storage for bytecode and texts of breakpoints and events: one fixed block, no holes. A piece is
 * named by a handle; freeing moves the later pieces down.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_PIECES_MAX 2048u
#define POOL_BYTES      (96u << 10)
#define POOL_NONE       0u /* handle of no piece */

struct codepool {
    uint8_t bytes[POOL_BYTES];
    uint32_t used_bytes;
    struct {
        uint32_t offset;
        uint16_t len_bytes;
        bool used;
    } piece[POOL_PIECES_MAX]; /* piece 0 is never used */
    uint16_t hint;            /* where the search for a free piece begins */
};

/* Empties it; every handle given out before is void. */
void pool_reset(struct codepool *pool);

/* Copies len_bytes (1 to 65535) in. Returns its handle, or POOL_NONE when there is no room. */
uint16_t pool_add(struct codepool *pool, const void *bytes, size_t len_bytes);

/* The bytes of a piece until the next pool_free(). Handle POOL_NONE: NULL and length 0. */
const uint8_t *pool_get(const struct codepool *pool, uint16_t handle, size_t *len_bytes);

/* Handle POOL_NONE is allowed. */
void pool_free(struct codepool *pool, uint16_t handle);
