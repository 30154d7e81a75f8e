/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * See broker_blocks.h.
 */
#include "monitor/broker_blocks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "monitor/broker_cache.h"

#define FOLLOW_FROM_BYTES 16u /* less is read again for as little */

void blocks_restart(struct blocks *blocks, bool ours)
{
    memset(blocks, 0, sizeof(*blocks));
    blocks->stops = 1;
    blocks->follow_refused = !ours;
}

void blocks_drop(struct blocks *blocks)
{
    for (unsigned i = 0; i < BLOCKS_COUNT; i++)
        blocks->block[i].holds = false;
}

void blocks_stop(struct blocks *blocks)
{
    blocks->stops++;
}

/* GDB's checksum of bytes (GDB manual, "General Query Packets", qCRC). */
static uint32_t crc_of(uint32_t crc, const uint8_t *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        crc ^= (uint32_t)bytes[i] << 24;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7u : 0);
    }
    return crc;
}

/* The checksum is one over all that is followed: all of it holds, or is read again. */
void blocks_compare(struct blocks *blocks, uint64_t crc, uint64_t now_ms)
{
    uint32_t kept = ~0u;

    for (unsigned i = 0; i < blocks->follow_count; i++) {
        const struct block *block = &blocks->block[blocks->follow[i]];

        kept = crc_of(kept, block->bytes, block->len_bytes);
    }
    for (unsigned i = 0; kept == crc && i < blocks->follow_count; i++) {
        blocks->block[blocks->follow[i]].holds = true;
        blocks->block[blocks->follow[i]].read_ms = now_ms;
    }
}

static void use(const struct blocks *blocks, struct block *block)
{
    if (block->used != blocks->stops)
        block->used_before = block->used;
    block->used = blocks->stops;
}

const uint8_t *blocks_find(struct blocks *blocks, uint64_t gva, uint64_t count, uint64_t now_ms)
{
    for (unsigned i = 0; i < BLOCKS_COUNT; i++) {
        struct block *block = &blocks->block[i];

        if (block->holds && gva >= block->gva && count <= block->len_bytes &&
            gva - block->gva <= block->len_bytes - count &&
            now_ms - block->read_ms < CACHE_MEMORY_MS) {
            use(blocks, block);
            return block->bytes + (gva - block->gva);
        }
    }
    return NULL;
}

static bool is_followed(const struct blocks *blocks, unsigned block)
{
    for (unsigned i = 0; i < blocks->follow_count; i++)
        if (blocks->follow[i] == block)
            return true;
    return false;
}

/* Where bytes that were read go: to what was read there before, else to the oldest that is free to go. */
static struct block *block_for(struct blocks *blocks, uint64_t gva, size_t count)
{
    for (unsigned i = 0; i < BLOCKS_COUNT; i++)
        if (blocks->block[i].gva == gva && blocks->block[i].len_bytes == count)
            return &blocks->block[i];
    do {
        blocks->next = (blocks->next + 1) % BLOCKS_COUNT;
    } while (is_followed(blocks, blocks->next));
    blocks->block[blocks->next].used = 0;
    return &blocks->block[blocks->next];
}

void blocks_keep(struct blocks *blocks, uint64_t gva, const uint8_t *bytes, size_t count,
                 uint64_t now_ms)
{
    struct block *block;

    if (count == 0 || count > BLOCKS_LEN_BYTES || gva + count < gva)
        return;
    block = block_for(blocks, gva, count);
    use(blocks, block);
    block->holds = true;
    block->gva = gva;
    block->len_bytes = count;
    block->read_ms = now_ms;
    memcpy(block->bytes, bytes, count);
}

static bool wanted_again(const struct blocks *blocks, const struct block *block)
{
    return block->holds && block->len_bytes >= FOLLOW_FROM_BYTES && block->used == blocks->stops &&
           block->used_before && block->used_before + 1 == block->used;
}

/* Room for one more: the one that was wanted longest ago goes. */
static void follow(struct blocks *blocks, unsigned block)
{
    unsigned oldest = 0;

    if (blocks->follow_count < BLOCKS_FOLLOW_MAX) {
        blocks->follow[blocks->follow_count++] = block;
        return;
    }
    for (unsigned i = 1; i < BLOCKS_FOLLOW_MAX; i++)
        if (blocks->block[blocks->follow[i]].used < blocks->block[blocks->follow[oldest]].used)
            oldest = i;
    blocks->follow[oldest] = block;
}

size_t blocks_follow(struct blocks *blocks, char *packet, size_t cap_bytes)
{
    bool news = false;
    size_t used;

    for (unsigned i = 0; i < BLOCKS_COUNT && !blocks->follow_refused; i++)
        if (wanted_again(blocks, &blocks->block[i]) && !is_followed(blocks, i)) {
            follow(blocks, i);
            news = true;
        }
    if (!news)
        return 0;
    used = (size_t)snprintf(packet, cap_bytes, "Qtl.follow:");
    for (unsigned i = 0; i < blocks->follow_count && used < cap_bytes; i++) {
        const struct block *block = &blocks->block[blocks->follow[i]];

        used += (size_t)snprintf(packet + used, cap_bytes - used, "%s%" PRIx64 ",%zx", i ? ";" : "",
                                 block->gva, block->len_bytes);
    }
    return used < cap_bytes ? used : 0;
}

void blocks_follow_refused(struct blocks *blocks)
{
    blocks->follow_count = 0;
    blocks->follow_refused = true;
}
