/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands that show state. The pictures are view_*.c's. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/eval.h"
#include "monitor/out.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "protocol/tables.h"

static enum cmd_result shown(bool done)
{
    return done ? CMD_OK : CMD_ERROR;
}

static enum cmd_result cmd_registers(struct console *console, const struct cmd_args *args)
{
    return shown(view_registers(console, args->rest));
}

static enum cmd_result cmd_exit(struct console *console, const struct cmd_args *args)
{
    (void)args;
    return shown(view_exit(console));
}

static enum cmd_result cmd_cr(struct console *console, const struct cmd_args *args)
{
    (void)args;
    return shown(view_cr(console));
}

static enum cmd_result cmd_caps(struct console *console, const struct cmd_args *args)
{
    (void)args;
    return shown(view_caps(console));
}

static enum cmd_result cmd_cpus(struct console *console, const struct cmd_args *args)
{
    (void)args;
    return shown(view_cpus(console));
}

static enum cmd_result cmd_vmcs(struct console *console, const struct cmd_args *args)
{
    return shown(view_fields(console, args->rest));
}

/* An MSR by name or number; complains. */
static bool msr_index(const char *word, uint32_t *index)
{
    const struct tl_msr_row *row = tl_msr_by_name(word, strlen(word));
    uint64_t number = 0;
    const char *near;

    if (row || (cmd_number(word, &number) && number <= UINT32_MAX)) {
        *index = row ? row->index : (uint32_t)number;
        return true;
    }
    near = tl_nearest_msr(word, strlen(word));
    out_error("no MSR `%s`%s%s%s", word, near ? "; did you mean `" : "", near ? near : "",
              near ? "`? (or give its index)" : "; give its index");
    return false;
}

static enum cmd_result cmd_msr_area(struct console *console, const struct cmd_args *args)
{
    uint32_t only[16];
    size_t count = 0;
    const char *rest = args->rest;
    char word[80];

    while (cmd_word(&rest, word, sizeof(word))) {
        if (count == sizeof(only) / sizeof(only[0])) {
            out_error("at most %zu MSRs at a time", count);
            return CMD_ERROR;
        }
        if (!msr_index(word, &only[count++]))
            return CMD_ERROR;
    }
    return shown(view_msr_area(console, only, count));
}

static enum cmd_result cmd_msr(struct console *console, const struct cmd_args *args)
{
    const char *rest = args->rest;
    char word[80];

    if (!*rest) {
        static const uint32_t usual[] = {MSR_efer, MSR_star,    MSR_lstar,          MSR_fmask,
                                         MSR_pat,  MSR_fs_base, MSR_kernel_gs_base, MSR_apic_base};

        for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
            if (!view_msr(console, usual[i]))
                return CMD_ERROR;
        return CMD_OK;
    }
    while (cmd_word(&rest, word, sizeof(word))) {
        uint32_t index;

        if (!msr_index(word, &index) || !view_msr(console, index))
            return CMD_ERROR;
    }
    return CMD_OK;
}

static enum cmd_result cmd_table(struct console *console, const struct cmd_args *args)
{
    bool idt = args->row->names[5] == 'i';
    unsigned count = 0;

    if (*args->rest) {
        uint64_t value;

        if (!cmd_number(args->rest, &value) || value == 0 || value > 8192) {
            out_error("takes the number of entries to show");
            return CMD_ERROR;
        }
        count = (unsigned)value;
    }
    return shown(view_table(console, idt, count));
}

static enum cmd_result cmd_line(struct console *console, const struct cmd_args *args)
{
    struct session_counts counts = session_counts(console->session);
    const char *reply = target_ask(console->target, "qtl.line");

    (void)args;
    out_printf("here:  %" PRIu64 " bytes in, %" PRIu64 " out; %" PRIu64 " packets in, %" PRIu64
               " out; %" PRIu64 " sent again, %" PRIu64 " damaged\n",
               counts.bytes_in, counts.bytes_out, counts.packets_in, counts.packets_out,
               counts.repeats, counts.damaged);
    if (!reply) {
        out_error("%s", target_error(console->target));
        return CMD_ERROR;
    }
    out_printf("there:");
    view_pairs(reply);
    return CMD_OK;
}

static enum cmd_result cmd_symbols(struct console *console, const struct cmd_args *args)
{
    (void)args;
    out_printf("%zu symbols", symbols_count(console->symbols));
    if (symbols_slide(console->symbols))
        out_printf("; the kernel is 0x%" PRIx64 " above where it was linked (KASLR)",
                   symbols_slide(console->symbols));
    out_printf("\n");
    return CMD_OK;
}

static enum cmd_result cmd_options(struct console *console, const struct cmd_args *args)
{
    const char *reply = target_ask(console->target, "qtl.options"), *record;

    (void)args;
    if (!reply) {
        out_error("%s", target_error(console->target));
        return CMD_ERROR;
    }
    for (record = strchr(reply, '|'); record; record = strchr(record, '|')) {
        char name[40] = "", value[40] = "";

        record++;
        if (target_key(record, "name", name, sizeof(name)) &&
            target_key(record, "value", value, sizeof(value)))
            out_printf("  %-16s %s\n", name, value);
    }
    return CMD_OK;
}

const struct cmd_row cmd_info_rows[] = {
    {"info registers|info r|info all-registers", "[NAME...|all]",
     "registers, with bits by name; names pick some, `all` shows pseudo-registers too", NULL,
     cmd_registers, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_EXPR, NULL},
    {"info exit|info e", "", "the last exit: kind, raw reason and information, what it was about",
     NULL, cmd_exit, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_NONE, NULL},
    {"info cpus|info threads", "", "every vCPU: where it stands, in which mode", NULL, cmd_cpus,
     CMD_LINE, CMD_COMPLETE_NONE, NULL},
    {"info cr", "", "CR0, CR4 and EFER with all their faces: written, read back, real", NULL,
     cmd_cr, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_NONE, NULL},
    {"info msr", "[MSR...]", "MSRs by name or index: what the guest reads, what the hardware holds",
     NULL, cmd_msr, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_MSR, NULL},
    {"info msr-area|info area", "[MSR...]",
     "guest MSRs of the MSR area (VMX) or the VMCB (SVM): all, or these", NULL, cmd_msr_area,
     CMD_LINE | CMD_STOPPED, CMD_COMPLETE_MSR, NULL},
    {"info vmcs|info vmcb|info fields", "[PATTERN]",
     "fields of the VMCS or VMCB, decoded; PATTERN has * and ?, or is part of a name", NULL,
     cmd_vmcs, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_FIELD, NULL},
    {"info idt", "[COUNT]", "the guest's interrupt descriptor table", NULL, cmd_table,
     CMD_LINE | CMD_STOPPED, CMD_COMPLETE_NONE, NULL},
    {"info gdt", "[COUNT]", "the guest's global descriptor table", NULL, cmd_table,
     CMD_LINE | CMD_STOPPED, CMD_COMPLETE_NONE, NULL},
    {"info caps", "", "what this CPU and this hypervisor can do", NULL, cmd_caps, CMD_LINE,
     CMD_COMPLETE_NONE, NULL},
    {"info line", "", "counters of the line, both ends", NULL, cmd_line, CMD_LINE,
     CMD_COMPLETE_NONE, NULL},
    {"info symbols", "", "how many symbols are loaded, and where the kernel is", NULL, cmd_symbols,
     0, CMD_COMPLETE_NONE, NULL},
    {"info options", "", "options of the hypervisor's stub (`set option NAME VALUE` changes one)",
     NULL, cmd_options, CMD_LINE, CMD_COMPLETE_NONE, NULL},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
