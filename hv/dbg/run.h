/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the guest does next, and whose exit it was: continue, step, range step, the step over one's
 * own breakpoint, and the intercepts all of that needs. Between the packets (above) and breaks,
 * events and step (below).
 */
#pragma once

#include "dbg/breaks.h"
#include "dbg/events.h"
#include "dbg/step.h"

#define RUN_CPUS_MAX 8u

enum run_goal { RUN_CONTINUE, RUN_STEP, RUN_RANGE };

enum run_why {
    RUN_WHY_START,
    RUN_WHY_BREAK_IN,
    RUN_WHY_STEP,
    RUN_WHY_BREAKPOINT,
    RUN_WHY_EVENT,
    RUN_WHY_DEAD,
    RUN_WHY_HV_FAULT
};

/* Why the machine stands still; for the stop reply. */
struct run_stop {
    uint8_t why; /* enum run_why */
    uint8_t cpu;
    bool bp_valid;   /* BREAKPOINT (or STEP onto a watched access) */
    uint8_t bp_type; /* enum break_type */
    uint64_t bp_addr;
    uint32_t event_id; /* EVENT */
};

struct run {
    const struct dbg_target *target;
    struct breaks *breaks;
    struct events *events;
    struct {
        struct step step;
        uint8_t goal;                    /* enum run_goal */
        uint64_t range_first, range_end; /* RIP in [first, end) steps on */
        bool rf_valid; /* entered with RF at rf_rip: Bochs loses it at a fetch exit */
        uint64_t rf_rip;
        struct dbg_wants wants; /* as told last */
        bool wants_valid;
    } cpu[RUN_CPUS_MAX];
    struct run_stop stop;
    bool any_exit; /* stop at the next exit that the debugger does not own */
    uint64_t any_exit_kinds;
    bool filters_dirty; /* MSR and port intercepts must follow the event table */
    struct {
        uint32_t first, last;
        uint8_t access;
        bool port;
    } filter_on[64];
    unsigned filter_count;
    uint64_t wide_kinds; /* filters too wide or too many: all MSRs or ports of these kinds exit */
};

/* Nothing under way on any vCPU. What is pointed at must outlive it. */
void run_init(struct run *run, const struct dbg_target *target, struct breaks *breaks,
              struct events *events);

/* Resumes vCPU `cpu`. False: the step ended without entering the guest (STI, CLI, HLT) and run->stop
 * says so; the vCPU is still stopped. */
bool run_resume(struct run *run, unsigned cpu, enum run_goal goal, uint64_t range_first,
                uint64_t range_end);

/* The hooks of the exit path. run_owns_exit(): true when the exit was the debugger's; *stop says
 * whether to stop. run_step_done(): the same for an instruction that a handler performed. */
bool run_owns_exit(struct run *run, unsigned cpu, const struct dbg_exit *exit, bool *stop);
bool run_step_done(struct run *run, unsigned cpu, bool *stop);
struct events_verdict run_filter(struct run *run, unsigned cpu, const struct dbg_exit *exit,
                                 enum event_stage stage);
/* Arms what the goal needs (before_entry() of core/hooks.h). */
void run_before_entry(struct run *run, unsigned cpu);

/* The vCPU has stopped for a reason that core gives; a step under way ends. Fills run->stop unless
 * run_owns_exit() or run_step_done() has just done so. */
void run_stopped(struct run *run, unsigned cpu, enum run_why why);

/* Who asked for steps and for the next exit has gone: they stop nothing any more. */
void run_forget_goals(struct run *run);

/* After any change of events or breakpoints: tells the target what must exit. */
void run_sync(struct run *run);
