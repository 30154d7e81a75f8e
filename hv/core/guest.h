/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From boot modules to a guest that can be entered. The first module is the guest, recognised by
 * its content; the others are handed to it. Vendor-neutral: core writes struct guest_entry into the
 * vCPU through the backend.
 */
#pragma once

#include "boot/boot_info.h"
#include "core/memmap.h"
#include "core/vcpu.h"

enum guest_mode { GUEST_MODE_REAL, GUEST_MODE_PROTECTED }; /* protected: 32 bit, paging off */

/* The whole state at the guest's first instruction. What is not here is 0 or its reset value
 * (CR2, CR3, CR4, EFER, DR0-3 are 0; DR6, DR7 as at power-up). */
struct guest_entry {
    const char *kind; /* "Linux bzImage", "multiboot", "boot sector", "flat binary" */
    const char *name; /* of its file, "" when the loader passed none */
    enum guest_mode mode;
    uint64_t cr0, rip, rflags;
    uint64_t gprs[16]; /* by enum hv_gpr; RSP included */
    struct hv_segment segments[HV_SEG_COUNT];
    uint64_t gdt_base_gpa, idt_base_gpa;
    uint32_t gdt_limit, idt_limit;
    const struct memmap *map; /* what the guest is told; core feeds its RAM to guest_ram_add() */
};

/*
 * Needs: relocation done, nothing of the guest's memory in use by us. Moves the modules out of the
 * way, loads the guest, and fills *out. Returns NULL, or one plain sentence that names the module
 * and says what to do; the guest's memory is then undefined. Every length in a module is checked.
 */
const char *guest_load(const struct boot_info *info, struct guest_entry *out);
