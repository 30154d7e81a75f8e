/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Moves the image to the top of RAM below 4 GiB. Link addresses stay what they were: only the page
 * tables below them change, in relocate_switch.S, between two instructions.
 */
#include "boot/relocate.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/paging.h"
#include "lib/log.h"

#define LIMIT_4G UINT64_C(0x100000000)
#define GIB      (UINT64_C(1) << 30)

/* Copies len_bytes from src to dst and loads CR3; no store of C lies between the two. */
void relocate_switch(void *dst, const void *src, uint64_t len_bytes, uint64_t cr3);

static uint64_t direct_map_limit(const struct boot_info *info)
{
    /* A canonical address has room for 2^46 bytes behind HV_DIRECT_MAP below the image. */
    uint64_t limit = LIMIT_4G, cap = UINT64_C(1) << 46;

    for (uint32_t i = 0; i < info->regions_count; i++) {
        uint64_t end = info->regions[i].base_hpa + info->regions[i].size_bytes;

        if (info->regions[i].type != BOOT_RESERVED && end > limit)
            limit = end;
    }
    if (limit > cap)
        limit = cap;
    return (limit + GIB - 1) & ~(GIB - 1);
}

void relocate(const struct boot_info *info)
{
    uint64_t image_bytes = (uint64_t)(image_end - image_start);
    uint64_t limit_hpa = direct_map_limit(info), base_hpa, cr3;

    base_hpa = relocate_find(info, HV_RANGE_BYTES, LIMIT_4G, HV_LOAD_HPA, image_bytes);
    if (!base_hpa)
        hv_refuse("no %u MiB of RAM free below 4 GiB: give the machine more memory",
                  HV_RANGE_BYTES >> 20);
    pages_init(base_hpa + image_bytes, base_hpa + HV_RANGE_BYTES);
    cr3 = paging_build(base_hpa, limit_hpa);
    if (!cr3)
        hv_refuse("%lu MiB of RAM need more page tables than our %u MiB hold", limit_hpa >> 20,
                  HV_RANGE_BYTES >> 20);
    /* Everything that the copy must know is stored before it is made. */
    hv_range.base_hpa = base_hpa;
    hv_range.size_bytes = HV_RANGE_BYTES;
    hv_phys_limit_hpa = limit_hpa;
    relocate_switch(phys_to_virt(base_hpa), image_start, image_bytes, cr3);
    log_info("moved to 0x%lx-0x%lx, image %lu KiB, %lu pages free", base_hpa,
             base_hpa + HV_RANGE_BYTES - 1, image_bytes >> 10, pages_free_count());
}
