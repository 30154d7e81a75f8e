/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Registers of regs.def on a real vCPU, by source. Control registers written here pass through the
 * handlers that the guest's own MOV would meet, so the same values are refused.
 */
#include "core/backend.h"
#include "core/exit_handlers.h"
#include "core/exit_msr.h"
#include "cpu/x86.h"
#include "dbg/target_impl.h"
#include "lib/mem.h"

#define DR6_ONES UINT64_C(0xffff0ff0)
#define DR7_ONES UINT64_C(0x400)

/* GDB's order of the sixteen. */
static const uint8_t gprs[16] = {GPR_RAX, GPR_RBX, GPR_RCX, GPR_RDX, GPR_RSI, GPR_RDI,
                                 GPR_RBP, GPR_RSP, GPR_R8,  GPR_R9,  GPR_R10, GPR_R11,
                                 GPR_R12, GPR_R13, GPR_R14, GPR_R15};

enum tl_cpu_mode target_mode(struct vcpu *vcpu)
{
    uint32_t rights = hv_backend->get_segment(vcpu, HV_CS).rights;

    if (!(vcpu->cr0_wrote & CR0_PE))
        return TL_MODE_REAL;
    if (vcpu->regs.rflags & RFLAGS_VM)
        return TL_MODE_VM86;
    if (!vcpu_long_mode(vcpu))
        return rights & (1u << 14) ? TL_MODE_PROT32 : TL_MODE_PROT16;
    if (rights & (1u << 13))
        return TL_MODE_LONG;
    return rights & (1u << 14) ? TL_MODE_COMPAT32 : TL_MODE_COMPAT16;
}

static enum hv_seg segment_of(unsigned regno)
{
    switch (regno) {
    case TL_REG_cs:
    case TL_REG_cs_base:
        return HV_CS;
    case TL_REG_ss:
    case TL_REG_ss_base:
        return HV_SS;
    case TL_REG_ds:
    case TL_REG_ds_base:
        return HV_DS;
    case TL_REG_es:
    case TL_REG_es_base:
        return HV_ES;
    case TL_REG_fs:
    case TL_REG_fs_base:
        return HV_FS;
    case TL_REG_gs:
    case TL_REG_gs_base:
        return HV_GS;
    case TL_REG_ldtr:
        return HV_LDTR;
    default:
        return HV_TR;
    }
}

static enum hv_state table_of(unsigned regno)
{
    return regno == TL_REG_gdtr_base    ? HV_ST_GDTR_BASE
           : regno == TL_REG_gdtr_limit ? HV_ST_GDTR_LIMIT
           : regno == TL_REG_idtr_base  ? HV_ST_IDTR_BASE
                                        : HV_ST_IDTR_LIMIT;
}

static uint64_t read_control(struct vcpu *vcpu, unsigned regno)
{
    switch (regno) {
    case TL_REG_cr0:
        return vcpu->cr0_wrote;
    case TL_REG_cr2:
        return vcpu->cr2;
    case TL_REG_cr3:
        return hv_backend->get(vcpu, HV_ST_CR3);
    case TL_REG_cr4:
        return vcpu->cr4_wrote;
    default:
        return hv_backend->get(vcpu, HV_ST_CR8);
    }
}

static uint64_t read_exit(struct vcpu *vcpu, unsigned regno)
{
    const struct hv_exit *e = &vcpu->exit;
    bool cr = e->kind >= HV_EXIT_CR0_WRITE && e->kind <= HV_EXIT_CR8_READ;
    bool msr = e->kind == HV_EXIT_RDMSR || e->kind == HV_EXIT_WRMSR;
    bool io = e->kind == HV_EXIT_IO_IN || e->kind == HV_EXIT_IO_OUT;
    bool exception = e->kind == HV_EXIT_EXCEPTION;
    bool nested = e->kind == HV_EXIT_NESTED_PAGE || e->kind == HV_EXIT_NESTED_MISCONFIG;

    switch (regno) {
    case TL_REG_exit_kind:
        return e->kind;
    case TL_REG_exit_reason:
        return e->raw_reason;
    case TL_REG_exit_qual:
        return e->raw_info[0];
    case TL_REG_exit_info2:
        return e->raw_info[1];
    case TL_REG_exit_len:
        return e->instr_len_bytes;
    case TL_REG_exit_msr:
        return msr ? e->msr.index : 0;
    case TL_REG_exit_port:
        return io ? e->io.port : 0;
    case TL_REG_exit_value:
        return cr                          ? e->cr.value
               : msr                       ? target_msr_value(vcpu)
               : e->kind == HV_EXIT_IO_OUT ? e->io.value
               : e->kind == HV_EXIT_XSETBV ? e->xsetbv.value
               : exception                 ? e->exception.address
                                           : 0;
    case TL_REG_exit_old:
        return cr ? e->cr.old : 0;
    case TL_REG_exit_index:
        return cr                             ? e->cr.index
               : msr                          ? e->msr.index
               : io                           ? e->io.port
               : e->kind == HV_EXIT_DR_ACCESS ? e->dr.index
               : e->kind == HV_EXIT_CPUID     ? e->cpuid.leaf
               : e->kind == HV_EXIT_XSETBV    ? e->xsetbv.index
                                              : 0;
    case TL_REG_exit_vector:
        return exception ? e->exception.vector : e->event.valid ? e->event.vector : 0;
    case TL_REG_exit_error:
        return exception && e->exception.has_error ? e->exception.error_code : 0;
    case TL_REG_exit_gpa:
        return nested ? e->nested.gpa : 0;
    default: /* exit_gva */
        return nested && e->nested.gva_valid                ? e->nested.gva
               : e->kind == HV_EXIT_INVLPG                  ? e->invlpg.gva
               : exception && e->exception.vector == X86_PF ? e->exception.address
                                                            : 0;
    }
}

static int read_field(struct vcpu *vcpu, const char *name, uint64_t *value)
{
    const struct tl_field *field = tl_field_alias(target_vendor(), name, strlen(name));

    return field ? hv_backend->field_read(vcpu, field->number, value) : -1;
}

static void read_hw_dr(uint64_t addr[4])
{
    addr[0] = read_dr0();
    addr[1] = read_dr1();
    addr[2] = read_dr2();
    addr[3] = read_dr3();
}

static void write_hw_dr(const uint64_t addr[4])
{
    write_dr0(addr[0]);
    write_dr1(addr[1]);
    write_dr2(addr[2]);
    write_dr3(addr[3]);
}

void target_dr_own(void *machine, unsigned cpu, struct dbg_dr *own)
{
    struct vcpu *vcpu = target_vcpu(cpu);

    (void)machine;
    if (vcpu->dr_borrowed) {
        memcpy(own->addr, vcpu->dr, sizeof(own->addr));
        own->dr7 = vcpu->dr7_wrote;
        return;
    }
    read_hw_dr(own->addr);
    own->dr7 = hv_backend->get(vcpu, HV_ST_DR7);
}

void target_dr_load(void *machine, unsigned cpu, const struct dbg_dr *loaded)
{
    struct vcpu *vcpu = target_vcpu(cpu);

    (void)machine;
    if (loaded) {
        if (!vcpu->dr_borrowed) {
            read_hw_dr(vcpu->dr);
            vcpu->dr7_wrote = hv_backend->get(vcpu, HV_ST_DR7);
            vcpu->dr_borrowed = true;
        }
        write_hw_dr(loaded->addr);
        hv_backend->set(vcpu, HV_ST_DR7, loaded->dr7);
    } else if (vcpu->dr_borrowed) {
        vcpu->dr_borrowed = false;
        write_hw_dr(vcpu->dr);
        hv_backend->set(vcpu, HV_ST_DR7, vcpu->dr7_wrote);
    }
}

static uint64_t read_debug(struct vcpu *vcpu, unsigned regno)
{
    struct dbg_dr own;

    target_dr_own(NULL, vcpu->id, &own);
    if (regno == TL_REG_dr6)
        return hv_backend->get(vcpu, HV_ST_DR6);
    return regno == TL_REG_dr7 ? own.dr7 : own.addr[regno - TL_REG_dr0];
}

int target_reg_read(void *machine, unsigned cpu, unsigned regno, uint64_t *value)
{
    struct vcpu *vcpu = target_vcpu(cpu);

    (void)machine;
    switch (tl_regs[regno].source) {
    case TL_SRC_GPR:
        *value = vcpu->regs.by_index[gprs[regno]];
        return 0;
    case TL_SRC_RIP:
        *value = vcpu->regs.rip;
        return 0;
    case TL_SRC_FLAGS:
        *value = vcpu->regs.rflags;
        return 0;
    case TL_SRC_SELECTOR:
        *value = hv_backend->get_segment(vcpu, segment_of(regno)).selector;
        return 0;
    case TL_SRC_BASE:
        *value = hv_backend->get_segment(vcpu, segment_of(regno)).base;
        return 0;
    case TL_SRC_TABLE:
        *value = hv_backend->get(vcpu, table_of(regno));
        return 0;
    case TL_SRC_CONTROL:
        *value = read_control(vcpu, regno);
        return 0;
    case TL_SRC_EFER:
        *value = vcpu->efer_wrote;
        return 0;
    case TL_SRC_DEBUG:
        *value = read_debug(vcpu, regno);
        return 0;
    case TL_SRC_MODE:
        *value = target_mode(vcpu);
        return 0;
    case TL_SRC_EXIT:
        *value = read_exit(vcpu, regno);
        return 0;
    case TL_SRC_FIELD:
        return read_field(vcpu, tl_regs[regno].name, value);
    default:
        return target_fpu_read(vcpu, regno, value);
    }
}

/* Runs the guest's own handler for a MOV to a control register, then takes the instruction back. */
static int write_cr(struct vcpu *vcpu, uint8_t index, uint64_t value)
{
    const struct hv_exit kept_exit = vcpu->exit;
    const struct hv_event kept_inject = vcpu->inject;
    const struct guest_regs kept_regs = vcpu->regs;
    const bool kept_step = vcpu->single_step;
    uint64_t old = read_control(vcpu, index == 0   ? TL_REG_cr0
                                      : index == 3 ? TL_REG_cr3
                                      : index == 4 ? TL_REG_cr4
                                                   : TL_REG_cr8);
    bool refused;

    vcpu->exit = (struct hv_exit){
        .kind = index == 0   ? HV_EXIT_CR0_WRITE
                : index == 3 ? HV_EXIT_CR3_WRITE
                : index == 4 ? HV_EXIT_CR4_WRITE
                             : HV_EXIT_CR8_WRITE,
        .instr_len_bytes = 3,
        .cr = {.index = index, .access = HV_WRITE, .value = value, .old = old},
    };
    vcpu->inject.valid = false;
    vcpu->single_step = false;
    vcpu->regs.rflags &= ~RFLAGS_TF;
    exit_cr_write(vcpu);
    refused = vcpu->inject.valid;
    vcpu->exit = kept_exit;
    vcpu->inject = kept_inject;
    vcpu->regs = kept_regs;
    vcpu->single_step = kept_step;
    return refused ? -1 : 0;
}

static int write_control(struct vcpu *vcpu, unsigned regno, uint64_t value)
{
    switch (regno) {
    case TL_REG_cr0:
        return write_cr(vcpu, 0, value);
    case TL_REG_cr2:
        vcpu->cr2 = value;
        return 0;
    case TL_REG_cr3:
        return write_cr(vcpu, 3, value);
    case TL_REG_cr4:
        return write_cr(vcpu, 4, value);
    default:
        return write_cr(vcpu, 8, value);
    }
}

static int write_segment(struct vcpu *vcpu, unsigned regno, uint64_t value, bool base)
{
    struct hv_segment segment = hv_backend->get_segment(vcpu, segment_of(regno));

    if (base) {
        segment.base = value;
    } else {
        if (value >> 16)
            return -1;
        segment.selector = (uint16_t)value;
        if (target_mode(vcpu) == TL_MODE_REAL || target_mode(vcpu) == TL_MODE_VM86)
            segment.base = value << 4;
    }
    hv_backend->set_segment(vcpu, segment_of(regno), &segment);
    return 0;
}

static int write_debug(struct vcpu *vcpu, unsigned regno, uint64_t value)
{
    struct dbg_dr own;

    if (regno >= TL_REG_dr6 && value >> 32)
        return -1;
    if (regno == TL_REG_dr6) {
        vcpu->dr6 = value | DR6_ONES;
        hv_backend->set(vcpu, HV_ST_DR6, vcpu->dr6);
        return 0;
    }
    target_dr_own(NULL, vcpu->id, &own);
    if (regno == TL_REG_dr7)
        own.dr7 = value | DR7_ONES;
    else
        own.addr[regno - TL_REG_dr0] = value;
    memcpy(vcpu->dr, own.addr, sizeof(vcpu->dr));
    vcpu->dr7_wrote = own.dr7;
    if (!vcpu->dr_borrowed) {
        write_hw_dr(own.addr);
        hv_backend->set(vcpu, HV_ST_DR7, own.dr7);
    }
    return 0;
}

/* The value that the exiting instruction stores: here, and in the register it comes from, because a
 * stopped exit is taken anew. */
static int write_exit_value(struct vcpu *vcpu, uint64_t value)
{
    struct hv_exit *e = &vcpu->exit;

    switch (e->kind) {
    case HV_EXIT_CR0_WRITE:
    case HV_EXIT_CR3_WRITE:
    case HV_EXIT_CR4_WRITE:
    case HV_EXIT_CR8_WRITE:
        if (e->cr.insn != HV_CR_MOV)
            return -1;
        e->cr.value = value;
        vcpu->regs.by_index[e->cr.gpr & 15] = value;
        return 0;
    case HV_EXIT_WRMSR:
        e->msr.value = value;
        vcpu->regs.rax = (uint32_t)value;
        vcpu->regs.rdx = value >> 32;
        return 0;
    case HV_EXIT_IO_OUT:
        if (e->io.string)
            return -1;
        e->io.value = value;
        memcpy(&vcpu->regs.rax, &value, e->io.size_bytes <= 4 ? e->io.size_bytes : 4);
        return 0;
    default:
        return -1;
    }
}

static int write_field(struct vcpu *vcpu, const char *name, uint64_t value)
{
    const struct tl_field *field = tl_field_alias(target_vendor(), name, strlen(name));

    return field && field->writable ? hv_backend->field_write(vcpu, field->number, value) : -1;
}

int target_reg_write(void *machine, unsigned cpu, unsigned regno, uint64_t value)
{
    struct vcpu *vcpu = target_vcpu(cpu);

    (void)machine;
    switch (tl_regs[regno].source) {
    case TL_SRC_GPR:
        vcpu->regs.by_index[gprs[regno]] = value;
        return 0;
    case TL_SRC_RIP:
        vcpu->regs.rip = value;
        return 0;
    case TL_SRC_FLAGS:
        vcpu->regs.rflags = (value & UINT64_C(0x3f7fd7)) | 2;
        return 0;
    case TL_SRC_SELECTOR:
        return write_segment(vcpu, regno, value, false);
    case TL_SRC_BASE:
        return write_segment(vcpu, regno, value, true);
    case TL_SRC_TABLE:
        hv_backend->set(vcpu, table_of(regno), value);
        return 0;
    case TL_SRC_CONTROL:
        return write_control(vcpu, regno, value);
    case TL_SRC_EFER:
        return exit_msr_write(vcpu, MSR_efer, value) ? 0 : -1;
    case TL_SRC_DEBUG:
        return write_debug(vcpu, regno, value);
    case TL_SRC_EXIT:
        return regno == TL_REG_exit_value ? write_exit_value(vcpu, value) : -1;
    case TL_SRC_FIELD:
        return write_field(vcpu, tl_regs[regno].name, value);
    default:
        return target_fpu_write(vcpu, regno, value);
    }
}
