/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Builds whole lines "[seconds] tl: text", keeps a copy in a ring and hands them to the sink.
 * It knows no device and takes no lock: the ring's write index is claimed with one atomic add, so a
 * line logged from a fault or a second CPU lands behind, never inside a half-updated index.
 */
#include "lib/log.h"
#include "lib/mem.h"

enum {
    LOG_LINE_CAP_BYTES = 500,
    LOG_RING_BYTES = 32768, /* power of two: positions are taken modulo */
};

enum log_level log_level = LOG_INFO;
void (*log_sink)(const char *bytes, size_t len_bytes);
uint64_t (*log_clock_us)(void);

static char log_ring[LOG_RING_BYTES];
static uint64_t log_ring_end; /* bytes ever written */

static void ring_append(const char *bytes, size_t len_bytes)
{
    uint64_t at = __atomic_fetch_add(&log_ring_end, len_bytes, __ATOMIC_RELAXED);

    for (size_t i = 0; i < len_bytes; i++)
        log_ring[(at + i) % LOG_RING_BYTES] = bytes[i];
}

size_t log_ring_read(char *buf, size_t cap_bytes)
{
    uint64_t end = __atomic_load_n(&log_ring_end, __ATOMIC_RELAXED);
    uint64_t start = end > LOG_RING_BYTES ? end - LOG_RING_BYTES : 0;
    size_t len_bytes = 0;

    if (end - start > cap_bytes)
        start = end - cap_bytes;
    if (start) /* cut off in the middle of a line: begin behind its line feed */
        while (start < end && log_ring[start++ % LOG_RING_BYTES] != '\n')
            ;
    while (start < end)
        buf[len_bytes++] = log_ring[start++ % LOG_RING_BYTES];
    return len_bytes;
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char cut_mark[] = "...";
    char line[LOG_LINE_CAP_BYTES + 2];
    uint64_t now_us = log_clock_us ? log_clock_us() : 0;
    size_t len_bytes, head_bytes;
    va_list args;

    if (level > log_level)
        return;
    head_bytes =
        fmt_str(line, sizeof(line), "[%5lu.%06lu] tl: ", now_us / 1000000, now_us % 1000000);
    va_start(args, format);
    len_bytes =
        head_bytes + fmt_vstr(line + head_bytes, LOG_LINE_CAP_BYTES + 1 - head_bytes, format, args);
    va_end(args);
    if (len_bytes > LOG_LINE_CAP_BYTES) {
        len_bytes = LOG_LINE_CAP_BYTES;
        memcpy(line + len_bytes - (sizeof(cut_mark) - 1), cut_mark, sizeof(cut_mark) - 1);
    }
    line[len_bytes++] = '\n';
    ring_append(line, len_bytes);
    if (log_sink)
        log_sink(line, len_bytes);
}
