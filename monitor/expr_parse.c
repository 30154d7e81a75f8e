/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parser of console expressions: precedence climbing over the text itself, into a tree of at most
 * EXPR_NODES_MAX nodes from one arena. Names are looked up while parsing, so that a wrong word is
 * reported at its place with the nearest right one.
 */
#include "monitor/expr_parse.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void expr_fail(struct parser *p, const char *where, const char *format, ...)
{
    va_list args;

    p->error->position = (size_t)(where - p->text);
    va_start(args, format);
    vsnprintf(p->error->message, sizeof(p->error->message), format, args);
    va_end(args);
    longjmp(p->failed, 1);
}

struct expr *expr_node(struct parser *p, enum expr_op op, struct expr *a, struct expr *b)
{
    struct expr *n;

    if (p->used == EXPR_NODES_MAX)
        expr_fail(p, p->at, "the expression is too long (more than %u parts)", EXPR_NODES_MAX);
    n = &p->arena[p->used++];
    *n = (struct expr){.op = op, .a = a, .b = b, .width_bits = 64, .arena = p->arena};
    n->position = (size_t)(p->at - p->text);
    return n;
}

void expr_spaces(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

bool expr_take(struct parser *p, const char *token)
{
    expr_spaces(p);
    if (strncmp(p->at, token, strlen(token)))
        return false;
    p->at += strlen(token);
    return true;
}

void expr_need(struct parser *p, const char *token, const char *after)
{
    if (!expr_take(p, token))
        expr_fail(p, p->at, "`%s` expected after %s", token, after);
}

/* Words may hold '.' inside symbols (foo.constprop.0); the caller cuts where a dot means a bit. */
bool expr_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

size_t expr_take_word(struct parser *p, char word[WORD_MAX])
{
    size_t length = 0;

    while (expr_word_char(p->at[length]))
        length++;
    if (length >= WORD_MAX)
        expr_fail(p, p->at, "this word is longer than %u characters", WORD_MAX - 1);
    memcpy(word, p->at, length);
    word[length] = 0;
    p->at += length;
    return length;
}

struct expr *expr_constant(struct parser *p, uint64_t value)
{
    struct expr *n = expr_node(p, EXPR_CONST, NULL, NULL);

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
        expr_fail(p, start, "this number does not fit into 64 bits");
    if (end == start || expr_word_char(*end))
        expr_fail(p, start, "`%.*s` is not a number", (int)strcspn(start, " \t,()[]"), start);
    p->at = end;
    return expr_constant(p, value);
}

static struct expr *parse_character(struct parser *p)
{
    static const char escapes[] = "n\nt\tr\r0\0\\\\''";
    const char *start = p->at++;
    char c = *p->at ? *p->at++ : 0;

    if (c == '\\') {
        const char *found = *p->at ? strchr(escapes, *p->at) : NULL;

        if (!found)
            expr_fail(p, p->at,
                      "unknown escape in a character; known are \\n \\t \\r \\0 \\\\ \\'");
        c = found[1];
        p->at++;
    }
    if (*p->at != '\'')
        expr_fail(p, start, "a character is one letter between two '");
    p->at++;
    return expr_constant(p, (unsigned char)c);
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
        expr_fail(p, start, "the history has no value `%.*s` yet", (int)(p->at - start), start);
    return expr_constant(p, value);
}

static struct expr *parse_primary(struct parser *p)
{
    struct expr *n;

    expr_spaces(p);
    if (isdigit((unsigned char)*p->at))
        return parse_number(p);
    if (*p->at == '\'')
        return parse_character(p);
    if (expr_take(p, "(")) {
        n = expr_parse_tree(p, 0);
        expr_need(p, ")", "the expression in parentheses");
        return n;
    }
    if (*p->at == '$' && !isalpha((unsigned char)p->at[1]) && p->at[1] != '_')
        return parse_history(p);
    if (*p->at == '$' || isalpha((unsigned char)*p->at) || *p->at == '_')
        return expr_parse_name(p);
    if (!*p->at)
        expr_fail(p, p->at, "the expression ends too early: a value is missing");
    expr_fail(p, p->at, "a value expected, not `%c`", *p->at);
}

static struct expr *parse_unary(struct parser *p)
{
    struct expr *n;

    if (++p->depth > EXPR_DEPTH_MAX)
        expr_fail(p, p->at, "nested deeper than %u levels", EXPR_DEPTH_MAX);
    expr_spaces(p);
    if (*p->at == '-' || *p->at == '!' || *p->at == '~') {
        enum expr_op op = *p->at == '-' ? EXPR_NEG : *p->at == '!' ? EXPR_NOT : EXPR_BIT_NOT;

        p->at++;
        n = expr_node(p, op, parse_unary(p), NULL);
    } else if (*p->at == '+') {
        p->at++;
        n = parse_unary(p);
    } else if (*p->at == '*') { /* as in GDB: the word it points to */
        p->at++;
        n = expr_node(p, EXPR_REF, parse_unary(p), NULL);
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
    expr_spaces(p);
    for (size_t i = 0; i < sizeof(binary_ops) / sizeof(binary_ops[0]); i++)
        if (!strncmp(p->at, binary_ops[i].token, strlen(binary_ops[i].token)))
            return &binary_ops[i];
    return NULL;
}

struct expr *expr_parse_tree(struct parser *p, int min_precedence)
{
    struct expr *left = parse_unary(p);
    const struct binary_op *op;

    while ((op = peek_binary(p)) && op->precedence > min_precedence) {
        p->at += strlen(op->token);
        if (++p->depth > EXPR_DEPTH_MAX)
            expr_fail(p, p->at, "nested deeper than %u levels", EXPR_DEPTH_MAX);
        left = expr_node(p, op->op, left, expr_parse_tree(p, op->precedence));
        p->depth--;
    }
    if (min_precedence == 0 && expr_take(p, "?")) {
        struct expr *yes, *n;

        if (++p->depth > EXPR_DEPTH_MAX)
            expr_fail(p, p->at, "nested deeper than %u levels", EXPR_DEPTH_MAX);
        yes = expr_parse_tree(p, 0);
        expr_need(p, ":", "the first choice of `?`");
        n = expr_node(p, EXPR_COND, left, yes);
        n->c = expr_parse_tree(p, 0);
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
    root = expr_parse_tree(&p, 0);
    expr_spaces(&p);
    if (!end && *p.at)
        expr_fail(&p, p.at, "`%.*s` is left over behind the expression", (int)strcspn(p.at, "\n"),
                  p.at);
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
