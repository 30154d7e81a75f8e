/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The exit ring: the last exits of one vCPU as fixed binary records, always on. Written with plain
 * stores by the CPU that owns it; the debugger and the crash record read it while the vCPU stands.
 */
#pragma once

#include "core/vcpu.h"

/* Little-endian, no padding: the debugger sends it over the line as it is. */
struct ring_record {
    uint64_t tsc;    /* at the exit */
    uint64_t number; /* exits since start, 1 for the first */
    union {
        struct {
            uint32_t raw_reason;
            uint8_t kind;    /* enum hv_exit_kind */
            uint8_t verdict; /* enum hv_verdict; 0xff: not finished (the exit being handled) */
            uint16_t cs;
        };
        uint64_t head; /* the four as one word, for ring_fast() */
    };
    uint64_t raw_info[2];
    uint64_t rip, rsp, rflags;
    uint64_t cr0, cr3, cr4, efer; /* cr0, cr4, efer: as the guest last wrote them */
    uint64_t rax, rcx, rdx, rbx;
    uint64_t value;   /* the exit's own: new CR value, MSR value (RDMSR: what the guest got), OUT
                         * value, gpa; CPUID: ECX that the guest got */
    uint64_t event;   /* event whose delivery the exit interrupted, ring_pack_event() */
    uint64_t inject;  /* event injected at the next entry */
    uint32_t changed; /* HV_CHANGED_* of the handler */
    uint32_t cycles;  /* TSC ticks until the handler was done, saturated */
};
_Static_assert(sizeof(struct ring_record) == 160, "records are sent as they are");

struct exit_ring {
    uint32_t mask;  /* records - 1 */
    uint64_t count; /* records ever begun; the last is record[(count - 1) & mask] */
    uint64_t kind_count[HV_EXIT_KIND_COUNT];
    uint64_t kind_cycles[HV_EXIT_KIND_COUNT];
    struct ring_record record[];
};

#define RING_DEFAULT_RECORDS 1024u
#define RING_MAX_RECORDS     65536u

/* Allocates a ring of `records` (rounded down to a power of two, within limits) for the vCPU.
 * Returns NULL, or one sentence when the pool is empty. */
const char *ring_init(struct vcpu *vcpu, uint32_t records);

/* At the exit, after decoding; and when the verdict is known. */
void ring_begin(struct vcpu *vcpu);
void ring_end(struct vcpu *vcpu, enum hv_verdict verdict);

/* The exit's own value, when it is known only after the handler. */
static inline void ring_fast_value(struct vcpu *vcpu, uint64_t value)
{
    vcpu->ring->record[(vcpu->ring->count - 1) & vcpu->ring->mask].value = value;
}

/* The record `back` exits before the last one (0: the last), or NULL. */
const struct ring_record *ring_last(const struct vcpu *vcpu, uint64_t back);

/* vector, type << 8, error valid << 11, valid << 31 and error code << 32: EVENTINJ's own layout. */
uint64_t ring_pack_event(const struct hv_event *event);

/*
 * The whole record of a hot exit whose handler changes general registers only: no RDX, no RBX, no
 * cycles. The fences keep the compiler from loading everything first, which costs pushes and pops.
 */
static inline void ring_fast(struct vcpu *vcpu, enum hv_exit_kind kind, uint32_t raw_reason)
{
    struct exit_ring *ring = vcpu->ring;
    struct ring_record *record = &ring->record[ring->count++ & ring->mask];

    /* The verdict is HV_RESUME: 0. */
    record->head = raw_reason | (uint64_t)kind << 32 | (uint64_t)vcpu->exit.cs_selector << 48;
    record->tsc = __builtin_ia32_rdtsc();
    record->number = ++vcpu->exit_count;
#define RING_FENCE() __asm__ volatile("" : : : "memory")
#define RING_COPY(to_, from_)                                                                      \
    do {                                                                                           \
        record->to_ = (from_);                                                                     \
        RING_FENCE();                                                                              \
    } while (0)
    RING_COPY(rip, vcpu->regs.rip);
    RING_COPY(rsp, vcpu->regs.rsp);
    RING_COPY(rflags, vcpu->regs.rflags);
    RING_COPY(cr0, vcpu->cr0_wrote);
    RING_COPY(cr3, vcpu->exit.cr3);
    RING_COPY(cr4, vcpu->cr4_wrote);
    RING_COPY(efer, vcpu->efer_wrote);
    RING_COPY(rax, vcpu->regs.rax);
    RING_COPY(rcx, vcpu->regs.rcx);
#undef RING_COPY
#undef RING_FENCE
    record->raw_info[0] = record->raw_info[1] = record->rdx = record->rbx = 0;
    record->value = record->event = record->inject = 0;
    record->changed = HV_CHANGED_GPR | HV_CHANGED_RIP;
    record->cycles = 0; /* and kind_count is exit_stats_flush()'s */
}
