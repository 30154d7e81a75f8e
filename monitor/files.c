/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See files.h. */
#include "monitor/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/out.h"

/* Nothing here may wait: ^C comes through the poll loop, and a FIFO without its other end would hold
 * that up for ever. */
static FILE *open_without_waiting(const char *path, int flags, const char *mode)
{
    int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
    FILE *file;

    if (fd < 0) {
        out_error("%s: %s", path,
                  errno == ENXIO ? "a pipe that nobody reads, or no such device" : strerror(errno));
        return NULL;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    file = fdopen(fd, mode);
    if (!file) {
        out_error("%s: %s", path, strerror(errno));
        close(fd);
    }
    return file;
}

FILE *files_create(const char *path)
{
    return open_without_waiting(path, O_WRONLY | O_CREAT | O_TRUNC, "w");
}

FILE *files_append(const char *path)
{
    return open_without_waiting(path, O_WRONLY | O_CREAT | O_APPEND, "a");
}

FILE *files_open_regular(const char *path, uint64_t *len_bytes)
{
    FILE *file = open_without_waiting(path, O_RDONLY, "r");
    struct stat status;

    if (!file)
        return NULL;
    if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode)) {
        *len_bytes = (uint64_t)status.st_size;
        return file;
    }
    out_error("%s: %s", path, S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file");
    fclose(file);
    return NULL;
}

bool files_finish(FILE *file, const char *path)
{
    bool bad = ferror(file) != 0;

    if (fclose(file) == 0 && !bad)
        return true;
    out_error("%s: %s: what it holds is not complete", path,
              bad ? "write failed" : strerror(errno));
    return false;
}
