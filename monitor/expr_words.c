/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The words of console expressions: registers, bits, fields, MSRs, memory references, symbols. Each is
 * looked up where it stands; a wrong one is answered with the nearest right one.
 */
#include "monitor/expr_parse.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* u32(ADDR), s8(ADDR), sext(V, BITS), slt(A, B): the few functions there are. */
static struct expr *parse_call(struct parser *p, const char *name, const char *start)
{
    static const struct {
        const char *name;
        uint8_t width_bits;
        bool is_signed;
    } refs[] = {
        {"u8", 8, false}, {"u16", 16, false}, {"u32", 32, false}, {"u64", 64, false},
        {"s8", 8, true},  {"s16", 16, true},  {"s32", 32, true},  {"s64", 64, false},
    };
    struct expr *a, *n;

    for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
        if (strcmp(name, refs[i].name))
            continue;
        a = expr_parse_tree(p, 0);
        expr_need(p, ")", "the address");
        n = expr_node(p, EXPR_REF, a, NULL);
        n->width_bits = refs[i].width_bits;
        n->is_signed = refs[i].is_signed;
        return n;
    }
    if (strcmp(name, "sext") && strcmp(name, "slt"))
        expr_fail(p, start, "no function `%s`; there are u8 u16 u32 u64 s8 s16 s32 s64 sext slt",
                  name);
    a = expr_parse_tree(p, 0);
    expr_need(p, ",", "the first argument");
    n = expr_node(p, name[1] == 'e' ? EXPR_SEXT : EXPR_SLT, a, expr_parse_tree(p, 0));
    if (n->op == EXPR_SEXT) {
        if (n->b->op != EXPR_CONST || n->b->value < 1 || n->b->value > 64)
            expr_fail(p, start, "sext(VALUE, BITS) wants a number from 1 to 64 for BITS");
        n->width_bits = (uint8_t)n->b->value;
        n->b = NULL;
    }
    expr_need(p, ")", "the arguments");
    return n;
}

/* The index of msr[...] and msr-area[...]: an MSR name or any expression. */
static struct expr *parse_msr(struct parser *p, enum expr_op op)
{
    const char *start;
    char word[WORD_MAX];
    uint32_t index;
    struct expr *a = NULL;

    expr_need(p, "[", op == EXPR_MSR ? "msr" : "msr-area");
    expr_spaces(p);
    start = p->at;
    if (isalpha((unsigned char)*start)) {
        expr_take_word(p, word);
        if (expr_msr_find(word, &index)) {
            a = expr_constant(p, index);
        } else {
            struct expr_word known = expr_word_find(word);
            const char *near = expr_near_msr(word);

            if (known.kind == EXPR_WORD_NONE)
                expr_fail(p, start, "no MSR `%s`%s%s%s; a number works for any", word,
                          near ? "; did you mean `" : "", near ? near : "", near ? "`" : "");
            p->at = start; /* msr[index], msr[rcx] */
        }
    }
    if (!a)
        a = expr_parse_tree(p, 0);
    expr_need(p, "]", "the MSR");
    return expr_node(p, op, a, NULL);
}

static struct expr *parse_field(struct parser *p, char word[WORD_MAX])
{
    const char *start = p->at;
    uint32_t number;
    unsigned width_bits;
    struct expr *n;

    if (!expr_take_word(p, word))
        expr_fail(p, start, "a field name expected after the dot");
    if (!expr_field_find(word, p->names->svm, &number, &width_bits)) {
        const char *near = expr_near_field(word, p->names->svm);

        expr_fail(p, start, "the %s has no field `%s`%s%s%s", p->names->svm ? "VMCB" : "VMCS", word,
                  near ? "; did you mean `" : "", near ? near : "", near ? "`" : "");
    }
    n = expr_node(p, EXPR_FIELD, NULL, NULL);
    n->number = number;
    n->width_bits = (uint8_t)width_bits;
    return n;
}

/* cr0.PG, rflags.IF, vmcs.entry_controls.IA32E: the bits of something that has bit names. */
static struct expr *parse_bits(struct parser *p, struct expr *of, const char *group)
{
    const char *start = ++p->at;
    char word[WORD_MAX];
    uint8_t low, high;
    struct expr *n;

    expr_take_word(p, word);
    if (!expr_bits_find(group, word, &low, &high)) {
        const char *near = expr_near_bit(group, word);

        expr_fail(p, start, "%s has no bit `%s`%s%s%s", group, word, near ? "; did you mean `" : "",
                  near ? near : "", near ? "`" : "");
    }
    n = expr_node(p, EXPR_BITS, of, NULL);
    n->low = low;
    n->high = high;
    return n;
}

_Noreturn static void fail_unknown(struct parser *p, const char *word, const char *start)
{
    const char *near = expr_near_word(word);

    if (!near && p->names->near_symbol)
        near = p->names->near_symbol(p->names->ctx, word);
    expr_fail(p, start, "no register, exit word or symbol `%s`%s%s%s", word,
              near ? "; did you mean `" : "", near ? near : "", near ? "`" : "");
}

/* Symbols may go on with dots and digits (compiler-made names): the longest that exists wins. */
static bool parse_symbol(struct parser *p, const char *start, uint64_t *value)
{
    char word[WORD_MAX];
    size_t length = 0;

    while (expr_word_char(start[length]) || start[length] == '.' || start[length] == '@')
        length++;
    if (length >= WORD_MAX || !p->names->symbol)
        return false;
    for (; length; length--) {
        if (length > 1 && (expr_word_char(start[length]) && expr_word_char(start[length - 1])))
            continue;
        memcpy(word, start, length);
        word[length] = 0;
        if (p->names->symbol(p->names->ctx, word, value)) {
            p->at = start + length;
            return true;
        }
    }
    return false;
}

struct expr *expr_parse_name(struct parser *p)
{
    const char *start = p->at;
    bool dollar = *start == '$';
    char word[WORD_MAX];
    struct expr_word known;
    struct expr *n;
    uint64_t value;
    size_t kind_length = dollar ? 0 : expr_kind_length(start);

    if (!strncmp(start, "msr-area", 8) && !expr_word_char(start[8])) {
        p->at += 8;
        return parse_msr(p, EXPR_MSR_AREA);
    }
    if (kind_length) { /* `kind == cr0-write`: the minus belongs to the word */
        memcpy(word, start, kind_length);
        word[kind_length] = 0;
        p->at += kind_length;
        return expr_constant(p, expr_word_find(word).value);
    }
    p->at += dollar;
    expr_take_word(p, word);
    if (!dollar && *p->at == '(') {
        p->at++;
        return parse_call(p, word, start);
    }
    if (!strcmp(word, "msr"))
        return parse_msr(p, EXPR_MSR);
    if ((!strcmp(word, "vmcs") || !strcmp(word, "vmcb")) && *p->at == '.') {
        p->at++;
        n = parse_field(p, word);
        return *p->at == '.' ? parse_bits(p, n, word) : n;
    }
    known = expr_word_find(word);
    if (known.kind == EXPR_WORD_REG) {
        n = expr_node(p, EXPR_REG, NULL, NULL);
        n->number = known.number;
        n->width_bits = (uint8_t)known.width_bits;
        return *p->at == '.' ? parse_bits(p, n, word) : n;
    }
    if (known.kind == EXPR_WORD_CONST)
        return expr_constant(p, known.value);
    if (!dollar && parse_symbol(p, start, &value))
        return expr_constant(p, value);
    fail_unknown(p, word, start);
}
