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
    char *written; /* by fopen() */
    size_t written_bytes;
    int written_fd; /* by open(); 0: nothing */
} box;

void sandbox_enter(const uint8_t *bytes, size_t len_bytes)
{
    box.inside = true;
    box.bytes = bytes;
    box.len_bytes = len_bytes;
    box.now_ns = UINT64_C(1000000000000);
}

void sandbox_leave(void)
{
    box.inside = false;
    free(box.written);
    box.written = NULL;
    box.written_bytes = 0;
    if (box.written_fd)
        close(box.written_fd);
    box.written_fd = 0;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    bool again = !strcmp(path, SANDBOX_WRITTEN);

    if (!box.inside || strchr(mode, 'b')) /* the fuzzer itself writes a finding with "wb" */
        return __real_fopen(path, mode);
    if (mode[0] != 'r' && again) {
        free(box.written);
        return open_memstream(&box.written, &box.written_bytes);
    }
    if (mode[0] != 'r')
        return __real_fopen("/dev/null", mode);
    if (again && box.written_bytes)
        return fmemopen(box.written, box.written_bytes, "r");
    if (!again && box.len_bytes)
        return fmemopen((void *)box.bytes, box.len_bytes, "r");
    errno = ENOENT;
    return NULL;
}

static int file_of(const uint8_t *bytes, size_t len_bytes)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    if (fd >= 0 && write(fd, bytes, len_bytes) != (ssize_t)len_bytes)
        abort();
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

/* What was written is read through a description of its own, from the start. */
static int open_written(bool writes)
{
    char path[40];

    if (writes) {
        int fd = memfd_create("written", MFD_CLOEXEC);

        if (box.written_fd)
            close(box.written_fd);
        box.written_fd = fd < 0 ? 0 : dup(fd);
        return fd;
    }
    if (!box.written_fd || lseek(box.written_fd, 0, SEEK_END) <= 0) {
        errno = ENOENT;
        return -1;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", box.written_fd);
    return __real_open(path, O_RDONLY | O_CLOEXEC);
}

int __wrap_open(const char *path, int flags, ...)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    va_list args;
    int mode;

    va_start(args, flags);
    mode = va_arg(args, int);
    va_end(args);
    if (!box.inside)
        return __real_open(path, flags, mode);
    if (!strcmp(path, SANDBOX_WRITTEN))
        return open_written(writes);
    return writes ? __real_open("/dev/null", O_WRONLY | O_CLOEXEC)
                  : file_of(box.bytes, box.len_bytes);
}

int __wrap_poll(struct pollfd *slots, unsigned long count, int timeout_ms)
{
    if (!box.inside)
        return __real_poll(slots, count, timeout_ms);
    for (unsigned long i = 0; i < count; i++)
        slots[i].revents = slots[i].fd == STDIN_FILENO ? slots[i].events : 0;
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
