/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `--gdb PORT`: a reliable TCP socket for GDB or LLDB, while the console stays usable. One owner of
 * the target at a time: the guest's runs and stops go to who resumed it.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct broker;
struct console;

/* Listens on localhost:PORT (0: any free one, printed). NULL after printing why. */
struct broker *broker_new(struct console *console, int port);
void broker_free(struct broker *broker); /* NULL is fine, here and below */

/* For the poll loop: fills slots, returns how many; then serves those that are ready. */
nfds_t broker_slots(struct broker *broker, struct pollfd *slots, nfds_t cap);
void broker_serve(struct broker *broker, const struct pollfd *slots, nfds_t count);

/* GDB resumed the guest and waits for its stop. */
bool broker_owns(const struct broker *broker);

/* The guest stopped: GDB is told if it waits. */
void broker_stopped(struct broker *broker);

/* The guest's console or the hypervisor's log spoke: GDB sees it while it waits for a stop. */
void broker_text(struct broker *broker, const uint8_t *bytes, size_t len_bytes);

/* The resume that GDB asked for did not happen. */
void broker_refused(struct broker *broker, const char *why);

/* The console is about to let the guest go: GDB's breakpoints that wait for their removal go out. */
void broker_before_resume(struct broker *broker);

/* The machine, or the line to it, is gone: GDB is told and sent away. */
void broker_gone(struct broker *broker, const char *why, bool in_order);

/* GDB is connected (and has said something): the guest's runs are its. */
bool broker_connected(const struct broker *broker);
