/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From the text of a crash record back to the struct. The log is hostile input: every number, count
 * and length is checked, unknown words and keys are skipped, damaged items are dropped and counted.
 */
#include "protocol/record.h"
#include "protocol/record_keys.h"
#include "protocol/tables.h"

#include <string.h>

/* A piece of the line. */
struct span {
    const char *at;
    size_t len_bytes;
};

static bool span_is(struct span s, const char *word)
{
    size_t i = 0;

    while (i < s.len_bytes && word[i] && s.at[i] == word[i])
        i++;
    return i == s.len_bytes && !word[i];
}

/* Cuts the next word (up to a space) off *rest; empty at the end. */
static struct span next_word(struct span *rest)
{
    struct span word;

    while (rest->len_bytes && *rest->at == ' ') {
        rest->at++;
        rest->len_bytes--;
    }
    word = (struct span){rest->at, 0};
    while (word.len_bytes < rest->len_bytes && rest->at[word.len_bytes] != ' ')
        word.len_bytes++;
    if (word.len_bytes) /* the span of an absent value has no address to count from */
        rest->at += word.len_bytes;
    rest->len_bytes -= word.len_bytes;
    return word;
}

/* key=value; false when there is no '='. */
static bool next_pair(struct span *rest, struct span *key, struct span *value)
{
    struct span word = next_word(rest);
    size_t equals = 0;

    while (equals < word.len_bytes && word.at[equals] != '=')
        equals++;
    *key = (struct span){word.at, equals};
    if (equals == word.len_bytes)
        return false;
    *value = (struct span){word.at + equals + 1, word.len_bytes - equals - 1};
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* 0x and 1 to 16 lower-case hex digits, nothing else. */
static bool number(struct span s, uint64_t *value)
{
    *value = 0;
    if (s.len_bytes < 3 || s.len_bytes > 18 || s.at[0] != '0' || s.at[1] != 'x')
        return false;
    for (size_t i = 2; i < s.len_bytes; i++) {
        int digit = hex_digit(s.at[i]);

        if (digit < 0)
            return false;
        *value = *value << 4 | (uint64_t)digit;
    }
    return true;
}

static unsigned hex_bytes(struct span s, uint8_t *out, unsigned max)
{
    unsigned count = 0;

    while (count < max && 2 * count + 1 < s.len_bytes) {
        int high = hex_digit(s.at[2 * count]), low = hex_digit(s.at[2 * count + 1]);

        if (high < 0 || low < 0)
            break;
        out[count++] = (uint8_t)(high << 4 | low);
    }
    return count;
}

static void copy_text(char *out, size_t cap_bytes, struct span s)
{
    size_t length;

    while (s.len_bytes && *s.at == ' ') {
        s.at++;
        s.len_bytes--;
    }
    length = s.len_bytes < cap_bytes - 1 ? s.len_bytes : cap_bytes - 1;
    for (size_t i = 0; i < length; i++) /* no control characters from a log to a terminal */
        out[i] = s.at[i] >= ' ' && s.at[i] < 0x7f ? s.at[i] : '?';
    out[length] = 0;
}

static int word_index(struct span s, const char *const *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (span_is(s, words[i]))
            return (int)i;
    return -1;
}

static uint8_t kind_of(struct span s)
{
    for (unsigned i = 0; i < TL_KIND_COUNT; i++)
        if (span_is(s, tl_kinds[i].word))
            return (uint8_t)i;
    return TL_KIND_OTHER;
}

/* Where a key's number goes, for words whose keys are a fixed few. */
struct slot {
    const char *key;
    void *at;
    uint8_t len_bytes;
};

/* Reads pairs into slots; keys without a slot are skipped. Returns malformed numbers. */
static unsigned fill(struct span rest, const struct slot *slots, unsigned count)
{
    struct span key, value;
    unsigned bad = 0;

    while (rest.len_bytes) {
        if (!next_pair(&rest, &key, &value))
            continue;
        for (unsigned i = 0; i < count; i++) {
            uint64_t n;

            if (!span_is(key, slots[i].key))
                continue;
            if (number(value, &n))
                memcpy(slots[i].at, &n, slots[i].len_bytes);
            else
                bad++;
        }
    }
    return bad;
}

/* Value of one key as a word; empty when it is not there. */
static struct span find(struct span rest, const char *wanted)
{
    struct span key, value;

    while (rest.len_bytes)
        if (next_pair(&rest, &key, &value) && span_is(key, wanted))
            return value;
    return (struct span){NULL, 0};
}

#define SLOT(key_, lvalue_)                                                                        \
    {                                                                                              \
        key_, &(lvalue_), sizeof(lvalue_)                                                          \
    }
#define FILL(rest_, slots_) fill(rest_, slots_, sizeof(slots_) / sizeof((slots_)[0]))

static unsigned parse_begin(struct crash_record *r, struct span rest)
{
    int why = word_index(find(rest, "why"), record_why_words, RECORD_WHY_COUNT);
    uint64_t revision = 0;
    bool svm = span_is(find(rest, "vendor"), "svm");

    record_clear(r, svm);
    number(find(rest, "rev"), &revision);
    r->revision = (uint32_t)revision;
    r->why = why < 0 ? RECORD_UNHANDLED : (enum record_why)why;
    r->efer_in_area = span_is(find(rest, "efer"), "area");
    copy_text(r->platform, sizeof(r->platform), find(rest, "platform"));
    return why < 0;
}

static unsigned parse_exit(struct crash_record *r, struct span rest)
{
    struct record_exit *e = &r->exit;
    const struct slot slots[] = {
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
    struct span kind = find(rest, "kind");

    if (kind.len_bytes)
        e->kind = kind_of(kind);
    return FILL(rest, slots);
}

static unsigned parse_regs(struct crash_record *r, struct span rest)
{
    struct slot slots[RECORD_KEYS_COUNT];

    r->regs_present = true;
    for (unsigned i = 0; i < RECORD_KEYS_COUNT; i++)
        slots[i] = (struct slot){record_keys[i].name, record_key_value(r, i), 8};
    return fill(rest, slots, RECORD_KEYS_COUNT);
}

static unsigned parse_segment(struct crash_record *r, struct span rest)
{
    int n = word_index(find(rest, "name"), record_segment_names, 8);
    struct record_segment *s = &r->segment[n < 0 ? 0 : n];
    const struct slot slots[] = {SLOT("selector", s->selector), SLOT("base", s->base),
                                 SLOT("limit", s->limit), SLOT("rights", s->rights)};

    return n < 0 ? 1 : FILL(rest, slots);
}

static unsigned parse_table(struct crash_record *r, struct span rest)
{
    const struct slot slots[] = {SLOT("gdtr_base", r->gdtr_base), SLOT("gdtr_limit", r->gdtr_limit),
                                 SLOT("idtr_base", r->idtr_base),
                                 SLOT("idtr_limit", r->idtr_limit)};

    return FILL(rest, slots);
}

static unsigned parse_cpu(struct crash_record *r, struct span rest)
{
    struct snapshot *s = &r->state;
    const struct slot slots[] = {SLOT("maxphyaddr", s->maxphyaddr_bits),
                                 SLOT("linear", s->linear_bits),
                                 SLOT("current_vmcs", s->current_vmcs_hpa),
                                 SLOT("link_revision", s->revision_id), SLOT("vtpr", s->vtpr)};
    struct span mode = find(rest, "host_long_mode");
    unsigned bad = FILL(rest, slots);

    s->host_mode_known = mode.len_bytes;
    s->host_long_mode = span_is(mode, "0x1");
    s->link_revision_known = find(rest, "link_revision").len_bytes;
    s->vtpr_known = find(rest, "vtpr").len_bytes;
    if (s->maxphyaddr_bits > 52)
        s->maxphyaddr_bits = 52;
    if (s->linear_bits > 57)
        s->linear_bits = 57;
    return bad;
}

static unsigned parse_fields(struct crash_record *r, struct span rest)
{
    enum tl_vendor vendor = r->state.svm ? TL_SVM : TL_VMX;
    unsigned count, bad = 0;
    const struct tl_field *fields = tl_fields(vendor, &count);
    struct span key, value;

    while (rest.len_bytes) {
        const struct tl_field *field;
        uint64_t n;

        if (!next_pair(&rest, &key, &value))
            continue;
        field = tl_field_by_name(vendor, key.at, key.len_bytes);
        if (field && number(value, &n))
            snapshot_set(&r->state, (uint16_t)(field - fields), n);
        else
            bad++;
    }
    return bad;
}

static unsigned parse_caps(struct crash_record *r, struct span rest)
{
    struct span key, value;
    unsigned bad = 0;

    while (rest.len_bytes) {
        uint64_t index, n;

        if (!next_pair(&rest, &key, &value))
            continue;
        if (number(key, &index) && index <= 0xffffffff && number(value, &n))
            snapshot_set_cap(&r->state, (uint32_t)index, n);
        else
            bad++;
    }
    return bad;
}

static unsigned parse_list(struct snapshot_list *list, struct span rest)
{
    struct snapshot_msr msr = {0, 0, 0};
    uint64_t entry = 0;
    const struct slot slots[] = {SLOT("entry", entry), SLOT("index", msr.index),
                                 SLOT("reserved", msr.reserved), SLOT("value", msr.value)};

    if (FILL(rest, slots) || entry < 1 || entry > SNAPSHOT_LIST_MAX)
        return 1;
    list->present = true;
    list->entries[entry - 1] = msr;
    if (list->count < entry)
        list->count = (uint16_t)entry;
    return 0;
}

static unsigned parse_walk(struct crash_record *r, struct span rest)
{
    int result = word_index(find(rest, "result"), record_walk_words, RECORD_WALK_COUNT);
    const struct slot slots[] = {SLOT("gva", r->walk_gva), SLOT("gpa", r->walk_gpa)};

    r->walk_result = result < 0 ? RECORD_WALK_UNKNOWN : (enum record_walk)result;
    return FILL(rest, slots) + (result < 0);
}

static unsigned parse_pdptes(struct crash_record *r, struct span rest)
{
    const struct slot slots[] = {SLOT("e0", r->pdpte_memory[0]), SLOT("e1", r->pdpte_memory[1]),
                                 SLOT("e2", r->pdpte_memory[2]), SLOT("e3", r->pdpte_memory[3])};

    r->pdptes_present = true;
    return FILL(rest, slots);
}

static unsigned parse_level(struct crash_record *r, struct span rest, bool nested)
{
    struct record_level *l = &r->walk[r->walk_count];
    const struct slot slots[] = {SLOT("level", l->level), SLOT("at", l->entry_gpa),
                                 SLOT("entry", l->entry)};

    if (r->walk_count == RECORD_WALK_MAX)
        return 1;
    r->walk_count++;
    l->nested = nested;
    return FILL(rest, slots);
}

static unsigned parse_touch(struct crash_record *r, struct span rest)
{
    int what = word_index(find(rest, "what"), record_touch_words, RECORD_TOUCH_COUNT);
    int result = word_index(find(rest, "result"), record_walk_words, RECORD_WALK_COUNT);
    struct record_touch *t = &r->touch[r->touch_count];
    const struct slot slots[] = {SLOT("gva", t->gva),     SLOT("write", t->write),
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

static unsigned parse_gate(struct crash_record *r, struct span rest)
{
    struct record_gate *g = &r->gate[r->gate_count];
    const struct slot slots[] = {SLOT("vector", g->vector), SLOT("low", g->low),
                                 SLOT("high", g->high)};

    if (r->gate_count == RECORD_GATES_MAX)
        return 1;
    r->gate_count++;
    g->readable = span_is(find(rest, "readable"), "0x1");
    return FILL(rest, slots);
}

static unsigned parse_ring(struct crash_record *r, struct span rest)
{
    struct record_ring *e;
    struct span key, value;
    unsigned bad = 0;

    if (r->ring_count == RECORD_RING_MAX)
        return 1;
    e = &r->ring[r->ring_count++];
    e->kind = kind_of(find(rest, "kind"));
    number(find(rest, "n"), &e->number);
    while (rest.len_bytes) {
        if (!next_pair(&rest, &key, &value))
            continue;
        for (unsigned k = 0; k < RECORD_RING_KEYS_COUNT; k++) {
            uint64_t n;

            if (!span_is(key, record_ring_keys[k].name))
                continue;
            if (number(value, &n))
                record_ring_set(e, k, n);
            else
                bad++;
        }
    }
    return bad;
}

static unsigned parse_bytes(struct span rest, uint64_t *gva, uint8_t *bytes, uint8_t *len_bytes,
                            unsigned max)
{
    if (!number(find(rest, "gva"), gva))
        return 1;
    *len_bytes = (uint8_t)hex_bytes(find(rest, "bytes"), bytes, max);
    return 0;
}

static unsigned parse_fault(struct crash_record *r, struct span rest)
{
    const struct slot slots[] = {SLOT("vector", r->fault_vector), SLOT("error", r->fault_error),
                                 SLOT("rip", r->fault_rip), SLOT("cr2", r->fault_cr2)};

    return FILL(rest, slots);
}

static unsigned parse_trace(struct crash_record *r, struct span rest)
{
    while (rest.len_bytes && r->trace_count < RECORD_TRACE_MAX) {
        struct span word = next_word(&rest);

        if (word.len_bytes && !number(word, &r->trace[r->trace_count++]))
            return 1;
    }
    return 0;
}

static unsigned parse_verdict(struct crash_record *r, struct span rest)
{
    unsigned n = r->verdict[0][0] ? 1 : 0;

    copy_text(r->verdict[n], sizeof(r->verdict[n]), rest);
    return 0;
}

static unsigned parse_item(struct crash_record *r, struct span word, struct span rest)
{
    if (span_is(word, "exit"))
        return parse_exit(r, rest);
    if (span_is(word, "regs"))
        return parse_regs(r, rest);
    if (span_is(word, "seg"))
        return parse_segment(r, rest);
    if (span_is(word, "table"))
        return parse_table(r, rest);
    if (span_is(word, "cpu"))
        return parse_cpu(r, rest);
    if (span_is(word, "vmcs") || span_is(word, "vmcb"))
        return parse_fields(r, rest);
    if (span_is(word, "cap"))
        return parse_caps(r, rest);
    if (span_is(word, "msr-load"))
        return parse_list(&r->state.entry_load, rest);
    if (span_is(word, "msr-store"))
        return parse_list(&r->state.exit_store, rest);
    if (span_is(word, "msr-exit-load"))
        return parse_list(&r->state.exit_load, rest);
    if (span_is(word, "code"))
        return parse_bytes(rest, &r->code_gva, r->code, &r->code_bytes, RECORD_CODE_BYTES);
    if (span_is(word, "stack"))
        return parse_bytes(rest, &r->stack_gva, r->stack, &r->stack_bytes, RECORD_STACK_BYTES);
    if (span_is(word, "walk"))
        return parse_walk(r, rest);
    if (span_is(word, "walk-level") || span_is(word, "nested-level"))
        return parse_level(r, rest, word.at[0] == 'n');
    if (span_is(word, "touch"))
        return parse_touch(r, rest);
    if (span_is(word, "gate"))
        return parse_gate(r, rest);
    if (span_is(word, "pdpte"))
        return parse_pdptes(r, rest);
    if (span_is(word, "ring"))
        return parse_ring(r, rest);
    if (span_is(word, "hv-fault"))
        return parse_fault(r, rest);
    if (span_is(word, "hv-trace"))
        return parse_trace(r, rest);
    if (span_is(word, "verdict"))
        return parse_verdict(r, rest);
    if (span_is(word, "hv-text"))
        copy_text(r->fault_text, sizeof(r->fault_text), rest);
    if (span_is(word, "why"))
        copy_text(r->why_text, sizeof(r->why_text), rest);
    return 0;
}

/* The text behind "tl: ", or empty when the line is none of ours. */
static struct span ours(const char *line, size_t len_bytes)
{
    while (len_bytes && (line[len_bytes - 1] == '\n' || line[len_bytes - 1] == '\r'))
        len_bytes--;
    for (size_t i = 0; i + 4 <= len_bytes; i++)
        if (!memcmp(line + i, "tl: ", 4))
            return (struct span){line + i + 4, len_bytes - i - 4};
    return (struct span){NULL, 0};
}

bool record_parse_line(struct crash_record *record, const char *line, size_t len_bytes,
                       unsigned *bad)
{
    struct span rest = ours(line, len_bytes), word = next_word(&rest);
    unsigned dropped = 0;

    if (span_is(word, "crash")) {
        word = next_word(&rest);
        if (span_is(word, "begin"))
            dropped = parse_begin(record, rest);
        else if (span_is(word, "end"))
            record->complete = true;
        if (bad)
            *bad += dropped;
        return record->complete && span_is(word, "end");
    }
    if (word.len_bytes && record->revision && !record->complete)
        dropped = parse_item(record, word, rest);
    if (bad)
        *bad += dropped;
    return false;
}
