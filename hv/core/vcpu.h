/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A guest CPU as the common code sees it. Registers that the exit assembly saves are in `regs`;
 * all other guest state is reached through the backend (backend.h), by the names of state.def.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/exit.h"

enum hv_gpr {
    GPR_RAX,
    GPR_RCX,
    GPR_RDX,
    GPR_RBX,
    GPR_RSP,
    GPR_RBP,
    GPR_RSI,
    GPR_RDI,
    GPR_R8,
    GPR_R9,
    GPR_R10,
    GPR_R11,
    GPR_R12,
    GPR_R13,
    GPR_R14,
    GPR_R15,
};

/* In hardware order, so that "register number n" of an encoding is by_index[n]. rsp, rip and
 * rflags are copied in by the backend at each exit and copied back at each entry. */
struct guest_regs {
    union {
        uint64_t by_index[16];
        struct {
            uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
        };
    };
    uint64_t rip, rflags;
};

enum hv_state {
#define HV_STATE(NAME, vmcs, vmcb) HV_ST_##NAME,
#include "core/state.def"
#undef HV_STATE
    HV_STATE_COUNT
};

enum hv_seg { HV_ES, HV_CS, HV_SS, HV_DS, HV_FS, HV_GS, HV_LDTR, HV_TR, HV_SEG_COUNT };

/* Rights in the VMX "access rights" layout: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14,
 * G 15, unusable 16. The SVM backend converts (unusable <-> P=0). */
struct hv_segment {
    uint16_t selector;
    uint32_t limit, rights;
    uint64_t base;
};

#define HV_SEG_UNUSABLE (1u << 16)

/* MSRs that the guest owns and the CPU does not switch by itself; each backend has the list. On VMX the
 * array IS the VM-entry MSR-load and VM-exit MSR-store area; on SVM it is a view of the VMCB. */
struct hv_msr_entry {
    uint32_t index, reserved;
    uint64_t value;
};
#define HV_MSR_AREA_MAX 16

struct cpu;        /* cpu/cpu.h: the physical CPU */
struct exit_ring;  /* core/ring.h */
struct exit_stats; /* core/exit_stats.h */

struct vcpu {
    struct guest_regs regs; /* first: the exit assembly addresses it through the vcpu pointer */
    struct cpu *cpu;
    uint32_t id;
    void *vendor; /* struct vmx_vcpu or struct svm_vcpu; only the backend looks inside */

    /* The guest's faces of the control registers. `*_wrote`: last value the guest asked for (also
     * what it reads back, with the bits the hypervisor pretends). Real values: backend get(). */
    uint64_t cr0_wrote, cr4_wrote, efer_wrote;
    uint64_t cr2;        /* loaded by hand around each entry */
    uint64_t dr[4], dr6; /* the guest's own DR0-3 and DR6 while the debugger borrows them */
    uint64_t dr7_wrote;
    bool dr_borrowed; /* DR0-3 and DR7 of the CPU are the debugger's mix just now */
    uint64_t xcr0;

    struct hv_exit exit; /* the last exit; what `info exit` and the crash record show */
    uint64_t exit_tsc, exit_count;
    struct hv_event inject; /* injected at the next entry, then cleared by the backend */
    struct exit_ring *ring;
    struct exit_stats *stats;
    struct { /* fast CPUIDs of one leaf at one place, not yet in `stats` */
        uint64_t rip, count;
        uint32_t leaf;
        uint16_t cs;
    } cpuid_run;
    struct
    { /* the last page read through the guest's tables; good while each entry still reads so */
        uint64_t cr0, cr3, cr4, efer, page_gva;
        const uint8_t *page; /* NULL: nothing kept */
        const void *at[5];
        uint64_t entry[5];
        uint8_t levels, entry_bytes;
    } kept_walk;
    uint32_t changed; /* HV_CHANGED_*: which guest state the last handler wrote (for the ring) */
    bool dead;        /* final stop seen; never entered again unless the debugger clears it */
    bool halted;      /* its HLT with IF=0 runs with the intercept lifted, at halted_rip */
    uint8_t halted_len_bytes;
    uint64_t halted_rip;
    uint64_t lifted;      /* kinds whose intercept is off until the next exit (intercept_lift) */
    uint64_t lifted_rip;  /* of the instruction that it was lifted for */
    uint8_t stop_why;     /* enum hv_stop_why of hooks.h, set with the verdict HV_STOP */
    const char *dead_why; /* one sentence, set with `dead` */
    struct { /* the exit that stopped before its handler: it is not stopped for again */
        bool valid;
        enum hv_exit_kind kind;
        uint64_t rip;
    } pass_once;
    struct { /* the nested page fault that was answered by trying again, see exit_paging.c */
        uint64_t rip, gpa;
        uint32_t count;
    } retried;
    bool as_is;       /* self-test: enter with the state as it stands, repair nothing */
    bool single_step; /* the debugger wants one instruction */
    bool stepped;     /* a handler completed an instruction while single_step was set */
};

enum {
    HV_CHANGED_RIP = 1u << 0,
    HV_CHANGED_GPR = 1u << 1,
    HV_CHANGED_CR0 = 1u << 2,
    HV_CHANGED_CR3 = 1u << 3,
    HV_CHANGED_CR4 = 1u << 4,
    HV_CHANGED_EFER = 1u << 5,
    HV_CHANGED_MSR = 1u << 6,
    HV_CHANGED_INJECT = 1u << 7,
    HV_CHANGED_MODE = 1u << 8,
    HV_CHANGED_NESTED = 1u << 9,
};

/*
 * core/vcpu.c: what handlers do to the guest CPU. All of them keep `changed` up to date.
 */

/* General registers, segments and debug registers as after power-up; the backend calls it from its
 * vcpu_init and adds what only it knows. A guest loader overwrites what its boot protocol says otherwise. */
void vcpu_power_up(struct vcpu *vcpu);

/* Length of the instruction that exited: the backend's, or the decoder's. 0: it cannot be known
 * (the bytes are unreadable or no instruction); the handler then answers HV_DEAD. */
uint8_t vcpu_instr_len(struct vcpu *vcpu);

/* The instruction at CS:RIP, fetched through the guest's paging (see core/insn.h). */
struct insn vcpu_decode(struct vcpu *vcpu);

/* The exiting instruction is complete: RIP moves behind it (wrapping as the mode does), the
 * STI/MOV-SS shadow ends, RF clears, and a guest that runs with TF gets its trap. Returns false, with
 * nothing changed, when the length cannot be known. */
bool vcpu_advance(struct vcpu *vcpu);

/* Injects at the next entry; an event whose delivery the exit interrupted is combined with it as
 * the SDM's "Conditions for Generating a Double Fault" says. */
void vcpu_inject_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error_code);
void vcpu_inject_ud(struct vcpu *vcpu);
void vcpu_inject_gp(struct vcpu *vcpu); /* #GP(0) */
void vcpu_inject_pf(struct vcpu *vcpu, uint64_t gva, uint32_t error_code);

/* The guest cannot go on: notes why and returns HV_DEAD. */
enum hv_verdict vcpu_dead(struct vcpu *vcpu, const char *why);

/* 16, 32 or 64: how the guest's CPU reads code now. */
uint8_t vcpu_code_bits(struct vcpu *vcpu);
uint8_t vcpu_cpl(struct vcpu *vcpu);

static inline bool vcpu_long_mode(const struct vcpu *vcpu)
{
    return vcpu->efer_wrote & (UINT64_C(1) << 10); /* LMA is kept there by exit_cr.c, exit_msr.c */
}
