/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Child processes of a run: spawn, watch, kill, and a keeper process that does the last two if the
 * console dies without a chance to. What to spawn is machine_qemu.c's and machine_bochs.c's.
 */
#include "monitor/machine_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void argv_add(struct argv *argv, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (argv->count >= MACHINE_ARGS_MAX || vasprintf(&argv->word[argv->count], format, args) < 0)
        abort();
    va_end(args);
    argv->word[++argv->count] = NULL;
}

void argv_free(struct argv *argv)
{
    for (size_t i = 0; i < argv->count; i++)
        free(argv->word[i]);
    argv->count = 0;
}

/* ---- files ---- */

static void remove_dir(const char *dir)
{
    struct dirent *entry;
    char path[512];
    DIR *list = opendir(dir);

    if (!list)
        return;
    while ((entry = readdir(list)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    closedir(list);
    rmdir(dir);
}

static FILE *open_log(const struct machine *machine, const char *log)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", machine->dir, log);
    return fopen(path, "r");
}

void machine_log_tail(const struct machine *machine, const char *log, char *text, size_t cap_bytes)
{
    FILE *file = open_log(machine, log);
    char line[512];
    size_t len_bytes;

    text[0] = '\0';
    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\r\n")] = '\0';
        /* The last line that says something and is not a prompt or a frame. */
        if (strlen(line) > 3 && !strstr(line, "====") && strncmp(line, "<bochs", 6) != 0) {
            len_bytes = strlen(line);
            if (len_bytes >= cap_bytes)
                len_bytes = cap_bytes - 1;
            memcpy(text, line, len_bytes);
            text[len_bytes] = '\0';
        }
    }
    fclose(file);
}

bool machine_log_has(const struct machine *machine, const char *log, const char *needle)
{
    FILE *file = open_log(machine, log);
    char line[1024];
    bool found = false;

    if (!file)
        return false;
    while (!found && fgets(line, sizeof(line), file))
        found = strstr(line, needle) != NULL;
    fclose(file);
    return found;
}

/* ---- the keeper ---- */

enum keeper_word { KEEPER_PID = 'p', KEEPER_DONE = 'd' };

struct keeper_message {
    char word;
    pid_t pid;
};

/* Lives beside the console, reads its orders from a pipe; end of file without "done" means that the
 * console was killed. */
static void keeper_main(int fd, const char *dir)
{
    struct keeper_message message;
    pid_t pid = 0;

    setsid();
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        ssize_t got = read(fd, &message, sizeof(message));

        if (got < 0 && errno == EINTR)
            continue;
        if (got != sizeof(message))
            break;
        if (message.word == KEEPER_DONE)
            _exit(0);
        pid = message.pid;
    }
    if (pid > 0)
        kill(-pid, SIGKILL);
    remove_dir(dir);
    _exit(0);
}

static bool keeper_start(struct machine *machine)
{
    int fds[2], fd;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return false;
    machine->keeper = fork();
    if (machine->keeper < 0) {
        close(fds[0]);
        close(fds[1]);
        return false;
    }
    if (machine->keeper == 0) {
        /* Hold nothing of the console's: an open line would hide that the console is gone. */
        for (fd = 0; fd < 256; fd++)
            if (fd != fds[0])
                close(fd);
        keeper_main(fds[0], machine->dir);
    }
    close(fds[0]);
    machine->keeper_fd = fds[1];
    return true;
}

static void keeper_tell(struct machine *machine, enum keeper_word word, pid_t pid)
{
    struct keeper_message message = {.word = (char)word, .pid = pid};
    ssize_t put;

    if (machine->keeper_fd < 0)
        return;
    put = write(machine->keeper_fd, &message, sizeof(message));
    (void)put; /* a keeper that is gone cannot help any more */
}

/* ---- children ---- */

/* In the child: never returns. `report_fd` carries errno to the parent if exec fails. */
static void child_main(const struct machine *machine, struct argv *argv, const char *log,
                       pid_t parent, int report_fd)
{
    char path[512];
    int in = open("/dev/null", O_RDONLY), out, code;
    sigset_t none;

    snprintf(path, sizeof(path), "%s/%s", machine->dir, log);
    out = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    setpgid(0, 0); /* ^C on the terminal is for the console alone */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(127);
    unsetenv("DISPLAY");
    execvp(argv->word[0], argv->word);
    code = errno;
    if (write(report_fd, &code, sizeof(code)) < 0)
        _exit(126);
    _exit(127);
}

static pid_t spawn(const struct machine *machine, struct argv *argv, const char *log, char *error)
{
    pid_t parent = getpid(), pid;
    int report[2], code = 0;

    if (pipe2(report, O_CLOEXEC) < 0) {
        snprintf(error, MACHINE_ERROR_BYTES, "cannot make a pipe: %s", strerror(errno));
        return -1;
    }
    pid = fork();
    if (pid == 0)
        child_main(machine, argv, log, parent, report[1]);
    close(report[1]);
    if (pid < 0) {
        snprintf(error, MACHINE_ERROR_BYTES, "cannot start %s: %s", argv->word[0], strerror(errno));
    } else if (read(report[0], &code, sizeof(code)) == (ssize_t)sizeof(code)) {
        snprintf(error, MACHINE_ERROR_BYTES, "cannot start %s: %s%s", argv->word[0], strerror(code),
                 code == ENOENT ? " (install it: `make deps`)" : "");
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(report[0]);
    return pid;
}

bool machine_spawn(struct machine *machine, struct argv *argv, const char *log, char *error)
{
    machine->pid = spawn(machine, argv, log, error);
    if (machine->pid < 0) {
        machine->pid = 0;
        return false;
    }
    setpgid(machine->pid, machine->pid); /* both sides, so that neither has to wait for the other */
    keeper_tell(machine, KEEPER_PID, machine->pid);
    machine->pid_fd = (int)syscall(SYS_pidfd_open, machine->pid, 0);
    machine->end = MACHINE_RUNNING;
    return true;
}

bool machine_helper(struct machine *machine, struct argv *argv, const char *log, char *error)
{
    char tail[300];
    int status = 0;
    pid_t pid = spawn(machine, argv, log, error);

    if (pid < 0)
        return false;
    setpgid(pid, pid);
    keeper_tell(machine, KEEPER_PID, pid);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    machine_log_tail(machine, log, tail, sizeof(tail));
    snprintf(error, MACHINE_ERROR_BYTES, "%s failed: %s", argv->word[0],
             tail[0] ? tail : "it said nothing");
    return false;
}

int machine_accept(struct machine *machine, int listener, int timeout_ms)
{
    struct pollfd wait[2] = {
        {.fd = listener, .events = POLLIN},
        {.fd = machine->pid_fd, .events = POLLIN},
    };

    for (;;) {
        int ready = poll(wait, 2, timeout_ms);

        if (ready < 0 && errno == EINTR)
            return -1; /* the person pressed ^C, or a time-out signal came */
        if (ready <= 0 || !(wait[0].revents & POLLIN))
            return -1;
        return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    }
}

static void reap(struct machine *machine, int status)
{
    machine->pid = 0;
    if (machine->pid_fd >= 0)
        close(machine->pid_fd);
    machine->pid_fd = -1;
    if (machine->control_fd >= 0)
        machine_control(machine); /* the last event may still be in the socket */
    if (machine->spec.kind == MACHINE_BOCHS)
        bochs_ended(machine, status);
    else
        qemu_ended(machine, status);
}

enum machine_end machine_poll(struct machine *machine)
{
    int status;

    if (machine->pid > 0 && waitpid(machine->pid, &status, WNOHANG) == machine->pid)
        reap(machine, status);
    return machine->end;
}

void machine_stop(struct machine *machine)
{
    struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    int status, tries;

    if (machine->pid > 0) {
        kill(-machine->pid, SIGTERM);
        for (tries = 0; tries < 25; tries++) {
            if (waitpid(machine->pid, &status, WNOHANG) == machine->pid)
                break;
            nanosleep(&pause, NULL);
        }
        if (tries == 25) { /* Bochs' own debugger may sit on SIGTERM */
            kill(-machine->pid, SIGKILL);
            while (waitpid(machine->pid, &status, 0) < 0 && errno == EINTR)
                ;
        }
        machine->pid = 0;
        machine->end = MACHINE_KILLED;
        snprintf(machine->why, sizeof(machine->why), "the machine was switched off");
    }
    if (machine->pid_fd >= 0)
        close(machine->pid_fd);
    machine->pid_fd = -1;
    if (machine->control_fd >= 0)
        close(machine->control_fd);
    machine->control_fd = -1;
    if (machine->dir[0])
        remove_dir(machine->dir);
    machine->dir[0] = '\0';
    if (machine->keeper_fd >= 0) {
        keeper_tell(machine, KEEPER_DONE, 0);
        close(machine->keeper_fd);
        machine->keeper_fd = -1;
        while (waitpid(machine->keeper, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

static bool readable_file(const char *path, const char *what, char *error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) < 0) {
        snprintf(error, MACHINE_ERROR_BYTES, "%s %s: %s", what, path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    close(fd);
    if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        snprintf(error, MACHINE_ERROR_BYTES, "%s %s: %s", what, path,
                 S_ISREG(status.st_mode) ? "the file is empty" : "not a file");
        return false;
    }
    return true;
}

struct transport *machine_start(struct machine *machine, const struct machine_spec *spec,
                                char *error)
{
    struct transport *line;
    const char *base = getenv("TMPDIR");
    size_t i;

    memset(machine, 0, sizeof(*machine));
    machine->spec = *spec;
    machine->pid_fd = machine->control_fd = machine->keeper_fd = -1;
    error[0] = '\0';
    if (!readable_file(spec->hv_image, "hypervisor image", error)) {
        strncat(error, " (build it: `make`)", MACHINE_ERROR_BYTES - strlen(error) - 1);
        return NULL;
    }
    if (!readable_file(spec->guest, "guest", error))
        return NULL;
    for (i = 0; i < spec->module_count; i++)
        if (!readable_file(spec->modules[i], "module", error))
            return NULL;
    /* A unix socket's path must stay under 108 bytes: fall back to /tmp when TMPDIR is long. */
    if (!base || strlen(base) > 40)
        base = "/tmp";
    snprintf(machine->dir, sizeof(machine->dir), "%s/trapline-XXXXXX", base);
    if (!mkdtemp(machine->dir)) {
        snprintf(error, MACHINE_ERROR_BYTES, "cannot make a temporary directory in %s: %s", base,
                 strerror(errno));
        machine->dir[0] = '\0';
        return NULL;
    }
    if (!keeper_start(machine)) {
        snprintf(error, MACHINE_ERROR_BYTES, "cannot start a helper process: %s", strerror(errno));
        machine_stop(machine);
        return NULL;
    }
    line = spec->kind == MACHINE_BOCHS ? bochs_start(machine, error) : qemu_start(machine, error);
    if (!line)
        machine_stop(machine);
    return line;
}
