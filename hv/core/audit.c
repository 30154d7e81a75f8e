/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Collects what `audit cpuid|memtype|reset` judge: CPUID as the guest gets it, the MTRRs as they are
 * and the nested map as it is, the state the guest started with.
 */
#include "core/audit.h"

#include "core/backend.h"
#include "core/exit_cpuid.h"
#include "core/exit_cr.h"
#include "core/nested.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "protocol/audit.h"

#define MSR_MTRR_CAP      0xfeu
#define MSR_MTRR_PHYSBASE 0x200u
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define CAP_FIXED         (UINT64_C(1) << 8)

static struct audit_reset first_state; /* filled once, by audit_remember() */
static const char *first_kind;

static enum audit_handoff handoff_of(const struct guest_entry *entry)
{
    if (entry->mode == GUEST_MODE_REAL)
        return AUDIT_BOOT_SECTOR;
    if (!strcmp(entry->kind, "Linux bzImage"))
        return AUDIT_LINUX32;
    return !strcmp(entry->kind, "multiboot") ? AUDIT_MULTIBOOT : AUDIT_FLAT;
}

void audit_remember(struct vcpu *vcpu, const struct guest_entry *entry)
{
    struct audit_reset *f = &first_state;

    first_kind = entry->kind;
    f->handoff = handoff_of(entry);
    memcpy(f->gpr, vcpu->regs.by_index, sizeof f->gpr);
    f->rip = vcpu->regs.rip;
    f->rflags = vcpu->regs.rflags;
    f->cr0 = vcpu->cr0_wrote;
    f->cr2 = vcpu->cr2;
    f->cr3 = hv_backend->get(vcpu, HV_ST_CR3);
    f->cr4 = vcpu->cr4_wrote;
    f->cr4_real = hv_backend->get(vcpu, HV_ST_CR4);
    f->cr4_forced = hv_backend == &vmx_backend ? rdmsr(0x488) : 0; /* IA32_VMX_CR4_FIXED0 */
    f->efer = vcpu->efer_wrote;
    f->efer_real = hv_backend->get(vcpu, HV_ST_EFER);
    f->dr[0] = read_dr0();
    f->dr[1] = read_dr1();
    f->dr[2] = read_dr2();
    f->dr[3] = read_dr3();
    f->dr6 = vcpu->dr6;
    f->dr7 = hv_backend->get(vcpu, HV_ST_DR7);
    f->xcr0 = vcpu->xcr0;
    f->pat = hv_backend->get(vcpu, HV_ST_PAT);
    f->debugctl = hv_backend->get(vcpu, HV_ST_DEBUGCTL);
    f->sysenter_cs = hv_backend->get(vcpu, HV_ST_SYSENTER_CS);
    f->sysenter_esp = hv_backend->get(vcpu, HV_ST_SYSENTER_ESP);
    f->sysenter_eip = hv_backend->get(vcpu, HV_ST_SYSENTER_EIP);
    f->gdtr_base = hv_backend->get(vcpu, HV_ST_GDTR_BASE);
    f->gdtr_limit = (uint32_t)hv_backend->get(vcpu, HV_ST_GDTR_LIMIT);
    f->idtr_base = hv_backend->get(vcpu, HV_ST_IDTR_BASE);
    f->idtr_limit = (uint32_t)hv_backend->get(vcpu, HV_ST_IDTR_LIMIT);
    for (unsigned i = 0; i < HV_SEG_COUNT; i++) {
        struct hv_segment seg = hv_backend->get_segment(vcpu, (enum hv_seg)i);

        f->segment[i] = (struct record_segment){seg.selector, seg.limit, seg.rights, seg.base};
    }
}

static void put_words(uint32_t words[4], struct cpuid_regs r)
{
    words[AUDIT_EAX] = r.eax;
    words[AUDIT_EBX] = r.ebx;
    words[AUDIT_ECX] = r.ecx;
    words[AUDIT_EDX] = r.edx;
}

static void look_at_cpuid(struct vcpu *vcpu, struct audit_out *out)
{
    const struct explanation *why;
    struct audit_cpuid facts = {
        .cr4_guest = vcpu->cr4_wrote,
        .cr4_allowed = exit_cr4_allowed(),
        .state = &crash_collect(vcpu, &why)->state,
    };

    for (unsigned i = 0; i < AUDIT_LEAF_COUNT; i++) {
        uint32_t leaf, subleaf;

        audit_leaf_number((enum audit_leaf)i, &leaf, &subleaf);
        if (cpuid(leaf & 0x80000000, 0).eax < leaf)
            continue;
        put_words(facts.guest[i], exit_cpuid_shown(vcpu, leaf, subleaf));
        put_words(facts.host[i], cpuid(leaf, subleaf));
    }
    audit_cpuid(&facts, out);
}

/* False: this CPU has no MTRRs. */
static bool read_mtrrs(struct audit_mtrrs *m)
{
    *m = (struct audit_mtrrs){.maxphyaddr_bits = hv_caps.maxphyaddr_bits};
    if (rdmsr_safe(MSR_MTRR_CAP, &m->cap) != 0 || rdmsr_safe(MSR_MTRR_DEF_TYPE, &m->def_type) != 0)
        return false;
    for (unsigned i = 0; m->cap & CAP_FIXED && i < AUDIT_MTRR_FIXED; i++)
        if (rdmsr_safe(audit_fixed_msrs[i], &m->fixed[i]) != 0)
            return false;
    for (unsigned i = 0; i < (m->cap & 0xff) && i < AUDIT_MTRR_VAR_MAX; i++)
        if (rdmsr_safe(MSR_MTRR_PHYSBASE + 2 * i, &m->base[i]) != 0 ||
            rdmsr_safe(MSR_MTRR_PHYSBASE + 2 * i + 1, &m->mask[i]) != 0)
            return false;
    return true;
}

/* What an absent entry leaves out. */
static uint64_t hole_bytes(const struct nested_path *path)
{
    return UINT64_C(1) << (12 + 9 * (path->level[path->level_count - 1].level - 1));
}

/* Every mapped page below the end of memory, in pieces of one type on either side. */
static void look_at_memtype(struct audit_out *out)
{
    struct audit_memtype run = {.out = out, .nested_has_type = hv_backend == &vmx_backend};
    uint64_t end_gpa = nested_mapped_end(), gpa = 0;
    static struct audit_mtrrs mtrrs; /* more than half a KiB */

    if (!read_mtrrs(&mtrrs)) {
        out->line(out->ctx, "this CPU has no MTRRs: everything is write-back");
        return;
    }
    while (gpa < end_gpa) {
        struct nested_path path = nested_walk(gpa);
        uint64_t until_gpa, page_bytes = path.present ? path.page_bytes : hole_bytes(&path);
        uint64_t page_end_gpa = (gpa & ~(page_bytes - 1)) + page_bytes;
        uint8_t type = audit_mtrr_type(&mtrrs, gpa, &until_gpa);

        if (!path.present)
            until_gpa = page_end_gpa; /* ours, emulated, or a device page not used yet */
        else if (until_gpa > page_end_gpa)
            until_gpa = page_end_gpa;
        if (path.present)
            audit_memtype_add(&run, gpa, until_gpa, path.memory_type, type);
        gpa = until_gpa;
    }
    audit_memtype_end(&run);
}

struct to_line {
    crash_line_fn line;
    void *context;
};

static void pass_line(void *ctx, const char *text)
{
    const struct to_line *to = ctx;

    to->line(to->context, text, strlen(text));
}

static void look_at_reset(struct audit_out *out)
{
    char text[100];

    fmt_str(text, sizeof text, "state at the first instruction of the guest (%s, RIP %#lx):",
            first_kind ? first_kind : "none", (unsigned long)first_state.rip);
    out->line(out->ctx, text);
    audit_reset(&first_state, out);
}

bool audit_render(struct vcpu *vcpu, const char *name, size_t name_len, crash_line_fn line,
                  void *context)
{
    struct to_line to = {line, context};
    struct audit_out out = {.line = pass_line, .ctx = &to};

    if (name_len == 5 && !memcmp(name, "cpuid", 5))
        look_at_cpuid(vcpu, &out);
    else if (name_len == 7 && !memcmp(name, "memtype", 7))
        look_at_memtype(&out);
    else if (name_len == 5 && !memcmp(name, "reset", 5))
        look_at_reset(&out);
    else
        return false;
    audit_end(&out);
    return true;
}
