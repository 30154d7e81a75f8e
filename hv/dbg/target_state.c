/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The vCPU's state as the processor holds it, for our own packets: control registers and IA32_EFER with
 * what hides behind them, MSRs, the MSR area, and the fields of VMCS and VMCB.
 */
#include "core/backend.h"
#include "core/exit_msr.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "dbg/target_impl.h"
#include "lib/mem.h"

/* NAME=VALUE; a name may be a hex number. */
struct assignment {
    struct args name;
    uint64_t value;
};

static bool take_assignment(struct args *args, struct assignment *out)
{
    out->name = args_until(args, "=");
    return args_hex(args, &out->value) && args_empty(args);
}

const char *target_efer_where(void)
{
    if (target_vendor() == TL_SVM)
        return "vmcb";
    return hv_caps.efer_in_area ? "area" : "controls";
}

/* ---- control registers ---- */

static uint64_t field_or(struct vcpu *vcpu, const char *name, uint64_t otherwise)
{
    const struct tl_field *field = tl_field_by_name(target_vendor(), name, strlen(name));
    uint64_t value;

    if (!field || hv_backend->field_read(vcpu, field->number, &value))
        return otherwise;
    return value;
}

static void put_cr(struct vcpu *vcpu, struct reply *reply, unsigned n)
{
    bool vmx = target_vendor() == TL_VMX;
    uint64_t wrote = n ? vcpu->cr4_wrote : vcpu->cr0_wrote;
    uint64_t real = hv_backend->get(vcpu, n ? HV_ST_CR4 : HV_ST_CR0);
    uint64_t mask = 0, shadow = wrote, fixed0 = 0, fixed1 = ~UINT64_C(0), read = wrote, word;

    if (vmx) {
        mask = field_or(vcpu, n ? "cr4_mask" : "cr0_mask", 0);
        shadow = field_or(vcpu, n ? "cr4_shadow" : "cr0_shadow", 0);
        read = (shadow & mask) | (real & ~mask);
        rdmsr_safe(n ? 0x488 : 0x486, &fixed0);
        rdmsr_safe(n ? 0x489 : 0x487, &fixed1);
    } else {
        word = field_or(vcpu, "intercept_cr_write", 0);
        mask = word >> (4 * n) & 1 ? ~UINT64_C(0) : 0;
    }
    reply_fmt(reply, "cr%u.wrote:%lx;cr%u.read:%lx;cr%u.real:%lx;cr%u.mask:%lx;cr%u.shadow:%lx;",
              4 * n, wrote, 4 * n, read, 4 * n, real, 4 * n, mask, 4 * n, shadow);
    reply_fmt(reply, "cr%u.fixed0:%lx;cr%u.fixed1:%lx;", 4 * n, fixed0, 4 * n, fixed1);
}

int target_query_cr(struct vcpu *vcpu, struct reply *reply)
{
    uint64_t efer_read = vcpu->efer_wrote, hw = 0;
    bool vmx = target_vendor() == TL_VMX;

    put_cr(vcpu, reply, 0);
    put_cr(vcpu, reply, 1);
    exit_msr_read(vcpu, MSR_efer, &efer_read);
    rdmsr_safe(MSR_efer, &hw);
    reply_fmt(reply, "efer.wrote:%lx;efer.read:%lx;efer.real:%lx;efer.where:%s;efer.hw:%lx;",
              vcpu->efer_wrote, efer_read, hv_backend->get(vcpu, HV_ST_EFER), target_efer_where(),
              hw);
    reply_fmt(reply, "cr2:%lx;cr3:%lx;cr8:%lx;ia32e:%x;mode:%s;", vcpu->cr2,
              hv_backend->get(vcpu, HV_ST_CR3), hv_backend->get(vcpu, HV_ST_CR8),
              vmx ? (unsigned)(field_or(vcpu, "entry_controls", 0) >> 9 & 1)
                  : (unsigned)vcpu_long_mode(vcpu),
              tl_cpu_mode_names[target_mode(vcpu)]);
    return 0;
}

/* ---- MSRs ---- */

int target_query_area(struct vcpu *vcpu, struct reply *reply)
{
    struct hv_msr_entry entries[HV_MSR_AREA_MAX];
    int count = hv_backend->msr_area(vcpu, entries, HV_MSR_AREA_MAX);
    bool vmx = target_vendor() == TL_VMX;

    if (count > HV_MSR_AREA_MAX)
        count = HV_MSR_AREA_MAX;
    reply_fmt(reply, "count:%x;where:%s;", (unsigned)count, vmx ? "area" : "vmcb");
    for (int i = 0; i < count; i++) {
        const struct tl_field *field = tl_field_of_msr(target_vendor(), entries[i].index);

        reply_fmt(reply, "|slot:%x;index:%x;value:%lx;", (unsigned)i, entries[i].index,
                  entries[i].value);
        if (vmx)
            reply_str(reply, "load:1;store:1;");
        else if (field)
            reply_fmt(reply, "field:%x;", field->number);
    }
    return 0;
}

int target_action_area(struct vcpu *vcpu, struct args args)
{
    struct assignment set;
    uint64_t index;

    if (!take_assignment(&args, &set) || !args_number(set.name, &index) || index > UINT32_MAX)
        return TARGET_FAIL(syntax);
    return hv_backend->msr_area_set(vcpu, (uint32_t)index, set.value) < 0 ? TARGET_FAIL(not_in_area)
                                                                          : 0;
}

int target_query_msr(struct vcpu *vcpu, struct args args, struct reply *reply)
{
    struct hv_msr_entry entries[HV_MSR_AREA_MAX];
    uint64_t index, guest, hw;
    int count, slot = -1;
    uint8_t needs;

    if (!args_number(args, &index) || index > UINT32_MAX)
        return TARGET_FAIL(syntax);
    count = hv_backend->msr_area(vcpu, entries, HV_MSR_AREA_MAX);
    for (int i = 0; i < count && i < HV_MSR_AREA_MAX; i++)
        if (entries[i].index == index)
            slot = i;
    reply_fmt(reply, "index:%lx;", index);
    if (exit_msr_read(vcpu, (uint32_t)index, &guest))
        reply_fmt(reply, "guest:%lx;", guest);
    needs = exit_msr_needs((uint32_t)index);
    reply_fmt(reply, "where:%s;",
              slot >= 0 ? target_vendor() == TL_VMX ? "area" : "vmcb"
              : needs   ? "emulated"
                        : "hardware");
    if (slot >= 0)
        reply_fmt(reply, "slot:%x;", (unsigned)slot);
    if (rdmsr_safe((uint32_t)index, &hw) == 0)
        reply_fmt(reply, "hw:%lx;", hw);
    reply_fmt(reply, "read:%s;write:%s;", needs & HV_READ ? "trap" : "pass",
              needs & HV_WRITE ? "trap" : "pass");
    return 0;
}

int target_action_msr(struct vcpu *vcpu, struct args args)
{
    struct assignment set;
    uint64_t index;

    if (!take_assignment(&args, &set) || !args_number(set.name, &index) || index > UINT32_MAX)
        return TARGET_FAIL(syntax);
    return exit_msr_write(vcpu, (uint32_t)index, set.value) ? 0 : TARGET_FAIL(no_msr);
}

/* ---- fields ---- */

int target_query_fields(struct vcpu *vcpu, struct args args, struct reply *reply)
{
    unsigned count;
    const struct tl_field *fields = tl_fields(target_vendor(), &count);
    uint64_t from = 0, value;
    unsigned end;

    if (!args_empty(&args) && !args_number(args, &from))
        return TARGET_FAIL(syntax);
    if (from > count)
        from = count;
    reply_fmt(reply, "count:%x;", count);
    end = from + 100 < count ? (unsigned)from + 100 : count; /* 100 * 26 digits fit */
    if (end < count)
        reply_fmt(reply, "next:%x;", end);
    for (unsigned i = (unsigned)from; i < end; i++)
        if (hv_backend->field_read(vcpu, fields[i].number, &value) == 0)
            reply_fmt(reply, "|%x=%lx", fields[i].number, value);
    return 0;
}

const struct tl_field *target_field(struct args name)
{
    const struct tl_field *field = tl_field_alias(target_vendor(), name.at, args_len_bytes(&name));
    uint64_t number;

    if (!field && args_number(name, &number) && number <= UINT32_MAX)
        field = tl_field_by_number(target_vendor(), (uint32_t)number);
    return field;
}

int target_query_field(struct vcpu *vcpu, struct args args, struct reply *reply)
{
    const struct tl_field *field = target_field(args);
    uint64_t value;

    if (!field || hv_backend->field_read(vcpu, field->number, &value))
        return TARGET_FAIL(no_field);
    reply_fmt(reply, "number:%x;size:%x;value:%lx;", field->number, field->size_bytes, value);
    return 0;
}

int target_action_field(struct vcpu *vcpu, struct args args)
{
    struct assignment set;
    const struct tl_field *field;

    if (!take_assignment(&args, &set))
        return TARGET_FAIL(syntax);
    field = target_field(set.name);
    if (!field)
        return TARGET_FAIL(no_field);
    if (!field->writable)
        return TARGET_FAIL(read_only);
    return hv_backend->field_write(vcpu, field->number, set.value) ? TARGET_FAIL(bad_value) : 0;
}
