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
#include "cpu/mem.h"
#include "lib/log.h"

/* The same fault this often at one place, although the map allows the access: it will never succeed. */
#define NESTED_RETRIES 64u

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

/*
 * The map allows this access already: the CPU used an entry that it had cached before the map grew
 * (SDM, "Guidelines for Use of the INVEPT Instruction"), and the instruction is tried again. A fault
 * that comes back for ever was not about this address: without a limit the guest would stand still
 * with nothing on the line.
 */
static bool retry_helps(struct vcpu *vcpu, uint64_t gpa)
{
    struct nested_path path = nested_walk(gpa);

    if (!path.present || vcpu->exit.nested.access & ~path.rights)
        return false;
    if (vcpu->retried.rip != vcpu->regs.rip || vcpu->retried.gpa != gpa)
        vcpu->retried.count = 0;
    vcpu->retried.rip = vcpu->regs.rip;
    vcpu->retried.gpa = gpa;
    return ++vcpu->retried.count <= NESTED_RETRIES;
}

enum hv_verdict exit_nested_page(struct vcpu *vcpu)
{
    uint64_t gpa = vcpu->exit.nested.gpa;

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
    if (retry_helps(vcpu, gpa)) {
        hv_backend->nested_flush(vcpu);
        return HV_RESUME;
    }
    if (vcpu->retried.count > NESTED_RETRIES)
        return vcpu_dead(vcpu, "one nested page fault came back 64 times although the map allows "
                               "the access");
    return vcpu_dead(vcpu, "the nested page map forbids this access, and no device is there");
}

enum hv_verdict exit_nested_misconfig(struct vcpu *vcpu)
{
    return vcpu_dead(vcpu, "an entry of the nested page map is malformed");
}
