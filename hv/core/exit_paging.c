/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * EPT violations and nested page faults: emulated pages, the hidden range, device memory that was
 * not mapped yet. Anything else is a final stop. Misconfigurations are our own fault, always final.
 */
#include "core/apic.h"
#include "core/backend.h"
#include "core/exit_handlers.h"
#include "core/ioapic.h"
#include "core/mmio.h"
#include "core/nested.h"
#include "core/seeded.h"
#include "cpu/mem.h"
#include "lib/log.h"

static uint64_t hidden_read(uint64_t offset, unsigned size_bytes)
{
    (void)offset;
    (void)size_bytes;
    return ~UINT64_C(0);
}

static void hidden_write(uint64_t offset, unsigned size_bytes, uint64_t value)
{
    (void)offset;
    (void)size_bytes;
    (void)value;
}

/* Our own range reads all ones and takes no write: as memory that is not there. */
static enum hv_verdict hidden_access(struct vcpu *vcpu)
{
    static bool told;
    const struct mmio_device hidden = {
        .name = "hypervisor's hidden range",
        .base_gpa = hv_range.base_hpa,
        .len_bytes = hv_range.size_bytes,
        .read = hidden_read,
        .write = hidden_write,
    };

    if (!told)
        log_warn("guest touches the hypervisor's hidden range: gpa %#lx, RIP %#lx (said once; the "
                 "ring records each)",
                 (unsigned long)vcpu->exit.nested.gpa, (unsigned long)vcpu->regs.rip);
    told = true;
    if (vcpu->exit.nested.page_walk)
        return vcpu_dead(vcpu, "a page table of the guest lies in the hypervisor's hidden range");
    if (vcpu->exit.nested.access & HV_EXEC) {
        vcpu_inject_ud(vcpu); /* all ones is no instruction */
        return HV_RESUME;
    }
    return mmio_emulate(vcpu, &hidden);
}

static bool is_hidden(uint64_t gpa)
{
    return gpa - hv_range.base_hpa < hv_range.size_bytes;
}

static bool is_emulated(uint64_t gpa)
{
    return ioapic_owns(gpa) || apic_owns(gpa) || is_hidden(gpa);
}

enum hv_verdict exit_nested_page(struct vcpu *vcpu)
{
    uint64_t gpa = vcpu->exit.nested.gpa;

    if (seeded(SEEDED_gpa32))
        gpa = (uint32_t)gpa;
    /* The access was the CPU's own, to an IDT, GDT, TSS or stack: the instruction at RIP, which the
     * emulator would perform, has nothing to do with it. */
    if (vcpu->exit.event.valid && is_emulated(gpa))
        return vcpu_dead(vcpu, "an event is delivered through emulated memory or the hidden range");
    if (ioapic_owns(gpa))
        return ioapic_mmio(vcpu);
    if (apic_owns(gpa))
        return apic_mmio(vcpu);
    if (is_hidden(gpa))
        return hidden_access(vcpu);
    if (!vcpu->exit.nested.present && nested_map_lazily(gpa)) {
        vcpu->changed |= HV_CHANGED_NESTED;
        hv_backend->nested_flush(vcpu);
        return HV_RESUME;
    }
    return vcpu_dead(vcpu, "the nested page map forbids this access, and no device is there");
}

enum hv_verdict exit_nested_misconfig(struct vcpu *vcpu)
{
    return vcpu_dead(vcpu, "an entry of the nested page map is malformed");
}
