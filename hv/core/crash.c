/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Collects the crash record from the live machine: state only, as it is. protocol/record.h gives it
 * its text, protocol/explain.h its verdict; both are the host's too.
 */
#include "core/crash.h"

#include "core/backend.h"
#include "core/cpu_facts.h"
#include "core/crash_touch.h"
#include "core/guest_mem.h"
#include "core/nested.h"
#include "core/options.h"
#include "core/ring.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "protocol/explain.h"
#include "protocol/tables.h"

#define CODE_BACK_BYTES 16u /* code bytes before RIP: the instruction that exited may lie there */
#define RING_LAST                                                                                  \
    16u /* the last exits as they come; before them, the last write of each MSR
                               and control register that is older */

/* One record and one explanation: a vCPU that stands still is judged at a time. */
static struct crash_record record;
static struct explanation verdict;

/* What crash_hv_fault() remembered for the record. */
static struct fault_frame fault_frame;
static const char *fault_why;
static uint64_t fault_cr2, trace[RECORD_TRACE_MAX];
static unsigned trace_count;

void crash_hv_fault(const struct fault_frame *frame, const char *why)
{
    if (frame)
        fault_frame = *frame;
    if (frame)
        trace_count = fault_trace(frame->rip, frame->rbp, frame->rsp, trace, RECORD_TRACE_MAX);
    else /* a failed assertion: whoever called */
        trace_count =
            fault_trace((uint64_t)__builtin_return_address(0) - 1,
                        *(const uint64_t *)__builtin_frame_address(0), 0, trace, RECORD_TRACE_MAX);
    fault_why = why;
    fault_cr2 = read_cr2();
}

static enum tl_vendor vendor(void)
{
    return hv_backend == &vmx_backend ? TL_VMX : TL_SVM;
}

static enum record_why why_of(const struct vcpu *vcpu)
{
    if (fault_why)
        return RECORD_HV_FAULT;
    /* also when the debugger stopped before the handler could call it final */
    if (vcpu->exit.kind == HV_EXIT_TRIPLE_FAULT)
        return RECORD_TRIPLE_FAULT;
    if (vcpu->exit.kind == HV_EXIT_ENTRY_FAILURE)
        return RECORD_ENTRY_FAILURE;
    return vcpu->dead ? RECORD_UNHANDLED : RECORD_LIVE;
}

static void collect_exit(struct vcpu *vcpu)
{
    const struct hv_exit *exit = &vcpu->exit;
    const struct ring_record *last = vcpu->ring ? ring_last(vcpu, 0) : NULL;

    record.exit = (struct record_exit){
        .kind = (uint8_t)exit->kind,
        .reason = exit->raw_reason,
        .info1 = exit->raw_info[0],
        .info2 = exit->raw_info[1],
        .len_bytes = exit->instr_len_bytes,
        .event = ring_pack_event(&exit->event),
        .value = last ? last->value : 0,
    };
    record.exit_count = vcpu->exit_count;
    if (exit->kind == HV_EXIT_ENTRY_FAILURE)
        record.exit.instr_error = exit->entry.instr_error;
    if (exit->kind == HV_EXIT_RDMSR || exit->kind == HV_EXIT_WRMSR)
        record.exit.index = exit->msr.index;
    if (exit->kind >= HV_EXIT_CR0_WRITE && exit->kind <= HV_EXIT_CR8_READ) {
        record.exit.index = exit->cr.index;
        record.exit.old = exit->cr.old;
    }
}

static void collect_registers(struct vcpu *vcpu)
{
    record.regs_present = true;
    memcpy(record.gpr, vcpu->regs.by_index, sizeof record.gpr);
    record.rip = vcpu->regs.rip;
    record.rflags = vcpu->regs.rflags;
    for (unsigned i = 0; i < HV_SEG_COUNT; i++) {
        struct hv_segment seg = hv_backend->get_segment(vcpu, i);

        record.segment[i] = (struct record_segment){seg.selector, seg.limit, seg.rights, seg.base};
    }
    record.gdtr_base = hv_backend->get(vcpu, HV_ST_GDTR_BASE);
    record.gdtr_limit = (uint32_t)hv_backend->get(vcpu, HV_ST_GDTR_LIMIT);
    record.idtr_base = hv_backend->get(vcpu, HV_ST_IDTR_BASE);
    record.idtr_limit = (uint32_t)hv_backend->get(vcpu, HV_ST_IDTR_LIMIT);
    record.cr0_real = hv_backend->get(vcpu, HV_ST_CR0);
    record.cr4_real = hv_backend->get(vcpu, HV_ST_CR4);
    record.efer_real = hv_backend->get(vcpu, HV_ST_EFER);
    record.cr0_wrote = record.cr0_read = vcpu->cr0_wrote;
    record.cr4_wrote = record.cr4_read = vcpu->cr4_wrote;
    record.efer_wrote = record.efer_read = vcpu->efer_wrote;
    record.cr2 = vcpu->cr2;
    record.cr3 = hv_backend->get(vcpu, HV_ST_CR3);
    record.xcr0 = vcpu->xcr0;
    record.hw_efer = rdmsr(MSR_efer);
}

static void collect_list(struct snapshot_list *list, const struct hv_msr_entry *entries, int count)
{
    list->present = true;
    list->count = (uint16_t)(count < (int)SNAPSHOT_LIST_MAX ? count : (int)SNAPSHOT_LIST_MAX);
    for (unsigned i = 0; i < list->count; i++)
        list->entries[i] =
            (struct snapshot_msr){entries[i].index, entries[i].reserved, entries[i].value};
}

/* A list in our own memory, found by the VMCS fields that name it: what the CPU will really load. */
static void collect_list_at(struct snapshot_list *list, uint16_t addr_row, uint16_t count_row)
{
    const struct snapshot *s = &record.state;
    uint64_t addr_hpa = s->field[addr_row], count = s->field[count_row];

    if (!snapshot_has(s, addr_row) || !snapshot_has(s, count_row) || count > SNAPSHOT_LIST_MAX ||
        addr_hpa < hv_range.base_hpa || addr_hpa >= hv_range.base_hpa + hv_range.size_bytes - 4096)
        return;
    collect_list(list, phys_to_virt(addr_hpa), (int)count);
}

static void collect_state(struct vcpu *vcpu)
{
    struct snapshot *s = &record.state;
    unsigned count;
    const struct tl_field *fields = tl_fields(vendor(), &count);
    struct hv_msr_entry entries[HV_MSR_AREA_MAX];
    uint64_t value;

    cpu_facts(s);
    for (unsigned i = 0; i < count; i++)
        if (hv_backend->field_read(vcpu, fields[i].number, &value) == 0)
            snapshot_set(s, (uint16_t)i, value);
    if (vendor() == TL_SVM) {
        int entry_count = hv_backend->msr_area(vcpu, entries, HV_MSR_AREA_MAX);

        collect_list(&s->entry_load, entries, entry_count);
        return;
    }
    cpu_facts_in_memory(s);
    collect_list_at(&s->entry_load, VMCS_ROW_entry_msr_load_addr, VMCS_ROW_entry_msr_load_count);
    collect_list_at(&s->exit_store, VMCS_ROW_exit_msr_store_addr, VMCS_ROW_exit_msr_store_count);
    collect_list_at(&s->exit_load, VMCS_ROW_exit_msr_load_addr, VMCS_ROW_exit_msr_load_count);
}

static void collect_memory(struct vcpu *vcpu)
{
    uint64_t rip_gva = guest_segment_base(vcpu, HV_CS) + vcpu->regs.rip;

    record.code_gva = rip_gva - CODE_BACK_BYTES;
    record.code_bytes =
        (uint8_t)guest_read_gva(vcpu, record.code_gva, record.code, RECORD_CODE_BYTES);
    if (record.code_bytes <= CODE_BACK_BYTES) { /* the page before is not there: begin at RIP */
        record.code_gva = rip_gva;
        record.code_bytes = (uint8_t)guest_read_gva(vcpu, rip_gva, record.code, RECORD_CODE_BYTES);
    }
    record.stack_gva = guest_segment_base(vcpu, HV_SS) + vcpu->regs.rsp;
    record.stack_bytes =
        (uint8_t)guest_read_gva(vcpu, record.stack_gva, record.stack, RECORD_STACK_BYTES);
}

static void collect_nested(uint64_t gpa)
{
    struct nested_path path = nested_walk(gpa);

    for (unsigned i = 0; i < path.level_count && record.walk_count < RECORD_WALK_MAX; i++)
        record.walk[record.walk_count++] = (struct record_level){
            path.level[i].level, true, path.level[i].entry_hpa, path.level[i].entry};
    if (record.walk_result == RECORD_WALK_OK && !(path.rights & HV_EXEC))
        record.walk_result = RECORD_WALK_NO_RAM;
}

/* RIP through the guest's tables, then the nested map; for a nested exit the address that exited. */
static void collect_walk(struct vcpu *vcpu)
{
    struct guest_walk walk =
        guest_translate(vcpu, guest_segment_base(vcpu, HV_CS) + vcpu->regs.rip);
    bool nested_exit =
        vcpu->exit.kind == HV_EXIT_NESTED_PAGE || vcpu->exit.kind == HV_EXIT_NESTED_MISCONFIG;

    record.walk_gva = walk.gva;
    record.walk_result = crash_walk_word(walk.result);
    record.walk_gpa = walk.gpa;
    for (unsigned i = 0; i < walk.level_count; i++)
        record.walk[record.walk_count++] = (struct record_level){
            walk.level[i].level, false, walk.level[i].entry_gpa, walk.level[i].entry};
    if (walk.result == WALK_OK && !walk.execute)
        record.walk_result = RECORD_WALK_NO_EXEC;
    if (nested_exit)
        collect_nested(vcpu->exit.nested.gpa);
    else if (walk.result == WALK_OK)
        collect_nested(walk.gpa);
    /* also before paging is on: MOV to CR0 loads them, and faults if they are wrong */
    if ((record.cr4_real & CR4_PAE) && !(record.efer_real & EFER_LMA))
        record.pdptes_present =
            guest_read_gpa(record.cr3 & 0xffffffe0, record.pdpte_memory,
                           sizeof record.pdpte_memory) == sizeof record.pdpte_memory;
}

/* The gates that decide whether the guest could have taken its fault. */
static void collect_gates(struct vcpu *vcpu)
{
    static const uint8_t vectors[] = {0, 1, 3, X86_UD, 7, X86_DF, 10, 11, 12, X86_GP, X86_PF, 17};
    unsigned gate_bytes = !(record.cr0_real & CR0_PE) ? 4 : vcpu_long_mode(vcpu) ? 16 : 8;

    for (unsigned i = 0; i < RECORD_GATES_MAX; i++) {
        struct record_gate *gate = &record.gate[record.gate_count];
        uint64_t words[2] = {0, 0};

        if ((vectors[i] + 1u) * gate_bytes - 1 > record.idtr_limit)
            continue;
        gate->vector = vectors[i];
        gate->readable = guest_read_gva(vcpu, record.idtr_base + vectors[i] * gate_bytes, words,
                                        gate_bytes) == gate_bytes;
        gate->low = words[0];
        gate->high = words[1];
        record.gate_count++;
    }
}

static void add_ring(const struct ring_record *r)
{
    record.ring[record.ring_count++] = (struct record_ring){
        .number = r->number,
        .tsc = r->tsc,
        .reason = r->raw_reason,
        .info1 = r->raw_info[0],
        .info2 = r->raw_info[1],
        .kind = r->kind,
        .cs = r->cs,
        .rip = r->rip,
        .rsp = r->rsp,
        .rflags = r->rflags,
        .cr0 = r->cr0,
        .cr3 = r->cr3,
        .cr4 = r->cr4,
        .efer = r->efer,
        .rax = r->rax,
        .rcx = r->rcx,
        .rdx = r->rdx,
        .rbx = r->rbx,
        .value = r->value,
        .event = r->event,
        .inject = r->inject,
        .changed = r->changed,
        .cycles = r->cycles,
    };
}

/* Exits that explain later state, even if they are long ago. */
static bool worth_keeping(const struct ring_record *r)
{
    switch (r->kind) {
    case HV_EXIT_CR0_WRITE:
    case HV_EXIT_CR3_WRITE:
    case HV_EXIT_CR4_WRITE:
        return true;
    case HV_EXIT_RDMSR:
    case HV_EXIT_WRMSR:
        return (uint32_t)r->rcx == MSR_efer || (uint32_t)r->rcx == MSR_gs_base ||
               (uint32_t)r->rcx == MSR_fs_base;
    case HV_EXIT_CPUID:
        return (uint32_t)r->rax == 1;
    default:
        return r->event >> 31 & 1; /* interrupted a delivery */
    }
}

static bool same_topic(const struct ring_record *a, const struct ring_record *b)
{
    bool msr = a->kind == HV_EXIT_RDMSR || a->kind == HV_EXIT_WRMSR;

    return a->kind == b->kind && (!msr || (uint32_t)a->rcx == (uint32_t)b->rcx);
}

/* The last RING_LAST exits, and before them the newest older one of each topic worth keeping. */
static void collect_ring(struct vcpu *vcpu)
{
    const struct ring_record *kept[RECORD_RING_MAX - RING_LAST];
    const struct ring_record *r;
    unsigned kept_count = 0;

    if (!vcpu->ring)
        return;
    for (uint64_t back = RING_LAST;
         kept_count < RECORD_RING_MAX - RING_LAST && (r = ring_last(vcpu, back)); back++) {
        bool known = !worth_keeping(r);

        for (unsigned i = 0; i < kept_count && !known; i++)
            known = same_topic(r, kept[i]);
        if (!known)
            kept[kept_count++] = r;
    }
    while (kept_count)
        add_ring(kept[--kept_count]);
    for (uint64_t back = RING_LAST; back-- > 0;)
        if ((r = ring_last(vcpu, back)))
            add_ring(r);
}

static void copy_words(char *to, size_t cap_bytes, const char *from)
{
    fmt_str(to, cap_bytes, "%s", from ? from : "");
}

static void collect_fault(void)
{
    if (!fault_why)
        return;
    record.fault_vector = (uint8_t)fault_frame.vector;
    record.fault_error = fault_frame.error_code;
    record.fault_rip = fault_frame.rip;
    record.fault_cr2 = fault_cr2;
    record.trace_count = (uint8_t)trace_count;
    memcpy(record.trace, trace, sizeof record.trace);
    copy_words(record.fault_text, sizeof record.fault_text, fault_why);
}

static void collect(struct vcpu *vcpu)
{
    record_clear(&record, vendor() == TL_SVM);
    record.why = why_of(vcpu);
    record.efer_in_area = hv_caps.efer_in_area;
    copy_words(record.platform, sizeof record.platform, hv_caps.platform);
    copy_words(record.why_text, sizeof record.why_text,
               vcpu->dead_why ? vcpu->dead_why : "stopped by request");
    collect_exit(vcpu);
    collect_registers(vcpu);
    collect_state(vcpu);
    collect_memory(vcpu);
    collect_walk(vcpu);
    if (record.why == RECORD_TRIPLE_FAULT)
        crash_touches(vcpu, &record);
    collect_gates(vcpu);
    collect_ring(vcpu);
    collect_fault();
    explain(&record, &verdict);
    for (unsigned i = 0; i < 2 && i < verdict.count; i++)
        fmt_str(record.verdict[i], sizeof record.verdict[i], "%s (%s)", verdict.item[i].text,
                explain_certainty_text(verdict.item[i].certainty));
}

struct crash_record *crash_collect(struct vcpu *vcpu, const struct explanation **why)
{
    collect(vcpu);
    *why = &verdict;
    return &record;
}

struct to_line {
    crash_line_fn line;
    void *context;
};

static void render_line(void *ctx, const char *text)
{
    struct to_line *to = ctx;
    size_t len_bytes = 0;

    while (text[len_bytes])
        len_bytes++;
    to->line(to->context, text, len_bytes);
}

void crash_render(struct vcpu *vcpu, crash_line_fn line, void *context)
{
    struct to_line to = {line, context};

    collect(vcpu);
    record_write(&record, render_line, &to);
}

static void print_line(void *context, const char *line, size_t len_bytes)
{
    (void)context;
    (void)len_bytes;
    log_error("%s", line);
}

void crash_print(struct vcpu *vcpu)
{
    log_error("guest stopped for ever: %s", vcpu->dead_why ? vcpu->dead_why : "by request");
    crash_render(vcpu, print_line, NULL);
    for (unsigned i = 0; i < verdict.count && i < 3; i++)
        log_error("%s: %s", i ? "also" : "why", verdict.item[i].text);
}
