/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Everything the debugger may ask of a machine. The target_*.c files fill it from core; the unit
 * tests give it a fake. No other file of this room knows what a VMCS, a VMCB or a struct vcpu is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dbg/reply.h"
#include "protocol/args.h"
#include "protocol/tables.h"

#define DBG_KIND_BIT(kind_) (UINT64_C(1) << (kind_))

enum { DBG_READ = 1, DBG_WRITE = 2, DBG_EXEC = 4 };

/* What the debugger's own logic must know of an exit; all else it reads as exit_* registers. */
struct dbg_exit {
    uint8_t kind;   /* enum tl_kind */
    uint8_t vector; /* EXCEPTION */
    uint8_t access; /* NESTED_PAGE: DBG_READ | DBG_WRITE | DBG_EXEC */
    uint32_t msr;   /* RDMSR, WRMSR */
    uint16_t port;  /* IO_IN, IO_OUT */
    uint8_t io_bytes;
    uint64_t gpa; /* NESTED_PAGE */
    uint64_t dr6; /* #DB: bits to be, 1 = it happened; 0 when the platform does not say */
};

/* Instructions that a single step must treat specially. */
enum dbg_insn_class {
    DBG_INSN_PLAIN,
    DBG_INSN_UNREADABLE, /* bytes not readable or no instruction: the guest is about to fault */
    DBG_INSN_PUSHF,
    DBG_INSN_POPF,
    DBG_INSN_IRET,
    DBG_INSN_INT,
    DBG_INSN_INT3,
    DBG_INSN_INTO,
    DBG_INSN_ICEBP,
    DBG_INSN_SYSCALL,
    DBG_INSN_SYSENTER,
    DBG_INSN_SYSRET,
    DBG_INSN_SYSEXIT,
    DBG_INSN_STI,
    DBG_INSN_CLI,
    DBG_INSN_HLT,
    DBG_INSN_MOV_SS, /* MOV or POP to SS: traps wait for the instruction behind it */
};

struct dbg_insn {
    uint8_t class; /* enum dbg_insn_class */
    uint8_t len_bytes;
    uint8_t operand_bytes; /* PUSHF, POPF, IRET, SYSRET, SYSEXIT */
    uint8_t vector;        /* INT n */
};

enum dbg_event_type {
    DBG_EVENT_EXCEPTION = 3,
    DBG_EVENT_SOFT_INT = 4,
    DBG_EVENT_ICEBP = 5,
    DBG_EVENT_SOFT_EXCEPTION = 6
};

/* Debug registers: linear addresses and a DR7. */
struct dbg_dr {
    uint64_t addr[4];
    uint64_t dr7;
};

/* Exits the debugger wants beyond core's own; all zero: none. */
struct dbg_wants {
    uint64_t kinds;
    uint32_t exceptions; /* bit per vector */
    uint64_t cr0_mask, cr4_mask;
    bool trap_flag; /* the backend's monitor trap flag; only where caps.mtf */
};

struct dbg_msr {
    uint32_t index;
    uint64_t value;
};

struct dbg_caps {
    bool mtf;             /* proven, not only advertised */
    bool dr_without_base; /* instruction breakpoints compare EIP without CS base (TCG) */
    bool dr6_silent;      /* #DB exits do not tell which condition (Bochs SVM) */
    const char *vendor, *platform;
};

/* Every function takes the machine pointer and a vCPU number below `cpus`. The ones that return int
 * give 0, or -1 for "not possible", with nothing changed. */
struct dbg_target {
    void *machine;
    unsigned cpus;
    struct dbg_caps caps;

    /* Registers by row of regs.def; values are zero-extended. A register that this platform does not
     * have (a VMCS field on SVM) gives -1. Rows of more than 64 bits go through reg_wide_*(), which take
     * the row's bytes in memory order. */
    int (*reg_read)(void *machine, unsigned cpu, unsigned regno, uint64_t *value);
    int (*reg_write)(void *machine, unsigned cpu, unsigned regno, uint64_t value);
    int (*reg_wide_read)(void *machine, unsigned cpu, unsigned regno, uint8_t *bytes);
    int (*reg_wide_write)(void *machine, unsigned cpu, unsigned regno, const uint8_t *bytes);

    /* STI and MOV-SS shadow (bit 0, bit 1), and the single-step bit of the pending debug traps. */
    uint32_t (*shadow_get)(void *machine, unsigned cpu);
    void (*shadow_set)(void *machine, unsigned cpu, uint32_t shadow);
    void (*pending_step_clear)(void *machine, unsigned cpu);

    uint8_t (*cpl)(void *machine, unsigned cpu);
    uint8_t (*code_bits)(void *machine, unsigned cpu);  /* 16, 32, 64 */
    uint8_t (*stack_bits)(void *machine, unsigned cpu); /* 16, 32, 64 */

    /* Memory: bytes done from the start, short at the first byte that cannot be reached. */
    size_t (*mem_read)(void *machine, unsigned cpu, uint64_t gva, void *buf, size_t len_bytes);
    size_t (*mem_write)(void *machine, unsigned cpu, uint64_t gva, const void *buf,
                        size_t len_bytes);
    size_t (*phys_read)(void *machine, uint64_t gpa, void *buf, size_t len_bytes);
    size_t (*phys_write)(void *machine, uint64_t gpa, const void *buf, size_t len_bytes);
    /* To RAM of the guest; -1: not mapped, or to something else. */
    int (*translate)(void *machine, unsigned cpu, uint64_t gva, uint64_t *gpa);

    /* The instruction at gva, read with the present code width. */
    struct dbg_insn (*classify)(void *machine, unsigned cpu, uint64_t gva);

    /* Event waiting for the next entry? inject() queues one (len_bytes: of a software interrupt). */
    bool (*inject_waiting)(void *machine, unsigned cpu);
    void (*inject)(void *machine, unsigned cpu, enum dbg_event_type type, uint8_t vector,
                   uint8_t len_bytes);
    void (*guest_dr6_set)(void *machine, unsigned cpu, uint64_t bits); /* ORed in */

    /* The guest's own debug registers, and what the CPU shall really hold; NULL: the guest's own. */
    void (*dr_own)(void *machine, unsigned cpu, struct dbg_dr *own);
    void (*dr_load)(void *machine, unsigned cpu, const struct dbg_dr *loaded);

    /* Takes the right to execute away from one 4 KiB page, or from all of memory, or gives it back. */
    int (*page_trap)(void *machine, uint64_t gpa, bool on);
    int (*hold)(void *machine, unsigned cpu, bool on);

    /* What must exit, replacing what was wanted before; one MSR, or a range of ports, on or off. */
    void (*intercepts)(void *machine, unsigned cpu, const struct dbg_wants *wants);
    void (*msr_intercept)(void *machine, unsigned cpu, uint32_t index, uint8_t access, bool on);
    void (*port_intercept)(void *machine, unsigned cpu, uint16_t first, uint32_t count, bool on);
    void (*armed)(void *machine, uint64_t kinds); /* mask for core's one test on the exit path */
    /* A step begins or ends: exits go through run_owns_exit() first, and a halted CPU wakes. */
    void (*stepping)(void *machine, unsigned cpu, bool on);
    void (*revive)(void *machine, unsigned cpu); /* a final stop was edited: may be entered again */

    int (*msr_read)(void *machine, unsigned cpu, uint32_t index, uint64_t *value);
    int (*msr_write)(void *machine, unsigned cpu, uint32_t index, uint64_t value);
    int (*area_read)(void *machine, unsigned cpu, struct dbg_msr *entries, int max); /* count */
    int (*area_write)(void *machine, unsigned cpu, uint32_t index, uint64_t value);
    int (*field_read)(void *machine, unsigned cpu, uint32_t field, uint64_t *value);
    int (*field_write)(void *machine, unsigned cpu, uint32_t field, uint64_t value);
    const struct dbg_exit *(*last_exit)(void *machine, unsigned cpu);

    uint64_t (*clock_us)(void *machine);
    void (*reboot)(void *machine); /* does not come back */

    /* Our own packets that are about the machine (protocol/README.md, section 4): writes the reply.
     * 0, or -(1 + enum tl_error). */
    int (*query)(void *machine, unsigned cpu, enum tl_packet packet, const char *args,
                 size_t args_len_bytes, struct reply *reply);
    /* Text objects (record, check, explain, audit): the bytes written, or as query(). */
    int (*object)(void *machine, unsigned cpu, enum tl_packet packet, const char *annex,
                  size_t annex_len_bytes, char *buf, size_t cap_bytes);
};
