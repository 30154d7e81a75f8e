/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside the SVM room: what a guest CPU needs beyond struct vcpu, the quirks in force, and the
 * functions that the files of the room share. Nobody outside includes this.
 */
#pragma once

#include "core/backend.h"
#include "cpu/x86.h"
#include "svm/vmcb.h"

enum svm_quirk_bit {
    SVM_QUIRK_no_bp_intercept = 1u << 0,
    SVM_QUIRK_raw_dr7 = 1u << 1,
    SVM_QUIRK_event_type = 1u << 2,
    SVM_QUIRK_lost_event = 1u << 3,
    SVM_QUIRK_clobbered_save = 1u << 4,
    SVM_QUIRK_cr2_not_loaded = 1u << 5,
    SVM_QUIRK_dr6_not_saved = 1u << 6,
    SVM_QUIRK_late_lme = 1u << 7,
    SVM_QUIRK_stray_db = 1u << 8,
};

/* CPUID Fn8000_000A, and quirks; read once by probe(), constant afterwards. */
struct svm_caps {
    uint32_t features; /* EDX */
    uint32_t asid_count;
    uint32_t quirks; /* SVM_QUIRK_* */
};
extern struct svm_caps svm_caps;

static inline bool svm_quirk(uint32_t bit)
{
    return svm_caps.quirks & bit;
}

/* Operands of LIDT for svm_enter(): while the guest's TSS may be loaded, and afterwards. */
struct svm_idts {
    struct table_reg without_ist, own;
} __attribute__((packed));

struct svm_cpu { /* struct cpu.vendor */
    uint64_t
        host_vmcb_hpa;     /* VMSAVE image of our own FS, GS, TR, LDTR, SYSCALL and SYSENTER MSRs */
    struct svm_idts *idts; /* NULL: no stray #DB here */
};

struct svm_vcpu { /* struct vcpu.vendor */
    union vmcb *vmcb;
    uint64_t vmcb_hpa;
    union vmcb
        *shadow;    /* save area before the entry, where a failed VMRUN destroys it; else NULL */
    bool refused;   /* the last VMRUN did not enter the guest */
    bool edited;    /* we wrote the VMCB since the last exit: only then can VMRUN refuse it */
    uint8_t *iopm;  /* three pages */
    uint8_t *msrpm; /* two pages */

    uint64_t efer; /* the guest's, without SVME; the VMCB's can lack LME while paging is off */
    uint64_t cr0_read, cr4_read; /* what the guest reads; a difference to the VMCB is intercepted */
    struct hv_intercepts wanted;

    bool step;         /* leave after one instruction: RFLAGS.TF is ours during the entry */
    bool own_tf;       /* the guest's own TF at that entry */
    bool dr6_parked;   /* #DB is intercepted: the VMCB's DR6 only collects what a trap reports, */
    uint64_t dr6;      /* and the guest's own is here */
    bool pending_intr; /* an interrupt to inject that the guest cannot take yet */
    uint8_t pending_intr_vector;

    struct { /* software interrupt being injected: RIP goes back if its delivery is interrupted */
        bool valid;
        uint8_t vector;
        uint64_t rip, next_rip;
    } soft;
};

static inline struct svm_vcpu *svm_of(const struct vcpu *vcpu)
{
    return vcpu->vendor;
}

/* As svm_of(), by whoever is going to write state or controls. */
static inline struct svm_vcpu *svm_edit(const struct vcpu *vcpu)
{
    struct svm_vcpu *svm = vcpu->vendor;

    svm->edited = true;
    return svm;
}

/* svm_entry.S. Runs the guest until #VMEXIT. RAX, RSP, RIP, RFLAGS travel in the VMCB; the other
 * general registers in regs. Leaves our own FS, GS, TR, ... loaded, GIF set. */
void svm_enter(struct guest_regs *regs, uint64_t vmcb_hpa, uint64_t host_vmcb_hpa,
               const struct svm_idts *idts);
extern const char svm_vmrun[];    /* the VMRUN instruction */
extern const char svm_stray_db[]; /* #DB entry of the IDT without IST */

/* svm_run.c */
void svm_run(struct vcpu *vcpu);
void svm_acknowledge(struct vcpu *vcpu); /* after an INTR exit: fills exit.exception */

/* svm_exit.c. Fills vcpu->exit from the VMCB; needs vcpu->regs complete. False: the exit was our own
 * affair (a write that changes nothing, a borrowed intercept), it is done, enter again. */
bool svm_decode(struct vcpu *vcpu);
enum hv_exit_kind svm_kind_of_code(int64_t code);
/* svm_exit_insn.c: exits whose instruction has to be looked at. */
bool svm_decode_cr(struct vcpu *vcpu, uint8_t index, bool write);
void svm_decode_dr(struct vcpu *vcpu, uint8_t index, bool write);
void svm_decode_io(struct vcpu *vcpu);
void svm_decode_invlpg(struct vcpu *vcpu);
bool svm_decode_int_n(struct vcpu *vcpu);
/* VMEXIT_INVALID in the middle of the guest: true when it was a MOV CR3 that deserves #GP (injected). */
bool svm_mend_bad_cr3(struct vcpu *vcpu);

/* svm_event.c: struct hv_event <-> EVENTINJ, EXITINTINFO. */
struct hv_event svm_event_decode(uint64_t exit_int_info);
void svm_event_load(struct vcpu *vcpu);  /* before an entry: consumes vcpu->inject */
void svm_event_after(struct vcpu *vcpu); /* after an exit: vcpu->exit.event */
/* The highest vector that our IDT has noted and nobody has passed on; 0: none. */
uint8_t svm_next_interrupt(struct cpu *cpu);

/* vmcb_setup.c */
const char *svm_vcpu_init(struct vcpu *vcpu, uint64_t nested_root_hpa);
void svm_set_intercepts(struct vcpu *vcpu, const struct hv_intercepts *wanted);
void svm_apply_intercepts(struct svm_vcpu *svm); /* after something they depend on changed */
void svm_msr_intercept(struct vcpu *vcpu, uint32_t index, uint8_t access, bool on);
uint8_t *svm_io_bitmap(struct vcpu *vcpu);

/* svm_state.c */
uint64_t svm_get(struct vcpu *vcpu, enum hv_state what);
void svm_set(struct vcpu *vcpu, enum hv_state what, uint64_t value);
struct hv_segment svm_get_segment(struct vcpu *vcpu, enum hv_seg seg);
void svm_set_segment(struct vcpu *vcpu, enum hv_seg seg, const struct hv_segment *value);
void svm_set_cr(struct vcpu *vcpu, uint8_t index, uint64_t real, uint64_t read);
void svm_set_efer(struct vcpu *vcpu, uint64_t real);
int svm_msr_area(struct vcpu *vcpu, struct hv_msr_entry *entries, int max);
int svm_msr_area_set(struct vcpu *vcpu, uint32_t index, uint64_t value);
int svm_field_read(struct vcpu *vcpu, uint32_t field, uint64_t *value);
int svm_field_write(struct vcpu *vcpu, uint32_t field, uint64_t value);
void svm_nested_flush(struct vcpu *vcpu);
/* Moves the guest's DR6 between VMCB and svm->dr6 as #DB is intercepted or not. */
void svm_park_dr6(struct svm_vcpu *svm, bool park);
