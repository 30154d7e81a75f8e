/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What left the guest, in words both vendors share. A backend fills struct hv_exit and does nothing
 * else; the dispatcher, the handlers, the ring and the debugger read it and know no vendor.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum hv_exit_kind {
#define EXIT_KIND(NAME, word, text) HV_EXIT_##NAME,
#include "protocol/exit_kinds.def"
#undef EXIT_KIND
    HV_EXIT_KIND_COUNT
};

_Static_assert(HV_EXIT_KIND_COUNT <= 64, "kind masks are 64 bits wide");

#define HV_KIND_BIT(kind_) (UINT64_C(1) << (kind_))

enum hv_access { HV_READ = 1, HV_WRITE = 2, HV_EXEC = 4 };

/* Event types as both vendors encode them (VMX interruption type; SVM EVENTINJ uses 0, 2, 3, 4). */
enum hv_event_type {
    HV_EVENT_INTR = 0,
    HV_EVENT_NMI = 2,
    HV_EVENT_HW_EXCEPTION = 3,
    HV_EVENT_SOFT_INT = 4,
    HV_EVENT_PRIV_SW_EXCEPTION = 5, /* ICEBP */
    HV_EVENT_SW_EXCEPTION = 6,      /* INT3, INTO */
};

/* An event being delivered, or to be injected. */
struct hv_event {
    bool valid;
    uint8_t vector;
    uint8_t type; /* enum hv_event_type */
    bool has_error;
    uint32_t error_code;
    uint8_t instr_len_bytes; /* soft types only */
};

/*
 * One exit. `kind`, `raw_*`, `instr_len_bytes` and `event` are filled by the backend's decode() for
 * every exit; the union only for its kind. RIP still points at the instruction (or behind it for
 * trap-like exits, where instr_len_bytes is 0).
 */
struct hv_exit {
    enum hv_exit_kind kind;
    uint8_t instr_len_bytes; /* 0: no instruction intercept, or unknown: vcpu_instr_len() */
    uint64_t raw_reason;  /* VMX: whole exit-reason field; SVM: EXITCODE, sign-extended from 32 */
    uint64_t raw_info[2]; /* VMX: qualification, guest-linear address; SVM: EXITINFO1, EXITINFO2 */
    /* Read once at every exit, so that the ring and the handlers of hot exits need no more. */
    uint16_t cs_selector;
    bool shadow; /* the guest is in an STI or MOV-SS shadow */
    uint64_t cr3;
    struct hv_event event; /* IDT-vectoring information, EXITINTINFO (quirks already mended) */
    union {
        struct {
            uint8_t index;  /* 0, 2, 3, 4, 8 */
            uint8_t access; /* HV_READ or HV_WRITE */
            uint8_t gpr;    /* by_index number; meaningful for MOV only */
            uint8_t insn;   /* enum hv_cr_insn */
            uint64_t value; /* new value the guest asks for (LMSW and CLTS already merged) */
            uint64_t old;   /* what the guest would read now */
        } cr;
        struct {
            uint8_t index, access, gpr;
        } dr;
        struct {
            uint32_t index;
            uint64_t value; /* WRMSR: EDX:EAX */
        } msr;
        struct {
            uint32_t leaf, subleaf;
        } cpuid;
        struct {
            uint16_t port;
            uint8_t size_bytes;
            bool in, string, rep;
            uint8_t addr_bytes; /* string: 2, 4, 8 */
            uint8_t segment;    /* string: enum hv_seg */
            uint64_t value;     /* OUT: value written, masked to size */
        } io;
        struct {
            uint8_t vector;
            bool has_error;
            uint8_t type; /* enum hv_event_type: how it was raised */
            uint32_t error_code;
            uint64_t address; /* #PF: CR2 to be; #DB: the DR6 bits to be (positive logic) */
        } exception;
        struct {
            uint64_t gpa;
            uint64_t gva;   /* valid if gva_valid */
            uint8_t access; /* HV_READ | HV_WRITE | HV_EXEC */
            bool gva_valid, page_walk;
            bool present; /* the translation existed but its rights forbade the access */
        } nested;
        struct {
            uint32_t index; /* XCR number */
            uint64_t value;
        } xsetbv;
        struct {
            uint32_t reason;      /* 33, 34, 41 (VMX); 0 for VMfail; VMEXIT_INVALID: -1 */
            uint32_t instr_error; /* VMX: VM-instruction error, 0 if the entry got further */
        } entry;
        struct {
            uint64_t gva;
        } invlpg;
    };
};

enum hv_cr_insn { HV_CR_MOV, HV_CR_CLTS, HV_CR_LMSW, HV_CR_SMSW };

/* What a handler, or the debugger, decided. */
enum hv_verdict {
    HV_RESUME, /* handled: enter the guest again */
    HV_STOP,   /* stop in the debugger (or crash record when nobody is attached); state untouched */
    HV_DEAD,   /* final stop: the guest cannot go on (triple fault, failed entry, unhandled exit) */
};
