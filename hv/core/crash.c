/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Renders the crash record line by line through one writer: `key: name=value ...`. It reads state
 * and judges nothing; verdicts are added by the rules (protocol/).
 */
#include "core/crash.h"

#include "core/backend.h"
#include "core/guest_mem.h"
#include "core/nested.h"
#include "core/ring.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "protocol/tables.h"

#define LINE_BYTES     440u /* a log line holds 500 with its prefix */
#define CODE_BYTES     48u  /* from 16 before RIP */
#define CODE_BACK      16u
#define STACK_BYTES    128u
#define RING_RECORDS   16u
#define GATE_VECTORS   32u
#define VMX_CAP_FIRST  0x480u
#define VMX_CAP_LAST   0x491u

/* The line being built. A pair that does not fit starts another line with the same key. */
struct out {
    crash_line_fn line;
    void *context;
    const char *key;
    size_t len_bytes, head_bytes;
    char text[LINE_BYTES + 1];
};

static void begin(struct out *out, const char *key)
{
    out->key = key;
    out->head_bytes = out->len_bytes = fmt_str(out->text, sizeof out->text, "%s:", key);
}

static void end(struct out *out)
{
    if (out->len_bytes > out->head_bytes)
        out->line(out->context, out->text, out->len_bytes);
    out->len_bytes = out->head_bytes;
}

static __attribute__((format(printf, 2, 3))) void add(struct out *out, const char *format, ...)
{
    char pair[LINE_BYTES];
    size_t len_bytes;
    va_list args;

    va_start(args, format);
    len_bytes = fmt_vstr(pair, sizeof pair, format, args);
    va_end(args);
    if (len_bytes >= sizeof pair)
        len_bytes = sizeof pair - 1;
    if (out->len_bytes + 1 + len_bytes > LINE_BYTES) {
        const char *key = out->key;

        end(out);
        begin(out, key);
    }
    out->text[out->len_bytes++] = ' ';
    memcpy(out->text + out->len_bytes, pair, len_bytes + 1);
    out->len_bytes += len_bytes;
}

static void add_hex(struct out *out, const char *name, const uint8_t *bytes, size_t len_bytes)
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * STACK_BYTES + 1];
    size_t at = 0;

    for (size_t i = 0; i < len_bytes && at + 2 < sizeof hex; i++) {
        hex[at++] = digits[bytes[i] >> 4];
        hex[at++] = digits[bytes[i] & 15];
    }
    hex[at] = 0;
    add(out, "%s=%s", name, hex);
}

static enum tl_vendor vendor(void)
{
    return hv_backend == &vmx_backend ? TL_VMX : TL_SVM;
}

static void render_exit(struct out *out, struct vcpu *vcpu)
{
    const struct hv_exit *exit = &vcpu->exit;
    const struct tl_reason *reason = tl_reason(vendor(), exit->raw_reason);

    begin(out, "record");
    add(out, "version=1");
    end(out);
    begin(out, "why");
    add(out, "text=\"%s\"", vcpu->dead_why ? vcpu->dead_why : "stopped by request");
    end(out);
    begin(out, "exit");
    add(out, "vendor=%s", hv_caps.vendor);
    add(out, "kind=%s", tl_kind_word(exit->kind));
    add(out, "reason=%#lx", (unsigned long)exit->raw_reason);
    add(out, "name=%s", reason ? reason->name : "?");
    add(out, "info0=%#lx", (unsigned long)exit->raw_info[0]);
    add(out, "info1=%#lx", (unsigned long)exit->raw_info[1]);
    add(out, "len=%u", exit->instr_len_bytes);
    add(out, "count=%lu", (unsigned long)vcpu->exit_count);
    if (exit->kind == HV_EXIT_ENTRY_FAILURE) {
        add(out, "entry_reason=%#x", exit->entry.reason);
        add(out, "instr_error=%u", exit->entry.instr_error);
    }
    add(out, "event=%#lx", (unsigned long)ring_pack_event(&exit->event));
    add(out, "inject=%#lx", (unsigned long)ring_pack_event(&vcpu->inject));
    end(out);
    begin(out, "caps");
    add(out, "platform=%s maxphyaddr=%u nested_1g=%u nrip=%u mtf=%u efer_in_area=%u",
        hv_caps.platform, hv_caps.maxphyaddr_bits, hv_caps.nested_1g, hv_caps.nrip, hv_caps.mtf,
        hv_caps.efer_in_area);
    end(out);
}

static void render_registers(struct out *out, struct vcpu *vcpu)
{
    static const char *const gprs[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    static const char *const segments[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

    begin(out, "regs");
    for (unsigned i = 0; i < 16; i++)
        add(out, "%s=%#lx", gprs[i], (unsigned long)vcpu->regs.by_index[i]);
    add(out, "rip=%#lx", (unsigned long)vcpu->regs.rip);
    add(out, "rflags=%#lx", (unsigned long)vcpu->regs.rflags);
    end(out);
    begin(out, "real"); /* what the CPU holds */
    add(out, "cr0=%#lx", (unsigned long)hv_backend->get(vcpu, HV_ST_CR0));
    add(out, "cr2=%#lx", (unsigned long)vcpu->cr2);
    add(out, "cr3=%#lx", (unsigned long)hv_backend->get(vcpu, HV_ST_CR3));
    add(out, "cr4=%#lx", (unsigned long)hv_backend->get(vcpu, HV_ST_CR4));
    add(out, "efer=%#lx", (unsigned long)hv_backend->get(vcpu, HV_ST_EFER));
    end(out);
    begin(out, "wrote"); /* what the guest asked for, and reads back */
    add(out, "cr0=%#lx", (unsigned long)vcpu->cr0_wrote);
    add(out, "cr4=%#lx", (unsigned long)vcpu->cr4_wrote);
    add(out, "efer=%#lx", (unsigned long)vcpu->efer_wrote);
    add(out, "xcr0=%#lx", (unsigned long)vcpu->xcr0);
    end(out);
    begin(out, "debug");
    for (unsigned i = 0; i < 4; i++)
        add(out, "dr%u=%#lx", i, (unsigned long)vcpu->dr[i]);
    add(out, "dr6=%#lx", (unsigned long)hv_backend->get(vcpu, HV_ST_DR6));
    add(out, "dr7=%#lx", (unsigned long)hv_backend->get(vcpu, HV_ST_DR7));
    end(out);
    for (unsigned i = 0; i < HV_SEG_COUNT; i++) {
        struct hv_segment seg = hv_backend->get_segment(vcpu, (enum hv_seg)i);

        begin(out, "seg");
        add(out, "name=%s selector=%#x base=%#lx limit=%#x rights=%#x", segments[i], seg.selector,
            (unsigned long)seg.base, seg.limit, seg.rights);
        end(out);
    }
    begin(out, "tables");
    add(out, "gdtr_base=%#lx", (unsigned long)hv_backend->get(vcpu, HV_ST_GDTR_BASE));
    add(out, "gdtr_limit=%#lx", (unsigned long)hv_backend->get(vcpu, HV_ST_GDTR_LIMIT));
    add(out, "idtr_base=%#lx", (unsigned long)hv_backend->get(vcpu, HV_ST_IDTR_BASE));
    add(out, "idtr_limit=%#lx", (unsigned long)hv_backend->get(vcpu, HV_ST_IDTR_LIMIT));
    end(out);
}

static void render_fields(struct out *out, struct vcpu *vcpu)
{
    unsigned count;
    const struct tl_field *fields = tl_fields(vendor(), &count);
    uint64_t value;

    begin(out, vendor() == TL_VMX ? "vmcs" : "vmcb");
    for (unsigned i = 0; i < count; i++)
        if (hv_backend->field_read(vcpu, fields[i].number, &value) == 0)
            add(out, "%s=%#lx", fields[i].name, (unsigned long)value);
    end(out);
}

static void render_msrs(struct out *out, struct vcpu *vcpu)
{
    struct hv_msr_entry entries[HV_MSR_AREA_MAX];
    int count = hv_backend->msr_area(vcpu, entries, HV_MSR_AREA_MAX);
    uint64_t value;

    begin(out, "msr-area");
    for (int i = 0; i < count; i++) {
        const struct tl_msr_row *row = tl_msr_by_index(entries[i].index);

        add(out, "%u:%#x=%#lx", (unsigned)i + 1, entries[i].index, (unsigned long)entries[i].value);
        if (row)
            add(out, "%u:name=%s", (unsigned)i + 1, row->name);
    }
    end(out);
    begin(out, "cap-msr");
    for (uint32_t index = VMX_CAP_FIRST; vendor() == TL_VMX && index <= VMX_CAP_LAST; index++)
        if (rdmsr_safe(index, &value) == 0)
            add(out, "%#x=%#lx", index, (unsigned long)value);
    end(out);
}

static void render_memory(struct out *out, struct vcpu *vcpu)
{
    uint8_t bytes[STACK_BYTES];
    uint64_t code_gva = guest_segment_base(vcpu, HV_CS) + vcpu->regs.rip;
    uint64_t stack_gva = guest_segment_base(vcpu, HV_SS) + vcpu->regs.rsp;
    uint64_t from_gva = code_gva - CODE_BACK;
    size_t got;

    begin(out, "code");
    got = guest_read_gva(vcpu, from_gva, bytes, CODE_BYTES);
    if (got <= CODE_BACK) { /* the page before is not there: begin at RIP */
        from_gva = code_gva;
        got = guest_read_gva(vcpu, from_gva, bytes, CODE_BYTES - CODE_BACK);
    }
    add(out, "rip_gva=%#lx from_gva=%#lx", (unsigned long)code_gva, (unsigned long)from_gva);
    add_hex(out, "bytes", bytes, got);
    end(out);
    begin(out, "stack");
    got = guest_read_gva(vcpu, stack_gva, bytes, STACK_BYTES);
    add(out, "gva=%#lx", (unsigned long)stack_gva);
    add_hex(out, "bytes", bytes, got);
    end(out);
}

static void render_nested(struct out *out, const char *of, uint64_t gpa)
{
    struct nested_path path = nested_walk(gpa);

    begin(out, "nested");
    add(out, "of=%s gpa=%#lx present=%u rights=%u type=%u page=%#lx", of, (unsigned long)gpa,
        path.present, path.rights, path.memory_type, (unsigned long)path.page_bytes);
    for (unsigned i = 0; i < path.level_count; i++)
        add(out, "level%u_at=%#lx level%u=%#lx", path.level[i].level,
            (unsigned long)path.level[i].entry_hpa, path.level[i].level,
            (unsigned long)path.level[i].entry);
    end(out);
}

static void render_walk(struct out *out, struct vcpu *vcpu, const char *of, uint64_t gva)
{
    static const char *const results[] = {"ok", "not-present", "reserved", "non-canonical",
                                          "bad-table"};
    static const char *const modes[] = {"none", "32-bit", "pae", "4-level", "5-level"};
    struct guest_walk walk = guest_translate(vcpu, gva);

    begin(out, "walk");
    add(out, "of=%s gva=%#lx paging=%s result=%s", of, (unsigned long)gva, modes[walk.paging],
        results[walk.result]);
    if (walk.result == WALK_OK)
        add(out, "gpa=%#lx page=%#lx writable=%u user=%u execute=%u", (unsigned long)walk.gpa,
            (unsigned long)walk.page_bytes, walk.writable, walk.user, walk.execute);
    for (unsigned i = 0; i < walk.level_count; i++)
        add(out, "%s_at=%#lx %s=%#lx", walk_level_name(walk.level[i].level),
            (unsigned long)walk.level[i].entry_gpa, walk_level_name(walk.level[i].level),
            (unsigned long)walk.level[i].entry);
    end(out);
    if (walk.result == WALK_OK)
        render_nested(out, of, walk.gpa);
}

/* Can the guest's IDT deliver an exception at all? Gates of the 32 exceptions, present ones only. */
static void render_idt(struct out *out, struct vcpu *vcpu)
{
    uint64_t base = hv_backend->get(vcpu, HV_ST_IDTR_BASE);
    uint64_t limit = hv_backend->get(vcpu, HV_ST_IDTR_LIMIT);
    bool real = !(vcpu->cr0_wrote & CR0_PE);
    unsigned gate_bytes = real ? 4 : vcpu_long_mode(vcpu) ? 16 : 8, present = 0, unreadable = 0;

    begin(out, "idt");
    add(out, "base=%#lx limit=%#lx gate_bytes=%u", (unsigned long)base, (unsigned long)limit,
        gate_bytes);
    for (unsigned vector = 0; vector < GATE_VECTORS; vector++) {
        uint8_t gate[16] = {0};

        if ((vector + 1) * gate_bytes - 1 > limit)
            break;
        if (guest_read_gva(vcpu, base + vector * gate_bytes, gate, gate_bytes) != gate_bytes) {
            unreadable++;
            continue;
        }
        if (!real && !(gate[5] & 0x80))
            continue;
        present++;
        add_hex(out, vector == X86_DF   ? "gate8"
                     : vector == X86_GP ? "gate13"
                     : vector == X86_PF ? "gate14"
                     : vector == X86_UD ? "gate6"
                                        : "gate",
                gate, gate_bytes);
    }
    add(out, "present=%u unreadable=%u", present, unreadable);
    end(out);
}

static void render_ring(struct out *out, struct vcpu *vcpu)
{
    for (uint64_t back = RING_RECORDS; back-- > 0;) {
        const struct ring_record *r = ring_last(vcpu, back);

        if (!r)
            continue;
        begin(out, "ring");
        add(out,
            "n=%lu kind=%s reason=%#x info0=%#lx info1=%#lx cs=%#x rip=%#lx rsp=%#lx cr0=%#lx "
            "cr3=%#lx cr4=%#lx efer=%#lx",
            (unsigned long)r->number, tl_kind_word(r->kind), r->raw_reason,
            (unsigned long)r->raw_info[0], (unsigned long)r->raw_info[1], r->cs,
            (unsigned long)r->rip, (unsigned long)r->rsp, (unsigned long)r->cr0,
            (unsigned long)r->cr3, (unsigned long)r->cr4, (unsigned long)r->efer);
        add(out,
            "rflags=%#lx rax=%#lx rcx=%#lx rdx=%#lx rbx=%#lx value=%#lx event=%#lx inject=%#lx "
            "changed=%#x cycles=%u",
            (unsigned long)r->rflags, (unsigned long)r->rax, (unsigned long)r->rcx,
            (unsigned long)r->rdx, (unsigned long)r->rbx, (unsigned long)r->value,
            (unsigned long)r->event, (unsigned long)r->inject, r->changed, r->cycles);
        end(out);
    }
}

void crash_render(struct vcpu *vcpu, crash_line_fn line, void *context)
{
    struct out out = {.line = line, .context = context};

    render_exit(&out, vcpu);
    render_registers(&out, vcpu);
    render_fields(&out, vcpu);
    render_msrs(&out, vcpu);
    render_memory(&out, vcpu);
    render_walk(&out, vcpu, "rip", guest_segment_base(vcpu, HV_CS) + vcpu->regs.rip);
    render_walk(&out, vcpu, "rsp", guest_segment_base(vcpu, HV_SS) + vcpu->regs.rsp);
    if (vcpu->exit.kind == HV_EXIT_NESTED_PAGE || vcpu->exit.kind == HV_EXIT_NESTED_MISCONFIG)
        render_nested(&out, "exit", vcpu->exit.nested.gpa);
    render_idt(&out, vcpu);
    render_ring(&out, vcpu);
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
    log_error("crash begin");
    crash_render(vcpu, print_line, NULL);
    log_error("crash end");
}
