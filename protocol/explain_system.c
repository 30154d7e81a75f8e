/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which system instruction at RIP must fault in the state it met: MOV to a control register, WRMSR, a
 * selector load, SSE without the bits that allow it, a privileged instruction in user mode.
 */
#include "protocol/explain_make.h"

#include "protocol/tables.h"

#define VECTOR_DE 0u
#define VECTOR_BP 3u
#define VECTOR_UD 6u
#define VECTOR_NM 7u
#define VECTOR_GP 13u

bool explain_take_apart(struct explain_insn *look, const struct crash_record *r)
{
    unsigned at = 0;

    *look = (struct explain_insn){.r = r};
    explain_code(r, look->copy);
    for (; at < 8; at++) {
        uint8_t byte = look->copy[at];

        if (byte == 0x66)
            look->osize = true;
        else if (byte == 0xf2 || byte == 0xf3)
            look->rep = byte;
        else if (byte != 0x2e && byte != 0x36 && byte != 0x3e && byte != 0x26 && byte != 0x64 &&
                 byte != 0x65 && byte != 0x67 && byte != 0xf0)
            break;
    }
    if (explain_is_64bit(r) && (look->copy[at] & 0xf0) == 0x40)
        look->rex = look->copy[at++];
    if (look->copy[at] == 0x0f) {
        look->map = 1;
        at++;
    }
    look->op = look->copy[at++];
    look->modrm = look->copy[at];
    look->rest = look->copy + at;
    return r->code_bytes != 0;
}

static uint64_t gpr_of(const struct explain_insn *look, unsigned number)
{
    uint64_t value = look->r->gpr[number & 15];

    return explain_is_64bit(look->r) ? value : (uint32_t)value;
}

static bool canonical(const struct crash_record *r, uint64_t address)
{
    unsigned shift = r->cr4_real >> 12 & 1 ? 7 : 16; /* CR4.LA57 */

    return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

/* Did the hypervisor itself refuse it, with #GP? */
static const struct record_ring *refused(const struct crash_record *r)
{
    for (unsigned i = r->ring_count; i-- > 0 && i + 3 > r->ring_count;) {
        const struct record_ring *e = &r->ring[i];

        if (e->rip == r->rip && e->kind != TL_KIND_TRIPLE_FAULT && (e->inject >> 31 & 1) &&
            (e->inject & 0xff) == VECTOR_GP)
            return e;
    }
    return NULL;
}

static const char *cr0_cause(const struct crash_record *r, uint64_t value)
{
    bool turns_on = (value & X_PG) && !(r->cr0_wrote & X_PG);

    if (value >> 32)
        return "sets bits above 31";
    if ((value & X_PG) && !(value & X_PE))
        return "sets PG without PE";
    if ((value & X_NW) && !(value & X_CD))
        return "sets NW without CD";
    if (turns_on && (r->efer_real & X_LME) && !(r->cr4_wrote & X_PAE))
        return "turns paging on with EFER.LME=1 and CR4.PAE=0: long mode needs PAE";
    if (turns_on && (r->efer_real & X_LME) && (r->segment[1].rights >> 13 & 1))
        return "turns paging on with EFER.LME=1 from a code segment with L=1";
    if (!(value & X_PG) && (r->cr0_wrote & X_PG) && explain_is_64bit(r))
        return "turns paging off in 64-bit mode; leave it by a far jump to a 32-bit segment first";
    if (!(value & X_PG) && (r->cr0_wrote & X_PG) && (r->cr4_wrote & X_PCIDE))
        return "turns paging off with CR4.PCIDE=1";
    return NULL;
}

/* PAE paging without LME: the four entries at CR3 are loaded and checked. */
static bool pdpte_cause(const struct crash_record *r, uint64_t value, struct text *t)
{
    const struct record_ring *write = NULL;

    if (!(value & X_PG) || !(r->cr4_wrote & X_PAE) || (r->efer_real & (X_LME | X_LMA)) ||
        !r->pdptes_present)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        if (!(r->pdpte_memory[i] & 1) || !(r->pdpte_memory[i] & 0x1e6))
            continue;
        text_str(
            t,
            "turns on PAE paging, EFER.LME being 0, and the table at CR3 is none for it: entry ");
        text_dec(t, i);
        text_str(t, " is ");
        text_hex(t, r->pdpte_memory[i]);
        for (unsigned n = r->ring_count; n-- > 0 && !write;)
            if (r->ring[n].kind == TL_KIND_WRMSR)
                write = &r->ring[n];
        if (write && (write->value & X_LME) && (uint32_t)write->rcx != X_MSR_EFER) {
            text_str(t, " (LME was written to MSR ");
            text_hex(t, (uint32_t)write->rcx);
            explain_at(t, write);
            text_char(t, ')');
        }
        return true;
    }
    return false;
}

static bool cr4_cause(const struct crash_record *r, uint64_t value, struct text *t)
{
    uint64_t known, bad;
    char names[80];

    if (snapshot_cap(&r->state, SNAPSHOT_CAP_CR4_KNOWN, &known) && (bad = value & ~known)) {
        tl_bits_format(tl_bits_group("cr4"), bad, names, sizeof(names));
        text_str(t, "sets bits that this CPU does not have: ");
        text_str(t, names);
        return true;
    }
    if ((r->efer_real & X_LMA) && !(value & X_PAE)) {
        text_str(t, "clears PAE in long mode");
        return true;
    }
    if ((value & X_PCIDE) && !(r->cr4_wrote & X_PCIDE) &&
        (!(r->efer_real & X_LMA) || (r->cr3 & 0xfff))) {
        text_str(t, r->efer_real & X_LMA ? "sets PCIDE while CR3 bits 11:0 are not 0"
                                         : "sets PCIDE outside long mode");
        return true;
    }
    return false;
}

static bool mov_cr(const struct explain_insn *look, struct text *t)
{
    const struct crash_record *r = look->r;
    unsigned cr = explain_reg_of(look);
    uint64_t value = gpr_of(look, explain_rm_of(look));
    const char *cause = cr == 0 ? cr0_cause(r, value) : NULL;
    struct text before = *t;

    text_str(t, "MOV to CR");
    text_dec(t, cr);
    text_str(t, " of ");
    text_hex(t, value);
    text_char(t, ' ');
    if (cause) {
        text_str(t, cause);
        return true;
    }
    if (cr == 0 && pdpte_cause(r, value, t))
        return true;
    if (cr == 4 && cr4_cause(r, value, t))
        return true;
    if (refused(r)) {
        text_str(t, "was refused by the hypervisor");
        return true;
    }
    *t = before;
    t->buf[t->len_bytes < t->cap_bytes ? t->len_bytes : t->cap_bytes - 1] = 0;
    return false;
}

/* MSRs that hold a linear address. */
static bool holds_address(uint32_t index)
{
    return (index >= 0xc0000082u && index <= 0xc0000083u) ||
           (index >= 0xc0000100u && index <= 0xc0000102u) || index == 0x175 || index == 0x176;
}

static bool msr(const struct explain_insn *look, struct text *t)
{
    const struct crash_record *r = look->r;
    bool write = look->op == 0x30;
    uint32_t index = (uint32_t)r->gpr[1];
    uint64_t value = (uint64_t)(uint32_t)r->gpr[2] << 32 | (uint32_t)r->gpr[0], known;
    const struct tl_msr_row *row = tl_msr_by_index(index);
    const char *cause = NULL;

    if (write && holds_address(index) && !canonical(r, value))
        cause = " is not canonical";
    else if (write && index == X_MSR_EFER && ((value ^ r->efer_wrote) & X_LME) &&
             (r->cr0_wrote & X_PG))
        cause = " changes LME while paging is on";
    else if (write && index == X_MSR_EFER &&
             snapshot_cap(&r->state, SNAPSHOT_CAP_EFER_KNOWN, &known) && (value & ~known))
        cause = " sets bits that this CPU does not have";
    else if (refused(r))
        cause = write ? " was refused by the hypervisor: no such MSR, or not such a value"
                      : " was refused by the hypervisor: no such MSR";
    if (!cause)
        return false;
    text_str(t, write ? "WRMSR of " : "RDMSR of ");
    text_hex(t, index);
    if (row) {
        text_str(t, " (");
        text_str(t, row->manual);
        text_char(t, ')');
    }
    if (write) {
        text_str(t, ": ");
        text_hex(t, value);
    }
    text_str(t, cause);
    return true;
}

static bool is_sse(const struct explain_insn *look)
{
    uint8_t op = look->op;

    if (look->map != 1)
        return false;
    if ((op >= 0x10 && op <= 0x17) || (op >= 0x28 && op <= 0x2f) || (op >= 0x50 && op <= 0x5f) ||
        op == 0xc2 || op == 0xc6)
        return true;
    return (look->osize || look->rep) &&
           ((op >= 0x60 && op <= 0x76) || (op >= 0x7c && op <= 0x7f) || op == 0xc4 || op == 0xc5 ||
            (op >= 0xd0 && op != 0xff));
}

/* SSE, AVX (its two-byte form) and x87 without the bits that allow them. */
static bool simd_cause(const struct explain_insn *look, uint8_t *vector, struct text *t)
{
    const struct crash_record *r = look->r;
    bool sse = is_sse(look), x87 = look->map == 0 && look->op >= 0xd8 && look->op <= 0xdf;
    bool avx = look->map == 0 && look->op == 0xc5 &&
               (explain_is_64bit(r) || ((r->cr0_real & X_PE) && explain_is_register(look)));
    const char *name = sse   ? "an SSE instruction with "
                       : avx ? "an AVX instruction with "
                             : "an x87 instruction with ";
    const char *cause = NULL;

    if (!sse && !x87 && !avx)
        return false;
    if (sse && (r->cr0_real & X_EM) && explain_may_be(vector, VECTOR_UD))
        cause = "CR0.EM=1";
    else if (sse && !(r->cr4_real & X_OSFXSR) && explain_may_be(vector, VECTOR_UD))
        cause = "CR4.OSFXSR=0";
    else if (avx && !(r->cr4_real & X_OSXSAVE) && explain_may_be(vector, VECTOR_UD))
        cause = "CR4.OSXSAVE=0";
    else if (avx && (r->xcr0 & 6) != 6 && explain_may_be(vector, VECTOR_UD))
        cause = "XCR0 without SSE and AVX state";
    else if (x87 && (r->cr0_real & X_EM) && explain_may_be(vector, VECTOR_NM))
        cause = "CR0.EM=1";
    else if ((r->cr0_real & X_TS) && explain_may_be(vector, VECTOR_NM))
        cause = "CR0.TS=1";
    if (!cause)
        return false;
    text_str(t, name);
    text_str(t, cause);
    return true;
}

/* MOVAPS, MOVAPD, MOVDQA, MOVNTPS ... want a multiple of 16. */
static bool alignment_cause(const struct explain_insn *look, struct text *t)
{
    bool aligned_form =
        look->map == 1 && !look->rep && !explain_is_register(look) &&
        (look->op == 0x28 || look->op == 0x29 || look->op == 0x2b ||
         (look->osize && (look->op == 0x6f || look->op == 0x7f || look->op == 0xe7)));

    for (unsigned i = 0; aligned_form && i < look->r->touch_count; i++) {
        const struct record_touch *touch = &look->r->touch[i];

        if (touch->what != RECORD_TOUCH_OPERAND || !(touch->gva & 15))
            continue;
        text_str(t, "an SSE move that needs 16-byte alignment goes to ");
        text_hex(t, touch->gva);
        return true;
    }
    return false;
}

static bool privileged(const struct explain_insn *look)
{
    uint8_t op = look->op, group = look->modrm >> 3 & 7;

    if (look->map == 0)
        return op == 0xf4;
    return op == 0x06 || op == 0x08 || op == 0x09 || (op >= 0x20 && op <= 0x23) || op == 0x30 ||
           op == 0x32 || (op == 0x00 && (group == 2 || group == 3)) ||
           (op == 0x01 && !explain_is_register(look) &&
            (group == 2 || group == 3 || group == 6 || group == 7));
}

static bool general_protection(const struct explain_insn *look, struct text *t)
{
    if ((look->r->cr0_real & X_PE) && (look->r->segment[1].selector & 3) == 3 && privileged(look)) {
        text_str(t, "a privileged instruction at CPL 3");
        return true;
    }
    if (look->map == 1 && look->op == 0x22)
        return mov_cr(look, t);
    if (look->map == 1 && (look->op == 0x30 || look->op == 0x32))
        return msr(look, t);
    return explain_selector_cause(look, t) || alignment_cause(look, t);
}

/* DIV and IDIV by a register that is 0. */
static bool divides_by_zero(const struct explain_insn *look)
{
    uint64_t value = look->r->gpr[explain_rm_of(look)], mask;

    if (look->map != 0 || (look->op & 0xfe) != 0xf6 || (look->modrm >> 3 & 7) < 6 ||
        !explain_is_register(look))
        return false;
    if (look->op == 0xf6 && !look->rex && (look->modrm & 7) >= 4)
        value = look->r->gpr[look->modrm & 3] >> 8; /* AH CH DH BH */
    mask = look->op == 0xf6 ? 0xff
           : look->rex & 8  ? ~UINT64_C(0)
           : look->osize != !(explain_is_64bit(look->r) || (look->r->segment[1].rights >> 14 & 1))
               ? 0xffff
               : 0xffffffff;
    return !(value & mask);
}

bool explain_system_cause(const struct crash_record *r, uint8_t *vector, struct text *t)
{
    struct explain_insn look;
    uint8_t wanted = *vector;

    if (!explain_take_apart(&look, r))
        return false;
    if ((wanted == EXPLAIN_NO_VECTOR || wanted == VECTOR_GP) && general_protection(&look, t)) {
        *vector = VECTOR_GP;
        return true;
    }
    if (explain_descriptor_cause(&look, vector, t) || simd_cause(&look, vector, t))
        return true;
    if (divides_by_zero(&look) && explain_may_be(vector, VECTOR_DE)) {
        text_str(t, "division by 0");
        return true;
    }
    if (look.map == 1 && look.op == 0x0b && explain_may_be(vector, VECTOR_UD)) {
        text_str(t, "the instruction at RIP is UD2");
        return true;
    }
    if (look.map == 1 && look.op == 0x05 && !(r->efer_real & X_SCE) &&
        explain_may_be(vector, VECTOR_UD)) {
        text_str(t, "SYSCALL with EFER.SCE=0");
        return true;
    }
    if (look.map == 0 && look.op == 0xcc && explain_may_be(vector, VECTOR_BP)) {
        text_str(t, "the instruction at RIP is INT3");
        return true;
    }
    return false;
}
