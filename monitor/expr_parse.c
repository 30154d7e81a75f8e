/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parser of console expressions: precedence climbing over the text itself, into a tree of at most
 * EXPR_NODES_MAX nodes from one arena. Names are looked up while parsing, so that a wrong word is
 * reported at its place with the nearest right one.
 */
#include "monitor/expr_tree.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 128u

struct parser {
    const char *text, *at;
    const struct expr_names *names;
    struct expr *arena;
    unsigned used, depth;
    struct expr_error *error;
    jmp_buf failed; /* parse errors come from every depth; they unwind to expr_parse() at once */
};

_Noreturn static void fail(struct parser *p, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

_Noreturn static void fail(struct parser *p, const char *where, const char *format, ...)
{
    va_list args;

    p->error->position = (size_t)(where - p->text);
    va_start(args, format);
    vsnprintf(p->error->message, sizeof(p->error->message), format, args);
    va_end(args);
    longjmp(p->failed, 1);
}

static struct expr *node(struct parser *p, enum expr_op op, struct expr *a, struct expr *b)
{
    struct expr *n;

    if (p->used == EXPR_NODES_MAX)
        fail(p, p->at, "the expression is too long (more than %u parts)", EXPR_NODES_MAX);
    n = &p->arena[p->used++];
    *n = (struct expr){.op = op, .a = a, .b = b, .width_bits = 64, .arena = p->arena};
    n->position = (size_t)(p->at - p->text);
    return n;
}

static void spaces(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool take(struct parser *p, const char *token)
{
    spaces(p);
    if (strncmp(p->at, token, strlen(token)))
        return false;
    p->at += strlen(token);
    return true;
}

static void need(struct parser *p, const char *token, const char *after)
{
    if (!take(p, token))
        fail(p, p->at, "`%s` expected after %s", token, after);
}

/* Words may hold '.' inside symbols (foo.constprop.0); the caller cuts where a dot means a bit. */
static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static size_t take_word(struct parser *p, char word[WORD_MAX])
{
    size_t length = 0;

    while (word_char(p->at[length]))
        length++;
    if (length >= WORD_MAX)
        fail(p, p->at, "this word is longer than %u characters", WORD_MAX - 1);
    memcpy(word, p->at, length);
    word[length] = 0;
    p->at += length;
    return length;
}

static struct expr *parse_expr(struct parser *p, int min_precedence);

static struct expr *constant(struct parser *p, uint64_t value)
{
    struct expr *n = node(p, EXPR_CONST, NULL, NULL);

    n->value = value;
    return n;
}

static struct expr *parse_number(struct parser *p)
{
    const char *start = p->at;
    char *end;
    int base = start[0] == '0' && (start[1] == 'b' || start[1] == 'B') ? 2 : 0;
    uint64_t value;

    errno = 0;
    value = strtoull(start + (base == 2 ? 2 : 0), &end, base);
    if (errno == ERANGE)
        fail(p, start, "this number does not fit into 64 bits");
    if (end == start || word_char(*end))
        fail(p, start, "`%.*s` is not a number", (int)strcspn(start, " \t,()[]"), start);
    p->at = end;
    return constant(p, value);
}

static struct expr *parse_character(struct parser *p)
{
    static const char escapes[] = "n\nt\tr\r0\0\\\\''";
    const char *start = p->at++;
    char c = *p->at ? *p->at++ : 0;

    if (c == '\\') {
        const char *found = *p->at ? strchr(escapes, *p->at) : NULL;

        if (!found)
            fail(p, p->at, "unknown escape in a character; known are \\n \\t \\r \\0 \\\\ \\'");
        c = found[1];
        p->at++;
    }
    if (*p->at != '\'')
        fail(p, start, "a character is one letter between two '");
    p->at++;
    return constant(p, (unsigned char)c);
}

/* $, $$, $3, $$2; $name is handled as a name. */
static struct expr *parse_history(struct parser *p)
{
    const char *start = p->at;
    bool relative = start[1] == '$' || !isdigit((unsigned char)start[1]);
    unsigned long index = start[1] == '$';
    uint64_t value;

    p->at += start[1] == '$' ? 2 : 1;
    if (isdigit((unsigned char)*p->at)) {
        char *end;

        index = strtoul(p->at, &end, 10);
        p->at = end;
    }
    if (index > 1000000 || !p->names->history ||
        !p->names->history(p->names->ctx, (unsigned)index, relative, &value))
        fail(p, start, "the history has no value `%.*s` yet", (int)(p->at - start), start);
    return constant(p, value);
}

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
        a = parse_expr(p, 0);
        need(p, ")", "the address");
        n = node(p, EXPR_REF, a, NULL);
        n->width_bits = refs[i].width_bits;
        n->is_signed = refs[i].is_signed;
        return n;
    }
    if (strcmp(name, "sext") && strcmp(name, "slt"))
        fail(p, start, "no function `%s`; there are u8 u16 u32 u64 s8 s16 s32 s64 sext slt", name);
    a = parse_expr(p, 0);
    need(p, ",", "the first argument");
    n = node(p, name[1] == 'e' ? EXPR_SEXT : EXPR_SLT, a, parse_expr(p, 0));
    if (n->op == EXPR_SEXT) {
        if (n->b->op != EXPR_CONST || n->b->value < 1 || n->b->value > 64)
            fail(p, start, "sext(VALUE, BITS) wants a number from 1 to 64 for BITS");
        n->width_bits = (uint8_t)n->b->value;
        n->b = NULL;
    }
    need(p, ")", "the arguments");
    return n;
}

/* The index of msr[...] and msr-area[...]: an MSR name or any expression. */
static struct expr *parse_msr(struct parser *p, enum expr_op op)
{
    const char *start;
    char word[WORD_MAX];
    uint32_t index;
    struct expr *a = NULL;

    need(p, "[", op == EXPR_MSR ? "msr" : "msr-area");
    spaces(p);
    start = p->at;
    if (isalpha((unsigned char)*start)) {
        take_word(p, word);
        if (expr_msr_find(word, &index)) {
            a = constant(p, index);
        } else {
            struct expr_word known = expr_word_find(word);
            const char *near = expr_near_msr(word);

            if (known.kind == EXPR_WORD_NONE)
                fail(p, start, "no MSR `%s`%s%s%s; a number works for any", word,
                     near ? "; did you mean `" : "", near ? near : "", near ? "`" : "");
            p->at = start; /* msr[index], msr[rcx] */
        }
    }
    if (!a)
        a = parse_expr(p, 0);
    need(p, "]", "the MSR");
    return node(p, op, a, NULL);
}

static struct expr *parse_field(struct parser *p, char word[WORD_MAX])
{
    const char *start = p->at;
    uint32_t number;
    unsigned width_bits;
    struct expr *n;

    if (!take_word(p, word))
        fail(p, start, "a field name expected after the dot");
    if (!expr_field_find(word, p->names->svm, &number, &width_bits)) {
        const char *near = expr_near_field(word, p->names->svm);

        fail(p, start, "the %s has no field `%s`%s%s%s", p->names->svm ? "VMCB" : "VMCS", word,
             near ? "; did you mean `" : "", near ? near : "", near ? "`" : "");
    }
    n = node(p, EXPR_FIELD, NULL, NULL);
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

    take_word(p, word);
    if (!expr_bits_find(group, word, &low, &high)) {
        const char *near = expr_near_bit(group, word);

        fail(p, start, "%s has no bit `%s`%s%s%s", group, word, near ? "; did you mean `" : "",
             near ? near : "", near ? "`" : "");
    }
    n = node(p, EXPR_BITS, of, NULL);
    n->low = low;
    n->high = high;
    return n;
}

_Noreturn static void fail_unknown(struct parser *p, const char *word, const char *start)
{
    const char *near = expr_near_word(word);

    if (!near && p->names->near_symbol)
        near = p->names->near_symbol(p->names->ctx, word);
    fail(p, start, "no register, exit word or symbol `%s`%s%s%s", word,
         near ? "; did you mean `" : "", near ? near : "", near ? "`" : "");
}

/* Symbols may go on with dots and digits (compiler-made names): the longest that exists wins. */
static bool parse_symbol(struct parser *p, const char *start, uint64_t *value)
{
    char word[WORD_MAX];
    size_t length = 0;

    while (word_char(start[length]) || start[length] == '.' || start[length] == '@')
        length++;
    if (length >= WORD_MAX || !p->names->symbol)
        return false;
    for (; length; length--) {
        if (length > 1 && (word_char(start[length]) && word_char(start[length - 1])))
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

static struct expr *parse_name(struct parser *p)
{
    const char *start = p->at;
    bool dollar = *start == '$';
    char word[WORD_MAX];
    struct expr_word known;
    struct expr *n;
    uint64_t value;
    size_t kind_length = dollar ? 0 : expr_kind_length(start);

    if (!strncmp(start, "msr-area", 8) && !word_char(start[8])) {
        p->at += 8;
        return parse_msr(p, EXPR_MSR_AREA);
    }
    if (kind_length) { /* `kind == cr0-write`: the minus belongs to the word */
        memcpy(word, start, kind_length);
        word[kind_length] = 0;
        p->at += kind_length;
        return constant(p, expr_word_find(word).value);
    }
    p->at += dollar;
    take_word(p, word);
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
        n = node(p, EXPR_REG, NULL, NULL);
        n->number = known.number;
        n->width_bits = (uint8_t)known.width_bits;
        return *p->at == '.' ? parse_bits(p, n, word) : n;
    }
    if (known.kind == EXPR_WORD_CONST)
        return constant(p, known.value);
    if (!dollar && parse_symbol(p, start, &value))
        return constant(p, value);
    fail_unknown(p, word, start);
}

static struct expr *parse_primary(struct parser *p)
{
    struct expr *n;

    spaces(p);
    if (isdigit((unsigned char)*p->at))
        return parse_number(p);
    if (*p->at == '\'')
        return parse_character(p);
    if (take(p, "(")) {
        n = parse_expr(p, 0);
        need(p, ")", "the expression in parentheses");
        return n;
    }
    if (*p->at == '$' && !isalpha((unsigned char)p->at[1]) && p->at[1] != '_')
        return parse_history(p);
    if (*p->at == '$' || isalpha((unsigned char)*p->at) || *p->at == '_')
        return parse_name(p);
    if (!*p->at)
        fail(p, p->at, "the expression ends too early: a value is missing");
    fail(p, p->at, "a value expected, not `%c`", *p->at);
}

static struct expr *parse_unary(struct parser *p)
{
    struct expr *n;

    if (++p->depth > EXPR_DEPTH_MAX)
        fail(p, p->at, "nested deeper than %u levels", EXPR_DEPTH_MAX);
    spaces(p);
    if (*p->at == '-' || *p->at == '!' || *p->at == '~') {
        enum expr_op op = *p->at == '-' ? EXPR_NEG : *p->at == '!' ? EXPR_NOT : EXPR_BIT_NOT;

        p->at++;
        n = node(p, op, parse_unary(p), NULL);
    } else if (*p->at == '+') {
        p->at++;
        n = parse_unary(p);
    } else if (*p->at == '*') { /* as in GDB: the word it points to */
        p->at++;
        n = node(p, EXPR_REF, parse_unary(p), NULL);
    } else {
        n = parse_primary(p);
    }
    p->depth--;
    return n;
}

static const struct binary_op {
    const char *token;
    int precedence;
    enum expr_op op;
} binary_ops[] = {
    /* longer tokens first, so that `<<` is not `<` */
    {"||", 1, EXPR_LOR}, {"&&", 2, EXPR_LAND}, {"==", 6, EXPR_EQ}, {"!=", 6, EXPR_NE},
    {"<<", 8, EXPR_SHL}, {">>", 8, EXPR_SHR},  {"<=", 7, EXPR_LE}, {">=", 7, EXPR_GE},
    {"<", 7, EXPR_LT},   {">", 7, EXPR_GT},    {"|", 3, EXPR_OR},  {"^", 4, EXPR_XOR},
    {"&", 5, EXPR_AND},  {"+", 9, EXPR_ADD},   {"-", 9, EXPR_SUB}, {"*", 10, EXPR_MUL},
    {"/", 10, EXPR_DIV}, {"%", 10, EXPR_REM},
};

static const struct binary_op *peek_binary(struct parser *p)
{
    spaces(p);
    for (size_t i = 0; i < sizeof(binary_ops) / sizeof(binary_ops[0]); i++)
        if (!strncmp(p->at, binary_ops[i].token, strlen(binary_ops[i].token)))
            return &binary_ops[i];
    return NULL;
}

static struct expr *parse_expr(struct parser *p, int min_precedence)
{
    struct expr *left = parse_unary(p);
    const struct binary_op *op;

    while ((op = peek_binary(p)) && op->precedence > min_precedence) {
        p->at += strlen(op->token);
        if (++p->depth > EXPR_DEPTH_MAX)
            fail(p, p->at, "nested deeper than %u levels", EXPR_DEPTH_MAX);
        left = node(p, op->op, left, parse_expr(p, op->precedence));
        p->depth--;
    }
    if (min_precedence == 0 && take(p, "?")) {
        struct expr *yes, *n;

        if (++p->depth > EXPR_DEPTH_MAX)
            fail(p, p->at, "nested deeper than %u levels", EXPR_DEPTH_MAX);
        yes = parse_expr(p, 0);
        need(p, ":", "the first choice of `?`");
        n = node(p, EXPR_COND, left, yes);
        n->c = parse_expr(p, 0);
        p->depth--;
        left = n;
    }
    return left;
}

struct expr *expr_parse(const char *text, const struct expr_names *names, const char **end,
                        struct expr_error *error)
{
    static const struct expr_names no_names;
    struct parser p = {
        .text = text, .at = text, .names = names ? names : &no_names, .error = error};
    struct expr *arena = calloc(EXPR_NODES_MAX + 1, sizeof(*arena));
    struct expr *root;

    *error = (struct expr_error){0, ""};
    if (!arena) {
        snprintf(error->message, sizeof(error->message), "out of memory");
        return NULL;
    }
    p.arena = arena;
    if (setjmp(p.failed)) {
        free(arena);
        return NULL;
    }
    root = parse_expr(&p, 0);
    spaces(&p);
    if (!end && *p.at)
        fail(&p, p.at, "`%.*s` is left over behind the expression", (int)strcspn(p.at, "\n"), p.at);
    if (end)
        *end = p.at;
    return root;
}

void expr_free(struct expr *expr)
{
    if (expr)
        free(expr->arena);
}

struct expr_target expr_target(const struct expr *expr)
{
    struct expr_target t = {.kind = EXPR_TARGET_NONE, .bit_low = -1, .bit_high = -1};

    if (expr->op == EXPR_BITS) {
        t = expr_target(expr->a);
        t.bit_low = expr->low;
        t.bit_high = expr->high;
        return t;
    }
    t.number = expr->number;
    t.address = expr->a;
    t.len_bytes = expr->width_bits / 8u;
    if (expr->op == EXPR_REG)
        t.kind = EXPR_TARGET_REG;
    else if (expr->op == EXPR_FIELD)
        t.kind = EXPR_TARGET_FIELD;
    else if (expr->op == EXPR_MSR_AREA)
        t.kind = EXPR_TARGET_MSR_AREA;
    else if (expr->op == EXPR_MSR)
        t.kind = EXPR_TARGET_MSR;
    else if (expr->op == EXPR_REF)
        t.kind = EXPR_TARGET_MEMORY;
    return t;
}

unsigned expr_width_bits(const struct expr *expr)
{
    return expr->width_bits;
}
