/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside the VMX room: what this CPU can do, what a guest CPU needs beyond struct vcpu, and the
 * functions that the files of the room share. Nobody outside includes this.
 */
#pragma once

#include "core/backend.h"
#include "vmx/vmcs.h"
#include "vmx/vmx_bits.h"

/* Capability MSRs as read once by probe(); constant afterwards. */
struct vmx_caps {
    uint64_t basic, misc, ept_vpid;
    uint64_t pin, proc, proc2, exit, entry; /* low half: must be 1; high half: may be 1 */
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};
extern struct vmx_caps vmx_caps;

/* May every bit of `bits` be 1 in the control described by `capability`? */
static inline bool vmx_may_set(uint64_t capability, uint32_t bits)
{
    return ((uint32_t)(capability >> 32) & bits) == bits;
}

/* The wanted bits plus those the CPU insists on. What it does not offer was refused by probe(). */
static inline uint32_t vmx_merge(uint64_t capability, uint32_t wanted)
{
    return wanted | (uint32_t)capability;
}

struct vmx_cpu { /* struct cpu.vendor */
    void *vmxon_region;
};

struct vmx_vcpu { /* struct vcpu.vendor */
    void *vmcs;
    uint8_t *io_bitmap;              /* two pages: A and B */
    uint8_t *msr_bitmap;             /* one page */
    struct hv_msr_entry *guest_area; /* VM-entry load and VM-exit store: the same memory */
    struct hv_msr_entry *host_area;  /* VM-exit load */
    uint32_t guest_area_count;
    uint64_t eptp;
    uint32_t proc;          /* in force, so that one bit can change without a VMREAD */
    uint32_t exit_controls; /* without "save VMX-preemption timer value" */
    uint32_t timer_ticks;   /* period of the preemption timer; 0: not armed */
    bool timer_saved;       /* exits keep what is left of the period */
    uint16_t vpid;          /* 0: not used */
    bool efer_in_area;
    bool launched;
    bool step_tf;   /* single step by RFLAGS.TF: set at entry, taken out again at exit */
    bool own_tf;    /* the guest's own TF at that entry */
    bool attention; /* run() has something to do before entering: vmx_attention() */
    bool pending_nmi;
    bool pending_intr; /* waits for an open window */
    uint8_t pending_intr_vector;
};

static inline struct vmx_vcpu *vmx_of(const struct vcpu *vcpu)
{
    return vcpu->vendor;
}

/* Everything that run() must look at before an entry, folded into the one test it makes. */
static inline void vmx_attention(struct vmx_vcpu *vmx)
{
    vmx->attention = vmx->step_tf || vmx->pending_nmi || vmx->pending_intr ||
                     (vmx->timer_ticks && !vmx->timer_saved);
}

/* vmx_entry.S. Enters the guest with regs; 0: it came back, and regs hold the guest's registers.
 * 1: VMfailInvalid, 2: VMfailValid; regs are then untouched. */
int vmx_enter(struct guest_regs *regs, bool launched);
extern const char vmx_exit_landing[]; /* host RIP of every VMCS */
/* Ends the blocking of NMIs that an NMI exit leaves behind in root mode, by an IRET to itself. */
void vmx_unblock_nmis(void);

/* vmx_exit.c. Fills vcpu->exit from the current VMCS; needs vcpu->regs complete. */
void vmx_decode(struct vcpu *vcpu, uint32_t reason);
/* The entry never left root mode: VM-instruction error as given (0 for VMfailInvalid). */
void vmx_decode_vmfail(struct vcpu *vcpu, uint32_t instr_error);

/* vmcs_setup.c. */
const char *vmx_vcpu_init(struct vcpu *vcpu, uint64_t nested_root_hpa);
void vmx_set_intercepts(struct vcpu *vcpu, const struct hv_intercepts *wanted);
void vmx_msr_intercept(struct vcpu *vcpu, uint32_t index, uint8_t access, bool on);
uint8_t *vmx_io_bitmap(struct vcpu *vcpu);
void vmx_window_request(struct vcpu *vcpu, uint32_t proc_bit, bool on);

/* vmx_state.c. */
uint64_t vmx_get(struct vcpu *vcpu, enum hv_state what);
void vmx_set(struct vcpu *vcpu, enum hv_state what, uint64_t value);
struct hv_segment vmx_get_segment(struct vcpu *vcpu, enum hv_seg seg);
void vmx_set_segment(struct vcpu *vcpu, enum hv_seg seg, const struct hv_segment *value);
void vmx_set_cr(struct vcpu *vcpu, uint8_t index, uint64_t real, uint64_t read);
void vmx_set_efer(struct vcpu *vcpu, uint64_t real);
uint64_t vmx_get_efer(struct vcpu *vcpu);
int vmx_msr_area(struct vcpu *vcpu, struct hv_msr_entry *entries, int max);
int vmx_msr_area_set(struct vcpu *vcpu, uint32_t index, uint64_t value);
int vmx_field_read(struct vcpu *vcpu, uint32_t field, uint64_t *value);
int vmx_field_write(struct vcpu *vcpu, uint32_t field, uint64_t value);
void vmx_nested_flush(struct vcpu *vcpu);
/* Drops the linear translations of the guest (after a CR write that the CPU did not see). */
void vmx_tlb_flush(struct vcpu *vcpu);

/* vmx_selfcheck.c. Does an advertised monitor trap flag really exit? Needs VMX operation and no
 * current VMCS that matters. */
bool vmx_mtf_works(struct cpu *cpu);

/* vmcs_setup.c: host state of the current VMCS for this CPU. */
void vmx_setup_host(const struct cpu *cpu);

/* Each returns false on VMfail. */
static inline bool vmx_vmptrld(uint64_t region_hpa)
{
    bool failed;
    __asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(region_hpa) : "memory");
    return !failed;
}

static inline bool vmx_vmclear(uint64_t region_hpa)
{
    bool failed;
    __asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(region_hpa) : "memory");
    return !failed;
}
