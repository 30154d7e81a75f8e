/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rules of VM entry and VMRUN as pure functions of a state snapshot. One row of rules_vmx.def or
 * rules_svm.def is one rule: a stable id, the manual's section title, what it demands. A run reports
 * every violated rule, in the CPU's checking order, and every rule that could not be judged because a
 * value is missing; "no rule matched" is an answer.
 *
 * Written after the Intel SDM, volume 3, order number 325384 revision 080 (chapter "VM Entries"), and the
 * AMD APM, volume 2, publication 24593 revision 3.41 ("VMRUN Instruction"); what newer CPUs add is
 * reported by the capability MSRs as bits these rules do not know.
 */
#pragma once

#include "protocol/snapshot.h"

#define RULES_REVISION "SDM 325384-080, APM 24593-3.41"

/* In checking order. What a violation of the group looks like is rules_outcome()'s business. */
enum rule_group {
    RULE_CONTROLS, /* VMX: VMfailValid, error 7 */
    RULE_HOST,     /* VMX: VMfailValid, error 8 */
    RULE_GUEST,    /* VMX: reason 33, qualification 0 */
    RULE_PDPTE,    /* VMX: reason 33, qualification 2 */
    RULE_NMI,      /* VMX: reason 33, qualification 3 */
    RULE_LINK,     /* VMX: reason 33, qualification 4 */
    RULE_MSR_LOAD, /* VMX: reason 34, qualification: entry number from 1 */
    RULE_VMRUN,    /* SVM: VMEXIT_INVALID */
    RULE_GROUP_COUNT
};

struct rule_run;

struct rule {
    const char *id; /* "guest.cr0.fixed": stable, what tests and people quote */
    enum rule_group group;
    const char *section; /* title in the manual */
    const char *demands; /* one line: what must hold */
    void (*check)(struct rule_run *run);
};

extern const struct rule rules_vmx[], rules_svm[];
extern const unsigned rules_vmx_count, rules_svm_count;

struct rule_finding {
    const struct rule *rule;
    bool cannot_tell;              /* a value is missing: row or cap names it */
    uint16_t row;                  /* the field concerned, SNAPSHOT_ABSENT_ROW: none */
    uint16_t row2;                 /* the field it disagrees with, or SNAPSHOT_ABSENT_ROW */
    uint32_t cap;                  /* cannot_tell: the capability MSR that is missing, 0: none */
    uint64_t actual;               /* value of the field (or of the list entry) */
    uint64_t must_set, must_clear; /* bits of it that are wrong */
    uint16_t list_entry;           /* RULE_MSR_LOAD: 1-based entry */
    uint32_t msr;                  /* RULE_MSR_LOAD: its index */
    const char *hint;              /* what usually is the cause, or what to do; may be NULL */
};

#define RULES_FINDINGS_MAX 64u

struct rule_run {
    const struct snapshot *s;
    const struct rule *rule;
    struct rule_finding *findings;
    unsigned max, count;
    uint16_t missing_row;
    uint32_t missing_cap;
    bool missing;
    struct rule_finding overflow; /* findings past the caller's room; only counted */
};

/* How a run came out: rules violated, rules that could not be judged, findings stored. */
struct rules_count {
    unsigned violated, untold, stored;
};

/* Judges the snapshot; findings in checking order, at most max. "Cannot tell" takes at most half of
 * the room, so that it never crowds out a violation. hits: bitmap of violated rules by index into the
 * vendor's table, at least 4 words, or NULL. */
struct rules_count rules_run(const struct snapshot *s, struct rule_finding *findings, unsigned max,
                             uint64_t *hits);

/* What the CPU will do with this state, from the findings of a run. */
enum rules_result {
    RULES_ENTERS,
    RULES_VMFAIL_CONTROLS, /* error 7 */
    RULES_VMFAIL_HOST,     /* error 8 */
    RULES_FAIL_GUEST,      /* reason 33; detail: qualification */
    RULES_FAIL_MSR,        /* reason 34; detail: entry number */
    RULES_VMRUN_INVALID,
};

struct rules_outcome {
    enum rules_result result;
    uint32_t detail;
    const struct rule *rule; /* the first violated one */
};

struct rules_outcome rules_outcome(const struct rule_finding *findings, unsigned count);
const char *rules_result_text(enum rules_result result);

/* "guest.cr0.fixed: guest_cr0 = 0x80000001, bits must be 1: NE ..." into buf; returns the length. */
size_t rule_finding_format(const struct rule_finding *finding, bool svm, char *buf,
                           size_t cap_bytes);
