/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Agent bytecode on a stopped or exiting vCPU: binds protocol/agent.h to struct dbg_target and
 * formats what the `printf` opcode prints.
 */
#pragma once

#include "dbg/target.h"
#include "protocol/agent.h"

/* Where printed text goes; at most EVAL_TEXT_MAX bytes a call, no NUL. */
struct dbg_out {
    void *ctx;
    void (*text)(void *ctx, const char *text, size_t len_bytes);
    /* An event of protocol/README.md 4.6, and the line that says the same; NULL: text() has it. */
    void (*notice)(void *ctx, const char *pairs, const char *text);
};
#define EVAL_TEXT_MAX 500u

/* A formatted text to out->text(), cut at EVAL_TEXT_MAX bytes. */
void dbg_say(const struct dbg_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Runs verified code. Takes from *fuel; *value is the result. out may be NULL when the code was
 * verified without AGENT_MAY_PRINT. */
enum agent_error dbg_eval(const struct dbg_target *target, unsigned cpu, const uint8_t *code,
                          size_t len_bytes, const struct dbg_out *out, uint32_t *fuel,
                          uint64_t *value);

/* printf with the argument values of the bytecode: %d %i %u %x %X %o %c %s %p %%, flags, width and
 * any length modifier; C's escapes as well, because GDB sends a format as it was typed. %s takes the
 * address of a guest string, or the number of an exit kind. Cuts at cap_bytes; returns the length
 * written (no NUL is counted, one is always there). */
size_t dbg_format(const struct dbg_target *target, unsigned cpu, char *buf, size_t cap_bytes,
                  const char *format, const uint64_t *args, unsigned args_count);
