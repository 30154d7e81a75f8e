/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands that say why: explain, check, ring, stats, audit, snapshot, diff. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/ring.h"
#include "monitor/shots.h"
#include "monitor/stats.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "monitor/view.h"

static enum cmd_result shown(bool done)
{
    return done ? CMD_OK : CMD_ERROR;
}

static enum cmd_result cmd_explain(struct console *console, const struct cmd_args *args)
{
    (void)args;
    return shown(view_object(console, "tl.explain", ""));
}

/* Does the text continue with a word that only joins changes? */
static size_t joining_word(const char *text)
{
    static const char *const words[] = {"and", "if", "&&", ","};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t length = strlen(words[i]);

        if (strncmp(text, words[i], length) == 0 &&
            (text[length] == ' ' || text[length] == '\t' || text[0] == ',' || text[0] == '&'))
            return length;
    }
    return 0;
}

/* `check`, `check FIELD=VALUE ...`, `check if cr0.PG = 1 and guest_cr4 = 0x20`: what people type becomes
 * NAME=HEX,NAME=HEX. False: it cannot be read. */
static bool check_annex(const char *text, char *annex, size_t cap_bytes)
{
    size_t to = 0;

    annex[0] = '\0';
    for (;;) {
        char name[80];
        size_t length;
        uint64_t value;
        char *end;

        text += strspn(text, " \t");
        while ((length = joining_word(text)) > 0) {
            text += length;
            text += strspn(text, " \t");
        }
        if (!*text)
            return true;
        length = strcspn(text, " \t=,:;#$");
        if (length == 0 || length >= sizeof(name))
            return false;
        memcpy(name, text, length);
        name[length] = '\0';
        text += length;
        text += strspn(text, " \t");
        if (*text++ != '=')
            return false;
        text += *text == '='; /* C's comparison means the same here */
        text += strspn(text, " \t");
        value = strtoull(text, &end, 0);
        if (end == text || *text == '-' || (*end && !strchr(" \t,&", *end)))
            return false;
        text = end;
        length = (size_t)snprintf(annex + to, cap_bytes - to, "%s%s=%" PRIx64, to ? "," : "", name,
                                  value);
        if (length >= cap_bytes - to)
            return false;
        to += length;
    }
}

static enum cmd_result cmd_check(struct console *console, const struct cmd_args *args)
{
    char annex[400];

    if (!check_annex(args->rest, annex, sizeof(annex))) {
        out_error("usage: check [if FIELD[.BIT] = NUMBER [and ...]], for example: "
                  "check if cr0.PG = 1");
        return CMD_ERROR;
    }
    return shown(view_object(console, "tl.check", annex));
}

static enum cmd_result cmd_audit(struct console *console, const struct cmd_args *args)
{
    if (strcmp(args->rest, "cpuid") != 0 && strcmp(args->rest, "memtype") != 0 &&
        strcmp(args->rest, "reset") != 0) {
        out_error("audit what? cpuid, memtype or reset");
        return CMD_ERROR;
    }
    return shown(view_object(console, "tl.audit", args->rest));
}

static enum cmd_result cmd_record_now(struct console *console, const struct cmd_args *args)
{
    (void)args;
    return shown(view_object(console, "tl.record", ""));
}

static enum cmd_result cmd_stats(struct console *console, const struct cmd_args *args)
{
    return stats_command(console, args->rest);
}

static enum cmd_result cmd_ring(struct console *console, const struct cmd_args *args)
{
    return ring_command(console, args->rest);
}

static enum cmd_result cmd_snapshot(struct console *console, const struct cmd_args *args)
{
    return shots_take(console, args->rest);
}

static enum cmd_result cmd_diff(struct console *console, const struct cmd_args *args)
{
    return shots_diff(console, args->rest);
}

const struct cmd_row cmd_why_rows[] = {
    {"explain", "", "why did it stop, what will break", NULL, cmd_explain, CMD_LINE | CMD_STOPPED,
     CMD_COMPLETE_NONE, NULL},
    {"check", "[if FIELD[.BIT] = NUMBER [and ...]]",
     "dry run of the VM-entry rules on the current state, or with some fields changed",
     "check if cr0.PG = 1: what would fail if only that changed. FIELD is a field of the VMCS or "
     "VMCB,\nor cr0, cr4, efer, rflags ... of the guest; BIT a name such as PG or LME.",
     cmd_check, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_FIELD, NULL},
    {"ring",
     "[COUNT] [[ignore] KIND|msr:N|port:N|leaf:N|rip:ADDRESS,...] | save FILE | "
     "export FILE.jsonl|FILE.trace.json",
     "the last exits, those that fit or (`ignore`) do not, or all that the ring holds to a file",
     "N may be a range, an MSR's name, a symbol. The trace opens in Perfetto and chrome://tracing. "
     "A "
     "ring\nfor a whole boot: `trapline run --hv ring=65536 ...`.",
     cmd_ring, CMD_LINE, CMD_COMPLETE_KIND, NULL},
    {"stats", "[kind|msr|port|leaf|vector|rip] [ROWS] [by count|cycles] | save FILE.json",
     "how often the guest left and what it cost, since the start, largest first",
     "By kind of exit, or by what the exit was about: MSR, port, CPUID leaf, exception vector, or "
     "the\n"
     "RIP it came from. Cycles are TSC ticks until the handler was done; `-`: not measured (CPUID "
     "on "
     "the\nshort road). `save` writes all tables as JSON.",
     cmd_stats, CMD_LINE, CMD_COMPLETE_WORDS, "kind msr port leaf vector rip by count cycles save"},
    {"snapshot", "[NAME]", "remember registers, fields and MSR area under a name; lists without",
     NULL, cmd_snapshot, 0, CMD_COMPLETE_NONE, NULL},
    {"diff", "A [B] [ignore WHAT,...]",
     "differences between two snapshots, snapshot and now, or two saved rings",
     "Of rings the first exit that differs, aligned by kind and RIP. `ignore` leaves out exits "
     "(KIND, "
     "msr:N,\nport:N, leaf:N, rip:ADDRESS) and values (info1, value ...); of snapshots names and "
     "patterns (`vmcs.exit_*`).",
     cmd_diff, 0, CMD_COMPLETE_FILE, NULL},
    {"audit", "cpuid|memtype|reset",
     "look for disagreements: CPUID and controls, memory types, reset state", NULL, cmd_audit,
     CMD_LINE | CMD_STOPPED, CMD_COMPLETE_WORDS, "cpuid memtype reset"},
    {"crash-record", "", "the crash record of this moment, as a log would hold it", NULL,
     cmd_record_now, CMD_LINE, CMD_COMPLETE_NONE, NULL},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
