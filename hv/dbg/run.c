/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The exit path and the resume path of the debugger. Intercepts are wants.c's.
 */
#include "dbg/run.h"

#include "dbg/wants.h"
#include "lib/mem.h"

#define RANGE_AT_ONCE 16 /* instructions performed here in a row, before the line is looked at */

/* The guest executes these itself with the intercept lifted until its next exit; a step of that one
 * instruction makes the exit come before another of the kind. HLT and MWAIT are no such: they wait. */
#define LIFTED_KINDS                                                                               \
    (DBG_KIND_BIT(TL_KIND_GDTR_IDTR) | DBG_KIND_BIT(TL_KIND_LDTR_TR) |                             \
     DBG_KIND_BIT(TL_KIND_FLAGS_ACCESS) | DBG_KIND_BIT(TL_KIND_MONITOR))

void run_init(struct run *run, const struct dbg_target *target, struct breaks *breaks,
              struct events *events)
{
    memset(run, 0, sizeof(*run));
    run->target = target;
    run->breaks = breaks;
    run->events = events;
    for (unsigned cpu = 0; cpu < RUN_CPUS_MAX; cpu++)
        run->cpu[cpu].step.hold_interrupts = true;
}

static uint64_t get(const struct run *run, unsigned cpu, unsigned regno)
{
    uint64_t value = 0;

    run->target->reg_read(run->target->machine, cpu, regno, &value);
    return value;
}

static uint64_t pc_gva(const struct run *run, unsigned cpu)
{
    uint64_t rip = get(run, cpu, TL_REG_rip);

    if (run->target->code_bits(run->target->machine, cpu) == 64)
        return rip;
    return (uint32_t)(rip + get(run, cpu, TL_REG_cs_base));
}

/* RF lets one instruction pass its breakpoint register. SDM, "Instruction-Breakpoint Exception
 * Condition". */
static void pass_breakpoint(struct run *run, unsigned cpu)
{
    run->target->reg_write(run->target->machine, cpu, TL_REG_eflags,
                           get(run, cpu, TL_REG_eflags) | RFLAGS_RF);
}

static bool stop_at(struct run *run, unsigned cpu, enum run_why why, const struct breakpoint *bp)
{
    run->stop = (struct run_stop){.why = why, .cpu = (uint8_t)cpu};
    if (bp) {
        run->stop.bp_valid = true;
        run->stop.bp_type = bp->type;
        run->stop.bp_addr = bp->addr_gva;
    }
    return true;
}

static bool in_range(const struct run *run, unsigned cpu)
{
    uint64_t rip = get(run, cpu, TL_REG_rip);

    return run->cpu[cpu].goal == RUN_RANGE && rip >= run->cpu[cpu].range_first &&
           rip < run->cpu[cpu].range_end;
}

/* Steps until the guest must be entered. False: the goal is reached without that. */
static bool begin(struct run *run, unsigned cpu)
{
    for (unsigned i = 0; i < RANGE_AT_ONCE; i++) {
        breaks_lift(run->breaks, true);
        if (step_begin(&run->cpu[cpu].step, run->target, cpu) == STEP_ENTER)
            return true;
        breaks_lift(run->breaks, false);
        if (run->cpu[cpu].goal == RUN_CONTINUE)
            return true;
        if (!in_range(run, cpu))
            break;
    }
    return false;
}

bool run_resume(struct run *run, unsigned cpu, enum run_goal goal, uint64_t range_first,
                uint64_t range_end)
{
    run->cpu[cpu].goal = (uint8_t)goal;
    run->cpu[cpu].range_first = range_first;
    run->cpu[cpu].range_end = range_end;
    if (run->breaks->count) { /* the person may have changed page tables, or registers */
        breaks_place(run->breaks);
        run_sync(run);
        breaks_tell_waiting(run->breaks);
    }
    if (goal == RUN_CONTINUE) {
        enum break_place place = breaks_at(run->breaks, pc_gva(run, cpu));

        if (place == PLACE_DR)
            pass_breakpoint(run, cpu);
        if (place == PLACE_PAGE)
            begin(run, cpu);
        return true;
    }
    if (begin(run, cpu))
        return true;
    stop_at(run, cpu, RUN_WHY_STEP, NULL);
    return false;
}

/* One instruction is complete. Decides between stop, next instruction and plain running. */
static bool instruction_done(struct run *run, unsigned cpu, const struct breakpoint *bp)
{
    breaks_lift(run->breaks, false);
    if (bp)
        return stop_at(run, cpu, RUN_WHY_BREAKPOINT, bp);
    if (run->cpu[cpu].goal == RUN_CONTINUE) {
        run_before_entry(run, cpu); /* plain running: code breakpoints are back in place */
        return false;
    }
    if (in_range(run, cpu) && breaks_at(run->breaks, pc_gva(run, cpu)) == PLACE_NONE &&
        begin(run, cpu))
        return false;
    return stop_at(run, cpu, RUN_WHY_STEP, NULL);
}

/* Conditions of the guest's own registers, or its own TF, in an exit that was ours too. */
static void guest_share(struct run *run, unsigned cpu, uint64_t bits)
{
    const struct dbg_target *t = run->target;

    if (!bits)
        return;
    t->guest_dr6_set(t->machine, cpu, bits);
    t->inject(t->machine, cpu, DBG_EVENT_EXCEPTION, 1, 0);
}

static bool debug_exit(struct run *run, unsigned cpu, const struct dbg_exit *exit, bool *stop)
{
    struct break_hit hit = breaks_debug_exit(run->breaks, cpu, exit->dr6, pc_gva(run, cpu));

    if (!hit.ours)
        return false;
    guest_share(run, cpu, hit.guest_bits | (exit->dr6 & DR6_BS));
    if (hit.stop)
        *stop = stop_at(run, cpu, RUN_WHY_BREAKPOINT, hit.bp);
    else if (breaks_in_register(run->breaks, pc_gva(run, cpu)))
        pass_breakpoint(run, cpu);
    return true;
}

static bool fetch_exit(struct run *run, unsigned cpu, const struct dbg_exit *exit, bool *stop)
{
    struct break_hit hit = breaks_fetch_exit(run->breaks, cpu, exit->gpa, pc_gva(run, cpu));

    if (!hit.ours)
        return false;
    if (run->cpu[cpu].rf_valid && run->cpu[cpu].rf_rip == get(run, cpu, TL_REG_rip))
        pass_breakpoint(run, cpu); /* nothing was executed since: RF still holds */
    run->cpu[cpu].rf_valid = false;
    if (hit.stop) {
        *stop = stop_at(run, cpu, RUN_WHY_BREAKPOINT, hit.bp);
        return true;
    }
    run->cpu[cpu].goal =
        RUN_CONTINUE; /* another instruction of the page, or a condition not true */
    begin(run, cpu);
    return true;
}

bool run_owns_exit(struct run *run, unsigned cpu, const struct dbg_exit *exit, bool *stop)
{
    struct step *step = &run->cpu[cpu].step;
    bool stepping = step->active;

    *stop = false;
    if (step_exit(step, run->target, cpu, exit)) {
        struct break_hit hit = {0};

        if (exit->kind == TL_KIND_EXCEPTION && exit->dr6 & 0xf) {
            hit = breaks_debug_exit(run->breaks, cpu, exit->dr6, pc_gva(run, cpu));
            if (hit.ours && !hit.stop && breaks_in_register(run->breaks, pc_gva(run, cpu)))
                pass_breakpoint(run, cpu);
            guest_share(run, cpu, hit.guest_bits);
        }
        *stop = instruction_done(run, cpu, hit.stop ? hit.bp : NULL);
        return true;
    }
    if (exit->kind == TL_KIND_EXCEPTION && exit->vector == 1 && !stepping)
        return debug_exit(run, cpu, exit, stop);
    if (exit->kind == TL_KIND_NESTED_PAGE && exit->access & DBG_EXEC && !stepping)
        return fetch_exit(run, cpu, exit, stop);
    return exit->kind == TL_KIND_MTF;
}

bool run_step_done(struct run *run, unsigned cpu, bool *stop)
{
    *stop = false;
    if (!run->cpu[cpu].step.active)
        return false;
    step_finish(&run->cpu[cpu].step, run->target, cpu);
    *stop = instruction_done(run, cpu, NULL);
    return true;
}

struct events_verdict run_filter(struct run *run, unsigned cpu, const struct dbg_exit *exit,
                                 enum event_stage stage)
{
    struct events_verdict verdict = {false, false};

    if (run->events->armed & DBG_KIND_BIT(exit->kind)) {
        uint64_t armed = run->events->armed;

        verdict = events_run(run->events, cpu, exit, stage);
        if (armed != run->events->armed) { /* disarmed, or a one-time event is gone */
            run->filters_dirty = true;
            run_sync(run);
        }
    }
    if (run->any_exit && stage == EVENT_BEFORE && run->any_exit_kinds & DBG_KIND_BIT(exit->kind)) {
        run->any_exit = false;
        run->events->last_hit = 0;
        verdict.stop = true;
        run_sync(run);
    }
    if (stage == EVENT_AFTER && WANTS_MOVING_KINDS & DBG_KIND_BIT(exit->kind) &&
        run->breaks->count) {
        breaks_place(run->breaks);
        run_sync(run);
        if (!run->cpu[cpu].step.active) /* else its next arming, or its end, loads the registers */
            run_before_entry(run, cpu);
    }
    if (stage == EVENT_AFTER && LIFTED_KINDS & DBG_KIND_BIT(exit->kind) && !verdict.stop &&
        !run->cpu[cpu].step.active && !run->target->inject_waiting(run->target->machine, cpu)) {
        run->cpu[cpu].goal = RUN_CONTINUE;
        begin(run, cpu);
    }
    return verdict;
}

void run_forget_goals(struct run *run)
{
    for (unsigned cpu = 0; cpu < RUN_CPUS_MAX; cpu++)
        run->cpu[cpu].goal = RUN_CONTINUE;
    run->any_exit = false;
}

void run_before_entry(struct run *run, unsigned cpu)
{
    struct step *step = &run->cpu[cpu].step;

    if (step->active && step_before_entry(step, run->target, cpu)) {
        breaks_load(run->breaks, cpu, true, step->method == STEP_LAND ? &step->landing_gva : NULL);
        wants_tell(run, cpu);
        return;
    }
    run->cpu[cpu].rf_valid = get(run, cpu, TL_REG_eflags) & RFLAGS_RF;
    run->cpu[cpu].rf_rip = get(run, cpu, TL_REG_rip);
    breaks_load(run->breaks, cpu, false, NULL);
    wants_tell(run, cpu);
}

void run_stopped(struct run *run, unsigned cpu, enum run_why why)
{
    if (run->cpu[cpu].step.active)
        step_finish(&run->cpu[cpu].step, run->target, cpu);
    breaks_lift(run->breaks, false);
    if (run->any_exit) {
        run->any_exit = false;
        run_sync(run);
    }
    if (why == RUN_WHY_STEP || why == RUN_WHY_BREAKPOINT)
        return; /* run->stop was filled at the exit */
    stop_at(run, cpu, why, NULL);
    if (why == RUN_WHY_EVENT)
        run->stop.event_id = run->events->last_hit;
}
