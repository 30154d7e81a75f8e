/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * qtl.exit: everything of the last exit (protocol/README.md, "The last exit").
 */
#include "core/backend.h"
#include "core/exit_msr.h"
#include "core/guest_mem.h"
#include "core/insn.h"
#include "core/ring.h"
#include "dbg/target_impl.h"

static void put_cr(struct reply *reply, const struct hv_exit *e)
{
    static const char *const ops[] = {
        [HV_CR_MOV] = "mov", [HV_CR_CLTS] = "clts", [HV_CR_LMSW] = "lmsw", [HV_CR_SMSW] = "smsw"};

    reply_fmt(reply, "index:%x;access:%s;gpr:%x;op:%s;value:%lx;old:%lx;", e->cr.index,
              e->cr.access == HV_WRITE ? "w" : "r", e->cr.gpr, ops[e->cr.insn & 3], e->cr.value,
              e->cr.old);
}

static void put_exception(struct reply *reply, const struct hv_exit *e)
{
    reply_fmt(reply, "vector:%x;type:%x;", e->exception.vector, e->exception.type);
    if (e->exception.has_error)
        reply_fmt(reply, "error:%x;", e->exception.error_code);
    if (e->exception.vector == 14 || e->exception.vector == 1)
        reply_fmt(reply, "address:%lx;", e->exception.address);
}

static void put_nested(struct reply *reply, const struct hv_exit *e)
{
    reply_fmt(reply, "gpa:%lx;access:%s%s%s;present:%x;walk:%x;", e->nested.gpa,
              e->nested.access & HV_READ ? "r" : "", e->nested.access & HV_WRITE ? "w" : "",
              e->nested.access & HV_EXEC ? "x" : "", e->nested.present, e->nested.page_walk);
    if (e->nested.gva_valid)
        reply_fmt(reply, "gva:%lx;", e->nested.gva);
}

static void put_kind(struct vcpu *vcpu, struct reply *reply)
{
    const struct hv_exit *e = &vcpu->exit;

    switch (e->kind) {
    case HV_EXIT_CR0_WRITE:
    case HV_EXIT_CR3_WRITE:
    case HV_EXIT_CR4_WRITE:
    case HV_EXIT_CR8_WRITE:
    case HV_EXIT_CR0_READ:
    case HV_EXIT_CR3_READ:
    case HV_EXIT_CR4_READ:
    case HV_EXIT_CR8_READ:
        put_cr(reply, e);
        break;
    case HV_EXIT_DR_ACCESS:
        reply_fmt(reply, "index:%x;access:%s;gpr:%x;value:%lx;", e->dr.index,
                  e->dr.access == HV_WRITE ? "w" : "r", e->dr.gpr,
                  vcpu->regs.by_index[e->dr.gpr & 15]);
        break;
    case HV_EXIT_RDMSR:
    case HV_EXIT_WRMSR:
        reply_fmt(reply, "index:%x;value:%lx;", e->msr.index, target_msr_value(vcpu));
        break;
    case HV_EXIT_CPUID:
        reply_fmt(reply, "leaf:%x;subleaf:%x;", e->cpuid.leaf, e->cpuid.subleaf);
        break;
    case HV_EXIT_IO_IN:
    case HV_EXIT_IO_OUT:
        reply_fmt(reply, "port:%x;size:%x;rep:%x;string:%x;value:%lx;", e->io.port,
                  e->io.size_bytes, e->io.rep, e->io.string, e->io.in ? 0 : e->io.value);
        break;
    case HV_EXIT_EXCEPTION:
        put_exception(reply, e);
        break;
    case HV_EXIT_NESTED_PAGE:
    case HV_EXIT_NESTED_MISCONFIG:
        put_nested(reply, e);
        break;
    case HV_EXIT_XSETBV:
        reply_fmt(reply, "index:%x;value:%lx;", e->xsetbv.index, e->xsetbv.value);
        break;
    case HV_EXIT_ENTRY_FAILURE:
        reply_fmt(reply, "vmerror:%x;", e->entry.instr_error);
        break;
    case HV_EXIT_INVLPG:
        reply_fmt(reply, "gva:%lx;", e->invlpg.gva);
        break;
    default:
        break;
    }
}

uint64_t target_msr_value(struct vcpu *vcpu)
{
    uint64_t value = vcpu->exit.msr.value;

    /* RDMSR: what the handler will give, or gave; a TSC may have moved on. */
    if (vcpu->exit.kind == HV_EXIT_RDMSR && !exit_msr_read(vcpu, vcpu->exit.msr.index, &value))
        return 0;
    return value;
}

int target_query_exit(struct vcpu *vcpu, struct reply *reply)
{
    static const char *const verdicts[] = {"resume", "stop", "dead"};
    const struct hv_exit *e = &vcpu->exit;
    const struct tl_reason *reason = tl_reason(target_vendor(), e->raw_reason);
    const struct ring_record *last = ring_last(vcpu, 0);
    uint64_t event = ring_pack_event(&e->event);
    bool none = !vcpu->exit_count; /* the guest has not run yet: vcpu->exit means nothing */
    uint8_t insn[INSN_MAX_BYTES];
    size_t got = guest_fetch(vcpu, insn, sizeof(insn));

    reply_fmt(reply, "cpu:%x;number:%lx;kind:%s;reason:%lx;name:%s;info1:%lx;info2:%lx;len:%x;",
              vcpu->id, vcpu->exit_count, none ? "none" : tl_kind_word(e->kind), e->raw_reason,
              reason && !none ? reason->name : "-", e->raw_info[0], e->raw_info[1],
              e->instr_len_bytes);
    reply_fmt(reply, "rip:%lx;cs:%x;mode:%s;stage:%s;tsc:%lx;verdict:%s;", vcpu->regs.rip,
              hv_backend->get_segment(vcpu, HV_CS).selector, tl_cpu_mode_names[target_mode(vcpu)],
              target_stage_after ? "after" : "before", vcpu->exit_tsc,
              vcpu->dead                         ? "dead"
              : last && last->verdict <= HV_DEAD ? verdicts[last->verdict]
                                                 : "stop");
    reply_fmt(reply, "vec:%lx;vecerr:%x;insn:", event & 0xffffffff, e->event.error_code);
    reply_hex(reply, insn, got);
    reply_str(reply, ";");
    if (!none)
        put_kind(vcpu, reply);
    return 0;
}
