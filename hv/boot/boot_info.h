/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the boot loader told us, copied out of its memory and checked. Valid for the whole run; the
 * only form in which boot information leaves hv/boot/.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BOOT_REGIONS_MAX = 128,
    BOOT_MODULES_MAX = 16,
    BOOT_TEXT_CAP_BYTES = 2048, /* Linux's COMMAND_LINE_SIZE on x86 */
    BOOT_RSDP_CAP_BYTES = 36,
};

/* Types as the BIOS, multiboot and Linux number them. */
enum boot_region_type {
    BOOT_RAM = 1,
    BOOT_RESERVED = 2,
    BOOT_ACPI = 3,
    BOOT_NVS = 4,
    BOOT_BAD = 5
};

struct boot_region {
    uint64_t base_hpa, size_bytes;
    uint32_t type;
};

/* A module's words, split: loaders other than GRUB 2 put the file name first. Never NULL. */
struct boot_words {
    char text[BOOT_TEXT_CAP_BYTES];
    const char *name, *args; /* both point into text; name is "" when the loader passed none */
};

struct boot_module {
    uint64_t start_hpa, size_bytes;
    struct boot_words words;
};

struct boot_framebuffer {
    bool present;
    uint64_t base_hpa;
    uint32_t pitch_bytes, width, height;
    uint8_t bits_per_pixel, type; /* 0 palette, 1 RGB, 2 EGA text */
};

struct boot_info {
    uint8_t multiboot; /* 1 or 2 */
    char loader[64];
    struct boot_words words; /* our own */
    uint32_t regions_count, modules_count;
    struct boot_region regions[BOOT_REGIONS_MAX];
    struct boot_module modules[BOOT_MODULES_MAX];
    uint8_t boot_drive; /* BIOS number; 0x80 when the loader did not say */
    struct boot_framebuffer framebuffer;
    uint8_t rsdp[BOOT_RSDP_CAP_BYTES]; /* copy of ACPI's root pointer, from a multiboot 2 tag */
    uint32_t rsdp_len_bytes;           /* 0: not given */
    char error[160];                   /* text behind a refused parse */
};

/* Memory in which the loader's structures lie: address n is base[n], n < limit_bytes. */
struct boot_source {
    const uint8_t *base;
    uint64_t limit_bytes;
};

/* Fill *info (zeroed by the caller) from the loader's information at info_hpa. NULL, or one plain
 * sentence; every address and length in there is checked against the source. */
const char *boot_parse_mb1(struct boot_info *info, const struct boot_source *source,
                           uint64_t info_hpa);
const char *boot_parse_mb2(struct boot_info *info, const struct boot_source *source,
                           uint64_t info_hpa);

/* Value of the last `name=value` word (name given with its '='), not terminated; NULL if absent. */
const char *boot_word_value(const char *words, const char *name, size_t *len_bytes);

/* core/main.c: runs from the relocated copy, on the boot CPU's main stack, log already works. */
_Noreturn void hv_main(const struct boot_info *info);
