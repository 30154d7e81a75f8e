/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Multiboot 1 information ("Multiboot Specification", "Boot information format") into boot_info.
 */
#include "boot/parse.h"
#include "lib/mem.h"

enum mb1_flags {
    MB1_MEMORY = 1 << 0,
    MB1_BOOT_DEVICE = 1 << 1,
    MB1_CMDLINE = 1 << 2,
    MB1_MODULES = 1 << 3,
    MB1_MMAP = 1 << 6,
    MB1_LOADER_NAME = 1 << 9,
    MB1_FRAMEBUFFER = 1 << 12,
};

struct __attribute__((packed)) mb1_info {
    uint32_t flags, mem_lower_kib, mem_upper_kib, boot_device, cmdline, mods_count, mods_addr,
        syms[4], mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name,
        apm_table, vbe_control, vbe_mode_info;
    uint16_t vbe_mode, vbe_seg, vbe_off, vbe_len;
    uint64_t fb_addr;
    uint32_t fb_pitch, fb_width, fb_height;
    uint8_t fb_bpp, fb_type;
};
_Static_assert(offsetof(struct mb1_info, mmap_length) == 44, "multiboot 1 layout");
_Static_assert(offsetof(struct mb1_info, fb_addr) == 88, "multiboot 1 layout");
_Static_assert(sizeof(struct mb1_info) == 110, "multiboot 1 layout");

struct __attribute__((packed)) mb1_mmap {
    uint32_t size; /* of what follows */
    uint64_t base, length;
    uint32_t type;
};

struct mb1_module {
    uint32_t start, end, string, reserved;
};

enum { MB1_INFO_OLD_BYTES = 88 }; /* loaders older than the framebuffer fields end here */

static const char *text_at(const struct boot_source *source, uint64_t hpa, size_t *cap_bytes)
{
    if (hpa >= source->limit_bytes)
        return NULL;
    *cap_bytes = source->limit_bytes - hpa;
    return (const char *)source->base + hpa;
}

static const char *parse_mmap(struct boot_info *out, const struct boot_source *source,
                              const struct mb1_info *info)
{
    uint32_t at = 0;

    if (!boot_at(source, info->mmap_addr, info->mmap_length))
        return boot_refuse(out, "the loader's memory map lies outside memory");
    while (at < info->mmap_length) {
        struct mb1_mmap entry;
        const char *error;

        if (info->mmap_length - at < sizeof(entry))
            return boot_refuse(out, "the loader's memory map ends inside an entry");
        memcpy(&entry, source->base + info->mmap_addr + at, sizeof(entry));
        if (entry.size < sizeof(entry) - sizeof(entry.size) ||
            entry.size > info->mmap_length - at - sizeof(entry.size))
            return boot_refuse(out, "the loader's memory map has an entry of %u bytes", entry.size);
        error = boot_add_region(out, entry.base, entry.length, entry.type);
        if (error)
            return error;
        at += entry.size + (uint32_t)sizeof(entry.size);
    }
    return NULL;
}

static const char *parse_modules(struct boot_info *out, const struct boot_source *source,
                                 const struct mb1_info *info)
{
    if (info->mods_count > BOOT_MODULES_MAX)
        return boot_refuse(out, "%u boot modules, at most %d are possible", info->mods_count,
                           BOOT_MODULES_MAX);
    for (uint32_t i = 0; i < info->mods_count; i++) {
        const void *row = boot_at(source, (uint64_t)info->mods_addr + i * sizeof(struct mb1_module),
                                  sizeof(struct mb1_module));
        struct mb1_module module;
        const char *text = "", *error;
        size_t cap_bytes = 0;

        if (!row)
            return boot_refuse(out, "the loader's module list lies outside memory");
        memcpy(&module, row, sizeof(module));
        if (module.end >= module.start && !boot_at(source, module.start, module.end - module.start))
            return boot_refuse(out, "module %u lies outside memory", i);
        if (module.string) {
            text = text_at(source, module.string, &cap_bytes);
            if (!text)
                return boot_refuse(out, "the command line of module %u lies outside memory", i);
        }
        error = boot_add_module(out, module.start, module.end, text, cap_bytes);
        if (error)
            return error;
    }
    return NULL;
}

static const char *parse_texts(struct boot_info *out, const struct boot_source *source,
                               const struct mb1_info *info)
{
    size_t cap_bytes;
    const char *text;

    if (info->flags & MB1_LOADER_NAME) {
        text = text_at(source, info->loader_name, &cap_bytes);
        if (!text)
            return boot_refuse(out, "the loader's name lies outside memory");
        /* Only its beginning matters: cut what does not fit. */
        size_t len_bytes = str_nlen(text, cap_bytes);

        if (len_bytes >= sizeof(out->loader))
            len_bytes = sizeof(out->loader) - 1;
        memcpy(out->loader, text, len_bytes);
    }
    if (info->flags & MB1_CMDLINE) {
        text = text_at(source, info->cmdline, &cap_bytes);
        if (!text)
            return boot_refuse(out, "the command line lies outside memory");
        return boot_copy_words(out, &out->words, text, cap_bytes, "the command line");
    }
    return NULL;
}

const char *boot_parse_mb1(struct boot_info *out, const struct boot_source *source,
                           uint64_t info_hpa)
{
    struct mb1_info info = {0};
    const char *error;
    const void *at = boot_at(source, info_hpa, MB1_INFO_OLD_BYTES);

    if (!at)
        return boot_refuse(out, "the loader's information (0x%lx) lies outside memory", info_hpa);
    memcpy(&info, at, MB1_INFO_OLD_BYTES);
    if (info.flags & MB1_FRAMEBUFFER) {
        at = boot_at(source, info_hpa, sizeof(info));
        if (!at)
            return boot_refuse(out, "the loader's information ends inside its framebuffer fields");
        memcpy(&info, at, sizeof(info));
    }

    out->multiboot = 1;
    out->boot_drive = info.flags & MB1_BOOT_DEVICE ? (uint8_t)(info.boot_device >> 24) : 0x80;
    error = parse_texts(out, source, &info);
    if (error)
        return error;
    if (info.flags & MB1_MMAP) {
        error = parse_mmap(out, source, &info);
    } else if (info.flags & MB1_MEMORY) {
        error = boot_add_region(out, 0, (uint64_t)info.mem_lower_kib << 10, BOOT_RAM);
        if (!error)
            error = boot_add_region(out, 1 << 20, (uint64_t)info.mem_upper_kib << 10, BOOT_RAM);
    } else {
        return boot_refuse(out, "the loader passed no memory map");
    }
    if (error)
        return error;
    if (info.flags & MB1_MODULES) {
        error = parse_modules(out, source, &info);
        if (error)
            return error;
    }
    if (info.flags & MB1_FRAMEBUFFER)
        out->framebuffer =
            (struct boot_framebuffer){true,           info.fb_addr, info.fb_pitch, info.fb_width,
                                      info.fb_height, info.fb_bpp,  info.fb_type};
    boot_split_words(out);
    return NULL;
}
