/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads symbol files: ELF through elfutils, System.map as text. Looking names up is symbols.c's. */
#include "monitor/symbols_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINUX_KERNEL_MAP UINT64_C(0xffffffff80000000) /* __START_KERNEL_map */
#define PERCPU_MAX       UINT64_C(0x80000)

static bool symbols_add(struct symbols *symbols, uint64_t address, uint64_t len_bytes,
                        const char *name)
{
    if (symbols->count == symbols->cap) {
        size_t cap = symbols->cap ? 2 * symbols->cap : 1024;
        struct symbol *row = realloc(symbols->row, cap * sizeof(*row));

        if (!row)
            return false;
        symbols->row = row;
        symbols->cap = cap;
    }
    symbols->row[symbols->count] =
        (struct symbol){.address = address, .len_bytes = len_bytes, .name = strdup(name)};
    if (!symbols->row[symbols->count].name)
        return false;
    symbols->count++;
    return true;
}

/* Sections, files and compiler-made local labels tell nobody anything. */
static bool wanted(const GElf_Sym *sym, const char *name)
{
    unsigned type = GELF_ST_TYPE(sym->st_info);

    return name && name[0] && sym->st_shndx != SHN_UNDEF && type != STT_SECTION &&
           type != STT_FILE && type != STT_TLS && strncmp(name, ".L", 2) != 0 && name[0] != '$';
}

static long load_table(struct symbols *symbols, Elf *elf, unsigned table_type, uint64_t offset,
                       struct symbol_file *file)
{
    Elf_Scn *section = NULL;
    long added = 0;

    while ((section = elf_nextscn(elf, section)) != NULL) {
        GElf_Shdr header;
        Elf_Data *data;
        size_t i, rows;

        if (!gelf_getshdr(section, &header) || header.sh_type != table_type ||
            header.sh_entsize == 0)
            continue;
        data = elf_getdata(section, NULL);
        rows = data ? header.sh_size / header.sh_entsize : 0;
        for (i = 0; i < rows && i <= INT32_MAX; i++) {
            GElf_Sym sym;
            const char *name;

            if (!gelf_getsym(data, (int)i, &sym))
                break;
            name = elf_strptr(elf, header.sh_link, sym.st_name);
            if (!wanted(&sym, name) || (sym.st_shndx == SHN_ABS && sym.st_value < 0x1000))
                continue;
            if (!symbols_add(symbols, sym.st_value + offset, sym.st_size, name))
                return -1;
            if (sym.st_shndx != SHN_ABS) {
                uint64_t end = sym.st_value + offset + sym.st_size;

                file->low = sym.st_value + offset < file->low ? sym.st_value + offset : file->low;
                file->high = end > file->high ? end : file->high;
            }
            added++;
        }
    }
    return added;
}

static long load_elf(struct symbols *symbols, int fd, const char *path, uint64_t offset,
                     char *error)
{
    struct symbol_file *file = &symbols->file[symbols->file_count];
    long added;

    *file = (struct symbol_file){.fd = fd, .offset = offset, .low = UINT64_MAX};
    file->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (!file->elf || elf_kind(file->elf) != ELF_K_ELF) {
        snprintf(error, SYMBOLS_ERROR_BYTES, "%s: broken ELF file", path);
        elf_end(file->elf);
        return -1;
    }
    added = load_table(symbols, file->elf, SHT_SYMTAB, offset, file);
    if (added == 0)
        added = load_table(symbols, file->elf, SHT_DYNSYM, offset, file);
    if (added <= 0) {
        snprintf(error, SYMBOLS_ERROR_BYTES, "%s: no symbols in it (stripped?)", path);
        elf_end(file->elf);
        return -1;
    }
    file->dwarf = dwarf_begin_elf(file->elf, DWARF_C_READ, NULL);
    file->kernel = file->low >= LINUX_KERNEL_MAP;
    symbols->file_count++;
    return added;
}

/* "ffffffff81000000 T _text" */
static bool map_line(const char *line, uint64_t *address, char *name, size_t cap_bytes)
{
    char *end;
    size_t len_bytes;

    errno = 0;
    *address = strtoull(line, &end, 16);
    if (end - line < 8 || errno || end[0] != ' ' || !end[1] || end[2] != ' ')
        return false;
    end += 3;
    len_bytes = strcspn(end, " \t\r\n");
    if (len_bytes == 0 || len_bytes >= cap_bytes)
        return false;
    memcpy(name, end, len_bytes);
    name[len_bytes] = '\0';
    return true;
}

static long load_map(struct symbols *symbols, int fd, const char *path, uint64_t offset,
                     char *error)
{
    struct symbol_file *file = &symbols->file[symbols->file_count];
    FILE *stream = fdopen(fd, "r");
    char line[512], name[256];
    long added = 0, bad = 0;
    uint64_t address;

    *file = (struct symbol_file){.fd = -1, .offset = offset, .low = UINT64_MAX};
    while (stream && fgets(line, sizeof(line), stream)) {
        if (!map_line(line, &address, name, sizeof(name))) {
            if (++bad > 3 && added == 0)
                break;
            continue;
        }
        /* Per-CPU symbols are offsets from a CPU's area, not addresses. */
        if (address < PERCPU_MAX)
            continue;
        if (!symbols_add(symbols, address + offset, 0, name)) {
            added = -1;
            break;
        }
        if (address >= LINUX_KERNEL_MAP) {
            file->kernel = true;
            file->low = address + offset < file->low ? address + offset : file->low;
            file->high = address + offset > file->high ? address + offset : file->high;
        }
        added++;
    }
    if (stream)
        fclose(stream);
    if (added <= 0) {
        snprintf(error, SYMBOLS_ERROR_BYTES,
                 "%s: neither ELF nor System.map (lines like `ffffffff81000000 T _text`)", path);
        return -1;
    }
    symbols->file_count++;
    return added;
}

static int by_address(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;

    return x->address < y->address ? -1 : x->address > y->address;
}

long symbols_load(struct symbols *symbols, const char *path, uint64_t offset, char *error)
{
    const struct symbol_file *file;
    uint8_t magic[4] = {0};
    struct stat status;
    size_t before = symbols->count;
    long added;
    int fd;

    if (symbols->file_count == SYMBOL_FILES_MAX) {
        snprintf(error, SYMBOLS_ERROR_BYTES, "at most %d symbol files", SYMBOL_FILES_MAX);
        return -1;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        snprintf(error, SYMBOLS_ERROR_BYTES, "%s: %s", path,
                 fd < 0 ? strerror(errno) : "is not a regular file");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
        memcmp(magic, ELFMAG, sizeof(magic)) == 0) {
        added = load_elf(symbols, fd, path, offset, error);
        if (added < 0)
            close(fd);
    } else {
        added = load_map(symbols, fd, path, offset, error);
    }
    if (added < 0) {
        while (symbols->count > before)
            free(symbols->row[--symbols->count].name);
        return -1;
    }
    qsort(symbols->row, symbols->count, sizeof(symbols->row[0]), by_address);
    file = &symbols->file[symbols->file_count - 1];
    if (file->kernel) {
        if (!symbols->has_kernel || file->low < symbols->kernel_low)
            symbols->kernel_low = file->low;
        if (!symbols->has_kernel || file->high > symbols->kernel_high)
            symbols->kernel_high = file->high;
        symbols->has_kernel = true;
    }
    return added;
}
