/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guest state by the names of core/state.def, the MSR area, and raw VMCS fields for the debugger.
 * It keeps what hangs together consistent: CR0.PG, EFER.LMA and "IA-32e mode guest"; what a value
 * should be is the caller's decision.
 */
#include "vmx/vmx.h"

#include "core/seeded.h"
#include "cpu/x86.h"
#include "lib/log.h"

static const uint16_t field_of_state[HV_STATE_COUNT] = {
#define HV_STATE(NAME, vmcs, vmcb) [HV_ST_##NAME] = VMCS_##vmcs,
#include "core/state.def"
#undef HV_STATE
};

/* The segment fields are rows in the order of enum hv_seg, two encodings apart. */
#define SEGMENT_ROW(seg_, name_)                                                                   \
    _Static_assert(VMCS_guest_##name_##_selector == VMCS_guest_es_selector + 2 * (seg_) &&         \
                       VMCS_guest_##name_##_limit == VMCS_guest_es_limit + 2 * (seg_) &&           \
                       VMCS_guest_##name_##_rights == VMCS_guest_es_rights + 2 * (seg_) &&         \
                       VMCS_guest_##name_##_base == VMCS_guest_es_base + 2 * (seg_),               \
                   "segment fields in order")
SEGMENT_ROW(HV_CS, cs);
SEGMENT_ROW(HV_SS, ss);
SEGMENT_ROW(HV_DS, ds);
SEGMENT_ROW(HV_FS, fs);
SEGMENT_ROW(HV_GS, gs);
SEGMENT_ROW(HV_LDTR, ldtr);
SEGMENT_ROW(HV_TR, tr);

struct hv_segment vmx_get_segment(struct vcpu *vcpu, enum hv_seg seg)
{
    (void)vcpu;
    return (struct hv_segment){
        .selector = (uint16_t)vmcs_raw_read(VMCS_guest_es_selector + 2u * seg),
        .limit = (uint32_t)vmcs_raw_read(VMCS_guest_es_limit + 2u * seg),
        .rights = (uint32_t)vmcs_raw_read(VMCS_guest_es_rights + 2u * seg),
        .base = vmcs_raw_read(VMCS_guest_es_base + 2u * seg),
    };
}

void vmx_set_segment(struct vcpu *vcpu, enum hv_seg seg, const struct hv_segment *value)
{
    const uint32_t wide_tss =
        8; /* in the type: 11 is a busy 32- or 64-bit TSS, 3 a busy 16-bit one */
    uint32_t rights = value->rights;

    (void)vcpu;
    if (seg == HV_TR && seeded(SEEDED_tr16))
        rights &= ~wide_tss;
    vmcs_raw_write(VMCS_guest_es_selector + 2u * seg, value->selector);
    vmcs_raw_write(VMCS_guest_es_limit + 2u * seg, value->limit);
    vmcs_raw_write(VMCS_guest_es_rights + 2u * seg, rights);
    vmcs_raw_write(VMCS_guest_es_base + 2u * seg, value->base);
}

static struct hv_msr_entry *area_entry(struct vmx_vcpu *vmx, uint32_t index)
{
    for (uint32_t i = 0; i < vmx->guest_area_count; i++)
        if (vmx->guest_area[i].index == index)
            return &vmx->guest_area[i];
    return NULL;
}

uint64_t vmx_get_efer(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);

    return vmx->efer_in_area ? area_entry(vmx, MSR_EFER)->value : vmread(vmcs_guest_efer);
}

static void write_efer(struct vmx_vcpu *vmx, uint64_t value)
{
    if (vmx->efer_in_area)
        area_entry(vmx, MSR_EFER)->value = value;
    else
        vmwrite(vmcs_guest_efer, value);
}

/*
 * SDM, "Loading Guest State" and "Loading MSRs": the entry sets EFER.LME and LMA from "IA-32e mode
 * guest", and an MSR-load entry that changes LME while CR0.PG=1 fails it (0x80000022). The control is
 * read back each time: the CPU stores LMA into it at an exit.
 */
static void follow_lma(struct vcpu *vcpu, uint64_t cr0, uint64_t efer)
{
    uint32_t entry = vmread(vmcs_entry_controls);
    bool lma = (cr0 & CR0_PG) && (efer & EFER_LME);
    uint32_t wanted = lma ? entry | ENTRY_IA32E : entry & ~ENTRY_IA32E;

    if (seeded(SEEDED_ia32e_ctl))
        wanted = entry;
    if (wanted != entry)
        vmwrite(vmcs_entry_controls, wanted);
    write_efer(vmx_of(vcpu), lma ? efer | EFER_LMA : efer & ~EFER_LMA);
}

void vmx_set_efer(struct vcpu *vcpu, uint64_t real)
{
    follow_lma(vcpu, vmread(vmcs_guest_cr0), real);
}

void vmx_tlb_flush(struct vcpu *vcpu)
{
    const struct vmx_vcpu *vmx = vmx_of(vcpu);
    struct {
        uint64_t vpid, gva;
    } operand = {.vpid = vmx->vpid};
    const uint64_t single_context = 1;
    bool failed;

    if (!vmx->vpid)
        return; /* entry and exit flush */
    __asm__ volatile("invvpid %1, %2"
                     : "=@ccbe"(failed)
                     : "m"(operand), "r"(single_context)
                     : "memory");
    hv_assert(!failed);
}

void vmx_nested_flush(struct vcpu *vcpu)
{
    const uint64_t single_context = 1, all_contexts = 2;
    struct {
        uint64_t eptp, reserved;
    } operand = {.eptp = vmx_of(vcpu)->eptp};
    uint64_t type = vmx_caps.ept_vpid & EPTCAP_INVEPT_SINGLE ? single_context : all_contexts;
    bool failed;

    __asm__ volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(operand), "r"(type) : "memory");
    /* An EPTP that somebody edited may be none: the next entry says so, with a record. */
    hv_assert(!failed || type == single_context);
}

/* SDM, "Restrictions on VMX Operation": fixed bits; PE and PG are free under unrestricted guest. */
static uint64_t fix_cr0(uint64_t value)
{
    return (value | (vmx_caps.cr0_fixed0 & ~(CR0_PE | CR0_PG))) & vmx_caps.cr0_fixed1;
}

static uint64_t fix_cr4(uint64_t value)
{
    return (value | vmx_caps.cr4_fixed0) & vmx_caps.cr4_fixed1;
}

static void set_real_cr0(struct vcpu *vcpu, uint64_t real)
{
    const uint64_t translation_bits = CR0_PG | CR0_PE | CR0_WP | CR0_CD | CR0_NW;
    uint64_t old = vmread(vmcs_guest_cr0), value = fix_cr0(real);

    if (seeded(SEEDED_cr0_ne) && vcpu->exit.kind == HV_EXIT_CR0_WRITE)
        value = real;
    vmwrite(vmcs_guest_cr0, value);
    follow_lma(vcpu, value, vmx_get_efer(vcpu));
    if ((old ^ value) & translation_bits)
        vmx_tlb_flush(vcpu);
}

void vmx_set_cr(struct vcpu *vcpu, uint8_t index, uint64_t real, uint64_t read)
{
    switch (index) {
    case 0:
        set_real_cr0(vcpu, real);
        vmwrite(vmcs_cr0_shadow, read);
        break;
    case 3:
        vmwrite(vmcs_guest_cr3, real);
        vmx_tlb_flush(vcpu);
        break;
    case 4:
        vmwrite(vmcs_guest_cr4, fix_cr4(real));
        vmwrite(vmcs_cr4_shadow, read);
        vmx_tlb_flush(vcpu);
        break;
    default:
        hv_panic("vmx_set_cr: CR%d is not kept in the VMCS", index);
    }
}

uint64_t vmx_get(struct vcpu *vcpu, enum hv_state what)
{
    switch (what) {
    case HV_ST_CR2:
        return vcpu->cr2;
    case HV_ST_DR6: /* no field: the CPU's own register is the guest's */
        return read_dr6();
    case HV_ST_EFER:
        return vmx_get_efer(vcpu);
    case HV_ST_CR8: /* not virtualised: the guest's is in the CPU */
        return read_cr8();
    default:
        hv_assert(what < HV_STATE_COUNT && field_of_state[what] != VMCS_none);
        return vmcs_raw_read(field_of_state[what]);
    }
}

void vmx_set(struct vcpu *vcpu, enum hv_state what, uint64_t value)
{
    switch (what) {
    case HV_ST_CR0:
        set_real_cr0(vcpu, value);
        break;
    case HV_ST_CR2:
        vcpu->cr2 = value;
        break;
    case HV_ST_CR3:
        vmx_set_cr(vcpu, 3, value, value);
        break;
    case HV_ST_CR4:
        vmwrite(vmcs_guest_cr4, fix_cr4(value));
        vmx_tlb_flush(vcpu);
        break;
    case HV_ST_DR6:
        write_dr6(value);
        break;
    case HV_ST_EFER:
        vmx_set_efer(vcpu, value);
        break;
    case HV_ST_CR8:
        write_cr8(value);
        break;
    default:
        hv_assert(what < HV_STATE_COUNT && field_of_state[what] != VMCS_none);
        vmcs_raw_write(field_of_state[what], value);
        break;
    }
}

int vmx_msr_area(struct vcpu *vcpu, struct hv_msr_entry *entries, int max)
{
    const struct vmx_vcpu *vmx = vmx_of(vcpu);
    int count = 0;

    for (uint32_t i = 0; i < vmx->guest_area_count && count < max; i++)
        entries[count++] = vmx->guest_area[i];
    return count;
}

/* Writes the entry as it is: a debugger may want to see what the CPU says to a bad value. */
int vmx_msr_area_set(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    struct hv_msr_entry *entry = area_entry(vmx_of(vcpu), index);

    if (!entry)
        return -1;
    entry->value = value;
    return 0;
}

static bool field_known(uint32_t field)
{
    switch (field) {
#define VMCS_FIELD(encoding, width, name, access, text) case (encoding):
#include "protocol/vmcs_fields.def"
#undef VMCS_FIELD
        return true;
    default:
        return false;
    }
}

/* These three live in vcpu->regs between an exit and the next entry. */
static uint64_t *field_in_regs(struct vcpu *vcpu, uint32_t field)
{
    switch (field) {
    case VMCS_guest_rip:
        return &vcpu->regs.rip;
    case VMCS_guest_rsp:
        return &vcpu->regs.rsp;
    case VMCS_guest_rflags:
        return &vcpu->regs.rflags;
    default:
        return NULL;
    }
}

int vmx_field_read(struct vcpu *vcpu, uint32_t field, uint64_t *value)
{
    const uint64_t *reg = field_in_regs(vcpu, field);

    if (reg) {
        *value = *reg;
        return 0;
    }
    return field_known(field) && vmcs_try_read(field, value) ? 0 : -1;
}

int vmx_field_write(struct vcpu *vcpu, uint32_t field, uint64_t value)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    uint64_t *reg = field_in_regs(vcpu, field);

    if (!field_known(field) || VMCS_ENCODED_RO(field))
        return -1;
    if ((VMCS_ENCODED_WIDTH(field) == VMCS_WIDTH_16 && value > UINT16_MAX) ||
        (VMCS_ENCODED_WIDTH(field) == VMCS_WIDTH_32 && value > UINT32_MAX))
        return -1;
    if (reg) {
        *reg = value;
        return 0;
    }
    if (!vmcs_try_write(field, value))
        return -1;
    /* Copies that run() and set_intercepts() work from. */
    if (field == VMCS_proc_controls)
        vmx->proc = (uint32_t)value;
    if (field == VMCS_eptp)
        vmx->eptp = value;
    vmx_tlb_flush(vcpu);
    return 0;
}
