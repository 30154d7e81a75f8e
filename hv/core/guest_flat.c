/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Flat binaries: bytes without any header, loaded at 1 MiB (or `flat=ADDRESS`) and entered there in
 * 32-bit protected mode with paging off and a small stack; the other registers are 0. Nothing in
 * the file tells what it is, so the word `flat` must be given.
 */
#include "core/guest_parts.h"
#include "cpu/mem.h"
#include "lib/mem.h"

#define FLAT_DEFAULT_GPA UINT64_C(0x100000)
#define LIMIT_4G         UINT64_C(0x100000000)

static bool matches(const struct guest_file *file)
{
    return guest_arg(file->args, "flat") || guest_arg(file->args, "flat=");
}

static const char *plan_flat(struct guest_plan *plan)
{
    const struct guest_file *file = &plan->files[0];
    const char *value = guest_arg(file->args, "flat=");
    uint64_t gpa = FLAT_DEFAULT_GPA;

    if (value) {
        size_t len_bytes = 0;

        while (value[len_bytes] && value[len_bytes] != ' ')
            len_bytes++;
        if (!str_number(value, len_bytes, &gpa) || gpa >= LIMIT_4G)
            return guest_refuse(plan,
                                "module 0 '%s': flat= wants an address below 4 GiB, as in "
                                "flat=0x100000",
                                file->name);
    }
    if (file->len_bytes > LIMIT_4G - gpa || !memmap_is_ram(plan->map, gpa, file->len_bytes))
        return guest_refuse(plan, "module 0 '%s' (%lu bytes) does not fit into RAM at 0x%lx",
                            file->name, file->len_bytes, gpa);
    plan->dest = (struct memmap_span){gpa, file->len_bytes};
    return NULL;
}

static const char *load_flat(struct guest_plan *plan, struct guest_entry *out)
{
    memcpy(phys_to_virt(plan->dest.base_gpa), plan->files[0].bytes, plan->files[0].len_bytes);
    guest_entry_protected(plan, out);
    out->rip = plan->dest.base_gpa;
    return NULL;
}

const struct guest_loader guest_flat = {"flat binary", true, matches, plan_flat, load_flat};
