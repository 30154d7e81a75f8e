/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine state to judge: VMCS or VMCB fields by table row, capability MSRs, MSR lists, and the few
 * facts about the CPU that decide rules. Each value has a presence bit: a rule that misses a value
 * says "cannot tell", never "fine". The hypervisor fills one from the live VMCS/VMCB, the host from a
 * crash record, a test by hand.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Row numbers of the field tables. */
enum vmcs_row {
#define VMCS_FIELD(encoding, width, name, access, text) VMCS_ROW_##name,
#include "protocol/vmcs_fields.def"
#undef VMCS_FIELD
    VMCS_ROW_COUNT
};

enum vmcb_row {
#define VMCB_FIELD(offset, size_bytes, name, access, text) VMCB_ROW_##name,
#include "protocol/vmcb_fields.def"
#undef VMCB_FIELD
    VMCB_ROW_COUNT
};

#define SNAPSHOT_ROWS_MAX 256u
_Static_assert(VMCS_ROW_COUNT <= SNAPSHOT_ROWS_MAX, "VMCS rows fit");
_Static_assert(VMCB_ROW_COUNT <= SNAPSHOT_ROWS_MAX, "VMCB rows fit");

#define SNAPSHOT_CAPS_MAX   32u
#define SNAPSHOT_LIST_MAX   16u
#define SNAPSHOT_ABSENT_ROW 0xffffu

/* Pseudo indices among the capability MSRs: bits that CPUID announces for this CPU. */
#define SNAPSHOT_CAP_CR4_KNOWN  0xffff0004u
#define SNAPSHOT_CAP_EFER_KNOWN 0xffff0080u
#define SNAPSHOT_CAP_SGX        0xffff0007u /* 1: the CPU has SGX */
#define SNAPSHOT_CAP_RTM        0xffff0008u /* 1: the CPU has RTM */

struct snapshot_msr {
    uint32_t index, reserved;
    uint64_t value;
};

struct snapshot_list {
    bool present;
    uint16_t count;
    struct snapshot_msr entries[SNAPSHOT_LIST_MAX];
};

struct snapshot {
    bool svm;
    uint64_t field[SNAPSHOT_ROWS_MAX]; /* by enum vmcs_row or enum vmcb_row */
    uint64_t present[SNAPSHOT_ROWS_MAX / 64];
    struct snapshot_msr caps[SNAPSHOT_CAPS_MAX]; /* capability MSRs: 480h-492h, VM_CR ... */
    uint8_t caps_count;
    uint8_t maxphyaddr_bits; /* 0: unknown */
    uint8_t linear_bits;     /* 48 or 57; 0: unknown, taken as 48 */
    bool host_long_mode;     /* IA32_EFER.LMA of the hypervisor at the entry */
    bool host_mode_known;
    bool smm;                  /* the entry is made from SMM */
    uint64_t current_vmcs_hpa; /* 0: unknown */
    uint32_t revision_id;      /* VMCS revision found at the link pointer, if link_revision_known */
    bool link_revision_known;
    uint8_t vtpr; /* TPR in the virtual-APIC page, if vtpr_known */
    bool vtpr_known;
    uint64_t vmcb_hpa; /* SVM; 0: unknown */
    struct snapshot_list entry_load, exit_store, exit_load;
};

void snapshot_clear(struct snapshot *s, bool svm);
void snapshot_set(struct snapshot *s, uint16_t row, uint64_t value);
static inline bool snapshot_has(const struct snapshot *s, uint16_t row)
{
    return s->present[row / 64] >> (row % 64) & 1;
}

/* Adds or replaces a capability MSR; ignored when the table is full (the rule then cannot tell). */
void snapshot_set_cap(struct snapshot *s, uint32_t index, uint64_t value);
bool snapshot_cap(const struct snapshot *s, uint32_t index, uint64_t *value);
