/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host program: which of its jobs is asked for. Each job is elsewhere. */
#include <stdio.h>
#include <string.h>

#include "monitor/cmd.h"
#include "monitor/console.h"
#include "monitor/explain_cmd.h"
#include "monitor/options.h"

#define TRAPLINE_VERSION "0.1"

static int print_man(void)
{
    printf(".TH TRAPLINE 1 \"\" \"Trapline %s\"\n.SH NAME\n"
           "trapline \\- debugger inside a small x86-64 hypervisor\n",
           TRAPLINE_VERSION);
    options_man(stdout);
    cmd_man(stdout);
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    static struct console console;
    static struct options options;
    int status;

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("trapline %s\n", TRAPLINE_VERSION);
        return STATUS_OK;
    }
    if (argc == 2 && strcmp(argv[1], "--print-man") == 0)
        return print_man();
    if (argc == 2 && strcmp(argv[1], "--print-completion") == 0) {
        options_completion(stdout);
        return STATUS_OK;
    }
    status = options_parse(&options, argc, argv);
    if (status >= 0)
        return status;
    if (options.mode == MODE_EXPLAIN)
        return explain_logs(&options);
    if (console_open(&console, &options))
        status = console_run(&console);
    else
        status = (int)console.status;
    console_close(&console);
    return status;
}
