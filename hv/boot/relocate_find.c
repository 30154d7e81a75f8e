/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the hypervisor can hide. Pure arithmetic on the loader's memory map; also in unit tests.
 */
#include "boot/relocate.h"

#define ALIGN_BYTES (UINT64_C(2) << 20)

struct span {
    uint64_t start, end;
};

static bool touches(struct span a, struct span b)
{
    return a.start < b.end && b.start < a.end;
}

/* Start of something inside the candidate that must not be there, or UINT64_MAX. */
static uint64_t obstacle(const struct boot_info *info, struct span candidate, struct span avoid)
{
    if (touches(candidate, avoid))
        return avoid.start;
    for (uint32_t i = 0; i < info->regions_count; i++) {
        const struct boot_region *region = &info->regions[i];
        struct span span = {region->base_hpa, region->base_hpa + region->size_bytes};

        if (region->type != BOOT_RAM && touches(candidate, span))
            return span.start;
    }
    for (uint32_t i = 0; i < info->modules_count; i++) {
        struct span span = {info->modules[i].start_hpa,
                            info->modules[i].start_hpa + info->modules[i].size_bytes};

        if (touches(candidate, span))
            return span.start;
    }
    return UINT64_MAX;
}

uint64_t relocate_find(const struct boot_info *info, uint64_t size_bytes, uint64_t limit_hpa,
                       uint64_t avoid_hpa, uint64_t avoid_bytes)
{
    struct span avoid = {avoid_hpa, avoid_hpa + avoid_bytes};
    uint64_t best = 0;

    for (uint32_t i = 0; i < info->regions_count; i++) {
        const struct boot_region *region = &info->regions[i];
        uint64_t end = region->base_hpa + region->size_bytes;

        if (region->type != BOOT_RAM)
            continue;
        if (end > limit_hpa)
            end = limit_hpa;
        /* Each turn ends below an obstacle, so there are at most as many turns as obstacles. */
        while (end >= size_bytes) {
            struct span candidate = {(end - size_bytes) & ~(ALIGN_BYTES - 1), 0};
            uint64_t below;

            candidate.end = candidate.start + size_bytes;
            if (candidate.start < region->base_hpa || candidate.start <= best)
                break;
            below = obstacle(info, candidate, avoid);
            if (below == UINT64_MAX) {
                best = candidate.start;
                break;
            }
            end = below;
        }
    }
    return best;
}
