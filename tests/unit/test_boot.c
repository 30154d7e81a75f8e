/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What boot loaders and guest files hand us: multiboot 1 and 2 information, where to relocate, the
 * guest's memory map, option words. Inputs lie in exact heap blocks, so that the sanitizer sees
 * every read outside; damaged ones must be refused, never believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/boot_info.h"
#include "boot/relocate.h"
#include "core/memmap.h"
#include "core/options.h"
#include "core/seeded.h"
#include "dev/uart.h"
#include "lib/log.h"

#define MIB (UINT64_C(1) << 20)

static struct boot_info info;

/* ---- A machine's memory with loader structures in it ------------------------------------------
 */

enum {
    MEMORY_BYTES = 0x8000,
    INFO_AT = 0x100,
    MMAP_AT = 0x1000,
    MODS_AT = 0x2000,
    TEXT_AT = 0x3000
};

static uint8_t *memory;
static struct boot_source source;

static int setup(void **state)
{
    (void)state;
    memory = calloc(1, MEMORY_BYTES);
    source = (struct boot_source){memory, MEMORY_BYTES};
    memset(&info, 0, sizeof(info));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static void put32(uint32_t at, uint32_t value)
{
    memcpy(memory + at, &value, sizeof(value));
}

static void put64(uint32_t at, uint64_t value)
{
    memcpy(memory + at, &value, sizeof(value));
}

static void put_text(uint32_t at, const char *text)
{
    strcpy((char *)memory + at, text);
}

/* Offsets of multiboot 1's information structure. */
enum {
    MB1_FLAGS = 0,
    MB1_LOWER = 4,
    MB1_UPPER = 8,
    MB1_CMDLINE = 16,
    MB1_MODS_COUNT = 20,
    MB1_MODS_ADDR = 24,
    MB1_MMAP_LEN = 44,
    MB1_MMAP_ADDR = 48,
    MB1_LOADER = 64
};

static void mb1_region(uint32_t at, uint64_t base, uint64_t size, uint32_t type)
{
    put32(at, 20);
    put64(at + 4, base);
    put64(at + 12, size);
    put32(at + 20, type);
}

static void mb1_good(const char *loader)
{
    put32(INFO_AT + MB1_FLAGS, 1 | 4 | 8 | 64 | 512);
    put32(INFO_AT + MB1_CMDLINE, TEXT_AT);
    put_text(TEXT_AT, "trapline.elf wait log=debug");
    put32(INFO_AT + MB1_MODS_COUNT, 2);
    put32(INFO_AT + MB1_MODS_ADDR, MODS_AT);
    put32(MODS_AT, 0x4000);
    put32(MODS_AT + 4, 0x4800);
    put32(MODS_AT + 8, TEXT_AT + 0x100);
    put_text(TEXT_AT + 0x100, "bzImage  console=ttyS0");
    put32(MODS_AT + 16, 0x5000);
    put32(MODS_AT + 20, 0x5010);
    put32(MODS_AT + 24, 0);
    put32(INFO_AT + MB1_MMAP_LEN, 48);
    put32(INFO_AT + MB1_MMAP_ADDR, MMAP_AT);
    mb1_region(MMAP_AT, 0, 0x9fc00, BOOT_RAM);
    mb1_region(MMAP_AT + 24, MIB, 511 * MIB, BOOT_RAM);
    put32(INFO_AT + MB1_LOADER, TEXT_AT + 0x200);
    put_text(TEXT_AT + 0x200, loader);
}

static void test_mb1_good(void **state)
{
    (void)state;
    mb1_good("qemu");
    assert_null(boot_parse_mb1(&info, &source, INFO_AT));
    assert_int_equal(info.regions_count, 2);
    assert_int_equal(info.regions[1].base_hpa, MIB);
    assert_int_equal(info.regions[1].size_bytes, 511 * MIB);
    assert_string_equal(info.words.name, "trapline.elf");
    assert_string_equal(info.words.args, "wait log=debug");
    assert_int_equal(info.modules_count, 2);
    assert_int_equal(info.modules[0].start_hpa, 0x4000);
    assert_int_equal(info.modules[0].size_bytes, 0x800);
    assert_string_equal(info.modules[0].words.name, "bzImage");
    assert_string_equal(info.modules[0].words.args, "console=ttyS0");
    assert_string_equal(info.modules[1].words.args, "");
}

static void test_grub2_passes_no_name(void **state)
{
    (void)state;
    mb1_good("GRUB 2.06-13");
    put_text(TEXT_AT, "wait log=debug");
    assert_null(boot_parse_mb1(&info, &source, INFO_AT));
    assert_string_equal(info.words.name, "");
    assert_string_equal(info.words.args, "wait log=debug");
    assert_string_equal(info.modules[0].words.args, "bzImage  console=ttyS0");
}

static void test_mb1_old_memory_fields(void **state)
{
    (void)state;
    put32(INFO_AT + MB1_FLAGS, 1);
    put32(INFO_AT + MB1_LOWER, 639);
    put32(INFO_AT + MB1_UPPER, 65536);
    assert_null(boot_parse_mb1(&info, &source, INFO_AT));
    assert_int_equal(info.regions_count, 2);
    assert_int_equal(info.regions[0].size_bytes, 639 * 1024);
    assert_int_equal(info.regions[1].size_bytes, 64 * MIB);
}

static const char *mb1_with(uint32_t at, uint32_t value)
{
    const char *why;
    uint32_t old;

    memcpy(&old, memory + at, sizeof(old));
    put32(at, value);
    memset(&info, 0, sizeof(info));
    why = boot_parse_mb1(&info, &source, INFO_AT);
    put32(at, old);
    return why;
}

static void test_mb1_hostile(void **state)
{
    (void)state;
    mb1_good("qemu");
    assert_non_null(boot_parse_mb1(&info, &source, MEMORY_BYTES - 10));
    assert_non_null(boot_parse_mb1(&info, &source, 0xffffffff));
    assert_non_null(mb1_with(INFO_AT + MB1_FLAGS, 0)); /* no memory at all */
    assert_non_null(mb1_with(INFO_AT + MB1_MMAP_ADDR, MEMORY_BYTES - 8));
    assert_non_null(mb1_with(INFO_AT + MB1_MMAP_LEN, 0xfffffff0));
    assert_non_null(mb1_with(INFO_AT + MB1_MMAP_LEN, 47)); /* ends inside an entry */
    assert_non_null(mb1_with(MMAP_AT, 0xffffffff));        /* entry's size */
    assert_non_null(mb1_with(MMAP_AT, 0));
    assert_non_null(mb1_with(INFO_AT + MB1_MODS_COUNT, BOOT_MODULES_MAX + 1));
    assert_non_null(mb1_with(INFO_AT + MB1_MODS_ADDR, MEMORY_BYTES - 16));
    assert_non_null(mb1_with(MODS_AT + 4, 0x3fff));           /* ends before it starts */
    assert_non_null(mb1_with(MODS_AT + 4, MEMORY_BYTES + 1)); /* ends behind memory */
    assert_non_null(mb1_with(MODS_AT + 8, MEMORY_BYTES));     /* its words, too */
    assert_non_null(mb1_with(INFO_AT + MB1_CMDLINE, 0xfffffff0));
    assert_non_null(mb1_with(INFO_AT + MB1_LOADER, MEMORY_BYTES));
    assert_null(mb1_with(MEMORY_BYTES - 4, 0)); /* and nothing of that was left behind */
}

static void test_mb1_words_to_the_end_of_memory(void **state)
{
    (void)state;
    mb1_good("qemu");
    put32(INFO_AT + MB1_CMDLINE, MEMORY_BYTES - 100);
    memset(memory + MEMORY_BYTES - 100, 'a', 100); /* no terminator */
    assert_null(boot_parse_mb1(&info, &source, INFO_AT));
    assert_int_equal(strlen(info.words.text), 100);

    memset(&info, 0, sizeof(info));
    put32(INFO_AT + MB1_CMDLINE, MEMORY_BYTES - 4000);
    memset(memory + MEMORY_BYTES - 4000, 'a', 4000);
    assert_non_null(boot_parse_mb1(&info, &source, INFO_AT));
}

/* ---- Multiboot 2 ------------------------------------------------------------------------------
 */

static uint32_t mb2_end;

static uint32_t mb2_tag(uint32_t type, uint32_t size)
{
    uint32_t at = mb2_end;

    put32(at, type);
    put32(at + 4, size);
    mb2_end += (size + 7) & ~7u;
    return at;
}

static void mb2_good(void)
{
    uint32_t at;

    mb2_end = INFO_AT + 8;
    at = mb2_tag(1, 8 + 10);
    put_text(at + 8, "ring=4096");
    at = mb2_tag(2, 8 + 9);
    put_text(at + 8, "GRUB 2.06");
    at = mb2_tag(3, 16 + 8);
    put32(at + 8, 0x4000);
    put32(at + 12, 0x4100);
    put_text(at + 16, "quiet x");
    at = mb2_tag(6, 16 + 2 * 24);
    put32(at + 8, 24);
    put64(at + 16, 0);
    put64(at + 24, 0x9f000);
    put32(at + 32, BOOT_RAM);
    put64(at + 40, MIB);
    put64(at + 48, 255 * MIB);
    put32(at + 56, BOOT_RAM);
    at = mb2_tag(14, 8 + 20);
    put_text(at + 8, "RSD PTR ");
    at = mb2_tag(99, 12); /* unknown: passed over */
    mb2_tag(0, 8);
    put32(INFO_AT, mb2_end - INFO_AT);
}

static void test_mb2_good(void **state)
{
    (void)state;
    mb2_good();
    assert_null(boot_parse_mb2(&info, &source, INFO_AT));
    assert_string_equal(info.loader, "GRUB 2.06");
    assert_string_equal(info.words.args, "ring=4096");
    assert_int_equal(info.modules_count, 1);
    assert_int_equal(info.modules[0].size_bytes, 0x100);
    assert_string_equal(info.modules[0].words.args, "quiet x");
    assert_int_equal(info.regions_count, 2);
    assert_int_equal(info.regions[1].size_bytes, 255 * MIB);
    assert_int_equal(info.rsdp_len_bytes, 20);
}

/* Every total length short of the whole, and every byte of the tags made 0xff or 0: refused or
 * parsed, but never a read outside. The block is cut to the claimed length for that. */
static void test_mb2_hostile(void **state)
{
    uint32_t total;

    (void)state;
    mb2_good();
    total = mb2_end - INFO_AT;
    for (uint32_t cut = 0; cut < total; cut++) {
        uint8_t *block = malloc(INFO_AT + cut);
        struct boot_source small = {block, INFO_AT + cut};

        memcpy(block, memory, INFO_AT + cut);
        if (cut >= 4)
            memcpy(block + INFO_AT, &cut, 4);
        memset(&info, 0, sizeof(info));
        assert_non_null(boot_parse_mb2(&info, &small, INFO_AT));
        free(block);
    }
    for (uint32_t at = 0; at < total; at++) {
        uint8_t *block = malloc(INFO_AT + total);
        struct boot_source small = {block, INFO_AT + total};

        for (int value = 0; value < 256; value += 0x11) {
            memcpy(block, memory, INFO_AT + total);
            block[INFO_AT + at] = (uint8_t)value;
            memset(&info, 0, sizeof(info));
            (void)boot_parse_mb2(&info, &small, INFO_AT);
            assert_true(info.regions_count <= BOOT_REGIONS_MAX);
            assert_true(info.modules_count <= BOOT_MODULES_MAX);
        }
        free(block);
    }
}

static void test_word_value(void **state)
{
    size_t len = 0;
    const char *value = boot_word_value("wait uart=0x2f8 xuart=1  uart=com3,9600", "uart=", &len);

    (void)state;
    assert_non_null(value); /* the last one counts */
    assert_int_equal(len, 9);
    assert_memory_equal(value, "com3,9600", 9);
    assert_null(boot_word_value("wait", "uart=", &len));
    assert_non_null(boot_word_value("uart=", "uart=", &len));
    assert_int_equal(len, 0);
}

/* ---- Relocation and memory map ----------------------------------------------------------------
 */

static void add_region(uint64_t base, uint64_t size, uint32_t type)
{
    info.regions[info.regions_count++] = (struct boot_region){base, size, type};
}

static void add_module(uint64_t start, uint64_t size)
{
    info.modules[info.modules_count].start_hpa = start;
    info.modules[info.modules_count++].size_bytes = size;
}

static uint64_t find32(void)
{
    return relocate_find(&info, 32 * MIB, UINT64_C(1) << 32, MIB, MIB);
}

static void test_relocate_find(void **state)
{
    (void)state;
    assert_int_equal(find32(), 0);
    add_region(0, 0x9fc00, BOOT_RAM);
    add_region(MIB, 0x1fee0000, BOOT_RAM); /* to 0x1ffe0000: QEMU's 512 MiB */
    assert_int_equal(find32(), 0x1de00000);
    add_region(0x1f000000, 0x1000, BOOT_RESERVED); /* inside RAM: loaders do that */
    assert_int_equal(find32(), 0x1d000000);
    add_module(0x1c000000, 0x2000000);
    assert_int_equal(find32(), 0x1a000000);
    add_region(0x100000000, 0x40000000, BOOT_RAM); /* above 4 GiB: not for us */
    assert_int_equal(find32(), 0x1a000000);
    add_module(2 * MIB, 0x1a000000);
    assert_int_equal(find32(), 0);
}

static void test_relocate_avoids_the_image(void **state)
{
    (void)state;
    add_region(MIB, 34 * MIB, BOOT_RAM); /* 1..35 MiB: only 2..34 fits */
    assert_int_equal(relocate_find(&info, 32 * MIB, UINT64_C(1) << 32, MIB, MIB), 2 * MIB);
    assert_int_equal(relocate_find(&info, 32 * MIB, UINT64_C(1) << 32, MIB, 2 * MIB), 0);
}

static struct memmap map;

static void assert_piece(unsigned at, uint64_t base, uint64_t end, uint32_t type)
{
    assert_int_equal(map.regions[at].base_hpa, base);
    assert_int_equal(map.regions[at].base_hpa + map.regions[at].size_bytes, end);
    assert_int_equal(map.regions[at].type, type);
}

static void test_memmap_sorts_and_hides(void **state)
{
    (void)state;
    add_region(100 * MIB, 100 * MIB, BOOT_RAM); /* unsorted, and touching the next */
    add_region(0, 100 * MIB, BOOT_RAM);
    add_region(50 * MIB, MIB, BOOT_RESERVED); /* overlapping: wins */
    add_region(200 * MIB, MIB, BOOT_ACPI);
    assert_null(memmap_build(&map, &info, 160 * MIB, 32 * MIB));
    assert_int_equal(map.count, 6);
    assert_piece(0, 0, 50 * MIB, BOOT_RAM);
    assert_piece(1, 50 * MIB, 51 * MIB, BOOT_RESERVED);
    assert_piece(2, 51 * MIB, 160 * MIB, BOOT_RAM);
    assert_piece(3, 160 * MIB, 192 * MIB, BOOT_RESERVED); /* ours */
    assert_piece(4, 192 * MIB, 200 * MIB, BOOT_RAM);
    assert_piece(5, 200 * MIB, 201 * MIB, BOOT_ACPI);

    assert_true(memmap_is_ram(&map, 51 * MIB, 109 * MIB));
    assert_false(memmap_is_ram(&map, 51 * MIB, 109 * MIB + 1));
    assert_false(memmap_is_ram(&map, 160 * MIB, 1));
    assert_false(memmap_is_ram(&map, 0, 0));
    assert_false(memmap_is_ram(&map, 1, UINT64_MAX));
}

static void test_memmap_refuses(void **state)
{
    (void)state;
    assert_non_null(memmap_build(&map, &info, 0, 0)); /* no RAM */
    for (int i = 0; i < BOOT_REGIONS_MAX; i++)        /* islands inside one RAM: twice as many */
        add_region((uint64_t)i * 2 * MIB, MIB, BOOT_RESERVED);
    info.regions[0] = (struct boot_region){0, 1024 * MIB, BOOT_RAM};
    assert_non_null(memmap_build(&map, &info, 0, 0));
}

static void test_memmap_end_of_space(void **state)
{
    (void)state;
    add_region(MIB, MIB, BOOT_RAM);
    add_region(UINT64_MAX - 0xfff, UINT64_MAX, BOOT_RESERVED); /* wraps: cut at the end */
    assert_null(memmap_build(&map, &info, 0, 0));
    assert_int_equal(map.count, 2);
    assert_piece(1, UINT64_MAX - 0xfff, UINT64_MAX, BOOT_RESERVED);
}

static void test_memmap_reserve(void **state)
{
    (void)state;
    add_region(0, 0x9fc00, BOOT_RAM);
    add_region(0x9fc00, 0x400, BOOT_RESERVED);
    add_region(MIB, MIB, BOOT_RAM);
    assert_null(memmap_build(&map, &info, 0, 0));
    assert_true(memmap_reserve(&map, 0x9ec00, 0x1000)); /* joins its neighbour */
    assert_int_equal(map.count, 3);
    assert_piece(0, 0, 0x9ec00, BOOT_RAM);
    assert_piece(1, 0x9ec00, 0xa0000, BOOT_RESERVED);
    assert_true(memmap_reserve(&map, MIB, 0x1000)); /* at the start */
    assert_int_equal(map.count, 4);
    assert_piece(2, MIB, MIB + 0x1000, BOOT_RESERVED);
    assert_piece(3, MIB + 0x1000, 2 * MIB, BOOT_RAM);
    assert_true(memmap_reserve(&map, MIB + 0x8000, 0x1000)); /* in the middle */
    assert_int_equal(map.count, 6);
    assert_piece(3, MIB + 0x1000, MIB + 0x8000, BOOT_RAM);
    assert_piece(4, MIB + 0x8000, MIB + 0x9000, BOOT_RESERVED);
    assert_piece(5, MIB + 0x9000, 2 * MIB, BOOT_RAM);
    assert_false(memmap_reserve(&map, 0x9e000, 0x1000)); /* half of it is taken */
    assert_int_equal(map.count, 6);
}

static void test_memmap_find(void **state)
{
    struct memmap_span avoid[] = {{180 * MIB, 10 * MIB}, {195 * MIB, 5 * MIB}, {0, 0}};
    uint64_t at = 0;

    (void)state;
    add_region(0, 0x9fc00, BOOT_RAM);
    add_region(MIB, 199 * MIB, BOOT_RAM);
    assert_null(memmap_build(&map, &info, 0, 0));
    assert_true(memmap_find_high(&map, 5 * MIB, 4096, 0, UINT64_MAX, avoid, 3, &at));
    assert_int_equal(at, 190 * MIB);
    assert_true(memmap_find_high(&map, 6 * MIB, 4096, 0, UINT64_MAX, avoid, 3, &at));
    assert_int_equal(at, 174 * MIB);
    assert_true(memmap_find_high(&map, 6 * MIB, 4096, 0, 64 * MIB, avoid, 3, &at));
    assert_int_equal(at, 58 * MIB);
    assert_false(memmap_find_high(&map, 190 * MIB, 4096, 0, UINT64_MAX, avoid, 3, &at));
    assert_true(memmap_find_low(&map, 0x10000, 4096, 0x10000, 0xa0000, avoid, 3, &at));
    assert_int_equal(at, 0x10000);
    assert_true(memmap_find_low(&map, 4 * MIB, 2 * MIB, MIB, UINT64_MAX, avoid, 3, &at));
    assert_int_equal(at, 2 * MIB);
    assert_true(memmap_find_low(&map, 4 * MIB, 2 * MIB, 178 * MIB, UINT64_MAX, avoid, 3, &at));
    assert_int_equal(at, 190 * MIB);
    assert_false(memmap_find_low(&map, 6 * MIB, 2 * MIB, 178 * MIB, UINT64_MAX, avoid, 3, &at));
}

/* ---- Options ----------------------------------------------------------------------------------
 */

static void test_options(void **state)
{
    struct hv_options options;

    (void)state;
    seeded_mask = 0;
    assert_null(options_parse("  wait efer=controls svm\tlog=debug ring=4096 uart=com2,9600 "
                              "fault=cr0-ne,gpa32 selftest=panic ",
                              &options));
    assert_true(options.wait && options.efer_in_controls);
    assert_int_equal(options.insist, HV_INSIST_SVM);
    assert_int_equal(options.ring_records, 4096);
    assert_int_equal(options.selftest, SELFTEST_PANIC);
    assert_int_equal(log_level, LOG_DEBUG);
    assert_int_equal(seeded_mask, UINT64_C(1) << SEEDED_cr0_ne | UINT64_C(1) << SEEDED_gpa32);
    assert_null(options_parse("", &options));
    assert_false(options.wait || options.efer_in_controls);
    log_level = LOG_INFO;
}

static void test_options_refused(void **state)
{
    static const char *const bad[] = {
        "waits",        "wai",           "wait=1",        "efer=",       "efer=both",
        "log=loud",     "ring=0",        "ring=x",        "ring=",       "ring=999999999",
        "fault=",       "fault=nothing", "fault=cr0-ne,", "vmx svm",     "uart=",
        "uart=0x3f8,7", "uart=1",        "selftest=all",  "uart=0x3f8,", "=",
    };
    struct hv_options options;
    const char *why = options_parse("wait foo=1", &options);

    (void)state;
    assert_non_null(strstr(why, "'foo=1'")); /* names the word and the known ones */
    assert_non_null(strstr(why, "selftest="));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        seeded_mask = 0;
        if (!options_parse(bad[i], &options))
            fail_msg("'%s' was accepted", bad[i]);
    }
    seeded_mask = 0;
}

int main(void)
{
#define T(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_mb1_good),
        T(test_grub2_passes_no_name),
        T(test_mb1_old_memory_fields),
        T(test_mb1_hostile),
        T(test_mb1_words_to_the_end_of_memory),
        T(test_mb2_good),
        T(test_mb2_hostile),
        T(test_word_value),
        T(test_relocate_find),
        T(test_relocate_avoids_the_image),
        T(test_memmap_sorts_and_hides),
        T(test_memmap_refuses),
        T(test_memmap_end_of_space),
        T(test_memmap_reserve),
        T(test_memmap_find),
        T(test_options),
        T(test_options_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
