/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fills struct dbg_target, the debugger's view of a machine, from core. Registers are target_regs.c's,
 * our own queries target_tl.c's; the way back, core's calls of the debugger, is target_hooks.c's.
 */
#include "core/backend.h"
#include "core/exit_msr.h"
#include "core/guest_mem.h"
#include "core/hooks.h"
#include "core/insn.h"
#include "core/intercept.h"
#include "core/nested.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "dbg/target_impl.h"
#include "lib/log.h"
#include "lib/mem.h"

#define PENDING_STEP_BIT (UINT64_C(1) << 14)
#define SHADOW_BITS      UINT64_C(3)
#define ACTIVITY_ACTIVE  0

struct vcpu *target_vcpu(unsigned cpu)
{
    (void)cpu;
    return this_cpu()->vcpu;
}

enum tl_vendor target_vendor(void)
{
    return hv_backend == &vmx_backend ? TL_VMX : TL_SVM;
}

static uint32_t shadow_get(void *machine, unsigned cpu)
{
    (void)machine;
    return (uint32_t)(hv_backend->get(target_vcpu(cpu), HV_ST_INTERRUPTIBILITY) & SHADOW_BITS);
}

static void shadow_set(void *machine, unsigned cpu, uint32_t shadow)
{
    struct vcpu *vcpu = target_vcpu(cpu);
    uint64_t old = hv_backend->get(vcpu, HV_ST_INTERRUPTIBILITY);

    (void)machine;
    if ((old & SHADOW_BITS) != shadow)
        hv_backend->set(vcpu, HV_ST_INTERRUPTIBILITY, (old & ~SHADOW_BITS) | shadow);
}

static void pending_step_clear(void *machine, unsigned cpu)
{
    struct vcpu *vcpu = target_vcpu(cpu);
    uint64_t pending;

    (void)machine;
    if (!hv_caps.pending_debug)
        return;
    pending = hv_backend->get(vcpu, HV_ST_PENDING_DEBUG);
    if (pending & PENDING_STEP_BIT)
        hv_backend->set(vcpu, HV_ST_PENDING_DEBUG, pending & ~PENDING_STEP_BIT);
}

static uint8_t cpl(void *machine, unsigned cpu)
{
    (void)machine;
    return vcpu_cpl(target_vcpu(cpu));
}

static uint8_t code_bits(void *machine, unsigned cpu)
{
    (void)machine;
    return vcpu_code_bits(target_vcpu(cpu));
}

static uint8_t stack_bits(void *machine, unsigned cpu)
{
    struct vcpu *vcpu = target_vcpu(cpu);

    (void)machine;
    if (vcpu_code_bits(vcpu) == 64)
        return 64;
    return hv_backend->get_segment(vcpu, HV_SS).rights & (1u << 14) ? 32 : 16;
}

static size_t mem_read(void *machine, unsigned cpu, uint64_t gva, void *buf, size_t len_bytes)
{
    (void)machine;
    return guest_read_gva(target_vcpu(cpu), gva, buf, len_bytes);
}

static size_t mem_write(void *machine, unsigned cpu, uint64_t gva, const void *buf,
                        size_t len_bytes)
{
    (void)machine;
    return guest_write_gva(target_vcpu(cpu), gva, buf, len_bytes);
}

static size_t phys_read(void *machine, uint64_t gpa, void *buf, size_t len_bytes)
{
    (void)machine;
    return guest_read_gpa(gpa, buf, len_bytes);
}

static size_t phys_write(void *machine, uint64_t gpa, const void *buf, size_t len_bytes)
{
    (void)machine;
    return guest_write_gpa(gpa, buf, len_bytes);
}

static int translate(void *machine, unsigned cpu, uint64_t gva, uint64_t *gpa)
{
    struct guest_walk walk = guest_translate(target_vcpu(cpu), gva);

    (void)machine;
    if (walk.result != WALK_OK || !guest_is_ram(walk.gpa & ~UINT64_C(0xfff), 4096))
        return -1;
    *gpa = walk.gpa;
    return 0;
}

static const uint8_t step_classes[] = {
    [INSN_PUSHF] = DBG_INSN_PUSHF,       [INSN_POPF] = DBG_INSN_POPF,
    [INSN_IRET] = DBG_INSN_IRET,         [INSN_INT_N] = DBG_INSN_INT,
    [INSN_INT3] = DBG_INSN_INT3,         [INSN_INTO] = DBG_INSN_INTO,
    [INSN_ICEBP] = DBG_INSN_ICEBP,       [INSN_SYSCALL] = DBG_INSN_SYSCALL,
    [INSN_SYSENTER] = DBG_INSN_SYSENTER, [INSN_SYSRET] = DBG_INSN_SYSRET,
    [INSN_SYSEXIT] = DBG_INSN_SYSEXIT,   [INSN_STI] = DBG_INSN_STI,
    [INSN_CLI] = DBG_INSN_CLI,           [INSN_HLT] = DBG_INSN_HLT,
    [INSN_MOV_SS] = DBG_INSN_MOV_SS,     [INSN_POP_SS] = DBG_INSN_MOV_SS,
};

static struct dbg_insn classify(void *machine, unsigned cpu, uint64_t gva)
{
    struct vcpu *vcpu = target_vcpu(cpu);
    uint8_t bytes[INSN_MAX_BYTES], bits = vcpu_code_bits(vcpu);
    size_t got = guest_read_gva(vcpu, gva, bytes, sizeof(bytes));
    struct insn insn = insn_decode(bytes, got,
                                   bits == 64   ? INSN_MODE_64
                                   : bits == 32 ? INSN_MODE_32
                                                : INSN_MODE_16);
    struct dbg_insn out = {.class = DBG_INSN_PLAIN, .len_bytes = insn.len_bytes};

    (void)machine;
    if (insn.status != INSN_OK) {
        out.class = DBG_INSN_UNREADABLE;
        return out;
    }
    if (insn.class < sizeof(step_classes))
        out.class = step_classes[insn.class];
    out.operand_bytes = insn.op_bytes;
    if (insn.class == INSN_SYSRET || insn.class == INSN_SYSEXIT)
        out.operand_bytes = insn.rexw ? 8 : 4;
    out.vector = (uint8_t)insn.imm;
    return out;
}

static bool inject_waiting(void *machine, unsigned cpu)
{
    (void)machine;
    return target_vcpu(cpu)->inject.valid;
}

static void inject(void *machine, unsigned cpu, enum dbg_event_type type, uint8_t vector,
                   uint8_t len_bytes)
{
    struct vcpu *vcpu = target_vcpu(cpu);

    (void)machine;
    if (type == DBG_EVENT_EXCEPTION) {
        vcpu_inject_exception(vcpu, vector, false, 0);
        return;
    }
    vcpu->inject = (struct hv_event){
        .valid = true, .vector = vector, .type = (uint8_t)type, .instr_len_bytes = len_bytes};
}

static void guest_dr6_set(void *machine, unsigned cpu, uint64_t bits)
{
    struct vcpu *vcpu = target_vcpu(cpu);

    (void)machine;
    vcpu->dr6 = hv_backend->get(vcpu, HV_ST_DR6) | bits;
    hv_backend->set(vcpu, HV_ST_DR6, vcpu->dr6);
}

static int page_trap(void *machine, uint64_t gpa, bool on)
{
    (void)machine;
    if (on && !guest_is_ram(gpa, 4096))
        return -1;
    if (!nested_protect(gpa, 4096, on ? HV_READ | HV_WRITE : HV_READ | HV_WRITE | HV_EXEC))
        return -1;
    hv_backend->nested_flush(target_vcpu(0));
    return 0;
}

static int hold(void *machine, unsigned cpu, bool on)
{
    (void)machine;
    nested_hold(on);
    hv_backend->nested_flush(target_vcpu(cpu));
    return 0;
}

static void intercepts(void *machine, unsigned cpu, const struct dbg_wants *wants)
{
    const struct hv_intercepts wanted = {
        .kinds = wants->kinds,
        .exceptions = wants->exceptions,
        .cr0_mask = wants->cr0_mask,
        .cr4_mask = wants->cr4_mask,
        .step = wants->trap_flag,
    };

    (void)machine;
    intercept_debugger(target_vcpu(cpu), &wanted);
}

static void msr_intercept(void *machine, unsigned cpu, uint32_t index, uint8_t access, bool on)
{
    (void)machine;
    intercept_msr(target_vcpu(cpu), index, access, on);
}

static void port_intercept(void *machine, unsigned cpu, uint16_t first, uint32_t count, bool on)
{
    (void)machine;
    intercept_ports(target_vcpu(cpu), first, count, on);
}

static void armed(void *machine, uint64_t kinds)
{
    (void)machine;
    hv_debug.armed = kinds;
}

static void stepping(void *machine, unsigned cpu, bool on)
{
    struct vcpu *vcpu = target_vcpu(cpu);

    (void)machine;
    vcpu->single_step = on;
    if (on && hv_caps.pending_debug && hv_backend->get(vcpu, HV_ST_ACTIVITY) != ACTIVITY_ACTIVE)
        hv_backend->set(vcpu, HV_ST_ACTIVITY, ACTIVITY_ACTIVE); /* a trap wakes a halted CPU */
}

static void revive(void *machine, unsigned cpu)
{
    struct vcpu *vcpu = target_vcpu(cpu);

    (void)machine;
    vcpu->dead = false;
    vcpu->dead_why = NULL;
}

static int msr_read(void *machine, unsigned cpu, uint32_t index, uint64_t *value)
{
    (void)machine;
    return exit_msr_read(target_vcpu(cpu), index, value) ? 0 : -1;
}

static int msr_write(void *machine, unsigned cpu, uint32_t index, uint64_t value)
{
    (void)machine;
    return exit_msr_write(target_vcpu(cpu), index, value) ? 0 : -1;
}

static int area_read(void *machine, unsigned cpu, struct dbg_msr *entries, int max)
{
    struct hv_msr_entry area[HV_MSR_AREA_MAX];
    int count = hv_backend->msr_area(target_vcpu(cpu), area, HV_MSR_AREA_MAX);

    (void)machine;
    for (int i = 0; i < count && i < max; i++)
        entries[i] = (struct dbg_msr){area[i].index, area[i].value};
    return count < max ? count : max;
}

static int area_write(void *machine, unsigned cpu, uint32_t index, uint64_t value)
{
    (void)machine;
    return hv_backend->msr_area_set(target_vcpu(cpu), index, value) < 0 ? -1 : 0;
}

static int field_read(void *machine, unsigned cpu, uint32_t field, uint64_t *value)
{
    (void)machine;
    return hv_backend->field_read(target_vcpu(cpu), field, value);
}

static int field_write(void *machine, unsigned cpu, uint32_t field, uint64_t value)
{
    (void)machine;
    return hv_backend->field_write(target_vcpu(cpu), field, value);
}

const struct dbg_exit *target_last_exit(void *machine, unsigned cpu)
{
    static struct dbg_exit out;
    const struct hv_exit *exit = &target_vcpu(cpu)->exit;

    (void)machine;
    out = (struct dbg_exit){.kind = (uint8_t)exit->kind};
    switch (exit->kind) {
    case HV_EXIT_EXCEPTION:
        out.vector = exit->exception.vector;
        if (exit->exception.vector == 1 && exit->exception.type == HV_EVENT_HW_EXCEPTION)
            out.dr6 = exit->exception.address & 0xffff & ~UINT64_C(0xff0);
        break;
    case HV_EXIT_NESTED_PAGE:
        out.access = exit->nested.access;
        out.gpa = exit->nested.gpa;
        break;
    case HV_EXIT_RDMSR:
    case HV_EXIT_WRMSR:
        out.msr = exit->msr.index;
        break;
    case HV_EXIT_IO_IN:
    case HV_EXIT_IO_OUT:
        out.port = exit->io.port;
        out.io_bytes = exit->io.size_bytes;
        break;
    default:
        break;
    }
    return &out;
}

uint64_t target_clock_us(void *machine)
{
    (void)machine;
    return log_clock_us ? log_clock_us() : 0;
}

void target_reboot(void *machine)
{
    const struct table_reg nothing = {0};

    (void)machine;
    out8(0xcf9, 0x02);
    out8(0xcf9, 0x06);
    out8(0x64, 0xfe);
    lidt(&nothing);
    __asm__ volatile("int3");
}

static struct dbg_target target = {
    .cpus = 1,
    .reg_read = target_reg_read,
    .reg_write = target_reg_write,
    .reg_wide_read = target_reg_wide_read,
    .reg_wide_write = target_reg_wide_write,
    .shadow_get = shadow_get,
    .shadow_set = shadow_set,
    .pending_step_clear = pending_step_clear,
    .cpl = cpl,
    .code_bits = code_bits,
    .stack_bits = stack_bits,
    .mem_read = mem_read,
    .mem_write = mem_write,
    .phys_read = phys_read,
    .phys_write = phys_write,
    .translate = translate,
    .classify = classify,
    .inject_waiting = inject_waiting,
    .inject = inject,
    .guest_dr6_set = guest_dr6_set,
    .dr_own = target_dr_own,
    .dr_load = target_dr_load,
    .page_trap = page_trap,
    .hold = hold,
    .intercepts = intercepts,
    .msr_intercept = msr_intercept,
    .port_intercept = port_intercept,
    .armed = armed,
    .stepping = stepping,
    .revive = revive,
    .msr_read = msr_read,
    .msr_write = msr_write,
    .area_read = area_read,
    .area_write = area_write,
    .field_read = field_read,
    .field_write = field_write,
    .last_exit = target_last_exit,
    .clock_us = target_clock_us,
    .reboot = target_reboot,
    .query = target_query,
    .object = target_object,
};

struct dbg_target *target_init(void)
{
    target.caps = (struct dbg_caps){
        .mtf = hv_caps.mtf,
        .dr_without_base = !strcmp(hv_caps.platform, "qemu-tcg"),
        .vendor = hv_caps.vendor,
        .platform = hv_caps.platform,
    };
    return &target;
}
