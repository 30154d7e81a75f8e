/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From options to an attached console, and the way back: default guest, machine, line, handshake,
 * logs, symbols. The loop is console.c's.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/broker.h"
#include "monitor/console_impl.h"
#include "monitor/files.h"
#include "monitor/out.h"
#include "monitor/replay.h"
#include "monitor/report.h"
#include "monitor/shots.h"
#include "monitor/stops.h"
#include "monitor/target.h"

#define BOOT_TIMEOUT_MS    90000 /* a loaded CI machine, Bochs, GRUB's menu */
#define ATTACH_TIMEOUT_MS  8000
#define CONNECT_TIMEOUT_MS 5000

/* Files that this process keeps open for the session. */
static struct {
    struct session_logs line;
    FILE *record;
} logs;

static bool open_log(const char *path, FILE **file)
{
    if (!path)
        return true;
    *file = files_create(path);
    if (!*file)
        return false;
    setvbuf(*file, NULL, _IOLBF, 0);
    return true;
}

/* Debian's kernel and our initramfs, with a console on the emulated UART. */
static void default_guest(struct machine_spec *machine, const char *append)
{
    static const char standard[] = "console=ttyS0 earlyprintk=ttyS0,115200 panic=-1 nokaslr";
    bool own_guest = machine->guest != NULL;

    if (!own_guest) {
        machine->guest = options_locate("guests/debian12-cloud/vmlinuz", NULL);
        machine->modules[machine->module_count++] = options_locate("guests/initrd.gz", NULL);
    }
    machine->guest_args = append ? append : own_guest ? "" : standard;
}

static bool start_machine(struct console *console)
{
    struct machine_spec spec = console->options->machine;
    char error[MACHINE_ERROR_BYTES], hv_options[600];
    struct session_calls calls = console_session_calls(console);
    struct transport *line;

    default_guest(&spec, console->options->append);
    snprintf(hv_options, sizeof(hv_options), "uart=0x3f8,115200 wait%s%s",
             console->options->hv_options[0] ? " " : "", console->options->hv_options);
    spec.hv_options = hv_options;
    spec.hv_image = options_locate("hv/trapline.elf", "trapline.elf");
    spec.mkiso = options_locate("../tools/mkiso", "mkiso");
    if (access(spec.guest, R_OK) < 0 && !console->options->machine.guest) {
        out_error(
            "no GUEST is named, and Debian's kernel is not there (%s): `make guests` fetches it, "
            "in the source tree",
            spec.guest);
        console->status = STATUS_USAGE;
        return false;
    }
    line = machine_start(&console->machine, &spec, error);
    if (!line) {
        out_error("%s", error);
        console->status = STATUS_USAGE;
        return false;
    }
    console->machine_started = true;
    console->machine.spec.hv_options = console->machine.spec.guest_args = ""; /* ours end here */
    console->session = session_new(line, &calls);
    return true;
}

static bool open_line(struct console *console)
{
    struct session_calls calls = console_session_calls(console);
    char error[TRANSPORT_ERROR_BYTES];
    struct transport *line = transport_open(console->options->target, CONNECT_TIMEOUT_MS, error);

    if (!line) {
        out_error("%s", error);
        console->status = STATUS_LOST;
        return false;
    }
    console->session = session_new(line, &calls);
    return true;
}

static bool attach(struct console *console)
{
    bool ours = console->machine_started, done;
    char hint[200];
    const struct options *options = console->options;

    console->attaching = true;
    console->in_command = true; /* the stop that answers is shown when we know who answered */
    session_set_logs(console->session, &logs.line);
    done = session_attach(console->session, options->bare, ours,
                          ours ? BOOT_TIMEOUT_MS : ATTACH_TIMEOUT_MS);
    console->attaching = console->in_command = console->stop_is_new = false;
    if (done)
        return true;
    if (console->refused) {
        /* Its own line says what is wrong; let the rest of it come. */
        console_pump_keys(console, 100, false);
        out_guest_flush();
        out_error("the hypervisor did not start; its line above says why");
        console->status = STATUS_USAGE;
        return false;
    }
    if (console->quitting || console->end_seen || console_was_attached(console)) {
        if (console->status == STATUS_OK)
            console->status = STATUS_LOST;
        return false;
    }
    out_guest_flush();
    out_error("no hypervisor answers on %s: %s", ours ? "the machine's UART" : options->target,
              session_why(console->session));
    session_line_hint(console->session, hint, sizeof(hint));
    if (hint[0])
        fprintf(stderr, "       %s\n", hint);
    else if (!ours && !session_spoke(console->session))
        fprintf(stderr,
                "       Nothing at all came from the line. Is the speed right, is the cable "
                "on the hypervisor's `uart=` port?\n");
    console->status = STATUS_LOST;
    return false;
}

static bool open_recording(struct console *console)
{
    struct session_calls calls = console_session_calls(console);

    console->session = session_new(NULL, &calls);
    return console->session != NULL;
}

bool console_record(struct console *console, const char *path)
{
    if (logs.record) {
        session_record(console->session, NULL);
        fclose(logs.record);
        logs.record = NULL;
    }
    if (!*path)
        return true;
    if (!console_attached(console)) {
        out_error("nothing is attached that could be recorded");
        return false;
    }
    if (!open_log(path, &logs.record))
        return false;
    target_forget_all(console->target);
    session_record(console->session, logs.record);
    return true;
}

/* The same machine from its power-on. Stops that were armed went with the hypervisor. */
bool console_reset(struct console *console)
{
    if (!console->machine_started) {
        if (!console_attached(console) || !target_do(console->target, "Qtl.reset")) {
            out_error("%s", console_attached(console) ? target_error(console->target)
                                                      : "nothing is attached");
            return false;
        }
        session_detach_quietly(console->session);
    } else {
        machine_stop(&console->machine);
        session_free(console->session);
        console->session = NULL;
        if (!start_machine(console))
            return false;
    }
    broker_gone(console->broker, "the machine was reset", false);
    stops_free(console);
    target_forget_all(console->target);
    console->why_detached[0] = '\0';
    console->silent_since_ms = 0;
    console->end_seen = console->dead_unasked = console->stop_is_new = false;
    console->end = MACHINE_RUNNING;
    if (!attach(console))
        return false;
    console->stop_is_new = false;
    return true;
}

static bool catch_signals(struct console *console)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return false;
    console->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return console->signal_fd >= 0;
}

static bool load_symbols(struct console *console)
{
    char error[SYMBOLS_ERROR_BYTES];

    console->symbols = symbols_new();
    for (size_t i = 0; console->symbols && i < console->options->symbols_count; i++)
        if (symbols_load(console->symbols, console->options->symbols[i], 0, error) < 0) {
            out_error("%s", error);
            console->status = STATUS_USAGE;
            return false;
        }
    return console->symbols != NULL;
}

bool console_open(struct console *console, const struct options *options)
{
    memset(console, 0, sizeof(*console));
    console->options = options;
    console->signal_fd = -1;
    console->interactive = !options->batch && isatty(STDIN_FILENO);
    out_init(console->interactive);
    if (options->timeout_seconds > 0)
        console->deadline_ms = console_now_ms() + (uint64_t)(options->timeout_seconds * 1000);
    if (!load_symbols(console))
        return false;
    console->status = STATUS_USAGE;
    if (!open_log(options->log, &logs.line.text) || !open_log(options->log_raw, &logs.line.raw) ||
        !open_log(options->log_time, &logs.line.timed) ||
        !open_log(options->packets, &logs.line.packets))
        return false;
    if (!report_new(options, &console->report))
        return false;
    console->status = STATUS_OK;
    console->target = target_new(console);
    if (options->mode == MODE_RUN      ? !start_machine(console)
        : options->mode == MODE_ATTACH ? !open_line(console)
                                       : !open_recording(console))
        return false;
    if (!catch_signals(console)) {
        out_error("cannot catch signals: %s", strerror(errno));
        console->status = STATUS_LOST;
        return false;
    }
    if (options->gdb_port >= 0) {
        console->broker = broker_new(console, options->gdb_port);
        if (!console->broker) {
            console->status = STATUS_USAGE;
            return false;
        }
    }
    if (options->mode == MODE_REPLAY) {
        if (!replay_attach(console->session, options->target))
            console->status = STATUS_USAGE;
        return console->status == STATUS_OK;
    }
    if (!attach(console))
        return false;
    return !options->record || console_record(console, options->record);
}

void console_close(struct console *console)
{
    if (console->machine_started) {
        if (console->session)
            session_lose(console->session, "the machine was switched off");
        machine_stop(&console->machine);
    } else if (console_attached(console) && !console_running(console)) {
        session_detach(console->session); /* as GDB does: a guest is not left standing */
    }
    broker_free(console->broker);
    session_free(console->session);
    target_free(console->target);
    symbols_free(console->symbols);
    report_end(console->report, console->status); /* when it did not come to a script */
    report_free(console->report);
    free(console->output);
    if (console->signal_fd >= 0)
        close(console->signal_fd);
    if (logs.line.text)
        fclose(logs.line.text);
    if (logs.line.raw)
        fclose(logs.line.raw);
    if (logs.line.timed)
        fclose(logs.line.timed);
    if (logs.line.packets)
        fclose(logs.line.packets);
    if (logs.record)
        fclose(logs.record);
    stops_free(console);
    shots_free();
    out_flush();
}
