/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One finding as one line of text: the same words in the hypervisor's log, in the console and in a
 * report.
 */
#include "protocol/rules.h"
#include "protocol/tables.h"
#include "protocol/text.h"

static const struct tl_field *field_of_row(bool svm, uint16_t row)
{
    unsigned count;
    const struct tl_field *fields = tl_fields(svm ? TL_SVM : TL_VMX, &count);

    return row < count ? &fields[row] : NULL;
}

static void wrong_bits(struct text *t, bool svm, const struct tl_field *field, uint64_t bits,
                       const char *must)
{
    char names[200];
    int group;

    if (!bits)
        return;
    group = tl_bits_group_of(svm ? TL_SVM : TL_VMX, field->name);
    text_str(t, must);
    if (group < 0) {
        text_hex(t, bits);
        return;
    }
    tl_bits_format(group, bits, names, sizeof(names));
    text_str(t, names);
    text_str(t, " (");
    text_hex(t, bits);
    text_char(t, ')');
}

static void text_msr(struct text *t, uint32_t index)
{
    const struct tl_msr_row *msr = tl_msr_by_index(index);

    if (msr)
        text_str(t, msr->manual);
    else
        text_str(t, "MSR "), text_hex(t, index);
}

size_t rule_finding_format(const struct rule_finding *f, bool svm, char *buf, size_t cap_bytes)
{
    const struct tl_field *field = field_of_row(svm, f->row), *other = field_of_row(svm, f->row2);
    struct text t;

    text_init(&t, buf, cap_bytes);
    text_str(&t, f->rule->id);
    if (f->cannot_tell) {
        text_str(&t, ": cannot tell: ");
        if (f->cap)
            text_msr(&t, f->cap);
        else
            text_str(&t, field ? field->name : "a fact about the CPU");
        text_str(&t, " is not in this state");
        return t.len_bytes;
    }
    text_str(&t, ": ");
    if (f->list_entry) {
        text_str(&t, "entry ");
        text_dec(&t, f->list_entry);
        text_str(&t, " is ");
        text_msr(&t, f->msr);
        text_str(&t, " = ");
        text_hex(&t, f->actual);
    } else if (field) {
        text_str(&t, field->name);
        text_str(&t, " = ");
        text_hex(&t, f->actual);
        wrong_bits(&t, svm, field, f->must_set, "; must be 1: ");
        wrong_bits(&t, svm, field, f->must_clear, "; must be 0: ");
    }
    if (other) {
        text_str(&t, " against ");
        text_str(&t, other->name);
    }
    text_str(&t, "; rule: ");
    text_str(&t, f->rule->demands);
    if (f->hint) {
        text_str(&t, "; ");
        text_str(&t, f->hint);
    }
    text_str(&t, " [");
    text_str(&t, svm ? "APM" : "SDM");
    text_str(&t, ", \"");
    text_str(&t, f->rule->section);
    text_str(&t, "\"]");
    return t.len_bytes;
}
