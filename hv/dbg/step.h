/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One instruction of the guest, and nothing the guest could notice. The step lands where the manual
 * says the next instruction is: behind the instruction, at the first instruction of a handler that
 * it raised, or behind the instruction that follows a MOV SS.
 */
#pragma once

#include "dbg/target.h"

#define RFLAGS_TF   (UINT64_C(1) << 8)
#define RFLAGS_IF   (UINT64_C(1) << 9)
#define RFLAGS_RF   (UINT64_C(1) << 16)
#define RFLAGS_VM   (UINT64_C(1) << 17)
#define RFLAGS_IOPL (UINT64_C(3) << 12)
#define DR6_BS      (UINT64_C(1) << 14)

enum step_method {
    STEP_TRAP,    /* TF, or the monitor trap flag: exit behind the instruction */
    STEP_LAND,    /* no trap comes (SYSCALL and its kind): exit at the predicted target */
    STEP_DELIVER, /* an event is injected: exit before the first instruction of its handler */
    STEP_FAULT,   /* ICEBP: its own exception is the exit */
};

struct step {
    bool active;          /* from step_begin() until finished */
    bool entered;         /* flags are borrowed just now */
    bool hold_interrupts; /* setting: IF is kept 0 during a step */
    bool own_tf, own_if, loads_if, borrowed;
    uint8_t method;               /* enum step_method */
    struct dbg_insn insn, second; /* second: behind a MOV SS */
    uint64_t start_rip;
    uint64_t landing_gva; /* STEP_LAND */
};

enum step_begin {
    STEP_ENTER, /* enter the guest; step_before_entry() arms */
    STEP_DONE,  /* STI, CLI, HLT: performed already, RIP is behind it */
};

/* The vCPU is stopped and shall do one instruction. */
enum step_begin step_begin(struct step *step, const struct dbg_target *target, unsigned cpu);

/* Arms the step for the coming entry; may change method, since an event may wait now. False: the
 * machine cannot hold execution for the waiting event; nothing is armed. */
bool step_before_entry(struct step *step, const struct dbg_target *target, unsigned cpu);

/* First thing after every exit while active: gives borrowed flags back. True: the step is finished
 * and the exit was the debugger's. False: the exit is for others, the step goes on at the next entry
 * (or step_finish() ends it when a handler has performed the instruction). */
bool step_exit(struct step *step, const struct dbg_target *target, unsigned cpu,
               const struct dbg_exit *exit);

/* Ends the step whatever its state; flags must be given back already. */
void step_finish(struct step *step, const struct dbg_target *target, unsigned cpu);

/* Vectors whose exceptions must exit during a step: all but NMI. */
#define STEP_EXCEPTIONS (~(UINT32_C(1) << 2))
