/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keys of the crash record that are one number each: one row serves writer and parser.
 */
#pragma once

#include "protocol/record.h"

struct record_key {
    const char *name;
    uint16_t offset, len_bytes; /* in struct crash_record or struct record_ring */
};

/* Keys of "tl: regs": all 64-bit members of struct crash_record. */
extern const struct record_key record_keys[];
#define RECORD_KEYS_COUNT 31u
uint64_t *record_key_value(struct crash_record *record, unsigned key);

/* Keys of "tl: ring" besides n and kind. */
extern const struct record_key record_ring_keys[];
#define RECORD_RING_KEYS_COUNT 21u
uint64_t record_ring_get(const struct record_ring *entry, unsigned key);
void record_ring_set(struct record_ring *entry, unsigned key, uint64_t value);

extern const char *const record_segment_names[8];
