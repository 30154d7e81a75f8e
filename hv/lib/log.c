/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Builds whole lines "[seconds] tl: text" and hands them to the sink. It knows no device, keeps nothing
 * and takes no lock, so a fault may log while a line is being logged.
 */
#include "lib/log.h"
#include "lib/mem.h"

#define LOG_LINE_CAP_BYTES 500

enum log_level log_level = LOG_INFO;
void (*log_sink)(const char *bytes, size_t len_bytes);
uint64_t (*log_clock_us)(void);

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
    if (log_sink)
        log_sink(line, len_bytes);
}
