/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guest page walks over a fake physical memory: every paging mode, every page size, every way to
 * fail, rights of all levels combined, PDPTEs of the CPU against those in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/walk.h"
#include "cpu/x86.h"

#define MEMORY_BYTES 0x20000u
#define TABLES_GPA   0x10000u /* fake memory is [TABLES_GPA, +MEMORY_BYTES) */

static uint8_t memory[MEMORY_BYTES];

static bool fake_read(void *context, uint64_t gpa, void *buf, size_t len_bytes)
{
    unsigned *reads = context;

    if (reads)
        (*reads)++;
    if (gpa < TABLES_GPA || gpa - TABLES_GPA > MEMORY_BYTES - len_bytes)
        return false;
    memcpy(buf, memory + (gpa - TABLES_GPA), len_bytes);
    return true;
}

static void put64(uint64_t gpa, uint64_t value)
{
    memcpy(memory + (gpa - TABLES_GPA), &value, 8);
}

static void put32(uint64_t gpa, uint32_t value)
{
    memcpy(memory + (gpa - TABLES_GPA), &value, 4);
}

static int setup(void **state)
{
    (void)state;
    memset(memory, 0, sizeof memory);
    return 0;
}

static struct walk_regs regs_of(enum guest_paging paging)
{
    struct walk_regs regs = {
        .cr0 = CR0_PE, .cr3 = TABLES_GPA, .maxphyaddr_bits = 40, .page_1g = true};

    if (paging != GUEST_PAGING_NONE)
        regs.cr0 |= CR0_PG;
    if (paging >= GUEST_PAGING_PAE)
        regs.cr4 |= CR4_PAE;
    if (paging >= GUEST_PAGING_4)
        regs.efer |= EFER_LME | EFER_LMA | EFER_NXE;
    if (paging == GUEST_PAGING_5)
        regs.cr4 |= CR4_LA57;
    return regs;
}

static struct guest_walk walk(struct walk_regs regs, uint64_t gva)
{
    return walk_guest(&regs, gva, fake_read, NULL);
}

static void test_no_paging(void **state)
{
    struct guest_walk w = walk(regs_of(GUEST_PAGING_NONE), 0xfedcba98);

    (void)state;
    assert_int_equal(w.result, WALK_OK);
    assert_int_equal(w.gpa, 0xfedcba98);
    assert_int_equal(w.level_count, 0);
    /* Segment bases can carry out of 32 bits; the linear address does not. */
    w = walk(regs_of(GUEST_PAGING_NONE), UINT64_C(0x100000010));
    assert_int_equal(w.gpa, 0x10);
}

static void test_32_bit(void **state)
{
    struct walk_regs regs = regs_of(GUEST_PAGING_32);
    struct guest_walk w;

    (void)state;
    /* gva 0x00803123: directory entry 2, table entry 3, offset 0x123 */
    put32(TABLES_GPA + 2 * 4, 0x11000 | PTE_P | PTE_W | PTE_U);
    put32(0x11000 + 3 * 4, 0xabcde000u | PTE_P | PTE_W);
    w = walk(regs, 0x00803123);
    assert_int_equal(w.result, WALK_OK);
    assert_int_equal(w.paging, GUEST_PAGING_32);
    assert_int_equal(w.gpa, 0xabcde123u);
    assert_int_equal(w.page_bytes, 4096);
    assert_int_equal(w.level_count, 2);
    assert_int_equal(w.level[0].entry_gpa, TABLES_GPA + 8);
    assert_int_equal(w.level[1].entry_gpa, 0x1100c);
    assert_true(w.writable);
    assert_false(w.user); /* the table says supervisor */
    assert_true(w.execute);

    /* 4 MiB page with PSE-36: entry bits 20:13 are address bits 39:32 */
    regs.cr4 |= CR4_PSE;
    put32(TABLES_GPA + 5 * 4, 0x00c00000 | 0x12 << 13 | PTE_P | PTE_PS | PTE_U);
    w = walk(regs, 5 << 22 | 0x34567);
    assert_int_equal(w.result, WALK_OK);
    assert_int_equal(w.gpa, UINT64_C(0x1200c34567));
    assert_int_equal(w.page_bytes, 4u << 20);
    assert_false(w.writable);
    assert_true(w.user);
    put32(TABLES_GPA + 5 * 4, 0x00c00000 | 1 << 21 | PTE_P | PTE_PS);
    assert_int_equal(walk(regs, 5 << 22).result, WALK_RESERVED);
    /* Without PSE the same bit is ignored and the entry names a table, here outside RAM. */
    regs.cr4 &= ~CR4_PSE;
    assert_int_equal(walk(regs, 5 << 22).result, WALK_BAD_TABLE);
}

static void test_pae(void **state)
{
    struct walk_regs regs = regs_of(GUEST_PAGING_PAE);
    struct guest_walk w;
    uint64_t pdpte[4];

    (void)state;
    regs.cr3 = TABLES_GPA + 0x20; /* 32-byte aligned only */
    put64(regs.cr3 + 3 * 8, 0x11000 | PTE_P);
    /* gva 0xc0605678: PDPTE 3, directory entry 3, table entry 5 */
    put64(0x11000 + 3 * 8, 0x12000 | PTE_P | PTE_W | PTE_U);
    put64(0x12000 + 5 * 8, UINT64_C(0xff12345000) | PTE_P | PTE_W | PTE_U);
    w = walk(regs, 0xc0605678);
    assert_int_equal(w.result, WALK_OK);
    assert_int_equal(w.gpa, UINT64_C(0xff12345678));
    assert_int_equal(w.level_count, 3);
    assert_int_equal(w.level[0].level, 3);
    assert_true(w.writable); /* PDPTEs carry no rights */
    assert_true(w.user);

    /* QEMU's TCG sets A in a PDPTE, where it is reserved. */
    regs.pdpte_a_set = true;
    put64(regs.cr3 + 3 * 8, 0x11000 | PTE_P | PTE_A);
    assert_int_equal(walk(regs, 0xc0605678).result, WALK_OK);
    assert_true(walk_load_pdptes(&regs, fake_read, NULL, pdpte));
    regs.pdpte_a_set = false;
    assert_int_equal(walk(regs, 0xc0605678).result, WALK_RESERVED);
    assert_false(walk_load_pdptes(&regs, fake_read, NULL, pdpte));
    put64(regs.cr3 + 3 * 8, 0x11000 | PTE_P);

    /* The CPU's PDPTEs decide, not memory. */
    regs.pdpte_valid = true;
    assert_int_equal(walk(regs, 0xc0605678).result, WALK_NOT_PRESENT);
    regs.pdpte[3] = 0x11000 | PTE_P;
    w = walk(regs, 0xc0605678);
    assert_int_equal(w.result, WALK_OK);
    assert_int_equal(w.level[0].entry_gpa, ~UINT64_C(0));

    /* 2 MiB page; XD is reserved without EFER.NXE */
    put64(0x11000, UINT64_C(0x4000000000) | PTE_P | PTE_PS);
    assert_int_equal(walk(regs, 0xc0012345).gpa, UINT64_C(0x4000012345));
    put64(0x11000, UINT64_C(0x4000000000) | PTE_P | PTE_PS | PTE_NX);
    assert_int_equal(walk(regs, 0xc0012345).result, WALK_RESERVED);
    regs.efer |= EFER_NXE;
    w = walk(regs, 0xc0012345);
    assert_int_equal(w.result, WALK_OK);
    assert_false(w.execute);

    assert_true(walk_load_pdptes(&regs, fake_read, NULL, pdpte));
    assert_int_equal(pdpte[0], 0);
    assert_int_equal(pdpte[3], 0x11000 | PTE_P);
    put64(regs.cr3, PTE_P | PTE_W); /* bit 1 is reserved in a PDPTE */
    assert_false(walk_load_pdptes(&regs, fake_read, NULL, pdpte));
    put64(regs.cr3, PTE_W); /* not present: its other bits are free */
    assert_true(walk_load_pdptes(&regs, fake_read, NULL, pdpte));
    put64(regs.cr3, UINT64_C(1) << 40 | PTE_P); /* above MAXPHYADDR */
    assert_false(walk_load_pdptes(&regs, fake_read, NULL, pdpte));
    regs.cr3 = 0x9000;
    assert_false(walk_load_pdptes(&regs, fake_read, NULL, pdpte));
}

/* gva 0xffff888123456789: PML4 0x111, PDPT 0x004, PD 0x11a, PT 0x056 */
#define GVA_4LEVEL UINT64_C(0xffff888123456789)

static void map_4level(void)
{
    put64(TABLES_GPA + 0x111 * 8, 0x11000 | PTE_P | PTE_W | PTE_U);
    put64(0x11000 + 0x004 * 8, 0x12000 | PTE_P | PTE_W | PTE_U);
    put64(0x12000 + 0x11a * 8, 0x13000 | PTE_P | PTE_W | PTE_U);
    put64(0x13000 + 0x056 * 8, UINT64_C(0x7654321000) | PTE_P | PTE_W | PTE_U | PTE_G);
}

static void test_4_level(void **state)
{
    struct walk_regs regs = regs_of(GUEST_PAGING_4);
    struct guest_walk w;

    (void)state;
    map_4level();
    w = walk(regs, GVA_4LEVEL);
    assert_int_equal(w.result, WALK_OK);
    assert_int_equal(w.gpa, UINT64_C(0x7654321789));
    assert_int_equal(w.level_count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(w.level[i].level, 4 - i);

    /* CR3's low bits (PCID) and bit 63 are no address. */
    regs.cr3 |= 0x123;
    assert_int_equal(walk(regs, GVA_4LEVEL).result, WALK_OK);
    assert_int_equal(walk(regs, UINT64_C(0x0000888123456789)).result, WALK_NON_CANONICAL);
    assert_int_equal(walk(regs, UINT64_C(0x0000000000001000)).result, WALK_NOT_PRESENT);

    put64(0x11000 + 0x004 * 8, UINT64_C(0x5580000000) | PTE_P | PTE_W | PTE_PS | PTE_NX);
    w = walk(regs, GVA_4LEVEL);
    assert_int_equal(w.result, WALK_OK);
    assert_int_equal(w.gpa, UINT64_C(0x55a3456789)); /* 0x5580000000 + 0x23456789 */
    assert_int_equal(w.page_bytes, 1u << 30);
    assert_false(w.execute);
    regs.page_1g = false;
    assert_int_equal(walk(regs, GVA_4LEVEL).result, WALK_RESERVED);
    regs.page_1g = true;
    put64(0x11000 + 0x004 * 8, UINT64_C(0x5580002000) | PTE_P | PTE_PS);
    assert_int_equal(walk(regs, GVA_4LEVEL).result, WALK_RESERVED);

    /* PS in the PML4 is reserved. */
    put64(TABLES_GPA + 0x111 * 8, 0x11000 | PTE_P | PTE_PS);
    assert_int_equal(walk(regs, GVA_4LEVEL).result, WALK_RESERVED);
}

static void test_rights(void **state)
{
    static const uint64_t at[] = {TABLES_GPA + 0x111 * 8, 0x11020, 0x12000 + 0x11a * 8,
                                  0x13000 + 0x056 * 8};
    struct walk_regs regs = regs_of(GUEST_PAGING_4);

    (void)state;
    /* One level that forbids is enough, whichever it is. */
    for (unsigned i = 0; i < 4; i++) {
        uint64_t entry;
        struct guest_walk w;

        map_4level();
        memcpy(&entry, memory + (at[i] - TABLES_GPA), 8);
        put64(at[i], entry & ~PTE_W);
        w = walk(regs, GVA_4LEVEL);
        assert_false(w.writable);
        assert_true(w.user && w.execute);
        put64(at[i], entry & ~PTE_U);
        w = walk(regs, GVA_4LEVEL);
        assert_false(w.user);
        assert_true(w.writable && w.execute);
        put64(at[i], entry | PTE_NX);
        w = walk(regs, GVA_4LEVEL);
        assert_false(w.execute);
        assert_true(w.writable && w.user);
        put64(at[i], entry & ~PTE_P);
        w = walk(regs, GVA_4LEVEL);
        assert_int_equal(w.result, WALK_NOT_PRESENT);
        assert_int_equal(w.level_count, i + 1);
        put64(at[i], entry | UINT64_C(1) << 45); /* above MAXPHYADDR */
        assert_int_equal(walk(regs, GVA_4LEVEL).result, WALK_RESERVED);
        put64(at[i], entry);
    }
}

static void test_5_level(void **state)
{
    struct walk_regs regs = regs_of(GUEST_PAGING_5);
    struct guest_walk w;
    uint64_t gva = UINT64_C(0xff12888123456789); /* PML5 index 0x112, the rest as above */

    (void)state;
    map_4level();
    regs.cr3 = 0x14000;
    put64(0x14000 + 0x112 * 8, TABLES_GPA | PTE_P | PTE_W | PTE_U);
    w = walk(regs, gva);
    assert_int_equal(w.result, WALK_OK);
    assert_int_equal(w.gpa, UINT64_C(0x7654321789));
    assert_int_equal(w.level_count, 5);
    assert_int_equal(w.level[0].level, 5);
    assert_int_equal(walk(regs, UINT64_C(0x0f12888123456789)).result, WALK_NON_CANONICAL);
}

static void test_bad_table(void **state)
{
    struct walk_regs regs = regs_of(GUEST_PAGING_4);
    struct guest_walk w;
    unsigned reads = 0;

    (void)state;
    put64(TABLES_GPA + 0x111 * 8, UINT64_C(0xfee00000) | PTE_P | PTE_W);
    w = walk_guest(&regs, GVA_4LEVEL, fake_read, &reads);
    assert_int_equal(w.result, WALK_BAD_TABLE);
    assert_int_equal(w.level_count, 2);
    assert_int_equal(w.level[1].entry_gpa, 0xfee00000u + 4 * 8);
    assert_int_equal(reads, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_no_paging, setup), cmocka_unit_test_setup(test_32_bit, setup),
        cmocka_unit_test_setup(test_pae, setup),       cmocka_unit_test_setup(test_4_level, setup),
        cmocka_unit_test_setup(test_rights, setup),    cmocka_unit_test_setup(test_5_level, setup),
        cmocka_unit_test_setup(test_bad_table, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
