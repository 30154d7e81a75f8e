/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our own packets about the machine: fields, MSRs, control registers, walks, ring, and the few
 * actions on a stopped exit. Formats are protocol/README.md's, section 4.
 */
#include "core/backend.h"
#include "core/exit_cr.h"
#include "core/exit_msr.h"
#include "core/guest_mem.h"
#include "core/nested.h"
#include "core/ring.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "dbg/target_impl.h"
#include "lib/mem.h"

#define FAIL(error_) (-1 - (int)TL_E_##error_)

/* "NAME=VALUE" or "NAME" at the cursor; a name may be a hex number. */
struct assignment {
    struct args name;
    uint64_t value;
};

static bool take_assignment(struct args *args, struct assignment *out)
{
    out->name = args_until(args, "=");
    return args_hex(args, &out->value) && args_empty(args);
}

static bool take_number(struct args args, uint64_t *number)
{
    return args_hex(&args, number) && args_empty(&args);
}

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
              hv_caps.vendor, hv_caps.platform,
              target_vendor() == TL_SVM ? "vmcb"
              : hv_caps.efer_in_area    ? "area"
                                        : "controls",
              hv_range.base_hpa, hv_range.size_bytes, HV_LINK_BASE, hv_caps.maxphyaddr_bits);
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

static int query_cr(struct vcpu *vcpu, struct reply *reply)
{
    uint64_t efer_read = vcpu->efer_wrote, hw = 0;
    bool vmx = target_vendor() == TL_VMX;

    put_cr(vcpu, reply, 0);
    put_cr(vcpu, reply, 1);
    exit_msr_read(vcpu, MSR_efer, &efer_read);
    rdmsr_safe(MSR_efer, &hw);
    reply_fmt(reply, "efer.wrote:%lx;efer.read:%lx;efer.real:%lx;efer.where:%s;efer.hw:%lx;",
              vcpu->efer_wrote, efer_read, hv_backend->get(vcpu, HV_ST_EFER),
              !vmx                   ? "vmcb"
              : hv_caps.efer_in_area ? "area"
                                     : "controls",
              hw);
    reply_fmt(reply, "cr2:%lx;cr3:%lx;cr8:%lx;ia32e:%x;mode:%s;", vcpu->cr2,
              hv_backend->get(vcpu, HV_ST_CR3), hv_backend->get(vcpu, HV_ST_CR8),
              vmx ? (unsigned)(field_or(vcpu, "entry_controls", 0) >> 9 & 1)
                  : (unsigned)vcpu_long_mode(vcpu),
              tl_cpu_mode_names[target_mode(vcpu)]);
    return 0;
}

/* ---- MSRs ---- */

static int query_area(struct vcpu *vcpu, struct reply *reply)
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

static int action_area(struct vcpu *vcpu, struct args args)
{
    struct assignment set;
    uint64_t index;

    if (!take_assignment(&args, &set) || !take_number(set.name, &index) || index > UINT32_MAX)
        return FAIL(syntax);
    return hv_backend->msr_area_set(vcpu, (uint32_t)index, set.value) < 0 ? FAIL(not_in_area) : 0;
}

static int query_msr(struct vcpu *vcpu, struct args args, struct reply *reply)
{
    struct hv_msr_entry entries[HV_MSR_AREA_MAX];
    uint64_t index, guest, hw;
    int count, slot = -1;
    uint8_t needs;

    if (!take_number(args, &index) || index > UINT32_MAX)
        return FAIL(syntax);
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

static int action_msr(struct vcpu *vcpu, struct args args)
{
    struct assignment set;
    uint64_t index;

    if (!take_assignment(&args, &set) || !take_number(set.name, &index) || index > UINT32_MAX)
        return FAIL(syntax);
    return exit_msr_write(vcpu, (uint32_t)index, set.value) ? 0 : FAIL(no_msr);
}

/* ---- fields ---- */

static int query_fields(struct vcpu *vcpu, struct args args, struct reply *reply)
{
    unsigned count;
    const struct tl_field *fields = tl_fields(target_vendor(), &count);
    uint64_t from = 0, value;
    unsigned end;

    if (!args_empty(&args) && !take_number(args, &from))
        return FAIL(syntax);
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

static const struct tl_field *find_field(struct args name)
{
    const struct tl_field *field =
        tl_field_alias(target_vendor(), name.at, (size_t)(name.end - name.at));
    uint64_t number;

    if (!field && take_number(name, &number) && number <= UINT32_MAX)
        field = tl_field_by_number(target_vendor(), (uint32_t)number);
    return field;
}

static int query_field(struct vcpu *vcpu, struct args args, struct reply *reply)
{
    const struct tl_field *field = find_field(args);
    uint64_t value;

    if (!field || hv_backend->field_read(vcpu, field->number, &value))
        return FAIL(no_field);
    reply_fmt(reply, "number:%x;size:%x;value:%lx;", field->number, field->size_bytes, value);
    return 0;
}

static int action_field(struct vcpu *vcpu, struct args args)
{
    struct assignment set;
    const struct tl_field *field;

    if (!take_assignment(&args, &set))
        return FAIL(syntax);
    field = find_field(set.name);
    if (!field)
        return FAIL(no_field);
    if (!field->writable)
        return FAIL(read_only);
    return hv_backend->field_write(vcpu, field->number, set.value) ? FAIL(bad_value) : 0;
}

/* ---- memory ---- */

/* How the nested walk came out for whoever wants to read, write and execute there. */
static const char *nested_word(const struct nested_path *path)
{
    uint8_t type = path->memory_type;

    if (!path->present)
        return "not-present";
    /* SDM, "EPT Misconfigurations": writable but not readable, or a reserved memory type */
    if (target_vendor() == TL_VMX &&
        ((path->rights & (HV_READ | HV_WRITE)) == HV_WRITE || type == 2 || type == 3 || type == 7))
        return "misconfig";
    return path->rights == (HV_READ | HV_WRITE | HV_EXEC) ? "ok" : "rights";
}

static int query_walk(struct vcpu *vcpu, struct args args, struct reply *reply)
{
    static const char *const modes[] = {[GUEST_PAGING_NONE] = "none",
                                        [GUEST_PAGING_32] = "32",
                                        [GUEST_PAGING_PAE] = "pae",
                                        [GUEST_PAGING_4] = "4",
                                        [GUEST_PAGING_5] = "5"};
    static const char *const results[] = {[WALK_OK] = "ok",
                                          [WALK_NOT_PRESENT] = "not-present",
                                          [WALK_RESERVED] = "reserved",
                                          [WALK_NON_CANONICAL] = "non-canonical",
                                          [WALK_BAD_TABLE] = "bad-table"};
    struct nested_path path = {0};
    struct guest_walk walk;
    uint64_t gva;

    if (!take_number(args, &gva))
        return FAIL(syntax);
    walk = guest_translate(vcpu, gva);
    reply_fmt(reply, "mode:%s;root:%lx;result:%s;", modes[walk.paging],
              hv_backend->get(vcpu, HV_ST_CR3), results[walk.result]);
    if (walk.result == WALK_OK) {
        path = nested_walk(walk.gpa);
        reply_fmt(reply, "gpa:%lx;page:%lx;rights:r%s%s%s;nested:%s;", walk.gpa, walk.page_bytes,
                  walk.writable ? "w" : "", walk.execute ? "x" : "", walk.user ? "u" : "",
                  nested_word(&path));
        if (path.present)
            reply_fmt(reply, "hpa:%lx;", path.hpa);
    }
    for (unsigned i = 0; i < walk.level_count; i++)
        reply_fmt(reply, "|t:guest;level:%x;at:%lx;entry:%lx;", walk.level[i].level,
                  walk.level[i].entry_gpa, walk.level[i].entry);
    for (unsigned i = 0; i < path.level_count; i++)
        reply_fmt(reply, "|t:nested;level:%x;at:%lx;entry:%lx;", path.level[i].level,
                  path.level[i].entry_hpa, path.level[i].entry);
    return 0;
}

/* Only our own image and pool, and all memory through the direct map: nothing else is mapped. */
static bool own_readable(uint64_t hva, uint64_t len_bytes)
{
    uint64_t last = hva + len_bytes - 1;

    if (!len_bytes || last < hva)
        return false;
    if (hva >= HV_LINK_BASE)
        return last - HV_LINK_BASE < hv_range.size_bytes;
    return hva >= HV_DIRECT_MAP && last - HV_DIRECT_MAP < hv_phys_limit_hpa &&
           ((hva - HV_DIRECT_MAP >= hv_range.base_hpa &&
             last - HV_DIRECT_MAP < hv_range.base_hpa + hv_range.size_bytes) ||
            guest_is_ram(hva - HV_DIRECT_MAP, len_bytes));
}

static int query_own(struct args args, struct reply *reply)
{
    uint64_t hva, len_bytes;

    if (!args_hex(&args, &hva) || !args_char(&args, ',') || !take_number(args, &len_bytes))
        return FAIL(syntax);
    if (len_bytes > REPLY_CAP_BYTES / 2)
        len_bytes = REPLY_CAP_BYTES / 2;
    if (!own_readable(hva, len_bytes))
        return FAIL(no_memory);
    reply_hex(reply, (const void *)hva, (size_t)len_bytes);
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
        return FAIL(syntax);
    if (!args_empty(&args))
        return FAIL(syntax);
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
        return FAIL(no_exit);
    if (!vcpu_advance(vcpu))
        return FAIL(no_exit);
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

        if (!to || !take_number(pair, to))
            return FAIL(syntax);
        has_error |= to == &error;
    }
    if (vcpu->inject.valid || type > HV_EVENT_SW_EXCEPTION || type == 1 || vector > 255 ||
        len > 15 || error > UINT32_MAX || (type == HV_EVENT_HW_EXCEPTION && vector > 31) ||
        (type == HV_EVENT_NMI && vector != 2))
        return FAIL(bad_value);
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
        return query_cr(vcpu, reply);
    case TL_P_msr_area:
        return query_area(vcpu, reply);
    case TL_P_msr_area_set:
        return action_area(vcpu, args);
    case TL_P_msr:
        return query_msr(vcpu, args, reply);
    case TL_P_msr_set:
        return action_msr(vcpu, args);
    case TL_P_fields:
        return query_fields(vcpu, args, reply);
    case TL_P_field:
        return query_field(vcpu, args, reply);
    case TL_P_field_set:
        return action_field(vcpu, args);
    case TL_P_walk:
        return query_walk(vcpu, args, reply);
    case TL_P_own:
        return query_own(args, reply);
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
        return FAIL(unsupported);
    }
}
