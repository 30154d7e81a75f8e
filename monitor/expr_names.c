/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The words of expressions, from the protocol tables: registers, exit words, kinds and vendor names,
 * fields, bits, MSRs; nearest words for messages; completion.
 */
#include "monitor/expr_tree.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "protocol/tables.h"

/* Short names for fields of the last exit, as people say them in conditions. */
static const struct {
    const char *word;
    enum tl_reg reg;
} exit_words[] = {
    {"kind", TL_REG_exit_kind},     {"reason", TL_REG_exit_reason},
    {"qual", TL_REG_exit_qual},     {"qualification", TL_REG_exit_qual},
    {"info1", TL_REG_exit_qual},    {"info2", TL_REG_exit_info2},
    {"value", TL_REG_exit_value},   {"old", TL_REG_exit_old},
    {"index", TL_REG_exit_index},   {"port", TL_REG_exit_port},
    {"vector", TL_REG_exit_vector}, {"error_code", TL_REG_exit_error},
    {"gpa", TL_REG_exit_gpa},       {"gva", TL_REG_exit_gva},
    {"length", TL_REG_exit_len},    {"leaf", TL_REG_exit_index},
};

/* GDB and the manuals say some names differently. */
static const struct {
    const char *word;
    enum tl_reg reg;
    unsigned width_bits;
} aliases[] = {
    {"pc", TL_REG_rip, 64},        {"sp", TL_REG_rsp, 64},  {"fp", TL_REG_rbp, 64},
    {"rflags", TL_REG_eflags, 32}, {"eax", TL_REG_rax, 32}, {"ebx", TL_REG_rbx, 32},
    {"ecx", TL_REG_rcx, 32},       {"edx", TL_REG_rdx, 32}, {"esi", TL_REG_rsi, 32},
    {"edi", TL_REG_rdi, 32},       {"ebp", TL_REG_rbp, 32}, {"esp", TL_REG_rsp, 32},
    {"eip", TL_REG_rip, 32},
};

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

/* A kind or a vendor's exit name stands for its kind number; names of several kinds do not. */
static bool kind_number(const char *name, uint64_t *value)
{
    uint64_t kinds;

    if (strchr(name, '*') || !strcmp(name, "all"))
        return false;
    kinds = tl_kinds_by_word(name, strlen(name));
    if (!kinds || (kinds & (kinds - 1)))
        return false;
    *value = (uint64_t)__builtin_ctzll(kinds);
    return true;
}

struct expr_word expr_word_find(const char *name)
{
    struct expr_word word = {EXPR_WORD_REG, 0, 0, 64};
    int reg = tl_reg_by_name(name, strlen(name));

    if (reg >= 0) {
        word.number = (uint32_t)reg;
        word.width_bits = tl_regs[reg].bits > 64 ? 64 : tl_regs[reg].bits;
        return word;
    }
    for (size_t i = 0; i < COUNT(exit_words); i++)
        if (!strcmp(name, exit_words[i].word)) {
            word.number = exit_words[i].reg;
            return word;
        }
    for (size_t i = 0; i < COUNT(aliases); i++)
        if (!strcmp(name, aliases[i].word)) {
            word.number = aliases[i].reg;
            word.width_bits = aliases[i].width_bits;
            return word;
        }
    word.kind = kind_number(name, &word.value) ? EXPR_WORD_CONST : EXPR_WORD_NONE;
    return word;
}

bool expr_field_find(const char *name, bool svm, uint32_t *number, unsigned *width_bits)
{
    const struct tl_field *field = tl_field_alias(svm ? TL_SVM : TL_VMX, name, strlen(name));

    if (!field)
        return false;
    *number = field->number;
    *width_bits = field->size_bytes > 4 ? 64 : field->size_bytes * 8u;
    return true;
}

/* Groups are named like registers; aliases (rflags, eflags) and fields (entry_controls) have theirs. */
static int bits_group(const char *group)
{
    int number = tl_bits_group(group);

    if (number < 0 && !strcmp(group, "eflags"))
        number = tl_bits_group("rflags");
    return number < 0 ? tl_bits_group_of(TL_VMX, group) : number;
}

bool expr_bits_find(const char *group, const char *name, uint8_t *low, uint8_t *high)
{
    int number = bits_group(group);
    const struct tl_bits_row *row = number < 0 ? NULL : tl_bit_by_name(number, name, strlen(name));

    if (!row)
        return false;
    *low = row->low;
    *high = row->high;
    return true;
}

bool expr_msr_find(const char *name, uint32_t *index)
{
    const struct tl_msr_row *row = tl_msr_by_name(name, strlen(name));

    if (row)
        *index = row->index;
    return row;
}

size_t expr_kind_length(const char *text)
{
    size_t best = 0;

    for (unsigned kind = 0; kind < TL_KIND_COUNT; kind++) {
        const char *word = tl_kinds[kind].word;
        size_t length = strlen(word);

        if (length > best && strchr(word, '-') && !strncmp(text, word, length) &&
            !isalnum((unsigned char)text[length]) && text[length] != '_')
            best = length;
    }
    return best;
}

const char *expr_near_word(const char *name)
{
    struct tl_nearest near = {.best = NULL};
    size_t length = strlen(name);

    for (unsigned i = 0; i < TL_REG_COUNT; i++)
        tl_nearest_try(&near, name, length, tl_regs[i].name);
    for (size_t i = 0; i < COUNT(exit_words); i++)
        tl_nearest_try(&near, name, length, exit_words[i].word);
    for (unsigned i = 0; i < TL_KIND_COUNT; i++)
        tl_nearest_try(&near, name, length, tl_kinds[i].word);
    return near.best;
}

const char *expr_near_field(const char *name, bool svm)
{
    return tl_nearest_field(svm ? TL_SVM : TL_VMX, name, strlen(name));
}

const char *expr_near_bit(const char *group, const char *name)
{
    struct tl_nearest near = {.best = NULL};
    int number = bits_group(group);

    for (unsigned i = 0; i < tl_bits_count; i++)
        if ((int)tl_bits[i].group == number)
            tl_nearest_try(&near, name, strlen(name), tl_bits[i].name);
    return near.best;
}

const char *expr_near_msr(const char *name)
{
    return tl_nearest_msr(name, strlen(name));
}

typedef void (*emit_fn)(void *ctx, const char *word);

static void offer(const char *typed, const char *head, const char *word, emit_fn emit, void *ctx)
{
    char whole[160];

    snprintf(whole, sizeof(whole), "%s%s", head, word);
    if (!strncasecmp(whole, typed, strlen(typed)))
        emit(ctx, whole);
}

static void complete_fields(const char *prefix, bool svm, emit_fn emit, void *ctx)
{
    unsigned count;
    const struct tl_field *fields = tl_fields(svm ? TL_SVM : TL_VMX, &count);
    char head[8];

    snprintf(head, sizeof(head), "%.5s", prefix); /* "vmcs." or "vmcb." as typed */
    for (unsigned i = 0; i < count; i++)
        offer(prefix, head, fields[i].name, emit, ctx);
}

static void complete_bits(const char *prefix, const char *dot, emit_fn emit, void *ctx)
{
    char head[64], group[64];
    int number;

    snprintf(head, sizeof(head), "%.*s", (int)(dot - prefix + 1), prefix);
    snprintf(group, sizeof(group), "%.*s", (int)(dot - prefix), prefix);
    number = bits_group(group);
    for (unsigned i = 0; i < tl_bits_count; i++)
        if ((int)tl_bits[i].group == number)
            offer(prefix, head, tl_bits[i].name, emit, ctx);
}

void expr_complete(const char *prefix, bool svm, emit_fn emit, void *ctx)
{
    const char *dot = strchr(prefix, '.'), *bracket = strchr(prefix, '[');
    const char *head = *prefix == '$' ? "$" : "";
    static const char *const functions[] = {"u8(",  "u16(",  "u32(",  "u64(", "s8(",
                                            "s16(", "s32(",  "sext(", "slt(", "msr-area[",
                                            "msr[", "vmcs.", "vmcb."};

    if (bracket) {
        char msr_head[32];

        snprintf(msr_head, sizeof(msr_head), "%.*s", (int)(bracket - prefix + 1), prefix);
        for (unsigned i = 0; i < tl_msr_count; i++)
            offer(prefix, msr_head, tl_msrs[i].manual, emit, ctx);
        return;
    }
    if (dot) {
        if (!strncmp(prefix, "vmcs.", 5) || !strncmp(prefix, "vmcb.", 5))
            complete_fields(prefix, svm, emit, ctx);
        else
            complete_bits(prefix, dot, emit, ctx);
        return;
    }
    for (unsigned i = 0; i < TL_REG_COUNT; i++)
        offer(prefix, head, tl_regs[i].name, emit, ctx);
    for (size_t i = 0; i < COUNT(aliases); i++)
        offer(prefix, head, aliases[i].word, emit, ctx);
    if (*head)
        return;
    for (size_t i = 0; i < COUNT(exit_words); i++)
        offer(prefix, "", exit_words[i].word, emit, ctx);
    for (unsigned i = 0; i < TL_KIND_COUNT; i++)
        offer(prefix, "", tl_kinds[i].word, emit, ctx);
    for (size_t i = 0; i < COUNT(functions); i++)
        offer(prefix, "", functions[i], emit, ctx);
}
