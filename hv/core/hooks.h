/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The only way core speaks to the debugger: one struct that dbg/target_hooks.c fills at start-up.
 * Core includes nothing of dbg.
 */
#pragma once

#include "core/vcpu.h"

enum hv_stage { HV_BEFORE, HV_AFTER };

/* Why the vCPU stopped; goes into the stop reply. */
enum hv_stop_why {
    HV_STOP_START,    /* `wait`: before the first instruction */
    HV_STOP_BREAK_IN, /* interrupt from the line */
    HV_STOP_STEP,
    HV_STOP_BREAKPOINT, /* code or data breakpoint of the debugger */
    HV_STOP_EVENT,      /* a caught exit */
    HV_STOP_DEAD,       /* final stop: triple fault, entry failure, unhandled exit */
    HV_STOP_HV_FAULT,   /* fault of the hypervisor itself */
};

struct hv_debug_hooks {
    uint64_t armed; /* kinds with at least one armed event: the only test on the exit path */

    /* Runs the events of vcpu->exit.kind. HV_RESUME: go on with the handler; HV_STOP: stop now.
     * *skip is set when an action said `skip` (core then advances and calls no handler). */
    enum hv_verdict (*filter)(struct vcpu *vcpu, enum hv_stage stage, bool *skip);

    /* Debug exceptions, NMI, MTF, exits that the debugger asked for itself: true when it took it
     * (*verdict says what to do), false when it is the guest's. Core calls it first for every
     * EXCEPTION, NMI, MTF, DR_ACCESS and NESTED_PAGE exit, and for every exit at all while
     * vcpu->single_step is set: the step's borrowed TF and IF are taken out of regs.rflags here, so
     * that handlers, vcpu_advance() and the ring see the guest's own flags. */
    bool (*owns_exit)(struct vcpu *vcpu, enum hv_verdict *verdict);

    /* A handler completed the instruction that was being single-stepped (no trap will follow):
     * true when the debugger takes it as its step, *verdict as in owns_exit. */
    bool (*step_done)(struct vcpu *vcpu, enum hv_verdict *verdict);

    /* Stopped: talks to the line until resumed. Never returns while the guest must stand still. */
    void (*stopped)(struct vcpu *vcpu, enum hv_stop_why why);

    /* Running: drains the line's receiver; true when somebody asked for a stop. */
    bool (*poll)(struct vcpu *vcpu);

    /* Before each entry while vcpu->single_step is set, and before the first one after a stop: sets
     * up a step, or the step over a breakpoint. Looks at vcpu->inject and may replace it. */
    void (*before_entry)(struct vcpu *vcpu);

    /* Bytes of the guest's console (emulated UART) towards the line. */
    void (*console_out)(const uint8_t *bytes, unsigned len_bytes);

    /* The machine is about to end: waits, for a bounded time, until the line has taken everything. */
    void (*flush)(void);

    /* Is anybody attached? (no: the crash record is printed as text) */
    bool (*attached)(void);
};

extern struct hv_debug_hooks hv_debug;

/* dbg/target_hooks.c: fills hv_debug and takes over the log. Needs hv_caps, the UART and the clock. */
void dbg_init(void);

/* core/uart16550.c: what came for the guest's console; the debugger calls it while it polls. */
void uart16550_input(const uint8_t *bytes, unsigned len_bytes);
