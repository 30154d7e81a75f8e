/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The stopped guest as values: registers, memory, the last exit, fields, MSRs, events. Every
 * function asks over the session and remembers answers until the guest runs or is changed. Prints
 * nothing: what went wrong is in target_error().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/agent.h"
#include "protocol/tables.h"

struct console;
struct target;

/* NULL: no memory. The console must outlive it. */
struct target *target_new(struct console *console);
void target_free(struct target *target);

/* The guest ran or was changed: nothing remembered holds any more. */
void target_forget(struct target *target);

/* Another machine, or a recording that must hold every answer: nothing at all is remembered. */
void target_forget_all(struct target *target);

/* One line about the last failure. */
const char *target_error(const struct target *target);

/* ---- who is at the other end (remembered for the session) ---- */

/* The answer to qtl.hello, or NULL. */
const char *target_hello(struct target *target);
enum tl_vendor target_vendor(struct target *target);

/* The answer to qtl.exit of this stop, or NULL. */
const char *target_exit_text(struct target *target);

/* ---- requests as text ---- */

/*
 * Sends a request; returns the reply (valid until the next request) or NULL with target_error() set
 * when it failed: no answer, `Enn`, `E.text`, or the empty reply ("unsupported").
 */
const char *target_ask(struct target *target, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for requests that answer OK. */
bool target_do(struct target *target, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads a whole qXfer object; malloc()ed text, or NULL. */
char *target_object(struct target *target, const char *object, const char *annex);

/*
 * A value of "key:value;key:value" text, which ends at a '|' where the next record begins: copies it
 * (without the semicolon); false when the key is not there.
 */
bool target_key(const char *text, const char *key, char *value, size_t cap_bytes);
bool target_key_number(const char *text, const char *key, uint64_t *value);
/* The same; 0 when the key is not there. */
uint64_t target_number(const char *text, const char *key);

/* Bytes coded as hex digits to a string of printable characters. */
void target_text(const char *hex, char *text, size_t cap_bytes);

/* ---- registers ---- */

/* By regs.def number. A register that this platform does not have is false. */
bool target_reg(struct target *target, unsigned number, uint64_t *value);
bool target_set_reg(struct target *target, unsigned number, uint64_t value);

/* A register as the packets carry it: little-endian hex, of a wider one (x87) the low 64 bits. False for
 * "xxxx": this platform does not have it. */
bool target_hex_value(const char *hex, uint64_t *value);

/* Code width of the current mode: 16, 32 or 64. */
unsigned target_code_bits(struct target *target);

/* CS base + IP in the modes where that matters, else RIP. */
uint64_t target_pc_gva(struct target *target);

/* ---- memory ---- */

/* Reads up to len_bytes; returns how many could be read (0: target_error()). */
size_t target_read(struct target *target, uint64_t gva, void *bytes, size_t len_bytes);
/* All of them, or false with target_error(); what was written before that stays. */
bool target_write(struct target *target, uint64_t gva, const void *bytes, size_t len_bytes);

/* ---- MSRs and fields ---- */

bool target_msr(struct target *target, uint32_t index, uint64_t *value); /* as the guest reads it */
bool target_field(struct target *target, uint32_t number, uint64_t *value); /* encoding or offset */

/* For expr_eval(): registers, memory, fields and MSRs through this target. */
struct agent_env target_env(struct target *target);
