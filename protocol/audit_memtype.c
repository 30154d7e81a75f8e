/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `audit memtype`: the nested map's memory types against the MTRRs as they are now. Written apart from
 * hv/core/mtrr.c, which made the map: one must not repeat the other's mistake.
 */
#include "protocol/audit.h"

#include "protocol/audit_make.h"

enum { TYPE_UC = 0, TYPE_WT = 4, TYPE_WB = 6 };

#define DEF_ENABLED   (UINT64_C(1) << 11)
#define DEF_FIXED     (UINT64_C(1) << 10)
#define CAP_FIXED     (UINT64_C(1) << 8)
#define MASK_VALID    (UINT64_C(1) << 11)
#define FIXED_END_GPA UINT64_C(0x100000)

const uint32_t audit_fixed_msrs[AUDIT_MTRR_FIXED] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                                     0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

static const char *type_name(uint8_t type)
{
    static const char *const names[8] = {"UC", "WC", "?2", "?3", "WT", "WP", "WB", "UC-"};

    return names[type & 7];
}

/* SDM, "Fixed Range MTRRs": one of 64 KiB ranges, two of 16 KiB, eight of 4 KiB. */
static uint8_t fixed_type(const struct audit_mtrrs *m, uint64_t gpa, uint64_t *until_gpa)
{
    unsigned msr, slot;

    if (gpa < 0x80000) {
        msr = 0;
        slot = (unsigned)(gpa >> 16);
        *until_gpa = (gpa | 0xffff) + 1;
    } else if (gpa < 0xc0000) {
        msr = 1 + (unsigned)(gpa >> 17 & 1);
        slot = gpa >> 14 & 7;
        *until_gpa = (gpa | 0x3fff) + 1;
    } else {
        msr = 3 + (unsigned)((gpa - 0xc0000) >> 15);
        slot = gpa >> 12 & 7;
        *until_gpa = (gpa | 0xfff) + 1;
    }
    return (uint8_t)(m->fixed[msr] >> 8 * slot);
}

/* SDM, "MTRR Precedences" */
static uint8_t overlap(uint8_t a, uint8_t b)
{
    if (a == b)
        return a;
    if (a == TYPE_UC || b == TYPE_UC)
        return TYPE_UC;
    if ((a == TYPE_WT || a == TYPE_WB) && (b == TYPE_WT || b == TYPE_WB))
        return TYPE_WT;
    return TYPE_UC; /* undefined by the manual; the safe one */
}

uint8_t audit_mtrr_type(const struct audit_mtrrs *m, uint64_t gpa, uint64_t *until_gpa)
{
    uint64_t limit = UINT64_C(1) << m->maxphyaddr_bits, page = UINT64_C(0xfff);
    uint8_t type = 0;
    bool matched = false;

    *until_gpa = limit;
    if (!(m->def_type & DEF_ENABLED))
        return TYPE_UC;
    if (gpa < FIXED_END_GPA && m->cap & CAP_FIXED && m->def_type & DEF_FIXED)
        return fixed_type(m, gpa, until_gpa);
    for (unsigned i = 0; i < (m->cap & 0xff) && i < AUDIT_MTRR_VAR_MAX; i++) {
        uint64_t mask = m->mask[i] & (limit - 1) & ~page, step = mask & (~mask + 1), edge;

        if (!(m->mask[i] & MASK_VALID))
            continue;
        /* the mask's lowest bit is the unit in which membership can change */
        edge = step ? (gpa & ~(step - 1)) + step : limit;
        if (((gpa ^ m->base[i]) & mask) == 0) {
            type = matched ? overlap(type, m->base[i] & 7) : m->base[i] & 7;
            matched = true;
        } else if ((mask | (step - 1)) == limit - 1) { /* one range: not reached yet, or passed */
            edge = gpa < (m->base[i] & mask) ? m->base[i] & mask : limit;
        }
        if (edge < *until_gpa)
            *until_gpa = edge;
    }
    return matched ? type : (uint8_t)(m->def_type & 7);
}

static void flush(struct audit_memtype *run)
{
    char buf[AUDIT_LINE_MAX];
    struct text t;

    if (!run->open)
        return;
    t = audit_begin(run->out, buf);
    text_hex_digits(&t, run->from_gpa, 10);
    text_char(&t, '-');
    text_hex_digits(&t, run->to_gpa - 1, 10);
    text_str(&t, "  MTRRs ");
    text_str(&t, type_name(run->mtrr_type));
    if (run->nested_has_type) {
        text_str(&t, "  EPT ");
        text_str(&t, type_name(run->nested_type));
    }
    run->out->checked++;
    if (run->nested_has_type && run->nested_type != run->mtrr_type) {
        text_str(&t, "  DISAGREE");
        audit_found(run->out, &t);
    } else {
        run->out->line(run->out->ctx, buf);
    }
    run->open = false;
}

void audit_memtype_add(struct audit_memtype *run, uint64_t from_gpa, uint64_t to_gpa,
                       uint8_t nested_type, uint8_t mtrr_type)
{
    if (run->open && run->to_gpa == from_gpa && run->nested_type == nested_type &&
        run->mtrr_type == mtrr_type) {
        run->to_gpa = to_gpa;
        return;
    }
    flush(run);
    run->open = true;
    run->from_gpa = from_gpa;
    run->to_gpa = to_gpa;
    run->nested_type = nested_type;
    run->mtrr_type = mtrr_type;
}

void audit_memtype_end(struct audit_memtype *run)
{
    flush(run);
    if (!run->nested_has_type)
        run->out->line(run->out->ctx,
                       "nested page tables carry no memory type here: the MTRRs act on the guest "
                       "by themselves (APM, \"Nested Paging and Memory Types\")");
}
