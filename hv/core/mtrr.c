/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads the fixed, variable and default MTRRs and answers the type of a page. Guest writes to MTRRs
 * go to hardware and change nothing here: the nested map is built once.
 */
#include "core/mtrr.h"

#include "cpu/cpu.h"

#define MSR_MTRR_CAP      0xfeu
#define MSR_MTRR_PHYSBASE 0x200u
#define MSR_MTRR_DEF_TYPE 0x2ffu

#define CAP_VAR_COUNT  UINT64_C(0xff)
#define CAP_FIXED      (UINT64_C(1) << 8)
#define DEF_ENABLED    (UINT64_C(1) << 11)
#define DEF_FIXED      (UINT64_C(1) << 10)
#define PHYSMASK_VALID (UINT64_C(1) << 11)

#define LOW_MEMORY_BYTES (UINT64_C(1) << 20)
#define VAR_MAX          32

/* Filled once by mtrr_init(). */
static struct {
    bool present, fixed;
    uint8_t default_type;
    unsigned var_count;
    struct {
        uint64_t base, size;
        uint8_t type;
    } var[VAR_MAX];
    uint8_t fixed_type[256]; /* per 4 KiB page of the first MiB */
} mtrr;

/* The eleven fixed-range MSRs, eight ranges each. */
static const struct {
    uint32_t msr, base;
    uint32_t range_bytes;
} fixed_rows[] = {
    {0x250, 0x00000, 0x10000}, {0x258, 0x80000, 0x4000}, {0x259, 0xa0000, 0x4000},
    {0x268, 0xc0000, 0x1000},  {0x269, 0xc8000, 0x1000}, {0x26a, 0xd0000, 0x1000},
    {0x26b, 0xd8000, 0x1000},  {0x26c, 0xe0000, 0x1000}, {0x26d, 0xe8000, 0x1000},
    {0x26e, 0xf0000, 0x1000},  {0x26f, 0xf8000, 0x1000},
};

static void read_fixed(void)
{
    for (unsigned i = 0; i < sizeof fixed_rows / sizeof fixed_rows[0]; i++) {
        uint64_t value;

        if (rdmsr_safe(fixed_rows[i].msr, &value) != 0)
            return;
        for (unsigned n = 0; n < 8; n++) {
            uint32_t first = (fixed_rows[i].base + n * fixed_rows[i].range_bytes) >> 12;

            for (uint32_t page = 0; page < fixed_rows[i].range_bytes >> 12; page++)
                mtrr.fixed_type[first + page] = (uint8_t)(value >> n * 8);
        }
    }
    mtrr.fixed = true;
}

void mtrr_init(uint8_t maxphyaddr_bits)
{
    uint64_t phys_mask = (UINT64_C(1) << maxphyaddr_bits) - 1;
    uint64_t cap, def;

    if (rdmsr_safe(MSR_MTRR_CAP, &cap) != 0 || rdmsr_safe(MSR_MTRR_DEF_TYPE, &def) != 0)
        return;
    mtrr.present = true;
    if (!(def & DEF_ENABLED)) {
        mtrr.default_type = MEM_UC; /* that is what disabled MTRRs mean */
        return;
    }
    mtrr.default_type = def & 7;
    for (unsigned i = 0; i < (cap & CAP_VAR_COUNT) && mtrr.var_count < VAR_MAX; i++) {
        uint64_t base, mask;

        if (rdmsr_safe(MSR_MTRR_PHYSBASE + 2 * i, &base) != 0 ||
            rdmsr_safe(MSR_MTRR_PHYSBASE + 2 * i + 1, &mask) != 0 || !(mask & PHYSMASK_VALID))
            continue;
        mask &= phys_mask & ~UINT64_C(0xfff);
        mtrr.var[mtrr.var_count].base = base & mask;
        mtrr.var[mtrr.var_count].size = (~mask & phys_mask) + 1;
        mtrr.var[mtrr.var_count++].type = base & 7;
    }
    if (cap & CAP_FIXED && def & DEF_FIXED)
        read_fixed();
}

/* SDM, "MTRR Precedences". */
static uint8_t combine(uint8_t a, uint8_t b)
{
    if (a == b)
        return a;
    if ((a == MEM_WT && b == MEM_WB) || (a == MEM_WB && b == MEM_WT))
        return MEM_WT;
    return MEM_UC;
}

struct mtrr_answer mtrr_type(uint64_t base_gpa, uint64_t size_bytes)
{
    struct mtrr_answer answer = {.type = mtrr.default_type, .uniform = true};
    uint64_t end = base_gpa + size_bytes;
    bool matched = false;

    if (!mtrr.present)
        return (struct mtrr_answer){.type = MEM_WB, .uniform = true};
    if (mtrr.fixed && base_gpa < LOW_MEMORY_BYTES)
        return (struct mtrr_answer){.type = mtrr.fixed_type[base_gpa >> 12],
                                    .uniform = size_bytes <= 4096};
    for (unsigned i = 0; i < mtrr.var_count; i++) {
        uint64_t first = mtrr.var[i].base, last = first + mtrr.var[i].size;

        if (end <= first || base_gpa >= last)
            continue;
        if (base_gpa < first || end > last)
            answer.uniform = false;
        if (base_gpa >= first) {
            answer.type = matched ? combine(answer.type, mtrr.var[i].type) : mtrr.var[i].type;
            matched = true;
        }
    }
    return answer;
}
