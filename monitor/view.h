/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Everything a person reads, made from target.h's values. One function a picture; none changes
 * anything. view_stop.c: stops and exits. view_state.c: registers, control registers, MSRs, fields.
 * view_memory.c: x, disassemble. view_more.c: walks, tables.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console;

/* Where the guest stands and why: after each stop. */
void view_stop(struct console *console);
/* The same in one line and without asking the line, for a stop that GDB waits for; steps say nothing. */
void view_stop_of_gdb(struct console *console);

/* CS:RIP, symbol, instruction: the second line of a stop. */
void view_place(struct console *console);

/* Who answered. */
void view_attached(struct console *console);

/* The functions that answer bool: false after printing why there is nothing to see. */
bool view_exit(struct console *console);

/* "#GP" for 13; "" for a vector without a name. */
const char *view_exception_name(unsigned vector);

/* "PG 0->1, WP 0->1" for two values of a group of protocol/bits.def (-1: none). */
void view_changed_bits(int group, uint64_t old_value, uint64_t new_value, char *text,
                       size_t cap_bytes);

/* All of the general and system registers, or those whose names are given. */
bool view_registers(struct console *console, const char *names);
bool view_cr(struct console *console);
bool view_msr(struct console *console, uint32_t index);
/* only: indices to show; none: all. */
bool view_msr_area(struct console *console, const uint32_t *only, size_t count);
bool view_fields(struct console *console, const char *pattern);
bool view_caps(struct console *console);
bool view_cpus(struct console *console);

/* `x`: count units of the format at address; returns the address behind, or `address` on failure. */
uint64_t view_memory(struct console *console, uint64_t address, unsigned count, char letter,
                     unsigned unit_bytes);
bool view_disassemble(struct console *console, uint64_t low, uint64_t high);

/* A value in one of GDB's format letters ('x' 'd' 'u' 'o' 't' 'c' 'a'; 0: decimal or hex by size). */
void view_value(struct console *console, char letter, unsigned width_bits, uint64_t value,
                char *text, size_t cap_bytes);

bool view_walk(struct console *console, uint64_t address);
/* Guest IDT or GDT; count 0: all that the limit allows. */
bool view_table(struct console *console, bool idt, unsigned count);
/* "key:value;" text as words on a line. */
void view_pairs(const char *text);
bool view_object(struct console *console, const char *object, const char *annex);
