/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory types as the machine's MTRRs say. Under EPT the MTRRs do not act by themselves, so the
 * nested map must repeat them. SDM, "Memory Type Used for Translated Guest-Physical Addresses".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum memory_type { MEM_UC = 0, MEM_WC = 1, MEM_WT = 4, MEM_WP = 5, MEM_WB = 6 };

/* Reads the MTRRs of this CPU, once. */
void mtrr_init(uint8_t maxphyaddr_bits);

struct mtrr_answer {
    uint8_t type; /* enum memory_type; of the first page when not uniform */
    bool uniform; /* one type for the whole range */
};

/* base_gpa and size_bytes: a naturally aligned page of 4 KiB, 2 MiB or 1 GiB. */
struct mtrr_answer mtrr_type(uint64_t base_gpa, uint64_t size_bytes);
