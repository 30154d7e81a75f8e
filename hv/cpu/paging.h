/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our own address space. Used at start-up by boot/ only.
 */
#pragma once

#include <stdint.h>

/* Link addresses of the image's parts (hv.ld); page aligned except data_end. */
extern const uint8_t image_start[], image_text_end[], image_rodata_end[], image_data_end[],
    image_end[];

#define HV_LOAD_HPA UINT64_C(0x100000) /* where the loader puts the image */

/* Page pool: [start_hpa, end_hpa), page aligned, inside hv_range. */
void pages_init(uint64_t start_hpa, uint64_t end_hpa);
uint64_t pages_free_count(void);

/* Builds the final tables (link addresses -> image_hpa, direct map of limit_hpa bytes, guard pages
 * left out) with pages of the pool. Returns CR3, or 0 when the pool is too small. */
uint64_t paging_build(uint64_t image_hpa, uint64_t limit_hpa);
