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

/* `check [FIELD=VALUE ...]`: spaces between the changes, as people type them. */
static enum cmd_result cmd_check(struct console *console, const struct cmd_args *args)
{
    char annex[400];
    size_t to = 0;

    for (const char *from = args->rest; *from && to + 1 < sizeof(annex); from++) {
        if (*from == ' ' || *from == '\t') {
            if (to > 0 && annex[to - 1] != ',')
                annex[to++] = ',';
            continue;
        }
        if (*from == ':' || *from == ';' || *from == '#' || *from == '$') {
            out_error("usage: check [FIELD=VALUE ...]");
            return CMD_ERROR;
        }
        if (*from == '0' &&
            (from[1] == 'x' || from[1] == 'X')) { /* the wire's numbers are bare hex */
            from++;
            continue;
        }
        annex[to++] = *from;
    }
    annex[to] = '\0';
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
    (void)args;
    return shown(view_stats(console));
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
    {"check", "[FIELD=VALUE ...]",
     "dry run of the VM-entry rules on the current state, or with some fields changed", NULL,
     cmd_check, CMD_LINE | CMD_STOPPED, CMD_COMPLETE_FIELD, NULL},
    {"ring", "[COUNT] [KIND[,KIND]] | save FILE | export FILE.jsonl|FILE.trace.json",
     "the last exits, or all that the ring holds to a file", NULL, cmd_ring, CMD_LINE,
     CMD_COMPLETE_KIND, NULL},
    {"stats", "", "exits and cycles by kind", NULL, cmd_stats, CMD_LINE, CMD_COMPLETE_NONE, NULL},
    {"snapshot", "[NAME]", "remember registers, fields and MSR area under a name; lists without",
     NULL, cmd_snapshot, 0, CMD_COMPLETE_NONE, NULL},
    {"diff", "A [B]", "differences between two snapshots, or snapshot and now, or two saved rings",
     NULL, cmd_diff, 0, CMD_COMPLETE_FILE, NULL},
    {"audit", "cpuid|memtype|reset",
     "look for disagreements: CPUID and controls, memory types, reset state", NULL, cmd_audit,
     CMD_LINE | CMD_STOPPED, CMD_COMPLETE_WORDS, "cpuid memtype reset"},
    {"crash-record", "", "the crash record of this moment, as a log would hold it", NULL,
     cmd_record_now, CMD_LINE, CMD_COMPLETE_NONE, NULL},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
