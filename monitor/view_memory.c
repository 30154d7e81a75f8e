/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory, instructions and single values (view.h). */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/disas.h"
#include "monitor/out.h"
#include "monitor/target.h"
#include "monitor/view.h"

static void binary(uint64_t value, char *text, size_t cap_bytes)
{
    size_t to = 0;
    int bit = 63;

    while (bit > 0 && !(value >> bit & 1))
        bit--;
    for (; bit >= 0 && to + 1 < cap_bytes; bit--)
        text[to++] = value >> bit & 1 ? '1' : '0';
    text[to] = '\0';
}

void view_value(struct console *console, char letter, unsigned width_bits, uint64_t value,
                char *text, size_t cap_bytes)
{
    char symbol[SYMBOLS_TEXT_BYTES];
    unsigned shift = 64 - width_bits;

    if (width_bits < 64)
        value &= (UINT64_C(1) << width_bits) - 1;
    switch (letter) {
    case 'x':
        snprintf(text, cap_bytes, "0x%" PRIx64, value);
        break;
    case 'z':
        snprintf(text, cap_bytes, "0x%0*" PRIx64, (int)width_bits / 4, value);
        break;
    case 'd':
        snprintf(text, cap_bytes, "%" PRId64, (int64_t)(value << shift) >> shift);
        break;
    case 'u':
        snprintf(text, cap_bytes, "%" PRIu64, value);
        break;
    case 'o':
        snprintf(text, cap_bytes, value ? "0%" PRIo64 : "%" PRIo64, value);
        break;
    case 't':
        binary(value, text, cap_bytes);
        break;
    case 'c':
        snprintf(text, cap_bytes, isprint((int)(value & 0xff)) ? "%d '%c'" : "%d '\\%03o'",
                 (int)(int8_t)value, (int)(value & 0xff));
        break;
    case 'a':
        if (symbols_describe(console->symbols, value, symbol))
            snprintf(text, cap_bytes, "0x%" PRIx64 " <%s>", value, symbol);
        else
            snprintf(text, cap_bytes, "0x%" PRIx64, value);
        break;
    default:
        snprintf(text, cap_bytes, value > 9999 ? "0x%" PRIx64 : "%" PRIu64, value);
        break;
    }
}

/* ---- instructions ---- */

/* One instruction line; returns its length (1 when it is none). `pc` marks it. */
static unsigned view_insn(struct console *console, uint64_t address, uint64_t base,
                          const uint8_t *bytes, size_t len_bytes, uint64_t pc)
{
    struct disas_insn insn = disas_one(target_code_bits(console->target), console->intel_syntax,
                                       address, bytes, len_bytes);
    char symbol[SYMBOLS_TEXT_BYTES];

    out_printf("%s %s0x%" PRIx64 "%s", address == pc ? "=>" : "  ", out_style(OUT_NAME), address,
               out_style(OUT_PLAIN));
    if (symbols_describe(console->symbols, base + address, symbol))
        out_printf(" <%s>", symbol);
    out_printf(":\t");
    if (insn.len_bytes == 0) {
        out_printf("(bad)  # 0x%02x\n", bytes[0]);
        return 1;
    }
    out_printf("%s", insn.text);
    if (insn.has_target && symbols_describe(console->symbols, base + insn.target_gva, symbol))
        out_printf("  # 0x%" PRIx64 " <%s>", insn.target_gva, symbol);
    out_printf("\n");
    return insn.len_bytes;
}

static void code_base(struct console *console, uint64_t *base, uint64_t *pc)
{
    *base = 0;
    *pc = 0;
    if (target_code_bits(console->target) != 64)
        target_reg(console->target, TL_REG_cs_base, base);
    target_reg(console->target, TL_REG_rip, pc);
}

static uint64_t view_code(struct console *console, uint64_t address, unsigned count)
{
    uint64_t base, pc;

    code_base(console, &base, &pc);
    while (count-- > 0 && !console->interrupted) {
        uint8_t bytes[DISAS_INSN_BYTES];
        size_t got = target_read(console->target, base + address, bytes, sizeof(bytes));

        if (got == 0) {
            out_error("0x%" PRIx64 ": %s", base + address, target_error(console->target));
            break;
        }
        address += view_insn(console, address, base, bytes, got, pc);
    }
    return address;
}

/*
 * Instructions have no marks between them: decoding from `low` may step over pc. pc is a start for
 * certain, so what would cross it is shown as bytes and the decoding starts again there.
 */
bool view_disassemble(struct console *console, uint64_t low, uint64_t high)
{
    size_t len_bytes = (size_t)(high - low), got, at = 0;
    uint64_t base, pc;
    uint8_t *bytes;

    if (high <= low || high - low > 65536) {
        out_error("the range is %s", high <= low ? "empty" : "longer than 64 KiB");
        return false;
    }
    code_base(console, &base, &pc);
    bytes = malloc(len_bytes + DISAS_INSN_BYTES);
    if (!bytes)
        return false;
    got = target_read(console->target, base + low, bytes, len_bytes + DISAS_INSN_BYTES);
    if (got == 0)
        out_error("0x%" PRIx64 ": %s", base + low, target_error(console->target));
    while (at < len_bytes && at < got && !console->interrupted) {
        struct disas_insn insn =
            disas_one(target_code_bits(console->target), false, low + at, bytes + at, got - at);

        if (low + at < pc && low + at + insn.len_bytes > pc) {
            out_printf("   0x%" PRIx64 ":\t.byte 0x%02x\n", low + at, bytes[at]);
            at++;
            continue;
        }
        at += view_insn(console, low + at, base, bytes + at, got - at, pc);
    }
    free(bytes);
    return got > 0;
}

/* ---- data ---- */

static uint64_t view_strings(struct console *console, uint64_t address, unsigned count)
{
    while (count-- > 0 && !console->interrupted) {
        char text[201];
        size_t got = target_read(console->target, address, text, sizeof(text) - 1), end;

        if (got == 0) {
            out_error("0x%" PRIx64 ": %s", address, target_error(console->target));
            break;
        }
        text[got] = '\0';
        end = strlen(text);
        out_printf("0x%" PRIx64 ":\t\"", address);
        for (size_t i = 0; i < end; i++)
            if (isprint((unsigned char)text[i]) && text[i] != '"' && text[i] != '\\')
                out_printf("%c", text[i]);
            else
                out_printf("\\%03o", (unsigned char)text[i]);
        out_printf(end == got ? "\"...\n" : "\"\n");
        address += end + (end < got);
    }
    return address;
}

static uint64_t little_endian(const uint8_t *bytes, unsigned len_bytes)
{
    uint64_t value = 0;

    while (len_bytes-- > 0)
        value = value << 8 | bytes[len_bytes];
    return value;
}

uint64_t view_memory(struct console *console, uint64_t address, unsigned count, char letter,
                     unsigned unit_bytes)
{
    unsigned per_line = letter == 't'     ? 2
                        : letter == 'a'   ? 1
                        : unit_bytes == 1 ? 8
                                          : 16 / unit_bytes;
    char symbol[SYMBOLS_TEXT_BYTES], text[SYMBOLS_TEXT_BYTES + 40];
    size_t need, got;
    uint8_t *bytes;

    if (letter == 'i')
        return view_code(console, address, count);
    if (letter == 's')
        return view_strings(console, address, count);
    if (count == 0 || count > (1u << 20)) {
        out_error("the count is %s", count ? "more than a million" : "0");
        return address;
    }
    need = (size_t)count * unit_bytes;
    bytes = malloc(need);
    if (!bytes)
        return address;
    got = target_read(console->target, address, bytes, need);
    for (size_t at = 0; at + unit_bytes <= got && !console->interrupted;) {
        out_printf("%s0x%" PRIx64 "%s", out_style(OUT_NAME), address + at, out_style(OUT_PLAIN));
        if (symbols_describe(console->symbols, address + at, symbol))
            out_printf(" <%s>", symbol);
        out_printf(":");
        for (unsigned n = 0; n < per_line && at + unit_bytes <= got; n++, at += unit_bytes) {
            view_value(console, letter == 'x' || letter == 0 ? 'z' : letter, 8 * unit_bytes,
                       little_endian(bytes + at, unit_bytes), text, sizeof(text));
            out_printf("\t%s", text);
        }
        out_printf("\n");
    }
    if (got < need)
        out_error("0x%" PRIx64 ": %s", address + got, target_error(console->target));
    free(bytes);
    return address + got;
}
