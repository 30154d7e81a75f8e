/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Exits counted by what they were about: MSR, port, leaf, vector, and the RIP they came from. Two
 * tables of fixed size per vCPU, from the start of the machine, written by the CPU that owns them. An
 * exit that finds its table full is counted under `others`, so that the sums are always whole.
 */
#pragma once

#include "core/vcpu.h"

enum exit_stats_table {
    EXIT_STATS_INDEX, /* kind and MSR, port, CPUID leaf or exception vector */
    EXIT_STATS_RIP,   /* kind, CS and RIP */
    EXIT_STATS_TABLES,
};

struct exit_stat {
    uint64_t value; /* index or RIP */
    uint32_t tag;   /* EXIT_STAT_USED | cs << 8 | kind; 0: a free row */
    uint64_t count;
    uint64_t timed;  /* of these, the ones whose cycles were measured (not a fast CPUID's) */
    uint64_t cycles; /* TSC ticks until their handlers were done */
};

#define EXIT_STAT_USED        (1u << 31)
#define EXIT_STATS_ROWS_INDEX 1024u
#define EXIT_STATS_ROWS_RIP   2048u
#define EXIT_STATS_PROBES     16u /* rows looked at before an exit goes to `others` */

struct exit_stats {
    struct exit_stat others[EXIT_STATS_TABLES]; /* value and tag unused */
    uint64_t fast_count;                        /* fast CPUIDs that are in the tables already */
    struct exit_stat index[EXIT_STATS_ROWS_INDEX];
    struct exit_stat rip[EXIT_STATS_ROWS_RIP];
};

/* Allocates the tables. Returns NULL, or one sentence when the pool is empty. */
const char *exit_stats_init(struct vcpu *vcpu);

/* One finished exit: kind, CS and RIP of its ring record, the index that goes with the kind. */
void exit_stats_count(struct vcpu *vcpu, enum hv_exit_kind kind, uint16_t cs, uint64_t rip,
                      uint64_t cycles);

/* Brings the run of fast CPUIDs into the tables; before anybody reads them. */
void exit_stats_flush(struct vcpu *vcpu);

/* The rows of a table and how many there are. */
const struct exit_stat *exit_stats_rows(const struct vcpu *vcpu, enum exit_stats_table table,
                                        unsigned *count);

/* A CPUID that is not the same as the last one: a new run begins. */
void exit_stats_new_run(struct vcpu *vcpu);

/* A CPUID on the short road, RAX still the leaf. Loops ask the same thing again and again: a repeat
 * costs a handful of instructions, the tables see it when the run ends. */
static inline void exit_stats_fast(struct vcpu *vcpu)
{
    if (__builtin_expect(vcpu->regs.rip == vcpu->cpuid_run.rip &&
                             (uint32_t)vcpu->regs.rax == vcpu->cpuid_run.leaf,
                         1))
        vcpu->cpuid_run.count++;
    else
        exit_stats_new_run(vcpu);
}
