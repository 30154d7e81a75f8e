/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Tab offers: commands, kinds, expression words, fields, MSRs, symbols, files. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/editor.h"
#include "monitor/expr.h"
#include "monitor/target.h"
#include "protocol/tables.h"

#define LIST_MAX 4000

/* The candidates of the round that Tab began; readline asks for one at a time. */
static struct {
    char *word[LIST_MAX];
    size_t count, next;
} list;

static void list_clear(void)
{
    while (list.count > 0)
        free(list.word[--list.count]);
    list.next = 0;
}

static void offer(const char *candidate, const char *prefix)
{
    if (list.count < LIST_MAX && strncmp(candidate, prefix, strlen(prefix)) == 0) {
        list.word[list.count] = strdup(candidate);
        if (list.word[list.count])
            list.count++;
    }
}

/* Commands whose first words are already typed: "info r" offers "registers". */
static void offer_commands(const char *line, int start, const char *word)
{
    char typed[200];

    while (*line == ' ') {
        line++;
        start--;
    }
    if (start < 0 || (size_t)start >= sizeof(typed))
        return;
    memcpy(typed, line, (size_t)start);
    typed[start] = '\0';
    for (const struct cmd_topic *topic = cmd_topics; topic->title; topic++)
        for (const struct cmd_row *row = topic->rows; row->names; row++) {
            const char *name = row->names;

            while (*name) {
                size_t len_bytes = strcspn(name, "|"), end;
                char copy[64];

                if (strncmp(name, typed, (size_t)start) == 0 && len_bytes > (size_t)start) {
                    snprintf(copy, sizeof(copy), "%.*s", (int)(len_bytes - (size_t)start),
                             name + start);
                    end = strcspn(copy, " ");
                    copy[end] = '\0';
                    if (end > 1) /* one-letter aliases help nobody */
                        offer(copy, word);
                }
                name += len_bytes + (name[len_bytes] == '|');
            }
        }
}

static void offer_words(const char *words, const char *prefix)
{
    char copy[200], *save = NULL;

    snprintf(copy, sizeof(copy), "%s", words ? words : "");
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        offer(word, prefix);
}

static void offer_kinds(const char *prefix)
{
    for (unsigned i = 1; i < TL_KIND_COUNT; i++)
        offer(tl_kinds[i].word, prefix);
    if (isupper((unsigned char)prefix[0])) {
        char name[80];

        for (unsigned i = 0; i < tl_vmx_reason_count; i++) {
            snprintf(name, sizeof(name), "EXIT_REASON_%s", tl_vmx_reasons[i].name);
            offer(name, prefix);
        }
        for (unsigned i = 0; i < tl_svm_exit_count; i++) {
            snprintf(name, sizeof(name), "VMEXIT_%s", tl_svm_exits[i].name);
            offer(name, prefix);
        }
    }
}

static void emit(void *ctx, const char *word)
{
    offer(word, ctx);
}

static bool svm(struct console *console)
{
    return console_attached(console) && !console_running(console) &&
           target_vendor(console->target) == TL_SVM;
}

static void offer_expr(struct console *console, const char *prefix)
{
    const char *name;
    size_t n = 0;

    expr_complete(prefix, svm(console), emit, (void *)prefix);
    if (*prefix)
        while (n < 200 && (name = symbols_prefix(console->symbols, prefix, n)) != NULL) {
            offer(name, prefix);
            n++;
        }
}

static void offer_fields(struct console *console, const char *prefix)
{
    unsigned count;
    const struct tl_field *fields = tl_fields(svm(console) ? TL_SVM : TL_VMX, &count);

    for (unsigned i = 0; i < count; i++)
        offer(fields[i].name, prefix);
}

static void offer_msrs(const char *prefix)
{
    for (unsigned i = 0; i < tl_msr_count; i++) {
        offer(tl_msrs[i].name, prefix);
        offer(tl_msrs[i].manual, prefix);
    }
}

static void offer_arguments(struct console *console, const struct cmd_row *row, const char *line,
                            int start, const char *word)
{
    switch (row->complete) {
    case CMD_COMPLETE_CATCH: {
        bool first = true; /* still among the kinds: only names and commas so far */

        for (int i = start - 1; i >= 0 && line[i] != ','; i--)
            if (line[i] != ' ') {
                first = strchr(line, ' ') && strchr(line, ' ') - line >= i;
                break;
            }
        if (first) {
            offer_kinds(word);
        } else {
            offer_words("before after only cpu once if do stop log skip set", word);
            offer_expr(console, word);
        }
        break;
    }
    case CMD_COMPLETE_KIND:
        offer_kinds(word);
        break;
    case CMD_COMPLETE_EXPR:
        offer_expr(console, word);
        break;
    case CMD_COMPLETE_FIELD:
        offer_fields(console, word);
        break;
    case CMD_COMPLETE_MSR:
        offer_msrs(word);
        break;
    case CMD_COMPLETE_WORDS:
        offer_words(row->words, word);
        break;
    case CMD_COMPLETE_COMMAND:
        offer_commands("", 0, word);
        offer_words("kinds", word);
        break;
    default:
        break;
    }
}

char *cmd_complete(struct console *console, const char *line, int start, const char *word,
                   int state)
{
    static bool files;

    if (state == 0) {
        const struct cmd_row *row = NULL;
        const char *rest = line;
        char before[512], format[32];

        list_clear();
        files = false;
        if (start > 0 && (size_t)start < sizeof(before)) {
            memcpy(before, line, (size_t)start);
            before[start] = '\0';
            row = cmd_find(before, &rest, format, sizeof(format), true);
        }
        offer_commands(line, start, word);
        if (row) {
            files = row->complete == CMD_COMPLETE_FILE && list.count == 0;
            offer_arguments(console, row, line, start, word);
        }
    }
    if (files)
        return editor_complete_file(word, state);
    return list.next < list.count ? strdup(list.word[list.next++]) : NULL;
}

bool cmd_repeats(const char *line)
{
    static const char *const names[] = {"stepi", "x", "nextexit", "continue"};
    const char *rest;
    char format[32];
    const struct cmd_row *row = cmd_find(line, &rest, format, sizeof(format), true);

    for (size_t i = 0; row && i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(row->names, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}
