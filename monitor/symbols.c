/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lookups of symbols.h: by address, by name, by likeness. Reading files is symbols_load.c's. */
#include "monitor/symbols_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINUX_KERNEL_MAP UINT64_C(0xffffffff80000000)
#define NEAR_MAX_BYTES   UINT64_C(0x100000) /* farther from its symbol, an address is nameless */

struct symbols *symbols_new(void)
{
    elf_version(EV_CURRENT);
    return calloc(1, sizeof(struct symbols));
}

void symbols_clear(struct symbols *symbols)
{
    for (size_t i = 0; i < symbols->count; i++)
        free(symbols->row[i].name);
    free(symbols->row);
    for (size_t i = 0; i < symbols->file_count; i++) {
        if (symbols->file[i].dwarf)
            dwarf_end(symbols->file[i].dwarf);
        if (symbols->file[i].elf)
            elf_end(symbols->file[i].elf);
        if (symbols->file[i].fd >= 0)
            close(symbols->file[i].fd);
    }
    memset(symbols, 0, sizeof(*symbols));
}

void symbols_free(struct symbols *symbols)
{
    if (!symbols)
        return;
    symbols_clear(symbols);
    free(symbols);
}

size_t symbols_count(const struct symbols *symbols)
{
    return symbols->count;
}

/* Last symbol at or below the address, or NULL. */
static const struct symbol *at_or_below(const struct symbols *symbols, uint64_t address)
{
    size_t low = 0, high = symbols->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (symbols->row[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    /* Several names for one address: a function's beats a zero-size marker's. */
    for (size_t i = low - 1; i > 0 && symbols->row[i - 1].address == symbols->row[low - 1].address;
         i--)
        if (symbols->row[i - 1].len_bytes > symbols->row[low - 1].len_bytes)
            low = i;
    return &symbols->row[low - 1];
}

static bool in_kernel(const struct symbols *symbols, uint64_t linked)
{
    return symbols->has_kernel && linked >= symbols->kernel_low && linked <= symbols->kernel_high;
}

/* The address as the files have it; *where is a note for people. */
static uint64_t linked_address(const struct symbols *symbols, uint64_t address, const char **where)
{
    *where = "";
    if (symbols->slide && in_kernel(symbols, address - symbols->slide))
        return address - symbols->slide;
    if (!in_kernel(symbols, address) && address < UINT64_C(0x100000000) &&
        in_kernel(symbols, address + LINUX_KERNEL_MAP)) {
        *where = " [physical?]";
        return address + LINUX_KERNEL_MAP;
    }
    return address;
}

static void line_number(const struct symbols *symbols, uint64_t linked, char *text)
{
    size_t len_bytes = strlen(text);

    for (size_t i = 0; i < symbols->file_count; i++) {
        const struct symbol_file *file = &symbols->file[i];
        uint64_t address = linked - file->offset;
        const char *name;
        Dwarf_Die die;
        Dwarf_Line *line;
        int number;

        if (!file->dwarf || linked < file->low || linked >= file->high)
            continue;
        if (!dwarf_addrdie(file->dwarf, address, &die))
            continue;
        line = dwarf_getsrc_die(&die, address);
        if (!line || dwarf_lineno(line, &number) < 0)
            continue;
        name = dwarf_linesrc(line, NULL, NULL);
        if (!name)
            continue;
        if (strrchr(name, '/'))
            name = strrchr(name, '/') + 1;
        snprintf(text + len_bytes, SYMBOLS_TEXT_BYTES - len_bytes, " (%s:%d)", name, number);
        return;
    }
}

bool symbols_describe(const struct symbols *symbols, uint64_t address, char *text)
{
    const char *where;
    uint64_t linked = linked_address(symbols, address, &where), offset;
    const struct symbol *symbol = at_or_below(symbols, linked);

    text[0] = '\0';
    if (!symbol)
        return false;
    offset = linked - symbol->address;
    if (offset > NEAR_MAX_BYTES ||
        (symbol->len_bytes && offset >= symbol->len_bytes && offset >= symbol->len_bytes + 0x1000))
        return false;
    if (offset)
        snprintf(text, SYMBOLS_TEXT_BYTES, "%.200s+0x%llx%s", symbol->name,
                 (unsigned long long)offset, where);
    else
        snprintf(text, SYMBOLS_TEXT_BYTES, "%.200s%s", symbol->name, where);
    line_number(symbols, linked, text);
    return true;
}

bool symbols_find(const struct symbols *symbols, const char *name, uint64_t *address)
{
    for (size_t i = 0; i < symbols->count; i++) {
        if (strcmp(symbols->row[i].name, name) != 0)
            continue;
        *address = symbols->row[i].address;
        if (in_kernel(symbols, *address))
            *address += symbols->slide;
        return true;
    }
    return false;
}

/* Edit distance, cut off at `limit`: rows of the usual table, one at a time. */
static unsigned distance(const char *a, const char *b, unsigned limit)
{
    unsigned row[65], previous, keep;
    size_t a_len = strlen(a), b_len = strlen(b), i, j;

    if (a_len > 64 || b_len > 64 || (a_len > b_len ? a_len - b_len : b_len - a_len) > limit)
        return limit + 1;
    for (j = 0; j <= b_len; j++)
        row[j] = (unsigned)j;
    for (i = 1; i <= a_len; i++) {
        previous = row[0];
        row[0] = (unsigned)i;
        for (j = 1; j <= b_len; j++) {
            keep = row[j];
            row[j] = previous + (a[i - 1] != b[j - 1]);
            if (keep + 1 < row[j])
                row[j] = keep + 1;
            if (row[j - 1] + 1 < row[j])
                row[j] = row[j - 1] + 1;
            previous = keep;
        }
    }
    return row[b_len];
}

const char *symbols_near(const struct symbols *symbols, const char *name)
{
    const char *best = NULL;
    unsigned limit = 3;

    for (size_t i = 0; i < symbols->count; i++) {
        unsigned d = distance(name, symbols->row[i].name, limit);

        if (d < limit || (d == limit && !best)) {
            limit = d;
            best = symbols->row[i].name;
        }
    }
    return best;
}

const char *symbols_prefix(const struct symbols *symbols, const char *prefix, size_t n)
{
    size_t len_bytes = strlen(prefix);

    for (size_t i = 0; i < symbols->count; i++)
        if (strncmp(symbols->row[i].name, prefix, len_bytes) == 0 && n-- == 0)
            return symbols->row[i].name;
    return NULL;
}

bool symbols_slide_to(struct symbols *symbols, const char *name, uint64_t address)
{
    for (size_t i = 0; i < symbols->count; i++)
        if (in_kernel(symbols, symbols->row[i].address) &&
            strcmp(symbols->row[i].name, name) == 0) {
            symbols->slide = address - symbols->row[i].address;
            return true;
        }
    return false;
}

uint64_t symbols_slide(const struct symbols *symbols)
{
    return symbols->slide;
}
