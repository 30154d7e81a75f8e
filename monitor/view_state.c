/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registers, control registers, MSRs, fields, capabilities (view.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "protocol/tables.h"

#define CPUS_MAX 256

static bool fail(struct console *console)
{
    out_error("%s", target_error(console->target));
    return false;
}

/* ---- registers ---- */

static void register_line(struct console *console, unsigned i)
{
    char bits[240] = "", symbol[SYMBOLS_TEXT_BYTES];
    int group = tl_bits_group_of(target_vendor(console->target), tl_regs[i].name);
    uint64_t value;

    if (!target_reg(console->target, i, &value)) {
        out_printf("%-15s (%s)\n", tl_regs[i].name, target_error(console->target));
        return;
    }
    if (i == TL_REG_eflags)
        group = tl_bits_group("rflags");
    out_printf("%s%-15s%s 0x%-16" PRIx64, out_style(OUT_NAME), tl_regs[i].name,
               out_style(OUT_PLAIN), value);
    if (i == TL_REG_cpu_mode)
        out_printf("  %s", value < TL_MODE_COUNT ? tl_cpu_mode_names[value] : "?");
    else if (i == TL_REG_exit_kind)
        out_printf("  %s", tl_kind_word((unsigned)value));
    else if (group >= 0 && value != 0 && tl_bits_format(group, value, bits, sizeof(bits)) > 0)
        out_printf("  [ %s ]", bits);
    else if (i == TL_REG_rip &&
             symbols_describe(console->symbols, target_pc_gva(console->target), symbol))
        out_printf("  <%s>", symbol);
    else if (tl_regs[i].source == TL_SRC_GPR)
        out_printf("  %" PRId64, (int64_t)value);
    out_printf("\n");
}

/* Shown without names: what a person looks at after each stop, not the pseudo-registers. */
static bool usual(unsigned i)
{
    switch ((enum tl_reg_source)tl_regs[i].source) {
    case TL_SRC_FPU:
    case TL_SRC_EXIT:
    case TL_SRC_FIELD:
    case TL_SRC_DEBUG:
        return false;
    default:
        return true;
    }
}

bool view_registers(struct console *console, const char *names)
{
    bool all = strcmp(names, "all") == 0;
    char word[40];

    if (!*names || all) {
        for (unsigned i = 0; i < TL_REG_COUNT && !console->interrupted; i++)
            if (all ? tl_regs[i].bits <= 64 : usual(i))
                register_line(console, i);
        return true;
    }
    while (cmd_word(&names, word, sizeof(word))) {
        const char *name = word[0] == '$' || word[0] == '%' ? word + 1 : word;
        int i;

        if (strcmp(name, "pc") == 0)
            name = "rip";
        if (strcmp(name, "sp") == 0)
            name = "rsp";
        if (strcmp(name, "rflags") == 0)
            name = "eflags";
        i = tl_reg_by_name(name, strlen(name));
        if (i < 0) {
            const char *near = tl_nearest_reg(name, strlen(name));

            out_error("no register `%s`%s%s%s", name, near ? "; did you mean `" : "",
                      near ? near : "", near ? "`?" : "");
            return false;
        }
        register_line(console, (unsigned)i);
    }
    return true;
}

/* ---- faces of control registers and MSRs ---- */

static void cr_face(const char *text, const char *reg, const char *face, const char *label,
                    uint64_t against)
{
    char key[24], bits[240] = "", changed[200];
    int group = tl_bits_group(reg);
    uint64_t value;

    snprintf(key, sizeof(key), "%s.%s", reg, face);
    if (!target_key_number(text, key, &value))
        return;
    if (strcmp(face, "mask") != 0)
        tl_bits_format(group, value, bits, sizeof(bits));
    out_printf("  %-18s 0x%-16" PRIx64 "  %s", label, value, bits);
    if ((strcmp(face, "real") == 0 || strcmp(face, "wrote") == 0 || strcmp(face, "hw") == 0) &&
        value != against) {
        view_changed_bits(group, against, value, changed, sizeof(changed));
        out_printf("  %s<- differs: %s%s", out_style(OUT_STOP), changed, out_style(OUT_PLAIN));
    }
    out_printf("\n");
}

bool view_cr(struct console *console)
{
    static const char *const regs[] = {"cr0", "cr4", "efer"};
    const char *reply = target_ask(console->target, "qtl.cr");
    char *text, key[20], word[20] = "";

    if (!reply)
        return fail(console);
    text = strdup(reply);
    for (size_t i = 0; text && i < 3; i++) {
        uint64_t read;

        snprintf(key, sizeof(key), "%s.read", regs[i]);
        read = target_number(text, key);
        out_printf("%s%s%s\n", out_style(OUT_NAME), regs[i], out_style(OUT_PLAIN));
        cr_face(text, regs[i], "read", "guest reads", read);
        cr_face(text, regs[i], "wrote", "guest wrote", read);
        cr_face(text, regs[i], "real", "CPU holds", read);
        if (i < 2) {
            cr_face(text, regs[i], "mask", "intercepted bits", read);
            cr_face(text, regs[i], "fixed0", "must be 1", read);
        } else {
            target_key(text, "efer.where", word, sizeof(word));
            out_printf("  %-18s %s\n", "kept in", word);
        }
    }
    word[0] = '\0';
    if (text) {
        target_key(text, "mode", word, sizeof(word));
        out_printf("cr2 0x%" PRIx64 "  cr3 0x%" PRIx64 "  cr8 0x%" PRIx64
                   "  IA-32e mode guest: %" PRIu64 "  mode: %s\n",
                   target_number(text, "cr2"), target_number(text, "cr3"),
                   target_number(text, "cr8"), target_number(text, "ia32e"), word);
    }
    free(text);
    return true;
}

static void msr_value(const char *label, uint32_t index, uint64_t value)
{
    const struct tl_msr_row *row = tl_msr_by_index(index);
    int group = row ? tl_bits_group_of(TL_VMX, row->name) : -1;
    char bits[240] = "";

    if (group >= 0)
        tl_bits_format(group, value, bits, sizeof(bits));
    out_printf("  %-18s 0x%016" PRIx64 "  %s\n", label, value, bits);
}

bool view_msr(struct console *console, uint32_t index)
{
    const struct tl_msr_row *row = tl_msr_by_index(index);
    const char *text = target_ask(console->target, "qtl.msr:%x", index);
    char where[16] = "", rd[8] = "", wr[8] = "";
    uint64_t value;

    if (!text)
        return fail(console);
    out_printf("%s%s%s (0x%x)%s%s\n", out_style(OUT_NAME), row ? row->manual : "MSR",
               out_style(OUT_PLAIN), index, row ? "  " : "", row ? row->text : "");
    if (target_key_number(text, "guest", &value))
        msr_value("guest reads", index, value);
    else
        out_printf("  %-18s #GP\n", "guest reads");
    if (target_key_number(text, "hw", &value))
        msr_value("hardware holds", index, value);
    target_key(text, "where", where, sizeof(where));
    target_key(text, "read", rd, sizeof(rd));
    target_key(text, "write", wr, sizeof(wr));
    out_printf("  %-18s %s", "the guest's is in", where);
    if (target_key_number(text, "slot", &value))
        out_printf(", slot %" PRIu64, value);
    out_printf("; reads %s, writes %s\n", rd, wr);
    return true;
}

static bool is_wanted(uint32_t index, const uint32_t *only, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (only[i] == index)
            return true;
    return count == 0;
}

bool view_msr_area(struct console *console, const uint32_t *only, size_t count)
{
    const char *reply = target_ask(console->target, "qtl.msr-area"), *record;
    char *text, where[12] = "", bits[240];
    size_t shown = 0;

    if (!reply)
        return fail(console);
    text = strdup(reply);
    if (!text)
        return false;
    target_key(text, "where", where, sizeof(where));
    out_printf("%" PRIu64 " MSRs, kept in the %s\n", target_number(text, "count"),
               strcmp(where, "vmcb") == 0 ? "VMCB save area (SVM has no MSR area)"
                                          : "VM-entry MSR-load / VM-exit MSR-store area");
    for (record = strchr(text, '|'); record; record = strchr(record, '|')) {
        uint32_t index = (uint32_t)target_number(++record, "index");
        const struct tl_msr_row *row = tl_msr_by_index(index);
        int group = row ? tl_bits_group_of(TL_VMX, row->name) : -1;
        uint64_t value = target_number(record, "value"), field;

        if (!is_wanted(index, only, count))
            continue;
        shown++;
        bits[0] = '\0';
        if (group >= 0)
            tl_bits_format(group, value, bits, sizeof(bits));
        out_printf("  [%2" PRIu64 "] 0x%08x %s%-22s%s 0x%016" PRIx64 "  %s%s",
                   target_number(record, "slot"), index, out_style(OUT_NAME),
                   row ? row->manual : "", out_style(OUT_PLAIN), value, bits, bits[0] ? "  " : "");
        if (target_key_number(record, "field", &field))
            out_printf("VMCB+0x%" PRIx64, field);
        else
            out_printf("%s%s", target_number(record, "load") ? "load " : "",
                       target_number(record, "store") ? "store" : "");
        out_printf("\n");
    }
    free(text);
    if (shown < count)
        out_printf("  (%zu of those asked for %s not kept there: `info msr` shows where)\n",
                   count - shown, count - shown == 1 ? "is" : "are");
    return true;
}

/* ---- fields ---- */

static void field_line(struct console *console, enum tl_vendor vendor, uint32_t at, uint64_t value)
{
    const struct tl_field *field = tl_field_by_number(vendor, at);
    int group = field ? tl_bits_group_of(vendor, field->name) : -1;
    char bits[300] = "", symbol[SYMBOLS_TEXT_BYTES];

    if (!field) {
        out_printf("%04x %-28s 0x%" PRIx64 "\n", at, "?", value);
        return;
    }
    if (group >= 0 && value != 0)
        tl_bits_format(group, value, bits, sizeof(bits));
    else if (strcmp(field->name, "guest_rip") == 0 || strcmp(field->name, "host_rip") == 0)
        if (symbols_describe(console->symbols, value, symbol))
            snprintf(bits, sizeof(bits), "<%.250s>", symbol);
    out_printf("%s%04x%s %s%-28s%s 0x%-*" PRIx64 "  %s\n", out_style(OUT_DIM), at,
               out_style(OUT_PLAIN), out_style(OUT_NAME), field->name, out_style(OUT_PLAIN),
               field->size_bytes * 2, value, bits[0] ? bits : "");
}

bool view_fields(struct console *console, const char *pattern)
{
    enum tl_vendor vendor = target_vendor(console->target);
    uint64_t from = 0, next;
    unsigned shown = 0;

    for (;;) {
        const char *reply = target_ask(console->target, "qtl.fields:%" PRIx64, from), *record;
        char *text = reply ? strdup(reply) : NULL;

        if (!text)
            return fail(console);
        for (record = strchr(text, '|'); record; record = strchr(record, '|')) {
            unsigned at;
            uint64_t value;
            const struct tl_field *field;

            if (sscanf(++record, "%x=%" SCNx64, &at, &value) != 2)
                continue;
            field = tl_field_by_number(vendor, at);
            if (*pattern && !(field && tl_pattern_match(pattern, field->name)))
                continue;
            field_line(console, vendor, at, value);
            shown++;
        }
        if (!target_key_number(text, "next", &next) || next <= from || console->interrupted) {
            free(text);
            break;
        }
        from = next;
        free(text);
    }
    if (shown == 0) {
        const char *near = tl_nearest_field(vendor, pattern, strlen(pattern));

        out_error("no field matches `%s`%s%s%s", pattern, near ? "; did you mean `" : "",
                  near ? near : "", near ? "`?" : "");
        return false;
    }
    return true;
}

/* ---- capabilities and processors ---- */

bool view_caps(struct console *console)
{
    const char *hello = target_hello(console->target), *reply, *record;
    char words[200] = "", *text;

    if (!hello)
        return fail(console);
    target_key(hello, "caps", words, sizeof(words));
    out_printf("%s, guest-physical addresses of %" PRIu64 " bits; it has: %s\n",
               target_vendor(console->target) == TL_VMX ? "VMX" : "SVM",
               target_number(hello, "maxphyaddr"), words[0] ? words : "nothing special");
    reply = target_ask(console->target, "qtl.caps");
    text = reply ? strdup(reply) : NULL;
    if (!text)
        return fail(console);
    for (record = strchr(text, '|'); record; record = strchr(record, '|')) {
        char name[24];
        uint64_t value;
        unsigned index;

        if (sscanf(++record, "%23[^=]=%" SCNx64, name, &value) != 2)
            continue;
        if (name[0] == 'm' && sscanf(name + 1, "%x", &index) == 1) {
            const struct tl_msr_row *row = tl_msr_by_index(index);

            out_printf("  MSR   0x%-8x %-36s 0x%016" PRIx64 "\n", index, row ? row->manual : "",
                       value);
        } else if (name[0] == 'c') {
            out_printf("  CPUID %-10s %-36s 0x%08" PRIx64 "\n", name + 1, "", value);
        }
    }
    free(text);
    return true;
}

bool view_cpus(struct console *console)
{
    const char *hello = target_hello(console->target), *state;
    char word[16] = "";
    uint64_t cpus, rip = 0;

    if (!hello)
        return fail(console);
    cpus = target_number(hello, "cpus");
    if (cpus > CPUS_MAX)
        cpus = CPUS_MAX;
    state = target_ask(console->target, "qtl.state");
    if (!state)
        return fail(console);
    target_key(state, "state", word, sizeof(word));
    out_printf("%" PRIu64 " vCPU%s, %s; %" PRIu64 " exits, %" PRIu64 " stops, up %.1f s\n", cpus,
               cpus == 1 ? "" : "s", word, target_number(state, "exits"),
               target_number(state, "stops"), (double)target_number(state, "uptime") / 1000.0);
    if (console_running(console))
        return true;
    for (uint64_t cpu = 0; cpu < cpus; cpu++) {
        char symbol[SYMBOLS_TEXT_BYTES] = "";
        uint64_t mode = TL_MODE_COUNT;

        if (cpus > 1) {
            target_do(console->target, "Hg%" PRIx64, cpu + 1);
            target_forget(console->target);
        }
        target_reg(console->target, TL_REG_rip, &rip);
        target_reg(console->target, TL_REG_cpu_mode, &mode);
        symbols_describe(console->symbols, target_pc_gva(console->target), symbol);
        out_printf("  vCPU %" PRIu64 "  rip 0x%" PRIx64 "%s%s%s  %s\n", cpu, rip,
                   symbol[0] ? " <" : "", symbol, symbol[0] ? ">" : "",
                   mode < TL_MODE_COUNT ? tl_cpu_mode_names[mode] : "?");
    }
    if (cpus > 1) {
        target_do(console->target, "Hg1");
        target_forget(console->target);
    }
    return true;
}
