/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See report.h. */
#include "monitor/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "monitor/files.h"

struct report_row {
    char *line, *note;
    enum cmd_result result;
    double seconds;
    bool done;
};

struct report {
    FILE *file; /* open from the start: a run of an hour must not end without a place for it */
    const char *path;
    struct report_row *row;
    size_t count;
    struct timespec start, command_start;
    char *why;
    bool xml;
};

static const char *const result_words[] = {
    [CMD_OK] = "ok",     [CMD_ERROR] = "error", [CMD_EXPECT_FAILED] = "failed",
    [CMD_LOST] = "lost", [CMD_QUIT] = "ok",
};

bool report_new(const struct options *options, struct report **made)
{
    struct report *report;

    *made = NULL;
    if (!options->report)
        return true;
    report = calloc(1, sizeof(*report));
    if (!report)
        return false;
    report->path = options->report;
    report->file = files_create(report->path);
    if (!report->file) {
        free(report);
        return false;
    }
    *made = report;
    report->xml = strcmp(strrchr(options->report, '.'), ".xml") == 0;
    clock_gettime(CLOCK_MONOTONIC, &report->start);
    return true;
}

static double since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

void report_command(struct report *report, const char *line)
{
    struct report_row *row;

    if (!report)
        return;
    row = realloc(report->row, (report->count + 1) * sizeof(*row));
    if (!row)
        return;
    report->row = row;
    report->row[report->count++] = (struct report_row){.line = strdup(line)};
    clock_gettime(CLOCK_MONOTONIC, &report->command_start);
}

/* A `source` has commands inside: the innermost that is not done is meant. */
static struct report_row *open_row(struct report *report)
{
    for (size_t i = report ? report->count : 0; i > 0; i--)
        if (!report->row[i - 1].done)
            return &report->row[i - 1];
    return NULL;
}

void report_note(struct report *report, const char *text)
{
    struct report_row *row = open_row(report);

    if (!row)
        return;
    free(row->note);
    row->note = strdup(text);
}

void report_why(struct report *report, const char *text)
{
    if (!report)
        return;
    free(report->why);
    report->why = strndup(text, strcspn(text, "\r\n"));
}

void report_result(struct report *report, enum cmd_result result)
{
    struct report_row *row = open_row(report);

    if (!row)
        return;
    row->done = true;
    row->result = result;
    row->seconds = since(&report->command_start);
}

static void put_xml_text(FILE *file, const char *text)
{
    for (; text && *text; text++) {
        unsigned char c = (unsigned char)*text;

        switch (c) {
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '&':
            fputs("&amp;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        default:
            /* XML 1.0 has no control characters, not even escaped; bytes above ASCII may be no UTF-8 */
            fputc(c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f) ? c : '?', file);
        }
    }
}

static void write_xml(const struct report *report, FILE *file, enum exit_status status)
{
    unsigned failures = 0, errors = 0;

    for (size_t i = 0; i < report->count; i++) {
        failures += report->row[i].result == CMD_EXPECT_FAILED;
        errors += report->row[i].result == CMD_ERROR || report->row[i].result == CMD_LOST;
    }
    errors += status != STATUS_OK && status != STATUS_EXPECT_FAILED;
    fprintf(
        file,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuite name=\"trapline\" tests=\"%zu\" failures=\"%u\" errors=\"%u\" time=\"%.3f\">\n",
        report->count + 1, failures, errors, since(&report->start));
    for (size_t i = 0; i < report->count; i++) {
        const struct report_row *row = &report->row[i];

        fprintf(file, "  <testcase classname=\"trapline.command\" name=\"%zu: ", i + 1);
        put_xml_text(file, row->line);
        fprintf(file, "\" time=\"%.3f\">", row->seconds);
        if (row->result != CMD_OK && row->result != CMD_QUIT) {
            fprintf(file, "<%s message=\"", row->result == CMD_EXPECT_FAILED ? "failure" : "error");
            put_xml_text(file, row->note ? row->note : result_words[row->result]);
            fprintf(file, "\"/>");
        }
        fprintf(file, "</testcase>\n");
    }
    fprintf(file, "  <testcase classname=\"trapline.session\" name=\"exit status %d\">",
            (int)status);
    if (status != STATUS_OK && status != STATUS_EXPECT_FAILED) {
        fprintf(file, "<error message=\"");
        if (report->why)
            put_xml_text(file, report->why);
        else
            fprintf(file, "exit status %d", (int)status);
        fprintf(file, "\"/>");
    }
    fprintf(file, "</testcase>\n</testsuite>\n");
}

/* What was typed need not be UTF-8; JSON must. */
static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);

    return value ? value : json_string("(not UTF-8)");
}

static void write_json(const struct report *report, FILE *file, enum exit_status status)
{
    json_t *root = json_object(), *list = json_array();

    for (size_t i = 0; i < report->count; i++) {
        const struct report_row *row = &report->row[i];
        json_t *object = json_object();

        json_object_set_new(object, "command", text_value(row->line));
        json_object_set_new(object, "result", json_string(result_words[row->result]));
        json_object_set_new(object, "seconds", json_real(row->seconds));
        if (row->note)
            json_object_set_new(object, "message", text_value(row->note));
        json_array_append_new(list, object);
    }
    json_object_set_new(root, "status", json_integer(status));
    json_object_set_new(root, "seconds", json_real(since(&report->start)));
    if (report->why)
        json_object_set_new(root, "why", text_value(report->why));
    json_object_set_new(root, "commands", list);
    json_dumpf(root, file, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    fputc('\n', file);
    json_decref(root);
}

bool report_end(struct report *report, enum exit_status status)
{
    FILE *file;

    if (!report || !report->file)
        return true;
    file = report->file;
    report->file = NULL;
    if (report->xml)
        write_xml(report, file, status);
    else
        write_json(report, file, status);
    return files_finish(file, report->path);
}

void report_free(struct report *report)
{
    if (!report)
        return;
    free(report->why);
    for (size_t i = 0; i < report->count; i++) {
        free(report->row[i].line);
        free(report->row[i].note);
    }
    free(report->row);
    free(report);
}
