/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the guest loaders (core/guest_*.c) share. Each kind of guest is one row of guest_loaders[]:
 * matches() looks at the first bytes, plan() checks everything and says where the guest will lie,
 * then guest_load() moves the modules out of the way, and load() writes the guest's memory.
 */
#pragma once

#include "core/guest.h"

/* Names the module in every sentence: fmt arguments for "module %u '%s'". */
struct guest_file {
    const uint8_t *bytes;
    uint64_t len_bytes, start_gpa;
    const char *name, *args;
};

enum {
    GUEST_LOW_BYTES = 65536,       /* block below 640 KiB for what the boot protocols pass */
    GUEST_LOW_FLOOR_GPA = 0x10000, /* below: IVT, BDA, and where BIOSes keep scratch data */
    GUEST_LOW_CEILING_GPA = 0xa0000,
    GUEST_STACK_BYTES = 4096, /* top of the low block */
};

struct guest_plan {
    const struct boot_info *info;
    struct memmap *map;
    uint32_t files_count;
    struct guest_file
        files[BOOT_MODULES_MAX]; /* [0] is the guest; after staging: at its new place */
    struct memmap_span dest;     /* filled by plan(): written by load() */
    uint64_t low_gpa;            /* GUEST_LOW_BYTES of RAM, zeroed, outside dest */
    char error[256];
};

struct guest_loader {
    const char *kind;
    bool uses_bios; /* may call INT 15h: see guest_bios.c */
    bool (*matches)(const struct guest_file *file);
    const char *(*plan)(struct guest_plan *plan);
    const char *(*load)(struct guest_plan *plan, struct guest_entry *out);
};

extern const struct guest_loader guest_linux, guest_multiboot, guest_flat, guest_boot_sector;

/* Records one sentence in plan->error and returns it. */
const char *guest_refuse(struct guest_plan *plan, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Does a word of args equal `word`, or begin with it when it ends in '='? Value behind it, or NULL.
 */
const char *guest_arg(const char *args, const char *word);

/* guest_bios.c: takes a few KiB of conventional memory out of the map, and, once the map is final,
 * lets INT 15h answer from it. Both do nothing on a machine without a BIOS. */
void guest_bios_reserve(struct memmap *map);
void guest_bios_install(const struct memmap *map);

/* Protected mode, paging off, interrupts off, flat 4 GiB segments CS 0x10, others 0x18, a GDT that
 * says so in the first bytes of the low block, stack at its end; RIP and registers are the
 * caller's. */
enum { GUEST_GDT_BYTES = 32, GUEST_SEL_CODE = 0x10, GUEST_SEL_DATA = 0x18 };
void guest_entry_protected(const struct guest_plan *plan, struct guest_entry *out);

/* guest_image.c: checks of file formats, free of memory access other than the file; unit-tested. */
struct linux_image {
    uint64_t code_offset, code_bytes; /* protected-mode code in the file */
    uint64_t pref_gpa, init_bytes, align_bytes;
    uint64_t initrd_max_gpa; /* highest address an initrd byte may have */
    uint32_t cmdline_max_bytes,
        header_end; /* setup_header is file[LINUX_HEADER_START..header_end) */
    uint16_t version;
    bool relocatable;
};
enum { LINUX_HEADER_START = 0x1f1, LINUX_HEADER_END_MAX = 0x290 };
bool linux_image_matches(const uint8_t *bytes, uint64_t len_bytes);
/* NULL, or what is wrong with it ("is cut short", ...). */
const char *linux_image_check(const uint8_t *bytes, uint64_t len_bytes, struct linux_image *out);

enum { MB_SEGMENTS_MAX = 16 };
struct mb_image {
    uint32_t flags, entry_gpa;
    uint32_t segments_count;
    struct {
        uint64_t offset, file_bytes, gpa, mem_bytes;
    } segments[MB_SEGMENTS_MAX];
    uint64_t low_gpa, high_gpa; /* [low, high) covers all segments */
};
bool mb_image_matches(const uint8_t *bytes, uint64_t len_bytes);
const char *mb_image_check(const uint8_t *bytes, uint64_t len_bytes, struct mb_image *out);
