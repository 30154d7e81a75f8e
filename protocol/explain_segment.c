/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Selectors and descriptors that the instruction at RIP cannot load: outside the GDT, of the wrong
 * type, not present.
 */
#include "protocol/explain_make.h"

#define VECTOR_NP 11u
#define VECTOR_SS 12u
#define VECTOR_GP 13u

/* A selector that lies behind the end of the GDT. */
static bool selector_text(const struct crash_record *r, const char *what, uint16_t selector,
                          struct text *t)
{
    if (!(r->cr0_real & X_PE) || (selector & 4) || (selector | 7u) <= r->gdtr_limit)
        return false;
    text_str(t, what);
    text_hex(t, selector);
    text_str(t, " lies outside the GDT (limit ");
    text_hex(t, r->gdtr_limit);
    text_char(t, ')');
    return true;
}

/* A descriptor that the register cannot take. */
bool explain_descriptor_cause(const struct explain_insn *look, uint8_t *vector, struct text *t)
{
    const struct crash_record *r = look->r;
    const struct record_touch *touch = NULL;
    bool far = look->map == 0 && (look->op == 0xea || look->op == 0x9a);
    bool sreg = look->map == 0 && look->op == 0x8e, ss = sreg && (look->modrm >> 3 & 7) == 2;
    bool present, system, code, second; /* second: writable data, readable code */
    const char *wrong = NULL;

    for (unsigned i = 0; i < r->touch_count && !touch; i++)
        if (r->touch[i].what == RECORD_TOUCH_DESCRIPTOR && r->touch[i].result == RECORD_WALK_OK)
            touch = &r->touch[i];
    if (!touch || (!far && !sreg))
        return false;
    present = touch->entry >> 47 & 1;
    system = !(touch->entry >> 44 & 1);
    code = touch->entry >> 43 & 1;
    second = touch->entry >> 41 & 1;
    if (far && !system && !code)
        wrong = "is a data segment";
    else if (far && !touch->entry)
        wrong = "is empty";
    else if (ss && (system || code || !second))
        wrong = "is no writable data segment, which SS needs";
    else if (sreg && (system || (code && !second)))
        wrong = "is no data segment and no readable code segment";
    if (wrong ? !explain_may_be(vector, VECTOR_GP)
              : present || !explain_may_be(vector, ss ? VECTOR_SS : VECTOR_NP))
        return false;
    text_str(t, far ? "the far jump's selector " : "the selector ");
    text_hex(t, touch->at);
    text_char(t, ' ');
    text_str(t, wrong ? wrong : "names a segment that is not present");
    text_str(t, " (descriptor ");
    text_hex(t, touch->entry);
    text_char(t, ')');
    return true;
}

bool explain_selector_cause(const struct explain_insn *look, struct text *t)
{
    uint16_t selector = (uint16_t)look->r->gpr[explain_rm_of(look)];
    unsigned group = look->modrm >> 3 & 7;
    bool wide = (look->r->segment[1].rights >> 14 & 1) != look->osize;

    if (look->map == 0 && look->op == 0xea && !explain_is_64bit(look->r)) {
        const uint8_t *at = look->rest + (wide ? 4 : 2);

        return selector_text(look->r, "the far jump's selector ", (uint16_t)(at[0] | at[1] << 8),
                             t);
    }
    if (!explain_is_register(look))
        return false;
    if (look->map == 0 && look->op == 0x8e)
        return selector_text(look->r, "the selector ", selector, t);
    if (look->map == 1 && look->op == 0x00 && group == 3 && !(selector & 0xfffc)) {
        text_str(t, "LTR of a null selector");
        return true;
    }
    return look->map == 1 && look->op == 0x00 && (group == 2 || group == 3) &&
           selector_text(look->r, group == 3 ? "LTR's selector " : "LLDT's selector ", selector, t);
}
