/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's memory map: the loader's, sorted, without overlaps, our own range marked reserved.
 * Pure arithmetic; the same file runs in the unit tests.
 */
#pragma once

#include "boot/boot_info.h"

enum { MEMMAP_REGIONS_MAX = 128 }; /* as many as Linux's zero page takes */

struct memmap {
    uint32_t count;
    struct boot_region regions[MEMMAP_REGIONS_MAX]; /* ascending, disjoint, neighbours differ */
};

/* A range of memory that must be left alone; size_bytes 0: none. */
struct memmap_span {
    uint64_t base_gpa, size_bytes;
};

/* Builds the map; [hide_hpa, +hide_bytes) becomes BOOT_RESERVED whatever it was (a hole would be
 * offered to PCI devices). NULL, or one plain sentence (in static storage). */
const char *memmap_build(struct memmap *map, const struct boot_info *info, uint64_t hide_hpa,
                         uint64_t hide_bytes);

/* Turns a range inside one RAM region into BOOT_RESERVED. False: it is not, or the map is full. */
bool memmap_reserve(struct memmap *map, uint64_t base_gpa, uint64_t size_bytes);

/* Is every byte of the range RAM of the guest? False for an empty or wrapping range. */
bool memmap_is_ram(const struct memmap *map, uint64_t base_gpa, uint64_t size_bytes);

/* Do they have a byte in common? */
bool memmap_touch(struct memmap_span a, struct memmap_span b);

/* Highest (lowest) aligned RAM range of size_bytes inside [floor_gpa, ceiling_gpa) that touches
 * none of the spans. align_bytes is a power of two. False when there is none. */
bool memmap_find_high(const struct memmap *map, uint64_t size_bytes, uint64_t align_bytes,
                      uint64_t floor_gpa, uint64_t ceiling_gpa, const struct memmap_span *avoid,
                      unsigned avoid_count, uint64_t *found_gpa);
bool memmap_find_low(const struct memmap *map, uint64_t size_bytes, uint64_t align_bytes,
                     uint64_t floor_gpa, uint64_t ceiling_gpa, const struct memmap_span *avoid,
                     unsigned avoid_count, uint64_t *found_gpa);
