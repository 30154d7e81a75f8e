/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the guest did and met: an event that never came, an instruction that must fault, a RIP that
 * does not translate, an IDT that cannot deliver, a CPU that sleeps for ever.
 */
#include "protocol/explain_make.h"

#include "protocol/tables.h"

#define EXPLAIN(function, id, text) void explain_##function(struct explain_run *run);
#include "protocol/explain.def"
#undef EXPLAIN

bool explain_is_64bit(const struct crash_record *r)
{
    return (r->efer_real & X_LMA) && (r->segment[1].rights >> 13 & 1);
}

const uint8_t *explain_code(const struct crash_record *r, uint8_t copy[16])
{
    uint64_t rip = r->rip + (explain_is_64bit(r) ? 0 : r->segment[1].base);
    uint64_t at = rip - r->code_gva;

    for (unsigned i = 0; i < 16; i++)
        copy[i] = at + i < r->code_bytes ? r->code[at + i] : 0;
    return copy;
}

static bool bytes_are(const struct crash_record *r, uint8_t a, uint8_t b, uint8_t c, unsigned len)
{
    uint8_t copy[16];
    const uint8_t *code = explain_code(r, copy);

    return code[0] == a && (len < 2 || code[1] == b) && (len < 3 || code[2] == c);
}

/* An exit interrupted the delivery of an event; the entry that followed injected nothing, nor did
 * any later one deliver that vector. */
void explain_event_lost(struct explain_run *run)
{
    const struct crash_record *r = run->r;

    for (unsigned i = 0; i < r->ring_count; i++) {
        const struct record_ring *e = &r->ring[i];
        unsigned vector = e->event & 0xff, type = e->event >> 8 & 7;
        struct explain_writer w;

        if (!(e->event >> 31 & 1) || (e->inject >> 31 & 1) || e->kind == TL_KIND_TRIPLE_FAULT ||
            e->kind == TL_KIND_TASK_SWITCH || (i + 1 == r->ring_count && r->why != RECORD_HANG))
            continue;
        if (type == 4 || type == 6)
            continue; /* INT n is executed again by the guest itself */
        w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF - 5);
        text_str(&w.text, "an event was lost: delivery of vector ");
        text_hex(&w.text, vector);
        text_str(&w.text, type == 0 ? " (interrupt)" : type == 2 ? " (NMI)" : " (exception)");
        text_str(&w.text, " was interrupted by an exit and it was not injected again");
        text_str(&w.evidence, tl_kind_word(e->kind));
        explain_at(&w.evidence, e);
        text_str(&w.evidence, ": interrupted event ");
        text_hex(&w.evidence, e->event);
        text_str(&w.evidence, ", injected at the next entry: nothing");
        text_str(&w.evidence, r->state.svm ? " [APM, \"Event Injection\"]"
                                           : " [SDM, \"Information for VM Exits During Event "
                                             "Delivery\"]");
        return;
    }
}

/* Exits of the machine around the guest: one may come between two others that belong together. */
static bool from_outside(const struct record_ring *e)
{
    return e->kind == TL_KIND_NMI || e->kind == TL_KIND_INTERRUPT ||
           e->kind == TL_KIND_PREEMPTION_TIMER;
}

static bool same_exit(const struct record_ring *a, const struct record_ring *b)
{
    return a->kind == b->kind && a->reason == b->reason && a->rip == b->rip && a->cr3 == b->cr3 &&
           a->value == b->value && a->rsp == b->rsp && a->rax == b->rax && a->rcx == b->rcx;
}

/* The last exits are one exit, and no handler moved the guest: it will come again for ever. */
void explain_storm(struct explain_run *run)
{
    enum { ALIKE_MIN = 12, CHANGED_RIP_OR_GPR = 3 };
    const struct crash_record *r = run->r;
    const struct record_ring *last = NULL;
    unsigned alike = 0;
    struct explain_writer w;

    for (unsigned i = r->ring_count; i-- > 0;) {
        const struct record_ring *e = &r->ring[i];

        if (from_outside(e))
            continue;
        last = last ? last : e;
        if (!same_exit(e, last) || e->changed & CHANGED_RIP_OR_GPR)
            break;
        alike++;
    }
    if (alike < ALIKE_MIN)
        return;
    w = explain_add(run, EXPLAIN_PROVEN, RANK_PICTURE + 50);
    text_str(&w.text, "one ");
    text_str(&w.text, tl_kind_word(last->kind));
    text_str(&w.text, " exit repeats at RIP ");
    text_hex(&w.text, last->rip);
    if (last->kind == TL_KIND_NESTED_PAGE) {
        text_str(&w.text, ": what its handler maps does not hold GPA ");
        text_hex(&w.text, last->value);
    } else if (last->inject >> 31 & 1) {
        text_str(&w.text, ": the event injected for it changes nothing, the instruction exits "
                          "again");
    } else {
        text_str(&w.text, ": its handler neither completes the instruction nor removes the cause");
    }
    text_str(&w.evidence, "the last ");
    text_dec(&w.evidence, alike);
    text_str(&w.evidence, " exits known are alike, up to exit ");
    text_dec(&w.evidence, last->number);
    text_str(&w.evidence, "; reason ");
    text_hex(&w.evidence, last->reason);
    text_str(&w.evidence, ", info ");
    text_hex(&w.evidence, last->info1);
    text_char(&w.evidence, ' ');
    text_hex(&w.evidence, last->info2);
}

void explain_osxsave(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    bool xgetbv = bytes_are(r, 0x0f, 0x01, 0xd0, 3), xsetbv = bytes_are(r, 0x0f, 0x01, 0xd1, 3);
    const struct record_ring *cpuid = NULL;
    struct explain_writer w;

    if ((!xgetbv && !xsetbv) || (r->cr4_wrote & X_OSXSAVE) || (r->cr4_real & X_OSXSAVE))
        return;
    for (unsigned i = r->ring_count; i-- > 0 && !cpuid;)
        if (r->ring[i].kind == TL_KIND_CPUID && (uint32_t)r->ring[i].rax == 1)
            cpuid = &r->ring[i];
    if (cpuid && (cpuid->value >> 27 & 1)) {
        w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF);
        text_str(&w.text,
                 "CPUID showed OSXSAVE=1 while the guest's CR4.OSXSAVE is 0: the bit must follow "
                 "the guest's CR4, not the hypervisor's");
        text_str(&w.evidence, "CPUID leaf 1 gave ECX ");
        text_hex(&w.evidence, cpuid->value & 0xffffffff);
        explain_at(&w.evidence, cpuid);
        text_str(&w.evidence, xgetbv ? "; XGETBV" : "; XSETBV");
        text_str(&w.evidence, " at RIP raises #UD without CR4.OSXSAVE");
    } else {
        w = explain_add(run, EXPLAIN_PROVEN, RANK_PICTURE);
        text_str(&w.text, xgetbv ? "XGETBV" : "XSETBV");
        text_str(&w.text, " with CR4.OSXSAVE 0 raises #UD");
        text_str(&w.evidence, "guest CR4 ");
        text_hex(&w.evidence, r->cr4_wrote);
    }
}

const char *explain_vector_name(uint8_t vector)
{
    static const char *const names[32] = {
        [0] = "#DE",  [1] = "#DB",  [2] = "NMI",  [3] = "#BP",  [4] = "#OF",
        [5] = "#BR",  [6] = "#UD",  [7] = "#NM",  [8] = "#DF",  [10] = "#TS",
        [11] = "#NP", [12] = "#SS", [13] = "#GP", [14] = "#PF", [16] = "#MF",
        [17] = "#AC", [18] = "#MC", [19] = "#XM", [20] = "#VE", [21] = "#CP",
    };

    return vector < 32 ? names[vector] : NULL;
}

/*
 * Instructions that VMX lets the guest use by a secondary control only: without it they raise #UD, with
 * no exit (SDM, "Secondary Processor-Based VM-Execution Controls").
 */
static const struct {
    const char *name;
    uint8_t len, bytes[4], last_mask; /* the last byte is compared under the mask (ModRM) */
    uint8_t control_bit;
} enabled_by_control[] = {
    {"RDTSCP", 3, {0x0f, 0x01, 0xf9, 0}, 0xff, 3},
    {"INVPCID", 4, {0x66, 0x0f, 0x38, 0x82}, 0xff, 12},
    {"XSAVES", 3, {0x0f, 0xc7, 0x28, 0}, 0x38, 20},
    {"XRSTORS", 3, {0x0f, 0xc7, 0x18, 0}, 0x38, 20},
};

void explain_control_off(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    const uint16_t row = VMCS_ROW_proc2_controls;
    uint8_t copy[16];
    const uint8_t *code = explain_code(r, copy);
    uint64_t cap = 0;

    if (r->state.svm || !snapshot_has(&r->state, row))
        return;
    snapshot_cap(&r->state, 0x48b, &cap);
    if ((code[0] & 0xf8) == 0x48) /* REX.W */
        code++;
    for (unsigned i = 0; i < sizeof(enabled_by_control) / sizeof(enabled_by_control[0]); i++) {
        unsigned len = enabled_by_control[i].len, bit = enabled_by_control[i].control_bit;
        uint8_t mask = enabled_by_control[i].last_mask;
        struct explain_writer w;
        bool same = true;

        for (unsigned b = 0; b < len; b++)
            same &= (code[b] & (b == len - 1 ? mask : 0xff)) == enabled_by_control[i].bytes[b];
        if (!same || (r->state.field[row] >> bit & 1))
            continue;
        w = explain_add(run, EXPLAIN_PROVEN, RANK_PROOF);
        text_str(&w.text, enabled_by_control[i].name);
        text_str(&w.text, " raises #UD: its enabling control (secondary processor-based, bit ");
        text_dec(&w.text, bit);
        text_str(&w.text,
                 cap >> (32 + bit) & 1
                     ? ") is 0 although the CPU has it: set it, or hide the feature in CPUID"
                     : ") is 0 and the CPU does not offer it: hide the feature in CPUID");
        text_str(&w.evidence, "instruction at RIP ");
        text_hex(&w.evidence, r->rip);
        text_str(&w.evidence, "; proc2_controls ");
        text_hex(&w.evidence, r->state.field[row]);
        return;
    }
}

/* The exception that the exit itself names (SVM does): its delivery ended in the shutdown. */
static uint8_t reported_vector(const struct crash_record *r)
{
    uint8_t vector = r->exit.event & 0xff;

    if (!(r->exit.event >> 31 & 1) || (r->exit.event >> 8 & 7) != 3)
        return EXPLAIN_NO_VECTOR;
    return vector == 8 ? EXPLAIN_NO_VECTOR : vector; /* #DF is a consequence: look for the first */
}

/* INT n at RIP, or an interrupt: what no exception explains. */
static bool interrupt_cause(const struct crash_record *r, uint8_t *vector, struct text *t)
{
    uint8_t copy[16];
    const uint8_t *code = explain_code(r, copy);

    if (code[0] == 0xcd) {
        *vector = code[1];
        text_str(t, "INT ");
        text_hex(t, code[1]);
        text_str(t, " at RIP");
        if ((r->cr0_real & X_PE) && !(r->rflags >> 17 & 1) && code[1] >= 0x10 && code[1] <= 0x1a)
            text_str(t, " (a BIOS call? the BIOS is there in real mode only)");
        return true;
    }
    if (!(r->rflags & X_IF))
        return false;
    text_str(t, "an interrupt (RFLAGS.IF is 1, and the instruction at RIP need not fault)");
    return true;
}

static const struct record_gate *gate_of(const struct crash_record *r, uint8_t vector)
{
    for (unsigned i = 0; i < r->gate_count; i++)
        if (r->gate[i].vector == vector)
            return &r->gate[i];
    return NULL;
}

/* Why the IDT cannot deliver the vector, or NULL when it could. */
static const char *undeliverable_because(const struct crash_record *r, uint8_t vector)
{
    const struct record_gate *gate = gate_of(r, vector == 0xff ? 13 : vector);
    unsigned gate_bytes = r->efer_real & X_LMA ? 16 : r->cr0_real & X_PE ? 8 : 4;
    uint16_t selector;

    if ((r->cr0_real & X_PE) && r->idtr_base == 0 && r->idtr_limit == 0x3ff)
        return "the IDT is still the real-mode table (base 0, limit 0x3ff): no LIDT has changed it";
    if (r->idtr_limit < gate_bytes - 1)
        return "the IDT is empty (limit below one gate)";
    if (vector != 0xff && r->idtr_limit < (vector + 1u) * gate_bytes - 1)
        return "the IDT limit ends before that vector";
    if (!gate)
        return NULL;
    if (!gate->readable)
        return "the IDT itself does not translate";
    if (!(r->cr0_real & X_PE))
        return NULL;
    if (!(gate->low >> 47 & 1))
        return "its gate is not present";
    selector = gate->low >> 16 & 0xffff;
    if (!(selector & 0xfffc) || (!(selector & 4) && (selector | 7u) > r->gdtr_limit))
        return "its gate's code selector lies outside the GDT";
    /* a frame at the same level, without an IST: at RSP */
    if (r->regs_present && !r->stack_bytes && (r->segment[1].selector & 3) == 0 &&
        !(r->efer_real & X_LMA && (gate->low >> 32 & 7)))
        return "the stack at RSP, where its frame goes, does not translate";
    return NULL;
}

static void last_change(const struct crash_record *r, struct text *t)
{
    const struct record_ring *before = NULL;

    for (unsigned i = r->ring_count; i-- > 0 && !before;)
        if (r->ring[i].changed >> 2 &&
            r->ring[i].kind != TL_KIND_TRIPLE_FAULT) /* more than RIP, GPR */
            before = &r->ring[i];
    if (!before)
        return;
    text_str(t, "; last exit that changed the guest: ");
    text_str(t, tl_kind_word(before->kind));
    explain_at(t, before);
}

void explain_undeliverable(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    struct explain_writer w;
    const char *because, *name;
    char cause_text[200];
    struct text cause;
    uint8_t vector = reported_vector(r);
    bool found, proven, interrupt = false;

    if (r->why != RECORD_TRIPLE_FAULT)
        return;
    text_init(&cause, cause_text, sizeof(cause_text));
    found = explain_fault_cause(r, &vector, &cause) || explain_system_cause(r, &vector, &cause);
    name = explain_vector_name(vector);
    if (!found && !name) {
        found = interrupt = interrupt_cause(r, &vector, &cause);
        proven = interrupt && vector != EXPLAIN_NO_VECTOR;
    } else {
        proven = name != NULL;
    }
    because = undeliverable_because(r, vector);
    w = explain_add(run,
                    proven && because     ? EXPLAIN_PROVEN
                    : proven || interrupt ? EXPLAIN_LIKELY
                                          : EXPLAIN_GUESS,
                    found || name ? RANK_PICTURE : RANK_GENERAL);
    text_str(&w.text, "triple fault: ");
    if (!interrupt)
        text_str(&w.text, name ? name : "an exception at or before RIP");
    if (found) {
        text_str(&w.text, interrupt ? "" : ": ");
        text_str(&w.text, cause_text);
        text_str(&w.text, because ? ", and " : "; its handler faulted too");
    } else {
        text_str(&w.text, name      ? because ? " could not be delivered, and "
                                              : " could not be delivered; its handler faulted too"
                          : because ? ", and "
                                    : "; its handler faulted too");
    }
    text_str(&w.text, because);
    text_str(&w.evidence, "RIP ");
    text_hex(&w.evidence, r->rip);
    text_str(&w.evidence, " walk ");
    text_str(&w.evidence, record_walk_words[r->walk_result]);
    if (r->walk_count) {
        const struct record_level *l = &r->walk[r->walk_count - 1];

        text_str(&w.evidence, l->nested ? ", nested level " : ", level ");
        text_dec(&w.evidence, l->level);
        text_str(&w.evidence, " entry ");
        text_hex(&w.evidence, l->entry);
    }
    if (vector == 14) {
        text_str(&w.evidence, "; CR2 ");
        text_hex(&w.evidence, r->cr2);
    }
    text_str(&w.evidence, "; RSP ");
    text_hex(&w.evidence, r->gpr[4]);
    text_str(&w.evidence, "; CR0 ");
    text_hex(&w.evidence, r->cr0_real);
    text_str(&w.evidence, " CR3 ");
    text_hex(&w.evidence, r->cr3);
    text_str(&w.evidence, " CR4 ");
    text_hex(&w.evidence, r->cr4_real);
    text_str(&w.evidence, " EFER ");
    text_hex(&w.evidence, r->efer_real);
    text_str(&w.evidence, "; IDT ");
    text_hex(&w.evidence, r->idtr_base);
    text_char(&w.evidence, ':');
    text_hex(&w.evidence, r->idtr_limit);
    last_change(r, &w.evidence);
}

void explain_halted(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    bool hlt = r->exit.kind == TL_KIND_HLT || bytes_are(r, 0xf4, 0, 0, 1);
    uint8_t copy[16];
    const uint8_t *code;
    struct explain_writer w;

    /* HLT activity, or RIP just behind a HLT */
    if (!r->state.svm && snapshot_has(&r->state, VMCS_ROW_guest_activity))
        hlt |= r->state.field[VMCS_ROW_guest_activity] == 1;
    if (r->code_bytes && r->rip > r->code_gva && r->rip - r->code_gva <= r->code_bytes)
        hlt |= r->code[r->rip - r->code_gva - 1] == 0xf4;
    code = explain_code(r, copy);
    if ((r->why != RECORD_LIVE && r->why != RECORD_HANG) || (r->rflags & X_IF))
        return;
    if (!hlt && !(code[0] == 0xeb && code[1] == 0xfe))
        return;
    w = explain_add(run, EXPLAIN_PROVEN, RANK_PICTURE);
    text_str(&w.text,
             hlt ? "the CPU sleeps in HLT with interrupts off (IF=0): only an NMI can wake it"
                 : "the CPU spins in a jump to itself with interrupts off (IF=0)");
    text_str(&w.evidence, "RIP ");
    text_hex(&w.evidence, r->rip);
    text_str(&w.evidence, " RFLAGS ");
    text_hex(&w.evidence, r->rflags);
}

/* What can be said when nothing else can. */
void explain_nothing(struct explain_run *run)
{
    const struct crash_record *r = run->r;
    struct explain_writer w;

    if (run->out->count)
        return;
    w = explain_add(run, EXPLAIN_PROVEN, RANK_LAST);
    if (r->why == RECORD_LIVE || r->why == RECORD_HANG) {
        text_str(&w.text, "the guest is alive; ");
        text_str(&w.text, run->out->rules_violated
                              ? "its state breaks VM-entry rules: see `check`"
                              : "no rule violated by what is known of its state");
    } else {
        text_str(&w.text, "no rule matched: this looks like a fault of the guest itself");
    }
    text_str(&w.evidence, "last exit ");
    text_str(&w.evidence, tl_kind_word(r->exit.kind));
    text_str(&w.evidence, ", reason ");
    text_hex(&w.evidence, r->exit.reason);
    text_str(&w.evidence, "; rules violated ");
    text_dec(&w.evidence, run->out->rules_violated);
    text_str(&w.evidence, ", not judged ");
    text_dec(&w.evidence, run->out->rules_untold);
}
