/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checks of guest file formats: Linux bzImage ("The Linux/x86 Boot Protocol") and multiboot 1
 * images ("Multiboot Specification", "OS image format"; ELF32 or address fields). Files are
 * hostile: no number out of one is used before it was compared with the file's length.
 */
#include "core/guest_parts.h"
#include "lib/mem.h"

static uint16_t le16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t le32(const uint8_t *at)
{
    return (uint32_t)le16(at) | (uint32_t)le16(at + 2) << 16;
}

static uint64_t le64(const uint8_t *at)
{
    return le32(at) | (uint64_t)le32(at + 4) << 32;
}

/* ---- Linux ------------------------------------------------------------------------------------
 */

enum linux_offset {
    LINUX_SETUP_SECTS = 0x1f1,
    LINUX_SYSSIZE = 0x1f4,
    LINUX_BOOT_FLAG = 0x1fe,
    LINUX_JUMP_LENGTH = 0x201,
    LINUX_MAGIC = 0x202,
    LINUX_VERSION = 0x206,
    LINUX_LOADFLAGS = 0x211,
    LINUX_INITRD_MAX = 0x22c,
    LINUX_ALIGNMENT = 0x230,
    LINUX_RELOCATABLE = 0x234,
    LINUX_CMDLINE_SIZE = 0x238,
    LINUX_PREF_ADDRESS = 0x258,
    LINUX_INIT_SIZE = 0x260,
    LINUX_NEEDED_BYTES = 0x264, /* all fields above */
};

#define LINUX_VERSION_MIN 0x020a /* pref_address and init_size */
#define LOADED_HIGH       0x01
#define SECTOR_BYTES      512u
#define LIMIT_4G          UINT64_C(0x100000000)

bool linux_image_matches(const uint8_t *bytes, uint64_t len_bytes)
{
    /* A file that ends right here is a damaged kernel, not a boot sector, though it has 55AA, too. */
    return len_bytes >= LINUX_MAGIC + 4 && le16(bytes + LINUX_BOOT_FLAG) == 0xaa55 &&
           memcmp(bytes + LINUX_MAGIC, "HdrS", 4) == 0;
}

const char *linux_image_check(const uint8_t *bytes, uint64_t len_bytes, struct linux_image *out)
{
    uint64_t sectors, sys_bytes;

    if (!linux_image_matches(bytes, len_bytes))
        return "has no Linux setup header";
    if (len_bytes < LINUX_NEEDED_BYTES)
        return "is cut short: it ends inside its setup header";
    out->version = le16(bytes + LINUX_VERSION);
    if (out->version < LINUX_VERSION_MIN)
        return "speaks a boot protocol older than 2.10 (Linux 2.6.31)";
    if (!(bytes[LINUX_LOADFLAGS] & LOADED_HIGH))
        return "is a zImage; a bzImage is needed";
    out->header_end = LINUX_MAGIC + bytes[LINUX_JUMP_LENGTH];
    if (out->header_end < LINUX_NEEDED_BYTES || out->header_end > LINUX_HEADER_END_MAX ||
        out->header_end > len_bytes)
        return "has a setup header of a senseless length";

    sectors = bytes[LINUX_SETUP_SECTS] ? bytes[LINUX_SETUP_SECTS] : 4;
    out->code_offset = (sectors + 1) * SECTOR_BYTES;
    if (out->code_offset >= len_bytes)
        return "is cut short: it ends inside its setup code";
    out->code_bytes = len_bytes - out->code_offset;
    sys_bytes = (uint64_t)le32(bytes + LINUX_SYSSIZE) * 16;
    if (!sys_bytes || sys_bytes - 15 > out->code_bytes)
        return "is cut short: its header announces more code than the file holds";

    out->align_bytes = le32(bytes + LINUX_ALIGNMENT);
    if (!out->align_bytes || out->align_bytes & (out->align_bytes - 1))
        return "has a kernel_alignment that is no power of two";
    out->relocatable = bytes[LINUX_RELOCATABLE] != 0;
    out->pref_gpa = le64(bytes + LINUX_PREF_ADDRESS);
    out->init_bytes = le32(bytes + LINUX_INIT_SIZE);
    if (out->init_bytes < out->code_bytes)
        out->init_bytes = out->code_bytes;
    if (out->pref_gpa >= LIMIT_4G || out->init_bytes > LIMIT_4G - out->pref_gpa)
        return "prefers an address above 4 GiB";
    out->initrd_max_gpa = le32(bytes + LINUX_INITRD_MAX);
    out->cmdline_max_bytes = le32(bytes + LINUX_CMDLINE_SIZE);
    return NULL;
}

/* ---- Multiboot --------------------------------------------------------------------------------
 */

#define MB_MAGIC        UINT32_C(0x1badb002)
#define MB_SEARCH_BYTES 8192u
#define MB_HEADER_BYTES 12u
#define MB_ADDR_BYTES   32u
#define MB_UNKNOWN      UINT32_C(0x0000fff8) /* must-understand flags that we do not */
#define MB_ADDR_FIELDS  UINT32_C(0x00010000)

enum elf32_offset {
    ELF_CLASS = 4,
    ELF_TYPE = 16,
    ELF_MACHINE = 18,
    ELF_ENTRY = 24,
    ELF_PHOFF = 28,
    ELF_PHENTSIZE = 42,
    ELF_PHNUM = 44,
    ELF32_HEADER_BYTES = 52,
    ELF32_PHDR_BYTES = 32,
};
enum { ELF_CLASS_32 = 1, ELF_MACHINE_386 = 3, ELF_PT_LOAD = 1 };

/* Offset of the header, or -1. */
static int64_t mb_find(const uint8_t *bytes, uint64_t len_bytes)
{
    uint64_t end = len_bytes < MB_SEARCH_BYTES ? len_bytes : MB_SEARCH_BYTES;

    for (uint64_t at = 0; at + MB_HEADER_BYTES <= end; at += 4)
        if (le32(bytes + at) == MB_MAGIC &&
            le32(bytes + at) + le32(bytes + at + 4) + le32(bytes + at + 8) == 0)
            return (int64_t)at;
    return -1;
}

bool mb_image_matches(const uint8_t *bytes, uint64_t len_bytes)
{
    return mb_find(bytes, len_bytes) >= 0;
}

static const char *add_segment(struct mb_image *out, uint64_t len_bytes, uint64_t offset,
                               uint64_t file_bytes, uint64_t gpa, uint64_t mem_bytes)
{
    if (!mem_bytes)
        return NULL;
    if (file_bytes > mem_bytes || offset > len_bytes || file_bytes > len_bytes - offset)
        return "has a segment that reaches beyond the file";
    if (mem_bytes > LIMIT_4G - gpa)
        return "has a segment that reaches beyond 4 GiB";
    if (out->segments_count == MB_SEGMENTS_MAX)
        return "has more than 16 loadable segments";
    for (uint32_t i = 0; i < out->segments_count; i++)
        if (gpa < out->segments[i].gpa + out->segments[i].mem_bytes &&
            out->segments[i].gpa < gpa + mem_bytes)
            return "has segments that overlap";
    if (!out->segments_count || gpa < out->low_gpa)
        out->low_gpa = gpa;
    if (gpa + mem_bytes > out->high_gpa)
        out->high_gpa = gpa + mem_bytes;
    out->segments[out->segments_count].offset = offset;
    out->segments[out->segments_count].file_bytes = file_bytes;
    out->segments[out->segments_count].gpa = gpa;
    out->segments[out->segments_count].mem_bytes = mem_bytes;
    out->segments_count++;
    return NULL;
}

static const char *check_addr_fields(const uint8_t *bytes, uint64_t len_bytes, uint64_t at,
                                     struct mb_image *out)
{
    uint64_t header, load, load_end, bss_end, offset, file_bytes, mem_bytes;

    if (at + MB_ADDR_BYTES > len_bytes)
        return "ends inside its multiboot header";
    header = le32(bytes + at + 12);
    load = le32(bytes + at + 16);
    load_end = le32(bytes + at + 20);
    bss_end = le32(bytes + at + 24);
    out->entry_gpa = le32(bytes + at + 28);
    if (header < load || header - load > at)
        return "has a multiboot header whose load address lies before the file";
    offset = at - (header - load);
    file_bytes = load_end ? load_end - load : len_bytes - offset;
    if (load_end && load_end < load)
        return "has a multiboot header whose end lies before its start";
    mem_bytes = bss_end > load + file_bytes ? bss_end - load : file_bytes;
    return add_segment(out, len_bytes, offset, file_bytes, load, mem_bytes);
}

static const char *check_elf(const uint8_t *bytes, uint64_t len_bytes, struct mb_image *out)
{
    uint64_t phoff, phentsize, phnum, entry;

    if (len_bytes < ELF32_HEADER_BYTES || memcmp(bytes, "\177ELF", 4) != 0)
        return "has a multiboot header but neither address fields nor an ELF header";
    if (bytes[ELF_CLASS] != ELF_CLASS_32 || le16(bytes + ELF_MACHINE) != ELF_MACHINE_386)
        return "is multiboot but no 32-bit x86 ELF (a 64-bit one needs the address fields)";
    phoff = le32(bytes + ELF_PHOFF);
    phentsize = le16(bytes + ELF_PHENTSIZE);
    phnum = le16(bytes + ELF_PHNUM);
    entry = out->entry_gpa = le32(bytes + ELF_ENTRY);
    if (phentsize < ELF32_PHDR_BYTES || phoff > len_bytes || phnum * phentsize > len_bytes - phoff)
        return "has program headers beyond its end";
    for (uint64_t i = 0; i < phnum; i++) {
        const uint8_t *ph = bytes + phoff + i * phentsize;
        uint64_t vaddr = le32(ph + 8), paddr = le32(ph + 12), mem_bytes = le32(ph + 20);
        const char *why;

        if (le32(ph) != ELF_PT_LOAD)
            continue;
        why = add_segment(out, len_bytes, le32(ph + 4), le32(ph + 16), paddr, mem_bytes);
        if (why)
            return why;
        /* Linkers give the entry as a virtual address; the guest starts without paging. */
        if (entry >= vaddr && entry - vaddr < mem_bytes)
            out->entry_gpa = (uint32_t)(entry - vaddr + paddr);
    }
    return NULL;
}

const char *mb_image_check(const uint8_t *bytes, uint64_t len_bytes, struct mb_image *out)
{
    int64_t at = mb_find(bytes, len_bytes);
    const char *why;

    *out = (struct mb_image){0};
    if (at < 0)
        return "has no multiboot header";
    out->flags = le32(bytes + at + 4);
    if (out->flags & MB_UNKNOWN)
        return "asks in its multiboot header for features that we do not know";
    why = out->flags & MB_ADDR_FIELDS ? check_addr_fields(bytes, len_bytes, (uint64_t)at, out)
                                      : check_elf(bytes, len_bytes, out);
    if (why)
        return why;
    if (!out->segments_count)
        return "has nothing to load";
    if (out->entry_gpa < out->low_gpa || out->entry_gpa >= out->high_gpa)
        return "has an entry point outside what is loaded";
    return NULL;
}
