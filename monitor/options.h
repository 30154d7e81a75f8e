/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line of trapline: words to a struct, usage text. Starts nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "monitor/machine.h"

#define OPTIONS_SCRIPT_MAX 256

enum options_mode { MODE_RUN, MODE_ATTACH, MODE_EXPLAIN, MODE_REPLAY };

/* -x FILE or -e CMD, in the order given. */
struct options_script {
    bool is_file;
    const char *text;
};

struct options {
    enum options_mode mode;
    struct machine_spec machine; /* run */
    const char *append;          /* NULL: the default for the guest */
    const char *target;          /* attach: line; replay: record file */
    char *const *files;          /* explain */
    size_t file_count;
    char hv_options[512];
    struct options_script script[OPTIONS_SCRIPT_MAX];
    size_t script_count;
    const char *symbols[16];
    size_t symbols_count;
    bool batch, json, bare;
    double timeout_seconds; /* 0: none */
    const char *log, *log_raw, *log_time, *packets, *record, *report;
    int gdb_port; /* -1: none, 0: any free one */
};

/* What a program's caller sees; `--help` and the man page say the same. */
enum exit_status {
    STATUS_OK = 0,
    STATUS_EXPECT_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_LOST = 3,
    STATUS_GUEST_DIED = 4,
};

/*
 * Parses argv. Returns -1 to go on, or the exit status after it has printed what was asked for, or
 * one line about what was wrong.
 */
int options_parse(struct options *options, int argc, char **argv);

/* For --print-man (troff) and --print-completion (bash). */
void options_man(FILE *file);
void options_completion(FILE *file);

/* Where a file of the installation lies: beside the program in build/, or in lib/trapline. The
 * result is malloc()ed; the file may not exist. */
char *options_locate(const char *in_build, const char *installed);
