/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rules of guest segment registers. The six code and data segments are looked at in a loop over rows
 * of one table; TR and LDTR have rules of their own.
 */
#include "protocol/rules_run.h"

#define RULE(function, id, group, section, demands) void rule_##function(struct rule_run *run);
#include "protocol/rules_vmx.def"
#undef RULE

struct segment_rows {
    uint16_t selector, base, limit, rights;
};

#define ROWS(name_)                                                                                \
    {                                                                                              \
        VMCS_ROW_guest_##name_##_selector, VMCS_ROW_guest_##name_##_base,                          \
            VMCS_ROW_guest_##name_##_limit, VMCS_ROW_guest_##name_##_rights                        \
    }

enum { CS, SS, DS, ES, FS, GS, SEGMENTS, TR = SEGMENTS, LDTR, ALL };

static const struct segment_rows rows[ALL] = {
    [CS] = ROWS(cs), [SS] = ROWS(ss), [DS] = ROWS(ds), [ES] = ROWS(es),
    [FS] = ROWS(fs), [GS] = ROWS(gs), [TR] = ROWS(tr), [LDTR] = ROWS(ldtr),
};

/* Access rights: type 3:0, S 4, DPL 6:5, P 7, L 13, D/B 14, G 15, unusable 16. */
enum {
    RIGHTS_TYPE = 0xf,
    RIGHTS_S = 1 << 4,
    RIGHTS_P = 1 << 7,
    RIGHTS_L = 1 << 13,
    RIGHTS_DB = 1 << 14,
    RIGHTS_G = 1 << 15,
    RIGHTS_UNUSABLE = 1 << 16,
};
#define RIGHTS_RESERVED UINT64_C(0xfffe0f00)

static uint64_t rights(struct rule_run *run, unsigned n)
{
    return rule_field(run, rows[n].rights);
}

static unsigned dpl(struct rule_run *run, unsigned n)
{
    return rights(run, n) >> 5 & 3;
}

static unsigned rpl(struct rule_run *run, unsigned n)
{
    return rule_field(run, rows[n].selector) & 3;
}

/* CS counts as used even when marked unusable: no rule about it asks for the bit. */
static bool used(struct rule_run *run, unsigned n)
{
    return n == CS || !(rights(run, n) & RIGHTS_UNUSABLE);
}

static bool v86(struct rule_run *run)
{
    return F(guest_rflags) & RFLAGS_VM;
}

void rule_tr_ti(struct rule_run *run)
{
    if (F(guest_tr_selector) & 4)
        rule_bits(run, VMCS_ROW_guest_tr_selector, 0, 4, NULL);
}

void rule_ldtr_ti(struct rule_run *run)
{
    if (used(run, LDTR) && (F(guest_ldtr_selector) & 4))
        rule_bits(run, VMCS_ROW_guest_ldtr_selector, 0, 4, NULL);
}

void rule_ss_rpl(struct rule_run *run)
{
    if (!v86(run) && !rule_unrestricted(run) && rpl(run, SS) != rpl(run, CS))
        rule_clash(run, VMCS_ROW_guest_ss_selector, VMCS_ROW_guest_cs_selector, NULL);
}

void rule_seg_base_v86(struct rule_run *run)
{
    if (!v86(run))
        return;
    for (unsigned n = 0; n < SEGMENTS; n++)
        if (rule_field(run, rows[n].base) != rule_field(run, rows[n].selector) << 4)
            rule_clash(run, rows[n].base, rows[n].selector, NULL);
}

/* Without virtual-8086 mode: FS, GS, TR and a usable LDTR canonical; CS and usable SS, DS, ES 32-bit.
 * FS, GS, TR, LDTR are checked in virtual-8086 mode too. */
void rule_seg_base(struct rule_run *run)
{
    static const uint8_t canonical[] = {FS, GS, TR, LDTR}, low[] = {CS, SS, DS, ES};

    for (unsigned i = 0; i < 4; i++) {
        unsigned n = canonical[i];

        if (n != LDTR || used(run, n))
            rule_canonical_field(run, rows[n].base);
    }
    for (unsigned i = 0; i < 4; i++) {
        uint64_t base = rule_field(run, rows[low[i]].base);

        if (used(run, low[i]) && base >> 32)
            rule_bits(run, rows[low[i]].base, 0, base & ~UINT64_C(0xffffffff), NULL);
    }
}

void rule_seg_limit_v86(struct rule_run *run)
{
    if (!v86(run))
        return;
    for (unsigned n = 0; n < SEGMENTS; n++)
        if (rule_field(run, rows[n].limit) != 0xffff)
            rule_bits(run, rows[n].limit, 0, 0, NULL);
}

void rule_seg_rights_v86(struct rule_run *run)
{
    if (!v86(run))
        return;
    for (unsigned n = 0; n < SEGMENTS; n++)
        if (rights(run, n) != 0xf3)
            rule_bits(run, rows[n].rights, 0xf3 & ~rights(run, n), rights(run, n) & ~UINT64_C(0xf3),
                      NULL);
}

void rule_cs_type(struct rule_run *run)
{
    unsigned type = rights(run, CS) & RIGHTS_TYPE;

    if (v86(run) || type == 9 || type == 11 || type == 13 || type == 15)
        return;
    if (type == 3 && rule_unrestricted(run))
        return;
    rule_bits(run, VMCS_ROW_guest_cs_rights, 0, 0,
              "code, accessed: type 9, 11, 13 or 15 (3 only for an unrestricted guest)");
}

void rule_ss_type(struct rule_run *run)
{
    unsigned type = rights(run, SS) & RIGHTS_TYPE;

    if (!v86(run) && used(run, SS) && type != 3 && type != 7)
        rule_bits(run, VMCS_ROW_guest_ss_rights, 0, 0, "read/write data, accessed: type 3 or 7");
}

void rule_data_type(struct rule_run *run)
{
    if (v86(run))
        return;
    for (unsigned n = DS; n <= GS; n++) {
        uint64_t type = rights(run, n) & RIGHTS_TYPE;

        if (!used(run, n))
            continue;
        if (!(type & 1))
            rule_bits(run, rows[n].rights, 1, 0, "the accessed bit must be set");
        else if ((type & 8) && !(type & 2))
            rule_bits(run, rows[n].rights, 2, 0, "a code segment here must be readable");
    }
}

/* One rights bit that CS and every usable data segment must have set. */
static void bit_set(struct rule_run *run, uint64_t bit)
{
    if (v86(run))
        return;
    for (unsigned n = 0; n < SEGMENTS; n++)
        if (used(run, n) && !(rights(run, n) & bit))
            rule_bits(run, rows[n].rights, bit, 0, NULL);
}

void rule_seg_s(struct rule_run *run)
{
    bit_set(run, RIGHTS_S);
}

void rule_seg_p(struct rule_run *run)
{
    bit_set(run, RIGHTS_P);
}

void rule_cs_dpl(struct rule_run *run)
{
    unsigned type = rights(run, CS) & RIGHTS_TYPE;

    if (v86(run))
        return;
    if (type == 3 && rule_unrestricted(run) && dpl(run, CS))
        rule_bits(run, VMCS_ROW_guest_cs_rights, 0, 3 << 5, NULL);
    else if ((type == 9 || type == 11) && dpl(run, CS) != dpl(run, SS))
        rule_clash(run, VMCS_ROW_guest_cs_rights, VMCS_ROW_guest_ss_rights, NULL);
    else if ((type == 13 || type == 15) && dpl(run, CS) > dpl(run, SS))
        rule_clash(run, VMCS_ROW_guest_cs_rights, VMCS_ROW_guest_ss_rights, NULL);
}

void rule_ss_dpl(struct rule_run *run)
{
    bool real_like = (rights(run, CS) & RIGHTS_TYPE) == 3 || !(F(guest_cr0) & CR0_PE);

    if (v86(run))
        return;
    if (!rule_unrestricted(run) && dpl(run, SS) != rpl(run, SS))
        rule_clash(run, VMCS_ROW_guest_ss_rights, VMCS_ROW_guest_ss_selector, NULL);
    if (real_like && dpl(run, SS))
        rule_bits(run, VMCS_ROW_guest_ss_rights, 0, dpl(run, SS) << 5, NULL);
}

void rule_data_dpl(struct rule_run *run)
{
    if (v86(run) || rule_unrestricted(run))
        return;
    for (unsigned n = DS; n <= GS; n++)
        if (used(run, n) && (rights(run, n) & RIGHTS_TYPE) <= 11 && dpl(run, n) < rpl(run, n))
            rule_clash(run, rows[n].rights, rows[n].selector, NULL);
}

void rule_seg_reserved(struct rule_run *run)
{
    if (v86(run))
        return;
    for (unsigned n = 0; n < SEGMENTS; n++)
        if (used(run, n) && (rights(run, n) & RIGHTS_RESERVED))
            rule_bits(run, rows[n].rights, 0, rights(run, n) & RIGHTS_RESERVED, NULL);
}

void rule_cs_db(struct rule_run *run)
{
    if (!v86(run) && rule_ia32e(run) && (rights(run, CS) & RIGHTS_L) &&
        (rights(run, CS) & RIGHTS_DB))
        rule_bits(run, VMCS_ROW_guest_cs_rights, 0, RIGHTS_DB, NULL);
}

static void granularity(struct rule_run *run, unsigned n)
{
    uint64_t limit = rule_field(run, rows[n].limit);
    bool g = rights(run, n) & RIGHTS_G;

    if (g && (limit & 0xfff) != 0xfff)
        rule_clash(run, rows[n].rights, rows[n].limit,
                   "the limit field is in bytes: with G=1 its low 12 bits are all ones");
    if (!g && limit >> 20)
        rule_clash(run, rows[n].rights, rows[n].limit, "a limit over 1 MiB needs G=1");
}

void rule_seg_g(struct rule_run *run)
{
    if (v86(run))
        return;
    for (unsigned n = 0; n < SEGMENTS; n++)
        if (used(run, n))
            granularity(run, n);
}

void rule_tr_type(struct rule_run *run)
{
    unsigned type = rights(run, TR) & RIGHTS_TYPE;

    if (type != 11 && (type != 3 || rule_ia32e(run)))
        rule_bits(run, VMCS_ROW_guest_tr_rights, 0, 0,
                  "the TSS must be busy: type 11, after reset too (rights 8b, not 83)");
}

/* What TR and LDTR have in common: system segment, present, no reserved bit. */
static void system_segment(struct rule_run *run, unsigned n)
{
    uint64_t value = rights(run, n);

    if ((value & (RIGHTS_S | RIGHTS_P | RIGHTS_RESERVED)) != RIGHTS_P)
        rule_bits(run, rows[n].rights, RIGHTS_P & ~value, value & (RIGHTS_S | RIGHTS_RESERVED),
                  NULL);
    granularity(run, n);
}

void rule_tr_rights(struct rule_run *run)
{
    if (rights(run, TR) & RIGHTS_UNUSABLE)
        rule_bits(run, VMCS_ROW_guest_tr_rights, 0, RIGHTS_UNUSABLE, "TR may never be unusable");
    system_segment(run, TR);
}

void rule_ldtr_rights(struct rule_run *run)
{
    if (!used(run, LDTR))
        return;
    if ((rights(run, LDTR) & RIGHTS_TYPE) != 2)
        rule_bits(run, VMCS_ROW_guest_ldtr_rights, 0, 0, "an LDT is type 2; or mark it unusable");
    system_segment(run, LDTR);
}
