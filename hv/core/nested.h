/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The nested page map (EPT or NPT): guest-physical equals host-physical, with large pages, split on
 * demand. Our own range and emulated pages are absent. One map for all vCPUs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Builds the map up to 4 GiB or the end of memory, whichever is more; stores the root. NULL, or one
 * sentence. Needs hv_backend, hv_caps, hv_range. */
const char *nested_init(uint64_t *root_hpa);

/* Gives the pages of [gpa, gpa + len_bytes) these rights (HV_READ | HV_WRITE | HV_EXEC; 0: absent),
 * splitting large pages. NPT cannot express a page without read: it becomes absent. False: the page
 * pool is empty, nothing more was changed. The caller flushes (backend nested_flush). */
bool nested_protect(uint64_t gpa, uint64_t len_bytes, uint8_t rights);

/* Takes the right to execute from all of memory, or gives it back, in the root table: the debugger
 * catches the first instruction of a handler so. The caller flushes. */
void nested_hold(bool on);

/* Below it all is mapped but for holes; above, pages are mapped when they are first used. */
uint64_t nested_mapped_end(void);

/* Maps the large page around gpa, when it lies above what nested_init() mapped (device memory). */
bool nested_map_lazily(uint64_t gpa);

struct nested_level {
    uint8_t level; /* 4 root .. 1 */
    uint64_t entry_hpa, entry;
};

/* The path of one address, for `walk` and the crash record. */
struct nested_path {
    uint8_t level_count;
    struct nested_level level[4];
    bool present;
    uint8_t rights;      /* HV_* of the leaf */
    uint8_t memory_type; /* EPT leaf's enum memory_type; MEM_WB on NPT */
    uint64_t page_bytes, hpa;
};
struct nested_path nested_walk(uint64_t gpa);
