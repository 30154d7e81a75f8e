/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names for addresses: ELF symbol tables, line numbers of debug ELFs, System.map. Several files at
 * once, each with its offset. Kernel images are found as well where they run before paging (at their
 * physical address) and where KASLR has moved them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOLS_TEXT_BYTES  320
#define SYMBOLS_ERROR_BYTES 640

struct symbols;

struct symbols *symbols_new(void);
void symbols_free(struct symbols *symbols);

/*
 * Adds a file; `offset` is added to each of its addresses. Returns the number of symbols, or -1 and
 * one line in `error` (SYMBOLS_ERROR_BYTES).
 */
long symbols_load(struct symbols *symbols, const char *path, uint64_t offset, char *error);

/* Forgets every file. */
void symbols_clear(struct symbols *symbols);

size_t symbols_count(const struct symbols *symbols);

/* Address of a name where it runs now (after KASLR). */
bool symbols_find(const struct symbols *symbols, const char *name, uint64_t *address);

/*
 * "name+0x12" or "name+0x12 (file.c:34)" for an address; false when no symbol is near. In the
 * identity-mapped phase the text says "name+0x12 [physical?]".
 */
bool symbols_describe(const struct symbols *symbols, uint64_t address, char *text);

/* The name most like `name`, or NULL. */
const char *symbols_near(const struct symbols *symbols, const char *name);

/* The n-th symbol name that begins with `prefix` (in address order), or NULL. */
const char *symbols_prefix(const struct symbols *symbols, const char *prefix, size_t n);

/*
 * Tells where the kernel really is: `slide` is added to every address of files that hold a Linux
 * kernel (they have the symbol `name`). Used with an address read from the machine.
 */
bool symbols_slide_to(struct symbols *symbols, const char *name, uint64_t address);
uint64_t symbols_slide(const struct symbols *symbols);
