/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our hidden range and its page pool: a bump allocator, because nothing is ever given back.
 */
#include "cpu/mem.h"
#include "cpu/paging.h"
#include "lib/log.h"
#include "lib/mem.h"

struct hv_range hv_range;
uint64_t hv_phys_limit_hpa = UINT64_C(4) << 30; /* what the early map covers */

static uint64_t pool_next_hpa, pool_end_hpa;

void pages_init(uint64_t start_hpa, uint64_t end_hpa)
{
    pool_next_hpa = start_hpa;
    pool_end_hpa = end_hpa;
}

uint64_t pages_free_count(void)
{
    return (pool_end_hpa - pool_next_hpa) / PAGE_BYTES;
}

void *pages_alloc(size_t count_pages)
{
    void *pages;

    if (count_pages > pages_free_count())
        return NULL;
    pages = phys_to_virt(pool_next_hpa);
    pool_next_hpa += count_pages * PAGE_BYTES;
    memset(pages, 0, count_pages * PAGE_BYTES);
    return pages;
}

uint64_t virt_to_phys(const void *ptr)
{
    uint64_t address = (uint64_t)ptr;

    if (address >= (uint64_t)image_start && address < (uint64_t)image_end)
        return address - (uint64_t)image_start + hv_range.base_hpa;
    if (address >= HV_DIRECT_MAP && address - HV_DIRECT_MAP < hv_phys_limit_hpa)
        return address - HV_DIRECT_MAP;
    hv_panic("virt_to_phys(0x%lx): neither image nor direct map", address);
}
