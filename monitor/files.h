/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that commands write: opened and closed with a clear line when it does not work. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Opens for writing, emptied; not inherited by emulators. NULL after complaining. */
FILE *files_create(const char *path);

/* The same, to write behind what is there. */
FILE *files_append(const char *path);

/* Opens a regular file for reading; its size comes along. NULL after complaining. */
FILE *files_open_regular(const char *path, uint64_t *len_bytes);

/* Closes; false after complaining when something written before did not reach the file. */
bool files_finish(FILE *file, const char *path);
