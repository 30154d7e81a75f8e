/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The console's side of expressions: history, symbols, messages that point at the place. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/expr.h"

struct console;

/* Parses one expression; complains with a caret under the place. NULL on error. With `end`, stops where
 * the expression ends; without, all of the text must be used. */
struct expr *eval_parse(struct console *console, const char *text, const char **end);

/* Parses and computes. With `end`, stops where the expression ends. False after complaining. */
bool eval_text(struct console *console, const char *text, const char **end, uint64_t *value,
               unsigned *width_bits);

/* An expression as bytecode in hex digits, malloc()ed; NULL after complaining. */
char *eval_hex(struct console *console, const char *text, const char **end);

/* Remembers a value as the next $N; returns N. */
unsigned eval_remember(struct console *console, uint64_t value);

/* Stores value into what the text names: register, field, MSR, memory. False after complaining. */
bool eval_assign(struct console *console, const char *target_text, const char *value_text);
