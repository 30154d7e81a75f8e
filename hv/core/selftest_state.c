/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * States for the entry self-test: legal ones for every mode of a guest CPU, and what can be done to
 * them. A guest that gets in leaves at once: the preemption timer stands at 0 (VMX), a virtual
 * interrupt is pending and intercepted (SVM), and its nested page map is empty.
 */
#include "core/selftest_entry.h"

#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "protocol/tables.h"

static struct entry_state base;
static uint64_t random_state;
static bool svm;
static unsigned row_count;
static uint16_t free_rows[SNAPSHOT_ROWS_MAX]; /* rows that may be damaged */
static unsigned free_row_count;
static uint64_t control_must[2], control_may[2]; /* pin and proc2 as the capabilities allow */

void entry_seed(uint64_t seed)
{
    random_state = seed * 2 + 1;
}

/* Multiplicative congruential generator, upper half: good enough to pick cases with. */
uint32_t entry_random(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % below);
}

static uint64_t random64(void)
{
    return (uint64_t)entry_random(UINT32_MAX) << 32 | entry_random(UINT32_MAX);
}

/* One setting of a mode. */
struct setting {
    uint16_t row;
    uint64_t clear, set; /* value = (base & ~clear) | set */
};

#define PUT(name_, value_)                                                                         \
    {                                                                                              \
        VMCS_ROW_##name_, ~UINT64_C(0), value_                                                     \
    }
#define SEG(name_, selector_, base_, limit_, rights_)                                              \
    PUT(guest_##name_##_selector, selector_), PUT(guest_##name_##_base, base_),                    \
        PUT(guest_##name_##_limit, limit_), PUT(guest_##name_##_rights, rights_)
#define FLAT(code_rights_, data_rights_)                                                           \
    SEG(cs, 0x8, 0, 0xffffffff, code_rights_), SEG(ss, 0x10, 0, 0xffffffff, data_rights_),         \
        SEG(ds, 0x10, 0, 0xffffffff, data_rights_), SEG(es, 0x10, 0, 0xffffffff, data_rights_),    \
        SEG(fs, 0x10, 0, 0xffffffff, data_rights_), SEG(gs, 0, 0, 0, 0x10000),                     \
        SEG(tr, 0x18, 0x1000, 0x67, 0x8b), SEG(ldtr, 0x20, 0x2000, 0xffff, 0x82)
#define REAL_SEG(name_, selector_, rights_)                                                        \
    SEG(name_, selector_, (uint64_t)(selector_) << 4, 0xffff, rights_)
#define REAL(rights_, code_rights_)                                                                \
    REAL_SEG(cs, 0x7c0, code_rights_), REAL_SEG(ss, 0x800, rights_), REAL_SEG(ds, 0x7c0, rights_), \
        REAL_SEG(es, 0x900, rights_), REAL_SEG(fs, 0xa00, rights_), REAL_SEG(gs, 0xb00, rights_),  \
        SEG(tr, 0x18, 0x1000, 0xffff, 0x8b), SEG(ldtr, 0, 0, 0, 0x10000)
#define NO_UNRESTRICTED                                                                            \
    {                                                                                              \
        VMCS_ROW_proc2_controls, 1u << 7, 0                                                        \
    }
#define IA32E                                                                                      \
    {                                                                                              \
        VMCS_ROW_entry_controls, 0, 1u << 9                                                        \
    }
#define NOT_IA32E                                                                                  \
    {                                                                                              \
        VMCS_ROW_entry_controls, 1u << 9, 0                                                        \
    }
#define LIST_EFER(value_)                                                                          \
    {                                                                                              \
        SNAPSHOT_ABSENT_ROW, ~UINT64_C(0), value_                                                  \
    }

static const struct setting long64[] = {IA32E,
                                        PUT(guest_cr0, 0x80050033),
                                        PUT(guest_cr4, 0x2020),
                                        PUT(guest_rip, 0xffffffff81000000),
                                        PUT(guest_rflags, 0x202),
                                        FLAT(0xa09b, 0xc093),
                                        LIST_EFER(0xd01)};
static const struct setting compat32[] = {IA32E,
                                          PUT(guest_cr0, 0x80050033),
                                          PUT(guest_cr4, 0x2020),
                                          PUT(guest_rip, 0x400000),
                                          PUT(guest_rflags, 2),
                                          FLAT(0xc09b, 0xc093),
                                          LIST_EFER(0xd01)};
static const struct setting long64_ring3[] = {IA32E,
                                              PUT(guest_cr0, 0x80050033),
                                              PUT(guest_cr4, 0x2020),
                                              PUT(guest_rip, 0x400000),
                                              PUT(guest_rflags, 0x202),
                                              FLAT(0xa0fb, 0xc0f3),
                                              LIST_EFER(0xd01),
                                              PUT(guest_cs_selector, 0x33),
                                              PUT(guest_ss_selector, 0x2b),
                                              PUT(guest_ds_selector, 0x2b),
                                              PUT(guest_es_selector, 0x2b),
                                              PUT(guest_fs_selector, 0x2b)};
static const struct setting pae[] = {NOT_IA32E,
                                     PUT(guest_cr0, 0x80000033),
                                     PUT(guest_cr4, 0x2020),
                                     PUT(guest_rip, 0x400000),
                                     PUT(guest_rflags, 2),
                                     FLAT(0xc09b, 0xc093),
                                     LIST_EFER(0x800),
                                     PUT(guest_pdpte0, 0x5001),
                                     PUT(guest_pdpte1, 0),
                                     PUT(guest_pdpte2, 0x7001),
                                     PUT(guest_pdpte3, 0)};
static const struct setting paging32[] = {NOT_IA32E,
                                          PUT(guest_cr0, 0x80000033),
                                          PUT(guest_cr4, 0x2000),
                                          PUT(guest_rip, 0x400000),
                                          PUT(guest_rflags, 2),
                                          FLAT(0xc09b, 0xc093),
                                          LIST_EFER(0)};
static const struct setting flat32[] = {NOT_IA32E,
                                        PUT(guest_cr0, 0x33),
                                        PUT(guest_cr4, 0x2000),
                                        PUT(guest_rip, 0x400000),
                                        PUT(guest_rflags, 2),
                                        FLAT(0xc09b, 0xc093),
                                        LIST_EFER(0x100)};
static const struct setting real[] = {NOT_IA32E,
                                      PUT(guest_cr0, 0x30),
                                      PUT(guest_cr4, 0x2000),
                                      PUT(guest_rip, 0x100),
                                      PUT(guest_rflags, 2),
                                      REAL(0x93, 0x93),
                                      LIST_EFER(0)};
static const struct setting v86[] = {NOT_IA32E,
                                     PUT(guest_cr0, 0x80000033),
                                     PUT(guest_cr4, 0x2000),
                                     PUT(guest_rip, 0x100),
                                     PUT(guest_rflags, 0x23002),
                                     REAL(0xf3, 0xf3),
                                     LIST_EFER(0)};

static const struct mode {
    const char *name;
    const struct setting *settings;
    unsigned count;
    bool restricted; /* without "unrestricted guest" */
} modes[] = {
#define MODE(name_, restricted_)                                                                   \
    {                                                                                              \
#name_, name_, sizeof(name_) / sizeof(name_[0]), restricted_                               \
    }
    MODE(long64, false), MODE(long64, true),   MODE(compat32, false), MODE(long64_ring3, true),
    MODE(pae, false),    MODE(paging32, true), MODE(flat32, false),   MODE(real, false),
    MODE(v86, true),     MODE(v86, false),
};

#undef PUT
#define PUT(name_, value_)                                                                         \
    {                                                                                              \
        VMCB_ROW_##name_, ~UINT64_C(0), value_                                                     \
    }
static const struct setting svm_long64[] = {
    PUT(guest_cr0, 0x80050033), PUT(guest_cr4, 0x20),
    PUT(guest_efer, 0x1d01),    PUT(guest_rip, 0xffffffff81000000),
    PUT(guest_rflags, 2),       PUT(guest_cs_rights, 0xa9b),
    PUT(guest_cs_selector, 8),  PUT(guest_cs_limit, 0xffffffff),
    PUT(guest_ss_rights, 0xc93)};
static const struct setting svm_paging32[] = {
    PUT(guest_cr0, 0x80050033), PUT(guest_cr4, 0),
    PUT(guest_efer, 0x1000),    PUT(guest_rip, 0x400000),
    PUT(guest_rflags, 2),       PUT(guest_cs_rights, 0xc9b),
    PUT(guest_cs_selector, 8),  PUT(guest_cs_limit, 0xffffffff),
    PUT(guest_ss_rights, 0xc93)};
static const struct setting svm_flat32[] = {
    PUT(guest_cr0, 0x33),       PUT(guest_cr4, 0x20),
    PUT(guest_efer, 0x1100),    PUT(guest_rip, 0x400000),
    PUT(guest_rflags, 0x202),   PUT(guest_cs_rights, 0xc9b),
    PUT(guest_cs_selector, 8),  PUT(guest_cs_limit, 0xffffffff),
    PUT(guest_ss_rights, 0xc93)};
static const struct setting svm_real[] = {
    PUT(guest_cr0, 0x10),          PUT(guest_cr4, 0),           PUT(guest_efer, 0x1000),
    PUT(guest_rip, 0x100),         PUT(guest_rflags, 0x202),    PUT(guest_cs_rights, 0x9b),
    PUT(guest_cs_selector, 0x7c0), PUT(guest_cs_limit, 0xffff), PUT(guest_ss_rights, 0x93)};
static const struct mode svm_modes[] = {MODE(svm_long64, false), MODE(svm_paging32, false),
                                        MODE(svm_flat32, false), MODE(svm_real, false)};

/* Fields that a successful entry or exit would use on the hypervisor's own behalf, to write memory
 * or to come back: tried only where a rule about that very field says that the entry fails. */
static const uint16_t dangerous[] = {
    VMCS_ROW_exit_msr_store_addr,
    VMCS_ROW_exit_msr_store_count,
    VMCS_ROW_exit_msr_load_addr,
    VMCS_ROW_exit_msr_load_count,
    VMCS_ROW_entry_msr_load_addr,
    VMCS_ROW_entry_msr_load_count,
    VMCS_ROW_exit_controls,
    VMCS_ROW_host_cr0,
    VMCS_ROW_host_cr3,
    VMCS_ROW_host_cr4,
    VMCS_ROW_host_rip,
    VMCS_ROW_host_rsp,
    VMCS_ROW_host_gs_base,
    VMCS_ROW_host_tr_base,
    VMCS_ROW_host_gdtr_base,
    VMCS_ROW_host_idtr_base,
    VMCS_ROW_host_cs_selector,
    VMCS_ROW_host_ss_selector,
    VMCS_ROW_host_tr_selector,
    VMCS_ROW_host_pat,
    VMCS_ROW_host_efer,
    VMCS_ROW_host_perf_global_ctrl,
    VMCS_ROW_virtual_apic_addr,
    VMCS_ROW_posted_intr_desc_addr,
    VMCS_ROW_pml_addr,
    VMCS_ROW_ve_info_addr,
    VMCS_ROW_guest_perf_global_ctrl,
};

bool entry_row_is_dangerous(uint16_t row)
{
    for (unsigned i = 0; !svm && i < sizeof(dangerous) / sizeof(dangerous[0]); i++)
        if (dangerous[i] == row)
            return true;
    return false;
}

/* Never touched: what identifies the VMCS, or means nothing to an entry. */
static bool row_is_fixed(uint16_t row)
{
    if (svm)
        return row == VMCB_ROW_nested_cr3 || row == VMCB_ROW_nested_control ||
               row == VMCB_ROW_vintr || row == VMCB_ROW_virt_ext || row == VMCB_ROW_avic_bar ||
               row == VMCB_ROW_clean_bits || row == VMCB_ROW_intercept_misc1;
    return row == VMCS_ROW_preemption_timer_value || row == VMCS_ROW_executive_vmcs;
}

static uint64_t mask_of(uint16_t row)
{
    const struct tl_field *field = &tl_fields(svm ? TL_SVM : TL_VMX, &row_count)[row];

    return field->size_bytes >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << 8 * field->size_bytes) - 1;
}

/* Bit 55 of IA32_VMX_BASIC is demanded at start-up: the TRUE MSRs are there. */
static void read_control_limits(const struct snapshot *caps)
{
    uint64_t pin = 0, proc2 = 0;

    snapshot_cap(caps, 0x48d, &pin);
    snapshot_cap(caps, 0x48b, &proc2);
    control_must[0] = (uint32_t)pin;
    control_may[0] = pin >> 32;
    control_must[1] = (uint32_t)proc2;
    control_may[1] = proc2 >> 32;
}

static void vmx_base(uint64_t empty_root_hpa, uint64_t page_hpa)
{
    uint64_t *v = base.value;

    v[VMCS_ROW_eptp] = (v[VMCS_ROW_eptp] & 0xfff) | empty_root_hpa;
    v[VMCS_ROW_pin_controls] |= control_may[0] & (1u << 6); /* the timer, at 0 */
    v[VMCS_ROW_exit_controls] &= ~(UINT64_C(1) << 22);
    v[VMCS_ROW_preemption_timer_value] = 0;
    v[VMCS_ROW_virtual_apic_addr] = page_hpa;
    v[VMCS_ROW_apic_access_addr] = page_hpa;
    v[VMCS_ROW_guest_cr3] = page_hpa;
    v[VMCS_ROW_host_efer] = rdmsr(MSR_efer); /* for the controls that load them */
    v[VMCS_ROW_host_pat] = rdmsr(MSR_pat);
    v[VMCS_ROW_tsc_multiplier] = UINT64_C(1) << 48;
    v[VMCS_ROW_entry_intr_info] = 0;
    v[VMCS_ROW_guest_pending_debug] = v[VMCS_ROW_guest_interruptibility] = 0;
    base.list.present = true;
    base.list.count = 7;
    for (unsigned i = 0; i < 7; i++) {
        static const uint32_t indices[7] = {0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083,
                                            0xc0000084, 0xc0000102, 0x174};

        base.list.entries[i] = (struct snapshot_msr){indices[i], 0, 0};
    }
    v[VMCS_ROW_entry_msr_load_count] = base.list.count;
    v[VMCS_ROW_entry_msr_load_addr] = page_hpa + PAGE_BYTES;
}

static void svm_base(uint64_t empty_root_hpa)
{
    uint64_t *v = base.value;

    v[VMCB_ROW_nested_cr3] = empty_root_hpa;
    v[VMCB_ROW_event_inject] = 0;
    v[VMCB_ROW_vintr] |= UINT64_C(1) << 8 | UINT64_C(1) << 20; /* V_IRQ, whatever the TPR */
    v[VMCB_ROW_intercept_misc1] |= 1 << 4;                     /* VINTR */
    v[VMCB_ROW_guest_dr7] = 0x400;
    v[VMCB_ROW_guest_idtr_limit] = 0xfff;
}

void entry_base(struct vcpu *vcpu, uint64_t empty_root_hpa, uint64_t page_hpa,
                const struct snapshot *caps)
{
    const struct tl_field *fields;

    svm = hv_backend == &svm_backend;
    fields = tl_fields(svm ? TL_SVM : TL_VMX, &row_count);
    for (unsigned i = 0; i < row_count; i++) {
        base.used[i] = fields[i].writable &&
                       hv_backend->field_read(vcpu, fields[i].number, &base.value[i]) == 0 &&
                       hv_backend->field_write(vcpu, fields[i].number, base.value[i]) == 0;
        if (base.used[i] && !row_is_fixed((uint16_t)i))
            free_rows[free_row_count++] = (uint16_t)i;
    }
    if (svm) {
        svm_base(empty_root_hpa);
    } else {
        read_control_limits(caps);
        vmx_base(empty_root_hpa, page_hpa);
    }
}

static void apply_mode(struct entry_state *state, const struct mode *mode)
{
    *state = base;
    for (unsigned i = 0; i < mode->count; i++) {
        const struct setting *s = &mode->settings[i];

        if (s->row == SNAPSHOT_ABSENT_ROW)
            state->list.entries[0].value = s->set;
        else
            state->value[s->row] = ((state->value[s->row] & ~s->clear) | s->set) & mask_of(s->row);
    }
    if (mode->restricted)
        state->value[VMCS_ROW_proc2_controls] &= ~(UINT64_C(1) << 7);
}

/* The values at which comparisons, widths and canonical checks change their mind. */
static uint64_t damaged(uint64_t value)
{
    static const uint64_t edges[] = {
        0,
        1,
        2,
        3,
        4,
        7,
        0xf,
        0x10,
        0x80,
        0xff,
        0x100,
        0xfff,
        0x1000,
        0xffff,
        0x10000,
        0xfffff,
        0x100000,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        UINT64_C(1) << 32,
        UINT64_C(1) << 39,
        UINT64_C(1) << 40,
        UINT64_C(1) << 46,
        UINT64_C(1) << 47,
        UINT64_C(1) << 48,
        UINT64_C(0xffff800000000000),
        UINT64_C(0xffff7fffffffffff),
        UINT64_C(1) << 63,
        ~UINT64_C(0),
        0x80000020,
        0x80000202,
        0x80000603,
        0x80000b0d,
        0x8000030e,
        0x80000700,
    };

    switch (entry_random(5)) {
    case 0:
        return value ^ UINT64_C(1) << entry_random(64);
    case 1: /* most fields are decided in their lower half */
        return value ^ UINT64_C(1) << entry_random(18);
    case 2:
        return value ^ UINT64_C(1) << entry_random(32) ^ UINT64_C(1) << entry_random(32);
    case 3:
        return edges[entry_random(sizeof(edges) / sizeof(edges[0]))];
    default:
        return random64() >> entry_random(64);
    }
}

/* Controls that switch a rule about another field on: damage of that field alone would mean nothing.
 * `with` is set first, as far as the CPU offers it, `without` cleared; then `row` is damaged. */
struct provocation {
    uint16_t control_row;
    uint32_t with, without;
    uint16_t row;
};
#define NO_ROW SNAPSHOT_ABSENT_ROW
static const struct provocation provocations[] = {
    {VMCS_ROW_proc_controls, 1u << 21, 0, VMCS_ROW_virtual_apic_addr},
    {VMCS_ROW_proc_controls, 1u << 21, 0, VMCS_ROW_tpr_threshold},
    {VMCS_ROW_proc_controls, 1u << 22, 0, VMCS_ROW_pin_controls}, /* NMI window */
    {VMCS_ROW_proc_controls, 1u << 25, 0, VMCS_ROW_io_bitmap_a},
    {VMCS_ROW_proc_controls, 1u << 25, 0, VMCS_ROW_io_bitmap_b},
    {VMCS_ROW_proc_controls, 1u << 28, 0, VMCS_ROW_msr_bitmap},
    {VMCS_ROW_pin_controls, 0, 1u << 3, NO_ROW}, /* virtual NMIs without NMI exiting */
    {VMCS_ROW_pin_controls, 0, 1u << 3 | 1u << 5, VMCS_ROW_proc_controls},
    {VMCS_ROW_pin_controls, 1u << 7, 0, VMCS_ROW_posted_intr_desc_addr},
    {VMCS_ROW_proc2_controls, 1u << 0, 0, VMCS_ROW_apic_access_addr},
    {VMCS_ROW_proc2_controls, 1u << 4, 0, NO_ROW},           /* x2APIC without TPR shadow */
    {VMCS_ROW_proc2_controls, 1u << 0 | 1u << 4, 0, NO_ROW}, /* both */
    {VMCS_ROW_proc2_controls, 1u << 8, 0, NO_ROW},
    {VMCS_ROW_proc2_controls, 1u << 9, 0, NO_ROW},
    {VMCS_ROW_proc2_controls, 1u << 5, 0, VMCS_ROW_vpid},
    {VMCS_ROW_proc2_controls, 0, 1u << 1, NO_ROW}, /* unrestricted guest without EPT */
    {VMCS_ROW_proc2_controls, 1u << 13, 0, VMCS_ROW_vm_function_controls},
    {VMCS_ROW_proc2_controls, 1u << 13, 0, VMCS_ROW_eptp_list_addr},
    {VMCS_ROW_proc2_controls, 1u << 14, 0, VMCS_ROW_vmread_bitmap},
    {VMCS_ROW_proc2_controls, 1u << 14, 0, VMCS_ROW_vmwrite_bitmap},
    {VMCS_ROW_proc2_controls, 1u << 14, 0, VMCS_ROW_guest_link_pointer},
    {VMCS_ROW_proc2_controls, 1u << 17, 0, VMCS_ROW_pml_addr},
    {VMCS_ROW_proc2_controls, 1u << 18, 0, VMCS_ROW_ve_info_addr},
    {VMCS_ROW_proc2_controls, 1u << 25, 0, VMCS_ROW_tsc_multiplier},
    {VMCS_ROW_entry_controls, 1u << 14, 0, VMCS_ROW_guest_pat},
    {VMCS_ROW_entry_controls, 1u << 15, 0, VMCS_ROW_guest_efer},
    {VMCS_ROW_entry_controls, 1u << 2, 0, VMCS_ROW_guest_dr7},
    {VMCS_ROW_entry_controls, 1u << 10 | 1u << 11, 0, NO_ROW},
    {VMCS_ROW_exit_controls, 1u << 19, 0, VMCS_ROW_host_pat},
    {VMCS_ROW_exit_controls, 1u << 21, 0, VMCS_ROW_host_efer},
    {VMCS_ROW_exit_controls, 1u << 22, 0, NO_ROW}, /* save the timer, which then does not run */
};

/* The low and high halves of a capability MSR say which bits must and which may be 1. */
static uint32_t offered(uint16_t control_row)
{
    static const struct {
        uint16_t row;
        uint32_t msr;
    } caps[] = {{VMCS_ROW_pin_controls, 0x48d},
                {VMCS_ROW_proc_controls, 0x48e},
                {VMCS_ROW_proc2_controls, 0x48b},
                {VMCS_ROW_exit_controls, 0x48f},
                {VMCS_ROW_entry_controls, 0x490}};
    uint64_t value;

    for (unsigned i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
        if (caps[i].row == control_row && rdmsr_safe(caps[i].msr, &value) == 0)
            return (uint32_t)(value >> 32);
    return 0;
}

/* False: the CPU does not offer the control, nothing was changed. */
static bool provoke(struct entry_state *state, struct entry_case *c)
{
    const struct provocation *p =
        &provocations[entry_random(sizeof(provocations) / sizeof(provocations[0]))];
    uint64_t *control = &state->value[p->control_row];

    if ((offered(p->control_row) & p->with) != p->with || (p->row != NO_ROW && !base.used[p->row]))
        return false;
    *control = (*control | p->with) & ~(uint64_t)p->without;
    c->change[c->count++] = (struct entry_change){p->control_row, 0, *control};
    if (p->with == 1u << 22 && p->control_row == VMCS_ROW_exit_controls)
        state->value[VMCS_ROW_pin_controls] &= ~UINT64_C(0x40);
    if (p->control_row == VMCS_ROW_exit_controls)
        c->count--; /* loading what the host has anyway is no danger; the field below may be one */
    if (p->row != NO_ROW) {
        state->value[p->row] =
            entry_random(6) ? damaged(state->value[p->row]) & mask_of(p->row) : 0;
        c->change[c->count++] = (struct entry_change){p->row, 0, state->value[p->row]};
    }
    return true;
}

/* States that only fields of the guest's non-register state make together, an event, a block, an
 * activity: too rare to be met by chance. */
static const struct entry_change combinations[][ENTRY_CHANGES_MAX] = {
#define EVENT(value_)                                                                              \
    {                                                                                              \
        VMCS_ROW_entry_intr_info, 0, value_                                                        \
    }
#define BLOCK(value_)                                                                              \
    {                                                                                              \
        VMCS_ROW_guest_interruptibility, 0, value_                                                 \
    }
#define ACTIVE(value_)                                                                             \
    {                                                                                              \
        VMCS_ROW_guest_activity, 0, value_                                                         \
    }
#define RFLAGS(value_)                                                                             \
    {                                                                                              \
        VMCS_ROW_guest_rflags, 0, value_                                                           \
    }
#define DEBUG(value_)                                                                              \
    {                                                                                              \
        VMCS_ROW_guest_pending_debug, 0, value_                                                    \
    }
#define NOTHING                                                                                    \
    {                                                                                              \
        NO_ROW, 0, 0                                                                               \
    }
    {EVENT(0x80000b0d), {VMCS_ROW_entry_error_code, 0, 0x18000}, NOTHING},
    {EVENT(0x80000205), NOTHING, NOTHING}, /* an NMI that is not vector 2 */
    {EVENT(0x80000325), NOTHING, NOTHING}, /* an exception above 31 */
    {EVENT(0x80000020), BLOCK(1), RFLAGS(0x202)},
    {EVENT(0x80000020), BLOCK(2), RFLAGS(0x202)},
    {EVENT(0x80000202), BLOCK(1), RFLAGS(0x202)},
    {EVENT(0x80000202), BLOCK(2), NOTHING},
    {EVENT(0x80000202), BLOCK(8), NOTHING},
    {ACTIVE(1), {VMCS_ROW_guest_ss_rights, 0, 0xc0f3}, {VMCS_ROW_guest_ss_selector, 0, 0x2b}},
    {ACTIVE(1), NOTHING, NOTHING},
    {ACTIVE(1), BLOCK(1), RFLAGS(0x202)},
    {ACTIVE(1), BLOCK(2), NOTHING},
    {ACTIVE(1), EVENT(0x80000306), NOTHING},
    {ACTIVE(1), EVENT(0x80000020), RFLAGS(0x202)},
    {ACTIVE(2), EVENT(0x80000020), RFLAGS(0x202)},
    {ACTIVE(2), EVENT(0x80000202), NOTHING},
    {BLOCK(1), RFLAGS(0x302), DEBUG(0)},
    {BLOCK(1), RFLAGS(0x202), DEBUG(0x4000)},
    {ACTIVE(1), RFLAGS(0x302), DEBUG(0)},
    {ACTIVE(1), RFLAGS(0x202), DEBUG(0x4000)},
#undef EVENT
#undef BLOCK
#undef ACTIVE
#undef RFLAGS
#undef DEBUG
#undef NOTHING
};

static void combine(struct entry_state *state, struct entry_case *c)
{
    const struct entry_change *changes =
        combinations[entry_random(sizeof(combinations) / sizeof(combinations[0]))];

    for (unsigned i = 0; i < ENTRY_CHANGES_MAX; i++) {
        if (changes[i].row == NO_ROW)
            continue;
        state->value[changes[i].row] = changes[i].value;
        c->change[c->count++] = changes[i];
    }
}

static struct entry_change change_list(struct entry_state *state)
{
    static const uint32_t indices[] = {0xc0000080, 0xc0000100, 0xc0000101, 0x800,      0x830, 0x9b,
                                       0x79,       0x175,      0x176,      0xc0000082, 0x277};
    struct entry_change c = {SNAPSHOT_ABSENT_ROW, (uint8_t)entry_random(state->list.count), 0};
    struct snapshot_msr *msr = &state->list.entries[c.list_entry];

    if (entry_random(3) == 0)
        *msr = (struct snapshot_msr){indices[entry_random(sizeof(indices) / sizeof(indices[0]))], 0,
                                     entry_random(2) ? msr->value : damaged(msr->value)};
    else if (entry_random(4) == 0)
        msr->reserved = 1u << entry_random(32);
    else
        msr->value = damaged(msr->value);
    c.value = msr->value;
    return c;
}

/* Sometimes an event is injected on top, so that the rules about injection see legal ones too. */
static void maybe_inject(struct entry_state *state)
{
    static const uint32_t events[] = {0x80000020, 0x80000202, 0x80000306, 0x80000b0d,
                                      0x80000480, 0x80000603, 0x80000501};
    uint16_t row = svm ? VMCB_ROW_event_inject : VMCS_ROW_entry_intr_info;

    if (entry_random(8))
        return;
    state->value[row] = events[entry_random(sizeof(events) / sizeof(events[0]))];
    if (!svm)
        state->value[VMCS_ROW_entry_instr_len] = 1;
}

struct entry_case entry_make(struct entry_state *state, uint32_t step)
{
    const struct mode *mode = svm ? &svm_modes[step % (sizeof(svm_modes) / sizeof(svm_modes[0]))]
                                  : &modes[step % (sizeof(modes) / sizeof(modes[0]))];
    struct entry_case c = {.mode = mode->name};

    apply_mode(state, mode);
    maybe_inject(state);
    if (!svm && entry_random(5) == 0 && provoke(state, &c))
        return c;
    if (!svm && entry_random(12) == 0) {
        combine(state, &c);
        return c;
    }
    if (svm && entry_random(100) == 0) { /* beyond any physical address, so that it leads nowhere */
        state->value[VMCB_ROW_nested_cr3] |= UINT64_C(1) << (52 + entry_random(12));
        c.change[c.count++] =
            (struct entry_change){VMCB_ROW_nested_cr3, 0, state->value[VMCB_ROW_nested_cr3]};
        return c;
    }
    c.count = 1 + entry_random(ENTRY_CHANGES_MAX);
    for (unsigned i = 0; i < c.count; i++) {
        uint16_t row;

        if (!svm && entry_random(12) == 0) {
            c.change[i] = change_list(state);
            continue;
        }
        row = free_rows[entry_random(free_row_count)];
        state->value[row] = damaged(state->value[row]) & mask_of(row);
        c.change[i] = (struct entry_change){row, 0, state->value[row]};
    }
    if (svm) /* a guest without nested paging would run in our own memory */
        state->value[VMCB_ROW_nested_control] |= 1;
    return c;
}

/* QEMU 7.2 comes back with its own paging off from a guest with EFER.LME=1 but neither paging nor PAE,
 * and from refusing it; Bochs 2.7 panics over an IA-32e guest in real mode, which it does not refuse. */
bool entry_is_deadly(const struct entry_state *state)
{
    const uint64_t *v = state->value;

    if (svm && !strcmp(hv_caps.platform, "bochs")) /* its change_cpu_mode panics */
        return (v[VMCB_ROW_guest_efer] & EFER_LME) && (v[VMCB_ROW_guest_cr0] & CR0_PG) &&
               !(v[VMCB_ROW_guest_cr0] & CR0_PE);
    if (svm)
        return !(v[VMCB_ROW_guest_cr0] & CR0_PG) && !(v[VMCB_ROW_guest_cr4] & CR4_PAE) &&
               (v[VMCB_ROW_guest_efer] & EFER_LME) && !strcmp(hv_caps.platform, "qemu-tcg");
    if (strcmp(hv_caps.platform, "bochs"))
        return false;
    /* "unsupported event injection type 7": a pending MTF exit, on a model without that flag, which
     * it should refuse */
    if (v[VMCS_ROW_entry_intr_info] >> 31 & 1 && (v[VMCS_ROW_entry_intr_info] >> 8 & 7) == 7)
        return true;
    return (v[VMCS_ROW_entry_controls] >> 9 & 1) && !(v[VMCS_ROW_guest_cr0] & CR0_PE);
}

bool entry_is_safe(const struct entry_state *state)
{
    /* QEMU 7.2 does not apply the nested map while the guest's paging is off: the guest would run in
     * our own memory, unless the virtual interrupt takes it out before its first instruction */
    if (svm)
        return (state->value[VMCB_ROW_guest_cr0] & CR0_PG) ||
               ((state->value[VMCB_ROW_guest_rflags] & RFLAGS_IF) &&
                !(state->value[VMCB_ROW_event_inject] >> 31 & 1));
    /* no timer: nothing takes the guest out; wait-for-SIPI: not even the timer does */
    if (!(state->value[VMCS_ROW_pin_controls] >> 6 & 1) && (control_may[0] >> 6 & 1))
        return false;
    /* nor does it on Bochs 2.7 in HLT and shutdown: the CPU stands still for ever */
    if (state->value[VMCS_ROW_guest_activity] && !strcmp(hv_caps.platform, "bochs"))
        return false;
    /* without EPT the guest's paging would walk our own memory */
    return (state->value[VMCS_ROW_proc2_controls] >> 1 & 1) &&
           state->value[VMCS_ROW_proc_controls] >> 31 && state->value[VMCS_ROW_guest_activity] != 3;
}
