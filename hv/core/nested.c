/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One table builder for both vendors; how an entry looks is a row. Memory types follow the MTRRs
 * where the vendor's entries carry one (EPT); under NPT the MTRRs act by themselves.
 */
#include "core/nested.h"

#include "core/backend.h"
#include "core/mtrr.h"
#include "core/seeded.h"
#include "cpu/mem.h"
#include "cpu/x86.h"

#define LEVELS        4
#define ENTRIES       512u
#define LARGE         (UINT64_C(1) << 7)
#define SEEDED_GPA    UINT64_C(0xb8000) /* the page that `fault=ept-misconfig` breaks */
#define EPT_READ      (UINT64_C(1) << 0)
#define EPT_WRITE     (UINT64_C(1) << 1)
#define EPT_EXEC      (UINT64_C(1) << 2)
#define EPT_TYPE_BITS 3

struct nested_format {
    bool has_memory_type;
    uint64_t table;     /* flags of an entry that points to a table */
    uint64_t rights[8]; /* leaf flags by HV_READ | HV_WRITE | HV_EXEC */
    uint64_t present;   /* any of these bits: the entry is there */
};

/* EPT: SDM, "Format of EPT PTE". A page without read is absent here too: write-only is illegal and
 * execute-only optional. */
static const struct nested_format ept_format = {
    .has_memory_type = true,
    .table = EPT_READ | EPT_WRITE | EPT_EXEC,
    .rights = {[HV_READ] = EPT_READ,
               [HV_READ | HV_WRITE] = EPT_READ | EPT_WRITE,
               [HV_READ | HV_EXEC] = EPT_READ | EPT_EXEC,
               [HV_READ | HV_WRITE | HV_EXEC] = EPT_READ | EPT_WRITE | EPT_EXEC},
    .present = EPT_READ | EPT_WRITE | EPT_EXEC,
};

/* NPT: APM vol. 2, "Nested Paging": guest accesses count as user accesses. A and D are set, so that
 * the CPU never has to. */
#define NPT_PAGE (PTE_P | PTE_U | PTE_A | PTE_D)
static const struct nested_format npt_format = {
    .table = PTE_P | PTE_W | PTE_U | PTE_A,
    .rights = {[HV_READ] = NPT_PAGE | PTE_NX,
               [HV_READ | HV_WRITE] = NPT_PAGE | PTE_W | PTE_NX,
               [HV_READ | HV_EXEC] = NPT_PAGE,
               [HV_READ | HV_WRITE | HV_EXEC] = NPT_PAGE | PTE_W},
    .present = PTE_P,
};

/* Chosen and built once by nested_init(). */
static const struct nested_format *format;
static uint64_t *root;
static uint64_t mapped_end_gpa; /* above it pages are mapped when they are first used */

static uint64_t level_bytes(unsigned level)
{
    return UINT64_C(1) << (12 + 9 * (level - 1));
}

static unsigned level_index(uint64_t gpa, unsigned level)
{
    return gpa >> (12 + 9 * (level - 1)) & (ENTRIES - 1);
}

static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || entry & LARGE;
}

static uint64_t *table_of(uint64_t entry)
{
    return phys_to_virt(entry & PTE_ADDR_MASK);
}

static uint64_t leaf_entry(uint64_t gpa, unsigned level, uint8_t rights, uint8_t type)
{
    uint64_t entry = format->rights[rights & 7];

    if (!entry)
        return 0;
    entry |= gpa | (level > 1 ? LARGE : 0);
    if (format->has_memory_type)
        entry |= (uint64_t)type << EPT_TYPE_BITS;
    return entry;
}

/* Replaces a large leaf (or nothing) by a table that says the same. */
static uint64_t *split(uint64_t *entry, unsigned level)
{
    uint64_t *table = pages_alloc(1);
    uint64_t old = *entry, flags;

    if (!table)
        return NULL;
    if (old & format->present) {
        flags = old & ~PTE_ADDR_MASK;
        if (level - 1 == 1)
            flags &= ~LARGE;
        for (unsigned i = 0; i < ENTRIES; i++)
            table[i] = (old & PTE_ADDR_MASK & ~(level_bytes(level) - 1)) +
                       i * level_bytes(level - 1) + flags;
    }
    *entry = virt_to_phys(table) | format->table;
    return table;
}

/* The entry for gpa at `level`, making tables on the way. NULL: no memory. */
static uint64_t *entry_at(uint64_t gpa, unsigned level)
{
    uint64_t *table = root;

    for (unsigned at = LEVELS; at > level; at--) {
        uint64_t *entry = &table[level_index(gpa, at)];

        if (*entry & format->present && !is_leaf(*entry, at))
            table = table_of(*entry);
        else
            table = split(entry, at);
        if (!table)
            return NULL;
    }
    return &table[level_index(gpa, level)];
}

/* Maps the largest page that starts at gpa and has one memory type. Returns its size, 0: no memory. */
static uint64_t map_page(uint64_t gpa, uint64_t end_gpa)
{
    for (unsigned level = hv_caps.nested_1g ? 3 : 2; level > 0; level--) {
        uint64_t size = level_bytes(level);
        struct mtrr_answer type = {.type = MEM_WB, .uniform = true};
        uint64_t *entry;

        if (gpa & (size - 1) || end_gpa - gpa < size)
            continue;
        if (format->has_memory_type)
            type = mtrr_type(gpa, size);
        if (level > 1 && !type.uniform)
            continue;
        entry = entry_at(gpa, level);
        if (!entry)
            return 0;
        *entry = leaf_entry(gpa, level, HV_READ | HV_WRITE | HV_EXEC, type.type);
        return size;
    }
    return 0;
}

static bool map_range(uint64_t gpa, uint64_t end_gpa)
{
    while (gpa < end_gpa) {
        uint64_t size = map_page(gpa, end_gpa);

        if (!size)
            return false;
        gpa += size;
    }
    return true;
}

const char *nested_init(uint64_t *root_hpa)
{
    uint64_t gib = UINT64_C(1) << 30;

    format = hv_caps.pending_debug ? &ept_format : &npt_format;
    if (format->has_memory_type)
        mtrr_init(hv_caps.maxphyaddr_bits);
    mapped_end_gpa = (hv_phys_limit_hpa + gib - 1) & ~(gib - 1);
    if (mapped_end_gpa < 4 * gib)
        mapped_end_gpa = 4 * gib;
    root = pages_alloc(1);
    if (!root || !map_range(0, mapped_end_gpa) ||
        !nested_protect(hv_range.base_hpa, hv_range.size_bytes, 0))
        return "no memory for the nested page map: the machine has more RAM than our page pool can "
               "map";
    if (seeded(SEEDED_ept_misconfig) && format->has_memory_type) {
        uint64_t *entry = entry_at(SEEDED_GPA, 1);

        if (entry)
            *entry = (*entry & ~EPT_READ) | EPT_WRITE;
    }
    *root_hpa = virt_to_phys(root);
    return NULL;
}

uint64_t nested_mapped_end(void)
{
    return mapped_end_gpa;
}

void nested_hold(bool on)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (!(root[i] & format->present))
            continue;
        if (format->has_memory_type)
            root[i] = on ? root[i] & ~EPT_EXEC : root[i] | EPT_EXEC;
        else
            root[i] = on ? root[i] | PTE_NX : root[i] & ~PTE_NX;
    }
}

bool nested_protect(uint64_t gpa, uint64_t len_bytes, uint8_t rights)
{
    uint64_t end_gpa = (gpa + len_bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);

    gpa &= ~(uint64_t)(PAGE_BYTES - 1);
    while (gpa < end_gpa) {
        unsigned level = gpa & (level_bytes(2) - 1) || end_gpa - gpa < level_bytes(2) ? 1 : 2;
        uint64_t *entry = entry_at(gpa, level);
        uint8_t type = MEM_WB;

        if (entry && level == 2 && *entry & format->present && !is_leaf(*entry, 2))
            entry = entry_at(gpa, level = 1); /* already split: page by page */
        if (!entry)
            return false;
        if (format->has_memory_type)
            type = mtrr_type(gpa, level_bytes(level)).type;
        *entry = leaf_entry(gpa, level, rights, type);
        gpa += level_bytes(level);
    }
    return true;
}

bool nested_map_lazily(uint64_t gpa)
{
    uint64_t size = level_bytes(2);

    if (gpa < mapped_end_gpa || gpa >> hv_caps.maxphyaddr_bits || gpa >> 48)
        return false;
    gpa &= ~(size - 1);
    return map_range(gpa, gpa + size);
}

struct nested_path nested_walk(uint64_t gpa)
{
    struct nested_path path = {.memory_type = MEM_WB};
    const uint64_t *table = root;

    if (!root || gpa >> 48)
        return path;
    for (unsigned level = LEVELS; level > 0; level--) {
        const uint64_t *entry = &table[level_index(gpa, level)];

        path.level[path.level_count++] = (struct nested_level){
            .level = (uint8_t)level, .entry_hpa = virt_to_phys(entry), .entry = *entry};
        if (!(*entry & format->present))
            return path;
        if (is_leaf(*entry, level)) {
            path.present = true;
            path.page_bytes = level_bytes(level);
            path.hpa =
                (*entry & PTE_ADDR_MASK & ~(path.page_bytes - 1)) | (gpa & (path.page_bytes - 1));
            if (format->has_memory_type) {
                path.rights = *entry & 7; /* R, W, X are HV_READ, HV_WRITE, HV_EXEC */
                path.memory_type = *entry >> EPT_TYPE_BITS & 7;
            } else {
                path.rights =
                    HV_READ | (*entry & PTE_W ? HV_WRITE : 0) | (*entry & PTE_NX ? 0 : HV_EXEC);
            }
            return path;
        }
        table = table_of(*entry);
    }
    return path;
}
