/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Walks guest page tables in every paging mode, level by level, and keeps what it read, so that
 * `walk`, the crash record and memory access all show the same path. Decides nothing about rights.
 */
#include "core/walk.h"

#include "cpu/x86.h"

#define PTE_BIT_PS   (UINT64_C(1) << 7)
#define ADDR_4K_MASK UINT64_C(0x000ffffffffff000)

/* One row a mode: how the linear address is cut, from the root down. */
struct paging_shape {
    uint8_t levels;     /* tables, including the PDPT of PAE */
    uint8_t index_bits; /* per table; the top one of PAE has 2 */
    uint8_t entry_bytes;
    uint8_t linear_bits; /* width of a canonical address; 32: no canonical rule */
};

static const struct paging_shape shapes[] = {
    [GUEST_PAGING_NONE] = {0, 0, 0, 32}, [GUEST_PAGING_32] = {2, 10, 4, 32},
    [GUEST_PAGING_PAE] = {3, 9, 8, 32},  [GUEST_PAGING_4] = {4, 9, 8, 48},
    [GUEST_PAGING_5] = {5, 9, 8, 57},
};

enum guest_paging walk_paging(const struct walk_regs *regs)
{
    if (!(regs->cr0 & CR0_PG))
        return GUEST_PAGING_NONE;
    if (!(regs->cr4 & CR4_PAE))
        return GUEST_PAGING_32;
    if (!(regs->efer & EFER_LME))
        return GUEST_PAGING_PAE;
    return regs->cr4 & CR4_LA57 ? GUEST_PAGING_5 : GUEST_PAGING_4;
}

static bool canonical(uint64_t gva, unsigned bits)
{
    int64_t top = (int64_t)gva >> (bits - 1);

    return top == 0 || top == -1;
}

static uint64_t bits_from(unsigned first)
{
    return first < 64 ? ~UINT64_C(0) << first : 0;
}

static bool leaf_possible(enum guest_paging paging, const struct walk_regs *regs, unsigned level)
{
    if (level == 2)
        return paging != GUEST_PAGING_32 || regs->cr4 & CR4_PSE;
    return level == 3 && paging >= GUEST_PAGING_4;
}

/* SDM, "Paging": reserved bits of one entry. `leaf`: the entry maps a page. */
static uint64_t reserved_bits(enum guest_paging paging, const struct walk_regs *regs,
                              unsigned level, bool leaf)
{
    uint64_t above = bits_from(regs->maxphyaddr_bits) & ADDR_4K_MASK;

    switch (paging) {
    case GUEST_PAGING_32:
        /* 4 MiB pages: PSE-36 keeps address bits 39:32 in 20:13; bit 21 is reserved. */
        return level == 2 && leaf ? UINT64_C(1) << 21 : 0;
    case GUEST_PAGING_PAE:
        if (level == 3)
            return above | bits_from(52) | UINT64_C(0x1c6) | (regs->pdpte_a_set ? 0 : PTE_A);
        above |= bits_from(52) & ~PTE_NX;
        break;
    default:
        if (level == 3 && leaf && !regs->page_1g)
            above |= PTE_BIT_PS;
        if (level >= 4)
            above |= PTE_BIT_PS;
        break;
    }
    if (!(regs->efer & EFER_NXE))
        above |= PTE_NX;
    if (leaf && level == 2)
        above |= UINT64_C(0x1fe000); /* 2 MiB page: bits 20:13 */
    if (leaf && level == 3)
        above |= UINT64_C(0x3fffe000); /* 1 GiB page: bits 29:13 */
    return above;
}

static uint64_t leaf_address(enum guest_paging paging, unsigned level, uint64_t entry,
                             uint64_t page_bytes)
{
    if (paging == GUEST_PAGING_32 && level == 2)
        return (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
    return entry & ADDR_4K_MASK & ~(page_bytes - 1);
}

static uint64_t root_table(enum guest_paging paging, uint64_t cr3)
{
    if (paging == GUEST_PAGING_PAE)
        return cr3 & 0xffffffe0;
    if (paging == GUEST_PAGING_32)
        return cr3 & 0xfffff000;
    return cr3 & ADDR_4K_MASK;
}

static unsigned level_shift(const struct paging_shape *shape, unsigned level)
{
    return 12 + (level - 1) * shape->index_bits;
}

/* Reads the entry of one level into the walk. False: the table is no RAM. */
static bool read_entry(struct guest_walk *walk, const struct walk_regs *regs, unsigned level,
                       uint64_t table_gpa, walk_read_fn read, void *context)
{
    const struct paging_shape *shape = &shapes[walk->paging];
    bool pdpte = walk->paging == GUEST_PAGING_PAE && level == 3;
    uint64_t mask = pdpte ? 3 : (UINT64_C(1) << shape->index_bits) - 1;
    uint64_t index = walk->gva >> level_shift(shape, level) & mask;
    struct walk_level *at = &walk->level[walk->level_count++];

    *at = (struct walk_level){.level = (uint8_t)level, .entry_bytes = shape->entry_bytes};
    if (pdpte && regs->pdpte_valid) {
        at->entry_gpa = ~UINT64_C(0);
        at->entry = regs->pdpte[index];
        return true;
    }
    at->entry_gpa = table_gpa + index * shape->entry_bytes;
    return read(context, at->entry_gpa, &at->entry, shape->entry_bytes);
}

struct guest_walk walk_guest(const struct walk_regs *regs, uint64_t gva, walk_read_fn read,
                             void *context)
{
    struct guest_walk walk = {.paging = walk_paging(regs), .gva = gva};
    const struct paging_shape *shape = &shapes[walk.paging];
    uint64_t table_gpa = root_table(walk.paging, regs->cr3);

    walk.writable = walk.user = walk.execute = true;
    if (shape->linear_bits == 32)
        walk.gva &= 0xffffffff;
    else if (!canonical(gva, shape->linear_bits)) {
        walk.result = WALK_NON_CANONICAL;
        return walk;
    }
    if (walk.paging == GUEST_PAGING_NONE) {
        walk.gpa = walk.gva;
        walk.page_bytes = 4096;
        return walk;
    }
    for (unsigned level = shape->levels; level > 0; level--) {
        if (!read_entry(&walk, regs, level, table_gpa, read, context)) {
            walk.result = WALK_BAD_TABLE;
            return walk;
        }
        uint64_t entry = walk.level[walk.level_count - 1].entry;
        bool pdpte = walk.paging == GUEST_PAGING_PAE && level == 3;
        bool leaf = level == 1 || (entry & PTE_BIT_PS && leaf_possible(walk.paging, regs, level));

        if (!(entry & PTE_P)) {
            walk.result = WALK_NOT_PRESENT;
            return walk;
        }
        if (entry & reserved_bits(walk.paging, regs, level, leaf)) {
            walk.result = WALK_RESERVED;
            return walk;
        }
        if (!pdpte) {
            walk.writable &= (entry & PTE_W) != 0;
            walk.user &= (entry & PTE_U) != 0;
            walk.execute &= shape->entry_bytes == 4 || !(entry & PTE_NX);
        }
        if (leaf) {
            walk.page_bytes = UINT64_C(1) << level_shift(shape, level);
            walk.gpa = leaf_address(walk.paging, level, entry, walk.page_bytes) |
                       (walk.gva & (walk.page_bytes - 1));
            return walk;
        }
        table_gpa = shape->entry_bytes == 4 ? entry & 0xfffff000 : entry & ADDR_4K_MASK;
    }
    return walk; /* level 1 is always a leaf: not reached */
}

bool walk_load_pdptes(const struct walk_regs *regs, walk_read_fn read, void *context,
                      uint64_t pdpte[4])
{
    uint64_t table_gpa = root_table(GUEST_PAGING_PAE, regs->cr3);
    uint64_t reserved = reserved_bits(GUEST_PAGING_PAE, regs, 3, false);

    for (unsigned i = 0; i < 4; i++) {
        if (!read(context, table_gpa + i * 8, &pdpte[i], 8))
            return false;
        if (pdpte[i] & PTE_P && pdpte[i] & reserved)
            return false;
    }
    return true;
}
