/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory of the hypervisor: its hidden range, the page pool in it, and the direct map.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES     4096u
#define HV_LINK_BASE   UINT64_C(0xffffffff80000000) /* where the image is linked and mapped */
#define HV_DIRECT_MAP  UINT64_C(0xffff800000000000) /* all physical memory */
#define HV_RANGE_BYTES (32u << 20)                  /* image + page pool, hidden from the guest */

/* Our own range; valid from relocation on, never changes. */
struct hv_range {
    uint64_t base_hpa, size_bytes;
};
extern struct hv_range hv_range;

/* Direct-map address of a physical address below hv_phys_limit_hpa (all of RAM and at least 4 GiB).
 */
static inline void *phys_to_virt(uint64_t hpa)
{
    return (void *)(hpa + HV_DIRECT_MAP);
}
extern uint64_t hv_phys_limit_hpa;

/* Physical address of a pointer into the image or the direct map; panics on any other pointer. */
uint64_t virt_to_phys(const void *ptr);

/* Zeroed, contiguous, page-aligned pages from the pool; for start-up and for splitting large nested
 * pages. Never frees. Returns NULL when the pool is empty (the caller says what it needed). */
void *pages_alloc(size_t count_pages);
