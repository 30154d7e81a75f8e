/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Policy of the single step. What the CPU leaves to software, by instruction: PUSHF stores the
 * borrowed TF (mended in memory), POPF and IRET load flags of their own (kept), SYSCALL and its kind
 * get no trap (a breakpoint waits at their target), INT n is injected so that its stack image is
 * right, STI, CLI and HLT are performed here. Everything that faults in between exits, is given to
 * the guest with its own flags, and the step lands at the handler.
 */
#include "dbg/step.h"

#define MSR_SYSENTER_EIP 0x176u
#define MSR_STAR         0xc0000081u
#define MSR_LSTAR        0xc0000082u
#define MSR_CSTAR        0xc0000083u
#define EFER_LMA         (UINT64_C(1) << 10)
#define CR0_PE           UINT64_C(1)
#define SHADOW_STI       1u

static uint64_t get(const struct dbg_target *t, unsigned cpu, unsigned regno)
{
    uint64_t value = 0;

    t->reg_read(t->machine, cpu, regno, &value);
    return value;
}

static void set(const struct dbg_target *t, unsigned cpu, unsigned regno, uint64_t value)
{
    t->reg_write(t->machine, cpu, regno, value);
}

static uint64_t pc_gva(const struct dbg_target *t, unsigned cpu)
{
    uint64_t rip = get(t, cpu, TL_REG_rip);

    if (t->code_bits(t->machine, cpu) == 64)
        return rip;
    return (uint32_t)(rip + get(t, cpu, TL_REG_cs_base));
}

/* May the guest change IF here? SDM, "STI", "POPF". */
static bool may_change_if(const struct dbg_target *t, unsigned cpu, uint64_t flags)
{
    if (!(get(t, cpu, TL_REG_cr0) & CR0_PE))
        return true;
    if (flags & RFLAGS_VM)
        return (flags & RFLAGS_IOPL) == RFLAGS_IOPL;
    return t->cpl(t->machine, cpu) <= (flags & RFLAGS_IOPL) >> 12;
}

/* RIP behind an instruction that was performed here; the guest that runs with TF gets its trap. */
static void advance(const struct dbg_target *t, unsigned cpu, uint8_t len_bytes, uint64_t flags)
{
    uint64_t rip = get(t, cpu, TL_REG_rip) + len_bytes;
    uint8_t bits = t->code_bits(t->machine, cpu);

    if (bits < 64)
        rip &= (UINT64_C(1) << bits) - 1;
    set(t, cpu, TL_REG_rip, rip);
    set(t, cpu, TL_REG_eflags, flags & ~RFLAGS_RF);
    if (flags & RFLAGS_TF) {
        t->guest_dr6_set(t->machine, cpu, DR6_BS);
        t->inject(t->machine, cpu, DBG_EVENT_EXCEPTION, 1, 0);
    }
}

static bool perform(const struct dbg_target *t, unsigned cpu, struct dbg_insn insn)
{
    uint64_t flags = get(t, cpu, TL_REG_eflags);
    uint32_t shadow = 0;

    switch (insn.class) {
    case DBG_INSN_STI:
        if (!may_change_if(t, cpu, flags))
            return false;
        shadow = flags & RFLAGS_IF ? 0 : SHADOW_STI;
        flags |= RFLAGS_IF;
        break;
    case DBG_INSN_CLI:
        if (!may_change_if(t, cpu, flags))
            return false;
        flags &= ~RFLAGS_IF;
        break;
    case DBG_INSN_HLT: /* a trap behind HLT ends the halt at once: it is a NOP */
        if (t->cpl(t->machine, cpu))
            return false;
        break;
    default:
        return false;
    }
    advance(t, cpu, insn.len_bytes, flags);
    t->shadow_set(t->machine, cpu, shadow);
    return true;
}

static bool predict(const struct dbg_target *t, unsigned cpu, struct dbg_insn insn, uint64_t *gva)
{
    bool long_mode = get(t, cpu, TL_REG_efer) & EFER_LMA;
    uint64_t value = 0;
    int rc = 0;

    switch (insn.class) {
    case DBG_INSN_SYSCALL:
        rc = t->msr_read(t->machine, cpu,
                         !long_mode                            ? MSR_STAR
                         : t->code_bits(t->machine, cpu) == 64 ? MSR_LSTAR
                                                               : MSR_CSTAR,
                         &value);
        *gva = long_mode ? value : (uint32_t)value;
        return rc == 0;
    case DBG_INSN_SYSENTER:
        rc = t->msr_read(t->machine, cpu, MSR_SYSENTER_EIP, &value);
        *gva = long_mode ? value : (uint32_t)value;
        return rc == 0;
    case DBG_INSN_SYSRET:
        value = get(t, cpu, TL_REG_rcx);
        break;
    case DBG_INSN_SYSEXIT:
        value = get(t, cpu, TL_REG_rdx);
        break;
    default:
        return false;
    }
    *gva = insn.operand_bytes == 8 ? value : (uint32_t)value;
    return true;
}

/* Software interrupts are injected; not where the instruction would fault for its IOPL. */
static bool convert(const struct dbg_target *t, unsigned cpu, struct dbg_insn insn)
{
    uint64_t flags = get(t, cpu, TL_REG_eflags);

    switch (insn.class) {
    case DBG_INSN_INT:
        if (flags & RFLAGS_VM && (flags & RFLAGS_IOPL) != RFLAGS_IOPL)
            return false;
        t->inject(t->machine, cpu, DBG_EVENT_SOFT_INT, insn.vector, insn.len_bytes);
        return true;
    case DBG_INSN_INT3:
        t->inject(t->machine, cpu, DBG_EVENT_SOFT_EXCEPTION, 3, insn.len_bytes);
        return true;
    case DBG_INSN_INTO:
        if (!(flags & (UINT64_C(1) << 11))) /* OF clear: it does nothing */
            return false;
        t->inject(t->machine, cpu, DBG_EVENT_SOFT_EXCEPTION, 4, insn.len_bytes);
        return true;
    default:
        return false;
    }
}

enum step_begin step_begin(struct step *step, const struct dbg_target *t, unsigned cpu)
{
    step->active = true;
    step->entered = false;
    t->stepping(t->machine, cpu, true);
    if (t->inject_waiting(t->machine, cpu)) {
        step->method = STEP_DELIVER;
        return STEP_ENTER;
    }
    step->insn = t->classify(t->machine, cpu, pc_gva(t, cpu));
    if (perform(t, cpu, step->insn)) {
        step_finish(step, t, cpu);
        return STEP_DONE;
    }
    return STEP_ENTER;
}

static void choose(struct step *step, const struct dbg_target *t, unsigned cpu)
{
    uint64_t pc = pc_gva(t, cpu);

    if (t->inject_waiting(t->machine, cpu)) {
        step->method = STEP_DELIVER;
        return;
    }
    step->insn = t->classify(t->machine, cpu, pc);
    step->second = (struct dbg_insn){0};
    if (step->insn.class == DBG_INSN_MOV_SS)
        step->second = t->classify(t->machine, cpu, pc + step->insn.len_bytes);
    if (step->insn.class == DBG_INSN_ICEBP)
        step->method = STEP_FAULT;
    else if (convert(t, cpu, step->insn))
        step->method = STEP_DELIVER;
    else if (predict(t, cpu, step->insn, &step->landing_gva))
        step->method = STEP_LAND;
    else
        step->method = STEP_TRAP;
}

bool step_before_entry(struct step *step, const struct dbg_target *t, unsigned cpu)
{
    uint64_t flags = get(t, cpu, TL_REG_eflags);

    choose(step, t, cpu);
    step->own_tf = flags & RFLAGS_TF;
    step->own_if = flags & RFLAGS_IF;
    step->loads_if = may_change_if(t, cpu, flags);
    step->start_rip = get(t, cpu, TL_REG_rip);
    step->borrowed = step->method == STEP_TRAP;
    if (step->method == STEP_DELIVER && !t->caps.mtf && t->hold(t->machine, cpu, true))
        return false;
    if (step->borrowed) {
        if (!t->caps.mtf)
            flags |= RFLAGS_TF;
        if (step->hold_interrupts)
            flags &= ~RFLAGS_IF;
        set(t, cpu, TL_REG_eflags, flags);
        /* Entry checks refuse TF with a shadow and no pending trap; with IF 0 STI's is idle anyway. */
        t->shadow_set(t->machine, cpu, 0);
    }
    step->entered = true;
    return true;
}

/* PUSHF has just stored the borrowed flags: puts the guest's own TF and IF there. In virtual-8086 mode
 * with an IOPL below 3 it completes with VME only, and VIF stands in the place of IF. SDM, "PUSHF". */
static void mend_image(const struct step *step, const struct dbg_target *t, unsigned cpu,
                       uint8_t operand_bytes, uint64_t flags)
{
    bool stores_vif = flags & RFLAGS_VM && (flags & RFLAGS_IOPL) != RFLAGS_IOPL;
    uint8_t bits = t->stack_bits(t->machine, cpu);
    uint64_t gva = get(t, cpu, TL_REG_rsp), image = 0;

    if (operand_bytes != 2 && operand_bytes != 4 && operand_bytes != 8)
        return;
    if (bits < 64) {
        gva &= (UINT64_C(1) << bits) - 1;
        gva = (uint32_t)(gva + get(t, cpu, TL_REG_ss_base));
    }
    if (t->mem_read(t->machine, cpu, gva, &image, operand_bytes) != operand_bytes)
        return;
    image = (image & ~RFLAGS_TF) | (step->own_tf ? RFLAGS_TF : 0);
    if (!stores_vif)
        image = (image & ~RFLAGS_IF) | (step->own_if ? RFLAGS_IF : 0);
    t->mem_write(t->machine, cpu, gva, &image, operand_bytes);
}

static void give_back(struct step *step, const struct dbg_target *t, unsigned cpu, bool completed)
{
    uint64_t flags = get(t, cpu, TL_REG_eflags);
    const struct dbg_insn *insn = step->insn.class == DBG_INSN_MOV_SS ? &step->second : &step->insn;
    bool keep_tf = false, keep_if = false;

    step->entered = false;
    if (step->method == STEP_DELIVER && !t->caps.mtf)
        t->hold(t->machine, cpu, false);
    if (!step->borrowed)
        return;
    step->borrowed = false;
    if (completed) {
        switch (insn->class) {
        case DBG_INSN_POPF:
        case DBG_INSN_IRET:
            keep_tf = true;
            keep_if = step->loads_if;
            break;
        case DBG_INSN_STI: /* behind a MOV SS, or about VIF; otherwise performed in step_begin() */
        case DBG_INSN_CLI:
            keep_if = step->loads_if;
            break;
        case DBG_INSN_PUSHF:
            mend_image(step, t, cpu, insn->operand_bytes, flags);
            break;
        default:
            break;
        }
    }
    if (!keep_tf)
        flags = (flags & ~RFLAGS_TF) | (step->own_tf ? RFLAGS_TF : 0);
    if (!keep_if)
        flags = (flags & ~RFLAGS_IF) | (step->own_if ? RFLAGS_IF : 0);
    set(t, cpu, TL_REG_eflags, flags);
    t->pending_step_clear(t->machine, cpu);
}

/* Did this exit come from the trap that the step set up? */
static bool trapped(const struct step *step, const struct dbg_target *t, unsigned cpu,
                    const struct dbg_exit *exit)
{
    switch (step->method) {
    case STEP_TRAP:
        if (exit->kind == TL_KIND_MTF)
            return true;
        return exit->kind == TL_KIND_EXCEPTION && exit->vector == 1 && !t->caps.mtf &&
               (exit->dr6 & DR6_BS || (exit->dr6 == 0 && t->caps.dr6_silent));
    case STEP_LAND:
        return exit->kind == TL_KIND_EXCEPTION && exit->vector == 1 &&
               pc_gva(t, cpu) == step->landing_gva;
    case STEP_DELIVER:
        return exit->kind == TL_KIND_MTF ||
               (exit->kind == TL_KIND_NESTED_PAGE && exit->access & DBG_EXEC);
    default:
        return false;
    }
}

bool step_exit(struct step *step, const struct dbg_target *t, unsigned cpu,
               const struct dbg_exit *exit)
{
    bool done, own_tf;

    if (!step->active || !step->entered)
        return false;
    done = trapped(step, t, cpu, exit);
    own_tf = step->own_tf && step->method == STEP_TRAP;
    give_back(step, t, cpu, done);
    if (!done)
        return false;
    step_finish(step, t, cpu);
    if (own_tf) { /* the trap was the guest's as well: it comes with the next entry */
        t->guest_dr6_set(t->machine, cpu, DR6_BS);
        t->inject(t->machine, cpu, DBG_EVENT_EXCEPTION, 1, 0);
    }
    return true;
}

void step_finish(struct step *step, const struct dbg_target *t, unsigned cpu)
{
    step->active = false;
    step->entered = false;
    t->stepping(t->machine, cpu, false);
}
