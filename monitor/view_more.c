/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Page walks, descriptor tables, texts the hypervisor makes (view.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "protocol/tables.h"

static bool fail(struct console *console)
{
    out_error("%s", target_error(console->target));
    return false;
}

void view_pairs(const char *text)
{
    while (*text) {
        size_t len_bytes = strcspn(text, ";");
        const char *colon = memchr(text, ':', len_bytes);

        if (colon)
            out_printf(" %.*s=%.*s", (int)(colon - text), text, (int)(text + len_bytes - colon - 1),
                       colon + 1);
        text += len_bytes + (text[len_bytes] == ';');
    }
    out_printf("\n");
}

bool view_object(struct console *console, const char *object, const char *annex)
{
    char *text = target_object(console->target, object, annex);

    if (!text)
        return fail(console);
    out_text(text, strlen(text));
    if (*text && text[strlen(text) - 1] != '\n')
        out_printf("\n");
    free(text);
    return true;
}

/* ---- walk ---- */

static void guest_entry(uint64_t level, uint64_t entry, char *text, size_t cap_bytes)
{
    snprintf(text, cap_bytes, "%s%s%s%s%s%s%s%s", entry & 1 ? "P " : "not present ",
             entry & 2 ? "RW " : "", entry & 4 ? "US " : "", entry & 0x20 ? "A " : "",
             entry & 0x40 ? "D " : "", level > 1 && entry & 0x80 ? "PS " : "",
             level == 1 && entry & 0x100 ? "G " : "", entry >> 63 ? "XD" : "");
}

static void ept_entry(uint64_t entry, char *text, size_t cap_bytes)
{
    static const char *const types[] = {"UC", "WC", "?", "?", "WT", "WP", "WB", "?"};

    snprintf(text, cap_bytes, "%s%s%s %s%s", entry & 1 ? "r" : "-", entry & 2 ? "w" : "-",
             entry & 4 ? "x" : "-", entry & 0x80 ? "large " : "",
             entry & 0x80 ? types[entry >> 3 & 7] : "");
}

bool view_walk(struct console *console, uint64_t address)
{
    const char *reply, *record;
    char *text, mode[8] = "", result[24] = "", rights[12] = "", nested[24] = "", line[100];
    bool svm = target_vendor(console->target) == TL_SVM;
    uint64_t value;

    reply = target_ask(console->target, "qtl.walk:%" PRIx64, address);
    text = reply ? strdup(reply) : NULL;
    if (!text)
        return fail(console);
    target_key(text, "mode", mode, sizeof(mode));
    target_key(text, "result", result, sizeof(result));
    out_printf("0x%" PRIx64 "  paging: %s", address,
               strcmp(mode, "4") == 0     ? "4 levels"
               : strcmp(mode, "5") == 0   ? "5 levels"
               : strcmp(mode, "32") == 0  ? "32-bit"
               : strcmp(mode, "pae") == 0 ? "PAE"
                                          : "off");
    if (target_key_number(text, "root", &value) && strcmp(mode, "none") != 0)
        out_printf(", root 0x%" PRIx64, value);
    out_printf("\n");
    for (record = strchr(text, '|'); record; record = strchr(record, '|')) {
        char table[8] = "";
        uint64_t level = target_number(++record, "level"), entry = target_number(record, "entry"),
                 at = target_number(record, "at");
        bool guest;

        target_key(record, "t", table, sizeof(table));
        guest = strcmp(table, "guest") == 0;
        if (guest || svm)
            guest_entry(level, entry, line, sizeof(line));
        else
            ept_entry(entry, line, sizeof(line));
        if (at == UINT64_MAX)
            out_printf("  %-6s level %" PRIu64 "  in the CPU             ", table, level);
        else
            out_printf("  %-6s level %" PRIu64 "  at 0x%-16" PRIx64 "  ",
                       guest ? table
                       : svm ? "NPT"
                             : "EPT",
                       level, at);
        out_printf("0x%016" PRIx64 "  %s\n", entry, line);
    }
    out_printf("  result: %s", result);
    if (target_key_number(text, "gpa", &value))
        out_printf("  gpa 0x%" PRIx64, value);
    if (target_key_number(text, "page", &value))
        out_printf("  page of 0x%" PRIx64 " bytes", value);
    if (target_key(text, "rights", rights, sizeof(rights)))
        out_printf("  rights %s", rights);
    if (target_key(text, "nested", nested, sizeof(nested)))
        out_printf("  %s: %s", svm ? "NPT" : "EPT", nested);
    if (target_key_number(text, "hpa", &value))
        out_printf("  hpa 0x%" PRIx64, value);
    out_printf("\n");
    free(text);
    return true;
}

/* ---- descriptor tables ---- */

static void idt_gate(struct console *console, unsigned vector, const uint8_t *gate, bool wide)
{
    uint64_t offset = (uint64_t)gate[0] | (uint64_t)gate[1] << 8 | (uint64_t)gate[6] << 16 |
                      (uint64_t)gate[7] << 24;
    unsigned selector = gate[2] | gate[3] << 8, type = gate[5] & 0xf;
    char symbol[SYMBOLS_TEXT_BYTES] = "";

    if (wide)
        for (unsigned i = 0; i < 4; i++)
            offset |= (uint64_t)gate[8 + i] << (32 + 8 * i);
    symbols_describe(console->symbols, offset, symbol);
    out_printf("  %3u  %04x:0x%" PRIx64 "  %s  DPL %u%s", vector, selector, offset,
               type == 0xe   ? "interrupt gate"
               : type == 0xf ? "trap gate"
               : type == 5   ? "task gate"
                             : "no gate",
               gate[5] >> 5 & 3, gate[5] & 0x80 ? "" : "  not present");
    if (wide && (gate[4] & 7))
        out_printf("  IST %u", gate[4] & 7);
    out_printf("%s%s%s\n", symbol[0] ? "  <" : "", symbol, symbol[0] ? ">" : "");
}

static void gdt_descriptor(unsigned selector, const uint8_t *d)
{
    uint32_t base =
        (uint32_t)d[2] | (uint32_t)d[3] << 8 | (uint32_t)d[4] << 16 | (uint32_t)d[7] << 24;
    uint32_t limit = (uint32_t)d[0] | (uint32_t)d[1] << 8 | (uint32_t)(d[6] & 0xf) << 16;
    bool code = d[5] & 8, system = !(d[5] & 0x10);

    if (d[6] & 0x80)
        limit = limit << 12 | 0xfff;
    out_printf("  %04x  base 0x%08x  limit 0x%08x  %s%s%s%s  DPL %u%s\n", selector, base, limit,
               system ? "system"
               : code ? "code"
                      : "data",
               system        ? ""
               : d[6] & 0x20 ? " 64-bit"
               : d[6] & 0x40 ? " 32-bit"
                             : " 16-bit",
               !system && d[5] & 2 ? (code ? " readable" : " writable") : "",
               d[5] & 1 && !system ? " accessed" : "", d[5] >> 5 & 3,
               d[5] & 0x80 ? "" : "  not present");
}

bool view_table(struct console *console, bool idt, unsigned count)
{
    uint64_t base, limit, efer = 0;
    struct target *target = console->target;
    unsigned size, all, shown = 0;
    uint8_t *bytes;
    size_t got;

    if (!target_reg(target, idt ? TL_REG_idtr_base : TL_REG_gdtr_base, &base) ||
        !target_reg(target, idt ? TL_REG_idtr_limit : TL_REG_gdtr_limit, &limit))
        return fail(console);
    target_reg(target, TL_REG_efer, &efer);
    size = idt && efer & 0x400 ? 16 : 8; /* EFER.LMA: wide gates */
    if (idt && target_code_bits(target) == 16)
        size = 4;
    all = (unsigned)((limit + 1) / size);
    out_printf("%s at 0x%" PRIx64 ", limit 0x%" PRIx64 ": %u entries\n", idt ? "IDT" : "GDT", base,
               limit, all);
    if (count == 0 || count > all)
        count = all > 8192 ? 8192 : all;
    bytes = malloc((size_t)count * size + 1);
    got = bytes ? target_read(target, base, bytes, (size_t)count * size) : 0;
    for (unsigned i = 0; i < count && (i + 1) * (size_t)size <= got; i++) {
        const uint8_t *entry = bytes + (size_t)i * size;
        bool empty = true;

        for (unsigned b = 0; b < size; b++)
            empty = empty && entry[b] == 0;
        if (empty)
            continue;
        shown++;
        if (!idt)
            gdt_descriptor(i * 8, entry);
        else if (size == 4)
            out_printf("  %3u  %04x:%04x\n", i, entry[2] | entry[3] << 8, entry[0] | entry[1] << 8);
        else
            idt_gate(console, i, entry, size == 16);
    }
    count = (unsigned)(got / size);
    free(bytes);
    if (count == 0 && all > 0)
        return fail(console);
    if (shown < count)
        out_printf("  (%u all-zero entries not shown)\n", count - shown);
    return true;
}
