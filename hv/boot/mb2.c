/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Multiboot 2 information ("Multiboot2 Specification", "Boot information format") into boot_info:
 * a list of tags, each with its length. Tags we have no use for are passed over.
 */
#include "boot/parse.h"
#include "lib/mem.h"

enum mb2_tag_type {
    MB2_END = 0,
    MB2_CMDLINE = 1,
    MB2_LOADER_NAME = 2,
    MB2_MODULE = 3,
    MB2_MEMORY = 4,
    MB2_BOOT_DEVICE = 5,
    MB2_MMAP = 6,
    MB2_FRAMEBUFFER = 8,
    MB2_ACPI_OLD = 14,
    MB2_ACPI_NEW = 15,
};

struct mb2_tag {
    uint32_t type, size; /* size counts this header */
};
struct mb2_module {
    struct mb2_tag tag;
    uint32_t start, end; /* then the string */
};
struct mb2_memory {
    struct mb2_tag tag;
    uint32_t lower_kib, upper_kib;
};
struct mb2_mmap {
    struct mb2_tag tag;
    uint32_t entry_size, entry_version;
};
struct mb2_mmap_entry {
    uint64_t base, length;
    uint32_t type, reserved;
};
struct __attribute__((packed)) mb2_framebuffer {
    struct mb2_tag tag;
    uint64_t addr;
    uint32_t pitch, width, height;
    uint8_t bpp, type;
};

enum { MB2_TAG_ALIGN = 8, MB2_INFO_MAX_BYTES = 16 << 20 };

static const char *parse_mmap(struct boot_info *out, const uint8_t *at, uint32_t size)
{
    struct mb2_mmap head;

    if (size < sizeof(head))
        return boot_refuse(out, "the loader's memory map tag is too short");
    memcpy(&head, at, sizeof(head));
    if (head.entry_size < sizeof(struct mb2_mmap_entry))
        return boot_refuse(out, "the loader's memory map has entries of %u bytes", head.entry_size);
    for (uint32_t pos = sizeof(head); size - pos >= head.entry_size; pos += head.entry_size) {
        struct mb2_mmap_entry entry;
        const char *error;

        memcpy(&entry, at + pos, sizeof(entry));
        error = boot_add_region(out, entry.base, entry.length, entry.type);
        if (error)
            return error;
    }
    return NULL;
}

static const char *parse_module(struct boot_info *out, const struct boot_source *source,
                                const uint8_t *at, uint32_t size)
{
    struct mb2_module head;

    if (size < sizeof(head))
        return boot_refuse(out, "the loader's tag of module %u is too short", out->modules_count);
    memcpy(&head, at, sizeof(head));
    if (head.end >= head.start && !boot_at(source, head.start, head.end - head.start))
        return boot_refuse(out, "module %u lies outside memory", out->modules_count);
    return boot_add_module(out, head.start, head.end, (const char *)at + sizeof(head),
                           size - sizeof(head));
}

static void parse_framebuffer(struct boot_info *out, const uint8_t *at, uint32_t size)
{
    struct mb2_framebuffer fb;

    if (size < sizeof(fb))
        return;
    memcpy(&fb, at, sizeof(fb));
    out->framebuffer =
        (struct boot_framebuffer){true, fb.addr, fb.pitch, fb.width, fb.height, fb.bpp, fb.type};
}

static void parse_rsdp(struct boot_info *out, const uint8_t *at, uint32_t size)
{
    uint32_t len_bytes = size - (uint32_t)sizeof(struct mb2_tag);

    if (len_bytes > sizeof(out->rsdp))
        len_bytes = sizeof(out->rsdp);
    if (len_bytes < out->rsdp_len_bytes)
        return; /* the newer, longer one is kept whatever the order */
    memcpy(out->rsdp, at + sizeof(struct mb2_tag), len_bytes);
    out->rsdp_len_bytes = len_bytes;
}

static const char *parse_tag(struct boot_info *out, const struct boot_source *source,
                             const uint8_t *at, const struct mb2_tag *tag,
                             struct mb2_memory *memory)
{
    const char *text = (const char *)at + sizeof(*tag);
    uint32_t text_bytes = tag->size - (uint32_t)sizeof(*tag);

    switch (tag->type) {
    case MB2_CMDLINE:
        return boot_copy_words(out, &out->words, text, text_bytes, "the command line");
    case MB2_LOADER_NAME: {
        size_t len_bytes = str_nlen(text, text_bytes);

        if (len_bytes >= sizeof(out->loader))
            len_bytes = sizeof(out->loader) - 1;
        memcpy(out->loader, text, len_bytes);
        out->loader[len_bytes] = '\0';
        return NULL;
    }
    case MB2_MODULE:
        return parse_module(out, source, at, tag->size);
    case MB2_MEMORY:
        if (tag->size >= sizeof(*memory))
            memcpy(memory, at, sizeof(*memory));
        return NULL;
    case MB2_BOOT_DEVICE:
        if (text_bytes >= 1)
            out->boot_drive = (uint8_t)text[0];
        return NULL;
    case MB2_MMAP:
        return parse_mmap(out, at, tag->size);
    case MB2_FRAMEBUFFER:
        parse_framebuffer(out, at, tag->size);
        return NULL;
    case MB2_ACPI_OLD:
    case MB2_ACPI_NEW:
        parse_rsdp(out, at, tag->size);
        return NULL;
    default:
        return NULL;
    }
}

const char *boot_parse_mb2(struct boot_info *out, const struct boot_source *source,
                           uint64_t info_hpa)
{
    struct mb2_memory memory = {0};
    const uint8_t *base = boot_at(source, info_hpa, 8);
    uint32_t total_bytes, pos = 8;
    bool ended = false;

    if (!base || (info_hpa & (MB2_TAG_ALIGN - 1)))
        return boot_refuse(out, "the loader's information (0x%lx) lies outside memory", info_hpa);
    memcpy(&total_bytes, base, sizeof(total_bytes));
    if (total_bytes > MB2_INFO_MAX_BYTES || !boot_at(source, info_hpa, total_bytes))
        return boot_refuse(out, "the loader's information claims %u bytes", total_bytes);

    out->multiboot = 2;
    out->boot_drive = 0x80;
    while (!ended) {
        struct mb2_tag tag;
        const char *error;

        if (pos > total_bytes || total_bytes - pos < sizeof(tag))
            return boot_refuse(out, "the loader's information has no end tag");
        memcpy(&tag, base + pos, sizeof(tag));
        if (tag.size < sizeof(tag) || tag.size > total_bytes - pos)
            return boot_refuse(out, "the loader's tag of type %u claims %u bytes", tag.type,
                               tag.size);
        error = parse_tag(out, source, base + pos, &tag, &memory);
        if (error)
            return error;
        ended = tag.type == MB2_END;
        pos += (tag.size + MB2_TAG_ALIGN - 1) & ~(uint32_t)(MB2_TAG_ALIGN - 1);
    }
    if (!out->regions_count) {
        const char *error;

        if (!memory.tag.size)
            return boot_refuse(out, "the loader passed no memory map");
        error = boot_add_region(out, 0, (uint64_t)memory.lower_kib << 10, BOOT_RAM);
        if (!error)
            error = boot_add_region(out, 1 << 20, (uint64_t)memory.upper_kib << 10, BOOT_RAM);
        if (error)
            return error;
    }
    boot_split_words(out);
    return NULL;
}
