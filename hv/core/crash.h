/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The crash record: one dead guest as text, for the log and for qXfer:tl.record. Its lines are
 * specified in protocol/README.md, "Crash record".
 */
#pragma once

#include "core/vcpu.h"
#include "cpu/cpu.h"
#include "protocol/explain.h"

/* Called for each whole line, without a line feed. */
typedef void (*crash_line_fn)(void *context, const char *line, size_t len_bytes);

/* Renders the record of the vCPU's present state (whatever stopped it). Changes nothing. */
void crash_render(struct vcpu *vcpu, crash_line_fn line, void *context);

/* The record itself, collected anew, and what explains it; valid until the next call. The caller may
 * edit the state in it to ask what would be. */
struct crash_record *crash_collect(struct vcpu *vcpu, const struct explanation **why);

/* Prints it as log lines, between `crash begin` and `crash end`. */
void crash_print(struct vcpu *vcpu);

/* A fault or failed assertion of the hypervisor itself: later records are about it. frame may be NULL
 * (an assertion has none). */
void crash_hv_fault(const struct fault_frame *frame, const char *why);
