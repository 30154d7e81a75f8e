/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the entry self-test does to a legal state: single fields bent at the values where rules change
 * their mind, controls switched on that make a rule about another field speak, and combinations of
 * the non-register state that chance would not meet. Repeatable from the seed.
 */
#include "core/selftest_state.h"

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "protocol/tables.h"

static uint64_t random_state;

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

    for (unsigned i = 0; i < (sizeof(caps) / sizeof(caps[0])); i++)
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

    if ((offered(p->control_row) & p->with) != p->with ||
        (p->row != NO_ROW && !entry_base_state()->used[p->row]))
        return false;
    *control = (*control | p->with) & ~(uint64_t)p->without;
    c->change[c->count++] = (struct entry_change){p->control_row, 0, *control};
    if (p->with == 1u << 22 && p->control_row == VMCS_ROW_exit_controls)
        state->value[VMCS_ROW_pin_controls] &= ~UINT64_C(0x40);
    if (p->control_row == VMCS_ROW_exit_controls)
        c->count--; /* loading what the host has anyway is no danger; the field below may be one */
    if (p->row != NO_ROW) {
        state->value[p->row] =
            entry_random(6) ? damaged(state->value[p->row]) & entry_mask(p->row) : 0;
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
    const bool svm = entry_on_svm();
    uint16_t row = svm ? VMCB_ROW_event_inject : VMCS_ROW_entry_intr_info;

    if (entry_random(8))
        return;
    state->value[row] = events[entry_random(sizeof(events) / sizeof(events[0]))];
    if (!svm)
        state->value[VMCS_ROW_entry_instr_len] = 1;
}

struct entry_case entry_make(struct entry_state *state, uint32_t step)
{
    const bool svm = entry_on_svm();
    struct entry_case c = {.mode = entry_apply_mode(state, step)};

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
        row = entry_free_row();
        state->value[row] = damaged(state->value[row]) & entry_mask(row);
        c.change[i] = (struct entry_change){row, 0, state->value[row]};
    }
    if (svm) /* a guest without nested paging would run in our own memory */
        state->value[VMCB_ROW_nested_control] |= 1;
    return c;
}
