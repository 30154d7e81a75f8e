/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our own packets about the machine, handed out here. Answered here: who this is, the ring, and the
 * few actions on a stopped exit. Formats are protocol/README.md's, section 4.
 */
#include "core/backend.h"
#include "core/ring.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "dbg/target_impl.h"
#include "lib/mem.h"

/* ---- who ---- */

static int query_hello(struct reply *reply)
{
    const struct {
        const char *word;
        bool on;
    } caps[] = {
        {"mtf", hv_caps.mtf},
        {"nrip", hv_caps.nrip},
        {"decode-assists", hv_caps.decode_assists},
        {"nested-1g", hv_caps.nested_1g},
        {"preemption-timer", hv_caps.preemption_timer},
        {"efer-in-area", hv_caps.efer_in_area},
        {"vnmi", hv_caps.vnmi},
    };
    bool first = true;

    reply_fmt(reply, "vendor:%s;platform:%s;efer:%s;own:%lx,%lx;hv:%lx;maxphyaddr:%x;caps:",
              hv_caps.vendor, hv_caps.platform, target_efer_where(), hv_range.base_hpa,
              hv_range.size_bytes, HV_LINK_BASE, hv_caps.maxphyaddr_bits);
    for (unsigned i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
        if (caps[i].on) {
            reply_fmt(reply, "%s%s", first ? "" : ",", caps[i].word);
            first = false;
        }
    reply_str(reply, ";");
    return 0;
}

static int query_caps(struct reply *reply)
{
    static const uint32_t leaves[] = {1, 7, 0xd, 0x80000001, 0x80000008, 0x8000000a};
    uint64_t value;

    for (uint32_t index = 0x480; index <= 0x492; index++)
        if (target_vendor() == TL_VMX && rdmsr_safe(index, &value) == 0)
            reply_fmt(reply, "|m%x=%lx", index, value);
    if (target_vendor() == TL_SVM && rdmsr_safe(0xc0010114, &value) == 0) /* VM_CR */
        reply_fmt(reply, "|mc0010114=%lx", value);
    for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
        struct cpuid_regs r = cpuid(leaves[i], 0);

        reply_fmt(reply, "|c%x.a=%x|c%x.b=%x|c%x.c=%x|c%x.d=%x", leaves[i], r.eax, leaves[i], r.ebx,
                  leaves[i], r.ecx, leaves[i], r.edx);
    }
    return 0;
}

/* ---- ring ---- */

#define RING_REPLY_MAX 10u /* records of 320 digits in one reply */

static int query_ring(struct vcpu *vcpu, struct args args, struct reply *reply)
{
    const struct ring_record *last = ring_last(vcpu, 0), *r;
    uint64_t from = 0, count = 16, kept, first, sent = 0;
    bool from_given = args_hex(&args, &from);

    if (args_char(&args, ',') && !args_hex(&args, &count))
        return TARGET_FAIL(syntax);
    if (!args_empty(&args))
        return TARGET_FAIL(syntax);
    if (!last) {
        reply_str(reply, "first:0;last:0;count:0;");
        return 0;
    }
    kept = vcpu->ring->count <= vcpu->ring->mask ? vcpu->ring->count : vcpu->ring->mask + 1;
    first = last->number - kept + 1;
    if (!from_given)
        from = count < last->number ? last->number - count + 1 : 1;
    if (from < first)
        from = first;
    if (from > last->number)
        count = 0;
    else if (count > last->number - from + 1)
        count = last->number - from + 1;
    reply_fmt(reply, "first:%lx;last:%lx;count:%lx;", first, last->number, count);
    if (count > RING_REPLY_MAX)
        reply_fmt(reply, "next:%lx;", from + RING_REPLY_MAX);
    for (; sent < count && sent < RING_REPLY_MAX; sent++) {
        r = ring_last(vcpu, last->number - (from + sent));
        if (!r)
            break;
        reply_str(reply, "|");
        reply_hex(reply, r, sizeof(*r));
    }
    return 0;
}

/* ---- actions on a stopped exit ---- */

static int action_skip(struct vcpu *vcpu, struct reply *reply)
{
    uint64_t old_rip = vcpu->regs.rip;

    if (!vcpu->pass_once.valid && !vcpu->dead)
        return TARGET_FAIL(no_exit);
    if (!vcpu_advance(vcpu))
        return TARGET_FAIL(no_exit);
    vcpu->pass_once.valid = false;
    reply_fmt(reply, "rip:%lx;len:%lx;", vcpu->regs.rip, vcpu->regs.rip - old_rip);
    return 0;
}

static int action_inject(struct vcpu *vcpu, struct args args)
{
    uint64_t type = ~UINT64_C(0), vector = ~UINT64_C(0), error = 0, len = 0;
    bool has_error = false;

    while (!args_empty(&args)) {
        struct args pair = args_until(&args, ";"), key = args_until(&pair, ":");
        uint64_t *to = args_is(&key, "type")     ? &type
                       : args_is(&key, "vector") ? &vector
                       : args_is(&key, "error")  ? &error
                       : args_is(&key, "len")    ? &len
                                                 : NULL;

        if (!to || !args_number(pair, to))
            return TARGET_FAIL(syntax);
        has_error |= to == &error;
    }
    if (vcpu->inject.valid || type > HV_EVENT_SW_EXCEPTION || type == 1 || vector > 255 ||
        len > 15 || error > UINT32_MAX || (type == HV_EVENT_HW_EXCEPTION && vector > 31) ||
        (type == HV_EVENT_NMI && vector != 2))
        return TARGET_FAIL(bad_value);
    vcpu->inject = (struct hv_event){
        .valid = true,
        .type = (uint8_t)type,
        .vector = (uint8_t)vector,
        .has_error = has_error,
        .error_code = (uint32_t)error,
        .instr_len_bytes = (uint8_t)len,
    };
    return 0;
}

int target_query(void *machine, unsigned cpu, enum tl_packet packet, const char *args_at,
                 size_t args_len_bytes, struct reply *reply)
{
    struct vcpu *vcpu = target_vcpu(cpu);
    struct args args = {args_at, args_at ? args_at + args_len_bytes : NULL};

    (void)machine;
    switch (packet) {
    case TL_P_hello:
        return query_hello(reply);
    case TL_P_state:
        reply_fmt(reply, "exits:%lx;", vcpu->exit_count);
        return 0;
    case TL_P_exit:
        return target_query_exit(vcpu, reply);
    case TL_P_caps:
        return query_caps(reply);
    case TL_P_cr:
        return target_query_cr(vcpu, reply);
    case TL_P_msr_area:
        return target_query_area(vcpu, reply);
    case TL_P_msr_area_set:
        return target_action_area(vcpu, args);
    case TL_P_msr:
        return target_query_msr(vcpu, args, reply);
    case TL_P_msr_set:
        return target_action_msr(vcpu, args);
    case TL_P_fields:
        return target_query_fields(vcpu, args, reply);
    case TL_P_field:
        return target_query_field(vcpu, args, reply);
    case TL_P_field_set:
        return target_action_field(vcpu, args);
    case TL_P_walk:
        return target_query_walk(vcpu, args, reply);
    case TL_P_own:
        return target_query_own(args, reply);
    case TL_P_ring:
        return query_ring(vcpu, args, reply);
    case TL_P_stats:
        return target_stats(vcpu, args, reply);
    case TL_P_check_count:
        return target_check(vcpu, args, reply);
    case TL_P_skip:
        return action_skip(vcpu, reply);
    case TL_P_retry:
        vcpu->pass_once.valid = false;
        return 0;
    case TL_P_inject:
        return action_inject(vcpu, args);
    default:
        return TARGET_FAIL(unsupported);
    }
}
