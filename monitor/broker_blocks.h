/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Blocks of guest memory that GDB has read, as broker_cache.c keeps them: which hold at this stop, and
 * which are wanted at stop after stop and so are followed by the stub (Qtl.follow, protocol/README.md
 * 4.5). What is followed is believed only where the checksum of the kept bytes is the one that the stub
 * has just made of the guest's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCKS_COUNT      32u
#define BLOCKS_LEN_BYTES  512u /* LLDB reads that much at once, GDB 64 */
#define BLOCKS_FOLLOW_MAX 4u   /* as many as the stub takes */

struct block {
    uint64_t gva, read_ms;
    size_t len_bytes;           /* 0: free */
    bool holds;                 /* at this stop; else it may again, if it is followed */
    unsigned used, used_before; /* the last two stops at which GDB wanted it; 0: none */
    uint8_t bytes[BLOCKS_LEN_BYTES];
};

struct blocks {
    struct block block[BLOCKS_COUNT];
    unsigned next;                      /* the oldest, whose place is given away */
    unsigned stops;                     /* so many have come, from 1 on */
    unsigned follow[BLOCKS_FOLLOW_MAX]; /* blocks, in the order in which the stub has them */
    unsigned follow_count;
    bool follow_refused;
};

/* Another session: nothing is known. `ours`: the stub knows Qtl.follow. */
void blocks_restart(struct blocks *blocks, bool ours);
/* None holds any more. */
void blocks_drop(struct blocks *blocks);
/* Another stop has come, and with it, maybe, the checksum of what is followed. */
void blocks_stop(struct blocks *blocks);
void blocks_compare(struct blocks *blocks, uint64_t crc, uint64_t now_ms);

/* The bytes, or NULL: they must be asked for. */
const uint8_t *blocks_find(struct blocks *blocks, uint64_t gva, uint64_t count, uint64_t now_ms);
/* What the stub has just answered; no bytes and more than BLOCKS_LEN_BYTES are not kept. */
void blocks_keep(struct blocks *blocks, uint64_t gva, const uint8_t *bytes, size_t count,
                 uint64_t now_ms);

/* See broker_cache_follow(). */
size_t blocks_follow(struct blocks *blocks, char *packet, size_t cap_bytes);
void blocks_follow_refused(struct blocks *blocks);
