/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU, under TCG or KVM: our command line for it, its UART on a unix socket that we listen on, and
 * QMP on a second one, which tells a power-off from a reset.
 */
#include "monitor/machine_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU_PROGRAM       "qemu-system-x86_64"
#define CONNECT_TIMEOUT_MS 15000

static int listen_unix(const struct machine *machine, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", machine->dir, name);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        listen(fd, 1) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* QEMU's option parser splits at commas; a doubled one stands for itself. */
static char *double_commas(const char *text)
{
    char *copy = malloc(2 * strlen(text) + 1), *to = copy;

    if (!copy)
        abort();
    for (; *text; text++) {
        if (*text == ',')
            *to++ = ',';
        *to++ = *text;
    }
    *to = '\0';
    return copy;
}

static char *initrd_list(const struct machine_spec *spec)
{
    char *guest = double_commas(spec->guest), *args = double_commas(spec->guest_args), *list, *more;

    if (asprintf(&list, "%s%s%s", guest, *args ? " " : "", args) < 0)
        abort();
    free(guest);
    free(args);
    for (size_t i = 0; i < spec->module_count; i++) {
        char *module = double_commas(spec->modules[i]);

        if (asprintf(&more, "%s,%s", list, module) < 0)
            abort();
        free(module);
        free(list);
        list = more;
    }
    return list;
}

static void add_extra(struct argv *argv, const char *extra)
{
    char *copy = strdup(extra), *save = NULL, *word;

    for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv_add(argv, "%s", word);
    free(copy);
}

static bool usable(const struct machine_spec *spec, char *error)
{
    if (spec->kind == MACHINE_QEMU && spec->cpu == MACHINE_CPU_VMX) {
        snprintf(error, MACHINE_ERROR_BYTES,
                 "QEMU's TCG has no VMX: use `--on bochs`, or `--on kvm` where KVM nests VMX");
        return false;
    }
    if (spec->kind == MACHINE_QEMU && spec->strict_msrs) {
        snprintf(error, MACHINE_ERROR_BYTES,
                 "--strict-msrs: QEMU's TCG reads every unknown MSR as 0, use `--on bochs`");
        return false;
    }
    if (spec->kind == MACHINE_KVM && access("/dev/kvm", R_OK | W_OK) < 0) {
        snprintf(error, MACHINE_ERROR_BYTES, "/dev/kvm: %s (use `--on qemu`, which needs no KVM)",
                 strerror(errno));
        return false;
    }
    return true;
}

static void build(struct argv *argv, const struct machine *machine)
{
    const struct machine_spec *spec = &machine->spec;
    char *initrd = initrd_list(spec);

    argv_add(argv, QEMU_PROGRAM);
    argv_add(argv, "-nodefaults");
    argv_add(argv, "-no-user-config");
    argv_add(argv, "-machine");
    argv_add(argv, "pc,smm=off");
    argv_add(argv, "-accel");
    argv_add(argv, "%s", spec->kind == MACHINE_KVM ? "kvm" : "tcg");
    argv_add(argv, "-cpu");
    argv_add(argv, "%s", spec->model ? spec->model : spec->kind == MACHINE_KVM ? "host" : "max");
    argv_add(argv, "-m");
    argv_add(argv, "%u", spec->mem_mib);
    argv_add(argv, "-smp");
    argv_add(argv, "%u", spec->smp);
    argv_add(argv, "-display");
    argv_add(argv, "none");
    argv_add(argv, "-no-reboot");
    argv_add(argv, "-chardev");
    argv_add(argv, "socket,id=line,path=%s/line", machine->dir);
    argv_add(argv, "-serial");
    argv_add(argv, "chardev:line");
    argv_add(argv, "-qmp");
    argv_add(argv, "unix:%s/qmp", machine->dir);
    argv_add(argv, "-kernel");
    argv_add(argv, "%s", spec->hv_image);
    argv_add(argv, "-initrd");
    argv_add(argv, "%s", initrd);
    argv_add(argv, "-append");
    argv_add(argv, "%s", spec->hv_options);
    if (spec->extra)
        add_extra(argv, spec->extra);
    free(initrd);
}

/* What to do about a last word of QEMU. */
static const char *hint_for(const char *tail)
{
    return strstr(tail, "unable to find CPU model")
               ? " (`qemu-system-x86_64 -cpu help` lists the models)"
               : "";
}

/*
 * QEMU connects to us before it has looked at its CPU model, its disks and so on. It answers commands
 * when the machine is made: until then its end is a refusal of what was asked for.
 */
static bool came_up(struct machine *machine)
{
    static const char capabilities[] = "{\"execute\":\"qmp_capabilities\"}\n";
    struct pollfd wait = {.fd = machine->control_fd, .events = POLLIN};

    fcntl(machine->control_fd, F_SETFL, O_NONBLOCK);
    if (write(machine->control_fd, capabilities, sizeof(capabilities) - 1) < 0)
        return false;
    while (!machine->control_ready && machine->control_fd >= 0) {
        if (poll(&wait, 1, CONNECT_TIMEOUT_MS) <= 0)
            return false;
        machine_control(machine);
    }
    return machine->control_ready;
}

struct transport *qemu_start(struct machine *machine, char *error)
{
    struct argv argv = {.count = 0};
    int line_listener, control_listener, fd = -1;
    char tail[300];

    if (!usable(&machine->spec, error))
        return NULL;
    line_listener = listen_unix(machine, "line");
    control_listener = listen_unix(machine, "qmp");
    if (line_listener < 0 || control_listener < 0) {
        snprintf(error, MACHINE_ERROR_BYTES, "cannot listen in %s: %s", machine->dir,
                 strerror(errno));
    } else {
        build(&argv, machine);
        if (machine_spawn(machine, &argv, "emulator.log", error)) {
            fd = machine_accept(machine, line_listener, CONNECT_TIMEOUT_MS);
            if (fd >= 0)
                machine->control_fd = machine_accept(machine, control_listener, CONNECT_TIMEOUT_MS);
            if (fd < 0 || machine->control_fd < 0 || !came_up(machine)) {
                machine_log_tail(machine, "emulator.log", tail, sizeof(tail));
                snprintf(error, MACHINE_ERROR_BYTES, "QEMU did not come up: %s%s",
                         tail[0] ? tail : "it said nothing", hint_for(tail));
                if (fd >= 0)
                    close(fd);
                fd = -1;
            }
        }
    }
    argv_free(&argv);
    if (line_listener >= 0)
        close(line_listener);
    if (control_listener >= 0)
        close(control_listener);
    if (fd < 0)
        return NULL;
    return transport_from_fd(fd);
}

static void control_event(struct machine *machine, const char *line)
{
    json_t *object = json_loads(line, 0, NULL), *data;
    const char *event = json_string_value(json_object_get(object, "event")), *reason;

    if (event && strcmp(event, "SHUTDOWN") == 0) {
        data = json_object_get(object, "data");
        reason = json_string_value(json_object_get(data, "reason"));
        if (reason && strcmp(reason, "guest-shutdown") == 0)
            machine->saw_power_off = true;
        if (reason && strcmp(reason, "guest-reset") == 0)
            machine->saw_reset = true;
    }
    if (json_object_get(object, "return"))
        machine->control_ready = true;
    json_decref(object);
}

void machine_control(struct machine *machine)
{
    for (;;) {
        size_t room = sizeof(machine->control_line) - 1 - machine->control_len_bytes;
        ssize_t got;
        char *end;

        if (room == 0) { /* no line of QMP is that long: start over */
            machine->control_len_bytes = 0;
            continue;
        }
        got = read(machine->control_fd, machine->control_line + machine->control_len_bytes, room);
        if (got <= 0) {
            if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return;
            close(machine->control_fd);
            machine->control_fd = -1;
            return;
        }
        machine->control_len_bytes += (size_t)got;
        machine->control_line[machine->control_len_bytes] = '\0';
        while ((end = strchr(machine->control_line, '\n')) != NULL) {
            *end = '\0';
            control_event(machine, machine->control_line);
            machine->control_len_bytes -= (size_t)(end + 1 - machine->control_line);
            memmove(machine->control_line, end + 1, machine->control_len_bytes + 1);
        }
    }
}

void qemu_ended(struct machine *machine, int status)
{
    char tail[160];

    machine_log_tail(machine, "emulator.log", tail, sizeof(tail));
    if (WIFSIGNALED(status)) {
        machine->end = MACHINE_CRASHED;
        snprintf(machine->why, sizeof(machine->why), "QEMU was killed by signal %d (%s)%s%s",
                 WTERMSIG(status), strsignal(WTERMSIG(status)), tail[0] ? ": " : "", tail);
    } else if (machine->saw_reset) {
        machine->end = MACHINE_RESET;
        snprintf(machine->why, sizeof(machine->why), "the machine was reset");
    } else if (WEXITSTATUS(status) == 0) {
        machine->end = MACHINE_POWERED_OFF;
        snprintf(machine->why, sizeof(machine->why), "the guest powered the machine off");
    } else {
        machine->end = MACHINE_CRASHED;
        snprintf(machine->why, sizeof(machine->why), "QEMU ended with status %d%s%s",
                 WEXITSTATUS(status), tail[0] ? ": " : "", tail);
    }
}
