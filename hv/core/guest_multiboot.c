/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Multiboot 1 guests: hobby kernels and our own tiny test guests. Loads the segments and builds the
 * information structure ("Multiboot Specification", "Machine state", "Boot information format") in
 * the low block; the file checks are in guest_image.c.
 */
#include "core/guest_parts.h"
#include "cpu/mem.h"
#include "lib/mem.h"

#define MB_LOADER_MAGIC UINT32_C(0x2badb002)
#define LOW_1M          UINT64_C(0x100000)

enum mb_flags { MB_MEMORY = 1, MB_CMDLINE = 4, MB_MODULES = 8, MB_MMAP = 64, MB_LOADER_NAME = 512 };

struct mb_info {
    uint32_t flags, mem_lower_kib, mem_upper_kib, boot_device, cmdline, mods_count, mods_addr,
        syms[4], mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
    uint32_t unused[12];
};
struct mb_module {
    uint32_t start, end, string, reserved;
};
struct __attribute__((packed)) mb_mmap {
    uint32_t size;
    uint64_t base, length;
    uint32_t type;
};

/* Layout of the low block: GDT, information, module list, memory map, texts, stack. */
enum {
    LOW_INFO = 0x100,
    LOW_MODULES = 0x400,
    LOW_MMAP = 0x800,
    LOW_TEXTS = 0x2000,
    LOW_TEXTS_END = GUEST_LOW_BYTES - GUEST_STACK_BYTES,
};
_Static_assert(LOW_MODULES + BOOT_MODULES_MAX * sizeof(struct mb_module) <= LOW_MMAP, "low block");
_Static_assert(LOW_MMAP + MEMMAP_REGIONS_MAX * sizeof(struct mb_mmap) <= LOW_TEXTS, "low block");
_Static_assert(LOW_TEXTS + (BOOT_MODULES_MAX + 2) * BOOT_TEXT_CAP_BYTES <= LOW_TEXTS_END,
               "low block");

static struct mb_image image;

static bool matches(const struct guest_file *file)
{
    return mb_image_matches(file->bytes, file->len_bytes);
}

static const char *plan_multiboot(struct guest_plan *plan)
{
    const struct guest_file *file = &plan->files[0];
    const char *why = mb_image_check(file->bytes, file->len_bytes, &image);

    if (why)
        return guest_refuse(plan, "module 0 '%s' %s", file->name, why);
    for (uint32_t i = 0; i < image.segments_count; i++)
        if (!memmap_is_ram(plan->map, image.segments[i].gpa, image.segments[i].mem_bytes))
            return guest_refuse(plan,
                                "module 0 '%s' wants to be loaded at 0x%lx-0x%lx, where there "
                                "is no RAM for it",
                                file->name, image.segments[i].gpa,
                                image.segments[i].gpa + image.segments[i].mem_bytes - 1);
    plan->dest = (struct memmap_span){image.low_gpa, image.high_gpa - image.low_gpa};
    return NULL;
}

/* Appends a text to the low block and returns its address. The block has room for all of them. */
static uint32_t add_text(const struct guest_plan *plan, uint64_t *used, const char *name,
                         const char *args)
{
    uint64_t gpa = plan->low_gpa + LOW_TEXTS + *used;
    char *at = phys_to_virt(gpa);
    size_t len = 0;

    /* As QEMU and GRUB 0.97 pass it: the file's name, then its words. */
    str_copy(at, BOOT_TEXT_CAP_BYTES, name);
    len = strlen(at);
    if (*name && *args && len + 1 < BOOT_TEXT_CAP_BYTES)
        at[len++] = ' ';
    str_copy(at + len, BOOT_TEXT_CAP_BYTES - len, args);
    *used += strlen(at) + 1;
    return (uint32_t)gpa;
}

static void fill_memory(const struct guest_plan *plan, struct mb_info *info)
{
    struct mb_mmap *rows = phys_to_virt(plan->low_gpa + LOW_MMAP);

    for (uint32_t i = 0; i < plan->map->count; i++) {
        const struct boot_region *region = &plan->map->regions[i];
        uint64_t end = region->base_hpa + region->size_bytes;

        rows[i] = (struct mb_mmap){sizeof(rows[i]) - sizeof(rows[i].size), region->base_hpa,
                                   region->size_bytes, region->type};
        if (region->type != BOOT_RAM)
            continue;
        if (region->base_hpa == 0)
            info->mem_lower_kib = (uint32_t)((end < 0xa0000 ? end : 0xa0000) >> 10);
        if (region->base_hpa <= LOW_1M && end > LOW_1M)
            info->mem_upper_kib = (uint32_t)((end - LOW_1M) >> 10);
    }
    info->mmap_addr = (uint32_t)(plan->low_gpa + LOW_MMAP);
    info->mmap_length = plan->map->count * (uint32_t)sizeof(rows[0]);
}

static const char *load_multiboot(struct guest_plan *plan, struct guest_entry *out)
{
    const struct guest_file *file = &plan->files[0];
    struct mb_info *info = phys_to_virt(plan->low_gpa + LOW_INFO);
    struct mb_module *modules = phys_to_virt(plan->low_gpa + LOW_MODULES);
    uint64_t used = 0;

    for (uint32_t i = 0; i < image.segments_count; i++) {
        uint8_t *to = phys_to_virt(image.segments[i].gpa);
        uint64_t file_bytes = image.segments[i].file_bytes;

        memcpy(to, file->bytes + image.segments[i].offset, file_bytes);
        memset(to + file_bytes, 0, image.segments[i].mem_bytes - file_bytes);
    }
    info->flags = MB_MEMORY | MB_CMDLINE | MB_MODULES | MB_MMAP | MB_LOADER_NAME;
    fill_memory(plan, info);
    info->cmdline = add_text(plan, &used, file->name, file->args);
    info->loader_name = add_text(plan, &used, "Trapline", "");
    info->mods_addr = (uint32_t)(plan->low_gpa + LOW_MODULES);
    for (uint32_t i = 1; i < plan->files_count; i++) {
        const struct guest_file *module = &plan->files[i];

        modules[i - 1] = (struct mb_module){
            .start = (uint32_t)module->start_gpa,
            .end = (uint32_t)(module->start_gpa + module->len_bytes),
            .string = add_text(plan, &used, module->name, module->args),
        };
        info->mods_count++;
    }

    guest_entry_protected(plan, out);
    out->rip = image.entry_gpa;
    out->gprs[GPR_RAX] = MB_LOADER_MAGIC;
    out->gprs[GPR_RBX] = plan->low_gpa + LOW_INFO;
    return NULL;
}

const struct guest_loader guest_multiboot = {"multiboot", true, matches, plan_multiboot,
                                             load_multiboot};
