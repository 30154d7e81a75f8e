/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of breakpoints: insertion with its bytecode, and what happens at a hit. Where each is
 * put is breaks_place.c's.
 */
#include "dbg/breaks.h"

#include "lib/mem.h"

#define DR6_STEP (UINT64_C(1) << 14)

void breaks_init(struct breaks *breaks, const struct dbg_target *target, struct codepool *pool,
                 const struct dbg_out *out)
{
    memset(breaks, 0, sizeof(*breaks));
    breaks->target = target;
    breaks->pool = pool;
    breaks->out = *out;
}

const char *break_error_text(enum break_error error)
{
    static const char *const texts[] = {
        [BREAK_OK] = "no error",
        [BREAK_E_FULL] = "no room for another breakpoint or its bytecode",
        [BREAK_E_ADDRESS] = "a watchpoint covers 1, 2, 4 or 8 bytes and is aligned to its length",
        [BREAK_E_CODE] = "the bytecode was refused",
        [BREAK_E_NO_REGISTER] = "all debug registers are in use",
    };

    return texts[error];
}

static struct breakpoint *find(struct breaks *breaks, uint8_t type, uint64_t addr_gva,
                               uint64_t len_bytes)
{
    for (unsigned i = 0; i < BREAKS_MAX; i++) {
        struct breakpoint *bp = &breaks->bp[i];

        if (bp->used && bp->type == type && bp->addr_gva == addr_gva &&
            (!break_is_data(type) || bp->len_bytes == len_bytes))
            return bp;
    }
    return NULL;
}

static void free_codes(struct breaks *breaks, struct breakpoint *bp)
{
    for (unsigned i = 0; i < bp->condition_count; i++)
        pool_free(breaks->pool, bp->condition[i]);
    for (unsigned i = 0; i < bp->command_count; i++)
        pool_free(breaks->pool, bp->command[i]);
    bp->condition_count = bp->command_count = 0;
}

static enum break_error store(struct breaks *breaks, const struct break_code *codes, unsigned count,
                              uint16_t *handles, uint8_t *stored)
{
    for (unsigned i = 0; i < count; i++) {
        handles[i] = pool_add(breaks->pool, codes[i].bytes, codes[i].len_bytes);
        if (handles[i] == POOL_NONE)
            return BREAK_E_FULL;
        *stored = (uint8_t)(i + 1);
    }
    return BREAK_OK;
}

static enum break_error check(const struct break_request *r)
{
    uint64_t len = r->len_bytes;

    if (break_is_data(r->type) &&
        ((len != 1 && len != 2 && len != 4 && len != 8) || r->addr_gva & (len - 1)))
        return BREAK_E_ADDRESS;
    if (r->condition_count > BREAK_CODES_MAX || r->command_count > BREAK_CODES_MAX)
        return BREAK_E_FULL;
    for (unsigned i = 0; i < r->condition_count; i++)
        if (agent_verify(r->condition[i].bytes, r->condition[i].len_bytes, 0, NULL))
            return BREAK_E_CODE;
    for (unsigned i = 0; i < r->command_count; i++)
        if (agent_verify(r->command[i].bytes, r->command[i].len_bytes, AGENT_MAY_PRINT, NULL))
            return BREAK_E_CODE;
    return BREAK_OK;
}

enum break_error breaks_insert(struct breaks *breaks, const struct break_request *r)
{
    struct breakpoint *bp = find(breaks, r->type, r->addr_gva, r->len_bytes);
    enum break_error error = check(r);
    bool fresh = !bp;

    if (error)
        return error;
    for (unsigned i = 0; !bp && i < BREAKS_MAX; i++)
        if (!breaks->bp[i].used)
            bp = &breaks->bp[i];
    if (!bp)
        return BREAK_E_FULL;
    if (fresh) {
        *bp = (struct breakpoint){.used = true,
                                  .type = r->type,
                                  .addr_gva = r->addr_gva,
                                  .page_gpa = PAGE_NOWHERE,
                                  .len_bytes = break_is_data(r->type) ? (uint8_t)r->len_bytes : 1};
        breaks->count++;
        if (breaks->top < (unsigned)(bp - breaks->bp) + 1)
            breaks->top = (unsigned)(bp - breaks->bp) + 1;
    }
    free_codes(breaks, bp);
    error = store(breaks, r->condition, r->condition_count, bp->condition, &bp->condition_count);
    if (!error)
        error = store(breaks, r->command, r->command_count, bp->command, &bp->command_count);
    if (!error && fresh) {
        breaks_place(breaks);
        if (break_is_data(r->type) && bp->place != PLACE_DR)
            error = BREAK_E_NO_REGISTER;
    }
    if (error) {
        breaks_remove(breaks, r->type, r->addr_gva, r->len_bytes);
        return error;
    }
    if (fresh && break_is_data(r->type))
        breaks->target->mem_read(breaks->target->machine, 0, bp->addr_gva, &bp->old, bp->len_bytes);
    return BREAK_OK;
}

void breaks_remove(struct breaks *breaks, uint8_t type, uint64_t addr_gva, uint64_t len_bytes)
{
    struct breakpoint *bp = find(breaks, type, addr_gva, len_bytes);

    if (!bp)
        return;
    free_codes(breaks, bp);
    bp->used = false;
    breaks->count--;
    while (breaks->top && !breaks->bp[breaks->top - 1].used)
        breaks->top--;
    breaks_place(breaks);
}

void breaks_remove_all(struct breaks *breaks)
{
    for (unsigned i = 0; i < BREAKS_MAX; i++) {
        if (!breaks->bp[i].used)
            continue;
        free_codes(breaks, &breaks->bp[i]);
        breaks->bp[i].used = false;
    }
    breaks->count = breaks->top = 0;
    breaks_place(breaks);
}

enum break_place breaks_at(const struct breaks *breaks, uint64_t gva)
{
    enum break_place place = PLACE_NONE;

    for (unsigned i = 0; i < breaks->top; i++) {
        const struct breakpoint *bp = &breaks->bp[i];

        if (bp->used && !break_is_data(bp->type) && bp->addr_gva == gva &&
            (place == PLACE_NONE || bp->place == PLACE_PAGE))
            place = bp->place;
    }
    return place;
}

bool breaks_in_register(const struct breaks *breaks, uint64_t gva)
{
    for (unsigned i = 0; i < breaks->top; i++) {
        const struct breakpoint *bp = &breaks->bp[i];

        if (bp->used && !break_is_data(bp->type) && bp->addr_gva == gva && bp->place == PLACE_DR)
            return true;
    }
    return false;
}

/* A condition that fails at run time (unreadable memory, no fuel) stops: the person looks at it. */
static bool condition_true(struct breaks *breaks, const struct breakpoint *bp, unsigned cpu)
{
    for (unsigned i = 0; i < bp->condition_count; i++) {
        uint32_t fuel = BREAK_FUEL;
        size_t len_bytes;
        const uint8_t *code = pool_get(breaks->pool, bp->condition[i], &len_bytes);
        uint64_t value;
        enum agent_error error =
            dbg_eval(breaks->target, cpu, code, len_bytes, NULL, &fuel, &value);

        if (error)
            dbg_say(&breaks->out, "condition at %#lx: %s\n", bp->addr_gva, agent_error_text(error));
        if (error || value)
            return true;
    }
    return bp->condition_count == 0;
}

static void run_commands(struct breaks *breaks, const struct breakpoint *bp, unsigned cpu)
{
    for (unsigned i = 0; i < bp->command_count; i++) {
        uint32_t fuel = BREAK_FUEL;
        size_t len_bytes;
        const uint8_t *code = pool_get(breaks->pool, bp->command[i], &len_bytes);
        uint64_t value;

        dbg_eval(breaks->target, cpu, code, len_bytes, &breaks->out, &fuel, &value);
    }
}

/* A debug register cannot watch reads alone: an access that changed the value was a write. */
static bool only_written(struct breaks *breaks, struct breakpoint *bp, unsigned cpu)
{
    const struct dbg_target *t = breaks->target;
    uint64_t now = 0;

    if (bp->type != BREAK_READ ||
        t->mem_read(t->machine, cpu, bp->addr_gva, &now, bp->len_bytes) != bp->len_bytes ||
        now == bp->old)
        return false;
    bp->old = now;
    return true;
}

static void hit_one(struct breaks *breaks, struct breakpoint *bp, unsigned cpu,
                    struct break_hit *hit)
{
    hit->ours = true;
    if (only_written(breaks, bp, cpu) || !condition_true(breaks, bp, cpu))
        return;
    bp->hits++;
    if (bp->command_count) {
        run_commands(breaks, bp, cpu);
        return;
    }
    if (!hit->stop || break_is_data(bp->type))
        hit->bp = bp;
    hit->stop = true;
}

/* Without DR6: a code breakpoint at RIP, or a watched value that changed. */
static bool inferred(struct breaks *breaks, struct breakpoint *bp, unsigned cpu, uint64_t pc_gva)
{
    const struct dbg_target *t = breaks->target;
    uint64_t now = 0;

    if (!break_is_data(bp->type))
        return bp->addr_gva == pc_gva;
    if (t->mem_read(t->machine, cpu, bp->addr_gva, &now, bp->len_bytes) != bp->len_bytes ||
        now == bp->old)
        return false;
    bp->old = now;
    return true;
}

/* A guest's watchpoint that covers the same bytes was hit: so was ours. TCG names only the first of
 * several that match. */
static bool shares_hit(const struct breaks *breaks, const struct breakpoint *bp, unsigned cpu,
                       uint64_t dr6)
{
    const struct dbg_target *t = breaks->target;
    struct dbg_dr own;

    if (!break_is_data(bp->type) || !(dr6 & 0xf))
        return false;
    t->dr_own(t->machine, cpu, &own);
    for (unsigned slot = 0; slot < 4; slot++) {
        uint64_t control = own.dr7 >> (16 + 4 * slot);
        uint64_t len = (control >> 2 & 3) == 2 ? 8 : (control >> 2 & 3) + 1;

        if (dr6 >> slot & 1 && own.dr7 >> 2 * slot & 3 && control & 1 &&
            bp->addr_gva < own.addr[slot] + len && own.addr[slot] < bp->addr_gva + bp->len_bytes)
            return true;
    }
    return false;
}

struct break_hit breaks_debug_exit(struct breaks *breaks, unsigned cpu, uint64_t dr6,
                                   uint64_t pc_gva)
{
    bool silent = dr6 == 0 && breaks->target->caps.dr6_silent;
    struct break_hit hit = {0};
    struct dbg_dr own;

    breaks->target->dr_own(breaks->target->machine, cpu, &own);
    for (unsigned slot = 0; slot < 4; slot++) {
        bool code = !(own.dr7 >> (16 + 4 * slot) & 3);

        /* Beside a trap a code breakpoint only announces itself: it faults at the next entry, unless
         * RF lets the instruction pass. */
        if (own.dr7 >> 2 * slot & 3 && !(code && dr6 & DR6_STEP))
            hit.guest_bits |= dr6 & UINT64_C(1) << slot;
    }
    for (unsigned i = 0; i < breaks->top; i++) {
        struct breakpoint *bp = &breaks->bp[i];

        if (!bp->used || bp->place != PLACE_DR)
            continue;
        if (silent ? !inferred(breaks, bp, cpu, pc_gva)
                   : !(dr6 & UINT64_C(1) << bp->slot) && !shares_hit(breaks, bp, cpu, dr6))
            continue;
        /* DR6 may name conditions of registers that are not enabled; RIP decides for code. */
        if (!break_is_data(bp->type) && bp->addr_gva != pc_gva)
            continue;
        hit_one(breaks, bp, cpu, &hit);
    }
    return hit;
}

struct break_hit breaks_fetch_exit(struct breaks *breaks, unsigned cpu, uint64_t gpa,
                                   uint64_t pc_gva)
{
    struct break_hit hit = {0};

    for (unsigned i = 0; i < breaks->page_count; i++)
        if (breaks->page[i] == (gpa & ~UINT64_C(0xfff)))
            hit.ours = true;
    if (!hit.ours)
        return hit;
    for (unsigned i = 0; i < breaks->top; i++) {
        struct breakpoint *bp = &breaks->bp[i];

        if (bp->used && bp->place == PLACE_PAGE && bp->addr_gva == pc_gva)
            hit_one(breaks, bp, cpu, &hit);
    }
    return hit;
}
