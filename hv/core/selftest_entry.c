/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The entry self-test: asks the rules, lets the CPU try, compares, reports. States and damage come
 * from selftest_state.c.
 */
#include "core/selftest_entry.h"

#include "core/cpu_facts.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "protocol/tables.h"

#define PRINTED_MAX 20u /* disagreements spelled out; all are counted */

/*
 * Rules that an emulator is known not to apply as the manual says: there a violation may or may not
 * fail the entry. Each row stands in tests/README.md with its evidence.
 */
static bool always(const struct snapshot *s)
{
    (void)s;
    return true;
}

static bool ss_is_unusable(const struct snapshot *s)
{
    return s->field[VMCS_ROW_guest_ss_rights] >> 16 & 1;
}

static bool not_ia32e(const struct snapshot *s)
{
    return !(s->field[VMCS_ROW_entry_controls] >> 9 & 1);
}

static bool in_hlt(const struct snapshot *s)
{
    return s->field[VMCS_ROW_guest_activity] == 1;
}

/* VMCB layout: S is bit 4. */
static bool svm_cs_is_system(const struct snapshot *s)
{
    return !(s->field[VMCB_ROW_guest_cs_rights] >> 4 & 1);
}

static const struct deviation {
    const char *platform, *rule;
    uint64_t bits;
    bool (*condition)(const struct snapshot *s);
} deviations[] = {
#define DEVIATION(platform_, rule_, bits_, condition_, evidence_)                                  \
    {platform_, rule_, bits_, condition_},
#include "core/selftest_deviations.def"
};

/* What the CPU may do, and what it did, in the same bits. */
enum {
    CAN_ENTER = 1 << 0,
    CAN_VMFAIL_7 = 1 << 1,
    CAN_VMFAIL_8 = 1 << 2,
    CAN_GUEST = 1 << 3,
    CAN_PDPTE = 1 << 4,
    CAN_NMI = 1 << 5,
    CAN_LINK = 1 << 6,
    CAN_MSR = 1 << 7,
    CAN_INVALID = 1 << 8,
    CAN_OTHER = 1 << 9, /* nothing that the manual knows */
};

static const char *const can_names[] = {"enter", "error-7", "error-8", "33/0",    "33/2",
                                        "33/3",  "33/4",    "34",      "invalid", "other"};

static bool cs_rpl_misfits_dpl(const struct snapshot *s)
{
    uint64_t rights = s->svm ? 0 : s->field[VMCS_ROW_guest_cs_rights];
    unsigned rpl = s->field[VMCS_ROW_guest_cs_selector] & 3, dpl = rights >> 5 & 3;
    bool conforming = (rights & 0xf) == 13 || (rights & 0xf) == 15;
    bool other_code = (rights & 0xf) == 9 || (rights & 0xf) == 11;

    return !(s->field[VMCS_ROW_guest_rflags] & RFLAGS_VM) &&
           ((other_code && rpl != dpl) || (conforming && rpl < dpl));
}

static bool enters_smm(const struct snapshot *s)
{
    return !s->svm && s->field[VMCS_ROW_entry_controls] >> 10 & 1;
}

/* The manual leaves this one to the CPU (SDM, "Checks on Guest Non-Register State"). */
static bool nmi_under_sti(const struct snapshot *s)
{
    return !s->svm && (s->field[VMCS_ROW_entry_intr_info] >> 8 & 7) == 2 &&
           s->field[VMCS_ROW_entry_intr_info] >> 31 & 1 &&
           s->field[VMCS_ROW_guest_interruptibility] & 1;
}

/* VMCB layout: L is bit 9, D bit 10. */
static bool svm_l_and_d(const struct snapshot *s)
{
    return s->svm && (s->field[VMCB_ROW_guest_cs_rights] >> 9 & 3) == 3;
}

static bool svm_tce(const struct snapshot *s)
{
    return s->svm && s->field[VMCB_ROW_guest_efer] >> 15 & 1;
}

static const struct stricter {
    const char *platform;
    bool (*condition)(const struct snapshot *s);
    unsigned can;
} stricter[] = {
#define STRICTER(platform_, condition_, can_, evidence_) {platform_, condition_, can_},
#include "core/selftest_deviations.def"
};

struct totals {
    uint32_t tried, entered, failed, not_tried, deviated, disagreed;
    uint32_t hits[256]; /* by rule */
};

static struct totals totals;
static struct entry_state state;
static struct snapshot snapshot;
static struct rule_finding findings[RULES_FINDINGS_MAX];

static const struct deviation *deviation_of(const struct rule *rule)
{
    for (unsigned i = 0; i < sizeof(deviations) / sizeof(deviations[0]); i++)
        if (!strcmp(deviations[i].platform, hv_caps.platform) &&
            !strcmp(deviations[i].rule, rule->id))
            return &deviations[i];
    return NULL;
}

static bool deviates(const struct rule_finding *f)
{
    const struct deviation *d = deviation_of(f->rule);

    return d && !((f->must_set | f->must_clear) & ~d->bits) && d->condition(&snapshot);
}

static unsigned can_of_group(enum rule_group group)
{
    static const unsigned cans[RULE_GROUP_COUNT] = {
        [RULE_CONTROLS] = CAN_VMFAIL_7, [RULE_HOST] = CAN_VMFAIL_8, [RULE_GUEST] = CAN_GUEST,
        [RULE_PDPTE] = CAN_PDPTE,       [RULE_NMI] = CAN_NMI,       [RULE_LINK] = CAN_LINK,
        [RULE_MSR_LOAD] = CAN_MSR,      [RULE_VMRUN] = CAN_INVALID,
    };

    return cans[group];
}

/* Checks of controls and host state may be made in any order, those of guest state likewise; the
 * second block is reached only when the first found nothing, the MSR list only after both. */
static unsigned stage_of(enum rule_group group)
{
    return group <= RULE_HOST ? 0 : group <= RULE_LINK ? 1 : 2;
}

/* What this platform may do on top of what the rules say. */
static unsigned stricter_cans(void)
{
    unsigned can = 0;

    for (unsigned i = 0; i < sizeof(stricter) / sizeof(stricter[0]); i++)
        if (!strcmp(stricter[i].platform, hv_caps.platform) && stricter[i].condition(&snapshot))
            can |= stricter[i].can;
    return can;
}

/* All that may happen (*msr_entries: which entries of the list may fail); *deviation is set when a rule counted that this platform may ignore. */
static unsigned predict(unsigned count, uint32_t *msr_entries, bool *deviation)
{
    unsigned can = 0, decided = 3; /* the first stage with a rule that surely fails */

    *msr_entries = 0;
    *deviation = false;
    for (unsigned i = 0; i < count; i++)
        if (!findings[i].cannot_tell && !deviates(&findings[i]) &&
            stage_of(findings[i].rule->group) < decided)
            decided = stage_of(findings[i].rule->group);
    for (unsigned i = 0; i < count; i++) {
        const struct rule_finding *f = &findings[i];

        if (f->cannot_tell || stage_of(f->rule->group) > decided)
            continue;
        can |= can_of_group(f->rule->group);
        *deviation |= deviates(f);
        if (f->list_entry)
            *msr_entries |= 1u << f->list_entry;
    }
    if (decided > 0)
        can |= stricter_cans();
    return decided == 3 ? can | CAN_ENTER : can;
}

static unsigned observed(const struct vcpu *vcpu, uint32_t msr_entries)
{
    const struct hv_exit *e = &vcpu->exit;

    if (e->kind != HV_EXIT_ENTRY_FAILURE)
        return CAN_ENTER;
    if (hv_backend == &svm_backend)
        return CAN_INVALID;
    if (e->entry.instr_error)
        return e->entry.instr_error == 7   ? CAN_VMFAIL_7
               : e->entry.instr_error == 8 ? CAN_VMFAIL_8
                                           : CAN_OTHER;
    switch ((uint32_t)e->raw_reason & 0xffff) {
    case 33:
        return e->raw_info[0] == 0   ? CAN_GUEST
               : e->raw_info[0] == 2 ? CAN_PDPTE
               : e->raw_info[0] == 3 ? CAN_NMI
               : e->raw_info[0] == 4 ? CAN_LINK
                                     : CAN_OTHER;
    case 34:
        return e->raw_info[0] < 32 && (msr_entries >> e->raw_info[0] & 1) ? CAN_MSR : CAN_OTHER;
    default:
        return CAN_OTHER;
    }
}

/* Writes the state into the VMCS or VMCB and the list, and the same into the snapshot, read back. */
static void load(struct vcpu *vcpu, struct snapshot_msr *list)
{
    unsigned count;
    const struct tl_field *fields = tl_fields(snapshot.svm ? TL_SVM : TL_VMX, &count);

    for (unsigned i = 0; i < count; i++) {
        uint64_t value;

        if (!state.used[i])
            continue;
        hv_backend->field_write(vcpu, fields[i].number, state.value[i]);
        if (hv_backend->field_read(vcpu, fields[i].number, &value) == 0)
            snapshot_set(&snapshot, (uint16_t)i, value);
    }
    memcpy(list, state.list.entries, sizeof state.list.entries);
    snapshot.entry_load = state.list;
}

static void text_cans(unsigned can, char *buf, size_t cap_bytes)
{
    size_t at = 0;

    buf[0] = 0;
    for (unsigned i = 0; i < sizeof(can_names) / sizeof(can_names[0]); i++)
        if (can >> i & 1 && at + 12 < cap_bytes)
            at += fmt_str(buf + at, cap_bytes - at, "%s%s", at ? "|" : "", can_names[i]);
}

static void print_disagreement(uint64_t seed, uint32_t step, const struct entry_case *c,
                               unsigned predicted, const struct vcpu *vcpu, unsigned actual,
                               unsigned count)
{
    char wanted[100], got[100], changes[300];
    unsigned rows;
    const struct tl_field *fields = tl_fields(snapshot.svm ? TL_SVM : TL_VMX, &rows);
    size_t at = 0;

    text_cans(predicted, wanted, sizeof wanted);
    text_cans(actual, got, sizeof got);
    changes[0] = 0;
    for (unsigned i = 0; i < c->count && at < sizeof changes; i++) {
        const struct entry_change *change = &c->change[i];

        if (change->row == SNAPSHOT_ABSENT_ROW)
            at += fmt_str(changes + at, sizeof changes - at, " list[%u]=%#x:%#lx",
                          change->list_entry + 1u, state.list.entries[change->list_entry].index,
                          (unsigned long)change->value);
        else
            at += fmt_str(changes + at, sizeof changes - at, " %s=%#lx", fields[change->row].name,
                          (unsigned long)change->value);
    }
    log_error("selftest: disagree seed=%lu step=%u mode=%s rules-say=%s cpu-did=%s reason=%#lx "
              "info=%#lx first-rule=%s changes:%s",
              (unsigned long)seed, step, c->mode, wanted, got, (unsigned long)vcpu->exit.raw_reason,
              (unsigned long)vcpu->exit.raw_info[0], count ? findings[0].rule->id : "none",
              changes);
}

/* Each damaged field of the hypervisor's own has a rule against it: the CPU will not use it. */
static bool dangers_refused(const struct entry_case *c, unsigned count)
{
    for (unsigned i = 0; i < c->count; i++) {
        bool refused = false;

        if (c->change[i].row == SNAPSHOT_ABSENT_ROW || !entry_row_is_dangerous(c->change[i].row))
            continue;
        for (unsigned f = 0; f < count; f++)
            refused |= !findings[f].cannot_tell && findings[f].row == c->change[i].row;
        if (!refused)
            return false;
    }
    return true;
}

static void count_hits(const uint64_t hits[4])
{
    for (unsigned i = 0; i < 256; i++)
        totals.hits[i] += hits[i / 64] >> (i % 64) & 1;
}

static void one(struct vcpu *vcpu, struct snapshot_msr *list, uint64_t seed, uint32_t step)
{
    uint64_t hits[4] = {0};
    struct rules_count rules;
    struct entry_case c;
    uint32_t msr_entries;
    unsigned can, did;
    bool deviation;

    entry_seed(seed * 1000003 + step);
    c = entry_make(&state, step);
    load(vcpu, list);
    cpu_facts_in_memory(&snapshot);
    rules = rules_run(&snapshot, findings, RULES_FINDINGS_MAX, hits);
    can = predict(rules.stored, &msr_entries, &deviation);
    if (rules.untold || entry_is_deadly(&state) || !dangers_refused(&c, rules.stored) ||
        ((can & CAN_ENTER) && !entry_is_safe(&state))) {
        totals.not_tried++;
        return;
    }
    vcpu->dead = false;
    for (unsigned i = 0; i < c.count; i++) /* the last lines when a state takes the machine down */
        log_debug("selftest: step %u %s, row %u = %#lx, may %x", step, c.mode, c.change[i].row,
                  (unsigned long)c.change[i].value, can);
    hv_backend->run(vcpu);
    did = observed(vcpu, msr_entries);
    totals.tried++;
    if (did & CAN_ENTER)
        totals.entered++;
    else
        totals.failed++;
    count_hits(hits);
    if (can & did) {
        totals.deviated += deviation && (did & CAN_ENTER);
        return;
    }
    if (totals.disagreed++ < PRINTED_MAX)
        print_disagreement(seed, step, &c, can, vcpu, did, rules.stored);
}

static void print_coverage(void)
{
    const struct rule *rules = snapshot.svm ? rules_svm : rules_vmx;
    unsigned count = snapshot.svm ? rules_svm_count : rules_vmx_count, never = 0;

    for (unsigned i = 0; i < count; i++) {
        log_error("selftest: rule %-34s %u%s", rules[i].id, totals.hits[i],
                  deviation_of(&rules[i]) ? " (this machine deviates)" : "");
        never += !totals.hits[i];
    }
    log_error("selftest: rules %u, never violated %u", count, never);
}

/* QEMU's isa-debug-exit, Bochs' shutdown port; elsewhere the CPU just stops. */
static _Noreturn void leave(bool good)
{
    static const char word[] = "Shutdown";

    tsc_delay_us(50000); /* the last characters are still in the UART */
    out8(0xf4, good ? 0x10 : 0x11);
    for (unsigned i = 0; i < sizeof word - 1; i++)
        out8(0x8900, (uint8_t)word[i]);
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void selftest_entry(struct vcpu *vcpu, uint64_t seed, uint32_t count)
{
    void *empty_root = pages_alloc(1), *pages = pages_alloc(2);

    if (!empty_root || !pages)
        hv_panic("selftest: no page left");
    snapshot_clear(&snapshot, hv_backend == &svm_backend);
    cpu_facts(&snapshot);
    vcpu->as_is = true;
    entry_base(vcpu, virt_to_phys(empty_root), virt_to_phys(pages), &snapshot);
    /* the first page stays zero (virtual APIC, CR3); the MSR list lies on the second */
    for (uint32_t step = 0; step < count; step++)
        one(vcpu, (struct snapshot_msr *)((uint8_t *)pages + PAGE_BYTES), seed, step);
    print_coverage();
    log_error("selftest: entry %s seed=%lu states=%u tried=%u entered=%u failed=%u not-tried=%u "
              "deviations=%u disagreements=%u",
              hv_backend->name, (unsigned long)seed, count, totals.tried, totals.entered,
              totals.failed, totals.not_tried, totals.deviated, totals.disagreed);
    leave(!totals.disagreed);
}
