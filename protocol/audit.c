/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `audit cpuid`: what the guest is told against what it can do. The other audits: audit_memtype.c,
 * audit_reset.c.
 */
#include "protocol/audit.h"

#include "protocol/audit_make.h"

#define PROC_ROW_SECONDARY (UINT64_C(1) << 31)

static const struct {
    uint32_t number, subleaf;
} leaves[AUDIT_LEAF_COUNT] = {
    [AUDIT_LEAF_1] = {1, 0},
    [AUDIT_LEAF_7] = {7, 0},
    [AUDIT_LEAF_D1] = {0xd, 1},
    [AUDIT_LEAF_X1] = {0x80000001, 0},
};

/* A bit of CPUID, and what belongs to it. */
struct row {
    const char *name;
    uint8_t leaf, reg, bit, other_bit;
    const char *text;
};

#define AUDIT_ENABLED(name_, leaf_, reg_, bit_, control_bit_, control_)                            \
    {name_, AUDIT_LEAF_##leaf_, AUDIT_##reg_, bit_, control_bit_, control_},
static const struct row enabled_rows[] = {
#include "protocol/audit.def"
};
#undef AUDIT_ENABLED

#define AUDIT_FOLLOWS(name_, leaf_, reg_, bit_, cr4_bit_)                                          \
    {name_, AUDIT_LEAF_##leaf_, AUDIT_##reg_, bit_, cr4_bit_, NULL},
static const struct row follows_rows[] = {
#include "protocol/audit.def"
};
#undef AUDIT_FOLLOWS

#define AUDIT_HIDDEN(name_, leaf_, reg_, bit_, why_)                                               \
    {name_, AUDIT_LEAF_##leaf_, AUDIT_##reg_, bit_, 0, why_},
static const struct row hidden_rows[] = {
#include "protocol/audit.def"
};
#undef AUDIT_HIDDEN

#define AUDIT_CR4(name_, leaf_, reg_, bit_, cr4_bit_)                                              \
    {name_, AUDIT_LEAF_##leaf_, AUDIT_##reg_, bit_, cr4_bit_, NULL},
static const struct row cr4_rows[] = {
#include "protocol/audit.def"
};
#undef AUDIT_CR4

#define ROWS(array_) (sizeof(array_) / sizeof((array_)[0]))

/* The five words of controls, the capability MSR that says which bits may be 1. */
static const struct {
    uint16_t row;
    uint32_t true_msr, msr;
    const char *name;
} controls[] = {
    {VMCS_ROW_pin_controls, 0x48d, 0x481, "pin_controls"},
    {VMCS_ROW_proc_controls, 0x48e, 0x482, "proc_controls"},
    {VMCS_ROW_proc2_controls, 0x48b, 0x48b, "proc2_controls"},
    {VMCS_ROW_exit_controls, 0x48f, 0x483, "exit_controls"},
    {VMCS_ROW_entry_controls, 0x490, 0x484, "entry_controls"},
};

void audit_leaf_number(enum audit_leaf leaf, uint32_t *number, uint32_t *subleaf)
{
    *number = leaves[leaf].number;
    *subleaf = leaves[leaf].subleaf;
}

struct text audit_begin(struct audit_out *out, char *buf)
{
    struct text t;

    (void)out;
    text_init(&t, buf, AUDIT_LINE_MAX);
    return t;
}

void audit_found(struct audit_out *out, const struct text *t)
{
    out->found++;
    out->line(out->ctx, t->buf);
}

void audit_end(struct audit_out *out)
{
    char buf[AUDIT_LINE_MAX];
    struct text t = audit_begin(out, buf);

    text_dec(&t, out->found);
    text_str(&t, " disagreement(s) in ");
    text_dec(&t, out->checked);
    text_str(&t, " checks");
    out->line(out->ctx, buf);
}

static bool shown(const uint32_t words[AUDIT_LEAF_COUNT][4], const struct row *row)
{
    return words[row->leaf][row->reg] >> row->bit & 1;
}

/* "CPUID shows INVPCID (leaf 0x7 EBX bit 10)" */
static struct text begin_row(struct audit_out *out, char *buf, const struct row *row, bool is_shown)
{
    static const char *const regs[] = {" EAX", " EBX", " ECX", " EDX"};
    struct text t = audit_begin(out, buf);

    text_str(&t, is_shown ? "CPUID shows " : "CPUID hides ");
    text_str(&t, row->name);
    text_str(&t, " (leaf ");
    text_hex(&t, leaves[row->leaf].number);
    text_str(&t, regs[row->reg]);
    text_str(&t, " bit ");
    text_dec(&t, row->bit);
    text_char(&t, ')');
    return t;
}

static void judge_enabled(const struct audit_cpuid *facts, struct audit_out *out)
{
    const struct snapshot *s = facts->state;
    uint64_t proc2 = snapshot_has(s, VMCS_ROW_proc2_controls) &&
                             s->field[VMCS_ROW_proc_controls] & PROC_ROW_SECONDARY
                         ? s->field[VMCS_ROW_proc2_controls]
                         : 0;
    char buf[AUDIT_LINE_MAX];

    for (unsigned i = 0; i < ROWS(enabled_rows); i++) {
        const struct row *row = &enabled_rows[i];
        struct text t;

        out->checked++;
        if (!shown(facts->guest, row) || proc2 >> row->other_bit & 1)
            continue;
        t = begin_row(out, buf, row, true);
        text_str(&t, " but its enabling control \"");
        text_str(&t, row->text);
        text_str(&t, "\" (proc2_controls bit ");
        text_dec(&t, row->other_bit);
        text_str(&t, ") is 0: it raises #UD in the guest");
        audit_found(out, &t);
    }
}

static void judge_controls(const struct audit_cpuid *facts, struct audit_out *out)
{
    const struct snapshot *s = facts->state;
    char buf[AUDIT_LINE_MAX];

    for (unsigned i = 0; i < ROWS(controls); i++) {
        uint64_t cap, value = s->field[controls[i].row], wrong;
        struct text t;

        if (!snapshot_has(s, controls[i].row) || (!snapshot_cap(s, controls[i].true_msr, &cap) &&
                                                  !snapshot_cap(s, controls[i].msr, &cap)))
            continue;
        out->checked++;
        wrong = (value & ~(cap >> 32)) | (~value & (uint32_t)cap);
        if (!wrong)
            continue;
        t = audit_begin(out, buf);
        text_str(&t, controls[i].name);
        text_str(&t, " = ");
        text_hex(&t, value);
        text_str(&t, ": the CPU does not offer bits ");
        text_hex(&t, wrong & value);
        text_str(&t, " and demands ");
        text_hex(&t, wrong & ~value);
        audit_found(out, &t);
    }
}

static void judge_follows(const struct audit_cpuid *facts, struct audit_out *out)
{
    char buf[AUDIT_LINE_MAX];

    for (unsigned i = 0; i < ROWS(follows_rows); i++) {
        const struct row *row = &follows_rows[i];
        bool is_shown = shown(facts->guest, row), is_set = facts->cr4_guest >> row->other_bit & 1;
        struct text t;

        out->checked++;
        if (is_shown == is_set)
            continue;
        t = begin_row(out, buf, row, is_shown);
        text_str(&t, " although bit ");
        text_dec(&t, row->other_bit);
        text_str(&t, is_set ? " of the guest's CR4 is 1" : " of the guest's CR4 is 0");
        audit_found(out, &t);
    }
}

static void judge_hidden(const struct audit_cpuid *facts, struct audit_out *out)
{
    char buf[AUDIT_LINE_MAX];

    for (unsigned i = 0; i < ROWS(hidden_rows); i++) {
        struct text t;

        out->checked++;
        if (!shown(facts->guest, &hidden_rows[i]))
            continue;
        t = begin_row(out, buf, &hidden_rows[i], true);
        text_str(&t, ": ");
        text_str(&t, hidden_rows[i].text);
        audit_found(out, &t);
    }
}

static void judge_cr4(const struct audit_cpuid *facts, struct audit_out *out)
{
    char buf[AUDIT_LINE_MAX];

    for (unsigned i = 0; i < ROWS(cr4_rows); i++) {
        const struct row *row = &cr4_rows[i];
        bool is_shown = shown(facts->guest, row);
        bool may_set = facts->cr4_allowed >> row->other_bit & 1;
        struct text t;

        out->checked++;
        if (is_shown == may_set)
            continue;
        t = begin_row(out, buf, row, is_shown);
        text_str(&t, may_set ? " but the guest may set bit " : " but the guest may not set bit ");
        text_dec(&t, row->other_bit);
        text_str(&t, " of CR4");
        audit_found(out, &t);
    }
}

/* What the CPU does not have, no hypervisor can give. The bits that follow the guest's CR4 are no
 * features. */
static void judge_host(const struct audit_cpuid *facts, struct audit_out *out)
{
    char buf[AUDIT_LINE_MAX];

    for (unsigned leaf = 0; leaf < AUDIT_LEAF_COUNT; leaf++) {
        /* leaf 1 EAX, EBX: signature, APIC ID; leaf 7 EAX: subleaves; leaf 0xd: EAX only */
        for (unsigned reg = leaf == AUDIT_LEAF_D1 ? AUDIT_EAX : AUDIT_EBX;
             reg <= (leaf == AUDIT_LEAF_D1 ? AUDIT_EAX : AUDIT_EDX); reg++) {
            uint32_t more = facts->guest[leaf][reg] & ~facts->host[leaf][reg];
            struct text t;

            if (leaf != AUDIT_LEAF_7 && reg == AUDIT_EBX)
                continue;
            for (unsigned i = 0; i < ROWS(follows_rows); i++)
                if (follows_rows[i].leaf == leaf && follows_rows[i].reg == reg)
                    more &= ~(1u << follows_rows[i].bit);
            out->checked++;
            if (!more)
                continue;
            t = audit_begin(out, buf);
            text_str(&t, "CPUID leaf ");
            text_hex(&t, leaves[leaf].number);
            text_str(&t, " shows features that the CPU does not have: bits ");
            text_hex(&t, more);
            audit_found(out, &t);
        }
    }
}

void audit_cpuid(const struct audit_cpuid *facts, struct audit_out *out)
{
    if (!facts->state->svm) {
        judge_enabled(facts, out);
        judge_controls(facts, out);
    }
    judge_follows(facts, out);
    judge_hidden(facts, out);
    judge_cr4(facts, out);
    judge_host(facts, out);
}
