/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Moving the hypervisor out of the guest's way. Private to hv/boot/.
 */
#pragma once

#include "boot/boot_info.h"

/* Highest range of size_bytes (multiple of 2 MiB) below limit_hpa, 2 MiB aligned, that lies in one
 * RAM region and touches no other kind of region, no module and not [avoid_hpa, +avoid_bytes).
 * 0: there is none. */
uint64_t relocate_find(const struct boot_info *info, uint64_t size_bytes, uint64_t limit_hpa,
                       uint64_t avoid_hpa, uint64_t avoid_bytes);

/* Copies the running image to the chosen range, builds the final page tables there and switches to
 * them; from then on hv_range, the pool and the full direct map are valid. Refuses the start if
 * there is no room. */
void relocate(const struct boot_info *info);
