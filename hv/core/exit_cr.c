/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guest writes and reads of CR0, CR3, CR4 and CR8: the checks that the CPU would have made (the
 * guest gets its #GP, never a failed entry), then the three faces: wrote, read back, real.
 * Programming vendor state is the backend's; PDPTEs of PAE guests are loaded here.
 */
#include "core/exit_cr.h"

#include "core/backend.h"
#include "core/exit_handlers.h"
#include "core/guest_mem.h"
#include "core/insn.h"
#include "core/seeded.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/log.h"

#define CR0_KNOWN                                                                                  \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)
#define CR3_NO_FLUSH  (UINT64_C(1) << 63)
#define CR3_PCID_MASK UINT64_C(0xfff)
#define CS_LONG       (1u << 13)

/* Changes of these bits make the CPU reload the PDPTEs. SDM, "PDPTE Registers". */
#define CR0_PDPTE_BITS (CR0_CD | CR0_NW | CR0_PG)
#define CR4_PDPTE_BITS (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)

/* CR4 bits by the CPUID bit that announces them; a bit without its feature is reserved. */
struct cr4_feature {
    uint64_t cr4_bits;
    uint32_t leaf;
    enum { IN_EBX, IN_ECX, IN_EDX } reg;
    uint8_t bit;
};

static const struct cr4_feature cr4_features[] = {
    {CR4_VME | CR4_PVI, 1, IN_EDX, 1}, {CR4_DE, 1, IN_EDX, 2},
    {CR4_PSE, 1, IN_EDX, 3},           {CR4_TSD, 1, IN_EDX, 4},
    {CR4_PAE, 1, IN_EDX, 6},           {CR4_MCE, 1, IN_EDX, 7},
    {CR4_PGE, 1, IN_EDX, 13},          {CR4_OSFXSR, 1, IN_EDX, 24},
    {CR4_OSXMMEXCPT, 1, IN_EDX, 25},   {CR4_PCIDE, 1, IN_ECX, 17},
    {CR4_OSXSAVE, 1, IN_ECX, 26},      {CR4_FSGSBASE, 7, IN_EBX, 0},
    {CR4_SMEP, 7, IN_EBX, 7},          {CR4_SMAP, 7, IN_EBX, 20},
    {CR4_UMIP, 7, IN_ECX, 2},          {CR4_PKE, 7, IN_ECX, 3},
    {CR4_LA57, 7, IN_ECX, 16},
};

/* Set once by exit_cr_init(). */
static uint64_t cr4_allowed;

void exit_cr_init(void)
{
    uint32_t max_leaf = cpuid(0, 0).eax;

    cr4_allowed = CR4_PCE;
    for (unsigned i = 0; i < sizeof cr4_features / sizeof cr4_features[0]; i++) {
        const struct cr4_feature *row = &cr4_features[i];
        struct cpuid_regs r;
        uint32_t reg;

        if (row->leaf > max_leaf)
            continue;
        r = cpuid(row->leaf, 0);
        reg = row->reg == IN_EBX ? r.ebx : row->reg == IN_ECX ? r.ecx : r.edx;
        if (reg >> row->bit & 1)
            cr4_allowed |= row->cr4_bits;
    }
}

uint64_t exit_cr4_allowed(void)
{
    return cr4_allowed;
}

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LME);
}

static bool read_ram(void *context, uint64_t gpa, void *buf, size_t len_bytes)
{
    (void)context;
    return guest_read_gpa(gpa, buf, len_bytes) == len_bytes;
}

/* Reads the PDPTEs for these registers and gives them to the CPU; false: #GP. */
static bool load_pdptes(struct vcpu *vcpu, const struct walk_regs *regs)
{
    uint64_t pdpte[4];

    /* Whoever loses EFER.LME does not know either that these are PDPTEs now. */
    if (seeded(SEEDED_pdpte_stale) || seeded(SEEDED_efer_passthru))
        return true;
    if (!walk_load_pdptes(regs, read_ram, NULL, pdpte))
        return false;
    for (unsigned i = 0; i < 4; i++)
        hv_backend->set(vcpu, (enum hv_state)(HV_ST_PDPTE0 + i), pdpte[i]);
    return true;
}

static enum hv_verdict done(struct vcpu *vcpu, uint32_t changed)
{
    vcpu->changed |= changed;
    return exit_done(vcpu);
}

/* No IA-32e mode with a 16-bit TSS: Intel's CPUs say #GP, their VM entries fail, AMD does not mind. */
static bool tr_is_16bit(struct vcpu *vcpu)
{
    const uint32_t wide = 8; /* of the type: 11 is a busy 32-bit TSS, 3 a busy 16-bit one */

    return hv_caps.pending_debug && !seeded(SEEDED_tr16) &&
           !(hv_backend->get_segment(vcpu, HV_TR).rights & wide);
}

/* SDM, "MOV--Move to/from Control Registers": what raises #GP(0) for CR0. */
static bool cr0_refused(struct vcpu *vcpu, uint64_t old, uint64_t value)
{
    bool pg_rises = value & ~old & CR0_PG, pg_falls = old & ~value & CR0_PG;
    bool cs_long = hv_backend->get_segment(vcpu, HV_CS).rights & CS_LONG;

    if (value >> 32)
        return true;
    if (value & CR0_PG && !(value & CR0_PE))
        return true;
    if (value & CR0_NW && !(value & CR0_CD))
        return true;
    if (pg_rises && vcpu->efer_wrote & EFER_LME &&
        (!(vcpu->cr4_wrote & CR4_PAE) || cs_long || tr_is_16bit(vcpu)))
        return true;
    if (pg_falls && vcpu_long_mode(vcpu) && (cs_long || vcpu->cr4_wrote & CR4_PCIDE))
        return true;
    return false;
}

static enum hv_verdict cr0_written(struct vcpu *vcpu)
{
    uint64_t old = vcpu->exit.cr.old, value = vcpu->exit.cr.value;
    struct walk_regs regs = guest_walk_regs(vcpu);

    if (cr0_refused(vcpu, old, value))
        return exit_gp(vcpu);
    value = (value & CR0_KNOWN) | CR0_ET;
    regs.cr0 = value;
    if (pae_paging(value, regs.cr4, regs.efer) && (value ^ old) & CR0_PDPTE_BITS &&
        !load_pdptes(vcpu, &regs))
        return exit_gp(vcpu);

    vcpu->cr0_wrote = value;
    /* The caches stay on for us: CD and NW are the guest's to see only. */
    hv_backend->set_cr(vcpu, 0, value & ~(CR0_CD | CR0_NW), value);
    if ((value ^ old) & CR0_PG && vcpu->efer_wrote & EFER_LME) {
        vcpu->efer_wrote =
            value & CR0_PG ? vcpu->efer_wrote | EFER_LMA : vcpu->efer_wrote & ~EFER_LMA;
        hv_backend->set_efer(vcpu, vcpu->efer_wrote);
        vcpu->changed |= HV_CHANGED_EFER | HV_CHANGED_MODE;
    }
    if ((value ^ old) & (CR0_PG | CR0_WP | CR0_PE))
        hv_backend->nested_flush(vcpu);
    return done(vcpu, HV_CHANGED_CR0);
}

static bool cr4_refused(struct vcpu *vcpu, uint64_t old, uint64_t value)
{
    if (value & ~cr4_allowed)
        return true;
    if (vcpu_long_mode(vcpu)) {
        if (!(value & CR4_PAE) || (value ^ old) & CR4_LA57)
            return true;
    } else if (value & CR4_PCIDE) {
        return true;
    }
    return value & ~old & CR4_PCIDE && hv_backend->get(vcpu, HV_ST_CR3) & CR3_PCID_MASK;
}

static enum hv_verdict cr4_written(struct vcpu *vcpu)
{
    uint64_t old = vcpu->exit.cr.old, value = vcpu->exit.cr.value;
    struct walk_regs regs = guest_walk_regs(vcpu);

    if (cr4_refused(vcpu, old, value))
        return exit_gp(vcpu);
    if (seeded(SEEDED_cr4_ignore)) {
        log_info("cr4: current=%#lx, proposed=%#lx", old, value);
        return done(vcpu, 0);
    }
    regs.cr4 = value;
    if (pae_paging(regs.cr0, value, regs.efer) && (value ^ old) & CR4_PDPTE_BITS &&
        !load_pdptes(vcpu, &regs))
        return exit_gp(vcpu);
    vcpu->cr4_wrote = value;
    hv_backend->set_cr(vcpu, 4, value, value);
    if ((value ^ old) & (CR4_PDPTE_BITS | CR4_PCIDE | CR4_SMAP | CR4_PKE | CR4_LA57))
        hv_backend->nested_flush(vcpu);
    return done(vcpu, HV_CHANGED_CR4);
}

static enum hv_verdict cr3_written(struct vcpu *vcpu)
{
    uint64_t value = vcpu->exit.cr.value;
    struct walk_regs regs = guest_walk_regs(vcpu);

    if (regs.cr4 & CR4_PCIDE)
        value &= ~CR3_NO_FLUSH;
    if (vcpu_long_mode(vcpu) && value >> hv_caps.maxphyaddr_bits)
        return exit_gp(vcpu);
    regs.cr3 = value;
    if (pae_paging(regs.cr0, regs.cr4, regs.efer) && !load_pdptes(vcpu, &regs))
        return exit_gp(vcpu);
    hv_backend->set(vcpu, HV_ST_CR3, value);
    hv_backend->nested_flush(vcpu);
    return done(vcpu, HV_CHANGED_CR3);
}

/* CR8 is the local APIC's TPR; the guest has the real one. */
static enum hv_verdict cr8_written(struct vcpu *vcpu)
{
    if (vcpu->exit.cr.value > 15)
        return exit_gp(vcpu);
    hv_backend->set(vcpu, HV_ST_CR8, vcpu->exit.cr.value);
    return done(vcpu, 0);
}

enum hv_verdict exit_cr_write(struct vcpu *vcpu)
{
    switch (vcpu->exit.cr.index) {
    case 0:
        return cr0_written(vcpu);
    case 3:
        return cr3_written(vcpu);
    case 4:
        return cr4_written(vcpu);
    case 8:
        return cr8_written(vcpu);
    default:
        return vcpu_dead(vcpu, "write to a control register that does not exist");
    }
}

/* SMSW can store to memory, and to parts of a register: the decoder knows. */
static enum hv_verdict store_msw(struct vcpu *vcpu, uint64_t value)
{
    struct insn insn = vcpu_decode(vcpu);
    struct guest_fault fault;
    uint16_t word = (uint16_t)value;
    uint64_t gva;

    if (insn.status != INSN_OK || insn.class != INSN_SMSW)
        return vcpu_dead(vcpu, "SMSW exited, but the bytes at RIP are no SMSW");
    if (!insn.mem) {
        insn_gpr_set(&insn, &vcpu->regs, insn.rm, insn.op_bytes, value);
        return done(vcpu, HV_CHANGED_GPR);
    }
    gva = insn_gva(&insn, &vcpu->regs, guest_segment_base(vcpu, insn.segment));
    if (!guest_access(vcpu, gva, &word, sizeof word, HV_WRITE, &fault))
        return guest_access_failed(vcpu, &fault);
    return done(vcpu, 0);
}

enum hv_verdict exit_cr_read(struct vcpu *vcpu)
{
    uint64_t value = vcpu->exit.cr.old;

    if (vcpu->exit.cr.insn == HV_CR_SMSW)
        return store_msw(vcpu, value);
    if (vcpu->exit.cr.index == 8)
        value = hv_backend->get(vcpu, HV_ST_CR8);
    vcpu->regs.by_index[vcpu->exit.cr.gpr & 15] =
        vcpu_code_bits(vcpu) == 64 ? value : (uint32_t)value;
    return done(vcpu, HV_CHANGED_GPR);
}
