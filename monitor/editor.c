/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See editor.h. */
#include "monitor/editor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "monitor/out.h"

#define HISTORY_LINES 2000

static struct {
    const struct editor_calls *calls;
    bool active, hidden, in_line;
    char prompt[64];
    char history[512];
} editor;

/* Takes the prompt and the typed text off the screen; cheap when they are off already. */
static void hide(void)
{
    if (!editor.active || editor.hidden || editor.in_line)
        return;
    editor.hidden = true;
    rl_clear_visible_line();
    fflush(rl_outstream);
}

void editor_show(void)
{
    if (!editor.active || !editor.hidden)
        return;
    editor.hidden = false;
    fflush(stdout);
    rl_on_new_line();
    rl_redisplay();
}

/* Secrets do not get typed here, but symbol names do: the file is the person's own. */
static void find_history(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME"),
               *file = getenv("TRAPLINE_HISTORY");
    char dir[400];

    editor.history[0] = '\0';
    if (file) {
        snprintf(editor.history, sizeof(editor.history), "%s", file);
        return;
    }
    if (state && *state)
        snprintf(dir, sizeof(dir), "%s", state);
    else if (home && *home)
        snprintf(dir, sizeof(dir), "%s/.local/state", home);
    else
        return;
    /* One level at a time; what exists already is fine, what fails shows when saving. */
    for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(dir, 0700);
        *slash = '/';
    }
    mkdir(dir, 0700);
    snprintf(editor.history, sizeof(editor.history), "%s/trapline_history", dir);
}

static void line_done(char *text)
{
    HIST_ENTRY *last;

    if (text && *text) {
        last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
        if (!last || strcmp(last->line, text) != 0)
            add_history(text);
    }
    /* While the command runs there is no prompt to hide: readline has ended the line. */
    editor.in_line = true;
    rl_callback_handler_remove();
    editor.calls->line(text);
    editor.in_line = false;
    if (editor.active) {
        editor.hidden = false;
        rl_callback_handler_install(editor.prompt, line_done);
    }
}

static char *generate(const char *word, int state)
{
    int start = rl_point - (int)strlen(word);

    return editor.calls->complete(rl_line_buffer, start < 0 ? 0 : start, word, state);
}

static char **complete(const char *word, int start, int end)
{
    (void)start;
    (void)end;
    rl_attempted_completion_over = 1;
    return rl_completion_matches(word, generate);
}

char *editor_complete_file(const char *word, int state)
{
    rl_filename_completion_desired = 1;
    return rl_filename_completion_function(word, state);
}

void editor_start(const char *prompt, const struct editor_calls *calls)
{
    editor.calls = calls;
    editor.active = true;
    snprintf(editor.prompt, sizeof(editor.prompt), "%s", prompt);
    rl_readline_name = "trapline";
    rl_catch_signals = 0; /* the poll loop has them, through a signalfd */
    rl_catch_sigwinch = 0;
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = " \t\n,()[]&|<>=+*/!~^\"'";
    rl_variable_bind("enable-bracketed-paste", "off");
    using_history();
    stifle_history(HISTORY_LINES);
    find_history();
    if (editor.history[0])
        read_history(editor.history);
    out_before = hide;
    rl_callback_handler_install(editor.prompt, line_done);
}

void editor_stop(void)
{
    if (!editor.active)
        return;
    editor.active = false;
    out_before = NULL;
    if (!editor.in_line)
        rl_callback_handler_remove();
    if (editor.history[0])
        write_history(editor.history);
}

void editor_input(void)
{
    if (editor.active && !editor.in_line) {
        editor_show();
        rl_callback_read_char();
    }
}

void editor_prompt(const char *prompt)
{
    if (strcmp(prompt, editor.prompt) == 0)
        return;
    snprintf(editor.prompt, sizeof(editor.prompt), "%s", prompt);
    if (!editor.active || editor.in_line)
        return;
    hide();
    rl_set_prompt(editor.prompt);
    editor_show();
}

void editor_cancel_line(void)
{
    if (!editor.active || editor.in_line)
        return;
    editor_show();
    rl_replace_line("", 1);
    rl_point = rl_end = 0;
    rl_crlf();
    rl_on_new_line();
    rl_redisplay();
}

void editor_resize(void)
{
    if (editor.active)
        rl_resize_terminal();
}
