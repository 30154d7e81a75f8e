/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Steps that both multiboot parsers share. Private to hv/boot/.
 */
#pragma once

#include "boot/boot_info.h"

#define MB1_LOADER_MAGIC UINT32_C(0x2badb002)
#define MB2_LOADER_MAGIC UINT32_C(0x36d76289)

/* Pointer to len_bytes bytes at hpa, or NULL when they do not lie inside the source. */
const void *boot_at(const struct boot_source *source, uint64_t hpa, uint64_t len_bytes);

/* Records one sentence in info->error and returns it. */
const char *boot_refuse(struct boot_info *info, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds to the tables; a sentence when full or senseless. Regions of no length are left out. */
const char *boot_add_region(struct boot_info *info, uint64_t base_hpa, uint64_t size_bytes,
                            uint32_t type);
const char *boot_add_module(struct boot_info *info, uint64_t start_hpa, uint64_t end_hpa,
                            const char *text, size_t cap_bytes);

/* Copies the loader's text (terminated, or cap_bytes long); a sentence when it is too long. `what`
 * names it in that sentence. boot_split_words() is called once the loader's name is known. */
const char *boot_copy_words(struct boot_info *info, struct boot_words *words, const char *text,
                            size_t cap_bytes, const char *what);
void boot_split_words(struct boot_info *info);
