/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Boot sectors: the first 512 bytes of the module go to 0x7c00 and are entered in real mode as a
 * BIOS would, with DL the boot drive. The BIOS and its vectors are still what they were at
 * power-up; INT 13h reads the machine's own disks, not the module.
 */
#include "core/guest_parts.h"
#include "cpu/mem.h"
#include "lib/mem.h"

#define SECTOR_BYTES     512u
#define SIGNATURE_OFFSET 510u
#define BOOT_GPA         UINT64_C(0x7c00)
#define CR0_RESET_ET     UINT64_C(0x10)
#define IVT_LIMIT        0x3ffu

static bool matches(const struct guest_file *file)
{
    return file->len_bytes >= SECTOR_BYTES && file->bytes[SIGNATURE_OFFSET] == 0x55 &&
           file->bytes[SIGNATURE_OFFSET + 1] == 0xaa;
}

static const char *plan_boot_sector(struct guest_plan *plan)
{
    if (!memmap_is_ram(plan->map, BOOT_GPA, SECTOR_BYTES))
        return guest_refuse(plan, "no RAM at 0x7c00 for boot sector '%s'", plan->files[0].name);
    plan->dest = (struct memmap_span){BOOT_GPA, SECTOR_BYTES};
    return NULL;
}

static const char *load_boot_sector(struct guest_plan *plan, struct guest_entry *out)
{
    /* Real-mode segments as after a far jump: base 16 * selector, limit 64 KiB, type read/write. */
    static const struct hv_segment zero = {.limit = 0xffff, .rights = 0x93};

    memcpy(phys_to_virt(BOOT_GPA), plan->files[0].bytes, SECTOR_BYTES);
    out->mode = GUEST_MODE_REAL;
    out->cr0 = CR0_RESET_ET;
    out->rflags = 2;
    for (int seg = HV_ES; seg <= HV_GS; seg++)
        out->segments[seg] = zero;
    out->segments[HV_CS].rights = 0x9b;
    out->segments[HV_LDTR] = (struct hv_segment){.rights = HV_SEG_UNUSABLE};
    out->segments[HV_TR] = (struct hv_segment){.limit = 0xffff, .rights = 0x8b};
    out->idt_limit = IVT_LIMIT;
    out->gdt_limit = 0xffff;
    out->rip = BOOT_GPA;
    out->gprs[GPR_RSP] =
        BOOT_GPA; /* BIOSes leave a stack somewhere low; nearly all set their own */
    out->gprs[GPR_RDX] = plan->info->boot_drive;
    return NULL;
}

const struct guest_loader guest_boot_sector = {"boot sector", true, matches, plan_boot_sector,
                                               load_boot_sector};
