/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The command table: rows of names, arguments, help, function. Finds the row a person means
 * (abbreviations as in GDB), checks that it can run now, and runs it. Commands talk to the machine
 * through session.h and print through view.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct console;

enum cmd_result {
    CMD_OK,
    CMD_ERROR,         /* wrong words, or the target said no: already printed */
    CMD_EXPECT_FAILED, /* already printed */
    CMD_LOST,          /* the line or the machine is gone */
    CMD_QUIT,
};

/* What Tab offers behind the command's name. */
enum cmd_complete {
    CMD_COMPLETE_NONE,
    CMD_COMPLETE_EXPR,  /* registers, fields, symbols */
    CMD_COMPLETE_CATCH, /* exit kinds, then expression words */
    CMD_COMPLETE_KIND,
    CMD_COMPLETE_FIELD,
    CMD_COMPLETE_MSR,
    CMD_COMPLETE_FILE,
    CMD_COMPLETE_COMMAND,
    CMD_COMPLETE_WORDS, /* the words of the row's `words` */
};

enum {
    CMD_LINE = 1,    /* needs an attached machine */
    CMD_STOPPED = 2, /* needs a stopped one */
    CMD_FORMAT = 4,  /* takes /FMT behind its name */
};

/* What a command gets. */
struct cmd_args {
    const char *name;   /* as typed */
    const char *format; /* behind '/', "" when none */
    const char *rest;   /* everything else, no space at either end */
    const struct cmd_row *row;
};

struct cmd_row {
    const char *names; /* "continue|c|fg": first is the full one; "info registers" is two words */
    const char *arguments; /* "[COUNT]" */
    const char *help;      /* one line, for lists */
    const char *details;   /* more lines, or NULL */
    enum cmd_result (*run)(struct console *console, const struct cmd_args *args);
    unsigned needs;
    enum cmd_complete complete;
    const char *words; /* CMD_COMPLETE_WORDS: "on off" */
};

/* The topics, each a table ended by a row without names; cmd_*.c. */
struct cmd_topic {
    const char *title;
    const struct cmd_row *rows;
};
extern const struct cmd_topic cmd_topics[];

extern const struct cmd_row cmd_run_rows[], cmd_stops_rows[], cmd_info_rows[], cmd_data_rows[],
    cmd_why_rows[], cmd_work_rows[];

/* Runs one line. Empty lines and lines that begin with '#' do nothing. */
enum cmd_result cmd_execute(struct console *console, const char *line);

/* Finds the row a text begins with; NULL and a message when none or several fit. On success *rest is
 * behind the name and its /FMT (copied to `format`). */
const struct cmd_row *cmd_find(const char *line, const char **rest, char *format,
                               size_t format_cap_bytes, bool quiet);

/* Next completion for `word`, which starts at `start` of `line`; malloc()ed or NULL. */
char *cmd_complete(struct console *console, const char *line, int start, const char *word,
                   int state);

/* Does an empty line repeat this one (stepi, x, ...)? */
bool cmd_repeats(const char *line);

/* All commands as troff, for the man page. */
void cmd_man(FILE *file);

/* ---- words of an argument text ---- */

/* Takes the next word off *text (spaces end it) into `word`; false when there is none. */
bool cmd_word(const char **text, char *word, size_t cap_bytes);

/* Takes `keyword` off *text when it stands there as a whole word. */
bool cmd_keyword(const char **text, const char *keyword);

/* A number of C syntax that is all of `text`. */
bool cmd_number(const char *text, uint64_t *value);
