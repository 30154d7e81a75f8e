/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checks of guest files: a bzImage's setup header and multiboot images (ELF32, address fields).
 * Each damaged number must be refused with its own sentence, and no byte outside the file be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/guest_parts.h"

static void put(uint8_t *file, uint32_t at, uint64_t value, unsigned bytes)
{
    memcpy(file + at, &value, bytes);
}

/* ---- bzImage: 2 setup sectors and 4096 bytes of code ------------------------------------------
 */

enum { BZ_CODE_BYTES = 4096, BZ_BYTES = 3 * 512 + BZ_CODE_BYTES };

static uint8_t *bzimage(void)
{
    uint8_t *file = calloc(1, BZ_BYTES);

    file[0x1f1] = 2;
    put(file, 0x1f4, BZ_CODE_BYTES / 16, 4);
    put(file, 0x1fe, 0xaa55, 2);
    file[0x201] = 0x6a; /* header ends at 0x26c */
    memcpy(file + 0x202, "HdrS", 4);
    put(file, 0x206, 0x020f, 2);
    file[0x211] = 1;
    put(file, 0x22c, 0x7fffffff, 4);
    put(file, 0x230, 0x200000, 4);
    file[0x234] = 1;
    put(file, 0x238, 2047, 4);
    put(file, 0x258, 0x1000000, 8);
    put(file, 0x260, 0x200000, 4);
    return file;
}

static void test_linux_good(void **state)
{
    uint8_t *file = bzimage();
    struct linux_image image;

    (void)state;
    assert_true(linux_image_matches(file, BZ_BYTES));
    assert_null(linux_image_check(file, BZ_BYTES, &image));
    assert_int_equal(image.code_offset, 3 * 512);
    assert_int_equal(image.code_bytes, BZ_CODE_BYTES);
    assert_int_equal(image.pref_gpa, 0x1000000);
    assert_int_equal(image.init_bytes, 0x200000);
    assert_int_equal(image.header_end, 0x26c);
    assert_true(image.relocatable);
    free(file);
}

static void test_linux_damaged(void **state)
{
    static const struct {
        uint32_t at;
        uint64_t value;
        unsigned bytes;
        const char *word; /* of the sentence */
    } rows[] = {
        {0x206, 0x0209, 2, "2.10"},
        {0x211, 0, 1, "zImage"},
        {0x201, 0, 1, "senseless"},
        {0x201, 0xff, 1, "senseless"},
        {0x1f1, 0xff, 1, "cut short"},
        {0x1f4, BZ_CODE_BYTES / 16 + 1, 4, "cut short"},
        {0x1f4, 0xffffffff, 4, "cut short"},
        {0x1f4, 0, 4, "cut short"},
        {0x230, 0, 4, "power of two"},
        {0x230, 0x300000, 4, "power of two"},
        {0x258, UINT64_C(0x100000000), 8, "4 GiB"},
        {0x258, UINT64_MAX, 8, "4 GiB"},
        {0x260, 0xffffffff, 4, "4 GiB"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t *file = bzimage();
        struct linux_image image;
        const char *why;

        put(file, rows[i].at, rows[i].value, rows[i].bytes);
        why = linux_image_check(file, BZ_BYTES, &image);
        assert_non_null(why);
        assert_non_null(strstr(why, rows[i].word));
        free(file);
    }
}

/* 55AA at 510 makes it a boot sector for whoever looks no further. */
static void test_linux_cut_in_the_header(void **state)
{
    uint8_t *file = bzimage();
    struct linux_image image;

    (void)state;
    assert_true(linux_image_matches(file, 0x208));
    assert_non_null(strstr(linux_image_check(file, 0x208, &image), "cut short"));
    assert_false(linux_image_matches(file, 0x205));
    free(file);
}

static void test_linux_any_length(void **state)
{
    uint8_t *file = bzimage();

    (void)state;
    for (size_t len = 0; len < BZ_BYTES; len++) {
        uint8_t *cut = malloc(len ? len : 1);
        struct linux_image image;

        memcpy(cut, file, len);
        /* syssize counts 16-byte units: up to 15 bytes of the last one may be missing. */
        if (len + 15 < BZ_BYTES)
            assert_non_null(linux_image_check(cut, len, &image));
        (void)linux_image_matches(cut, len);
        free(cut);
    }
    free(file);
}

/* ---- Multiboot --------------------------------------------------------------------------------
 */

enum { MB_BYTES = 1024, MB_AT = 128, PH_AT = 52 };

static void mb_header(uint8_t *file, uint32_t at, uint32_t flags)
{
    put(file, at, 0x1badb002, 4);
    put(file, at + 4, flags, 4);
    put(file, at + 8, -(0x1badb002u + flags), 4);
}

/* ELF32, one segment: file bytes 256..768 to 0x100000, 4096 bytes in memory, linked 3 GiB higher.
 */
static uint8_t *mb_elf(void)
{
    uint8_t *file = calloc(1, MB_BYTES);

    memcpy(file, "\177ELF\1\1\1", 7);
    put(file, 16, 2, 2);
    put(file, 18, 3, 2);
    put(file, 24, 0xc0100020, 4);
    put(file, 28, PH_AT, 4);
    put(file, 42, 32, 2);
    put(file, 44, 1, 2);
    put(file, PH_AT, 1, 4);
    put(file, PH_AT + 4, 256, 4);
    put(file, PH_AT + 8, 0xc0100000, 4);
    put(file, PH_AT + 12, 0x100000, 4);
    put(file, PH_AT + 16, 512, 4);
    put(file, PH_AT + 20, 4096, 4);
    mb_header(file, MB_AT, 3);
    return file;
}

static void test_mb_elf(void **state)
{
    uint8_t *file = mb_elf();
    struct mb_image image;

    (void)state;
    assert_true(mb_image_matches(file, MB_BYTES));
    assert_null(mb_image_check(file, MB_BYTES, &image));
    assert_int_equal(image.segments_count, 1);
    assert_int_equal(image.segments[0].gpa, 0x100000);
    assert_int_equal(image.segments[0].mem_bytes, 4096);
    assert_int_equal(image.entry_gpa, 0x100020); /* physical of the virtual entry */
    assert_int_equal(image.low_gpa, 0x100000);
    assert_int_equal(image.high_gpa, 0x101000);
    free(file);
}

static void test_mb_elf_damaged(void **state)
{
    static const struct {
        uint32_t at;
        uint64_t value;
        unsigned bytes;
    } rows[] = {
        {4, 2, 1},           /* 64-bit */
        {18, 62, 2},         /* x86-64 */
        {28, 0xfffffff0, 4}, /* program headers far away */
        {42, 31, 2},         /* too small */
        {44, 0xffff, 2},     /* too many */
        {44, 0, 2},          /* none */
        {PH_AT, 2, 4},       /* nothing to load */
        {PH_AT + 4, 513, 4}, /* one byte beyond the file */
        {PH_AT + 4, 0xffffffff, 4},
        {PH_AT + 16, 0xffffffff, 4},
        {PH_AT + 20, 511, 4},        /* smaller in memory than in the file */
        {PH_AT + 12, 0xfffff001, 4}, /* beyond 4 GiB */
        {24, 0x500000, 4},           /* entry outside */
        {MB_AT + 4, 3, 2},           /* still right */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t *file = mb_elf();
        struct mb_image image;
        bool good = i == sizeof(rows) / sizeof(rows[0]) - 1;

        put(file, rows[i].at, rows[i].value, rows[i].bytes);
        if ((mb_image_check(file, MB_BYTES, &image) == NULL) != good)
            fail_msg("row %zu was judged wrongly", i);
        free(file);
    }
}

static void test_mb_unknown_feature(void **state)
{
    uint8_t *file = mb_elf();
    struct mb_image image;

    (void)state;
    mb_header(file, MB_AT, 1 << 8);
    assert_non_null(strstr(mb_image_check(file, MB_BYTES, &image), "features"));
    free(file);
}

static void test_mb_segments_overlap(void **state)
{
    uint8_t *file = mb_elf();
    struct mb_image image;

    (void)state;
    put(file, 44, 2, 2);
    memcpy(file + PH_AT + 32, file + PH_AT, 32);
    assert_non_null(strstr(mb_image_check(file, MB_BYTES, &image), "overlap"));
    put(file, PH_AT + 32 + 12, 0x101000, 4);
    assert_null(mb_image_check(file, MB_BYTES, &image));
    assert_int_equal(image.high_gpa, 0x102000);
    free(file);
}

/* Address fields: header at file offset 128 of an image loaded whole at 2 MiB. */
static uint8_t *mb_fields(void)
{
    uint8_t *file = calloc(1, MB_BYTES);

    mb_header(file, MB_AT, 0x10003);
    put(file, MB_AT + 12, 0x200000 + MB_AT, 4);
    put(file, MB_AT + 16, 0x200000, 4);
    put(file, MB_AT + 20, 0x200000 + MB_BYTES, 4);
    put(file, MB_AT + 24, 0x201000, 4);
    put(file, MB_AT + 28, 0x200010, 4);
    return file;
}

static void test_mb_fields(void **state)
{
    uint8_t *file = mb_fields();
    struct mb_image image;

    (void)state;
    assert_null(mb_image_check(file, MB_BYTES, &image));
    assert_int_equal(image.segments[0].offset, 0);
    assert_int_equal(image.segments[0].file_bytes, MB_BYTES);
    assert_int_equal(image.segments[0].mem_bytes, 4096);
    assert_int_equal(image.entry_gpa, 0x200010);
    put(file, MB_AT + 20, 0, 4); /* load_end 0: the whole file */
    assert_null(mb_image_check(file, MB_BYTES, &image));
    assert_int_equal(image.segments[0].file_bytes, MB_BYTES);
    put(file, MB_AT + 20, 0x200000 + MB_BYTES + 1, 4);
    assert_non_null(mb_image_check(file, MB_BYTES, &image));
    put(file, MB_AT + 20, 0x1fffff, 4);
    assert_non_null(mb_image_check(file, MB_BYTES, &image));
    free(file);

    file = mb_fields();
    put(file, MB_AT + 16, 0x200000 - 1, 4); /* would start before the file */
    assert_non_null(mb_image_check(file, MB_BYTES, &image));
    free(file);
}

static void test_mb_any_length_and_byte(void **state)
{
    uint8_t *(*const make[])(void) = {mb_elf, mb_fields};

    (void)state;
    for (unsigned kind = 0; kind < 2; kind++) {
        uint8_t *file = make[kind]();

        for (size_t len = 0; len <= MB_BYTES; len++) {
            uint8_t *cut = malloc(len ? len : 1);
            struct mb_image image;

            memcpy(cut, file, len);
            (void)mb_image_matches(cut, len);
            (void)mb_image_check(cut, len, &image);
            free(cut);
        }
        for (size_t at = 0; at < 256; at++) {
            uint8_t old = file[at];

            for (int value = 0; value < 256; value += 0x33) {
                struct mb_image image;

                file[at] = (uint8_t)value;
                if (!mb_image_check(file, MB_BYTES, &image))
                    for (uint32_t i = 0; i < image.segments_count; i++)
                        assert_true(image.segments[i].offset + image.segments[i].file_bytes <=
                                    MB_BYTES);
            }
            file[at] = old;
        }
        free(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linux_good),
        cmocka_unit_test(test_linux_damaged),
        cmocka_unit_test(test_linux_cut_in_the_header),
        cmocka_unit_test(test_linux_any_length),
        cmocka_unit_test(test_mb_elf),
        cmocka_unit_test(test_mb_elf_damaged),
        cmocka_unit_test(test_mb_unknown_feature),
        cmocka_unit_test(test_mb_segments_overlap),
        cmocka_unit_test(test_mb_fields),
        cmocka_unit_test(test_mb_any_length_and_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
