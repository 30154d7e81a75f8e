/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Scripts: lines of a file, of standard input, of a pipe. Waiting for a line happens in the poll loop
 * as everything else, so that signals, the time-out and the machine's end are seen meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/console_impl.h"
#include "monitor/out.h"

#define LINE_MAX_BYTES (1u << 20)
#define DEPTH_MAX      16 /* scripts that source scripts */

struct reader {
    const char *name;
    int fd;
    bool regular, end;
    char *bytes; /* read and not yet given out */
    size_t len_bytes, cap_bytes;
    unsigned line_number;
};

static bool reader_open(struct reader *reader, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    struct stat status;

    *reader = (struct reader){.name = standard ? "standard input" : path, .fd = STDIN_FILENO};
    if (!standard)
        reader->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (reader->fd < 0 || fstat(reader->fd, &status) < 0) {
        out_error("%s: %s", reader->name, strerror(errno));
        return false;
    }
    if (S_ISDIR(status.st_mode)) {
        out_error("%s: is a directory", path);
        if (!standard)
            close(reader->fd);
        return false;
    }
    reader->regular = S_ISREG(status.st_mode);
    return true;
}

static void reader_close(struct reader *reader)
{
    if (reader->fd != STDIN_FILENO)
        close(reader->fd);
    free(reader->bytes);
}

/* Waits until there is something to read. False: ^C, or the console ends. */
static bool wait_readable(struct console *console, struct reader *reader)
{
    bool ready = false;

    console->interrupted = false;
    while (!ready && !console->quitting && !console->interrupted) {
        struct pollfd now = {.fd = reader->fd, .events = POLLIN};

        ready = poll(&now, 1, 0) == 1;
        if (!ready) {
            console->script_fd = reader->fd;
            console->script_waits = true;
            console_pump_keys(console, -1, false);
            console->script_waits = false;
        }
    }
    return ready;
}

/* Reads on. False at the end, or when it is cut short. */
static bool fill(struct console *console, struct reader *reader)
{
    ssize_t got;

    if (reader->end || (!reader->regular && !wait_readable(console, reader)))
        return false;
    if (reader->len_bytes + 4096 > reader->cap_bytes) {
        size_t cap_bytes = reader->cap_bytes ? 2 * reader->cap_bytes : 8192;
        char *bytes = realloc(reader->bytes, cap_bytes);

        if (!bytes)
            return false;
        reader->bytes = bytes;
        reader->cap_bytes = cap_bytes;
    }
    got = read(reader->fd, reader->bytes + reader->len_bytes,
               reader->cap_bytes - reader->len_bytes - 1);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got < 0)
        out_error("%s: %s", reader->name, strerror(errno));
    reader->end = got <= 0;
    reader->len_bytes += got > 0 ? (size_t)got : 0;
    return true;
}

/* The next line without its end, malloc()ed; NULL when there is none. */
static char *take_line(struct console *console, struct reader *reader)
{
    char *end = NULL, *line;
    size_t seen_bytes = 0, len_bytes;

    for (;;) {
        if (reader->len_bytes > seen_bytes)
            end = memchr(reader->bytes + seen_bytes, '\n', reader->len_bytes - seen_bytes);
        seen_bytes = reader->len_bytes;
        if (end || seen_bytes > LINE_MAX_BYTES || !fill(console, reader))
            break;
    }
    if (seen_bytes == 0 || (!end && !reader->end && seen_bytes <= LINE_MAX_BYTES))
        return NULL;
    reader->line_number++;
    if (!end && seen_bytes > LINE_MAX_BYTES) {
        out_error("%s:%u: a line of more than a megabyte is no script", reader->name,
                  reader->line_number);
        reader->end = true;
        reader->len_bytes = 0;
        return NULL;
    }
    len_bytes = end ? (size_t)(end - reader->bytes) : reader->len_bytes;
    line = strndup(reader->bytes, len_bytes);
    len_bytes += end ? 1 : 0;
    reader->len_bytes -= len_bytes;
    memmove(reader->bytes, reader->bytes + len_bytes, reader->len_bytes);
    return line;
}

static bool blank(const char *line)
{
    line += strspn(line, " \t\r\n");
    return *line == '\0' || *line == '#';
}

/* The next line that says something. */
static char *next_line(struct console *console, struct reader *reader)
{
    char *line;

    while ((line = take_line(console, reader)) != NULL) {
        if (!blank(line))
            return line;
        free(line);
    }
    return NULL;
}

enum cmd_result console_script_line(struct console *console, char *line, bool last)
{
    bool outer = console->script_active;
    enum cmd_result result;

    line[strcspn(line, "\r\n")] = '\0';
    line += strspn(line, " \t");
    if (*line == '\0' || *line == '#')
        return CMD_OK;
    out_printf("%s> %s%s\n", out_style(OUT_DIM), line, out_style(OUT_PLAIN));
    console->script_active = true;
    console->last_command = last && console->options->batch;
    result = console_run_line(console, line);
    console->script_active = outer;
    console->last_command = false;
    if (result == CMD_OK && console->interrupted)
        result = CMD_ERROR; /* ^C ends the script */
    return result;
}

/* Reads one line ahead to know its last one; but somebody may be typing into a pipe: then what is
 * there is done now. */
static enum cmd_result run(struct console *console, struct reader *reader, bool last)
{
    bool ahead = reader->fd != STDIN_FILENO || console->options->script_count > 0;
    char *line = next_line(console, reader), *next = NULL;
    unsigned number = reader->line_number;
    enum cmd_result result = CMD_OK;

    while (result == CMD_OK && line) {
        if (ahead)
            next = next_line(console, reader);
        result = console_script_line(console, line, ahead && last && !next);
        if (result != CMD_OK)
            break;
        free(line);
        if (!ahead)
            next = next_line(console, reader);
        line = next;
        next = NULL;
        number = reader->line_number;
    }
    if (result == CMD_ERROR || result == CMD_EXPECT_FAILED)
        out_error("%s:%u: the script ends here", reader->name, number);
    free(line);
    free(next);
    if (result == CMD_OK && console->quitting)
        result = CMD_LOST;
    else if (result == CMD_OK && !reader->end)
        result = CMD_ERROR; /* ^C while it waited */
    return result;
}

enum cmd_result console_script_file(struct console *console, const char *path, bool last)
{
    static unsigned depth;
    struct reader reader;
    enum cmd_result result;

    if (depth == DEPTH_MAX) {
        out_error("%s: scripts call each other more than %d deep", path, DEPTH_MAX);
        return CMD_ERROR;
    }
    if (!reader_open(&reader, path))
        return CMD_ERROR;
    depth++;
    result = run(console, &reader, last);
    depth--;
    reader_close(&reader);
    return result;
}

enum cmd_result console_source(struct console *console, const char *path)
{
    return console_script_file(console, path, console->last_command);
}
