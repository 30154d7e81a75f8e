/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keeps the console inside the fuzzer: files it opens hold the input, files it writes go nowhere, time
 * passes when it waits and not otherwise. Works by the linker's --wrap (SANDBOX_WRAPS in sources.mk).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define SANDBOX_WRITTEN "written" /* a file of this name can be read back */

/* From here on the wrapped calls are ours; every file that is opened for reading holds these bytes. */
void sandbox_enter(const uint8_t *bytes, size_t len_bytes);
/* And from here on the system's. */
void sandbox_leave(void);

/* Called when the console waits: something may arrive. NULL: nothing ever does. */
extern void (*sandbox_waits)(void);

/* What the linker calls instead of the system's. */
struct pollfd;
FILE *__wrap_fopen(const char *path, const char *mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_poll(struct pollfd *slots, unsigned long count, int timeout_ms);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_nanosleep(const struct timespec *pause, struct timespec *left);
