/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Look-ups over the tables by number and by the names people type. Nearest names and bit decoding
 * are in tables_text.c.
 */
#include "protocol/tables.h"

#define SVM_CODE_MIN_SPECIAL UINT64_C(0xfffffff0)

static size_t length_of(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Does the word of `length` bytes equal the terminated name? */
static bool same(const char *word, size_t length, const char *name)
{
    size_t i = 0;

    while (i < length && name[i] && word[i] == name[i])
        i++;
    return i == length && !name[i];
}

static bool same_nocase(const char *word, size_t length, const char *name)
{
    size_t i = 0;

    while (i < length && name[i] && lower(word[i]) == lower(name[i]))
        i++;
    return i == length && !name[i];
}

/* Length of a prefix the word begins with in any case, else 0. */
static size_t skip_prefix(const char *word, size_t length, const char *prefix)
{
    size_t i = 0;

    for (; prefix[i]; i++)
        if (i == length || lower(word[i]) != lower(prefix[i]))
            return 0;
    return i;
}

const struct tl_field *tl_fields(enum tl_vendor vendor, unsigned *count)
{
    *count = vendor == TL_VMX ? tl_vmcs_count : tl_vmcb_count;
    return vendor == TL_VMX ? tl_vmcs_fields : tl_vmcb_fields;
}

const struct tl_field *tl_field_by_number(enum tl_vendor vendor, uint32_t number)
{
    unsigned low = 0, high;
    const struct tl_field *rows = tl_fields(vendor, &high);

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (rows[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    tl_fields(vendor, &high);
    return low < high && rows[low].number == number ? &rows[low] : NULL;
}

const struct tl_field *tl_field_by_name(enum tl_vendor vendor, const char *name, size_t length)
{
    unsigned count;
    const struct tl_field *rows = tl_fields(vendor, &count);

    for (unsigned i = 0; i < count; i++)
        if (same(name, length, rows[i].name))
            return &rows[i];
    return NULL;
}

/* Fields with one meaning and two names. */
static const struct {
    const char *vmx, *svm;
} aliases[] = {
    {"eptp", "nested_cr3"},
    {"vpid", "asid"},
    {"exit_reason", "exit_code"},
    {"exit_qualification", "exit_info1"},
    {"guest_phys_addr", "exit_info2"},
    {"idt_vectoring_info", "exit_int_info"},
    {"entry_intr_info", "event_inject"},
    {"guest_interruptibility", "interrupt_shadow"},
    {"exception_bitmap", "intercept_exceptions"},
    {"msr_bitmap", "msrpm_base"},
    {"io_bitmap_a", "iopm_base"},
    {"exit_instr_len", "insn_len"},
    {"ple_window", "pause_filter_count"},
    {"ple_gap", "pause_filter_threshold"},
};

const struct tl_field *tl_field_alias(enum tl_vendor vendor, const char *name, size_t length)
{
    const struct tl_field *field = tl_field_by_name(vendor, name, length);

    for (unsigned i = 0; !field && i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        const char *theirs = vendor == TL_VMX ? aliases[i].svm : aliases[i].vmx;
        const char *ours = vendor == TL_VMX ? aliases[i].vmx : aliases[i].svm;

        if (same(name, length, theirs))
            field = tl_field_by_name(vendor, ours, length_of(ours));
    }
    return field;
}

const struct tl_field *tl_field_of_msr(enum tl_vendor vendor, uint32_t index)
{
    const struct tl_msr_row *msr = tl_msr_by_index(index);
    char name[40] = "guest_";
    size_t length = 6;

    if (!msr)
        return NULL;
    if (index == MSR_fmask) /* the VMCB calls it SFMASK, the manuals of the MSR do not */
        name[length++] = 's';
    for (const char *c = msr->name; *c && length < sizeof(name); c++)
        name[length++] = *c;
    return tl_field_by_name(vendor, name, length);
}

/* Whole match with '*' and '?'; one saved position suffices, because a later '*' may always take
 * over from an earlier one. */
static bool glob(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern && (*pattern == '?' || lower(*pattern) == lower(*text))) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool tl_pattern_match(const char *pattern, const char *text)
{
    for (const char *p = pattern; *p; p++)
        if (*p == '*' || *p == '?')
            return glob(pattern, text);
    do {
        size_t i = 0;

        while (pattern[i] && lower(pattern[i]) == lower(text[i]))
            i++;
        if (!pattern[i])
            return true;
    } while (*text++);
    return false;
}

/* SVM's negative codes reach us as 64-bit, or cut to 32 bits by an old CPU or a log. */
static uint64_t canonical_code(enum tl_vendor vendor, uint64_t code)
{
    if (vendor == TL_VMX)
        return code & 0xffff;
    if (code >= SVM_CODE_MIN_SPECIAL && code <= UINT32_MAX)
        code |= UINT64_C(0xffffffff00000000);
    return code;
}

const struct tl_reason *tl_reason(enum tl_vendor vendor, uint64_t code)
{
    const struct tl_reason *rows = vendor == TL_VMX ? tl_vmx_reasons : tl_svm_exits;
    unsigned count = vendor == TL_VMX ? tl_vmx_reason_count : tl_svm_exit_count;

    code = canonical_code(vendor, code);
    for (unsigned i = 0; i < count; i++)
        if (rows[i].code == code)
            return &rows[i];
    return NULL;
}

uint64_t tl_reason_kinds(enum tl_vendor vendor, uint64_t code)
{
    static const struct {
        uint16_t code;
        uint8_t kind;
    } vmx_also[] =
        {
#define VMX_ALSO(code_, kind_) {code_, TL_KIND_##kind_},
#include "protocol/exit_reasons.def"
        },
      svm_also[] = {
#define SVM_ALSO(code_, kind_) {code_, TL_KIND_##kind_},
#include "protocol/exit_reasons.def"
      };
    const struct tl_reason *row = tl_reason(vendor, code);
    uint64_t kinds = row ? UINT64_C(1) << row->kind : 0;

    code = canonical_code(vendor, code);
    if (vendor == TL_VMX) {
        for (unsigned i = 0; i < sizeof(vmx_also) / sizeof(vmx_also[0]); i++)
            if (vmx_also[i].code == code)
                kinds |= UINT64_C(1) << vmx_also[i].kind;
    } else {
        for (unsigned i = 0; i < sizeof(svm_also) / sizeof(svm_also[0]); i++)
            if (svm_also[i].code == code)
                kinds |= UINT64_C(1) << svm_also[i].kind;
    }
    return kinds;
}

static uint64_t kinds_by_vendor_name(enum tl_vendor vendor, const char *name, size_t length)
{
    const struct tl_reason *rows = vendor == TL_VMX ? tl_vmx_reasons : tl_svm_exits;
    unsigned count = vendor == TL_VMX ? tl_vmx_reason_count : tl_svm_exit_count;

    for (unsigned i = 0; i < count; i++)
        if (same_nocase(name, length, rows[i].name))
            return tl_reason_kinds(vendor, rows[i].code);
    return 0;
}

uint64_t tl_kinds_by_word(const char *word, size_t length)
{
    const uint64_t all = ((UINT64_C(1) << TL_KIND_COUNT) - 1) & ~UINT64_C(1); /* not "none" */
    uint64_t kinds = 0;
    size_t prefix;

    if (same_nocase(word, length, "all"))
        return all;
    if (length && word[length - 1] == '*') {
        for (unsigned i = 1; i < TL_KIND_COUNT; i++) {
            size_t n = 0;

            while (n < length - 1 && tl_kinds[i].word[n] && lower(word[n]) == tl_kinds[i].word[n])
                n++;
            if (n == length - 1)
                kinds |= UINT64_C(1) << i;
        }
        return kinds;
    }
    for (unsigned i = 1; i < TL_KIND_COUNT; i++)
        if (same_nocase(word, length, tl_kinds[i].word))
            return UINT64_C(1) << i;
    prefix = skip_prefix(word, length, "EXIT_REASON_");
    if (prefix)
        return kinds_by_vendor_name(TL_VMX, word + prefix, length - prefix);
    prefix = skip_prefix(word, length, "VMEXIT_");
    if (prefix)
        return kinds_by_vendor_name(TL_SVM, word + prefix, length - prefix);
    return 0;
}

const char *tl_kind_word(unsigned kind)
{
    return kind < TL_KIND_COUNT ? tl_kinds[kind].word : "?";
}

const struct tl_msr_row *tl_msr_by_index(uint32_t index)
{
    unsigned low = 0, high = tl_msr_count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (tl_msrs[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < tl_msr_count && tl_msrs[low].index == index ? &tl_msrs[low] : NULL;
}

const struct tl_msr_row *tl_msr_by_name(const char *name, size_t length)
{
    size_t prefix = skip_prefix(name, length, "IA32_");

    if (!prefix)
        prefix = skip_prefix(name, length, "MSR_");
    for (unsigned i = 0; i < tl_msr_count; i++)
        if (same_nocase(name, length, tl_msrs[i].name) ||
            same_nocase(name, length, tl_msrs[i].manual))
            return &tl_msrs[i];
    for (unsigned i = 0; prefix && i < tl_msr_count; i++)
        if (same_nocase(name + prefix, length - prefix, tl_msrs[i].name))
            return &tl_msrs[i];
    return NULL;
}

int tl_reg_by_name(const char *name, size_t length)
{
    for (unsigned i = 0; i < TL_REG_COUNT; i++)
        if (same(name, length, tl_regs[i].name))
            return (int)i;
    return -1;
}

int tl_packet_by_name(enum tl_packet_kind kind, const char *name, size_t length)
{
    for (unsigned i = 0; i < TL_PACKET_COUNT; i++)
        if (tl_packets[i].kind == kind && same(name, length, tl_packets[i].name))
            return (int)i;
    return -1;
}

int tl_bits_group(const char *name)
{
    for (unsigned i = 0; i < tl_bits_group_count; i++)
        if (same(name, length_of(name), tl_bits_groups[i].name))
            return (int)i;
    return -1;
}

int tl_bits_group_of(enum tl_vendor vendor, const char *field)
{
    for (unsigned i = 0; i < tl_bits_of_count; i++)
        if (same(field, length_of(field), tl_bits_of[i].name)) {
            int group = tl_bits_of[i].group;

            return vendor == TL_SVM && group == tl_bits_group("rights") ? tl_bits_group("attrib")
                                                                        : group;
        }
    return -1;
}

const struct tl_bits_row *tl_bit_by_name(int group, const char *name, size_t length)
{
    for (unsigned i = 0; i < tl_bits_count; i++)
        if (tl_bits[i].group == group && same_nocase(name, length, tl_bits[i].name))
            return &tl_bits[i];
    return NULL;
}
