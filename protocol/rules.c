/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Running the rules over a snapshot, what their findings mean for the entry, and their text.
 * The rules themselves: rules_vmx_ctl.c, rules_vmx_host.c, rules_vmx_guest.c, rules_vmx_seg.c,
 * rules_vmx_msr.c, rules_svm.c.
 */
#include "protocol/rules.h"

#include "protocol/rules_run.h"

#define RULE(function, id, group, section, demands) void rule_##function(struct rule_run *run);
#include "protocol/rules_svm.def"
#include "protocol/rules_vmx.def"
#undef RULE

const struct rule rules_vmx[] = {
#define RULE(function_, id_, group_, section_, demands_)                                           \
    {id_, RULE_##group_, section_, demands_, rule_##function_},
#include "protocol/rules_vmx.def"
};
const unsigned rules_vmx_count = sizeof(rules_vmx) / sizeof(rules_vmx[0]);

const struct rule rules_svm[] = {
#include "protocol/rules_svm.def"
#undef RULE
};
const unsigned rules_svm_count = sizeof(rules_svm) / sizeof(rules_svm[0]);

uint64_t rule_field(struct rule_run *run, uint16_t row)
{
    if (snapshot_has(run->s, row))
        return run->s->field[row];
    run->missing = true;
    run->missing_row = row;
    return 0;
}

uint64_t rule_cap(struct rule_run *run, uint32_t index)
{
    uint64_t value = 0;

    if (!snapshot_cap(run->s, index, &value)) {
        run->missing = true;
        run->missing_cap = index;
    }
    return value;
}

uint64_t rule_beyond_maxphyaddr(struct rule_run *run)
{
    unsigned bits = run->s->maxphyaddr_bits;

    if (!bits)
        run->missing = true;
    return bits && bits < 64 ? ~((UINT64_C(1) << bits) - 1) : 0;
}

bool rule_canonical(const struct rule_run *run, uint64_t address)
{
    unsigned shift = 64u - (run->s->linear_bits ? run->s->linear_bits : 48u);

    return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

void rule_canonical_field(struct rule_run *run, uint16_t row)
{
    if (!rule_canonical(run, rule_field(run, row)))
        rule_bits(run, row, 0, 0, "not canonical: the upper bits must copy the highest used one");
}

uint64_t rule_pat_wrong(uint64_t pat)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = pat >> (8 * i) & 0xff;

        if (type > 7 || type == 2 || type == 3)
            return UINT64_C(0xff) << (8 * i);
    }
    return 0;
}

void rule_pat_field(struct rule_run *run, uint16_t row)
{
    uint64_t wrong = rule_pat_wrong(rule_field(run, row));

    if (wrong)
        rule_bits(run, row, 0, wrong, NULL);
}

uint64_t rule_proc2(struct rule_run *run)
{
    return F(proc_controls) & PROC_SECONDARY ? F(proc2_controls) : 0;
}

static struct rule_finding *add(struct rule_run *run)
{
    struct rule_finding *f = run->count < run->max ? &run->findings[run->count] : &run->overflow;

    run->count++;
    *f = (struct rule_finding){
        .rule = run->rule, .row = SNAPSHOT_ABSENT_ROW, .row2 = SNAPSHOT_ABSENT_ROW};
    return f;
}

void rule_bits(struct rule_run *run, uint16_t row, uint64_t must_set, uint64_t must_clear,
               const char *hint)
{
    struct rule_finding *f = add(run);

    f->row = row;
    f->actual = run->s->field[row];
    f->must_set = must_set;
    f->must_clear = must_clear;
    f->hint = hint;
}

void rule_clash(struct rule_run *run, uint16_t row, uint16_t row2, const char *hint)
{
    rule_bits(run, row, 0, 0, hint);
    if (run->count <= run->max)
        run->findings[run->count - 1].row2 = row2;
}

void rule_entry(struct rule_run *run, unsigned entry_number, const struct snapshot_msr *msr,
                const char *hint)
{
    struct rule_finding *f = add(run);

    f->list_entry = (uint16_t)entry_number;
    f->msr = msr->index;
    f->actual = msr->value;
    f->hint = hint;
}

static void add_untold(struct rule_run *run, unsigned untold)
{
    struct rule_finding *f;

    if (untold > run->max / 2)
        return;
    f = add(run);
    f->cannot_tell = true;
    f->row = run->missing_row;
    f->cap = run->missing_cap;
}

struct rules_count rules_run(const struct snapshot *s, struct rule_finding *findings, unsigned max,
                             uint64_t *hits)
{
    struct rule_run run = {.s = s, .findings = findings, .max = max};
    const struct rule *table = s->svm ? rules_svm : rules_vmx;
    unsigned rules = s->svm ? rules_svm_count : rules_vmx_count;
    struct rules_count result = {0, 0, 0};

    for (unsigned i = 0; i < rules; i++) {
        unsigned before = run.count;

        run.rule = &table[i];
        run.missing = false;
        run.missing_row = SNAPSHOT_ABSENT_ROW;
        run.missing_cap = 0;
        table[i].check(&run);
        if (run.missing) {
            run.count = before;
            add_untold(&run, ++result.untold);
        } else if (run.count > before) {
            result.violated++;
            if (hits)
                hits[i / 64] |= UINT64_C(1) << (i % 64);
        }
    }
    result.stored = run.count < max ? run.count : max;
    return result;
}

struct rules_outcome rules_outcome(const struct rule_finding *findings, unsigned count)
{
    static const struct {
        enum rules_result result;
        uint32_t detail;
    } meaning[RULE_GROUP_COUNT] = {
        [RULE_CONTROLS] = {RULES_VMFAIL_CONTROLS, 7}, [RULE_HOST] = {RULES_VMFAIL_HOST, 8},
        [RULE_GUEST] = {RULES_FAIL_GUEST, 0},         [RULE_PDPTE] = {RULES_FAIL_GUEST, 2},
        [RULE_NMI] = {RULES_FAIL_GUEST, 3},           [RULE_LINK] = {RULES_FAIL_GUEST, 4},
        [RULE_MSR_LOAD] = {RULES_FAIL_MSR, 0},        [RULE_VMRUN] = {RULES_VMRUN_INVALID, 0},
    };
    struct rules_outcome outcome = {RULES_ENTERS, 0, NULL};

    for (unsigned i = 0; i < count; i++) {
        const struct rule_finding *f = &findings[i];

        bool earlier_entry = outcome.rule && outcome.rule->group == RULE_MSR_LOAD &&
                             f->rule->group == RULE_MSR_LOAD && f->list_entry < outcome.detail;

        if (f->cannot_tell ||
            (outcome.rule && outcome.rule->group <= f->rule->group && !earlier_entry))
            continue;
        outcome.result = meaning[f->rule->group].result;
        outcome.detail =
            f->rule->group == RULE_MSR_LOAD ? f->list_entry : meaning[f->rule->group].detail;
        outcome.rule = f->rule;
    }
    return outcome;
}

const char *rules_result_text(enum rules_result result)
{
    static const char *const texts[] = {
        [RULES_ENTERS] = "the entry succeeds",
        [RULES_VMFAIL_CONTROLS] = "VMfailValid, VM-instruction error 7 (invalid control fields)",
        [RULES_VMFAIL_HOST] = "VMfailValid, VM-instruction error 8 (invalid host-state fields)",
        [RULES_FAIL_GUEST] = "exit reason 0x80000021 (invalid guest state)",
        [RULES_FAIL_MSR] = "exit reason 0x80000022 (MSR loading)",
        [RULES_VMRUN_INVALID] = "VMEXIT_INVALID",
    };

    return (unsigned)result < sizeof(texts) / sizeof(texts[0]) ? texts[result] : "?";
}
