/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guest state in the VMCB: by neutral name, by segment, by raw field, and the MSR view. Keeps what
 * VMRUN demands (EFER.SVME, EFER.LMA, CPL) consistent; legality of values is the caller's.
 */
#include "svm/svm.h"

#include "core/seeded.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "protocol/tables.h"

#define NO_FIELD 0xffffu

/* vmcb_none: the state lives elsewhere; get and set name those. */
enum { VMCB_none = NO_FIELD };

static const uint16_t field_of_state[HV_STATE_COUNT] = {
#define HV_STATE(NAME, vmcs, vmcb) [HV_ST_##NAME] = VMCB_##vmcb,
#include "core/state.def"
#undef HV_STATE
};

static unsigned field_bytes(uint32_t field, bool *writable)
{
    enum { RO, RW };

    switch (field) {
#define VMCB_FIELD(offset, size, name, access, text)                                               \
    case (offset):                                                                                 \
        *writable = (access) == RW;                                                                \
        return (size);
#include "protocol/vmcb_fields.def"
#undef VMCB_FIELD
    default:
        return 0;
    }
}

static uint64_t raw_read(const union vmcb *vmcb, uint32_t field, unsigned size_bytes)
{
    uint64_t value = 0;

    memcpy(&value, vmcb->bytes + field, size_bytes);
    return value;
}

static void raw_write(union vmcb *vmcb, uint32_t field, unsigned size_bytes, uint64_t value)
{
    memcpy(vmcb->bytes + field, &value, size_bytes);
}

/*
 * After the hypervisor changed what the guest's translations hang on, they must go: VMRUN itself
 * does not flush. APM, "TLB Flush".
 */
static void flush_at_entry(struct svm_vcpu *svm)
{
    enum { FEATURE_FLUSH_BY_ASID = 1 << 6 };

    svm->vmcb->tlb_control =
        svm_caps.features & FEATURE_FLUSH_BY_ASID ? TLB_FLUSH_ASID : TLB_FLUSH_ALL;
}

void svm_nested_flush(struct vcpu *vcpu)
{
    flush_at_entry(svm_edit(vcpu));
}

/*
 * EFER as the CPU shall hold it: SVME always, LMA as LME and CR0.PG say (QEMU takes it as it is).
 * LME means nothing while paging is off, and the guest neither reads EFER nor sets CR0.PG without us:
 * where a #VMEXIT with it would break our own paging, it waits for CR0.PG.
 */
static void write_efer(struct svm_vcpu *svm, uint64_t value)
{
    bool paging = svm->vmcb->guest_cr0 & CR0_PG;
    uint64_t lma = paging && (value & EFER_LME) ? EFER_LMA : 0;

    if (seeded(SEEDED_ia32e_ctl))
        lma = 0;
    svm->efer = (value & ~(EFER_LMA | EFER_SVME)) | lma;
    svm->vmcb->guest_efer = svm->efer | EFER_SVME;
    if (svm_quirk(SVM_QUIRK_late_lme) && !paging)
        svm->vmcb->guest_efer &= ~EFER_LME;
}

/* A value to be taken as it is: LMA is not recomputed. */
static void write_efer_raw(struct svm_vcpu *svm, uint64_t value)
{
    svm->efer = value & ~EFER_SVME;
    svm->vmcb->guest_efer = value;
}

void svm_set_efer(struct vcpu *vcpu, uint64_t real)
{
    write_efer(svm_edit(vcpu), real);
    flush_at_entry(svm_edit(vcpu));
}

static void write_cr0_real(struct svm_vcpu *svm, uint64_t value)
{
    svm->vmcb->guest_cr0 = value;
    write_efer(svm, svm->efer);
}

void svm_set_cr(struct vcpu *vcpu, uint8_t index, uint64_t real, uint64_t read)
{
    struct svm_vcpu *svm = svm_edit(vcpu);

    switch (index) {
    case 0:
        write_cr0_real(svm, real);
        svm->cr0_read = read;
        break;
    case 3:
        svm->vmcb->guest_cr3 = real;
        break;
    case 4:
        svm->vmcb->guest_cr4 = real;
        svm->cr4_read = read;
        break;
    default:
        hv_panic("svm_set_cr: CR%d is not kept in the VMCB", index);
    }
    svm_apply_intercepts(svm);
    flush_at_entry(svm);
}

uint64_t svm_get(struct vcpu *vcpu, enum hv_state what)
{
    const struct svm_vcpu *svm = svm_of(vcpu);
    bool writable;

    switch (what) {
    case HV_ST_CR2:
        return vcpu->cr2;
    case HV_ST_CR8:
        return read_cr8();
    case HV_ST_DR6:
        return svm->dr6_parked ? svm->dr6 : svm->vmcb->guest_dr6;
    case HV_ST_EFER:
        return svm->efer;
    default:
        hv_assert(what < HV_STATE_COUNT);
        if (field_of_state[what] == VMCB_none)
            return 0; /* PDPTEs, activity, pending #DB: SVM has none */
        return raw_read(svm->vmcb, field_of_state[what],
                        field_bytes(field_of_state[what], &writable));
    }
}

void svm_set(struct vcpu *vcpu, enum hv_state what, uint64_t value)
{
    struct svm_vcpu *svm = svm_edit(vcpu);
    bool writable;

    switch (what) {
    case HV_ST_CR0:
        svm_set_cr(vcpu, 0, value, svm->cr0_read);
        break;
    case HV_ST_CR2:
        vcpu->cr2 = value;
        break;
    case HV_ST_CR3:
        svm_set_cr(vcpu, 3, value, value);
        break;
    case HV_ST_CR4:
        svm_set_cr(vcpu, 4, value, svm->cr4_read);
        break;
    case HV_ST_CR8:
        write_cr8(value & 15);
        break;
    case HV_ST_DR6:
        if (svm->dr6_parked)
            svm->dr6 = value;
        else
            svm->vmcb->guest_dr6 = value;
        break;
    case HV_ST_EFER:
        svm_set_efer(vcpu, value);
        break;
    default:
        hv_assert(what < HV_STATE_COUNT);
        if (field_of_state[what] != VMCB_none) /* the rest is read from memory by the CPU */
            raw_write(svm->vmcb, field_of_state[what], field_bytes(field_of_state[what], &writable),
                      value);
        break;
    }
}

void svm_park_dr6(struct svm_vcpu *svm, bool park)
{
    if (park == svm->dr6_parked)
        return;
    svm->dr6_parked = park;
    if (park) {
        svm->dr6 = svm->vmcb->guest_dr6;
        svm->vmcb->guest_dr6 = DR6_RESET;
    } else {
        svm->vmcb->guest_dr6 = svm->dr6;
    }
}

static uint16_t segment_field(enum hv_seg seg)
{
    static const uint16_t fields[HV_SEG_COUNT] = {
        [HV_ES] = VMCB_guest_es_selector,     [HV_CS] = VMCB_guest_cs_selector,
        [HV_SS] = VMCB_guest_ss_selector,     [HV_DS] = VMCB_guest_ds_selector,
        [HV_FS] = VMCB_guest_fs_selector,     [HV_GS] = VMCB_guest_gs_selector,
        [HV_LDTR] = VMCB_guest_ldtr_selector, [HV_TR] = VMCB_guest_tr_selector,
    };

    return fields[seg];
}

/* One segment of the save area; every one is laid out like this. */
struct vmcb_segment {
    uint16_t selector, attributes;
    uint32_t limit;
    uint64_t base;
};
_Static_assert(sizeof(struct vmcb_segment) == VMCB_guest_cs_selector - VMCB_guest_es_selector &&
                   offsetof(struct vmcb_segment, attributes) ==
                       VMCB_guest_es_rights - VMCB_guest_es_selector &&
                   offsetof(struct vmcb_segment, base) ==
                       VMCB_guest_es_base - VMCB_guest_es_selector,
               "layout of a VMCB segment");

/* Bits 7:0 are the same; AVL, L, D/B, G sit four bits lower in the VMCB; P = 0 is "unusable". */
static uint32_t rights_of(uint16_t attributes)
{
    return (attributes & 0xffu) | (attributes & 0xf00u) << 4 |
           (attributes & 0x80 ? 0 : HV_SEG_UNUSABLE);
}

static uint16_t attributes_of(uint32_t rights)
{
    uint16_t attributes = (uint16_t)((rights & 0xff) | (rights >> 4 & 0xf00));

    return rights & HV_SEG_UNUSABLE ? attributes & (uint16_t)~0x80 : attributes;
}

struct hv_segment svm_get_segment(struct vcpu *vcpu, enum hv_seg seg)
{
    struct vmcb_segment raw;

    memcpy(&raw, svm_of(vcpu)->vmcb->bytes + segment_field(seg), sizeof(raw));
    return (struct hv_segment){
        .selector = raw.selector,
        .limit = raw.limit,
        .rights = rights_of(raw.attributes),
        .base = raw.base,
    };
}

void svm_set_segment(struct vcpu *vcpu, enum hv_seg seg, const struct hv_segment *value)
{
    union vmcb *vmcb = svm_edit(vcpu)->vmcb;
    struct vmcb_segment raw = {
        .selector = value->selector,
        .attributes = attributes_of(value->rights),
        .limit = value->limit,
        .base = value->base,
    };

    memcpy(vmcb->bytes + segment_field(seg), &raw, sizeof(raw));
    if (seg == HV_SS) /* one CPU goes by CPL, another by SS.DPL */
        vmcb->guest_cpl = raw.attributes >> 5 & 3;
}

/* MSRs that VMRUN, VMLOAD and VMSAVE switch: the view that VMX has of its MSR area. */
static const struct {
    uint32_t index;
    uint16_t field;
} area[] = {
    {MSR_efer, VMCB_guest_efer},    {MSR_star, VMCB_guest_star},
    {MSR_lstar, VMCB_guest_lstar},  {MSR_cstar, VMCB_guest_cstar},
    {MSR_fmask, VMCB_guest_sfmask}, {MSR_kernel_gs_base, VMCB_guest_kernel_gs_base},
};
_Static_assert(sizeof(area) / sizeof(area[0]) <= HV_MSR_AREA_MAX, "area rows");

int svm_msr_area(struct vcpu *vcpu, struct hv_msr_entry *entries, int max)
{
    const struct svm_vcpu *svm = svm_of(vcpu);
    int count = 0;

    for (unsigned i = 0; i < sizeof(area) / sizeof(area[0]) && count < max; i++) {
        uint64_t value =
            area[i].index == MSR_efer ? svm->efer : raw_read(svm->vmcb, area[i].field, 8);

        entries[count++] = (struct hv_msr_entry){.index = area[i].index, .value = value};
    }
    return count;
}

/* Writes the value as it is, SVME apart: a debugger may want to see what the CPU says to a bad one. */
int svm_msr_area_set(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    for (unsigned i = 0; i < sizeof(area) / sizeof(area[0]); i++) {
        if (area[i].index != index)
            continue;
        if (index == MSR_efer)
            write_efer_raw(svm_edit(vcpu), value | EFER_SVME);
        else
            raw_write(svm_edit(vcpu)->vmcb, area[i].field, 8, value);
        return 0;
    }
    return -1;
}

/* These live in struct vcpu between an exit and the next entry. */
static uint64_t *field_in_vcpu(struct vcpu *vcpu, uint32_t field)
{
    switch (field) {
    case VMCB_guest_rip:
        return &vcpu->regs.rip;
    case VMCB_guest_rsp:
        return &vcpu->regs.rsp;
    case VMCB_guest_rflags:
        return &vcpu->regs.rflags;
    case VMCB_guest_rax:
        return &vcpu->regs.rax;
    case VMCB_guest_cr2:
        return &vcpu->cr2;
    case VMCB_guest_dr6:
        return svm_of(vcpu)->dr6_parked ? &svm_of(vcpu)->dr6 : NULL;
    default:
        return NULL;
    }
}

int svm_field_read(struct vcpu *vcpu, uint32_t field, uint64_t *value)
{
    const uint64_t *in_vcpu = field_in_vcpu(vcpu, field);
    bool writable;
    unsigned size_bytes = field_bytes(field, &writable);

    if (!size_bytes)
        return -1;
    *value = in_vcpu ? *in_vcpu : raw_read(svm_of(vcpu)->vmcb, field, size_bytes);
    return 0;
}

int svm_field_write(struct vcpu *vcpu, uint32_t field, uint64_t value)
{
    uint64_t *in_vcpu = field_in_vcpu(vcpu, field);
    bool writable = false;
    unsigned size_bytes = field_bytes(field, &writable);

    if (!size_bytes || !writable || (size_bytes < 8 && value >> 8 * size_bytes))
        return -1;
    if (in_vcpu)
        *in_vcpu = value;
    else if (field == VMCB_guest_efer)
        write_efer_raw(svm_edit(vcpu), value);
    else
        raw_write(svm_edit(vcpu)->vmcb, field, size_bytes, value);
    flush_at_entry(svm_edit(vcpu));
    return 0;
}
