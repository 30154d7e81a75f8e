/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The vendor contract: everything the common code may ask of VMX or SVM. Two tables of these exist
 * (hv/vmx/vmx.c, hv/svm/svm.c); core/main.c chooses one at boot and stores it in `hv_backend`.
 * A backend decodes and programs; policy and handling are common.
 */
#pragma once

#include "core/vcpu.h"

/* What must leave the guest. Core fills its own needs and the debugger's wishes; the backend turns
 * it into control bits. MSR and I/O bitmaps are separate (msr_intercept(), io_bitmap()). */
struct hv_intercepts {
    uint64_t kinds;      /* HV_KIND_BIT()s wanted in any case */
    uint32_t exceptions; /* bit per vector */
    uint64_t cr0_mask;   /* CR0 bits whose change must exit (~0: every changing write) */
    uint64_t cr4_mask;
    bool step; /* leave after one guest instruction */
};

/* Facts fixed at start-up; shown by `info caps`, `qtl.hello`. */
struct hv_caps {
    const char *vendor;   /* "vmx" or "svm" */
    const char *platform; /* "qemu-tcg", "bochs", "kvm", "hardware" */
    bool mtf, nrip, decode_assists, nested_1g, preemption_timer, efer_in_area, vnmi;
    bool halt_forgotten; /* an exit out of HLT leaves no trace that the guest was halted */
    bool shadow_lost;    /* an interrupt shadow does not survive exit and entry */
    bool pending_debug; /* state PENDING_DEBUG exists: a trap owed to the guest waits there (VMX) */
    uint8_t maxphyaddr_bits;
    /* Instructions that need an enabling control of the backend; CPUID shows only what is true here. */
    bool guest_rdtscp, guest_invpcid, guest_xsaves, guest_waitpkg;
};

struct hv_backend {
    const char *name;

    /* Checks that this machine has everything needed. Returns NULL, or one plain sentence that
     * names the missing feature and says what to do. Changes nothing. */
    const char *(*probe)(struct hv_caps *caps);

    /* Turns virtualisation on for this CPU (VMXON; EFER.SVME and VM_HSAVE_PA). NULL or sentence. */
    const char *(*cpu_init)(struct cpu *cpu);

    /* Allocates and fills the VMCS or VMCB with the power-up state; nested_root_hpa is the EPT/NPT
     * root built by core/nested.c. The guest loader then writes the entry state with set(). */
    const char *(*vcpu_init)(struct vcpu *vcpu, uint64_t nested_root_hpa);

    /* Enters the guest and comes back with vcpu->exit decoded: regs, kind, raw values, event. Also
     * consumes vcpu->inject. A failed entry comes back as HV_EXIT_ENTRY_FAILURE. No policy. */
    void (*run)(struct vcpu *vcpu);

    uint64_t (*get)(struct vcpu *vcpu, enum hv_state what);
    void (*set)(struct vcpu *vcpu, enum hv_state what, uint64_t value);
    struct hv_segment (*get_segment)(struct vcpu *vcpu, enum hv_seg seg);
    void (*set_segment)(struct vcpu *vcpu, enum hv_seg seg, const struct hv_segment *value);

    /* CR0, CR4, EFER with everything that hangs on them: shadows and masks, "IA-32e mode guest"
     * after EFER.LMA, PDPTEs are the caller's. `real` is what the CPU shall hold (fixed bits are
     * merged in by the backend), `read` what the guest reads back. */
    void (*set_cr)(struct vcpu *vcpu, uint8_t index, uint64_t real, uint64_t read);
    void (*set_efer)(struct vcpu *vcpu, uint64_t real);

    void (*set_intercepts)(struct vcpu *vcpu, const struct hv_intercepts *wanted);
    void (*msr_intercept)(struct vcpu *vcpu, uint32_t index, uint8_t access, bool on);
    uint8_t *(*io_bitmap)(struct vcpu *vcpu); /* 8 KiB, bit per port; same layout on both vendors */

    /* Guest MSRs kept by the area (VMX) or the VMCB (SVM): entry n, or -1 when index is not there. */
    int (*msr_area)(struct vcpu *vcpu, struct hv_msr_entry *entries, int max);
    int (*msr_area_set)(struct vcpu *vcpu, uint32_t index, uint64_t value);

    /* Raw fields by number (VMCS encoding, VMCB offset) for the debugger; 0 or -1 (no such field,
     * or not writable). Width and name come from the protocol tables. */
    int (*field_read)(struct vcpu *vcpu, uint32_t field, uint64_t *value);
    int (*field_write)(struct vcpu *vcpu, uint32_t field, uint64_t value);

    void (*nested_flush)(struct vcpu *vcpu); /* after an EPT/NPT edit */
};

extern const struct hv_backend *hv_backend; /* chosen once, by core/main.c */
extern struct hv_caps hv_caps;
extern const struct hv_backend vmx_backend, svm_backend;
