/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Causes on the hypervisor's side of the exit: a broken VM-entry rule, its own fault, an exit without
 * a handler, a bad nested entry.
 */
#include "protocol/explain_make.h"

#include "protocol/tables.h"

#define EXPLAIN(function, id, text) void explain_##function(struct explain_run *run);
#include "protocol/explain.def"
#undef EXPLAIN

static bool begins_with(const char *text, const char *head)
{
    while (*head && *text == *head) {
        text++;
        head++;
    }
    return !*head;
}

/* What the failed entry looked like, as the person saw it. */
static void shown(const struct crash_record *r, struct text *t)
{
    if (r->exit.instr_error) {
        text_str(t, "VM-instruction error ");
        text_dec(t, r->exit.instr_error);
        text_str(t, " (exit reason and qualification are those of an earlier exit)");
        return;
    }
    text_str(t, "exit reason ");
    text_hex(t, r->exit.reason);
    if (!r->state.svm) {
        text_str(t, " qualification ");
        text_dec(t, r->exit.info1);
    }
}

static void add_rule(struct explain_run *run, const struct rule_finding *f, unsigned order)
{
    struct explain_writer w;
    char line[500];
    size_t cut;

    run->id = f->rule->id;
    w = explain_add(run, EXPLAIN_PROVEN, (uint16_t)(RANK_RULE - order));
    if (f->list_entry) {
        const struct tl_msr_row *msr = tl_msr_by_index(f->msr);

        text_str(&w.text, "entry ");
        text_dec(&w.text, f->list_entry);
        text_str(&w.text, " is ");
        if (msr && f->hint && begins_with(f->hint, msr->manual)) {
            text_str(&w.text, f->hint);
        } else {
            if (msr)
                text_str(&w.text, msr->manual);
            else
                text_hex(&w.text, f->msr);
            text_str(&w.text, ": ");
            text_str(&w.text, f->hint);
        }
    } else {
        rule_finding_format(f, run->r->state.svm, line, sizeof(line));
        for (cut = 0; line[cut] && !begins_with(line + cut, "; rule:"); cut++)
            ;
        line[cut] = 0;
        text_str(&w.text, line);
        if (f->hint) {
            text_str(&w.text, ": ");
            text_str(&w.text, f->hint);
        }
    }
    shown(run->r, &w.evidence);
    text_str(&w.evidence, "; ");
    text_str(&w.evidence, f->rule->id);
    text_str(&w.evidence, " demands: ");
    text_str(&w.evidence, f->rule->demands);
    text_str(&w.evidence, run->r->state.svm ? " [APM, \"" : " [SDM, \"");
    text_str(&w.evidence, f->rule->section);
    text_str(&w.evidence, "\"]");
}

/* Rules are judged for every record; they are conclusions only when an entry failed. */
void explain_entry_rules(struct explain_run *run)
{
    struct rule_finding findings[RULES_FINDINGS_MAX];
    struct rules_count result = rules_run(&run->r->state, findings, RULES_FINDINGS_MAX, NULL);
    unsigned order = 0;

    run->out->rules_violated = result.violated;
    run->out->rules_untold = result.untold;
    if (run->r->why != RECORD_ENTRY_FAILURE)
        return;
    for (unsigned i = 0; i < result.stored && order < 6; i++)
        if (!findings[i].cannot_tell)
            add_rule(run, &findings[i], order++);
    if (!order) {
        struct explain_writer w = explain_add(run, EXPLAIN_PROVEN, RANK_RULE);

        text_str(&w.text, "the entry failed, but no rule matched what is known of the state");
        shown(run->r, &w.evidence);
        text_str(&w.evidence, "; rules known: " RULES_REVISION "; not judged for missing values: ");
        text_dec(&w.evidence, run->out->rules_untold);
    }
}

#define VECTOR_PANIC    255u /* a failed assertion of its own, no fault */
#define EVIDENCE_FRAMES 8u   /* the record holds the rest */

void explain_hv_fault(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    const struct record_ring *last = r->ring_count ? &r->ring[r->ring_count - 1] : NULL;
    struct explain_writer w;

    if (r->why != RECORD_HV_FAULT)
        return;
    w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF);
    if (r->fault_vector == VECTOR_PANIC) {
        text_str(&w.text, "the hypervisor stopped by itself: ");
        text_str(&w.text, r->fault_text);
    } else {
        text_str(&w.text, "the hypervisor took ");
        text_str(&w.text, explain_vector_name(r->fault_vector)
                              ? explain_vector_name(r->fault_vector)
                              : "a fault");
    }
    if (r->fault_vector != VECTOR_PANIC && last &&
        (last->kind == TL_KIND_RDMSR || last->kind == TL_KIND_WRMSR) && r->fault_vector == 13) {
        text_str(&w.text, last->kind == TL_KIND_RDMSR ? " doing the guest's RDMSR of "
                                                      : " doing the guest's WRMSR of ");
        text_hex(&w.text, (uint32_t)last->rcx);
        text_str(&w.text, ": the MSR was accessed without exception fix-up; the guest should get "
                          "#GP(0)");
    } else {
        text_str(&w.text, " at ");
        text_hex(&w.text, r->fault_rip);
        if (last) {
            text_str(&w.text, " while handling ");
            text_str(&w.text, tl_kind_word(last->kind));
            explain_at(&w.text, last);
        }
    }
    text_str(&w.evidence, "hypervisor RIP ");
    text_hex(&w.evidence, r->fault_rip);
    text_str(&w.evidence, ", error code ");
    text_hex(&w.evidence, r->fault_error);
    text_str(&w.evidence, ", CR2 ");
    text_hex(&w.evidence, r->fault_cr2);
    if (r->fault_text[0]) {
        text_str(&w.evidence, ": ");
        text_str(&w.evidence, r->fault_text);
    }
    if (r->trace_count)
        text_str(&w.evidence, "; addr2line -fip -e build/hv/trapline.elf");
    for (unsigned i = 0; i < r->trace_count && i < EVIDENCE_FRAMES; i++) {
        text_char(&w.evidence, ' ');
        text_hex(&w.evidence, r->trace[i]);
    }
}

void explain_unhandled(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    const struct tl_reason *reason = tl_reason(r->state.svm ? TL_SVM : TL_VMX, r->exit.reason);
    struct explain_writer w;

    if (r->why != RECORD_UNHANDLED || r->exit.kind == TL_KIND_NESTED_MISCONFIG)
        return;
    w = explain_add(run, EXPLAIN_PROVEN, RANK_GENERAL);
    text_str(&w.text, "the hypervisor does not handle this exit: ");
    text_str(&w.text, tl_kind_word(r->exit.kind));
    text_str(&w.text, ", reason ");
    text_hex(&w.text, r->exit.reason);
    if (reason) {
        text_str(&w.text, " (");
        text_str(&w.text, reason->name);
        text_char(&w.text, ')');
    }
    text_str(&w.evidence, "RIP ");
    text_hex(&w.evidence, r->rip);
    text_str(&w.evidence, ", info ");
    text_hex(&w.evidence, r->exit.info1);
    text_char(&w.evidence, ' ');
    text_hex(&w.evidence, r->exit.info2);
    if (r->why_text[0]) {
        text_str(&w.evidence, "; ");
        text_str(&w.evidence, r->why_text);
    }
}

/* The deepest nested entry on the way of the address that exited. */
void explain_misconfig(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    const struct record_level *leaf = NULL;
    struct explain_writer w;

    if (r->exit.kind != TL_KIND_NESTED_MISCONFIG)
        return;
    for (unsigned i = 0; i < r->walk_count; i++)
        if (r->walk[i].nested)
            leaf = &r->walk[i];
    w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF);
    text_str(&w.text, r->state.svm ? "reserved bit set in the nested page tables for GPA "
                                   : "EPT misconfiguration for GPA ");
    text_hex(&w.text, r->exit.value);
    if (leaf) {
        text_str(&w.text, ": level ");
        text_dec(&w.text, leaf->level);
        text_str(&w.text, " entry is ");
        text_hex(&w.text, leaf->entry);
        if (!r->state.svm && (leaf->entry & 3) == 2)
            text_str(&w.text, ", writable but not readable");
        else if (!r->state.svm && ((leaf->entry >> 3 & 7) == 2 || (leaf->entry >> 3 & 7) == 3 ||
                                   (leaf->entry >> 3 & 7) == 7))
            text_str(&w.text, ", with a reserved memory type");
        text_str(&w.evidence, "entry at ");
        text_hex(&w.evidence, leaf->entry_gpa);
        text_str(&w.evidence, ", ");
    }
    text_str(&w.evidence, "exit reason ");
    text_hex(&w.evidence, r->exit.reason);
    text_str(&w.evidence,
             r->state.svm ? " [APM, \"Nested Paging\"]" : " [SDM, \"EPT Misconfigurations\"]");
}
