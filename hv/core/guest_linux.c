/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Linux bzImage by the 32-bit boot protocol ("The Linux/x86 Boot Protocol", "32-bit Boot
 * Protocol"): entered in protected mode with paging off, so that the kernel's own startup_32 turns
 * paging on. Loaded at pref_address like GRUB does, so that addresses match what its users see.
 */
#include "core/guest_parts.h"
#include "cpu/mem.h"
#include "lib/log.h"
#include "lib/mem.h"

#define LIMIT_4G UINT64_C(0x100000000)
#define LOW_1M   UINT64_C(0x100000)

/* Layout of the low block: GDT, zero page, copy of the RSDP, command line. */
enum { LOW_ZERO_PAGE = 0x1000, LOW_RSDP = 0x2000, LOW_CMDLINE = 0x3000 };

/* Offsets in struct boot_params, the zero page. */
enum zero_page {
    ZP_ORIG_VIDEO_MODE = 0x006,
    ZP_ORIG_VIDEO_COLS = 0x007,
    ZP_ORIG_VIDEO_LINES = 0x00e,
    ZP_ORIG_VIDEO_ISVGA = 0x00f,
    ZP_ORIG_VIDEO_POINTS = 0x010,
    ZP_LFB_WIDTH = 0x012,
    ZP_LFB_HEIGHT = 0x014,
    ZP_LFB_DEPTH = 0x016,
    ZP_LFB_BASE = 0x018,
    ZP_LFB_SIZE = 0x01c,
    ZP_LFB_LINELENGTH = 0x024,
    ZP_LFB_COLORS = 0x026, /* size and position of red, green, blue, reserved */
    ZP_EXT_LFB_BASE = 0x03a,
    ZP_ACPI_RSDP = 0x070,
    ZP_ALT_MEM_K = 0x1e0,
    ZP_E820_ENTRIES = 0x1e8,
    ZP_VID_MODE = 0x1fa,
    ZP_TYPE_OF_LOADER = 0x210,
    ZP_LOADFLAGS = 0x211,
    ZP_CODE32_START = 0x214,
    ZP_RAMDISK_IMAGE = 0x218,
    ZP_RAMDISK_SIZE = 0x21c,
    ZP_CMD_LINE_PTR = 0x228,
    ZP_E820_TABLE = 0x2d0,
    ZP_E820_ENTRY_BYTES = 20,
};

#define LOADER_UNDEFINED  0xff
#define LOADFLAGS_CLEARED 0xe0 /* QUIET, KEEP_SEGMENTS, CAN_USE_HEAP: not ours to promise */
#define VIDEO_VGA_TEXT    0x01
#define VIDEO_LFB         0x23
#define VID_MODE_NORMAL   0xffff
#define EXTENDED_32BIT    1 /* framebuffer type RGB of multiboot */

static struct linux_image image;
static uint64_t load_gpa;

static bool matches(const struct guest_file *file)
{
    return linux_image_matches(file->bytes, file->len_bytes);
}

static const char *plan_linux(struct guest_plan *plan)
{
    const struct guest_file *file = &plan->files[0];
    const char *why = linux_image_check(file->bytes, file->len_bytes, &image);
    size_t args_bytes = strlen(file->args);

    if (why)
        return guest_refuse(plan, "module 0 '%s' looks like a bzImage but %s", file->name, why);
    if (image.cmdline_max_bytes && args_bytes > image.cmdline_max_bytes)
        return guest_refuse(plan, "the command line of '%s' has %lu bytes, this kernel takes %u",
                            file->name, args_bytes, image.cmdline_max_bytes);
    load_gpa = image.pref_gpa;
    if (!memmap_is_ram(plan->map, load_gpa, image.init_bytes) &&
        (!image.relocatable || !memmap_find_low(plan->map, image.init_bytes, image.align_bytes,
                                                LOW_1M, LIMIT_4G, NULL, 0, &load_gpa)))
        return guest_refuse(
            plan, "'%s' needs %lu MiB of RAM at 0x%lx%s: give the machine more memory", file->name,
            (image.init_bytes >> 20) + 1, image.pref_gpa, image.relocatable ? " or elsewhere" : "");
    plan->dest = (struct memmap_span){load_gpa, image.init_bytes};
    return NULL;
}

static void put16(uint8_t *zp, unsigned offset, uint16_t value)
{
    memcpy(zp + offset, &value, sizeof(value));
}

static void put32(uint8_t *zp, unsigned offset, uint32_t value)
{
    memcpy(zp + offset, &value, sizeof(value));
}

static void put64(uint8_t *zp, unsigned offset, uint64_t value)
{
    memcpy(zp + offset, &value, sizeof(value));
}

/* Further modules are one initrd: the kernel accepts archives back to back with zeros between. */
static const char *place_initrd(struct guest_plan *plan, uint8_t *zp)
{
    const struct guest_file *first = &plan->files[1], *last = &plan->files[plan->files_count - 1];
    uint64_t size_bytes, gpa, ceiling_gpa = image.initrd_max_gpa + 1;

    if (plan->files_count < 2)
        return NULL;
    gpa = first->start_gpa;
    size_bytes = last->start_gpa + last->len_bytes - gpa;
    if (gpa + size_bytes > ceiling_gpa) { /* older kernels: not above 896 MiB */
        struct memmap_span avoid[] = {
            plan->dest,
            {plan->files[0].start_gpa, plan->files[0].len_bytes},
        };

        if (!memmap_find_high(plan->map, size_bytes, PAGE_BYTES, LOW_1M, ceiling_gpa, avoid, 2,
                              &gpa))
            return guest_refuse(plan, "the initrd (%lu MiB) does not fit below 0x%lx",
                                size_bytes >> 20, ceiling_gpa);
        memmove(phys_to_virt(gpa), first->bytes, size_bytes);
    }
    put32(zp, ZP_RAMDISK_IMAGE, (uint32_t)gpa);
    put32(zp, ZP_RAMDISK_SIZE, (uint32_t)size_bytes);
    log_debug("initrd at 0x%lx, %lu bytes", gpa, size_bytes);
    return NULL;
}

static void fill_screen(const struct boot_framebuffer *fb, uint8_t *zp)
{
    static const uint8_t xrgb8888[8] = {8, 16, 8, 8, 8, 0, 8, 24};

    if (fb->present && fb->type == EXTENDED_32BIT && fb->bits_per_pixel == 32) {
        zp[ZP_ORIG_VIDEO_ISVGA] = VIDEO_LFB;
        put16(zp, ZP_LFB_WIDTH, (uint16_t)fb->width);
        put16(zp, ZP_LFB_HEIGHT, (uint16_t)fb->height);
        put16(zp, ZP_LFB_DEPTH, fb->bits_per_pixel);
        put32(zp, ZP_LFB_BASE, (uint32_t)fb->base_hpa);
        put32(zp, ZP_EXT_LFB_BASE, (uint32_t)(fb->base_hpa >> 32));
        put32(zp, ZP_LFB_SIZE, (uint32_t)(((uint64_t)fb->pitch_bytes * fb->height + 0xffff) >> 16));
        put16(zp, ZP_LFB_LINELENGTH, (uint16_t)fb->pitch_bytes);
        memcpy(zp + ZP_LFB_COLORS, xrgb8888, sizeof(xrgb8888));
        return;
    }
    zp[ZP_ORIG_VIDEO_MODE] = 3; /* what BIOS and boot loader leave: 80x25 text */
    zp[ZP_ORIG_VIDEO_COLS] = 80;
    zp[ZP_ORIG_VIDEO_LINES] = 25;
    zp[ZP_ORIG_VIDEO_ISVGA] = VIDEO_VGA_TEXT;
    put16(zp, ZP_ORIG_VIDEO_POINTS, 16);
}

/* The kernel searches the BIOS area itself; only where there is none must it be told. */
static bool bios_has_rsdp(void)
{
    for (uint64_t gpa = 0xe0000; gpa < LOW_1M; gpa += 16)
        if (memcmp(phys_to_virt(gpa), "RSD PTR ", 8) == 0)
            return true;
    return false;
}

static void fill_memory(const struct memmap *map, uint8_t *zp)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct boot_region *region = &map->regions[i];
        unsigned at = ZP_E820_TABLE + i * ZP_E820_ENTRY_BYTES;

        put64(zp, at, region->base_hpa);
        put64(zp, at + 8, region->size_bytes);
        put32(zp, at + 16, region->type);
        if (region->type == BOOT_RAM && region->base_hpa <= LOW_1M &&
            region->base_hpa + region->size_bytes > LOW_1M) {
            uint64_t kib = (region->base_hpa + region->size_bytes - LOW_1M) >> 10;

            put32(zp, ZP_ALT_MEM_K, kib > 0xffffffff ? 0xffffffff : (uint32_t)kib);
        }
    }
    zp[ZP_E820_ENTRIES] = (uint8_t)map->count;
}

static const char *load_linux(struct guest_plan *plan, struct guest_entry *out)
{
    const struct guest_file *file = &plan->files[0];
    uint8_t *zp = phys_to_virt(plan->low_gpa + LOW_ZERO_PAGE);
    char *cmdline = phys_to_virt(plan->low_gpa + LOW_CMDLINE);
    const char *why;

    memcpy(zp + LINUX_HEADER_START, file->bytes + LINUX_HEADER_START,
           image.header_end - LINUX_HEADER_START);
    zp[ZP_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    zp[ZP_LOADFLAGS] &= (uint8_t)~LOADFLAGS_CLEARED;
    put16(zp, ZP_VID_MODE, VID_MODE_NORMAL);
    put32(zp, ZP_CODE32_START, (uint32_t)load_gpa);
    put32(zp, ZP_RAMDISK_IMAGE, 0);
    put32(zp, ZP_RAMDISK_SIZE, 0);
    why = place_initrd(plan, zp);
    if (why)
        return why;
    memcpy(phys_to_virt(load_gpa), file->bytes + image.code_offset, image.code_bytes);
    str_copy(cmdline, BOOT_TEXT_CAP_BYTES, file->args);
    put32(zp, ZP_CMD_LINE_PTR, (uint32_t)(plan->low_gpa + LOW_CMDLINE));
    fill_screen(&plan->info->framebuffer, zp);
    fill_memory(plan->map, zp);
    if (plan->info->rsdp_len_bytes && !bios_has_rsdp()) {
        memcpy(phys_to_virt(plan->low_gpa + LOW_RSDP), plan->info->rsdp,
               plan->info->rsdp_len_bytes);
        put64(zp, ZP_ACPI_RSDP, plan->low_gpa + LOW_RSDP);
    }

    guest_entry_protected(plan, out);
    out->rip = load_gpa;
    out->gprs[GPR_RSI] = plan->low_gpa + LOW_ZERO_PAGE;
    log_debug("bzImage protocol %u.%02u at 0x%lx, %lu bytes, command line '%s'", image.version >> 8,
              image.version & 0xff, load_gpa, image.code_bytes, cmdline);
    return NULL;
}

const struct guest_loader guest_linux = {"Linux bzImage", false, matches, plan_linux, load_linux};
