/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The way to the person's screen: text, errors, guest console. Keeps whole lines whole, keeps the
 * prompt below them, colours only a terminal. What to say is view.h's; the prompt is editor.h's.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum out_style { OUT_PLAIN, OUT_STOP, OUT_NAME, OUT_CHANGED, OUT_ERROR, OUT_DIM };

/* Called before the first byte above a prompt; the editor sets it. NULL: no prompt to hide. */
extern void (*out_before)(void);

/* A second taker of everything printed (`log FILE`, `record FILE`), or NULL. */
extern void (*out_tee)(const char *text, size_t len_bytes);

/* Decides on colours from the terminal and NO_COLOR. `interactive`: guest text is kept to whole
 * lines and its control characters are made visible. */
void out_init(bool interactive);

/* Control characters and bytes that are no UTF-8 are made visible, in errors too. */
void out_text(const char *text, size_t len_bytes);
void out_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line for something that could not be done: "error: ..." to stderr, newline added. */
void out_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Escape sequence that starts a style, "" without colours; OUT_PLAIN ends it. */
const char *out_style(enum out_style style);

/* Bytes of the guest's console. */
void out_guest(const uint8_t *bytes, size_t len_bytes);

/* A partial line of the guest that has waited is printed as it is; the poll loop calls this when
 * out_guest_waits() and nothing came for a while, and before a stop is shown. */
bool out_guest_waits(void);
void out_guest_flush(void);

void out_flush(void);
