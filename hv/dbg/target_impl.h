/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The files that bind struct dbg_target to core (target_*.c): the only ones of this room that include
 * core headers.
 */
#pragma once

#include "core/vcpu.h"
#include "dbg/target.h"

/* ---- target_vcpu.c ---- */

/* The machine, with the capabilities of the CPU it runs on. Needs hv_caps; for dbg_init(), once. */
struct dbg_target *target_init(void);

/* The vCPU of a number; this version has one. */
struct vcpu *target_vcpu(unsigned cpu);

/* What a stop needs to know of vcpu->exit, whatever the vendor; holds until the next call. */
const struct dbg_exit *target_last_exit(void *machine, unsigned cpu);

/* Microseconds since the log began; 0 while there is no clock. */
uint64_t target_clock_us(void *machine);

/* The chipset's reset register, the keyboard controller's line, and at last a triple fault. */
void target_reboot(void *machine);

/* Which of the tables' vendors the chosen backend is; and the guest's mode, from CR0, EFER and CS. */
enum tl_vendor target_vendor(void);
enum tl_cpu_mode target_mode(struct vcpu *vcpu);

/* target_regs.c: reg_read(), reg_write(), dr_own() and dr_load() of target.h. */
int target_reg_read(void *machine, unsigned cpu, unsigned regno, uint64_t *value);
int target_reg_write(void *machine, unsigned cpu, unsigned regno, uint64_t value);
void target_dr_own(void *machine, unsigned cpu, struct dbg_dr *own);
void target_dr_load(void *machine, unsigned cpu, const struct dbg_dr *loaded);

/* target_fpu.c: rows with source FPU; 0, or -1: not such a row. */
int target_fpu_read(struct vcpu *vcpu, unsigned regno, uint64_t *value);
int target_fpu_write(struct vcpu *vcpu, unsigned regno, uint64_t value);
int target_reg_wide_read(void *machine, unsigned cpu, unsigned regno, uint8_t *bytes);
int target_reg_wide_write(void *machine, unsigned cpu, unsigned regno, const uint8_t *bytes);

/*
 * The queries and actions below write their answer into the reply. Each returns 0, or TARGET_FAIL()
 * of an error of errors.def; then the reply is of no use.
 */
#define TARGET_FAIL(error_) (-1 - (int)TL_E_##error_)

/* target_tl.c: hands out the packets. */
int target_query(void *machine, unsigned cpu, enum tl_packet packet, const char *args,
                 size_t args_len_bytes, struct reply *reply);

/* target_state.c */
int target_query_cr(struct vcpu *vcpu, struct reply *reply);
int target_query_area(struct vcpu *vcpu, struct reply *reply);
int target_action_area(struct vcpu *vcpu, struct args args);
int target_query_msr(struct vcpu *vcpu, struct args args, struct reply *reply);
int target_action_msr(struct vcpu *vcpu, struct args args);
int target_query_fields(struct vcpu *vcpu, struct args args, struct reply *reply);
int target_query_field(struct vcpu *vcpu, struct args args, struct reply *reply);
int target_action_field(struct vcpu *vcpu, struct args args);
/* By name, short name or hex number; NULL when this vendor has no such field. */
const struct tl_field *target_field(struct args name);
/* Where the guest's IA32_EFER lives while it runs: "vmcb", "area" or "controls". */
const char *target_efer_where(void);

/* target_memory.c */
int target_query_walk(struct vcpu *vcpu, struct args args, struct reply *reply);
int target_query_own(struct args args, struct reply *reply);

/* target_exit.c, target_object.c */
int target_query_exit(struct vcpu *vcpu, struct reply *reply);
/* Of an RDMSR or WRMSR exit: what is read or written; 0 for an MSR that gives #GP. */
uint64_t target_msr_value(struct vcpu *vcpu);
int target_object(void *machine, unsigned cpu, enum tl_packet packet, const char *annex,
                  size_t annex_len_bytes, char *buf, size_t cap_bytes);
/* target_stats.c: qtl.stats. */
int target_stats(struct vcpu *vcpu, struct args args, struct reply *reply);
/* qtl.check: how many rules the state violates, with these fields changed for the question. */
int target_check(struct vcpu *vcpu, struct args edits, struct reply *reply);

/* target_hooks.c: did the last stop at an exit come after it was handled (`stage` of qtl.exit)? */
extern bool target_stage_after;
