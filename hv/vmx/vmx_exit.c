/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Raw VM exit -> struct hv_exit, for every basic reason: kind from the table, details from the
 * decoders below, VMREADing only what the kind needs. No policy, no handling; it also mends what an
 * exit leaves in the VMCS for the next entry (NMI blocking, pending debug exceptions). Hosted builds
 * take the field values from the unit test (vmcs.h).
 */
#include "vmx/vmx.h"

#include "core/seeded.h"

#if __STDC_HOSTED__
uint64_t test_cr8; /* the unit test's CR8 */
static inline uint64_t hardware_cr8(void)
{
    return test_cr8;
}
#else
#include "cpu/x86.h"
static inline uint64_t hardware_cr8(void)
{
    return read_cr8();
}
#endif

#define RIGHTS_L      (1u << 13)
#define BIT(n_)       (UINT64_C(1) << (n_))
#define RFLAGS_TF_BIT BIT(8)

enum vmx_reason {
#define VMX_REASON(code, name, kind, text) REASON_##name = (code),
#include "protocol/exit_reasons.def"
#undef VMX_REASON
};

/*
 * What an exit means for the instruction at RIP. SDM, "Information for VM Exits Due to Instruction
 * Execution" lists the exits whose instruction length is valid; the events are those that arrive
 * between instructions.
 */
#define INSTRUCTION_LOW                                                                            \
    (BIT(REASON_CPUID) | BIT(REASON_GETSEC) | BIT(REASON_HLT) | BIT(REASON_INVD) |                 \
     BIT(REASON_INVLPG) | BIT(REASON_RDPMC) | BIT(REASON_RDTSC) | BIT(REASON_RSM) |                \
     BIT(REASON_VMCALL) | BIT(REASON_VMCLEAR) | BIT(REASON_VMLAUNCH) | BIT(REASON_VMPTRLD) |       \
     BIT(REASON_VMPTRST) | BIT(REASON_VMREAD) | BIT(REASON_VMRESUME) | BIT(REASON_VMWRITE) |       \
     BIT(REASON_VMOFF) | BIT(REASON_VMON) | BIT(REASON_CR_ACCESS) | BIT(REASON_DR_ACCESS) |        \
     BIT(REASON_IO_INSTRUCTION) | BIT(REASON_MSR_READ) | BIT(REASON_MSR_WRITE) |                   \
     BIT(REASON_MWAIT_INSTRUCTION) | BIT(REASON_MONITOR_INSTRUCTION) |                             \
     BIT(REASON_PAUSE_INSTRUCTION) | BIT(REASON_GDTR_IDTR) | BIT(REASON_LDTR_TR) |                 \
     BIT(REASON_INVEPT) | BIT(REASON_RDTSCP) | BIT(REASON_INVVPID) | BIT(REASON_WBINVD) |          \
     BIT(REASON_XSETBV) | BIT(REASON_RDRAND) | BIT(REASON_INVPCID) | BIT(REASON_VMFUNC) |          \
     BIT(REASON_ENCLS) | BIT(REASON_RDSEED) | BIT(REASON_XSAVES))
#define INSTRUCTION_HIGH /* reason - 64 */                                                         \
    (BIT(REASON_XRSTORS - 64) | BIT(REASON_PCONFIG - 64) | BIT(REASON_UMWAIT - 64) |               \
     BIT(REASON_TPAUSE - 64) | BIT(REASON_LOADIWKEY - 64) | BIT(REASON_ENCLV - 64) |               \
     BIT(REASON_ENQCMD_PASID - 64) | BIT(REASON_ENQCMDS_PASID - 64) | BIT(REASON_SEAMCALL - 64) |  \
     BIT(REASON_TDCALL - 64) | BIT(REASON_RDMSRLIST - 64) | BIT(REASON_WRMSRLIST - 64) |           \
     BIT(REASON_URDMSR - 64) | BIT(REASON_UWRMSR - 64) | BIT(REASON_RDMSR_IMM - 64) |              \
     BIT(REASON_WRMSRNS_IMM - 64))
#define BETWEEN_INSTRUCTIONS                                                                       \
    (BIT(REASON_EXTERNAL_INTERRUPT) | BIT(REASON_INIT_SIGNAL) | BIT(REASON_SIPI_SIGNAL) |          \
     BIT(REASON_IO_SMI) | BIT(REASON_OTHER_SMI) | BIT(REASON_INTERRUPT_WINDOW) |                   \
     BIT(REASON_NMI_WINDOW) | BIT(REASON_MONITOR_TRAP_FLAG) | BIT(REASON_PREEMPTION_TIMER) |       \
     BIT(REASON_TPR_BELOW_THRESHOLD) | BIT(REASON_EOI_INDUCED) | BIT(REASON_APIC_WRITE))

/* Basic reason -> kind, before the qualification is looked at, and whether an instruction caused the
 * exit. A hole (0) is "other". */
#define REASON_TABLE_SIZE 96
#define BY_INSTRUCTION    0x80
#define IN_SET(code_)                                                                              \
    ((code_) < 64 ? INSTRUCTION_LOW >> ((code_)&63) & 1 : INSTRUCTION_HIGH >> ((code_)&63) & 1)
static const uint8_t kind_of_reason[REASON_TABLE_SIZE] = {
#define VMX_REASON(code, name, kind, text)                                                         \
    [code] = HV_EXIT_##kind | (IN_SET(code) ? BY_INSTRUCTION : 0),
#include "protocol/exit_reasons.def"
#undef VMX_REASON
};
_Static_assert(HV_EXIT_NONE == 0 && HV_EXIT_KIND_COUNT <= BY_INSTRUCTION, "kind_of_reason");

static bool guest_in_64bit_code(void)
{
    return (vmread(vmcs_entry_controls) & ENTRY_IA32E) && (vmread(vmcs_guest_cs_rights) & RIGHTS_L);
}

/* The guest reads shadow bits where the mask is set, and the register elsewhere. */
static uint64_t merge_shadow(uint64_t mask, uint64_t shadow, uint64_t real)
{
    return (mask & shadow) | (~mask & real);
}

static uint64_t cr_as_read(uint8_t index)
{
    switch (index) {
    case 0:
        return merge_shadow(vmread(vmcs_cr0_mask), vmread(vmcs_cr0_shadow), vmread(vmcs_guest_cr0));
    case 3:
        return vmread(vmcs_guest_cr3);
    case 4:
        return merge_shadow(vmread(vmcs_cr4_mask), vmread(vmcs_cr4_shadow), vmread(vmcs_guest_cr4));
    case 8:
        return hardware_cr8(); /* not virtualised: the guest's is in the CPU */
    default:
        return 0;
    }
}

static enum hv_exit_kind cr_kind(uint8_t index, bool write)
{
    switch (index) {
    case 0:
        return write ? HV_EXIT_CR0_WRITE : HV_EXIT_CR0_READ;
    case 3:
        return write ? HV_EXIT_CR3_WRITE : HV_EXIT_CR3_READ;
    case 4:
        return write ? HV_EXIT_CR4_WRITE : HV_EXIT_CR4_READ;
    case 8:
        return write ? HV_EXIT_CR8_WRITE : HV_EXIT_CR8_READ;
    default:
        return HV_EXIT_OTHER;
    }
}

/* SDM, table "Exit Qualification for Control-Register Accesses" */
static void decode_cr(const struct vcpu *vcpu, struct hv_exit *e)
{
    enum { CR_TO = 0, CR_FROM = 1, CR_CLTS = 2, CR_LMSW = 3 };
    const uint64_t lmsw_bits = 0xf, cr0_pe = 1, cr0_ts = 8;
    uint64_t qual = e->raw_info[0];
    uint8_t type = qual >> 4 & 3;

    e->cr.index = qual & 15;
    e->cr.access = type == CR_FROM ? HV_READ : HV_WRITE;
    e->cr.gpr = qual >> 8 & 15; /* four bits: R8-R15 are 8-15 */
    if (seeded(SEEDED_crgpr8))
        e->cr.gpr &= 7;
    e->kind = cr_kind(e->cr.index, type != CR_FROM);
    e->cr.old = cr_as_read(e->cr.index);

    switch (type) {
    case CR_TO:
        e->cr.insn = HV_CR_MOV;
        e->cr.value = vcpu->regs.by_index[e->cr.gpr];
        if (!guest_in_64bit_code())
            e->cr.value = (uint32_t)e->cr.value;
        break;
    case CR_FROM:
        e->cr.insn = HV_CR_MOV;
        e->cr.value = e->cr.old;
        break;
    case CR_CLTS:
        e->cr.insn = HV_CR_CLTS;
        e->cr.gpr = 0;
        e->cr.value = e->cr.old & ~cr0_ts;
        break;
    case CR_LMSW: /* can set PE, cannot clear it */
        e->cr.insn = HV_CR_LMSW;
        e->cr.gpr = 0;
        e->cr.value = (e->cr.old & ~(lmsw_bits & ~cr0_pe)) | (qual >> 16 & lmsw_bits);
        if (qual & BIT(6)) /* memory operand */
            e->raw_info[1] = vmread(vmcs_guest_linear_addr);
        break;
    }
}

/* SDM, table "Exit Qualification for MOV DR" */
static void decode_dr(struct hv_exit *e)
{
    e->dr.index = e->raw_info[0] & 7;
    e->dr.access = e->raw_info[0] & BIT(4) ? HV_READ : HV_WRITE;
    e->dr.gpr = e->raw_info[0] >> 8 & 15;
}

/* SDM, table "Exit Qualification for I/O Instructions"; "VM-Exit Instruction-Information Field as
 * Used for INS and OUTS" */
static void decode_io(const struct vcpu *vcpu, struct hv_exit *e)
{
    uint64_t qual = e->raw_info[0];

    e->io.size_bytes = (qual & 7) + 1;
    e->io.in = qual & BIT(3);
    e->io.string = qual & BIT(4);
    e->io.rep = qual & BIT(5);
    e->io.port = qual >> 16 & 0xffff;
    e->kind = e->io.in ? HV_EXIT_IO_IN : HV_EXIT_IO_OUT;
    if (e->io.string) {
        uint32_t info = vmread(vmcs_exit_instr_info);

        e->raw_info[1] = vmread(vmcs_guest_linear_addr);
        e->io.addr_bytes = 2 << (info >> 7 & 3);
        e->io.segment = e->io.in ? HV_ES : info >> 15 & 7; /* the field is undefined for INS */
    } else if (!e->io.in) {
        e->io.value = vcpu->regs.rax & (BIT(8 * e->io.size_bytes) - 1);
    }
}

/* SDM, "Interruptibility State": an IRET that had ended NMI blocking and then faulted has not. */
static void block_nmis_again(void)
{
    vmwrite(vmcs_guest_interruptibility, vmread(vmcs_guest_interruptibility) | BLOCKING_NMI);
}

/* SDM, "Information for VM Exits Due to Vectored Events" */
static void decode_exception(struct hv_exit *e)
{
    enum { VECTOR_DB = 1, VECTOR_DF = 8, VECTOR_PF = 14 };
    uint32_t info = vmread(vmcs_exit_intr_info);

    e->exception.vector = INTR_VECTOR(info);
    e->exception.type = INTR_TYPE(info);
    if (info & INTR_HAS_ERROR) {
        e->exception.has_error = true;
        e->exception.error_code = vmread(vmcs_exit_intr_error);
    }
    if (e->exception.type == HV_EVENT_NMI) {
        e->kind = HV_EXIT_NMI;
        return;
    }
    if (e->exception.vector == VECTOR_PF || e->exception.vector == VECTOR_DB)
        e->exception.address = e->raw_info[0];
    if (e->exception.type >= HV_EVENT_SOFT_INT)
        e->instr_len_bytes = vmread(vmcs_exit_instr_len);
    if ((info & INTR_NMI_UNBLOCKING) && e->exception.vector != VECTOR_DF && !e->event.valid)
        block_nmis_again();
}

/* External interrupts exit only when asked for, and are then acknowledged: the vector is known. */
static void decode_interrupt(struct hv_exit *e)
{
    uint32_t info = vmread(vmcs_exit_intr_info);

    if (info & INTR_VALID)
        e->exception.vector = INTR_VECTOR(info);
    e->exception.type = HV_EVENT_INTR;
}

/* SDM, table "Exit Qualification for EPT Violations" */
static void decode_ept_violation(struct hv_exit *e)
{
    uint64_t qual = e->raw_info[0];

    e->nested.gpa = vmread(vmcs_guest_phys_addr);
    if (seeded(SEEDED_gpa32))
        e->nested.gpa = (uint32_t)e->nested.gpa;
    e->nested.access = qual & (HV_READ | HV_WRITE | HV_EXEC); /* bits 0-2 mean the same */
    e->nested.present = qual & (BIT(3) | BIT(4) | BIT(5));
    e->nested.gva_valid = qual & BIT(7);
    if (e->nested.gva_valid) {
        e->nested.gva = e->raw_info[1] = vmread(vmcs_guest_linear_addr);
        e->nested.page_walk = !(qual & BIT(8));
    }
    if ((qual & INTR_NMI_UNBLOCKING) && !e->event.valid)
        block_nmis_again();
}

static void decode_entry_failure(struct hv_exit *e)
{
    e->kind = HV_EXIT_ENTRY_FAILURE;
    e->entry.reason = EXIT_REASON_BASIC(e->raw_reason);
    e->entry.instr_error = 0;
}

/* SDM, "Information for VM Exits During Event Delivery" */
static void decode_vectoring(struct hv_exit *e)
{
    uint32_t info = vmread(vmcs_idt_vectoring_info);

    if (!(info & INTR_VALID))
        return;
    e->event = (struct hv_event){.valid = true};
    e->event.vector = INTR_VECTOR(info);
    e->event.type = INTR_TYPE(info);
    if (info & INTR_HAS_ERROR) {
        e->event.has_error = true;
        e->event.error_code = vmread(vmcs_idt_vectoring_error);
    }
    if (e->event.type >= HV_EVENT_SOFT_INT)
        e->event.instr_len_bytes = vmread(vmcs_exit_instr_len);
    /* The NMI was not delivered after all; it can only be injected again when not blocked. */
    if (e->event.type == HV_EVENT_NMI && !seeded(SEEDED_nmi_reinject))
        vmwrite(vmcs_guest_interruptibility, vmread(vmcs_guest_interruptibility) & ~BLOCKING_NMI);
}

/*
 * An instruction that is going to be executed again owes no trap yet, and one that a handler
 * completes gets it from vcpu_advance(). Bochs leaves "BS" in the field at every exit of an
 * instruction that runs with TF; with it the guest would get #DB without having executed anything.
 */
static void drop_early_trap(const struct vcpu *vcpu, uint16_t reason)
{
    if (__builtin_expect(!(vcpu->regs.rflags & RFLAGS_TF_BIT), 1))
        return;
    if (reason < 64 && (BETWEEN_INSTRUCTIONS >> reason & 1))
        return;
    if (vcpu->exit.kind == HV_EXIT_NMI)
        return;
    /* In an STI or MOV-SS shadow the CPU wants it there, see tf_at_entry(). */
    if (vcpu->exit.shadow)
        return;
    if (vmread(vmcs_guest_pending_debug))
        vmwrite(vmcs_guest_pending_debug, 0);
}

void vmx_decode(struct vcpu *vcpu, uint32_t reason)
{
    struct hv_exit *e = &vcpu->exit;
    uint16_t basic = EXIT_REASON_BASIC(reason);
    uint8_t row;

    e->raw_reason = reason;
    e->raw_info[0] = vmread(vmcs_exit_qualification);
    e->raw_info[1] = 0;
    e->instr_len_bytes = 0;
    e->cs_selector = vmread(vmcs_guest_cs_selector);
    e->shadow = vmread(vmcs_guest_interruptibility) & (BLOCKING_STI | BLOCKING_MOV_SS);
    e->cr3 = vmread(vmcs_guest_cr3);
    e->event.valid = false;
    if (__builtin_expect(reason & EXIT_REASON_ENTRY_FAIL, 0)) {
        decode_entry_failure(e);
        return;
    }
    row = basic < REASON_TABLE_SIZE ? kind_of_reason[basic] : 0;
    e->kind = row & ~BY_INSTRUCTION;
    if (__builtin_expect(row & BY_INSTRUCTION, 1))
        e->instr_len_bytes = vmread(vmcs_exit_instr_len);
    else
        decode_vectoring(e); /* no instruction exits in the middle of event delivery */

    switch (basic) {
    case REASON_CPUID:
        e->cpuid.leaf = (uint32_t)vcpu->regs.rax;
        e->cpuid.subleaf = (uint32_t)vcpu->regs.rcx;
        break;
    case REASON_MSR_READ:
        e->msr.index = (uint32_t)vcpu->regs.rcx;
        e->msr.value = 0;
        break;
    case REASON_MSR_WRITE:
        e->msr.index = (uint32_t)vcpu->regs.rcx;
        e->msr.value = vcpu->regs.rdx << 32 | (uint32_t)vcpu->regs.rax;
        break;
    case REASON_XSETBV:
        e->xsetbv.index = (uint32_t)vcpu->regs.rcx;
        e->xsetbv.value = vcpu->regs.rdx << 32 | (uint32_t)vcpu->regs.rax;
        break;
    case REASON_IO_INSTRUCTION:
        e->io = (typeof(e->io)){.port = 0};
        decode_io(vcpu, e);
        break;
    case REASON_CR_ACCESS:
        e->cr = (typeof(e->cr)){.index = 0};
        decode_cr(vcpu, e);
        break;
    case REASON_DR_ACCESS:
        decode_dr(e);
        break;
    case REASON_EXCEPTION_NMI:
        e->exception = (typeof(e->exception)){.vector = 0};
        decode_exception(e);
        break;
    case REASON_EXTERNAL_INTERRUPT:
        e->exception = (typeof(e->exception)){.vector = 0};
        decode_interrupt(e);
        break;
    case REASON_EPT_VIOLATION:
        e->nested = (typeof(e->nested)){.gpa = 0};
        decode_ept_violation(e);
        break;
    case REASON_EPT_MISCONFIG:
        e->nested = (typeof(e->nested)){.gpa = vmread(vmcs_guest_phys_addr)};
        break;
    case REASON_INVLPG:
        e->invlpg.gva = e->raw_info[0];
        break;
    case REASON_INVPCID: /* the qualification is a displacement; the operand is a descriptor */
        e->invlpg.gva = 0;
        break;
    case REASON_TASK_SWITCH:
        /* SDM, table "Exit Qualification for Task Switches": source 0-2 are CALL, IRET, JMP; a gate
         * in the IDT (3) has a length only when an instruction raised the event. */
        if ((e->raw_info[0] >> 30 & 3) != 3 ||
            (e->event.valid && e->event.type >= HV_EVENT_SOFT_INT))
            e->instr_len_bytes = vmread(vmcs_exit_instr_len);
        break;
    default:
        if (e->kind == HV_EXIT_NONE)
            e->kind = HV_EXIT_OTHER; /* a reason newer than our table: raw_reason says which */
        break;
    }
    drop_early_trap(vcpu, basic);
}

void vmx_decode_vmfail(struct vcpu *vcpu, uint32_t instr_error)
{
    /* Reason and qualification in the VMCS are those of the previous exit: not this one's. */
    vcpu->exit = (struct hv_exit){
        .kind = HV_EXIT_ENTRY_FAILURE,
        .entry = {.reason = 0, .instr_error = instr_error},
    };
    if (!instr_error)
        return; /* VMfailInvalid: there is no current VMCS to read */
    vcpu->exit.cs_selector = vmread(vmcs_guest_cs_selector);
    vcpu->exit.cr3 = vmread(vmcs_guest_cr3);
}
