/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For the crash record: what the instruction at RIP touches, and CR2, each with how it translates. A
 * triple fault under VMX names no exception; this tells which one the instruction must have raised.
 */
#pragma once

#include "core/vcpu.h"
#include "core/walk.h"
#include "protocol/record.h"

/* Fills record->touch. Needs the registers in the record (EFER, CR0, segments). */
void crash_touches(struct vcpu *vcpu, struct crash_record *record);

/* The record's word for the end of a walk. */
enum record_walk crash_walk_word(enum walk_result result);
