/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See sandbox.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/sandbox.h"

#define CLOCK_STEP_NS 1000u

FILE *__real_fopen(const char *path, const char *mode);
int __real_open(const char *path, int flags, ...);
int __real_poll(struct pollfd *slots, unsigned long count, int timeout_ms);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __real_nanosleep(const struct timespec *pause, struct timespec *left);

void (*sandbox_waits)(void);

static struct {
    bool inside;
    const uint8_t *bytes;
    size_t len_bytes;
    uint64_t now_ns;
    int written_fd; /* memory behind SANDBOX_WRITTEN; 0: nothing written */
} box;

void sandbox_enter(const uint8_t *bytes, size_t len_bytes)
{
    static bool stdin_is_empty;

    if (!stdin_is_empty) { /* `source -` must not wait for the person who fuzzes */
        int null = __real_open("/dev/null", O_RDONLY | O_CLOEXEC);

        stdin_is_empty = null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO;
        if (!stdin_is_empty)
            abort();
        close(null);
    }
    box.inside = true;
    box.bytes = bytes;
    box.len_bytes = len_bytes;
    box.now_ns = UINT64_C(1000000000000);
}

void sandbox_leave(void)
{
    box.inside = false;
    if (box.written_fd)
        close(box.written_fd);
    box.written_fd = 0;
}

static int memory_fd(const uint8_t *bytes, size_t len_bytes)
{
    int fd = memfd_create("sandbox", MFD_CLOEXEC);

    if (fd < 0 || write(fd, bytes, len_bytes) != (ssize_t)len_bytes || lseek(fd, 0, SEEK_SET))
        abort();
    return fd;
}

static int open_written(bool for_writing)
{
    char link[40];

    if (for_writing) {
        if (box.written_fd)
            close(box.written_fd);
        box.written_fd = memory_fd(box.bytes, 0);
        return dup(box.written_fd);
    }
    if (!box.written_fd) {
        errno = ENOENT;
        return -1;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", box.written_fd); /* a position of its own */
    return __real_open(link, O_RDONLY | O_CLOEXEC);
}

int __wrap_open(const char *path, int flags, ...)
{
    bool for_writing = (flags & O_ACCMODE) != O_RDONLY;
    va_list args;
    int mode;

    va_start(args, flags);
    mode = va_arg(args, int);
    va_end(args);
    if (!box.inside)
        return __real_open(path, flags, mode);
    if (!strcmp(path, SANDBOX_WRITTEN))
        return open_written(for_writing);
    if (for_writing)
        return __real_open("/dev/null", O_WRONLY | O_CLOEXEC);
    return memory_fd(box.bytes, box.len_bytes);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    int fd;

    if (!box.inside || strchr(mode, 'b')) /* the fuzzer itself writes a finding with "wb" */
        return __real_fopen(path, mode);
    fd = __wrap_open(path, mode[0] == 'r' ? O_RDONLY : O_WRONLY, 0);
    return fd < 0 ? NULL : fdopen(fd, mode[0] == 'r' ? "r" : "w");
}

/* What is ready is ready (a file); otherwise the time passes at once. */
int __wrap_poll(struct pollfd *slots, unsigned long count, int timeout_ms)
{
    int ready = __real_poll(slots, count, box.inside ? 0 : timeout_ms);

    if (!box.inside || ready)
        return ready;
    box.now_ns += (timeout_ms < 0 ? 1000u : (unsigned)timeout_ms) * UINT64_C(1000000);
    if (sandbox_waits)
        sandbox_waits();
    return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!box.inside)
        return __real_clock_gettime(clock, now);
    box.now_ns += CLOCK_STEP_NS;
    now->tv_sec = (time_t)(box.now_ns / 1000000000);
    now->tv_nsec = (long)(box.now_ns % 1000000000);
    return 0;
}

int __wrap_nanosleep(const struct timespec *pause, struct timespec *left)
{
    if (!box.inside)
        return __real_nanosleep(pause, left);
    box.now_ns += (uint64_t)pause->tv_sec * 1000000000 + (uint64_t)pause->tv_nsec;
    return 0;
}
