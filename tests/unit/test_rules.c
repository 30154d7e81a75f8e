/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VM-entry rules: a legal 64-bit Linux-like state breaks none; each row of the table below breaks
 * exactly the rule it names; missing values are "cannot tell". The differential self-test against
 * the CPUs of Bochs and QEMU is hv/core/selftest.c; this is the fast half.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/rules.h"

#define R(name_)         VMCS_ROW_##name_
#define S(name_, value_) snapshot_set(s, R(name_), value_)

static void segment(struct snapshot *s, uint16_t selector_row, uint16_t base_row,
                    uint16_t limit_row, uint16_t rights_row, uint64_t selector, uint64_t limit,
                    uint64_t rights)
{
    snapshot_set(s, selector_row, selector);
    snapshot_set(s, base_row, 0);
    snapshot_set(s, limit_row, limit);
    snapshot_set(s, rights_row, rights);
}

#define SEGMENT(name_, selector_, limit_, rights_)                                                 \
    segment(s, R(guest_##name_##_selector), R(guest_##name_##_base), R(guest_##name_##_limit),     \
            R(guest_##name_##_rights), selector_, limit_, rights_)

static void vmx_caps(struct snapshot *s)
{
    snapshot_set_cap(s, 0x480, UINT64_C(0x00da04000000002b) | UINT64_C(1) << 55);
    snapshot_set_cap(s, 0x48d, UINT64_C(0x000000ff00000016));
    snapshot_set_cap(s, 0x48e, UINT64_C(0xfff9fffe04006172));
    snapshot_set_cap(s, 0x48f, UINT64_C(0x01ffffff00036dfb));
    snapshot_set_cap(s, 0x490, UINT64_C(0x0003ffff000011fb));
    snapshot_set_cap(s, 0x48b, UINT64_C(0x0005ffff00000000));
    snapshot_set_cap(s, 0x485, 0x401c0);
    snapshot_set_cap(s, 0x486, 0x80000021);
    snapshot_set_cap(s, 0x487, 0xffffffff);
    snapshot_set_cap(s, 0x488, 0x2000);
    snapshot_set_cap(s, 0x489, 0x1767ff);
    snapshot_set_cap(s, 0x48c, UINT64_C(0xf0106734141));
    snapshot_set_cap(s, 0x491, 1);
}

/* Every field 0, then what a 64-bit guest of a 64-bit host holds. */
static void legal_vmx(struct snapshot *s)
{
    snapshot_clear(s, false);
    for (uint16_t row = 0; row < VMCS_ROW_COUNT; row++)
        snapshot_set(s, row, 0);
    vmx_caps(s);
    s->maxphyaddr_bits = 40;
    s->linear_bits = 48;
    s->host_mode_known = s->host_long_mode = true;
    S(pin_controls, 0x3e);
    S(proc_controls, 0xb4006172);
    S(proc2_controls, 0xa2);
    S(exit_controls, 0x36ffb);
    S(entry_controls, 0x13ff);
    S(vpid, 1);
    S(eptp, 0x100001e);
    S(host_cr0, 0x80050033);
    S(host_cr4, 0x2020);
    S(host_cs_selector, 8);
    S(host_tr_selector, 0x18);
    S(host_rip, 0xffffffff80001000);
    S(guest_cr0, 0x80050033);
    S(guest_cr4, 0x2020);
    S(guest_rflags, 2);
    S(guest_cr3, 0x1000);
    S(guest_rip, 0xffffffff81000000);
    S(guest_dr7, 0x400);
    S(guest_link_pointer, ~UINT64_C(0));
    SEGMENT(cs, 0x10, 0xffffffff, 0xa09b);
    SEGMENT(ss, 0x18, 0xffffffff, 0xc093);
    SEGMENT(ds, 0x18, 0xffffffff, 0xc093);
    SEGMENT(es, 0x18, 0xffffffff, 0xc093);
    SEGMENT(fs, 0, 0, 0x10000);
    SEGMENT(gs, 0, 0, 0x10000);
    SEGMENT(ldtr, 0, 0, 0x10000);
    SEGMENT(tr, 0x40, 0x206f, 0x8b);
}

static struct rule_finding findings[RULES_FINDINGS_MAX];
static unsigned count;

static unsigned judge(const struct snapshot *s)
{
    struct rules_count result = rules_run(s, findings, RULES_FINDINGS_MAX, NULL);

    count = result.stored;
    return result.violated;
}

static bool found(const char *id)
{
    for (unsigned i = 0; i < count; i++)
        if (!findings[i].cannot_tell && !strcmp(findings[i].rule->id, id))
            return true;
    return false;
}

static void legal_states_break_nothing(void **state)
{
    struct snapshot s;
    char line[500];

    (void)state;
    legal_vmx(&s);
    if (judge(&s) || count) {
        rule_finding_format(&findings[0], false, line, sizeof(line));
        fail_msg("%s", line);
    }
    assert_int_equal(rules_outcome(findings, count).result, RULES_ENTERS);
}

static void each_change_breaks_its_rule(void **state)
{
    static const struct {
        uint16_t row;
        uint64_t value;
        const char *id;
        enum rules_result result;
    } rows[] = {
        {R(pin_controls), 0, "ctl.pin.reserved", RULES_VMFAIL_CONTROLS},
        {R(proc_controls), 0xb4006172 | 1u << 18, "ctl.proc.reserved", RULES_VMFAIL_CONTROLS},
        {R(proc2_controls), 0xa2 | 1u << 30, "ctl.proc2.reserved", RULES_VMFAIL_CONTROLS},
        {R(proc2_controls), 0x80, "ctl.unrestricted-ept", RULES_VMFAIL_CONTROLS},
        {R(pin_controls), 0x36, "ctl.virtual-nmis", RULES_VMFAIL_CONTROLS},
        {R(cr3_target_count), 5, "ctl.cr3-targets", RULES_VMFAIL_CONTROLS},
        {R(msr_bitmap), 0x10, "ctl.msr-bitmap", RULES_VMFAIL_CONTROLS},
        {R(vpid), 0, "ctl.vpid", RULES_VMFAIL_CONTROLS},
        {R(eptp), 0x100001d, "ctl.eptp", RULES_VMFAIL_CONTROLS},
        {R(exit_controls), 0, "ctl.exit.reserved", RULES_VMFAIL_CONTROLS},
        {R(entry_intr_info), 0x80000100, "ctl.inject.type", RULES_VMFAIL_CONTROLS},
        {R(entry_intr_info), 0x80000203, "ctl.inject.vector", RULES_VMFAIL_CONTROLS},
        {R(entry_intr_info), 0x8000030d, "ctl.inject.deliver-error", RULES_VMFAIL_CONTROLS},
        {R(entry_intr_info), 0x80001b0d, "ctl.inject.reserved", RULES_VMFAIL_CONTROLS},
        {R(entry_intr_info), 0x80000603, "ctl.inject.length", RULES_VMFAIL_CONTROLS},
        {R(host_cr0), 0x80050013, "host.cr0.fixed", RULES_VMFAIL_HOST},
        {R(host_es_selector), 0x2b, "host.es.selector", RULES_VMFAIL_HOST},
        {R(host_tr_selector), 0, "host.tr.selector", RULES_VMFAIL_HOST},
        {R(host_gs_base), UINT64_C(1) << 47, "host.gs.base", RULES_VMFAIL_HOST},
        {R(host_cr4), 0x2000, "host.address-space.64", RULES_VMFAIL_HOST},
        {R(guest_cr0), 0x80000001, "guest.cr0.fixed", RULES_FAIL_GUEST},
        {R(guest_cr4), 0x20, "guest.cr4.fixed", RULES_FAIL_GUEST},
        {R(guest_cr4), 0x2000, "guest.ia32e.paging", RULES_FAIL_GUEST},
        {R(guest_cr3), UINT64_C(1) << 63, "guest.cr3.width", RULES_FAIL_GUEST},
        {R(guest_dr7), UINT64_C(1) << 32, "guest.dr7", RULES_FAIL_GUEST},
        {R(guest_tr_rights), 0x83, "guest.tr.type", RULES_FAIL_GUEST},
        {R(guest_tr_rights), 0x1008b, "guest.tr.rights", RULES_FAIL_GUEST},
        {R(guest_cs_rights), 0xe09b, "guest.cs.db", RULES_FAIL_GUEST},
        {R(guest_ss_rights), 0xc091, "guest.ss.type", RULES_FAIL_GUEST},
        {R(guest_ds_rights), 0xc092, "guest.data.type", RULES_FAIL_GUEST},
        {R(guest_ds_limit), 0xffff0000, "guest.seg.granularity", RULES_FAIL_GUEST},
        {R(guest_gdtr_base), UINT64_C(1) << 50, "guest.gdtr.base", RULES_FAIL_GUEST},
        {R(guest_idtr_limit), 0x10000, "guest.idtr.limit", RULES_FAIL_GUEST},
        {R(guest_rip), UINT64_C(1) << 50, "guest.rip", RULES_FAIL_GUEST},
        {R(guest_rflags), 0, "guest.rflags.reserved", RULES_FAIL_GUEST},
        {R(guest_rflags), 2 | 1 << 17, "guest.rflags.vm", RULES_FAIL_GUEST},
        {R(entry_intr_info), 0x80000020, "guest.rflags.if", RULES_FAIL_GUEST},
        {R(guest_activity), 4, "guest.activity.value", RULES_FAIL_GUEST},
        {R(guest_interruptibility), 1, "guest.interruptibility.sti-if", RULES_FAIL_GUEST},
        {R(guest_interruptibility), 4, "guest.interruptibility.smi", RULES_FAIL_GUEST},
        {R(guest_pending_debug), 0x10, "guest.pending-debug.reserved", RULES_FAIL_GUEST},
        {R(guest_link_pointer), 0x123, "guest.link-pointer", RULES_FAIL_GUEST},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct snapshot s;

        legal_vmx(&s);
        snapshot_set(&s, rows[i].row, rows[i].value);
        judge(&s);
        if (!found(rows[i].id))
            fail_msg("row %zu: %s did not fire", i, rows[i].id);
        assert_int_equal(rules_outcome(findings, count).result, rows[i].result);
    }
}

static void seed_ladder(void **state)
{
    struct snapshot s;
    char line[500];

    (void)state;
    /* stage 0: NE lost */
    legal_vmx(&s);
    snapshot_set(&s, R(guest_cr0), 0x80000001);
    assert_int_equal(judge(&s), 1);
    rule_finding_format(&findings[0], false, line, sizeof(line));
    assert_non_null(strstr(line, "guest_cr0 = 0x80000001; must be 1: NE (0x20)"));
    assert_non_null(strstr(line, "Checks on Guest Control Registers"));
    /* stage 2: EFER.LME = 1 in the list, IA-32e mode guest 0, CR0.PG = 1 */
    legal_vmx(&s);
    snapshot_set(&s, R(entry_controls), 0x11ff);
    snapshot_set(&s, R(guest_cs_rights), 0xc09b);
    snapshot_set(&s, R(guest_rip), 0x1000146);
    snapshot_set(&s, R(entry_msr_load_count), 1);
    s.entry_load = (struct snapshot_list){true, 1, {{0xc0000080, 0, 0x100}}};
    assert_int_equal(judge(&s), 1);
    assert_int_equal(rules_outcome(findings, count).result, RULES_FAIL_MSR);
    assert_int_equal(rules_outcome(findings, count).detail, 1);
    rule_finding_format(&findings[0], false, line, sizeof(line));
    assert_non_null(strstr(line, "entry 1 is IA32_EFER"));
    assert_non_null(strstr(line, "LME would change while CR0.PG=1; IA-32e mode guest is 0"));
}

static void pdptes_are_qualification_2(void **state)
{
    struct snapshot s;

    (void)state;
    legal_vmx(&s);
    snapshot_set(&s, R(entry_controls), 0x11ff);
    snapshot_set(&s, R(guest_cs_rights), 0xc09b);
    snapshot_set(&s, R(guest_rip), 0x1000);
    assert_int_equal(judge(&s), 0);
    snapshot_set(&s, R(guest_pdpte2), 0x1003);
    assert_int_equal(judge(&s), 1);
    assert_int_equal(rules_outcome(findings, count).detail, 2);
}

/* The recipe of tests/README.md, "A new rule", on the rule it was tried with. */
static void tpr_threshold_against_the_page(void **state)
{
    struct snapshot s;

    (void)state;
    legal_vmx(&s);
    snapshot_set(&s, R(proc_controls), s.field[R(proc_controls)] | 1u << 21);
    snapshot_set(&s, R(virtual_apic_addr), 0x5000);
    snapshot_set(&s, R(tpr_threshold), 3);
    assert_int_equal(judge(&s), 0);
    assert_true(count == 1 && findings[0].cannot_tell); /* the page was not looked at */
    s.vtpr_known = true;
    s.vtpr = 0x20;
    assert_int_equal(judge(&s), 1);
    assert_string_equal(findings[0].rule->id, "ctl.tpr-threshold.vtpr");
    s.vtpr = 0x30;
    assert_int_equal(judge(&s), 0);
    assert_int_equal(count, 0);
}

static void missing_values_are_not_fine(void **state)
{
    struct snapshot s;
    bool told = false;

    (void)state;
    legal_vmx(&s);
    s.caps_count = 0;
    s.present[R(guest_cr4) / 64] &= ~(UINT64_C(1) << (R(guest_cr4) % 64));
    judge(&s);
    assert_true(count > 5);
    for (unsigned i = 0; i < count; i++) {
        assert_true(findings[i].cannot_tell);
        told |= findings[i].row == R(guest_cr4);
    }
    assert_true(told);
    assert_int_equal(rules_outcome(findings, count).result, RULES_ENTERS);
}

static void findings_never_overrun(void **state)
{
    struct snapshot s;
    struct rule_finding two[2];
    struct rules_count result;

    (void)state;
    legal_vmx(&s);
    for (uint16_t row = R(guest_es_limit); row <= R(guest_tr_rights); row++)
        snapshot_set(&s, row, 0xfffffffe);
    result = rules_run(&s, two, 2, NULL);
    assert_int_equal(result.stored, 2);
    assert_true(result.violated > 2);
}

#define V(name_, value_) snapshot_set(s, VMCB_ROW_##name_, value_)

static void legal_svm(struct snapshot *s)
{
    snapshot_clear(s, true);
    for (uint16_t row = 0; row < VMCB_ROW_COUNT; row++)
        snapshot_set(s, row, 0);
    s->maxphyaddr_bits = 40;
    V(intercept_misc2, 1);
    V(asid, 1);
    V(nested_control, 1);
    V(nested_cr3, 0x1000000);
    V(guest_efer, 0x1d01);
    V(guest_cr0, 0x80050033);
    V(guest_cr4, 0x20);
    V(guest_cs_rights, 0xa9b);
    V(guest_dr6, 0xffff0ff0);
    V(guest_dr7, 0x400);
    V(guest_pat, 0x0007040600070406);
    V(iopm_base, 0x2000000);
    V(msrpm_base, 0x2004000);
}

static void svm_rules(void **state)
{
    static const struct {
        uint16_t row;
        uint64_t value;
        const char *id;
    } rows[] = {
        {VMCB_ROW_guest_efer, 0xd01, "svm.efer.svme"},
        {VMCB_ROW_guest_cr0, 0xa0050033, "svm.cr0.nw-cd"},
        {VMCB_ROW_guest_cr0, UINT64_C(0x180050033), "svm.cr0.high"},
        {VMCB_ROW_guest_cr3, UINT64_C(1) << 60, "svm.cr3.reserved"},
        {VMCB_ROW_guest_cr4, 0x20 | 1u << 13, "svm.cr4.reserved"},
        {VMCB_ROW_guest_cr4, 0, "svm.efer.lme-pae"},
        {VMCB_ROW_guest_cr0, 0x80050032, "svm.efer.lme-pe"},
        {VMCB_ROW_guest_dr6, UINT64_C(1) << 32, "svm.dr6.high"},
        {VMCB_ROW_guest_dr7, UINT64_C(1) << 32, "svm.dr7.high"},
        {VMCB_ROW_guest_efer, 0x1d03, "svm.efer.reserved"},
        {VMCB_ROW_guest_cs_rights, 0xe9b, "svm.cs.l-d"},
        {VMCB_ROW_intercept_misc2, 0, "svm.intercept.vmrun"},
        {VMCB_ROW_asid, 0, "svm.asid"},
        {VMCB_ROW_iopm_base, UINT64_C(1) << 50, "svm.iopm"},
        {VMCB_ROW_msrpm_base, UINT64_C(1) << 50, "svm.msrpm"},
        {VMCB_ROW_nested_cr3, UINT64_C(1) << 50, "svm.ncr3"},
        {VMCB_ROW_guest_pat, 2, "svm.pat"},
        {VMCB_ROW_event_inject, 0x80000520, "svm.inject.type"},
        {VMCB_ROW_event_inject, 0x80000320, "svm.inject.vector"},
    };
    struct snapshot s;

    (void)state;
    legal_svm(&s);
    assert_int_equal(judge(&s), 0);
    assert_int_equal(count, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        legal_svm(&s);
        snapshot_set(&s, rows[i].row, rows[i].value);
        judge(&s);
        if (!found(rows[i].id))
            fail_msg("row %zu: %s did not fire", i, rows[i].id);
        assert_int_equal(rules_outcome(findings, count).result, RULES_VMRUN_INVALID);
    }
}

static void ids_are_unique(void **state)
{
    (void)state;
    for (unsigned i = 0; i < rules_vmx_count; i++)
        for (unsigned j = i + 1; j < rules_vmx_count; j++)
            assert_string_not_equal(rules_vmx[i].id, rules_vmx[j].id);
    assert_true(rules_vmx_count <= 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legal_states_break_nothing),
        cmocka_unit_test(each_change_breaks_its_rule),
        cmocka_unit_test(seed_ladder),
        cmocka_unit_test(pdptes_are_qualification_2),
        cmocka_unit_test(tpr_threshold_against_the_page),
        cmocka_unit_test(missing_values_are_not_fine),
        cmocka_unit_test(findings_never_overrun),
        cmocka_unit_test(svm_rules),
        cmocka_unit_test(ids_are_unique),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
