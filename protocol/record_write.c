/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The crash record as text. Every line is "tl: WORD key=value ...", numbers in hex with 0x, short
 * enough for one log line; long lists go on in further lines with the same word.
 */
#include "protocol/record.h"
#include "protocol/record_keys.h"
#include "protocol/tables.h"
#include "protocol/text.h"

struct writer {
    const struct crash_record *r;
    void (*line)(void *ctx, const char *text);
    void *ctx;
    struct text t;
    const char *word; /* of the line being made */
    unsigned items;   /* on it */
    char buf[RECORD_LINE_MAX + 1];
};

static void start(struct writer *w, const char *word)
{
    text_init(&w->t, w->buf, sizeof(w->buf));
    text_str(&w->t, word);
    w->word = word;
    w->items = 0;
}

static void finish(struct writer *w)
{
    w->line(w->ctx, w->buf);
}

/* Begins another line of the same word when the next item might not fit. */
static void room(struct writer *w)
{
    if (w->t.len_bytes > 90 && w->items) {
        finish(w);
        start(w, w->word);
    }
    w->items++;
}

static void pair(struct writer *w, const char *key, uint64_t value)
{
    text_char(&w->t, ' ');
    text_str(&w->t, key);
    text_char(&w->t, '=');
    text_hex(&w->t, value);
}

static void word_pair(struct writer *w, const char *key, const char *value)
{
    text_char(&w->t, ' ');
    text_str(&w->t, key);
    text_char(&w->t, '=');
    text_str(&w->t, value);
}

static void write_exit(struct writer *w)
{
    const struct record_exit *e = &w->r->exit;
    const struct tl_reason *reason = tl_reason(w->r->state.svm ? TL_SVM : TL_VMX, e->reason);

    start(w, "exit");
    word_pair(w, "kind", tl_kind_word(e->kind));
    pair(w, "reason", e->reason);
    if (reason)
        word_pair(w, "name", reason->name);
    pair(w, "info1", e->info1);
    pair(w, "info2", e->info2);
    pair(w, "len", e->len_bytes);
    pair(w, "instr_error", e->instr_error);
    pair(w, "event", e->event);
    finish(w);
    start(w, "exit");
    pair(w, "value", e->value);
    pair(w, "old", e->old);
    pair(w, "index", e->index);
    pair(w, "count", w->r->exit_count);
    finish(w);
}

static void write_regs(struct writer *w)
{
    const struct crash_record *r = w->r;

    if (!r->regs_present)
        return;
    start(w, "regs");
    for (unsigned i = 0; i < RECORD_KEYS_COUNT; i++) {
        room(w);
        pair(w, record_keys[i].name, *record_key_value((struct crash_record *)r, i));
    }
    finish(w);
    for (unsigned i = 0; i < 8; i++) {
        start(w, "seg");
        word_pair(w, "name", record_segment_names[i]);
        pair(w, "selector", r->segment[i].selector);
        pair(w, "base", r->segment[i].base);
        pair(w, "limit", r->segment[i].limit);
        pair(w, "rights", r->segment[i].rights);
        finish(w);
    }
    start(w, "table");
    pair(w, "gdtr_base", r->gdtr_base);
    pair(w, "gdtr_limit", r->gdtr_limit);
    pair(w, "idtr_base", r->idtr_base);
    pair(w, "idtr_limit", r->idtr_limit);
    finish(w);
}

static void write_state(struct writer *w)
{
    const struct snapshot *s = &w->r->state;
    unsigned count;
    const struct tl_field *fields = tl_fields(s->svm ? TL_SVM : TL_VMX, &count);

    start(w, "cpu");
    pair(w, "maxphyaddr", s->maxphyaddr_bits);
    pair(w, "linear", s->linear_bits);
    if (s->host_mode_known)
        pair(w, "host_long_mode", s->host_long_mode);
    pair(w, "current_vmcs", s->current_vmcs_hpa);
    if (s->link_revision_known)
        pair(w, "link_revision", s->revision_id);
    if (s->vtpr_known)
        pair(w, "vtpr", s->vtpr);
    finish(w);
    start(w, s->svm ? "vmcb" : "vmcs");
    for (uint16_t row = 0; row < count; row++) {
        if (!snapshot_has(s, row))
            continue;
        room(w);
        pair(w, fields[row].name, s->field[row]);
    }
    if (w->items)
        finish(w);
    start(w, "cap");
    for (unsigned i = 0; i < s->caps_count; i++) {
        room(w);
        text_char(&w->t, ' ');
        text_hex(&w->t, s->caps[i].index);
        text_char(&w->t, '=');
        text_hex(&w->t, s->caps[i].value);
    }
    if (w->items)
        finish(w);
}

static void write_list(struct writer *w, const char *word, const struct snapshot_list *list)
{
    if (!list->present)
        return;
    for (unsigned i = 0; i < list->count; i++) {
        const struct tl_msr_row *msr = tl_msr_by_index(list->entries[i].index);

        start(w, word);
        pair(w, "entry", i + 1);
        pair(w, "index", list->entries[i].index);
        pair(w, "reserved", list->entries[i].reserved);
        pair(w, "value", list->entries[i].value);
        if (msr)
            word_pair(w, "name", msr->manual);
        finish(w);
    }
}

static void write_bytes(struct writer *w, const char *word, uint64_t gva, const uint8_t *bytes,
                        unsigned len_bytes)
{
    start(w, word);
    pair(w, "gva", gva);
    text_str(&w->t, " bytes=");
    for (unsigned i = 0; i < len_bytes; i++)
        text_hex_digits(&w->t, bytes[i], 2);
    finish(w);
}

static void write_walk(struct writer *w)
{
    const struct crash_record *r = w->r;

    start(w, "walk");
    pair(w, "gva", r->walk_gva);
    word_pair(w, "result", record_walk_words[r->walk_result]);
    if (r->walk_result == RECORD_WALK_OK || r->walk_result == RECORD_WALK_NO_RAM ||
        r->walk_result == RECORD_WALK_NO_EXEC)
        pair(w, "gpa", r->walk_gpa);
    finish(w);
    for (unsigned i = 0; i < r->walk_count; i++) {
        start(w, r->walk[i].nested ? "nested-level" : "walk-level");
        pair(w, "level", r->walk[i].level);
        pair(w, "at", r->walk[i].entry_gpa);
        pair(w, "entry", r->walk[i].entry);
        finish(w);
    }
    if (r->pdptes_present) {
        start(w, "pdpte");
        pair(w, "e0", r->pdpte_memory[0]);
        pair(w, "e1", r->pdpte_memory[1]);
        pair(w, "e2", r->pdpte_memory[2]);
        pair(w, "e3", r->pdpte_memory[3]);
        finish(w);
    }
    for (unsigned i = 0; i < r->touch_count; i++) {
        const struct record_touch *touch = &r->touch[i];

        start(w, "touch");
        word_pair(w, "what", record_touch_words[touch->what]);
        pair(w, "gva", touch->gva);
        pair(w, "write", touch->write);
        pair(w, "stack", touch->stack);
        word_pair(w, "result", record_walk_words[touch->result]);
        pair(w, "rights", touch->rights);
        pair(w, "level", touch->level);
        pair(w, "at", touch->at);
        pair(w, "entry", touch->entry);
        finish(w);
    }
    for (unsigned i = 0; i < r->gate_count; i++) {
        start(w, "gate");
        pair(w, "vector", r->gate[i].vector);
        pair(w, "readable", r->gate[i].readable);
        pair(w, "low", r->gate[i].low);
        pair(w, "high", r->gate[i].high);
        finish(w);
    }
}

static void write_ring(struct writer *w)
{
    for (unsigned i = 0; i < w->r->ring_count; i++) {
        const struct record_ring *e = &w->r->ring[i];

        start(w, "ring");
        pair(w, "n", e->number);
        word_pair(w, "kind", tl_kind_word(e->kind));
        for (unsigned k = 0; k < RECORD_RING_KEYS_COUNT; k++) {
            uint64_t value = record_ring_get(e, k);

            if (value)
                pair(w, record_ring_keys[k].name, value);
        }
        finish(w);
    }
}

static void write_fault(struct writer *w)
{
    const struct crash_record *r = w->r;

    if (r->why != RECORD_HV_FAULT)
        return;
    start(w, "hv-fault");
    pair(w, "vector", r->fault_vector);
    pair(w, "error", r->fault_error);
    pair(w, "rip", r->fault_rip);
    pair(w, "cr2", r->fault_cr2);
    finish(w);
    start(w, "hv-text");
    text_char(&w->t, ' ');
    text_str(&w->t, r->fault_text);
    finish(w);
    start(w, "hv-trace");
    for (unsigned i = 0; i < r->trace_count; i++) {
        room(w);
        text_char(&w->t, ' ');
        text_hex(&w->t, r->trace[i]);
    }
    finish(w);
}

void record_write(const struct crash_record *record, void (*line)(void *ctx, const char *text),
                  void *ctx)
{
    struct writer w = {.r = record, .line = line, .ctx = ctx};

    start(&w, "crash begin");
    pair(&w, "rev", RECORD_REVISION);
    word_pair(&w, "vendor", record->state.svm ? "svm" : "vmx");
    word_pair(&w, "platform", record->platform[0] ? record->platform : "unknown");
    word_pair(&w, "why", record_why_words[record->why]);
    word_pair(&w, "efer", record->efer_in_area ? "area" : "controls");
    finish(&w);
    if (record->why_text[0]) {
        start(&w, "why");
        text_char(&w.t, ' ');
        text_str(&w.t, record->why_text);
        finish(&w);
    }
    write_exit(&w);
    write_regs(&w);
    write_state(&w);
    write_list(&w, "msr-load", &record->state.entry_load);
    write_list(&w, "msr-store", &record->state.exit_store);
    write_list(&w, "msr-exit-load", &record->state.exit_load);
    if (record->code_bytes)
        write_bytes(&w, "code", record->code_gva, record->code, record->code_bytes);
    if (record->stack_bytes)
        write_bytes(&w, "stack", record->stack_gva, record->stack, record->stack_bytes);
    write_walk(&w);
    write_ring(&w);
    write_fault(&w);
    for (unsigned i = 0; i < 2; i++)
        if (record->verdict[i][0]) {
            start(&w, "verdict");
            text_char(&w.t, ' ');
            text_str(&w.t, record->verdict[i]);
            finish(&w);
        }
    start(&w, "crash end");
    finish(&w);
}
