/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The legal states of the entry self-test: one for every mode of a guest CPU, as settings on top of
 * the base that selftest_state.c read. What is done to them is selftest_damage.c's.
 */
#include "core/selftest_state.h"

#include "lib/mem.h"
#include "protocol/tables.h"

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

const char *entry_apply_mode(struct entry_state *state, uint32_t step)
{
    const struct mode *mode = entry_on_svm()
                                  ? &svm_modes[step % (sizeof(svm_modes) / sizeof(svm_modes[0]))]
                                  : &modes[step % (sizeof(modes) / sizeof(modes[0]))];

    *state = *entry_base_state();
    for (unsigned i = 0; i < mode->count; i++) {
        const struct setting *s = &mode->settings[i];

        if (s->row == SNAPSHOT_ABSENT_ROW)
            state->list.entries[0].value = s->set;
        else
            state->value[s->row] =
                ((state->value[s->row] & ~s->clear) | s->set) & entry_mask(s->row);
    }
    if (mode->restricted)
        state->value[VMCS_ROW_proc2_controls] &= ~(UINT64_C(1) << 7);
    return mode->name;
}
