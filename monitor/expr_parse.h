/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What expr_parse.c (operators, numbers) and expr_words.c (names) share. Nobody else includes this. */
#pragma once

#include <setjmp.h>

#include "monitor/expr_tree.h"

#define WORD_MAX 128u

struct parser {
    const char *text, *at;
    const struct expr_names *names;
    struct expr *arena;
    unsigned used, depth;
    struct expr_error *error;
    jmp_buf failed; /* parse errors come from every depth; they unwind to expr_parse() at once */
};

/* Ends the parse with a message about `where`. */
_Noreturn void expr_fail(struct parser *p, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct expr *expr_node(struct parser *p, enum expr_op op, struct expr *a, struct expr *b);
struct expr *expr_constant(struct parser *p, uint64_t value);

void expr_spaces(struct parser *p);
/* Takes `token` if it is next; expr_need() fails when it is not. */
bool expr_take(struct parser *p, const char *token);
void expr_need(struct parser *p, const char *token, const char *after);
bool expr_word_char(char c);
size_t expr_take_word(struct parser *p, char word[WORD_MAX]);

/* An expression of operators that bind at least so strongly; and a name with what belongs to it. */
struct expr *expr_parse_tree(struct parser *p, int min_precedence);
struct expr *expr_parse_name(struct parser *p);
