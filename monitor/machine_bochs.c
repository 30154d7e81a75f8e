/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bochs: a GRUB ISO made by tools/mkiso, a bochsrc, and the UART as a TCP client of ours (its pty
 * mode drops bytes when the reader is late). Headless through the rfb display, which waits for
 * nobody.
 */
#include "monitor/machine_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOCHS_PROGRAM      "bochs"
#define CONNECT_TIMEOUT_MS 30000
#define BOCHS_MEM_MAX_MIB  2048

static int listen_tcp(unsigned *port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        listen(fd, 1) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0) {
        *port = ntohs(address.sin_port);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static FILE *create(const struct machine *machine, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", machine->dir, name);
    return fopen(path, "w");
}

/* Where Debian, and where others, keep the two ROMs. */
static const char *first_file(const char *const *paths)
{
    for (; paths[1]; paths++)
        if (access(paths[0], R_OK) == 0)
            break;
    return paths[0];
}

static const char *model_of(const struct machine_spec *spec)
{
    if (spec->model)
        return spec->model;
    return spec->cpu == MACHINE_CPU_SVM ? "trinity_apu" : "corei3_cnl";
}

/* Bochs' models with SVM; the others have VMX or neither. */
static bool has_svm(const char *model)
{
    static const char *const models[] = {"phenom_8650_toliman", "zambezi", "trinity_apu", "ryzen"};

    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
        if (strcmp(model, models[i]) == 0)
            return true;
    return false;
}

/*
 * Bochs names an unknown model in a panic behind its whole start-up, and lists none: it is asked
 * first. The models are the lines of one word in what `--help cpu` prints.
 */
static bool model_is_known(struct machine *machine, char *error)
{
    const char *model = machine->spec.model;
    struct argv argv = {.count = 0};
    char path[512], line[128], names[MACHINE_ERROR_BYTES - 200] = "";
    size_t used = 0;
    bool known = false, asked;
    FILE *file;

    if (!model)
        return true;
    argv_add(&argv, BOCHS_PROGRAM);
    argv_add(&argv, "--help");
    argv_add(&argv, "cpu");
    asked = machine_helper(machine, &argv, "models.log", error);
    argv_free(&argv);
    if (!asked)
        return false;
    snprintf(path, sizeof(path), "%s/models.log", machine->dir);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file)) {
        size_t len = strcspn(line, "\n");

        line[len] = '\0';
        if (len == 0 || strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
            continue;
        known |= strcmp(line, model) == 0;
        if (used + len + 2 < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, " %s", line);
    }
    if (file)
        fclose(file);
    if (!known)
        snprintf(error, MACHINE_ERROR_BYTES, "Bochs has no CPU model `%s`; it has:%s", model,
                 names);
    return known;
}

static bool write_config(const struct machine *machine, unsigned port)
{
    static const char *const bios[] = {"/usr/share/bochs/BIOS-bochs-latest",
                                       "/usr/local/share/bochs/BIOS-bochs-latest", NULL};
    static const char *const vga[] = {"/usr/share/vgabios/vgabios.bin",
                                      "/usr/share/bochs/VGABIOS-lgpl-latest",
                                      "/usr/local/share/bochs/VGABIOS-lgpl-latest", NULL};
    const struct machine_spec *spec = &machine->spec;
    bool svm = has_svm(model_of(spec));
    FILE *rc = create(machine, "bochsrc"), *script = create(machine, "bochs.rc");

    if (rc && script) {
        fprintf(rc,
                "config_interface: textconfig\n"
                "display_library: rfb, options=\"timeout=0\"\n"
                "plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, "
                "serial=1\n"
                "romimage: file=%s, options=fastboot\n"
                "vgaromimage: file=%s\n"
                "megs: %u\n"
                "cpu: model=%s, count=%u, ips=10000000, reset_on_triple_fault=0, "
                "ignore_bad_msrs=%d\n"
                "clock: sync=none, time0=946681200\n",
                first_file(bios), first_file(vga), spec->mem_mib, model_of(spec), spec->smp,
                spec->strict_msrs ? 0 : 1);
        fprintf(rc,
                "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n"
                "ata0-master: type=cdrom, path=\"%s/boot.iso\", status=inserted\n"
                "boot: cdrom\n"
                "com1: enabled=1, mode=socket-client, dev=localhost:%u\n"
                "port_e9_hack: enabled=1\n"
                /* A guest's triple fault under SVM reaches Bochs' panic path before the intercept
                 * (tests/README.md, "What the emulators do not do"): report there and go on. */
                "panic: %saction=fatal\n"
                "error: action=report\n"
                "info: action=ignore, pci=report, acpi=report\n"
                "debug: action=ignore\n"
                "log: %s/bochs.log\n",
                machine->dir, port, svm ? "CPU0=report, " : "", machine->dir);
        /* Bochs' own debugger stops at each report of that kind: enough `c` for any run. */
        for (int i = 0; i < (svm ? 1000 : 1); i++)
            fputs("c\n", script);
        fputs("q\n", script);
    }
    bool done = rc && script && !ferror(rc) && !ferror(script);
    if (rc)
        fclose(rc);
    if (script)
        fclose(script);
    return done;
}

static bool make_iso(struct machine *machine, char *error)
{
    const struct machine_spec *spec = &machine->spec;
    struct argv argv = {.count = 0};
    bool done;

    argv_add(&argv, "%s", spec->mkiso);
    argv_add(&argv, "%s/boot.iso", machine->dir);
    argv_add(&argv, "--hv");
    argv_add(&argv, "%s", spec->hv_image);
    argv_add(&argv, "--cmdline");
    argv_add(&argv, "%s", spec->hv_options);
    argv_add(&argv, "%s", spec->guest);
    argv_add(&argv, "%s", spec->guest_args);
    for (size_t i = 0; i < spec->module_count; i++)
        argv_add(&argv, "%s", spec->modules[i]);
    done = machine_helper(machine, &argv, "mkiso.log", error);
    argv_free(&argv);
    return done;
}

struct transport *bochs_start(struct machine *machine, char *error)
{
    struct argv argv = {.count = 0};
    unsigned port = 0;
    int listener, fd = -1;
    char tail[300];

    if (machine->spec.mem_mib > BOCHS_MEM_MAX_MIB) {
        snprintf(error, MACHINE_ERROR_BYTES, "Bochs takes at most --mem %d", BOCHS_MEM_MAX_MIB);
        return NULL;
    }
    if (!model_is_known(machine, error) || !make_iso(machine, error))
        return NULL;
    listener = listen_tcp(&port);
    if (listener < 0 || !write_config(machine, port)) {
        snprintf(error, MACHINE_ERROR_BYTES, "cannot prepare Bochs in %s: %s", machine->dir,
                 strerror(errno));
        if (listener >= 0)
            close(listener);
        return NULL;
    }
    argv_add(&argv, BOCHS_PROGRAM);
    argv_add(&argv, "-f");
    argv_add(&argv, "%s/bochsrc", machine->dir);
    argv_add(&argv, "-rc");
    argv_add(&argv, "%s/bochs.rc", machine->dir);
    if (machine_spawn(machine, &argv, "emulator.log", error)) {
        fd = machine_accept(machine, listener, CONNECT_TIMEOUT_MS);
        if (fd < 0) {
            machine_log_tail(machine, "bochs.log", tail, sizeof(tail));
            if (!tail[0])
                machine_log_tail(machine, "emulator.log", tail, sizeof(tail));
            snprintf(error, MACHINE_ERROR_BYTES, "Bochs did not come up: %s",
                     tail[0] ? tail : "it said nothing");
        }
    }
    argv_free(&argv);
    close(listener);
    return fd < 0 ? NULL : transport_from_fd(fd);
}

/* Bochs ends with status 1 for nearly everything; its log tells the cases apart. */
void bochs_ended(struct machine *machine, int status)
{
    char tail[160];

    machine_log_tail(machine, "bochs.log", tail, sizeof(tail));
    if (WIFSIGNALED(status)) {
        machine->end = MACHINE_CRASHED;
        snprintf(machine->why, sizeof(machine->why), "Bochs was killed by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (machine_log_has(machine, "bochs.log", "soft power off") ||
               machine_log_has(machine, "bochs.log", "Shutdown port") || WEXITSTATUS(status) == 0) {
        machine->end = MACHINE_POWERED_OFF;
        snprintf(machine->why, sizeof(machine->why), "the guest powered the machine off");
    } else {
        machine->end = MACHINE_CRASHED;
        snprintf(machine->why, sizeof(machine->why), "Bochs ended with status %d: %s",
                 WEXITSTATUS(status), tail);
    }
}
