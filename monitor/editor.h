/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The prompt: GNU readline in callback mode, kept below everything that is printed. The only file
 * that knows readline. Whole lines go to a callback; completion asks another.
 */
#pragma once

#include <stdbool.h>

struct editor_calls {
    void (*line)(char *text); /* owned by the callee; NULL: end of input (^D) */
    /* Next completion of `word`, `state` 0 at the start of a round; malloc()ed, or NULL at the end.
     * `line` is everything typed, `start` where the word begins in it. */
    char *(*complete)(const char *line, int start, const char *word, int state);
};

/* Loads the history file and shows the prompt. */
void editor_start(const char *prompt, const struct editor_calls *calls);

/* Saves the history, gives the terminal back. Harmless when not started. */
void editor_stop(void);

void editor_input(void); /* a byte is waiting on standard input */
void editor_show(void);  /* the prompt again, with what was typed, if it was hidden */
void editor_prompt(const char *prompt);
void editor_cancel_line(void); /* ^C: drop what was typed, fresh prompt */
void editor_resize(void);

/* Asks for completion by file names from the completion callback. */
char *editor_complete_file(const char *word, int state);
