/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fills the exit ring. On the path of every exit: straight stores, no read of vendor state,
 * no formatting. Rendering is crash.c's and the debugger's.
 */
#include "core/ring.h"

#include "core/exit_stats.h"
#include "cpu/mem.h"
#include "cpu/x86.h"

const char *ring_init(struct vcpu *vcpu, uint32_t records)
{
    uint32_t size = 16;
    size_t bytes;

    if (records > RING_MAX_RECORDS)
        records = RING_MAX_RECORDS;
    while (size * 2 <= records)
        size *= 2;
    bytes = sizeof(struct exit_ring) + size * sizeof(struct ring_record);
    vcpu->ring = pages_alloc((bytes + PAGE_BYTES - 1) / PAGE_BYTES);
    if (!vcpu->ring)
        return "no memory for the exit ring: use a smaller ring=N";
    vcpu->ring->mask = size - 1;
    return NULL;
}

uint64_t ring_pack_event(const struct hv_event *event)
{
    if (!event->valid)
        return 0;
    return event->vector | (uint64_t)(event->type & 7) << 8 | (uint64_t)event->has_error << 11 |
           UINT64_C(1) << 31 | (uint64_t)event->error_code << 32;
}

/* The one number of an exit that people filter by. */
static uint64_t exit_value(const struct hv_exit *exit)
{
    switch (exit->kind) {
    case HV_EXIT_CR0_WRITE:
    case HV_EXIT_CR3_WRITE:
    case HV_EXIT_CR4_WRITE:
    case HV_EXIT_CR8_WRITE:
        return exit->cr.value;
    case HV_EXIT_WRMSR:
        return exit->msr.value;
    case HV_EXIT_IO_OUT:
        return exit->io.value;
    case HV_EXIT_NESTED_PAGE:
    case HV_EXIT_NESTED_MISCONFIG:
        return exit->nested.gpa;
    case HV_EXIT_EXCEPTION:
        return exit->exception.address;
    case HV_EXIT_XSETBV:
        return exit->xsetbv.value;
    default:
        return 0;
    }
}

void ring_begin(struct vcpu *vcpu)
{
    struct exit_ring *ring = vcpu->ring;
    struct ring_record *record = &ring->record[ring->count++ & ring->mask];
    const struct hv_exit *exit = &vcpu->exit;

    vcpu->changed = 0;
    record->tsc = vcpu->exit_tsc;
    record->number = vcpu->exit_count;
    record->raw_reason = (uint32_t)exit->raw_reason;
    record->kind = (uint8_t)exit->kind;
    record->verdict = 0xff;
    record->cs = exit->cs_selector;
    record->raw_info[0] = exit->raw_info[0];
    record->raw_info[1] = exit->raw_info[1];
    record->rip = vcpu->regs.rip;
    record->rsp = vcpu->regs.rsp;
    record->rflags = vcpu->regs.rflags;
    record->cr0 = vcpu->cr0_wrote;
    record->cr3 = exit->cr3;
    record->cr4 = vcpu->cr4_wrote;
    record->efer = vcpu->efer_wrote;
    record->rax = vcpu->regs.rax;
    record->rcx = vcpu->regs.rcx;
    record->rdx = vcpu->regs.rdx;
    record->rbx = vcpu->regs.rbx;
    record->value = exit_value(exit);
    record->event = ring_pack_event(&exit->event);
}

void ring_end(struct vcpu *vcpu, enum hv_verdict verdict)
{
    struct exit_ring *ring = vcpu->ring;
    struct ring_record *record = &ring->record[(ring->count - 1) & ring->mask];
    uint64_t cycles = rdtsc() - record->tsc;

    if (record->kind == HV_EXIT_RDMSR) /* what the guest got */
        record->value = vcpu->exit.msr.value;
    else if (record->kind == HV_EXIT_CPUID)
        record->value = (uint32_t)vcpu->regs.rcx;
    record->verdict = (uint8_t)verdict;
    record->changed = vcpu->changed;
    record->inject = ring_pack_event(&vcpu->inject);
    record->cycles = cycles > UINT32_MAX ? UINT32_MAX : (uint32_t)cycles;
    ring->kind_count[record->kind]++;
    ring->kind_cycles[record->kind] += cycles;
    exit_stats_count(vcpu, record->kind, record->cs, record->rip, cycles);
}

const struct ring_record *ring_last(const struct vcpu *vcpu, uint64_t back)
{
    const struct exit_ring *ring = vcpu->ring;

    if (!ring || back >= ring->count || back > ring->mask)
        return NULL;
    return &ring->record[(ring->count - 1 - back) & ring->mask];
}
