/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From the text of a crash record back to the struct. The log is hostile input: every number, count
 * and length is checked, unknown words and keys are skipped, damaged items are dropped and counted.
 */
#include "protocol/record.h"
#include "protocol/record_keys.h"
#include "protocol/record_words.h"
#include "protocol/tables.h"

#include <string.h>

static uint8_t kind_of(struct args s)
{
    for (unsigned i = 0; i < TL_KIND_COUNT; i++)
        if (args_is(&s, tl_kinds[i].word))
            return (uint8_t)i;
    return TL_KIND_OTHER;
}

static bool has(struct args rest, const char *key)
{
    struct args value = record_find(rest, key);

    return !args_empty(&value);
}

static bool says(struct args rest, const char *key, const char *word)
{
    struct args value = record_find(rest, key);

    return args_is(&value, word);
}

#define SLOT(key_, lvalue_)                                                                        \
    {                                                                                              \
        key_, &(lvalue_), sizeof(lvalue_)                                                          \
    }
#define FILL(rest_, slots_) record_fill(rest_, slots_, sizeof(slots_) / sizeof((slots_)[0]))

static unsigned parse_begin(struct crash_record *r, struct args rest)
{
    int why = record_choice(record_find(rest, "why"), record_why_words, RECORD_WHY_COUNT);
    uint64_t revision = 0;
    bool svm = says(rest, "vendor", "svm");

    record_clear(r, svm);
    record_number(record_find(rest, "rev"), &revision);
    r->revision = (uint32_t)revision;
    r->why = why < 0 ? RECORD_UNHANDLED : (enum record_why)why;
    r->efer_in_area = says(rest, "efer", "area");
    record_text(r->platform, sizeof(r->platform), record_find(rest, "platform"));
    return why < 0;
}

static unsigned parse_exit(struct crash_record *r, struct args rest)
{
    struct record_exit *e = &r->exit;
    const struct record_slot slots[] = {
        SLOT("reason", e->reason),
        SLOT("info1", e->info1),
        SLOT("info2", e->info2),
        SLOT("len", e->len_bytes),
        SLOT("instr_error", e->instr_error),
        SLOT("event", e->event),
        SLOT("value", e->value),
        SLOT("old", e->old),
        SLOT("index", e->index),
        SLOT("count", r->exit_count),
    };
    struct args kind = record_find(rest, "kind");

    if (!args_empty(&kind))
        e->kind = kind_of(kind);
    return FILL(rest, slots);
}

static unsigned parse_regs(struct crash_record *r, struct args rest)
{
    struct record_slot slots[RECORD_KEYS_COUNT];

    r->regs_present = true;
    for (unsigned i = 0; i < RECORD_KEYS_COUNT; i++)
        slots[i] = (struct record_slot){record_keys[i].name, record_key_value(r, i), 8};
    return record_fill(rest, slots, RECORD_KEYS_COUNT);
}

static unsigned parse_segment(struct crash_record *r, struct args rest)
{
    int n = record_choice(record_find(rest, "name"), record_segment_names, 8);
    struct record_segment *s = &r->segment[n < 0 ? 0 : n];
    const struct record_slot slots[] = {SLOT("selector", s->selector), SLOT("base", s->base),
                                        SLOT("limit", s->limit), SLOT("rights", s->rights)};

    return n < 0 ? 1 : FILL(rest, slots);
}

static unsigned parse_table(struct crash_record *r, struct args rest)
{
    const struct record_slot slots[] = {
        SLOT("gdtr_base", r->gdtr_base), SLOT("gdtr_limit", r->gdtr_limit),
        SLOT("idtr_base", r->idtr_base), SLOT("idtr_limit", r->idtr_limit)};

    return FILL(rest, slots);
}

static unsigned parse_cpu(struct crash_record *r, struct args rest)
{
    struct snapshot *s = &r->state;
    const struct record_slot slots[] = {
        SLOT("maxphyaddr", s->maxphyaddr_bits), SLOT("linear", s->linear_bits),
        SLOT("current_vmcs", s->current_vmcs_hpa), SLOT("link_revision", s->revision_id),
        SLOT("vtpr", s->vtpr)};
    struct args mode = record_find(rest, "host_long_mode");
    unsigned bad = FILL(rest, slots);

    s->host_mode_known = !args_empty(&mode);
    s->host_long_mode = args_is(&mode, "0x1");
    s->link_revision_known = has(rest, "link_revision");
    s->vtpr_known = has(rest, "vtpr");
    if (s->maxphyaddr_bits > 52)
        s->maxphyaddr_bits = 52;
    if (s->linear_bits > 57)
        s->linear_bits = 57;
    return bad;
}

static unsigned parse_fields(struct crash_record *r, struct args rest)
{
    enum tl_vendor vendor = r->state.svm ? TL_SVM : TL_VMX;
    unsigned count, bad = 0;
    const struct tl_field *fields = tl_fields(vendor, &count);
    struct args key, value;

    while (!args_empty(&rest)) {
        const struct tl_field *field;
        uint64_t n;

        if (!record_pair(&rest, &key, &value))
            continue;
        field = tl_field_by_name(vendor, key.at, args_len_bytes(&key));
        if (field && record_number(value, &n))
            snapshot_set(&r->state, (uint16_t)(field - fields), n);
        else
            bad++;
    }
    return bad;
}

static unsigned parse_caps(struct crash_record *r, struct args rest)
{
    struct args key, value;
    unsigned bad = 0;

    while (!args_empty(&rest)) {
        uint64_t index, n;

        if (!record_pair(&rest, &key, &value))
            continue;
        if (record_number(key, &index) && index <= 0xffffffff && record_number(value, &n))
            snapshot_set_cap(&r->state, (uint32_t)index, n);
        else
            bad++;
    }
    return bad;
}

static unsigned parse_list(struct snapshot_list *list, struct args rest)
{
    struct snapshot_msr msr = {0, 0, 0};
    uint64_t entry = 0;
    const struct record_slot slots[] = {SLOT("entry", entry), SLOT("index", msr.index),
                                        SLOT("reserved", msr.reserved), SLOT("value", msr.value)};

    if (FILL(rest, slots) || entry < 1 || entry > SNAPSHOT_LIST_MAX)
        return 1;
    list->present = true;
    list->entries[entry - 1] = msr;
    if (list->count < entry)
        list->count = (uint16_t)entry;
    return 0;
}

static unsigned parse_walk(struct crash_record *r, struct args rest)
{
    int result = record_choice(record_find(rest, "result"), record_walk_words, RECORD_WALK_COUNT);
    const struct record_slot slots[] = {SLOT("gva", r->walk_gva), SLOT("gpa", r->walk_gpa)};

    r->walk_result = result < 0 ? RECORD_WALK_UNKNOWN : (enum record_walk)result;
    return FILL(rest, slots) + (result < 0);
}

static unsigned parse_pdptes(struct crash_record *r, struct args rest)
{
    const struct record_slot slots[] = {
        SLOT("e0", r->pdpte_memory[0]), SLOT("e1", r->pdpte_memory[1]),
        SLOT("e2", r->pdpte_memory[2]), SLOT("e3", r->pdpte_memory[3])};

    r->pdptes_present = true;
    return FILL(rest, slots);
}

static unsigned parse_level(struct crash_record *r, struct args rest, bool nested)
{
    struct record_level *l = &r->walk[r->walk_count];
    const struct record_slot slots[] = {SLOT("level", l->level), SLOT("at", l->entry_gpa),
                                        SLOT("entry", l->entry)};

    if (r->walk_count == RECORD_WALK_MAX)
        return 1;
    r->walk_count++;
    l->nested = nested;
    return FILL(rest, slots);
}

static unsigned parse_touch(struct crash_record *r, struct args rest)
{
    int what = record_choice(record_find(rest, "what"), record_touch_words, RECORD_TOUCH_COUNT);
    int result = record_choice(record_find(rest, "result"), record_walk_words, RECORD_WALK_COUNT);
    struct record_touch *t = &r->touch[r->touch_count];
    const struct record_slot slots[] = {SLOT("gva", t->gva),     SLOT("write", t->write),
                                        SLOT("stack", t->stack), SLOT("rights", t->rights),
                                        SLOT("level", t->level), SLOT("at", t->at),
                                        SLOT("entry", t->entry)};

    if (r->touch_count == RECORD_TOUCHES_MAX || what < 0 || result < 0)
        return 1;
    r->touch_count++;
    t->what = (uint8_t)what;
    t->result = (uint8_t)result;
    return FILL(rest, slots);
}

static unsigned parse_gate(struct crash_record *r, struct args rest)
{
    struct record_gate *g = &r->gate[r->gate_count];
    const struct record_slot slots[] = {SLOT("vector", g->vector), SLOT("low", g->low),
                                        SLOT("high", g->high)};

    if (r->gate_count == RECORD_GATES_MAX)
        return 1;
    r->gate_count++;
    g->readable = says(rest, "readable", "0x1");
    return FILL(rest, slots);
}

static unsigned parse_ring(struct crash_record *r, struct args rest)
{
    struct record_ring *e;
    struct args key, value;
    unsigned bad = 0;

    if (r->ring_count == RECORD_RING_MAX)
        return 1;
    e = &r->ring[r->ring_count++];
    e->kind = kind_of(record_find(rest, "kind"));
    record_number(record_find(rest, "n"), &e->number);
    while (!args_empty(&rest)) {
        if (!record_pair(&rest, &key, &value))
            continue;
        for (unsigned k = 0; k < RECORD_RING_KEYS_COUNT; k++) {
            uint64_t n;

            if (!args_is(&key, record_ring_keys[k].name))
                continue;
            if (record_number(value, &n))
                record_ring_set(e, k, n);
            else
                bad++;
        }
    }
    return bad;
}

static unsigned parse_bytes(struct args rest, uint64_t *gva, uint8_t *bytes, uint8_t *len_bytes,
                            unsigned max)
{
    if (!record_number(record_find(rest, "gva"), gva))
        return 1;
    *len_bytes = (uint8_t)record_bytes(record_find(rest, "bytes"), bytes, max);
    return 0;
}

static unsigned parse_fault(struct crash_record *r, struct args rest)
{
    const struct record_slot slots[] = {SLOT("vector", r->fault_vector),
                                        SLOT("error", r->fault_error), SLOT("rip", r->fault_rip),
                                        SLOT("cr2", r->fault_cr2)};

    return FILL(rest, slots);
}

static unsigned parse_trace(struct crash_record *r, struct args rest)
{
    while (!args_empty(&rest) && r->trace_count < RECORD_TRACE_MAX) {
        struct args word = record_word(&rest);

        if (!args_empty(&word) && !record_number(word, &r->trace[r->trace_count++]))
            return 1;
    }
    return 0;
}

static unsigned parse_verdict(struct crash_record *r, struct args rest)
{
    unsigned n = r->verdict[0][0] ? 1 : 0;

    record_text(r->verdict[n], sizeof(r->verdict[n]), rest);
    return 0;
}

static unsigned parse_item(struct crash_record *r, struct args word, struct args rest)
{
    if (args_is(&word, "exit"))
        return parse_exit(r, rest);
    if (args_is(&word, "regs"))
        return parse_regs(r, rest);
    if (args_is(&word, "seg"))
        return parse_segment(r, rest);
    if (args_is(&word, "table"))
        return parse_table(r, rest);
    if (args_is(&word, "cpu"))
        return parse_cpu(r, rest);
    if (args_is(&word, "vmcs") || args_is(&word, "vmcb"))
        return parse_fields(r, rest);
    if (args_is(&word, "cap"))
        return parse_caps(r, rest);
    if (args_is(&word, "msr-load"))
        return parse_list(&r->state.entry_load, rest);
    if (args_is(&word, "msr-store"))
        return parse_list(&r->state.exit_store, rest);
    if (args_is(&word, "msr-exit-load"))
        return parse_list(&r->state.exit_load, rest);
    if (args_is(&word, "code"))
        return parse_bytes(rest, &r->code_gva, r->code, &r->code_bytes, RECORD_CODE_BYTES);
    if (args_is(&word, "stack"))
        return parse_bytes(rest, &r->stack_gva, r->stack, &r->stack_bytes, RECORD_STACK_BYTES);
    if (args_is(&word, "walk"))
        return parse_walk(r, rest);
    if (args_is(&word, "walk-level") || args_is(&word, "nested-level"))
        return parse_level(r, rest, word.at[0] == 'n');
    if (args_is(&word, "touch"))
        return parse_touch(r, rest);
    if (args_is(&word, "gate"))
        return parse_gate(r, rest);
    if (args_is(&word, "pdpte"))
        return parse_pdptes(r, rest);
    if (args_is(&word, "ring"))
        return parse_ring(r, rest);
    if (args_is(&word, "hv-fault"))
        return parse_fault(r, rest);
    if (args_is(&word, "hv-trace"))
        return parse_trace(r, rest);
    if (args_is(&word, "verdict"))
        return parse_verdict(r, rest);
    if (args_is(&word, "hv-text"))
        record_text(r->fault_text, sizeof(r->fault_text), rest);
    if (args_is(&word, "why"))
        record_text(r->why_text, sizeof(r->why_text), rest);
    return 0;
}

/* The text behind "tl: ", or empty when the line is none of ours. */
static struct args ours(const char *line, size_t len_bytes)
{
    while (len_bytes && (line[len_bytes - 1] == '\n' || line[len_bytes - 1] == '\r'))
        len_bytes--;
    for (size_t i = 0; i + 4 <= len_bytes; i++)
        if (!memcmp(line + i, "tl: ", 4))
            return args_of(line + i + 4, len_bytes - i - 4);
    return args_of(NULL, 0);
}

bool record_parse_line(struct crash_record *record, const char *line, size_t len_bytes,
                       unsigned *bad)
{
    struct args rest = ours(line, len_bytes), word = record_word(&rest);
    unsigned dropped = 0;

    if (args_is(&word, "crash")) {
        word = record_word(&rest);
        if (args_is(&word, "begin"))
            dropped = parse_begin(record, rest);
        else if (args_is(&word, "end"))
            record->complete = true;
        if (bad)
            *bad += dropped;
        return record->complete && args_is(&word, "end");
    }
    if (!args_empty(&word) && record->revision && !record->complete)
        dropped = parse_item(record, word, rest);
    if (bad)
        *bad += dropped;
    return false;
}
