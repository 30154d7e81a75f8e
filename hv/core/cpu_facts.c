/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Facts about the CPU that decide VM-entry rules.
 */
#include "core/cpu_facts.h"

#include "core/backend.h"
#include "core/exit_cr.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/mem.h"
#include "protocol/rules.h"

#define VMX_CAP_FIRST  0x480u
#define VMX_CAP_LAST   0x492u
#define VTPR_OFFSET    0x80u /* SDM, "Virtualized APIC Registers" */
#define TPR_SHADOW_BIT 21u   /* of the primary processor-based controls */

/* EFER bits by the CPUID bit that announces them (APM volume 2, "Extended Feature Enable Register").
 * reg: 0 EAX, 1 EBX, 2 ECX, 3 EDX. */
static const struct {
    uint64_t efer_bits;
    uint32_t leaf;
    uint8_t reg, bit;
} efer_features[] = {
    {UINT64_C(1) << 0, 0x80000001, 3, 11},                     /* SCE: SYSCALL */
    {UINT64_C(1) << 8 | UINT64_C(1) << 10, 0x80000001, 3, 29}, /* LME, LMA */
    {UINT64_C(1) << 11, 0x80000001, 3, 20},                    /* NXE */
    {UINT64_C(1) << 12, 0x80000001, 2, 2},                     /* SVME */
    {UINT64_C(1) << 14, 0x80000001, 3, 25},                    /* FFXSR */
    {UINT64_C(1) << 15, 0x80000001, 2, 17},                    /* TCE */
    {UINT64_C(1) << 17, 0x80000008, 1, 8},                     /* MCOMMIT */
    {UINT64_C(1) << 18, 0x80000008, 1, 13},                    /* INTWB */
    {UINT64_C(1) << 20, 0x80000021, 0, 7},                     /* UAIE */
    {UINT64_C(1) << 21, 0x80000021, 0, 8},                     /* AIBRSE */
};

static uint64_t efer_known(void)
{
    uint64_t bits = 0;
    uint32_t max_leaf = cpuid(0x80000000, 0).eax;

    for (unsigned i = 0; i < sizeof efer_features / sizeof efer_features[0]; i++) {
        struct cpuid_regs r;
        uint32_t regs[4];

        if (efer_features[i].leaf > max_leaf)
            continue;
        r = cpuid(efer_features[i].leaf, 0);
        regs[0] = r.eax;
        regs[1] = r.ebx;
        regs[2] = r.ecx;
        regs[3] = r.edx;
        if (regs[efer_features[i].reg] >> efer_features[i].bit & 1)
            bits |= efer_features[i].efer_bits;
    }
    return bits;
}

/* What the guest may set, and what we hide from it although the CPU has it. */
static uint64_t cr4_known(void)
{
    uint32_t ecx = cpuid(0, 0).eax >= 7 ? cpuid(7, 0).ecx : 0;

    return exit_cr4_allowed() | (ecx >> 7 & 1 ? CR4_CET : 0) | (ecx >> 31 & 1 ? CR4_PKS : 0);
}

void cpu_facts(struct snapshot *s)
{
    uint32_t leaf7_ebx = cpuid(0, 0).eax >= 7 ? cpuid(7, 0).ebx : 0;

    s->maxphyaddr_bits = hv_caps.maxphyaddr_bits;
    s->linear_bits = (uint8_t)(cpuid(0x80000008, 0).eax >> 8);
    s->host_mode_known = s->host_long_mode = true; /* we are always 64-bit */
    snapshot_set_cap(s, SNAPSHOT_CAP_CR4_KNOWN, cr4_known());
    snapshot_set_cap(s, SNAPSHOT_CAP_EFER_KNOWN, efer_known());
    snapshot_set_cap(s, SNAPSHOT_CAP_SGX, leaf7_ebx >> 2 & 1);
    snapshot_set_cap(s, SNAPSHOT_CAP_RTM, leaf7_ebx >> 11 & 1);
    for (uint32_t index = VMX_CAP_FIRST; !s->svm && index <= VMX_CAP_LAST; index++) {
        uint64_t value;

        if (rdmsr_safe(index, &value) == 0)
            snapshot_set_cap(s, index, value);
    }
}

/* Such an address may be anything: a person can write the field, the self-test damages it. */
static const uint8_t *page_named_by(const struct snapshot *s, uint16_t row)
{
    uint64_t page_hpa = s->field[row];

    if (!snapshot_has(s, row) || page_hpa >= hv_phys_limit_hpa - PAGE_BYTES)
        return NULL;
    return phys_to_virt(page_hpa);
}

void cpu_facts_in_memory(struct snapshot *s)
{
    const uint8_t *link, *virtual_apic = NULL;

    s->link_revision_known = s->vtpr_known = false;
    if (s->svm)
        return;
    link = page_named_by(s, VMCS_ROW_guest_link_pointer);
    if (s->field[VMCS_ROW_proc_controls] >> TPR_SHADOW_BIT & 1)
        virtual_apic = page_named_by(s, VMCS_ROW_virtual_apic_addr);
    if (link) {
        memcpy(&s->revision_id, link, sizeof s->revision_id);
        s->link_revision_known = true;
    }
    if (virtual_apic) {
        s->vtpr = virtual_apic[VTPR_OFFSET];
        s->vtpr_known = true;
    }
}
