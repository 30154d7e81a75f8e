/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which address made the instruction at RIP fault: RIP itself, its operand, its stack, its branch target,
 * CR2; and which entry of the guest's tables says so.
 */
#include "protocol/explain_make.h"

#define VECTOR_SS 12u
#define VECTOR_GP 13u
#define VECTOR_PF 14u

#define ENTRY_NX      (UINT64_C(1) << 63)
#define ENTRY_PS      (UINT64_C(1) << 7)
#define ENTRY_PRESENT UINT64_C(1)

static bool is_user(const struct crash_record *r)
{
    return (r->cr0_real & X_PE) && (r->segment[1].selector & 3) == 3;
}

static void entry_text(struct text *t, uint8_t level, uint64_t entry)
{
    text_str(t, ": level ");
    text_dec(t, level);
    text_str(t, " entry ");
    text_hex(t, entry);
}

/* Which reserved bit of a paging entry is set. */
static void reserved_text(const struct crash_record *r, struct text *t, uint8_t level,
                          uint64_t entry)
{
    bool wide = r->cr4_real & X_PAE, four_level = r->efer_real & X_LMA;
    unsigned bits = r->state.maxphyaddr_bits ? r->state.maxphyaddr_bits : 52;
    uint64_t above = ((UINT64_C(1) << 52) - 1) & ~((UINT64_C(1) << bits) - 1);

    if (wide && (entry & ENTRY_NX) && !(r->efer_real & X_NXE))
        text_str(t, " has NX (bit 63) set while EFER.NXE is 0");
    else if (wide && !four_level && level == 3 && (entry & 0x1e6))
        text_str(t,
                 " has bits set that a PAE page-directory-pointer entry must not have (8:5, 2:1)");
    else if (level >= 4 && (entry & ENTRY_PS))
        text_str(t, " has PS (bit 7) set, which this level cannot have");
    else if (wide && (entry & above))
        text_str(t, " has address bits above the physical width");
    else if ((entry & ENTRY_PS) && level > 1)
        text_str(t, " maps a large page whose address is not a multiple of its size");
    else
        text_str(t, " has a reserved bit set");
}

/* ", which does not translate: ..." False when the walk says nothing of that kind. */
static bool walk_text(const struct crash_record *r, struct text *t, enum record_walk result,
                      uint8_t level, uint64_t entry)
{
    switch (result) {
    case RECORD_WALK_NOT_PRESENT:
        text_str(t, " is not mapped");
        entry_text(t, level, entry);
        text_str(t, " is not present");
        return true;
    case RECORD_WALK_RESERVED:
        text_str(t, " does not translate");
        entry_text(t, level, entry);
        reserved_text(r, t, level, entry);
        return true;
    case RECORD_WALK_NO_RAM:
        text_str(t, " is reached over a table or page that is no memory of the guest");
        return true;
    default:
        return false;
    }
}

/* RIP itself. */
static bool rip_cause(const struct crash_record *r, uint8_t *vector, struct text *t)
{
    const struct record_level *last = NULL;

    for (unsigned i = 0; i < r->walk_count; i++)
        if (!r->walk[i].nested)
            last = &r->walk[i];
    if (r->walk_result == RECORD_WALK_NON_CANONICAL) {
        if (!explain_may_be(vector, VECTOR_GP))
            return false;
        text_str(t, "RIP ");
        text_hex(t, r->rip);
        text_str(t, " is not canonical: the guest jumped there");
        return true;
    }
    if (r->walk_result == RECORD_WALK_OK || r->walk_result == RECORD_WALK_UNKNOWN ||
        !explain_may_be(vector, VECTOR_PF))
        return false;
    text_str(t, "RIP ");
    text_hex(t, r->walk_gva);
    if (r->walk_result == RECORD_WALK_NO_EXEC) {
        text_str(t, " lies in a page that is not executable");
        return true;
    }
    return walk_text(r, t, r->walk_result, last ? last->level : 0, last ? last->entry : 0);
}

static const char *what_text(const struct record_touch *touch)
{
    switch (touch->what) {
    case RECORD_TOUCH_STACK:
        return touch->write ? "the instruction pushes to " : "the instruction pops from ";
    case RECORD_TOUCH_OPERAND:
        return touch->write ? "the instruction writes " : "the instruction reads ";
    default:
        return "CR2 ";
    }
}

/* Does a page that translates forbid the access? */
static const char *forbidden_by(const struct crash_record *r, const struct record_touch *touch)
{
    bool user = is_user(r);

    if (touch->result != RECORD_WALK_OK || touch->what == RECORD_TOUCH_CR2)
        return NULL;
    if (user && !(touch->rights & RECORD_RIGHT_USER))
        return ", a supervisor page, at CPL 3";
    if (touch->write && !(touch->rights & RECORD_RIGHT_WRITE) && (user || (r->cr0_real & X_WP)))
        return ", a read-only page";
    if (!user && (touch->rights & RECORD_RIGHT_USER) && (r->cr4_real & X_SMAP) &&
        !(r->rflags & X_AC))
        return ", a user page, with CR4.SMAP=1 and RFLAGS.AC=0";
    return NULL;
}

static bool touch_cause(const struct crash_record *r, const struct record_touch *touch,
                        uint8_t *vector, struct text *t)
{
    const char *forbidden = forbidden_by(r, touch);

    if (touch->result == RECORD_WALK_NON_CANONICAL) {
        if (touch->what == RECORD_TOUCH_CR2 ||
            !explain_may_be(vector, touch->stack ? VECTOR_SS : VECTOR_GP))
            return false;
        text_str(t, touch->what == RECORD_TOUCH_TARGET ? "the instruction jumps to "
                                                       : what_text(touch));
        text_hex(t, touch->gva);
        text_str(t, ", which is not canonical");
        return true;
    }
    /* a jump to an unmapped place faults after it, with RIP there; an old CR2 proves nothing by itself */
    if (touch->what == RECORD_TOUCH_TARGET ||
        (touch->what == RECORD_TOUCH_CR2 && *vector != VECTOR_PF) ||
        (!forbidden && touch->result == RECORD_WALK_OK) || !explain_may_be(vector, VECTOR_PF))
        return false;
    text_str(t, what_text(touch));
    text_hex(t, touch->gva);
    if (forbidden) {
        text_str(t, forbidden);
        if (touch->level)
            entry_text(t, touch->level, touch->entry);
        return true;
    }
    if (touch->what != RECORD_TOUCH_CR2)
        text_str(t, ", which");
    return walk_text(r, t, (enum record_walk)touch->result, touch->level, touch->entry);
}

bool explain_fault_cause(const struct crash_record *r, uint8_t *vector, struct text *t)
{
    if (rip_cause(r, vector, t))
        return true;
    if (r->walk_result != RECORD_WALK_OK && r->walk_result != RECORD_WALK_UNKNOWN)
        return false;
    /* the instruction's own addresses before CR2, which may be left from a handled fault */
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < r->touch_count; i++)
            if (r->touch[i].what != RECORD_TOUCH_DESCRIPTOR &&
                (r->touch[i].what == RECORD_TOUCH_CR2) == (pass == 1) &&
                touch_cause(r, &r->touch[i], vector, t))
                return true;
    return false;
}
