/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `audit reset`: the guest's first state against the manual's table of states after power-up, and what
 * the hand-off of its kind (BIOS, Linux 32-bit boot protocol, multiboot) says otherwise.
 */
#include "protocol/audit.h"

#include "protocol/audit_make.h"

enum { ES, CS, SS, DS, FS, GS, LDTR, TR };
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

#define POWER_UP  "SDM, \"Processor State After Reset\""
#define BIOS      "BIOS hand-off to a boot sector"
#define LINUX     "Linux x86 boot protocol, \"32-bit Boot Protocol\""
#define MULTIBOOT "Multiboot 1, \"Machine state\""
#define FLAT      "Trapline's own hand-off"

#define CR0_PE    UINT64_C(1)
#define CR0_PG    (UINT64_C(1) << 31)
#define RFLAGS_IF (UINT64_C(1) << 9)
#define RFLAGS_VM (UINT64_C(1) << 17)
#define UNUSABLE  (1u << 16)

#define MULTIBOOT_MAGIC 0x2badb002u

static void hex_of(struct text *t, const char *name, const char *part, uint64_t value)
{
    text_str(t, name);
    text_str(t, part);
    text_str(t, " = ");
    text_hex(t, value);
}

/* The bits of `mask` must be those of `expected`. */
static void must(struct audit_out *out, const char *name, const char *part, uint64_t value,
                 uint64_t mask, uint64_t expected, const char *says)
{
    char buf[AUDIT_LINE_MAX];
    struct text t;

    out->checked++;
    if (!((value ^ expected) & mask))
        return;
    t = audit_begin(out, buf);
    hex_of(&t, name, part, value);
    text_str(&t, mask == ~UINT64_C(0) ? ", should be " : ", these bits should be ");
    text_hex(&t, expected & mask);
    if (mask != ~UINT64_C(0)) {
        text_str(&t, " in ");
        text_hex(&t, mask);
    }
    text_str(&t, " (");
    text_str(&t, says);
    text_char(&t, ')');
    audit_found(out, &t);
}

static void must_be(struct audit_out *out, const char *name, uint64_t value, uint64_t expected)
{
    must(out, name, "", value, ~UINT64_C(0), expected, POWER_UP);
}

/* Nothing that hands a machine over changes these. */
static void judge_always(const struct audit_reset *f, struct audit_out *out)
{
    static const char *const dr_names[] = {"DR0", "DR1", "DR2", "DR3"};

    must_be(out, "CR2", f->cr2, 0);
    must_be(out, "CR3", f->cr3, 0);
    must_be(out, "CR4", f->cr4, 0);
    must(out, "CR4", " of the CPU", f->cr4_real, ~f->cr4_forced, 0, POWER_UP);
    must_be(out, "EFER", f->efer, 0);
    must(out, "EFER", " of the CPU", f->efer_real, ~UINT64_C(0x1000), 0, POWER_UP); /* SVME */
    for (unsigned i = 0; i < 4; i++)
        must_be(out, dr_names[i], f->dr[i], 0);
    must_be(out, "DR6", f->dr6, 0xffff0ff0);
    must_be(out, "DR7", f->dr7, 0x400);
    must_be(out, "XCR0", f->xcr0, 1);
    must_be(out, "PAT", f->pat, UINT64_C(0x0007040600070406));
    must_be(out, "DEBUGCTL", f->debugctl, 0);
    must_be(out, "SYSENTER_CS", f->sysenter_cs, 0);
    must_be(out, "SYSENTER_ESP", f->sysenter_esp, 0);
    must_be(out, "SYSENTER_EIP", f->sysenter_eip, 0);
    must(out, "RFLAGS", "", f->rflags, ~(RFLAGS_IF | UINT64_C(0x8d5)), 2, POWER_UP);
    must(out, "LDTR", " selector", f->segment[LDTR].selector, ~UINT64_C(0), 0, POWER_UP);
    must(out, "TR", " selector", f->segment[TR].selector, ~UINT64_C(0), 0, POWER_UP);
}

/* Real mode: each base is its selector times 16, limits are 64 KiB. */
static void judge_boot_sector(const struct audit_reset *f, struct audit_out *out)
{
    static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS"};

    /* 0x10 and 0x60000010 (caches off) are both seen */
    must(out, "CR0", "", f->cr0, ~UINT64_C(0x60000000), 0x10, BIOS);
    must(out, "CS:IP", "", f->segment[CS].base + f->rip, ~UINT64_C(0), 0x7c00, BIOS);
    must(out, "RDX", "", f->gpr[RDX], ~UINT64_C(0xff), 0, BIOS);
    must(out, "IDTR", " base", f->idtr_base, ~UINT64_C(0), 0, BIOS);
    must(out, "IDTR", " limit", f->idtr_limit & 0x3ff, ~UINT64_C(0), 0x3ff, BIOS);
    for (unsigned i = ES; i <= GS; i++) {
        must(out, names[i], " base", f->segment[i].base, ~UINT64_C(0),
             (uint64_t)f->segment[i].selector << 4, BIOS);
        must(out, names[i], " limit", f->segment[i].limit, ~UINT64_C(0), 0xffff, BIOS);
        /* present, DPL 0, code or data, accessed, read/write data or readable code */
        must(out, names[i], " rights", f->segment[i].rights, UINT64_C(0x100f3), 0x93, BIOS);
        must(out, names[i], " rights", f->segment[i].rights, UINT64_C(0xf000), 0, BIOS);
    }
}

static void judge_flat_segment(const struct audit_reset *f, struct audit_out *out, unsigned seg,
                               const char *name, uint64_t type, const char *says)
{
    const struct record_segment *s = &f->segment[seg];

    must(out, name, " base", s->base, ~UINT64_C(0), 0, says);
    must(out, name, " limit", s->limit, ~UINT64_C(0), 0xffffffff, says);
    /* type but for accessed; code/data, DPL 0, present; not L; 32-bit, 4 KiB units; usable */
    must(out, name, " rights", s->rights, UINT64_C(0x1e0fa), 0xc090 | type, says);
}

static void judge_protected(const struct audit_reset *f, struct audit_out *out, const char *says)
{
    must(out, "CR0", "", f->cr0, CR0_PE | CR0_PG, CR0_PE, says);
    must(out, "RFLAGS", "", f->rflags, RFLAGS_IF | RFLAGS_VM, 0, says);
    judge_flat_segment(f, out, CS, "CS", 0xa, says);
    judge_flat_segment(f, out, DS, "DS", 0x2, says);
    judge_flat_segment(f, out, ES, "ES", 0x2, says);
    judge_flat_segment(f, out, SS, "SS", 0x2, says);
}

static void judge_linux(const struct audit_reset *f, struct audit_out *out)
{
    judge_protected(f, out, LINUX);
    must(out, "CS", " selector", f->segment[CS].selector, ~UINT64_C(0), 0x10, LINUX);
    must(out, "DS", " selector", f->segment[DS].selector, ~UINT64_C(0), 0x18, LINUX);
    must(out, "ES", " selector", f->segment[ES].selector, ~UINT64_C(0), 0x18, LINUX);
    must(out, "SS", " selector", f->segment[SS].selector, ~UINT64_C(0), 0x18, LINUX);
    must(out, "RBP", "", f->gpr[RBP], ~UINT64_C(0), 0, LINUX);
    must(out, "RDI", "", f->gpr[RDI], ~UINT64_C(0), 0, LINUX);
    must(out, "RBX", "", f->gpr[RBX], ~UINT64_C(0), 0, LINUX);
    must(out, "RSI is 0", "", f->gpr[RSI] == 0, ~UINT64_C(0), 0, LINUX);
    must(out, "GDTR", " limit below 0x1f", f->gdtr_limit < 0x1f, ~UINT64_C(0), 0, LINUX);
}

static void judge_multiboot(const struct audit_reset *f, struct audit_out *out)
{
    judge_protected(f, out, MULTIBOOT);
    judge_flat_segment(f, out, FS, "FS", 0x2, MULTIBOOT);
    judge_flat_segment(f, out, GS, "GS", 0x2, MULTIBOOT);
    must(out, "RAX", "", f->gpr[RAX], ~UINT64_C(0), MULTIBOOT_MAGIC, MULTIBOOT);
    must(out, "RBX is 0", "", f->gpr[RBX] == 0, ~UINT64_C(0), 0, MULTIBOOT);
}

void audit_reset(const struct audit_reset *facts, struct audit_out *out)
{
    judge_always(facts, out);
    switch (facts->handoff) {
    case AUDIT_LINUX32:
        judge_linux(facts, out);
        break;
    case AUDIT_MULTIBOOT:
        judge_multiboot(facts, out);
        break;
    case AUDIT_BOOT_SECTOR:
        judge_boot_sector(facts, out);
        break;
    case AUDIT_FLAT:
        judge_protected(facts, out, FLAT);
        break;
    }
}
