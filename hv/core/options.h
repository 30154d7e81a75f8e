/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hypervisor's own command line. Parsed once, before the backend is chosen.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum hv_insist { HV_INSIST_NONE, HV_INSIST_VMX, HV_INSIST_SVM };

/* Faults of the hypervisor itself, on purpose: `selftest=NAME`, run by selftest_run(). */
enum hv_selftest {
    SELFTEST_NONE,
    SELFTEST_FAULT, /* store through an unmapped pointer, three calls deep */
    SELFTEST_STACK, /* endless push: ends on a guard page */
    SELFTEST_PANIC,
    SELFTEST_ENTRY, /* selftest_entry.h: VM-entry rules against the CPU */
    SELFTEST_COUNT
};

struct hv_options {
    bool wait;             /* stop before the guest's first instruction */
    bool efer_in_controls; /* efer=controls: not in the MSR area */
    enum hv_insist insist;
    uint32_t ring_records; /* 0: the ring's default */
    enum hv_selftest selftest;
    uint64_t selftest_seed; /* selftest=entry,seed=S,count=N */
    uint32_t selftest_count;
};

/* Parses words (spaces between them), sets log_level and seeded_mask at once. NULL, or one sentence
 * that names the word and the known ones. `uart=` was read by boot/ and is only checked here. */
const char *options_parse(const char *words, struct hv_options *out);

/* Runs the wanted self-test; returns only for SELFTEST_NONE and SELFTEST_ENTRY. */
void selftest_run(enum hv_selftest which);
