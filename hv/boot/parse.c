/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bounds checks and copies common to multiboot 1 and 2. What the loader left in memory is input:
 * nothing is used before its length was compared with what is there.
 */
#include "boot/parse.h"
#include "lib/log.h"
#include "lib/mem.h"

const void *boot_at(const struct boot_source *source, uint64_t hpa, uint64_t len_bytes)
{
    if (hpa > source->limit_bytes || len_bytes > source->limit_bytes - hpa)
        return NULL;
    return source->base + hpa;
}

const char *boot_refuse(struct boot_info *info, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fmt_vstr(info->error, sizeof(info->error), format, args);
    va_end(args);
    return info->error;
}

const char *boot_add_region(struct boot_info *info, uint64_t base_hpa, uint64_t size_bytes,
                            uint32_t type)
{
    if (!size_bytes)
        return NULL;
    if (size_bytes > UINT64_MAX - base_hpa)
        size_bytes = UINT64_MAX - base_hpa; /* a reserved hole up to the very end is not rare */
    if (info->regions_count == BOOT_REGIONS_MAX)
        return boot_refuse(info, "the loader's memory map has more than %d entries",
                           BOOT_REGIONS_MAX);
    info->regions[info->regions_count++] = (struct boot_region){base_hpa, size_bytes, type};
    return NULL;
}

const char *boot_copy_words(struct boot_info *info, struct boot_words *words, const char *text,
                            size_t cap_bytes, const char *what)
{
    size_t len_bytes = str_nlen(text, cap_bytes);

    if (len_bytes >= sizeof(words->text))
        return boot_refuse(info, "%s is longer than %d bytes", what, BOOT_TEXT_CAP_BYTES - 1);
    memcpy(words->text, text, len_bytes);
    words->text[len_bytes] = '\0';
    return NULL;
}

const char *boot_add_module(struct boot_info *info, uint64_t start_hpa, uint64_t end_hpa,
                            const char *text, size_t cap_bytes)
{
    uint32_t index = info->modules_count;
    struct boot_module *module = &info->modules[index];
    char what[48];

    if (index == BOOT_MODULES_MAX)
        return boot_refuse(info, "more than %d boot modules", BOOT_MODULES_MAX);
    if (end_hpa < start_hpa)
        return boot_refuse(info, "module %u ends (0x%lx) before it starts (0x%lx)", index, end_hpa,
                           start_hpa);
    module->start_hpa = start_hpa;
    module->size_bytes = end_hpa - start_hpa;
    info->modules_count++;
    fmt_str(what, sizeof(what), "the command line of module %u", index);
    return boot_copy_words(info, &module->words, text, cap_bytes, what);
}

static void split(struct boot_words *words, bool name_first)
{
    char *at = words->text;

    words->name = "";
    while (*at == ' ')
        at++;
    if (name_first) {
        words->name = at;
        while (*at && *at != ' ')
            at++;
        if (*at)
            *at++ = '\0';
        while (*at == ' ')
            at++;
    }
    words->args = at;
}

void boot_split_words(struct boot_info *info)
{
    /* GRUB 2 passes the words behind the file name only; QEMU, GRUB 0.97 and SYSLINUX pass all. */
    bool name_first = !str_starts(info->loader, "GRUB 2");

    split(&info->words, name_first);
    for (uint32_t i = 0; i < info->modules_count; i++)
        split(&info->modules[i].words, name_first);
}

const char *boot_word_value(const char *words, const char *name, size_t *len_bytes)
{
    const char *found = NULL;

    while (*words) {
        size_t word_bytes = 0;

        while (*words == ' ')
            words++;
        while (words[word_bytes] && words[word_bytes] != ' ')
            word_bytes++;
        if (str_starts(words, name) && strlen(name) <= word_bytes) {
            found = words + strlen(name);
            *len_bytes = word_bytes - strlen(name);
        }
        words += word_bytes;
    }
    return found;
}
