/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See cmd.h: finding and running commands. Completion is cmd_complete.c, the rows are cmd_*.c. */
#include "monitor/cmd.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "protocol/tables.h"

const struct cmd_topic cmd_topics[] = {
    {"Run control", cmd_run_rows},
    {"Stops", cmd_stops_rows},
    {"State", cmd_info_rows},
    {"Data", cmd_data_rows},
    {"Reasons", cmd_why_rows},
    {"Work", cmd_work_rows},
    {NULL, NULL},
};

/* ---- words ---- */

static const char *skip_spaces(const char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

bool cmd_word(const char **text, char *word, size_t cap_bytes)
{
    const char *start = skip_spaces(*text);
    size_t len_bytes = strcspn(start, " \t");

    if (len_bytes == 0)
        return false;
    *text = skip_spaces(start + len_bytes);
    if (len_bytes >= cap_bytes)
        len_bytes = cap_bytes - 1;
    memcpy(word, start, len_bytes);
    word[len_bytes] = '\0';
    return true;
}

bool cmd_keyword(const char **text, const char *keyword)
{
    const char *start = skip_spaces(*text);
    size_t len_bytes = strlen(keyword);

    if (strncmp(start, keyword, len_bytes) != 0 ||
        (start[len_bytes] != '\0' && start[len_bytes] != ' ' && start[len_bytes] != '\t'))
        return false;
    *text = skip_spaces(start + len_bytes);
    return true;
}

bool cmd_number(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 0);
    return isdigit((unsigned char)text[0]) && *end == '\0' && errno == 0;
}

/* ---- finding ---- */

enum match { MATCH_NONE, MATCH_PREFIX, MATCH_FIRST, MATCH_EXACT };

/* How one of "continue|c|fg" fits the words in `typed`; *used bytes of it were taken. Each word of a
 * two-word name may be abbreviated. MATCH_FIRST: an alias, or the name, spelled out. */
static enum match match_name(const char *name, size_t name_len_bytes, const char *typed,
                             size_t *used_bytes)
{
    const char *from = typed, *name_end = name + name_len_bytes;
    bool exact = true;

    while (name < name_end) {
        size_t word = 0, part = 0;

        while (isalnum((unsigned char)from[word]) || from[word] == '-' || from[word] == '_')
            word++;
        while (name + part < name_end && name[part] != ' ')
            part++;
        if (word == 0 || word > part || strncmp(name, from, word) != 0)
            return MATCH_NONE;
        exact = exact && word == part;
        name += part;
        from += word;
        if (name < name_end) {
            name++;
            from = skip_spaces(from);
        }
    }
    *used_bytes = (size_t)(from - typed);
    return exact ? MATCH_EXACT : MATCH_PREFIX;
}

static enum match match_row(const struct cmd_row *row, const char *typed, size_t *used_bytes)
{
    enum match best = MATCH_NONE;
    const char *name = row->names;

    for (;;) {
        size_t len_bytes = strcspn(name, "|"), used;
        enum match match = match_name(name, len_bytes, typed, &used);

        if (match > best) {
            best = match;
            *used_bytes = used;
        }
        if (name[len_bytes] == '\0')
            return best;
        name += len_bytes + 1;
    }
}

static size_t first_len(const struct cmd_row *row)
{
    return strcspn(row->names, "|");
}

/* Words that people bring along from GDB. */
static const char *from_gdb(const char *line, size_t len_bytes)
{
    static const char *const theirs[] = {"bt",   "backtrace", "where", "finish", "next",
                                         "n",    "nexti",     "ni",    "until",  "advance",
                                         "list", "frame",     "up",    "down",   "display",
                                         "step", "thread",    "ptype", "layout"};

    if (len_bytes == 3 && strncmp(line, "why", 3) == 0)
        return "`explain` says why";
    for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
        if (strlen(theirs[i]) == len_bytes && strncmp(line, theirs[i], len_bytes) == 0)
            return "GDB has it: start with `--gdb PORT` and attach one";
    return NULL;
}

static void complain_unknown(const char *line)
{
    struct tl_nearest near = {.best = NULL};
    size_t len_bytes = strcspn(line, " \t/");
    const char *theirs = from_gdb(line, len_bytes);
    char name[64];

    if (theirs) {
        out_error("no command `%.*s`: %s", (int)len_bytes, line, theirs);
        return;
    }
    if (len_bytes && strncmp(line, "info", len_bytes) == 0) {
        const char *what = skip_spaces(line + len_bytes);

        out_error("no `info %.*s` (`help info` lists what there is)", (int)strcspn(what, " \t"),
                  what);
        return;
    }

    for (const struct cmd_topic *topic = cmd_topics; topic->title; topic++)
        for (const struct cmd_row *row = topic->rows; row->names; row++) {
            snprintf(name, sizeof(name), "%.*s", (int)first_len(row), row->names);
            tl_nearest_try(&near, line, len_bytes, name);
            if (near.best == name) /* keep a string that lives on */
                near.best = row->names;
        }
    if (near.best)
        out_error("no command `%.*s`; did you mean `%.*s`? (`help` lists them)", (int)len_bytes,
                  line, (int)strcspn(near.best, "|"), near.best);
    else
        out_error("no command `%.*s` (`help` lists them)", (int)len_bytes, line);
}

static void complain_several(const char *line)
{
    char list[400] = "";
    size_t used, end;

    for (const struct cmd_topic *topic = cmd_topics; topic->title; topic++)
        for (const struct cmd_row *row = topic->rows; row->names; row++)
            if (match_row(row, line, &used) != MATCH_NONE) {
                end = strlen(list);
                snprintf(list + end, sizeof(list) - end, "%s%.*s", end ? ", " : "",
                         (int)first_len(row), row->names);
            }
    out_error("`%.*s` could be %s", (int)strcspn(line, "/"), line, list);
}

const struct cmd_row *cmd_find(const char *line, const char **rest, char *format,
                               size_t format_cap_bytes, bool quiet)
{
    const struct cmd_row *best = NULL;
    enum match best_match = MATCH_NONE, match;
    size_t best_used = 0, used = 0, len_bytes;
    bool several = false;

    line = skip_spaces(line);
    for (const struct cmd_topic *topic = cmd_topics; topic->title; topic++)
        for (const struct cmd_row *row = topic->rows; row->names; row++) {
            match = match_row(row, line, &used);
            if (match == MATCH_NONE)
                continue;
            /* Spelled out beats abbreviated; of two of a kind the one that takes more words. */
            if (match > best_match || (match == best_match && used > best_used)) {
                several = false;
                best = row;
                best_match = match;
                best_used = used;
            } else if (match == best_match && used == best_used) {
                several = match == MATCH_PREFIX;
            }
        }
    if (!best || several) {
        if (!quiet && !best)
            complain_unknown(line);
        else if (!quiet)
            complain_several(line);
        return NULL;
    }
    line += best_used;
    format[0] = '\0';
    if (*line == '/' && (best->needs & CMD_FORMAT)) {
        len_bytes = strcspn(++line, " \t");
        snprintf(format, format_cap_bytes, "%.*s", (int)len_bytes, line);
        line += len_bytes;
    }
    *rest = skip_spaces(line);
    return best;
}

static bool can_run(struct console *console, const struct cmd_row *row)
{
    if ((row->needs & (CMD_LINE | CMD_STOPPED)) && !console_attached(console)) {
        out_error("no machine: %s", console_why_detached(console));
        return false;
    }
    if ((row->needs & CMD_STOPPED) && console_running(console)) {
        out_error("the guest is running; `interrupt` (or ^C) stops it");
        return false;
    }
    return true;
}

enum cmd_result cmd_execute(struct console *console, const char *line)
{
    struct cmd_args args;
    char format[32], *copy;
    size_t len_bytes;
    enum cmd_result result;

    line = skip_spaces(line);
    if (*line == '\0' || *line == '#')
        return CMD_OK;
    copy = strdup(line);
    if (!copy)
        return CMD_ERROR;
    len_bytes = strlen(copy);
    while (len_bytes > 0 && isspace((unsigned char)copy[len_bytes - 1]))
        copy[--len_bytes] = '\0';
    args.row = cmd_find(copy, &args.rest, format, sizeof(format), false);
    args.name = copy;
    args.format = format;
    if (!args.row) {
        result = CMD_ERROR;
    } else if (!*args.row->arguments && *args.rest) {
        out_error("`%.*s` takes no argument", (int)first_len(args.row), args.row->names);
        result = CMD_ERROR;
    } else if (!can_run(console, args.row))
        result = console_attached(console) || !console_was_attached(console) ? CMD_ERROR : CMD_LOST;
    else
        result = args.row->run(console, &args);
    free(copy);
    return result;
}

/* A backslash begins a request of troff's, and so does a line with a dot or a quote in front. */
static void man_text(FILE *file, const char *text)
{
    for (bool first = true; *text; text++) {
        if (first && (*text == '.' || *text == '\''))
            fputs("\\&", file);
        first = *text == '\n';
        if (*text == '\\')
            fputs("\\e", file);
        else
            fputc(*text, file);
    }
}

void cmd_man(FILE *file)
{
    fprintf(file, ".SH COMMANDS\nCommands and their words may be abbreviated.\n");
    for (const struct cmd_topic *topic = cmd_topics; topic->title; topic++) {
        fprintf(file, ".SS %s\n", topic->title);
        for (const struct cmd_row *row = topic->rows; row->names; row++) {
            fprintf(file, ".TP\n\\fB%.*s\\fR ", (int)first_len(row), row->names);
            man_text(file, row->arguments);
            fprintf(file, "\n");
            man_text(file, row->help);
            fprintf(file, ".\n");
            if (row->details) {
                man_text(file, row->details);
                fprintf(file, "\n");
            }
        }
    }
}
