/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The log: whole lines "[seconds] tl: text" into the sink (the debug line).
 * Formats: %d %u %x %lx %lu %ld %s %c %p %%, width, zero and '-' flags, '#'. Lines over 500 bytes
 * are cut and end in "...". Never blocks on anything but the sink's own bounded wait; takes no
 * lock.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

extern enum log_level log_level; /* lines above it are dropped; `log=LEVEL` */

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* Where finished lines go: bytes of one whole line with its line feed. Set once at start-up to the
 * UART, later to dbg's line multiplexer. */
extern void (*log_sink)(const char *bytes, size_t len_bytes);

/* Microseconds since start-up for the time stamp; NULL (0 is printed) until the TSC rate is known.
 */
extern uint64_t (*log_clock_us)(void);

/* snprintf with the formats above; always terminates; returns the length it wanted. */
size_t fmt_str(char *buf, size_t cap_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t fmt_vstr(char *buf, size_t cap_bytes, const char *format, va_list args);

/* Our own invariant is broken, or start-up cannot go on: prints, back-trace, fault_hook or halt. */
_Noreturn void hv_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The machine or its configuration is at fault, not we: one line "cannot start: ..." and halt. */
_Noreturn void hv_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define hv_assert(cond_)                                                                           \
    ((cond_) ? (void)0 : hv_panic("assert %s (%s:%d)", #cond_, __FILE__, __LINE__))
