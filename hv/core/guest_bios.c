/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guests that may call the BIOS (boot sectors, multiboot kernels, flat binaries) ask it for the
 * memory map, and it knows nothing of us. A few KiB below its data area take a hook for INT 15h
 * that answers from the guest's map; conventional memory shrinks by them, as it does for any BIOS
 * extension.
 */
#include "core/guest_parts.h"
#include "cpu/mem.h"
#include "lib/log.h"
#include "lib/mem.h"

#define IVT_INT15_GPA    UINT64_C(0x54)
#define BDA_BASE_KIB_GPA UINT64_C(0x413) /* conventional memory in KiB */
#define BIOS_SEGMENT_MIN 0xc000          /* real BIOSes keep INT 15h in ROM */
#define HOOK_BYTES       UINT64_C(4096)
#define MIB              (UINT64_C(1) << 20)

struct __attribute__((packed)) bios_map_entry {
    uint64_t base, size;
    uint32_t type;
};

struct bios_hook_data {
    uint32_t entry_count;
    uint16_t kib_to_16m, blocks_above_16m, kib_to_64m, unused;
};

extern const uint8_t bios_hook_start[], bios_hook_old[], bios_hook_data[], bios_hook_end[];

static uint64_t hook_gpa; /* 0: no BIOS, nothing to hook */

/* Bytes of RAM from `start` on without a hole, but not beyond `end`. */
static uint64_t ram_from(const struct memmap *map, uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct boot_region *region = &map->regions[i];
        uint64_t region_end = region->base_hpa + region->size_bytes;

        if (region->type == BOOT_RAM && region->base_hpa <= start && region_end > start)
            return (region_end < end ? region_end : end) - start;
    }
    return 0;
}

void guest_bios_reserve(struct memmap *map)
{
    const uint16_t *vector = phys_to_virt(IVT_INT15_GPA);
    uint16_t base_kib;
    uint64_t top_gpa;

    hook_gpa = 0;
    if (vector[1] < BIOS_SEGMENT_MIN)
        return;
    memcpy(&base_kib, phys_to_virt(BDA_BASE_KIB_GPA), sizeof(base_kib));
    /* The map may end below what the BIOS data area says (Bochs: 636 of 639 KiB). */
    top_gpa = ram_from(map, 0, (uint64_t)base_kib << 10) & ~UINT64_C(0x3ff);
    if (top_gpa < GUEST_LOW_FLOOR_GPA + GUEST_LOW_BYTES + HOOK_BYTES) {
        log_warn("guest: no room for a BIOS hook at %u KiB; INT 15h will show our memory",
                 base_kib);
        return;
    }
    if (memmap_reserve(map, top_gpa - HOOK_BYTES, HOOK_BYTES))
        hook_gpa = top_gpa - HOOK_BYTES;
}

void guest_bios_install(const struct memmap *map)
{
    size_t code_bytes = (size_t)(bios_hook_end - bios_hook_start);
    uint8_t *hook;
    struct bios_map_entry *entries;
    uint16_t *vector = phys_to_virt(IVT_INT15_GPA);
    uint16_t base_kib = (uint16_t)(hook_gpa >> 10);
    struct bios_hook_data data = {
        .entry_count = map->count,
        .kib_to_16m = (uint16_t)(ram_from(map, MIB, 16 * MIB) >> 10),
        .blocks_above_16m = (uint16_t)(ram_from(map, 16 * MIB, 4096 * MIB) >> 16),
        .kib_to_64m = (uint16_t)(ram_from(map, MIB, 64 * MIB) >> 10),
    };

    if (!hook_gpa)
        return;
    hook = phys_to_virt(hook_gpa);
    memcpy(hook, bios_hook_start, code_bytes);
    memcpy(hook + (bios_hook_old - bios_hook_start), vector, 2 * sizeof(*vector));
    memcpy(hook + (bios_hook_data - bios_hook_start), &data, sizeof(data));
    entries = (struct bios_map_entry *)(hook + code_bytes);
    for (uint32_t i = 0; i < map->count; i++)
        entries[i] = (struct bios_map_entry){map->regions[i].base_hpa, map->regions[i].size_bytes,
                                             map->regions[i].type};
    vector[0] = 0;
    vector[1] = (uint16_t)(hook_gpa >> 4);
    memcpy(phys_to_virt(BDA_BASE_KIB_GPA), &base_kib, sizeof(base_kib));
    log_debug("guest: INT 15h memory map hooked at 0x%lx", hook_gpa);
}

_Static_assert(256 + MEMMAP_REGIONS_MAX * sizeof(struct bios_map_entry) <= HOOK_BYTES,
               "hook code and entries");
