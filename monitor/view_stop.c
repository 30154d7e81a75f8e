/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stops and exits in words (view.h). */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/disas.h"
#include "monitor/out.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "protocol/tables.h"

void view_changed_bits(int group, uint64_t old_value, uint64_t new_value, char *text,
                       size_t cap_bytes)
{
    uint64_t named = 0;
    size_t len_bytes = 0;

    text[0] = '\0';
    for (unsigned i = 0; group >= 0 && i < tl_bits_count; i++) {
        const struct tl_bits_row *row = &tl_bits[i];
        uint64_t ones = row->high - row->low == 63
                            ? UINT64_MAX
                            : (UINT64_C(1) << (row->high - row->low + 1)) - 1;
        uint64_t was = old_value >> row->low & ones, is = new_value >> row->low & ones;

        if (row->group != group)
            continue;
        named |= ones << row->low;
        if (was == is || len_bytes + 1 >= cap_bytes)
            continue;
        len_bytes +=
            (size_t)snprintf(text + len_bytes, cap_bytes - len_bytes, "%s%s %" PRIx64 "->%" PRIx64,
                             len_bytes ? ", " : "", row->name, was, is);
    }
    for (unsigned bit = 0; bit < 64 && len_bytes + 1 < cap_bytes; bit++)
        if (((old_value ^ new_value) & ~named) >> bit & 1)
            len_bytes += (size_t)snprintf(
                text + len_bytes, cap_bytes - len_bytes, "%sbit %u %u->%u", len_bytes ? ", " : "",
                bit, (unsigned)(old_value >> bit & 1), (unsigned)(new_value >> bit & 1));
}

/* ---- what an exit was about, in one line ---- */

static bool has(const char *text, const char *key)
{
    char word[8];

    return target_key(text, key, word, sizeof(word));
}

static void msr_name(uint32_t index, char *name, size_t cap_bytes)
{
    const struct tl_msr_row *row = tl_msr_by_index(index);

    if (row)
        snprintf(name, cap_bytes, "%s (0x%x)", row->manual, index);
    else
        snprintf(name, cap_bytes, "MSR 0x%x", index);
}

static void tell_cr(const char *text, const char *kind, char *line, size_t cap_bytes)
{
    char changed[300], reg[16], op[8] = "";
    uint64_t value = target_number(text, "value"), old = target_number(text, "old");

    snprintf(reg, sizeof(reg), "cr%" PRIu64, target_number(text, "index"));
    target_key(text, "op", op, sizeof(op));
    if (strstr(kind, "read")) {
        snprintf(line, cap_bytes, "would read 0x%" PRIx64, has(text, "old") ? old : value);
        return;
    }
    view_changed_bits(tl_bits_group(reg), old, value, changed, sizeof(changed));
    snprintf(line, cap_bytes, "0x%" PRIx64 " -> %s0x%" PRIx64 "%s  (%s)%s%s", old,
             out_style(OUT_CHANGED), value, out_style(OUT_PLAIN),
             changed[0] ? changed : "no change", strcmp(op, "mov") != 0 && op[0] ? " by " : "",
             strcmp(op, "mov") != 0 ? op : "");
}

const char *view_exception_name(unsigned vector)
{
    static const char *const names[] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", NULL,  "#TS",
        "#NP", "#SS", "#GP", "#PF", NULL,  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
    };
    const char *name = vector < sizeof(names) / sizeof(names[0]) ? names[vector] : NULL;

    return name ? name : "";
}

static void tell_exception(const char *text, char *line, size_t cap_bytes)
{
    uint64_t vector = target_number(text, "vector");
    const char *name = view_exception_name(vector < 256 ? (unsigned)vector : 256);
    size_t used =
        (size_t)snprintf(line, cap_bytes, "vector %" PRIu64 "%s%s", vector, *name ? " " : "", name);

    if (has(text, "error") && used < cap_bytes)
        used += (size_t)snprintf(line + used, cap_bytes - used, "  error code 0x%" PRIx64,
                                 target_number(text, "error"));
    if (has(text, "address") && used < cap_bytes)
        snprintf(line + used, cap_bytes - used, "  %s 0x%" PRIx64,
                 vector == 1 ? "DR6 bits" : "address", target_number(text, "address"));
}

static void tell_msr(const char *text, const char *kind, char *line, size_t cap_bytes)
{
    uint32_t index = (uint32_t)target_number(text, "index");
    const struct tl_msr_row *row = tl_msr_by_index(index);
    char name[80], bits[200] = "";
    int group = row ? tl_bits_group_of(TL_VMX, row->name) : -1;

    msr_name(index, name, sizeof(name));
    if (group >= 0)
        tl_bits_format(group, target_number(text, "value"), bits, sizeof(bits));
    snprintf(line, cap_bytes, "%s %s 0x%" PRIx64 "%s%s%s", name,
             strcmp(kind, "wrmsr") == 0 ? "<-" : "is", target_number(text, "value"),
             bits[0] ? " (" : "", bits, bits[0] ? ")" : "");
}

/* The kinds' own words; "" when there is nothing to add. */
static void tell(const char *text, const char *kind, char *line, size_t cap_bytes)
{
    char access[8] = "";

    line[0] = '\0';
    if (strncmp(kind, "cr", 2) == 0 && isdigit((unsigned char)kind[2])) {
        tell_cr(text, kind, line, cap_bytes);
    } else if (strcmp(kind, "rdmsr") == 0 || strcmp(kind, "wrmsr") == 0) {
        tell_msr(text, kind, line, cap_bytes);
    } else if (strcmp(kind, "exception") == 0) {
        tell_exception(text, line, cap_bytes);
    } else if (strcmp(kind, "cpuid") == 0) {
        snprintf(line, cap_bytes, "leaf 0x%" PRIx64 "  subleaf 0x%" PRIx64,
                 target_number(text, "leaf"), target_number(text, "subleaf"));
    } else if (strcmp(kind, "io-in") == 0 || strcmp(kind, "io-out") == 0) {
        size_t used =
            (size_t)snprintf(line, cap_bytes, "port 0x%" PRIx64 "  %" PRIu64 " byte%s%s%s",
                             target_number(text, "port"), target_number(text, "size"),
                             target_number(text, "size") == 1 ? "" : "s",
                             target_number(text, "string") ? "  string" : "",
                             target_number(text, "rep") ? "  rep" : "");
        if (kind[3] == 'o' && !target_number(text, "string") && used < cap_bytes)
            snprintf(line + used, cap_bytes - used, "  value 0x%" PRIx64,
                     target_number(text, "value"));
    } else if (strncmp(kind, "nested", 6) == 0) {
        target_key(text, "access", access, sizeof(access));
        snprintf(line, cap_bytes, "gpa 0x%" PRIx64 "  access %s%s%s", target_number(text, "gpa"),
                 access,
                 target_number(text, "present") ? "  (mapped, rights forbid it)" : "  (not mapped)",
                 target_number(text, "walk") ? "  during a page walk" : "");
    } else if (strcmp(kind, "xsetbv") == 0) {
        snprintf(line, cap_bytes, "XCR%" PRIu64 " <- 0x%" PRIx64, target_number(text, "index"),
                 target_number(text, "value"));
    } else if (strcmp(kind, "entry-failure") == 0) {
        snprintf(line, cap_bytes, "reason 0x%" PRIx64 "  VM-instruction error %" PRIu64,
                 target_number(text, "reason"), target_number(text, "vmerror"));
    } else if (strcmp(kind, "invlpg") == 0) {
        snprintf(line, cap_bytes, "address 0x%" PRIx64, target_number(text, "gva"));
    } else if (strcmp(kind, "dr-access") == 0) {
        snprintf(line, cap_bytes, "dr%" PRIu64, target_number(text, "index"));
    }
}

/* ---- the stop ---- */

void view_place(struct console *console)
{
    struct target *target = console->target;
    char symbol[SYMBOLS_TEXT_BYTES];
    uint8_t bytes[DISAS_INSN_BYTES];
    uint64_t rip = 0, cs = 0, gva;
    struct disas_insn insn;
    unsigned bits;
    size_t got;

    if (!target_reg(target, TL_REG_rip, &rip) || !target_reg(target, TL_REG_cs, &cs)) {
        out_printf("  (registers cannot be read: %s)\n", target_error(target));
        return;
    }
    bits = target_code_bits(target);
    gva = target_pc_gva(target);
    got = target_read(target, gva, bytes, sizeof(bytes));
    insn = disas_one(bits, console->intel_syntax, rip, bytes, got);
    out_printf("  %04" PRIx64 ":%s0x%0*" PRIx64 "%s", cs, out_style(OUT_NAME),
               bits == 16   ? 4
               : bits == 32 ? 8
                            : 16,
               rip, out_style(OUT_PLAIN));
    if (symbols_describe(console->symbols, gva, symbol))
        out_printf(" <%s>", symbol);
    if (got == 0)
        out_printf("  (memory cannot be read: %s)\n", target_error(target));
    else
        out_printf("  %s\n", insn.text);
}

static void headline(struct console *console, const char *stop, const char *why)
{
    char kind[40] = "", word[40], line[500] = "";
    const char *exit_text;
    uint64_t cpu = 0;

    target_key(stop, "tl.kind", kind, sizeof(kind));
    if (target_key(stop, "thread", word, sizeof(word)))
        cpu = strtoull(word, NULL, 16) - 1;
    out_printf("%s[vCPU %" PRIu64 "]%s ", out_style(OUT_DIM), cpu, out_style(OUT_PLAIN));
    if (kind[0]) {
        exit_text = target_exit_text(console->target);
        if (exit_text)
            tell(exit_text, kind, line, sizeof(line));
        out_printf("%s%s%s%s%s", out_style(OUT_STOP),
                   strcmp(why, "dead") == 0 ? "the guest is dead: " : "", kind,
                   out_style(OUT_PLAIN), line[0] ? "  " : "");
        out_printf("%s", line);
        if (target_key(stop, "tl.stage", word, sizeof(word)) && strcmp(word, "after") == 0)
            out_printf("  (after its handler)");
        if (target_key(stop, "tl.event", word, sizeof(word)))
            out_printf("  %s#%u%s", out_style(OUT_DIM),
                       stops_number_of_event(console, (uint32_t)strtoul(word, NULL, 16)),
                       out_style(OUT_PLAIN));
        out_printf("\n");
        return;
    }
    stops_describe_hit(console, stop, why, line, sizeof(line));
    out_printf("%s%s%s\n", out_style(OUT_STOP), line, out_style(OUT_PLAIN));
}

void view_stop(struct console *console)
{
    const char *stop = console->session ? session_stop_text(console->session) : "";
    char why[20] = "", copy[SESSION_PACKET_BYTES];

    if (strlen(stop) < 3 || console_running(console))
        return;
    snprintf(copy, sizeof(copy), "%s", stop + 3); /* behind the T05 */
    target_key(copy, "tl.why", why, sizeof(why));
    out_guest_flush();
    headline(console, copy, why);
    view_place(console);
    if (strcmp(why, "dead") == 0)
        out_printf("  (`explain` says what killed it; `info exit`, `ring`, `check` show more)\n");
}

void view_stop_of_gdb(struct console *console)
{
    const char *stop = session_stop_text(console->session);
    char why[20] = "", rip_hex[20] = "", rip_key[8];
    uint64_t rip = 0;

    if (strlen(stop) < 3)
        return;
    stop += 3;
    target_key(stop, "tl.why", why, sizeof(why));
    if (strcmp(why, "step") == 0 || strcmp(why, "range") == 0)
        return;
    snprintf(rip_key, sizeof(rip_key), "%02x", TL_REG_rip);
    if (target_key(stop, rip_key, rip_hex, sizeof(rip_hex)))
        target_hex_value(rip_hex, &rip);
    out_guest_flush();
    out_printf("%s[stopped for GDB: %s at 0x%" PRIx64 "]%s\n", out_style(OUT_DIM), why, rip,
               out_style(OUT_PLAIN));
}

void view_attached(struct console *console)
{
    const char *hello = target_hello(console->target);
    char vendor[16] = "", platform[40] = "", efer[16] = "", own[60] = "";
    uint64_t cpus;

    if (!hello)
        return;
    target_key(hello, "vendor", vendor, sizeof(vendor));
    target_key(hello, "platform", platform, sizeof(platform));
    target_key(hello, "efer", efer, sizeof(efer));
    target_key(hello, "own", own, sizeof(own));
    cpus = target_number(hello, "cpus");
    out_printf("%s[trapline hypervisor on %s, %s, %" PRIu64 " vCPU%s, %s]%s\n", out_style(OUT_DIM),
               platform, strcmp(vendor, "vmx") == 0 ? "VMX" : "SVM", cpus, cpus == 1 ? "" : "s",
               session_linked(console->session) ? "link layer" : "plain GDB protocol",
               out_style(OUT_PLAIN));
}

/* ---- info exit ---- */

static void exit_event(const char *text)
{
    static const char *const types[] = {
        "external interrupt", "?", "NMI", "exception", "INT n", "ICEBP", "INT3 or INTO", "other"};
    uint64_t vec = target_number(text, "vec");

    if (!(vec >> 31 & 1))
        return;
    out_printf("  delivering  vector %u, %s", (unsigned)(vec & 0xff), types[vec >> 8 & 7]);
    if (vec >> 11 & 1)
        out_printf(", error code 0x%" PRIx64, target_number(text, "vecerr"));
    out_printf("  (0x%" PRIx64 ")\n", vec);
}

bool view_exit(struct console *console)
{
    const char *text = target_exit_text(console->target);
    char kind[40] = "", name[60] = "", mode[16] = "", stage[12] = "", line[500], verdict[12] = "",
         symbol[SYMBOLS_TEXT_BYTES];
    enum tl_vendor vendor = target_vendor(console->target);
    const struct tl_reason *reason;
    uint64_t rip, len_bytes;

    if (!text) {
        out_error("%s", target_error(console->target));
        return false;
    }
    target_key(text, "kind", kind, sizeof(kind));
    if (strcmp(kind, "none") == 0) {
        out_printf("the guest has not left for the hypervisor yet\n");
        return true;
    }
    target_key(text, "name", name, sizeof(name));
    target_key(text, "mode", mode, sizeof(mode));
    target_key(text, "stage", stage, sizeof(stage));
    target_key(text, "verdict", verdict, sizeof(verdict));
    reason = tl_reason(vendor, target_number(text, "reason"));
    tell(text, kind, line, sizeof(line));
    out_printf("exit %" PRIu64 " of vCPU %" PRIu64 ": %s%s%s  %s\n", target_number(text, "number"),
               target_number(text, "cpu"), out_style(OUT_STOP), kind, out_style(OUT_PLAIN), line);
    out_printf("  reason      0x%" PRIx64 "  %s%s  %s\n", target_number(text, "reason"),
               vendor == TL_VMX ? "EXIT_REASON_" : "VMEXIT_", reason ? reason->name : name,
               reason ? reason->text : "");
    out_printf("  %s  0x%" PRIx64 "\n  %s  0x%" PRIx64 "\n",
               vendor == TL_VMX ? "qualific. " : "EXITINFO1 ", target_number(text, "info1"),
               vendor == TL_VMX ? "gva       " : "EXITINFO2 ", target_number(text, "info2"));
    rip = target_number(text, "rip");
    out_printf("  at          %04" PRIx64 ":0x%" PRIx64, target_number(text, "cs"), rip);
    if (symbols_describe(console->symbols, rip, symbol))
        out_printf(" <%s>", symbol);
    out_printf("  %s mode", mode);
    len_bytes = target_number(text, "len");
    if (len_bytes) /* not every exit has one, and not every CPU says it (SVM without nRIP) */
        out_printf(", instruction of %" PRIu64 " byte%s", len_bytes, len_bytes == 1 ? "" : "s");
    out_printf("\n");
    out_printf("  stage       %s the handler%s%s\n", stage, verdict[0] ? "; verdict " : "",
               verdict);
    exit_event(text);
    return true;
}
