/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See options.h; the rows are options.def. */
#include "monitor/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_FIRST = 1000,
#define OPTION(NAME, letter, long_, argument, where, help) OPTION_##NAME,
#include "monitor/options.def"
#undef OPTION
};

struct option_row {
    int id;
    char letter;
    const char *name, *argument, *where, *help;
};

static const struct option_row rows[] = {
#define OPTION(NAME, letter, long_, argument, where, help)                                         \
    {OPTION_##NAME, letter, long_, argument, where, help},
#include "monitor/options.def"
#undef OPTION
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

struct mode_row {
    const char *name, *arguments, *help;
    char where;
};

static const struct mode_row modes[] = {
    [MODE_RUN] = {"run", "[GUEST [MODULE...]]", "start a machine and attach to it", 'R'},
    [MODE_ATTACH] = {"attach", "TARGET", "attach to a running machine's line", 'A'},
    [MODE_EXPLAIN] = {"explain", "LOG...", "say what killed a guest, from crash records in logs",
                      'E'},
    [MODE_REPLAY] = {"replay", "FILE", "replay a recorded session without a machine", 'P'},
};
#define MODE_COUNT (sizeof(modes) / sizeof(modes[0]))

static const char targets[] =
    "TARGET is a serial device (/dev/ttyS0[,BAUD]), a pty, a unix socket, HOST:PORT,\n"
    "or rfc2217://HOST:PORT[,BAUD].\n";
static const char guests[] =
    "GUEST is a Linux bzImage, multiboot ELF, boot sector or flat binary; without one, Debian's\n"
    "kernel and an initramfs from build/guests are taken.\n";
static const char statuses[] =
    "Exit status: 0 all went as asked; 1 an expect failed; 2 usage; 3 link or machine lost, or\n"
    "time-out; 4 the guest died without the script asking for it. explain: 0 a crash was found, 1 "
    "none.\n";

static void options_usage(FILE *file)
{
    fprintf(file,
            "Trapline: a debugger inside a small x86-64 hypervisor, over one serial line.\n\n");
    for (size_t i = 0; i < MODE_COUNT; i++)
        fprintf(file, "  trapline %-8s [options] %-20s %s\n", modes[i].name, modes[i].arguments,
                modes[i].help);
    fprintf(file, "\n%s\n%s\nOptions (R run, A attach, E explain, P replay):\n", guests, targets);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char left[64];

        snprintf(left, sizeof(left), "%s%c%s--%s%s%s", rows[i].letter ? "-" : "",
                 rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? ", " : "   ", rows[i].name,
                 rows[i].argument ? " " : "", rows[i].argument ? rows[i].argument : "");
        fprintf(file, "  %-32s %-4s %s\n", left, rows[i].where, rows[i].help);
    }
    fprintf(file, "\n%s", statuses);
}

void options_man(FILE *file)
{
    fprintf(file, ".SH SYNOPSIS\n");
    for (size_t i = 0; i < MODE_COUNT; i++)
        fprintf(file, ".B trapline %s\n[options] %s\n.br\n", modes[i].name, modes[i].arguments);
    fprintf(
        file,
        ".SH DESCRIPTION\nTrapline talks to the debugger inside the Trapline hypervisor over one "
        "serial line. It can start the machine itself, attach to one, read what a dead one left "
        "in a log, or replay a recorded session.\n.PP\n%s.PP\n%s",
        guests, targets);
    fprintf(file, ".SH OPTIONS\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        fprintf(file, ".TP\n.B ");
        if (rows[i].letter)
            fprintf(file, "\\-%c, ", rows[i].letter);
        fprintf(file, "\\-\\-%s", rows[i].name);
        if (rows[i].argument)
            fprintf(file, " \\fI%s\\fR", rows[i].argument);
        fprintf(file, "\n%s (", rows[i].help);
        for (size_t m = 0, n = 0; m < MODE_COUNT; m++)
            if (strchr(rows[i].where, modes[m].where))
                fprintf(file, "%s%s", n++ ? ", " : "", modes[m].name);
        fprintf(file, ").\n");
    }
    fprintf(file, ".SH EXIT STATUS\n%s", statuses);
}

/* What follows an option: its words if it lists them (capitals stand for something else), nothing for a
 * number or text of one's own, files for FILE. */
static void completion_of_argument(FILE *file, const struct option_row *row)
{
    if (!row->argument || strcmp(row->argument, "FILE") == 0)
        return;
    fprintf(file, "    --%s", row->name);
    if (row->letter)
        fprintf(file, "|-%c", row->letter);
    fprintf(file, ") COMPREPLY=(");
    if (strchr(row->argument, '|')) {
        fprintf(file, "$(compgen -W '");
        for (const char *at = row->argument; *at;) {
            size_t len_bytes = strcspn(at, "|");

            if (*at >= 'a' && *at <= 'z')
                fprintf(file, "%.*s ", (int)len_bytes, at);
            at += len_bytes + (at[len_bytes] == '|');
        }
        fprintf(file, "' -- \"$word\")");
    }
    fprintf(file, "); return ;;\n");
}

void options_completion(FILE *file)
{
    fprintf(file, "# bash completion for trapline; made by `trapline --print-completion`\n"
                  "_trapline() {\n"
                  "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
                  "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                  "        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < MODE_COUNT; i++)
        fprintf(file, "%s ", modes[i].name);
    fprintf(file, "--help --version' -- \"$word\")); return\n    fi\n    case $before in\n");
    for (size_t i = 0; i < ROW_COUNT; i++)
        completion_of_argument(file, &rows[i]);
    fprintf(file, "    esac\n    case ${COMP_WORDS[1]} in\n");
    for (size_t m = 0; m < MODE_COUNT; m++) {
        fprintf(file, "    %s) set -- '", modes[m].name);
        for (size_t i = 0; i < ROW_COUNT; i++)
            if (strchr(rows[i].where, modes[m].where)) {
                if (rows[i].letter)
                    fprintf(file, "-%c ", rows[i].letter);
                fprintf(file, "--%s ", rows[i].name);
            }
        fprintf(file, "' ;;\n");
    }
    fprintf(file, "    *) set -- '' ;;\n    esac\n"
                  "    case $word in\n"
                  "    -*) COMPREPLY=($(compgen -W \"$1\" -- \"$word\")) ;;\n"
                  "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
                  "    esac\n}\ncomplete -o filenames -F _trapline trapline\n");
}

char *options_locate(const char *in_build, const char *installed)
{
    char self[1024], *slash, *path, *other;
    ssize_t len_bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[len_bytes > 0 ? len_bytes : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    if (asprintf(&path, "%s/%s", self, in_build) < 0)
        abort();
    if (!installed || access(path, R_OK) == 0)
        return path;
    if (asprintf(&other, "%s/../lib/trapline/%s", self, installed) < 0)
        abort();
    if (access(other, R_OK) != 0) {
        free(other);
        return path;
    }
    free(path);
    return other;
}

static int complain(const char *format, const char *what)
{
    fprintf(stderr, "trapline: ");
    fprintf(stderr, format, what);
    fprintf(stderr, " (trapline --help lists what there is)\n");
    return STATUS_USAGE;
}

/* A whole number in [low, high], or -1. */
static long number(const char *text, long low, long high)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 0);
    return errno || end == text || *end || value < low || value > high ? -1 : value;
}

static bool append_word(struct options *options, const char *format, const char *word)
{
    size_t used = strlen(options->hv_options), room = sizeof(options->hv_options) - used;

    return (size_t)snprintf(options->hv_options + used, room, format, used ? " " : "", word) < room;
}

/* Which models there are, the emulator knows; here only what no model's name can be. */
static bool is_model(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len < 200 && strcmp(text, "help") != 0 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,=") ==
               len &&
           text[0] != '-';
}

static int take_machine(struct options *options, int id, const char *value)
{
    struct machine_spec *machine = &options->machine;
    long n;

    switch (id) {
    case OPTION_ON:
        if (strcmp(value, "qemu") == 0)
            machine->kind = MACHINE_QEMU;
        else if (strcmp(value, "bochs") == 0)
            machine->kind = MACHINE_BOCHS;
        else if (strcmp(value, "kvm") == 0)
            machine->kind = MACHINE_KVM;
        else
            return complain("--on %s: expected qemu, bochs or kvm", value);
        break;
    case OPTION_CPU:
        if (strcmp(value, "svm") != 0 && strcmp(value, "vmx") != 0) {
            if (!is_model(value))
                return complain("--cpu '%s': expected svm, vmx or a CPU model of the emulator",
                                value);
            machine->model = value;
            break;
        }
        machine->cpu = value[0] == 's' ? MACHINE_CPU_SVM : MACHINE_CPU_VMX;
        if (!append_word(options, "%s%s", value))
            return complain("%s: too many options for the hypervisor", value);
        break;
    case OPTION_STRICT:
        machine->strict_msrs = true;
        break;
    case OPTION_SMP:
        n = number(value, 1, 8);
        if (n < 0)
            return complain("--smp %s: expected a number from 1 to 8", value);
        machine->smp = (unsigned)n;
        break;
    case OPTION_MEM:
        n = number(value, 64, 1 << 20);
        if (n < 0)
            return complain("--mem %s: expected MiB, at least 64", value);
        machine->mem_mib = (unsigned)n;
        break;
    case OPTION_FAULT:
        if (!append_word(options, "%sfault=%s", value))
            return complain("%s: too many options for the hypervisor", value);
        break;
    case OPTION_HV:
        if (!append_word(options, "%s%s", value))
            return complain("%s: too many options for the hypervisor", value);
        break;
    default:
        return -2;
    }
    return -1;
}

static int take(struct options *options, int id, const char *value)
{
    char *end;
    long n;

    switch (id) {
    case OPTION_APPEND:
        options->append = value;
        break;
    case OPTION_EMULATOR:
        options->machine.extra = value;
        break;
    case OPTION_FILE:
    case OPTION_EXECUTE:
        if (options->script_count == OPTIONS_SCRIPT_MAX)
            return complain("%s: too many -e and -x; put them into a file", value);
        options->script[options->script_count++] =
            (struct options_script){.is_file = id == OPTION_FILE, .text = value};
        break;
    case OPTION_BATCH:
        options->batch = true;
        break;
    case OPTION_TIMEOUT:
        options->timeout_seconds = strtod(value, &end);
        if (end == value || *end || !(options->timeout_seconds > 0) ||
            options->timeout_seconds > 1e7)
            return complain("--timeout %s: expected seconds", value);
        break;
    case OPTION_LOG:
        options->log = value;
        break;
    case OPTION_LOG_RAW:
        options->log_raw = value;
        break;
    case OPTION_LOG_TIME:
        options->log_time = value;
        break;
    case OPTION_PACKETS:
        options->packets = value;
        break;
    case OPTION_RECORD:
        options->record = value;
        break;
    case OPTION_REPORT:
        end = strrchr(value, '.');
        if (!end || (strcmp(end, ".json") != 0 && strcmp(end, ".xml") != 0))
            return complain("--report %s: expected a name ending in .json or .xml", value);
        options->report = value;
        break;
    case OPTION_GDB:
        n = number(value, 0, 65535);
        if (n < 0)
            return complain("--gdb %s: expected a TCP port", value);
        options->gdb_port = (int)n;
        break;
    case OPTION_SYMBOLS:
        if (options->symbols_count == 16)
            return complain("%s: at most 16 symbol files", value);
        options->symbols[options->symbols_count++] = value;
        break;
    case OPTION_BARE:
        options->bare = true;
        break;
    case OPTION_JSON:
        options->json = true;
        break;
    case OPTION_HELP:
        options_usage(stdout);
        return STATUS_OK;
    default:
        return STATUS_USAGE;
    }
    return -1;
}

static int positional(struct options *options, int count, char **words)
{
    switch (options->mode) {
    case MODE_RUN:
        if (count > 0)
            options->machine.guest = words[0];
        if (count - 1 > MACHINE_MODULES_MAX)
            return complain("%s: too many modules", words[count - 1]);
        for (int i = 1; i < count; i++)
            options->machine.modules[options->machine.module_count++] = words[i];
        return -1;
    case MODE_ATTACH:
    case MODE_REPLAY:
        if (count != 1)
            return complain("%s takes one argument", modes[options->mode].name);
        options->target = words[0];
        return -1;
    default:
        if (count < 1)
            return complain("%s takes one or more log files", modes[options->mode].name);
        options->files = words;
        options->file_count = (size_t)count;
        return -1;
    }
}

int options_parse(struct options *options, int argc, char **argv)
{
    struct option longs[ROW_COUNT + 1] = {0};
    char shorts[2 * ROW_COUNT + 2] = ":";
    int id, status;
    size_t i;

    *options = (struct options){
        .machine = {.smp = 1, .mem_mib = 512, .guest_args = ""},
        .gdb_port = -1,
    };
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        options_usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? STATUS_USAGE : STATUS_OK;
    }
    for (i = 0; i < MODE_COUNT; i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            break;
    if (i == MODE_COUNT)
        return complain("%s: expected run, attach, explain or replay", argv[1]);
    options->mode = (enum options_mode)i;
    for (i = 0; i < ROW_COUNT; i++) {
        longs[i] = (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument,
                                   NULL, rows[i].id};
        if (rows[i].letter) {
            size_t end = strlen(shorts);

            shorts[end] = rows[i].letter;
            if (rows[i].argument)
                shorts[end + 1] = ':';
        }
    }
    optind = 2;
    opterr = 0;
    while ((id = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (id == '?')
            return complain("%s: no such option", argv[optind - 1]);
        if (id == ':')
            return complain("%s needs a value", argv[optind - 1]);
        for (i = 0; i < ROW_COUNT; i++)
            if (rows[i].id == id || (rows[i].letter && rows[i].letter == id))
                break;
        if (!strchr(rows[i].where, modes[options->mode].where)) {
            fprintf(stderr, "trapline: --%s is no option of `%s`\n", rows[i].name,
                    modes[options->mode].name);
            return STATUS_USAGE;
        }
        status = take_machine(options, rows[i].id, optarg);
        if (status == -2)
            status = take(options, rows[i].id, optarg);
        if (status >= 0)
            return status;
    }
    return positional(options, argc - optind, argv + optind);
}
