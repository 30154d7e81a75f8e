/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What symbols.c (lookups) and symbols_load.c (files) share. Nobody else includes this. */
#pragma once

#include <elfutils/libdw.h>
#include <libelf.h>

#include "monitor/symbols.h"

struct symbol {
    uint64_t address, len_bytes; /* len_bytes 0: up to the next symbol */
    char *name;
};

struct symbol_file {
    Elf *elf;
    Dwarf *dwarf; /* NULL: no line numbers */
    int fd;
    uint64_t offset;
    bool kernel;
    uint64_t low, high; /* addresses it covers, offset included */
};

#define SYMBOL_FILES_MAX 16

struct symbols {
    struct symbol *row; /* sorted by address */
    size_t count, cap;
    struct symbol_file file[SYMBOL_FILES_MAX];
    size_t file_count;
    bool has_kernel;
    uint64_t kernel_low, kernel_high; /* as linked */
    uint64_t slide;                   /* KASLR */
};
