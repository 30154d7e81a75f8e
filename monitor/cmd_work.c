/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands around the work: symbols, scripts, expectations, logs, help, quit. */
#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/broker.h"
#include "monitor/console.h"
#include "monitor/eval.h"
#include "monitor/files.h"
#include "monitor/kaslr.h"
#include "monitor/out.h"
#include "monitor/report.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "protocol/tables.h"

static enum cmd_result cmd_symbol_file(struct console *console, const struct cmd_args *args)
{
    const char *rest = args->rest;
    char path[1024], error[SYMBOLS_ERROR_BYTES];
    uint64_t offset = 0;
    long count;

    if (!cmd_word(&rest, path, sizeof(path))) {
        symbols_clear(console->symbols);
        out_printf("all symbols forgotten\n");
        return CMD_OK;
    }
    if (*rest && !eval_text(console, rest, NULL, &offset, NULL))
        return CMD_ERROR;
    count = symbols_load(console->symbols, path, offset, error);
    if (count < 0) {
        out_error("%s", error);
        return CMD_ERROR;
    }
    out_printf("%ld symbols from %s\n", count, path);
    if (!*rest)
        kaslr_find(console);
    return CMD_OK;
}

static enum cmd_result cmd_source(struct console *console, const struct cmd_args *args)
{
    static unsigned depth;
    enum cmd_result result;

    if (!*args->rest) {
        out_error("source takes a file");
        return CMD_ERROR;
    }
    if (depth == 16) {
        out_error("scripts within scripts: more than 16 deep");
        return CMD_ERROR;
    }
    depth++;
    result = console_source(console, args->rest);
    depth--;
    return result;
}

/* ---- expect ---- */

static enum cmd_result failed(struct console *console, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum cmd_result failed(struct console *console, const char *format, ...)
{
    char text[500];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    out_error("expect failed: %s", text);
    report_note(console->report, text);
    return CMD_EXPECT_FAILED;
}

static enum cmd_result expect_stop(struct console *console, const char *rest)
{
    const char *stop = console->session ? session_stop_text(console->session) : "";
    char why[20] = "", kind[40] = "", words[1200];
    uint64_t kinds, is;

    if (strlen(stop) > 3) {
        target_key(stop + 3, "tl.why", why, sizeof(why));
        target_key(stop + 3, "tl.kind", kind, sizeof(kind));
    }
    if (!console_attached(console))
        return failed(console, "a stop at %s, but there is no machine: %s", rest,
                      console_why_detached(console));
    if (console_running(console))
        return failed(console, "a stop at %s, but the guest runs", rest);
    if (strcmp(rest, why) == 0) { /* break-in, step, breakpoint, start, dead ... */
        console->dead_unasked = false;
        return CMD_OK;
    }
    if (!stops_parse_kinds(rest, &kinds, words, sizeof(words), NULL))
        return CMD_ERROR;
    is = kind[0] ? tl_kinds_by_word(kind, strlen(kind)) : 0;
    if (!(kinds & is))
        return failed(console, "a stop at %s, but it is %s", rest, kind[0] ? kind : why);
    console->dead_unasked = false;
    return CMD_OK;
}

struct wanted_output {
    regex_t regex;
    bool found;
};

static struct wanted_output *wanted; /* of the `expect output` that waits: one at a time */

static bool output_came(struct console *console)
{
    regmatch_t match;

    if (!wanted->found && console->output &&
        regexec(&wanted->regex, console->output + console->output_seen_bytes, 1, &match, 0) == 0) {
        wanted->found = true;
        console->output_seen_bytes += (size_t)match.rm_eo;
    }
    return wanted->found || console->end_seen ||
           (!console_running(console) && !console->machine_started);
}

/* expect output REGEX [within SECONDS] */
static enum cmd_result expect_output(struct console *console, const char *rest)
{
    struct wanted_output want = {.found = false};
    char *pattern = strdup(rest), *within = pattern, *last = NULL, *end, message[200];
    double seconds = 0;
    int code;

    while (within && (within = strstr(within, " within ")) != NULL)
        last = within++;
    if (last) {
        seconds = strtod(last + 8, &end);
        if (end > last + 8 &&
            (*end == '\0' || strcmp(end, " seconds") == 0 || strcmp(end, "s") == 0))
            *last = '\0';
        else
            seconds = 0;
    }
    if (!pattern || !*pattern) {
        out_error("usage: expect output REGEX [within SECONDS]");
        free(pattern);
        return CMD_ERROR;
    }
    code = regcomp(&want.regex, pattern, REG_EXTENDED | REG_NEWLINE);
    if (code != 0) {
        regerror(code, &want.regex, message, sizeof(message));
        out_error("%s: %s", pattern, message);
        free(pattern);
        return CMD_ERROR;
    }
    wanted = &want;
    if (!output_came(console) && seconds > 0) {
        /* Output comes only from a running guest: let it run meanwhile, and stop it afterwards. */
        bool was_stopped = console_attached(console) && !console_running(console) &&
                           !broker_connected(console->broker);

        console->waiting_stop = true;
        if (was_stopped)
            console_resume(console, "vCont;c");
        console_wait_until(console, output_came, (int)(seconds * 1000));
        console->waiting_stop = false;
        if (was_stopped && console_running(console)) {
            session_break_in(console->session);
            console->quiet_stop = true;
            console_wait_stop(console);
            console->quiet_stop = false;
        }
    }
    wanted = NULL;
    regfree(&want.regex);
    if (!want.found) {
        enum cmd_result result = failed(console, "output `%s` did not come%s", pattern,
                                        console->end_seen ? " before the machine ended" : "");
        free(pattern);
        return result;
    }
    free(pattern);
    return CMD_OK;
}

static enum cmd_result cmd_expect(struct console *console, const struct cmd_args *args)
{
    const char *rest = args->rest;
    uint64_t value;

    if (!*rest) {
        out_error("usage: expect EXPR | stop KIND | output REGEX [within SECONDS] | end");
        return CMD_ERROR;
    }
    if (cmd_keyword(&rest, "stop"))
        return expect_stop(console, rest);
    if (cmd_keyword(&rest, "output"))
        return expect_output(console, rest);
    if (strcmp(rest, "end") == 0)
        return console->end_seen && console->end == MACHINE_POWERED_OFF
                   ? CMD_OK
                   : failed(console, "the guest has not powered the machine off");
    if (!console_attached(console))
        return failed(console, "`%s`, but there is no machine: %s", rest,
                      console_why_detached(console));
    if (!eval_text(console, rest, NULL, &value, NULL))
        return CMD_ERROR;
    return value ? CMD_OK : failed(console, "%s", rest);
}

/* ---- small ones ---- */

static enum cmd_result cmd_echo(struct console *console, const struct cmd_args *args)
{
    (void)console;
    for (const char *from = args->rest; *from; from++) {
        if (*from == '\\' && from[1] == 'n') {
            out_printf("\n");
            from++;
        } else if (*from == '\\' && from[1] == 't') {
            out_printf("\t");
            from++;
        } else {
            out_text(from, 1);
        }
    }
    out_printf("\n");
    return CMD_OK;
}

static FILE *log_file;

static void tee(const char *text, size_t len_bytes)
{
    if (log_file)
        fwrite(text, 1, len_bytes, log_file);
}

static enum cmd_result cmd_log(struct console *console, const struct cmd_args *args)
{
    (void)console;
    if (log_file) {
        fclose(log_file);
        log_file = NULL;
        out_tee = NULL;
    }
    if (!*args->rest || strcmp(args->rest, "off") == 0)
        return CMD_OK;
    log_file = files_append(args->rest);
    if (!log_file)
        return CMD_ERROR;
    setvbuf(log_file, NULL, _IOLBF, 0);
    out_tee = tee;
    return CMD_OK;
}

static enum cmd_result cmd_record(struct console *console, const struct cmd_args *args)
{
    return console_record(console, strcmp(args->rest, "off") == 0 ? "" : args->rest) ? CMD_OK
                                                                                     : CMD_ERROR;
}

static enum cmd_result cmd_send(struct console *console, const struct cmd_args *args)
{
    char hex[2 * 500 + 1];
    size_t to = 0;

    if (strlen(args->rest) > 500) {
        out_error("at most 500 characters at once");
        return CMD_ERROR;
    }
    for (const char *from = args->rest; *from && to + 4 < sizeof(hex); from++, to += 2)
        snprintf(hex + to, 3, "%02x", (unsigned char)*from);
    snprintf(hex + to, 3, "0a");
    if (target_do(console->target, "Qtl.console:%s", hex))
        return CMD_OK;
    out_error("%s", target_error(console->target));
    return CMD_ERROR;
}

/* ---- help ---- */

static void help_row(const struct cmd_row *row)
{
    size_t name = strcspn(row->names, "|");
    char left[48];

    snprintf(left, sizeof(left), "%.*s", (int)name, row->names);
    out_printf("  %s%-18s%s %s\n", out_style(OUT_NAME), left, out_style(OUT_PLAIN), row->help);
}

static void help_one(const struct cmd_row *row)
{
    size_t name = strcspn(row->names, "|");
    const char *alias = row->names + name;

    out_printf("%s%.*s%s %s\n  %s.\n", out_style(OUT_NAME), (int)name, row->names,
               out_style(OUT_PLAIN), row->arguments, row->help);
    if (*alias) {
        out_printf("  Also:");
        while (*alias == '|') {
            size_t len_bytes = strcspn(++alias, "|");

            out_printf(" %.*s%s", (int)len_bytes, alias, alias[len_bytes] ? "," : "");
            alias += len_bytes;
        }
        out_printf("\n");
    }
    if (row->details)
        out_printf("  %s\n", row->details);
}

static void help_kinds(void)
{
    for (unsigned i = 1; i < TL_KIND_COUNT; i++)
        out_printf("  %s%-18s%s %s\n", out_style(OUT_NAME), tl_kinds[i].word, out_style(OUT_PLAIN),
                   tl_kinds[i].text);
    out_printf("Vendors' names are accepted too: EXIT_REASON_CR_ACCESS, VMEXIT_CR0_WRITE ...\n");
}

static enum cmd_result cmd_help(struct console *console, const struct cmd_args *args)
{
    const struct cmd_row *row;
    const char *rest;
    char format[32];
    bool any = false;

    (void)console;
    if (strcmp(args->rest, "kinds") == 0) {
        help_kinds();
        return CMD_OK;
    }
    if (!*args->rest) {
        for (const struct cmd_topic *topic = cmd_topics; topic->title; topic++) {
            out_printf("%s\n", topic->title);
            for (row = topic->rows; row->names; row++)
                help_row(row);
        }
        out_printf("`help COMMAND` says more; `help kinds` lists the kinds of exit. Names may be "
                   "abbreviated.\n");
        return CMD_OK;
    }
    if (strcmp(args->rest, "info") != 0) {
        row = cmd_find(args->rest, &rest, format, sizeof(format), false);
        if (!row)
            return CMD_ERROR;
        help_one(row);
        return CMD_OK;
    }
    for (const struct cmd_topic *topic = cmd_topics; topic->title; topic++)
        for (row = topic->rows; row->names; row++)
            if (strncmp(row->names, "info ", 5) == 0) {
                help_row(row);
                any = true;
            }
    return any ? CMD_OK : CMD_ERROR;
}

static enum cmd_result cmd_quit(struct console *console, const struct cmd_args *args)
{
    (void)console;
    (void)args;
    return CMD_QUIT;
}

const struct cmd_row cmd_work_rows[] = {
    {"symbol-file|add-symbol-file", "[FILE [OFFSET]]",
     "load symbols (ELF, debug ELF, System.map); without a file, forget all",
     "Kernel symbols are also found before paging and, by reading the guest, after KASLR.",
     cmd_symbol_file, 0, CMD_COMPLETE_FILE, NULL},
    {"source", "FILE", "run the commands of a file", NULL, cmd_source, 0, CMD_COMPLETE_FILE, NULL},
    {"expect", "EXPR | stop KIND | output REGEX [within SECONDS] | end",
     "fail (exit status 1) unless this holds", "`end`: the guest has powered the machine off.",
     cmd_expect, 0, CMD_COMPLETE_EXPR, NULL},
    {"echo", "TEXT", "print text; \\n and \\t work", NULL, cmd_echo, 0, CMD_COMPLETE_NONE, NULL},
    {"log", "FILE|off", "write what is printed here to a file as well", NULL, cmd_log, 0,
     CMD_COMPLETE_FILE, NULL},
    {"record", "FILE|off", "record the session, for `trapline replay FILE`", NULL, cmd_record, 0,
     CMD_COMPLETE_FILE, NULL},
    {"send", "TEXT", "type a line on the guest's console", NULL, cmd_send, CMD_LINE,
     CMD_COMPLETE_NONE, NULL},
    {"help|h|?", "[COMMAND|kinds|info]", "what there is, or more about one command", NULL, cmd_help,
     0, CMD_COMPLETE_COMMAND, NULL},
    {"quit|q|exit", "", "leave; a machine that `run` started is switched off", NULL, cmd_quit, 0,
     CMD_COMPLETE_NONE, NULL},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
