/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The walk of guest page tables, as a pure function of the paging registers and a way to read
 * physical memory. Used by guest_mem.c, and by host tests with a fake memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum guest_paging {
    GUEST_PAGING_NONE,
    GUEST_PAGING_32,
    GUEST_PAGING_PAE,
    GUEST_PAGING_4,
    GUEST_PAGING_5
};

struct walk_regs {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t pdpte[4]; /* the CPU's PDPTEs (VMX guest-state area) */
    bool pdpte_valid;  /* false: read them from memory at CR3 */
    bool pdpte_a_set;  /* the CPU sets A in PDPTEs in memory, though the bit is reserved there */
    uint8_t maxphyaddr_bits;
    bool page_1g; /* CPUID: 1 GiB pages exist */
};

enum walk_result {
    WALK_OK,
    WALK_NOT_PRESENT,   /* an entry with P=0 */
    WALK_RESERVED,      /* a reserved bit set in an entry */
    WALK_NON_CANONICAL, /* 4- or 5-level paging, upper bits do not repeat the top bit */
    WALK_BAD_TABLE,     /* a table lies outside guest RAM */
};

struct walk_level {
    uint8_t level; /* 5 PML5, 4 PML4, 3 PDPT, 2 PD, 1 PT */
    uint8_t entry_bytes;
    uint64_t entry_gpa; /* where the entry was read; ~0 for a PDPTE taken from the CPU */
    uint64_t entry;
};

struct guest_walk {
    enum walk_result result;
    enum guest_paging paging;
    uint8_t level_count;          /* entries read; the last one decided */
    struct walk_level level[5];   /* from the root down */
    uint64_t gva, gpa;            /* gpa valid for WALK_OK */
    uint64_t page_bytes;          /* size of the page found */
    bool writable, user, execute; /* combined rights of all levels (W, U/S, not XD) */
};

/* Reads len_bytes (4 or 8) of physical memory; false when the range is no RAM. */
typedef bool (*walk_read_fn)(void *context, uint64_t gpa, void *buf, size_t len_bytes);

/* Walks for gva; sets no accessed or dirty bits. The entries on the way are in the answer, also of a walk
 * that fails. */
struct guest_walk walk_guest(const struct walk_regs *regs, uint64_t gva, walk_read_fn read,
                             void *context);

/* Which paging these registers ask for. */
enum guest_paging walk_paging(const struct walk_regs *regs);

/* Loads the four PDPTEs of a PAE guest from cr3. False when one has a reserved bit (#GP in the guest)
 * or the table is no RAM. SDM, "PDPTE Registers". */
bool walk_load_pdptes(const struct walk_regs *regs, walk_read_fn read, void *context,
                      uint64_t pdpte[4]);
