/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The exit ring on the host: fetch, show, filter, save, export, compare. Records are those of
 * protocol/README.md 4.5.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/cmd.h"

#define RING_RECORD_BYTES 160
#define RING_UNFINISHED   0xff /* verdict of an exit that is still being handled */

struct ring_row {
    uint64_t tsc, number, info1, info2, rip, rsp, rflags, cr0, cr3, cr4, efer, rax, rcx, rdx, rbx,
        value, event, inject;
    uint32_t reason, changed, cycles;
    uint16_t cs;
    uint8_t kind, verdict;
};

struct ring_rows {
    struct ring_row *row;
    size_t count;
};

/* `ring ...` behind its name: show, save, diff, as `help ring` says. */
enum cmd_result ring_command(struct console *console, const char *text);

/* Saved rings: JSON lines, one record a line. False after complaining. */
bool ring_load(const char *path, struct ring_rows *rows);
void ring_free(struct ring_rows *rows);

struct ring_filter;

/*
 * Where two rings differ first, aligned by kind and RIP from their first common record. Exits that
 * `ignore` hits are left out, and the values it names. Prints; true when they differ.
 */
bool ring_diff(struct console *console, const struct ring_rows *a, const struct ring_rows *b,
               const struct ring_filter *ignore);
