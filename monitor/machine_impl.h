/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What machine.c offers its emulator files, and what they give back. Nobody else includes this. */
#pragma once

#include "monitor/machine.h"

/* An argument list that owns its strings. */
struct argv {
    char *word[MACHINE_ARGS_MAX + 1];
    size_t count;
};

/* Appends a formatted word. Running out of room or memory ends the program: both mean a bug. */
void argv_add(struct argv *argv, const char *format, ...) __attribute__((format(printf, 2, 3)));
void argv_free(struct argv *argv);

/*
 * Starts argv[0] in a process group of its own with output into `log` (a file in machine->dir) and
 * no input, or /dev/null as input. Fills pid and pid_fd. False with `error` when it cannot start.
 */
bool machine_spawn(struct machine *machine, struct argv *argv, const char *log, char *error);

/* Runs a helper program to its end, output into `log`; true when it returned 0. */
bool machine_helper(struct machine *machine, struct argv *argv, const char *log, char *error);

/* Waits for the one connection to a listening socket; -1 when the emulator ended first. */
int machine_accept(struct machine *machine, int listener, int timeout_ms);

/* Last lines of a file of machine->dir that matter, into `text`; for messages. */
void machine_log_tail(const struct machine *machine, const char *log, char *text, size_t cap_bytes);

/* True when the file contains `needle`. */
bool machine_log_has(const struct machine *machine, const char *log, const char *needle);

/* The emulators. start: builds and spawns, returns the line. ended: fills end and why. */
struct transport *qemu_start(struct machine *machine, char *error);
void qemu_ended(struct machine *machine, int status);
struct transport *bochs_start(struct machine *machine, char *error);
void bochs_ended(struct machine *machine, int status);
