/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where breakpoints live: the guest's free debug registers first to watchpoints, which have no other
 * place, then to code, what is not mapped before the rest; the remaining code breakpoints to their
 * pages.
 */
#include "dbg/breaks.h"

#include "lib/mem.h"

#define DR7_ENABLES(slot_) (UINT64_C(3) << 2 * (slot_)) /* L and G */
#define DR7_GLOBAL(slot_)  (UINT64_C(2) << 2 * (slot_))
#define DR7_CONTROL(slot_) (UINT64_C(15) << (16 + 4 * (slot_))) /* R/W and LEN */
#define DR7_ALWAYS         UINT64_C(0x400)
#define REAL_MODE_END      UINT64_C(0x110000) /* first linear address real mode cannot reach */

/* Slots that no vCPU's guest has enabled. */
static uint8_t free_slots(const struct breaks *breaks)
{
    const struct dbg_target *t = breaks->target;
    uint8_t free = 0xf;

    for (unsigned cpu = 0; cpu < t->cpus; cpu++) {
        struct dbg_dr own;

        t->dr_own(t->machine, cpu, &own);
        for (unsigned slot = 0; slot < 4; slot++)
            if (own.dr7 & DR7_ENABLES(slot))
                free &= (uint8_t) ~(1u << slot);
    }
    return free;
}

static bool take_slot(struct breakpoint *bp, uint8_t *free)
{
    if (!*free)
        return false;
    bp->slot = (uint8_t)__builtin_ctz(*free);
    *free &= (uint8_t)(*free - 1);
    bp->place = PLACE_DR;
    return true;
}

static void displaced(struct breaks *breaks, const struct breakpoint *bp)
{
    dbg_say(&breaks->out, "watchpoint at %#lx is off: the guest uses all debug registers\n",
            bp->addr_gva);
}

static bool in_real_mode(const struct dbg_target *t)
{
    uint64_t cr0 = 1;

    t->reg_read(t->machine, 0, TL_REG_cr0, &cr0);
    return !(cr0 & 1);
}

/* Notes where the address is mapped now. A CPU is told of a mapping that changes (MOV CR3, INVLPG, and
 * that exits), but not of one that appears, nor of one that it has never used: what has moved once
 * is watched by its linear address from then on, as long as there is a register. */
static void look_up(struct breaks *breaks, struct breakpoint *bp)
{
    const struct dbg_target *t = breaks->target;
    uint64_t gpa;

    if (t->translate(t->machine, 0, bp->addr_gva, &gpa)) {
        bp->moves = true;
        bp->page_gpa = PAGE_NOWHERE;
        return;
    }
    gpa &= ~UINT64_C(0xfff);
    if (bp->page_gpa != PAGE_NOWHERE && bp->page_gpa != gpa)
        bp->moves = true;
    bp->page_gpa = gpa;
    bp->told = false;
}

static void place_code(struct breaks *breaks, struct breakpoint *bp, uint8_t *free)
{
    const struct dbg_target *t = breaks->target;

    /* A CPU that compares EIP without the CS base misses real-mode code in a register. */
    bool avoid = t->caps.dr_without_base && bp->addr_gva < REAL_MODE_END && in_real_mode(t);

    if (!avoid && take_slot(bp, free))
        return;
    bp->place = bp->page_gpa == PAGE_NOWHERE ? PLACE_UNMAPPED : PLACE_PAGE;
}

/* Code's order for the registers: mappings that move, GDB's hardware breakpoints, the rest. */
static unsigned turn_of(const struct breakpoint *bp)
{
    return bp->moves ? 0 : bp->type == BREAK_HARD ? 1 : 2;
}

static bool listed(const uint64_t *pages, unsigned count, uint64_t page)
{
    for (unsigned i = 0; i < count; i++)
        if (pages[i] == page)
            return true;
    return false;
}

/* Makes the trapped pages those that PLACE_PAGE breakpoints want. */
static void sync_pages(struct breaks *breaks)
{
    const struct dbg_target *t = breaks->target;
    uint64_t wanted[BREAKS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < BREAKS_MAX; i++) {
        struct breakpoint *bp = &breaks->bp[i];

        if (!bp->used || bp->place != PLACE_PAGE || listed(wanted, count, bp->page_gpa))
            continue;
        if (!listed(breaks->page, breaks->page_count, bp->page_gpa) && !breaks->lifted &&
            t->page_trap(t->machine, bp->page_gpa, true)) {
            bp->place = PLACE_UNMAPPED; /* no RAM there */
            continue;
        }
        wanted[count++] = bp->page_gpa;
    }
    for (unsigned i = 0; i < breaks->page_count; i++)
        if (!listed(wanted, count, breaks->page[i]) && !breaks->lifted)
            t->page_trap(t->machine, breaks->page[i], false);
    memcpy(breaks->page, wanted, count * sizeof(wanted[0]));
    breaks->page_count = count;
}

void breaks_place(struct breaks *breaks)
{
    uint8_t free = free_slots(breaks);

    for (unsigned i = 0; i < BREAKS_MAX; i++) {
        struct breakpoint *bp = &breaks->bp[i];
        bool had = bp->place == PLACE_DR;

        if (!bp->used || !break_is_data(bp->type))
            continue;
        if (!take_slot(bp, &free)) {
            bp->place = PLACE_NONE;
            if (had)
                displaced(breaks, bp);
        }
    }
    for (unsigned i = 0; i < BREAKS_MAX; i++)
        if (breaks->bp[i].used && !break_is_data(breaks->bp[i].type))
            look_up(breaks, &breaks->bp[i]);
    for (unsigned turn = 0; turn < 3; turn++)
        for (unsigned i = 0; i < BREAKS_MAX; i++)
            if (breaks->bp[i].used && !break_is_data(breaks->bp[i].type) &&
                turn_of(&breaks->bp[i]) == turn)
                place_code(breaks, &breaks->bp[i], &free);
    sync_pages(breaks);
}

void breaks_tell_waiting(struct breaks *breaks)
{
    for (unsigned i = 0; i < breaks->top; i++) {
        struct breakpoint *bp = &breaks->bp[i];

        if (!bp->used || bp->place != PLACE_UNMAPPED || bp->told)
            continue;
        bp->told = true;
        dbg_say(&breaks->out,
                "breakpoint at %#lx waits: not mapped, and no debug register is free to catch a "
                "mapping that appears without MOV CR or INVLPG\n",
                bp->addr_gva);
    }
}

bool breaks_any(const struct breaks *breaks, enum break_place place)
{
    for (unsigned i = 0; i < breaks->top; i++)
        if (breaks->bp[i].used && breaks->bp[i].place == place)
            return true;
    return false;
}

/* R/W and LEN as DR7 wants them. SDM, "Debug Control Register (DR7)". */
static uint64_t control(const struct breakpoint *bp)
{
    uint64_t rw = !break_is_data(bp->type) ? 0 : bp->type == BREAK_WRITE ? 1 : 3;
    uint64_t len = !break_is_data(bp->type) ? 0
                   : bp->len_bytes == 8     ? 2
                                            : (uint64_t)bp->len_bytes - 1;

    return (rw | len << 2) << (16 + 4 * bp->slot);
}

static void put(struct dbg_dr *dr, unsigned slot, uint64_t addr, uint64_t control_bits)
{
    dr->addr[slot] = addr;
    dr->dr7 &= ~DR7_CONTROL(slot);
    dr->dr7 |= control_bits | DR7_GLOBAL(slot);
}

void breaks_load(struct breaks *breaks, unsigned cpu, bool stepping, const uint64_t *landing)
{
    const struct dbg_target *t = breaks->target;
    uint8_t taken = 0;
    bool ours = false;
    struct dbg_dr dr;

    t->dr_own(t->machine, cpu, &dr);
    for (unsigned slot = 0; slot < 4; slot++)
        if (dr.dr7 & DR7_ENABLES(slot))
            taken |= (uint8_t)(1u << slot);
    for (unsigned i = 0; i < breaks->top; i++) {
        const struct breakpoint *bp = &breaks->bp[i];

        if (!bp->used || bp->place != PLACE_DR || (stepping && !break_is_data(bp->type)))
            continue;
        put(&dr, bp->slot, bp->addr_gva, control(bp));
        taken |= (uint8_t)(1u << bp->slot);
        ours = true;
    }
    if (landing) { /* with all four in use it displaces the last for this one instruction */
        unsigned slot = taken == 0xf ? 3 : (unsigned)__builtin_ctz(~taken & 0xfu);

        put(&dr, slot, *landing, 0);
        ours = true;
    }
    dr.dr7 |= DR7_ALWAYS;
    t->dr_load(t->machine, cpu, ours ? &dr : NULL);
}

void breaks_lift(struct breaks *breaks, bool lift)
{
    const struct dbg_target *t = breaks->target;

    if (breaks->lifted == lift)
        return;
    breaks->lifted = lift;
    for (unsigned i = 0; i < breaks->page_count; i++)
        t->page_trap(t->machine, breaks->page[i], !lift);
}
