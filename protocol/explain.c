/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The frame of `explain`: runs every explainer, ranks what they found. Causes by topic:
 * explain_entry.c (rules, hypervisor's own faults, exits), explain_state.c (state the guest wrote and
 * the CPU does not have), explain_guest.c (what the guest itself did).
 */
#include "protocol/explain.h"

#include <string.h>

#include "protocol/explain_make.h"
#include "protocol/tables.h"

#define EXPLAIN(function, id, text) void explain_##function(struct explain_run *run);
#include "protocol/explain.def"
#undef EXPLAIN

static const struct {
    const char *id;
    void (*look)(struct explain_run *run);
} explainers[] = {
#define EXPLAIN(function, id_, text) {id_, explain_##function},
#include "protocol/explain.def"
#undef EXPLAIN
};

struct explain_writer explain_add(struct explain_run *run, enum explain_certainty certainty,
                                  uint16_t rank)
{
    struct explanation *out = run->out;
    unsigned at = out->count;
    struct explain_item *item;
    struct explain_writer w;

    while (at > 0 && out->item[at - 1].rank < rank)
        at--;
    if (at >= EXPLAIN_ITEMS_MAX) {
        item = &run->overflow; /* more conclusions than room: the lowest falls out */
    } else {
        unsigned moved =
            out->count < EXPLAIN_ITEMS_MAX ? out->count - at : EXPLAIN_ITEMS_MAX - 1 - at;

        memmove(&out->item[at + 1], &out->item[at], moved * sizeof(out->item[0]));
        if (out->count < EXPLAIN_ITEMS_MAX)
            out->count++;
        item = &out->item[at];
    }
    item->id = run->id;
    item->certainty = certainty;
    item->rank = rank;
    text_init(&w.text, item->text, sizeof(item->text));
    text_init(&w.evidence, item->evidence, sizeof(item->evidence));
    return w;
}

const struct record_ring *explain_last(const struct crash_record *r, uint8_t kind, uint64_t index)
{
    for (unsigned i = r->ring_count; i-- > 0;) {
        const struct record_ring *e = &r->ring[i];

        if (e->kind == kind && (index == ~UINT64_C(0) || (uint32_t)e->rcx == index))
            return e;
    }
    return NULL;
}

void explain_at(struct text *t, const struct record_ring *entry)
{
    text_str(t, " at RIP ");
    text_hex(t, entry->rip);
    text_str(t, " (exit ");
    text_dec(t, entry->number);
    text_char(t, ')');
}

void explain(const struct crash_record *record, struct explanation *out)
{
    struct explain_run run = {.r = record, .out = out};

    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < sizeof(explainers) / sizeof(explainers[0]); i++) {
        run.id = explainers[i].id;
        explainers[i].look(&run);
    }
}

const char *explain_certainty_text(enum explain_certainty certainty)
{
    return certainty == EXPLAIN_PROVEN   ? "proven"
           : certainty == EXPLAIN_LIKELY ? "likely"
                                         : "guess";
}
