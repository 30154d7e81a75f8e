/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Builds the guest's memory map by cutting the address space at every region's edges and asking
 * each piece who claims it. Loaders hand over unsorted and overlapping regions; the higher type
 * number wins, as everybody who reads such maps expects.
 */
#include "core/memmap.h"
#include "lib/log.h"
#include "lib/mem.h"

enum { CLAIMS_MAX = BOOT_REGIONS_MAX + 1, EDGES_MAX = 2 * CLAIMS_MAX };

/* Start-up runs on one CPU, once: the work space need not be on the stack. */
static struct {
    uint32_t claims_count, edges_count;
    struct boot_region claims[CLAIMS_MAX];
    uint64_t edges[EDGES_MAX];
} work;

static void add_edge(uint64_t edge)
{
    uint32_t at = work.edges_count;

    while (at && work.edges[at - 1] > edge) {
        work.edges[at] = work.edges[at - 1];
        at--;
    }
    if (at && work.edges[at - 1] == edge) { /* known: close the gap again */
        for (; at < work.edges_count; at++)
            work.edges[at] = work.edges[at + 1];
        return;
    }
    work.edges[at] = edge;
    work.edges_count++;
}

static void add_claim(uint64_t base, uint64_t size_bytes, uint32_t type)
{
    if (!size_bytes)
        return;
    if (!type)
        type = BOOT_RESERVED;
    if (size_bytes > UINT64_MAX - base)
        size_bytes = UINT64_MAX - base;
    work.claims[work.claims_count++] = (struct boot_region){base, size_bytes, type};
    add_edge(base);
    add_edge(base + size_bytes);
}

/* Type of the piece [start, end), between two neighbouring edges; 0: nobody claims it. */
static uint32_t piece_type(uint64_t start, uint64_t end)
{
    uint32_t type = 0;

    for (uint32_t i = 0; i < work.claims_count; i++) {
        const struct boot_region *claim = &work.claims[i];

        if (claim->base_hpa <= start && claim->base_hpa + claim->size_bytes >= end &&
            claim->type > type)
            type = claim->type;
    }
    return type;
}

const char *memmap_build(struct memmap *map, const struct boot_info *info, uint64_t hide_hpa,
                         uint64_t hide_bytes)
{
    bool has_ram = false;

    map->count = 0;
    work.claims_count = work.edges_count = 0;
    for (uint32_t i = 0; i < info->regions_count && i < BOOT_REGIONS_MAX; i++)
        add_claim(info->regions[i].base_hpa, info->regions[i].size_bytes, info->regions[i].type);
    add_claim(hide_hpa, hide_bytes, BOOT_RESERVED);

    for (uint32_t i = 0; i + 1 < work.edges_count; i++) {
        uint64_t start = work.edges[i], end = work.edges[i + 1];
        uint32_t type = piece_type(start, end);
        struct boot_region *last = map->count ? &map->regions[map->count - 1] : NULL;

        if (!type)
            continue;
        has_ram |= type == BOOT_RAM;
        if (last && last->type == type && last->base_hpa + last->size_bytes == start) {
            last->size_bytes += end - start;
            continue;
        }
        if (map->count == MEMMAP_REGIONS_MAX)
            return "the memory map has more than 128 pieces";
        map->regions[map->count++] = (struct boot_region){start, end - start, type};
    }
    return has_ram ? NULL : "the memory map has no RAM";
}

static void insert(struct memmap *map, uint32_t at, struct boot_region region)
{
    for (uint32_t i = map->count++; i > at; i--)
        map->regions[i] = map->regions[i - 1];
    map->regions[at] = region;
}

bool memmap_reserve(struct memmap *map, uint64_t base_gpa, uint64_t size_bytes)
{
    uint64_t end = base_gpa + size_bytes, region_end;
    uint32_t at = 0;

    if (!memmap_is_ram(map, base_gpa, size_bytes) || map->count + 2 > MEMMAP_REGIONS_MAX)
        return false;
    while (map->regions[at].base_hpa + map->regions[at].size_bytes <= base_gpa)
        at++;
    region_end = map->regions[at].base_hpa + map->regions[at].size_bytes;
    map->regions[at].size_bytes = base_gpa - map->regions[at].base_hpa;
    if (map->regions[at].size_bytes)
        at++;
    else
        memmove(&map->regions[at], &map->regions[at + 1],
                (--map->count - at) * sizeof(map->regions[0]));
    if (end < region_end)
        insert(map, at, (struct boot_region){end, region_end - end, BOOT_RAM});
    else if (at < map->count && map->regions[at].type == BOOT_RESERVED &&
             map->regions[at].base_hpa == end) { /* one neighbour less */
        map->regions[at].base_hpa = base_gpa;
        map->regions[at].size_bytes += size_bytes;
        return true;
    }
    insert(map, at, (struct boot_region){base_gpa, size_bytes, BOOT_RESERVED});
    return true;
}

bool memmap_is_ram(const struct memmap *map, uint64_t base_gpa, uint64_t size_bytes)
{
    if (!size_bytes || size_bytes > UINT64_MAX - base_gpa)
        return false;
    for (uint32_t i = 0; i < map->count; i++) {
        const struct boot_region *region = &map->regions[i];

        /* Neighbours of one type are merged, so one region must hold it all. */
        if (region->type == BOOT_RAM && region->base_hpa <= base_gpa &&
            region->base_hpa + region->size_bytes >= base_gpa + size_bytes)
            return true;
    }
    return false;
}

bool memmap_touch(struct memmap_span a, struct memmap_span b)
{
    return a.size_bytes && b.size_bytes && a.base_gpa < b.base_gpa + b.size_bytes &&
           b.base_gpa < a.base_gpa + a.size_bytes;
}

static const struct memmap_span *
first_touched(struct memmap_span span, const struct memmap_span *avoid, unsigned avoid_count)
{
    for (unsigned i = 0; i < avoid_count; i++)
        if (memmap_touch(span, avoid[i]))
            return &avoid[i];
    return NULL;
}

bool memmap_find_high(const struct memmap *map, uint64_t size_bytes, uint64_t align_bytes,
                      uint64_t floor_gpa, uint64_t ceiling_gpa, const struct memmap_span *avoid,
                      unsigned avoid_count, uint64_t *found_gpa)
{
    for (uint32_t i = map->count; i-- > 0;) {
        const struct boot_region *region = &map->regions[i];
        uint64_t low = region->base_hpa > floor_gpa ? region->base_hpa : floor_gpa;
        uint64_t end = region->base_hpa + region->size_bytes;

        if (region->type != BOOT_RAM || !size_bytes)
            continue;
        if (end > ceiling_gpa)
            end = ceiling_gpa;
        while (end >= size_bytes) {
            struct memmap_span span = {(end - size_bytes) & ~(align_bytes - 1), size_bytes};
            const struct memmap_span *touched;

            if (span.base_gpa < low)
                break;
            touched = first_touched(span, avoid, avoid_count);
            if (!touched) {
                *found_gpa = span.base_gpa;
                return true;
            }
            end = touched->base_gpa; /* strictly below span's end: the loop ends */
        }
    }
    return false;
}

bool memmap_find_low(const struct memmap *map, uint64_t size_bytes, uint64_t align_bytes,
                     uint64_t floor_gpa, uint64_t ceiling_gpa, const struct memmap_span *avoid,
                     unsigned avoid_count, uint64_t *found_gpa)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct boot_region *region = &map->regions[i];
        uint64_t at = region->base_hpa > floor_gpa ? region->base_hpa : floor_gpa;
        uint64_t end = region->base_hpa + region->size_bytes;

        if (region->type != BOOT_RAM || !size_bytes)
            continue;
        if (end > ceiling_gpa)
            end = ceiling_gpa;
        while (at <= UINT64_MAX - align_bytes) {
            struct memmap_span span = {(at + align_bytes - 1) & ~(align_bytes - 1), size_bytes};
            const struct memmap_span *touched;

            if (span.base_gpa > end || end - span.base_gpa < size_bytes)
                break;
            touched = first_touched(span, avoid, avoid_count);
            if (!touched) {
                *found_gpa = span.base_gpa;
                return true;
            }
            at = touched->base_gpa + touched->size_bytes;
        }
    }
    return false;
}
