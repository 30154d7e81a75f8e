/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: any bytes as a boot loader's information (multiboot 1 and 2), as a guest file, and
 * as the command line. The first byte chooses. What is accepted must lie inside the input.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/boot_info.h"
#include "core/guest_parts.h"
#include "core/memmap.h"
#include "core/options.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

static void check_info(const struct boot_info *info, size_t size)
{
    static struct memmap map;

    MUST(info->regions_count <= BOOT_REGIONS_MAX && info->modules_count <= BOOT_MODULES_MAX);
    for (uint32_t i = 0; i < info->modules_count; i++) {
        MUST(info->modules[i].start_hpa <= size);
        MUST(info->modules[i].size_bytes <= size - info->modules[i].start_hpa);
        MUST(strlen(info->modules[i].words.args) < BOOT_TEXT_CAP_BYTES);
    }
    if (memmap_build(&map, info, 0x100000, 0x200000))
        return;
    for (uint32_t i = 0; i < map.count; i++) {
        MUST(map.regions[i].size_bytes && map.regions[i].type);
        MUST(!i || map.regions[i - 1].base_hpa + map.regions[i - 1].size_bytes <=
                       map.regions[i].base_hpa);
    }
    MUST(!memmap_is_ram(&map, 0x100000, 1) && !memmap_is_ram(&map, 0x2fffff, 1));
}

static void guest_file(const uint8_t *data, size_t size)
{
    struct linux_image bz;
    struct mb_image mb;

    if (!linux_image_check(data, size, &bz)) {
        MUST(linux_image_matches(data, size));
        MUST(bz.code_offset + bz.code_bytes == size && bz.init_bytes >= bz.code_bytes);
        MUST(bz.header_end <= size && bz.pref_gpa + bz.init_bytes <= UINT64_C(1) << 32);
    }
    if (!mb_image_check(data, size, &mb)) {
        MUST(mb_image_matches(data, size) && mb.segments_count);
        for (uint32_t i = 0; i < mb.segments_count; i++) {
            MUST(mb.segments[i].offset <= size);
            MUST(mb.segments[i].file_bytes <= size - mb.segments[i].offset);
            MUST(mb.segments[i].file_bytes <= mb.segments[i].mem_bytes);
            MUST(mb.segments[i].gpa + mb.segments[i].mem_bytes <= mb.high_gpa);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    struct boot_source source;
    struct hv_options options;
    char *words;

    if (!size)
        return 0;
    source = (struct boot_source){data + 1, size - 1};
    memset(&info, 0, sizeof(info));
    switch (data[0] % 4) {
    case 0:
        if (!boot_parse_mb1(&info, &source, 0))
            check_info(&info, size - 1);
        break;
    case 1:
        if (!boot_parse_mb2(&info, &source, 0))
            check_info(&info, size - 1);
        break;
    case 2:
        guest_file(data + 1, size - 1);
        break;
    default:
        words = calloc(1, size);
        memcpy(words, data + 1, size - 1);
        options_parse(words, &options);
        free(words);
        break;
    }
    return 0;
}
