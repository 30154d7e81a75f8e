/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The crash record: everything a later reader needs about one stop, as a struct, as text, and back.
 * The hypervisor fills the struct from the live machine (hv/core/crash.c) and prints it; the host
 * parses a serial log into the same struct. explain.h judges the struct, so the live console, the
 * crash record in the log and `trapline explain` cannot disagree.
 *
 * The text lies between "tl: crash begin" and "tl: crash end", one item a line: "tl: WORD key=value ...".
 * protocol/README.md, "Crash record", is its specification. A reader skips words and keys it does not
 * know; a value that is missing stays absent in the struct.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/snapshot.h"

#define RECORD_REVISION    1u
#define RECORD_CODE_BYTES  32u
#define RECORD_STACK_BYTES 64u
#define RECORD_WALK_MAX    12u
#define RECORD_RING_MAX    24u
#define RECORD_GATES_MAX   12u
#define RECORD_TOUCHES_MAX 4u
#define RECORD_TRACE_MAX   16u
#define RECORD_LINE_MAX    480u /* longest line the writer makes */

enum record_why {
    RECORD_LIVE, /* no crash: the state of a stopped, living guest */
    RECORD_TRIPLE_FAULT,
    RECORD_ENTRY_FAILURE,
    RECORD_UNHANDLED, /* an exit without a handler */
    RECORD_HV_FAULT,  /* a fault or failed assertion of the hypervisor */
    RECORD_HANG,      /* stopped by hand while nothing moved */
    RECORD_WHY_COUNT
};
extern const char *const record_why_words[RECORD_WHY_COUNT];

/* Paging entry on the way from RIP to memory. */
struct record_level {
    uint8_t level;      /* 5..1 */
    bool nested;        /* EPT or NPT entry, else the guest's own */
    uint64_t entry_gpa; /* ~0: taken from the CPU's PDPTE */
    uint64_t entry;
};

/* How a walk ended. */
enum record_walk {
    RECORD_WALK_UNKNOWN,
    RECORD_WALK_OK,
    RECORD_WALK_NOT_PRESENT,
    RECORD_WALK_RESERVED,
    RECORD_WALK_NON_CANONICAL,
    RECORD_WALK_NO_RAM,
    RECORD_WALK_NO_EXEC,
    RECORD_WALK_COUNT
};
extern const char *const record_walk_words[RECORD_WALK_COUNT];

/* What the instruction at RIP touches besides its own bytes, and CR2. */
enum record_touch_what {
    RECORD_TOUCH_OPERAND, /* its memory operand */
    RECORD_TOUCH_STACK,   /* what it pushes or pops */
    RECORD_TOUCH_TARGET,  /* where it jumps to, when memory or a register says so */
    RECORD_TOUCH_CR2,     /* address of the last page fault */
    RECORD_TOUCH_DESCRIPTOR, /* of the selector it loads: `at` is the selector, `entry` the descriptor */
    RECORD_TOUCH_COUNT
};
extern const char *const record_touch_words[RECORD_TOUCH_COUNT];

#define RECORD_RIGHT_WRITE 1u /* rights of all levels together */
#define RECORD_RIGHT_USER  2u
#define RECORD_RIGHT_EXEC  4u

struct record_touch {
    uint8_t what;   /* enum record_touch_what */
    uint8_t write;  /* 1: the instruction stores there */
    uint8_t stack;  /* 1: through SS, RSP or RBP (#SS and not #GP) */
    uint8_t rights; /* if it translates */
    uint8_t result; /* enum record_walk */
    uint8_t level;  /* of the entry that decided; 0: none was read */
    uint64_t gva, at, entry;
};

struct record_exit {
    uint8_t kind; /* enum tl_kind */
    uint64_t reason, info1, info2;
    uint8_t len_bytes;
    uint32_t instr_error; /* VM-instruction error of a VMfail, else 0 */
    uint64_t event; /* EVENTINJ layout: vector, type << 8, error << 11, valid << 31, code << 32 */
    uint64_t value, old, index;
};

struct record_ring {
    uint64_t number, tsc, reason, info1, info2;
    uint8_t kind;
    uint16_t cs;
    uint64_t rip, rsp, rflags, cr0, cr3, cr4, efer, rax, rcx, rdx, rbx;
    uint64_t value, event, inject;
    uint32_t changed, cycles;
};

struct record_gate {
    uint8_t vector;
    bool readable;
    uint64_t low, high; /* the descriptor; high only in long mode */
};

struct record_segment {
    uint16_t selector;
    uint32_t limit, rights; /* VMX layout; unusable is bit 16 */
    uint64_t base;
};

struct crash_record {
    uint32_t revision;
    bool complete; /* "crash end" was seen */
    enum record_why why;
    char why_text[160]; /* the hypervisor's own words for the stop */
    char platform[16];
    uint64_t exit_count;
    bool efer_in_area;
    struct record_exit exit;
    struct snapshot state; /* fields, capability MSRs, MSR lists */

    bool regs_present;
    uint64_t gpr[16], rip, rflags; /* gpr in hardware order: rax rcx rdx rbx rsp rbp rsi rdi r8.. */
    struct record_segment segment[8]; /* ES CS SS DS FS GS LDTR TR */
    uint64_t gdtr_base, idtr_base;
    uint32_t gdtr_limit, idtr_limit;
    uint64_t cr0_real, cr4_real, efer_real;    /* what the CPU holds */
    uint64_t cr0_wrote, cr4_wrote, efer_wrote; /* what the guest last wrote */
    uint64_t cr0_read, cr4_read, efer_read;    /* what the guest would read back */
    uint64_t cr2, cr3, xcr0, hw_efer;          /* hw_efer: the hypervisor's own IA32_EFER */

    bool pdptes_present; /* PAE guest: the four entries in memory at CR3 */
    uint64_t pdpte_memory[4];

    uint64_t code_gva; /* where the bytes begin: up to 16 bytes before RIP */
    uint8_t code_bytes, code[RECORD_CODE_BYTES];
    uint64_t stack_gva;
    uint8_t stack_bytes, stack[RECORD_STACK_BYTES];

    enum record_walk walk_result; /* of RIP */
    uint64_t walk_gva, walk_gpa;
    uint8_t walk_count;
    struct record_level walk[RECORD_WALK_MAX];

    uint8_t touch_count;
    struct record_touch touch[RECORD_TOUCHES_MAX];

    uint8_t gate_count;
    struct record_gate gate[RECORD_GATES_MAX];

    uint8_t ring_count;
    struct record_ring ring[RECORD_RING_MAX]; /* oldest first; the last is the final exit */

    /* RECORD_HV_FAULT */
    uint8_t fault_vector;
    uint64_t fault_error, fault_rip, fault_cr2;
    char fault_text[120];
    uint8_t trace_count;
    uint64_t trace[RECORD_TRACE_MAX];

    char verdict[2][300]; /* as printed by the hypervisor; not used to judge */
};

/* Empty record of a vendor. */
void record_clear(struct crash_record *record, bool svm);

/* Writes the record as lines (without "[time] " and line feed) through `line`. */
void record_write(const struct crash_record *record, void (*line)(void *ctx, const char *text),
                  void *ctx);

/* Feeds one line of a log (any text; what is before "tl: " is skipped). Returns true when this line
 * ended a record: the struct is then complete until the next "crash begin" clears it. Lengths, counts
 * and numbers are checked; a malformed item is dropped and counted in *bad (may be NULL). */
bool record_parse_line(struct crash_record *record, const char *line, size_t len_bytes,
                       unsigned *bad);
