/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text objects of qXfer:tl.*: the crash record of this moment, why it stopped, the verdicts of the
 * entry rules. The judging is protocol/'s; the facts are core's.
 */
#include "core/audit.h"
#include "core/backend.h"
#include "core/crash.h"
#include "dbg/target_impl.h"
#include "lib/log.h"
#include "lib/mem.h"

#define FINDING_BYTES 400u

struct sink {
    char *buf;
    size_t cap_bytes, len_bytes;
};

static void put(struct sink *sink, const char *text, size_t len_bytes)
{
    if (len_bytes > sink->cap_bytes - sink->len_bytes)
        len_bytes = sink->cap_bytes - sink->len_bytes;
    memcpy(sink->buf + sink->len_bytes, text, len_bytes);
    sink->len_bytes += len_bytes;
}

static void put_str(struct sink *sink, const char *text)
{
    put(sink, text, strlen(text));
}

static void put_record_line(void *ctx, const char *line, size_t len_bytes)
{
    put(ctx, line, len_bytes);
    put(ctx, "\n", 1);
}

static void put_explanation(struct vcpu *vcpu, struct sink *sink)
{
    const struct explanation *why;

    crash_collect(vcpu, &why);
    for (unsigned i = 0; i < why->count; i++) {
        put_str(sink, explain_certainty_text(why->item[i].certainty));
        put_str(sink, ": ");
        put_str(sink, why->item[i].text);
        put_str(sink, "\n");
        if (why->item[i].evidence[0]) {
            put_str(sink, "    ");
            put_str(sink, why->item[i].evidence);
            put_str(sink, "\n");
        }
    }
}

/* One change of the state for the question: a field, or one bit (or few) of it. */
struct edit {
    uint64_t *value; /* where it stands in the collected state */
    const char *name;
    uint64_t mask; /* the bits meant, ~0: all */
    unsigned shift;
};

/* IA32_EFER of the guest may be an entry of the MSR-load list instead of a field. */
static bool find_efer_entry(struct snapshot *state, struct edit *edit)
{
    for (unsigned i = 0; !state->svm && i < state->entry_load.count; i++)
        if (state->entry_load.entries[i].index == MSR_efer) {
            edit->value = &state->entry_load.entries[i].value;
            edit->name = "efer";
            return true;
        }
    return false;
}

/* FIELD or number; `cr0`, `rflags` and such mean the guest's. */
static const struct tl_field *field_meant(struct args name)
{
    char guest[64] = "guest_";
    size_t len_bytes = args_len_bytes(&name);
    const struct tl_field *field = target_field(name);

    if (!field && len_bytes < sizeof(guest) - 6) {
        memcpy(guest + 6, name.at, len_bytes);
        field = tl_field_alias(target_vendor(), guest, len_bytes + 6);
    }
    return field;
}

/* [vmcs.]FIELD[.BIT]. 0, or a tl_error as query() gives it. */
static int find_edit(struct snapshot *state, struct args name, struct edit *edit)
{
    unsigned count;
    const struct tl_field *fields = tl_fields(target_vendor(), &count), *field;
    struct args base;

    if (!args_word(&name, "vmcs."))
        args_word(&name, "vmcb.");
    base = args_until(&name, ".");
    *edit = (struct edit){.mask = ~UINT64_C(0)};
    if (!args_is(&base, "efer") || !find_efer_entry(state, edit)) {
        field = field_meant(base);
        if (!field)
            return TARGET_FAIL(no_field);
        if (!snapshot_has(state, (uint16_t)(field - fields)))
            snapshot_set(state, (uint16_t)(field - fields), 0);
        edit->value = &state->field[field - fields];
        edit->name = field->name;
    }
    if (!args_empty(&name)) {
        const struct tl_bits_row *bit = tl_bit_by_name(
            tl_bits_group_of(target_vendor(), edit->name), name.at, args_len_bytes(&name));

        if (!bit)
            return TARGET_FAIL(no_field);
        edit->shift = bit->low;
        edit->mask = (bit->high - bit->low == 63 ? ~UINT64_C(0)
                                                 : (UINT64_C(1) << (bit->high - bit->low + 1)) - 1)
                     << bit->low;
    }
    return 0;
}

/* NAME=VALUE,... into the collected state; says so in the sink (NULL: does not). */
static int edit_state(struct snapshot *state, struct args args, struct sink *sink)
{
    while (!args_empty(&args)) {
        struct args pair = args_until(&args, ","), name = args_until(&pair, "=");
        struct edit edit;
        uint64_t value, old;
        char text[160];
        int rc = find_edit(state, name, &edit);

        if (rc < 0)
            return rc;
        if (!args_number(pair, &value))
            return TARGET_FAIL(syntax);
        if (edit.mask != ~UINT64_C(0) && value << edit.shift & ~edit.mask)
            return TARGET_FAIL(bad_value);
        old = *edit.value;
        *edit.value = (old & ~edit.mask) | (value << edit.shift & edit.mask);
        fmt_str(text, sizeof(text), "with %s = %#lx instead of %#lx, all else as it is:\n",
                edit.name, *edit.value, old);
        if (sink)
            put_str(sink, text);
    }
    return 0;
}

static struct rule_finding findings[RULES_FINDINGS_MAX];

static int judge(struct vcpu *vcpu, struct args edits, struct rules_count *count, struct sink *sink)
{
    const struct explanation *why;
    struct crash_record *record = crash_collect(vcpu, &why);
    int rc = edit_state(&record->state, edits, sink);

    if (rc < 0)
        return rc;
    *count = rules_run(&record->state, findings, RULES_FINDINGS_MAX, NULL);
    return 0;
}

int target_check(struct vcpu *vcpu, struct args edits, struct reply *reply)
{
    struct rules_count count;
    int rc = judge(vcpu, edits, &count, NULL);

    if (rc < 0)
        return rc;
    reply_fmt(reply, "violated:%x;checked:%x;", count.violated,
              (target_vendor() == TL_VMX ? rules_vmx_count : rules_svm_count) - count.untold);
    for (unsigned i = 0; i < count.stored; i++)
        if (!findings[i].cannot_tell) {
            reply_fmt(reply, "first:%s;", findings[i].rule->id);
            break;
        }
    return 0;
}

static int put_check(struct vcpu *vcpu, struct args edits, struct sink *sink)
{
    char text[FINDING_BYTES];
    struct rules_count count;
    int rc = judge(vcpu, edits, &count, sink);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < count.stored; i++) {
        size_t len =
            rule_finding_format(&findings[i], target_vendor() == TL_SVM, text, sizeof(text));

        put(sink, text, len < sizeof(text) ? len : sizeof(text) - 1);
        put_str(sink, "\n");
    }
    if (!count.violated)
        put_str(sink, "no rule matched\n");
    fmt_str(text, sizeof(text),
            "%s\n%u rule(s) violated, %u could not be judged (" RULES_REVISION ")\n",
            rules_result_text(rules_outcome(findings, count.stored).result), count.violated,
            count.untold);
    put_str(sink, text);
    /* SDM, "VM-Instruction Error Numbers": a VMfail writes nothing but its number. */
    if (vcpu->exit.kind == HV_EXIT_ENTRY_FAILURE && vcpu->exit.entry.instr_error) {
        fmt_str(text, sizeof(text),
                "the last entry ended in VM-instruction error %u: exit reason, qualification and "
                "the other exit fields are stale, those of an earlier exit\n",
                vcpu->exit.entry.instr_error);
        put_str(sink, text);
    }
    return 0;
}

int target_object(void *machine, unsigned cpu, enum tl_packet packet, const char *annex,
                  size_t annex_len_bytes, char *buf, size_t cap_bytes)
{
    struct vcpu *vcpu = target_vcpu(cpu);
    struct args edits = args_of(annex, annex_len_bytes);
    struct sink sink = {buf, cap_bytes, 0};
    int rc = 0;

    (void)machine;
    switch (packet) {
    case TL_P_record:
        crash_render(vcpu, put_record_line, &sink);
        break;
    case TL_P_explain:
        put_explanation(vcpu, &sink);
        break;
    case TL_P_check:
        rc = put_check(vcpu, edits, &sink);
        break;
    case TL_P_audit:
        if (!audit_render(vcpu, annex, annex_len_bytes, put_record_line, &sink))
            rc = TARGET_FAIL(syntax);
        break;
    default:
        return TARGET_FAIL(unsupported);
    }
    return rc < 0 ? rc : (int)sink.len_bytes;
}
