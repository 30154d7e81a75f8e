/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Computes intercepts. MSRs and ports with filters are asked for one by one, so that the others of
 * their kind keep running free; a filter too wide for that counts as none.
 */
#include "dbg/wants.h"

#include "lib/mem.h"

#define MSR_RANGE_MAX 256u
#define INTERCEPT_DB  (1u << 1)

static uint64_t moving_kinds(const struct run *run)
{
    uint64_t kinds = 0;

    if (run->breaks->count)
        kinds |= DBG_KIND_BIT(TL_KIND_DR_ACCESS);
    if (breaks_any(run->breaks, PLACE_PAGE) || breaks_any(run->breaks, PLACE_UNMAPPED))
        kinds |= WANTS_MOVING_KINDS;
    if (run->breaks->count && run->target->caps.dr_without_base) /* real mode wants other places */
        kinds |= DBG_KIND_BIT(TL_KIND_CR0_WRITE);
    return kinds;
}

/* Kinds whose exits the filters bring already need no wish for all MSRs or all ports. */
static uint64_t unfiltered_kinds(const struct run *run, uint64_t kinds)
{
    static const uint8_t filtered[] = {TL_KIND_RDMSR, TL_KIND_WRMSR, TL_KIND_IO_IN, TL_KIND_IO_OUT,
                                       TL_KIND_EXCEPTION};

    for (unsigned i = 0; i < sizeof(filtered); i++)
        if (!(run->wide_kinds & DBG_KIND_BIT(filtered[i])) &&
            !events_unfiltered(run->events, filtered[i]))
            kinds &= ~DBG_KIND_BIT(filtered[i]);
    return kinds;
}

void wants_tell(struct run *run, unsigned cpu)
{
    const struct dbg_target *t = run->target;
    const struct step *step = &run->cpu[cpu].step;
    struct dbg_wants wants;

    memset(&wants, 0, sizeof(wants)); /* compared as bytes below */
    wants.kinds = unfiltered_kinds(run, run->events->wants.kinds) | moving_kinds(run);
    wants.exceptions = run->events->wants.exceptions;
    wants.cr0_mask = run->events->wants.cr0_mask;
    wants.cr4_mask = run->events->wants.cr4_mask;
    if (run->any_exit) {
        wants.kinds |= run->any_exit_kinds;
        if (run->any_exit_kinds & DBG_KIND_BIT(TL_KIND_EXCEPTION))
            wants.exceptions = STEP_EXCEPTIONS;
    }
    if (wants.kinds & DBG_KIND_BIT(TL_KIND_CR0_WRITE))
        wants.cr0_mask = ~UINT64_C(0);
    if (wants.kinds & DBG_KIND_BIT(TL_KIND_CR4_WRITE))
        wants.cr4_mask = ~UINT64_C(0);
    if (run->breaks->count)
        wants.exceptions |= INTERCEPT_DB;
    if (step->active && step->entered) {
        wants.exceptions |= STEP_EXCEPTIONS;
        wants.trap_flag = t->caps.mtf;
    }
    if (run->cpu[cpu].wants_valid && !memcmp(&wants, &run->cpu[cpu].wants, sizeof(wants)))
        return;
    run->cpu[cpu].wants = wants;
    run->cpu[cpu].wants_valid = true;
    t->intercepts(t->machine, cpu, &wants);
}

static void filter_set(struct run *run, unsigned n, bool on)
{
    const struct dbg_target *t = run->target;
    uint32_t first = run->filter_on[n].first, last = run->filter_on[n].last;

    for (unsigned cpu = 0; cpu < t->cpus; cpu++) {
        if (run->filter_on[n].port) {
            t->port_intercept(t->machine, cpu, (uint16_t)first, last - first + 1, on);
            continue;
        }
        for (uint32_t index = first; index - first <= last - first; index++) {
            t->msr_intercept(t->machine, cpu, index, run->filter_on[n].access, on);
            if (index == last)
                break;
        }
    }
}

/* False: no room, the caller lets all MSRs or ports exit. */
static bool filter_add(struct run *run, uint32_t first, uint32_t last, uint8_t access, bool port)
{
    unsigned n = run->filter_count;

    if (n == sizeof(run->filter_on) / sizeof(run->filter_on[0]))
        return false;
    run->filter_on[n].first = first;
    run->filter_on[n].last = last;
    run->filter_on[n].access = access;
    run->filter_on[n].port = port;
    run->filter_count++;
    filter_set(run, n, true);
    return true;
}

static void filters_of(struct run *run, const struct event *event)
{
    uint64_t rd = event->kinds & DBG_KIND_BIT(TL_KIND_RDMSR);
    uint64_t wr = event->kinds & DBG_KIND_BIT(TL_KIND_WRMSR);
    uint64_t io = event->kinds & (DBG_KIND_BIT(TL_KIND_IO_IN) | DBG_KIND_BIT(TL_KIND_IO_OUT));

    for (unsigned i = 0; i < event->filter_count; i++) {
        uint32_t first = event->filter[i].first, last = event->filter[i].last;

        if ((rd || wr) &&
            (last - first >= MSR_RANGE_MAX ||
             !filter_add(run, first, last, (uint8_t)((rd ? DBG_READ : 0) | (wr ? DBG_WRITE : 0)),
                         false)))
            run->wide_kinds |= rd | wr;
        if (io && first <= 0xffff &&
            !filter_add(run, first, last < 0xffff ? last : 0xffff, 0, true))
            run->wide_kinds |= io;
    }
}

void run_sync(struct run *run)
{
    const struct dbg_target *t = run->target;
    uint64_t armed = run->events->armed | moving_kinds(run);

    if (run->any_exit)
        armed |= run->any_exit_kinds;
    t->armed(t->machine, armed);
    if (run->filters_dirty) {
        run->filters_dirty = false;
        for (unsigned n = 0; n < run->filter_count; n++)
            filter_set(run, n, false);
        run->filter_count = 0;
        run->wide_kinds = 0;
        for (const struct event *e = run->events->event; e < run->events->event + EVENTS_MAX; e++)
            if (e->used && e->enabled && !e->disarmed)
                filters_of(run, e);
    }
    for (unsigned cpu = 0; cpu < t->cpus; cpu++)
        wants_tell(run, cpu);
}
