/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pool of codepool.h. Adding and freeing happen at human speed, so the simple way is taken.
 */
#include "dbg/codepool.h"

#include "lib/mem.h"

void pool_reset(struct codepool *pool)
{
    pool->used_bytes = 0;
    pool->hint = 1;
    for (unsigned i = 0; i < POOL_PIECES_MAX; i++)
        pool->piece[i].used = false;
}

uint16_t pool_add(struct codepool *pool, const void *bytes, size_t len_bytes)
{
    if (len_bytes == 0 || len_bytes > UINT16_MAX || len_bytes > POOL_BYTES - pool->used_bytes)
        return POOL_NONE;
    for (unsigned i = 0; i < POOL_PIECES_MAX - 1; i++) {
        uint16_t handle = (uint16_t)(1 + (pool->hint - 1u + i) % (POOL_PIECES_MAX - 1));

        if (pool->piece[handle].used)
            continue;
        pool->piece[handle].used = true;
        pool->piece[handle].offset = pool->used_bytes;
        pool->piece[handle].len_bytes = (uint16_t)len_bytes;
        memcpy(pool->bytes + pool->used_bytes, bytes, len_bytes);
        pool->used_bytes += (uint32_t)len_bytes;
        pool->hint = handle;
        return handle;
    }
    return POOL_NONE;
}

const uint8_t *pool_get(const struct codepool *pool, uint16_t handle, size_t *len_bytes)
{
    if (handle == POOL_NONE || handle >= POOL_PIECES_MAX || !pool->piece[handle].used) {
        *len_bytes = 0;
        return NULL;
    }
    *len_bytes = pool->piece[handle].len_bytes;
    return pool->bytes + pool->piece[handle].offset;
}

void pool_free(struct codepool *pool, uint16_t handle)
{
    uint32_t offset, len_bytes;

    if (handle == POOL_NONE || handle >= POOL_PIECES_MAX || !pool->piece[handle].used)
        return;
    offset = pool->piece[handle].offset;
    len_bytes = pool->piece[handle].len_bytes;
    memmove(pool->bytes + offset, pool->bytes + offset + len_bytes,
            pool->used_bytes - offset - len_bytes);
    pool->used_bytes -= len_bytes;
    pool->piece[handle].used = false;
    for (unsigned i = 1; i < POOL_PIECES_MAX; i++)
        if (pool->piece[i].used && pool->piece[i].offset > offset)
            pool->piece[i].offset -= len_bytes;
}
