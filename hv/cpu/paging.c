/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our own page tables: image at its link addresses (text RX, rodata R, data RW NX, stack guards
 * absent), all memory at HV_DIRECT_MAP (RW NX), nothing else.
 */
#include "cpu/paging.h"
#include "cpu/desc.h"
#include "cpu/mem.h"
#include "cpu/x86.h"

enum { LEVEL_BITS = 9, LEVELS = 4 };

#define ENTRIES            512u
#define LARGE_2M           (UINT64_C(1) << 21)
#define LARGE_1G           (UINT64_C(1) << 30)
#define INDEX(va_, level_) ((va_) >> (12 + LEVEL_BITS * (level_)) & (ENTRIES - 1))

/* Entry of `address` in the table of `level` (0: page table), making tables on the way down. */
static uint64_t *entry_make(uint64_t root_hpa, uint64_t address, unsigned level)
{
    uint64_t *table = phys_to_virt(root_hpa);

    for (unsigned at = LEVELS - 1; at > level; at--) {
        uint64_t *entry = &table[INDEX(address, at)];

        if (!(*entry & PTE_P)) {
            void *page = pages_alloc(1);

            if (!page)
                return NULL;
            *entry = ((uint64_t)page - HV_DIRECT_MAP) | PTE_P | PTE_W;
        }
        table = phys_to_virt(*entry & PTE_ADDR_MASK);
    }
    return &table[INDEX(address, level)];
}

static bool is_guard(uint64_t address)
{
    for (const int32_t *offset = cpu_stack_guards; *offset >= 0; offset++)
        if (address == (uint64_t)&cpu_bsp_stacks + (uint64_t)*offset)
            return true;
    return false;
}

uint64_t paging_build(uint64_t image_hpa, uint64_t limit_hpa)
{
    bool has_ext = cpuid(0x80000000, 0).eax >= 0x80000001;
    uint32_t ext = has_ext ? cpuid(0x80000001, 0).edx : 0;
    uint64_t nx = ext >> 20 & 1 ? PTE_NX : 0;
    bool gib_pages = ext >> 26 & 1;
    uint64_t step = gib_pages ? LARGE_1G : LARGE_2M;
    void *root = pages_alloc(1);
    uint64_t root_hpa;

    if (!root)
        return 0;
    root_hpa = (uint64_t)root - HV_DIRECT_MAP;
    for (uint64_t hpa = 0; hpa < limit_hpa; hpa += step) {
        uint64_t *entry = entry_make(root_hpa, HV_DIRECT_MAP + hpa, gib_pages ? 2 : 1);

        if (!entry)
            return 0;
        *entry = hpa | nx | PTE_PS | PTE_A | PTE_D | PTE_W | PTE_P;
    }
    for (uint64_t at = (uint64_t)image_start; at < (uint64_t)image_end; at += PAGE_BYTES) {
        uint64_t *entry = entry_make(root_hpa, at, 0);
        uint64_t rights = at < (uint64_t)image_text_end     ? 0
                          : at < (uint64_t)image_rodata_end ? nx
                                                            : nx | PTE_W | PTE_D;

        if (!entry)
            return 0;
        if (!is_guard(at))
            *entry = (image_hpa + at - (uint64_t)image_start) | rights | PTE_A | PTE_P;
    }
    return root_hpa;
}

static bool page_mapped(uint64_t address)
{
    uint64_t table_hpa = read_cr3() & PTE_ADDR_MASK;

    if ((int64_t)(address << 16) >> 16 != (int64_t)address) /* not canonical */
        return false;
    for (int level = LEVELS - 1; level >= 0; level--) {
        const uint64_t *table = phys_to_virt(table_hpa);
        uint64_t entry = table[INDEX(address, level)];

        if (!(entry & PTE_P))
            return false;
        if (entry & PTE_PS && level > 0)
            return true;
        table_hpa = entry & PTE_ADDR_MASK;
    }
    return true;
}

bool hv_mapped(uint64_t address, uint64_t len_bytes)
{
    uint64_t last = address + len_bytes - 1;

    if (!len_bytes || last < address)
        return false;
    for (uint64_t page = address & ~(uint64_t)(PAGE_BYTES - 1); page <= last; page += PAGE_BYTES)
        if (!page_mapped(page))
            return false;
    return true;
}
