/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The judges of `audit`: nothing found in facts that agree, and the one line for each that does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/audit.h"

static char text[8000];
static struct audit_out out;

static void line(void *ctx, const char *words)
{
    (void)ctx;
    assert_true(strlen(words) < AUDIT_LINE_MAX);
    strcat(strcat(text, words), "\n");
}

static void begin(void)
{
    text[0] = '\0';
    out = (struct audit_out){.line = line};
}

static void found(unsigned count, const char *words)
{
    if (out.found != count || (words && !strstr(text, words)))
        fail_msg("wanted %u and \"%s\", got %u:\n%s", count, words ? words : "", out.found, text);
}

/* ---- CPUID ---- */

static struct audit_cpuid cpuid_facts;
static struct snapshot state;

static void agree(void)
{
    begin();
    snapshot_clear(&state, false);
    snapshot_set(&state, VMCS_ROW_proc_controls, UINT64_C(1) << 31);
    snapshot_set(&state, VMCS_ROW_proc2_controls, 1u << 3 | 1u << 12 | 1u << 20);
    snapshot_set_cap(&state, 0x48b, UINT64_C(0x0015ffff00000000));
    cpuid_facts = (struct audit_cpuid){.state = &state, .cr4_allowed = 1u << 5 | 1u << 18};
    cpuid_facts.guest[AUDIT_LEAF_1][AUDIT_EDX] = 1u << 6;   /* PAE */
    cpuid_facts.guest[AUDIT_LEAF_1][AUDIT_ECX] = 1u << 26;  /* XSAVE */
    cpuid_facts.guest[AUDIT_LEAF_7][AUDIT_EBX] = 1u << 10;  /* INVPCID */
    cpuid_facts.guest[AUDIT_LEAF_D1][AUDIT_EAX] = 1u << 3;  /* XSAVES */
    cpuid_facts.guest[AUDIT_LEAF_X1][AUDIT_EDX] = 1u << 27; /* RDTSCP */
    memcpy(cpuid_facts.host, cpuid_facts.guest, sizeof(cpuid_facts.host));
}

static void test_cpuid_agrees(void **unused)
{
    (void)unused;
    agree();
    audit_cpuid(&cpuid_facts, &out);
    found(0, NULL);
    assert_true(out.checked > 20);
}

static void test_cpuid_controls(void **unused)
{
    static const struct {
        unsigned bit;
        const char *words;
    } rows[] = {{3, "shows RDTSCP"}, {12, "shows INVPCID"}, {20, "shows XSAVES"}};

    (void)unused;
    for (unsigned i = 0; i < 3; i++) {
        agree();
        state.field[VMCS_ROW_proc2_controls] &= ~(UINT64_C(1) << rows[i].bit);
        audit_cpuid(&cpuid_facts, &out);
        found(1, rows[i].words);
    }
    agree(); /* secondary controls that are not activated are all 0 */
    state.field[VMCS_ROW_proc_controls] = 0;
    audit_cpuid(&cpuid_facts, &out);
    found(3, "enable INVPCID");
    agree();
    state.field[VMCS_ROW_proc2_controls] |= 1u << 17;
    audit_cpuid(&cpuid_facts, &out);
    found(1, "the CPU does not offer bits 0x20000");
}

static void test_cpuid_svm_has_no_controls(void **unused)
{
    (void)unused;
    agree();
    snapshot_clear(&state, true);
    audit_cpuid(&cpuid_facts, &out);
    found(0, NULL);
}

static void test_cpuid_bits(void **unused)
{
    (void)unused;
    agree();
    cpuid_facts.guest[AUDIT_LEAF_1][AUDIT_ECX] |= 1u << 27;
    audit_cpuid(&cpuid_facts, &out);
    found(1, "shows OSXSAVE (leaf 0x1 ECX bit 27) although bit 18 of the guest's CR4 is 0");
    agree();
    cpuid_facts.cr4_guest = 1u << 18;
    audit_cpuid(&cpuid_facts, &out);
    found(1, "hides OSXSAVE");
    agree();
    cpuid_facts.guest[AUDIT_LEAF_X1][AUDIT_ECX] |= 1u << 2;
    cpuid_facts.host[AUDIT_LEAF_X1][AUDIT_ECX] |= 1u << 2;
    audit_cpuid(&cpuid_facts, &out);
    found(1, "shows SVM");
    agree();
    cpuid_facts.guest[AUDIT_LEAF_7][AUDIT_EDX] |= 1u << 4;
    audit_cpuid(&cpuid_facts, &out);
    found(1, "features that the CPU does not have: bits 0x10");
    agree();
    cpuid_facts.cr4_allowed |= 1u << 20;
    audit_cpuid(&cpuid_facts, &out);
    found(1, "hides SMEP");
}

/* ---- memory types ---- */

static struct audit_mtrrs pc(void)
{
    struct audit_mtrrs m = {.cap = 0x508, .def_type = 0xc06, .maxphyaddr_bits = 36};

    for (unsigned i = 0; i < AUDIT_MTRR_FIXED; i++)
        m.fixed[i] = UINT64_C(0x0606060606060606);
    m.fixed[2] = 0; /* a0000-bffff */
    m.base[0] = 0x80000000;
    m.mask[0] = UINT64_C(0xf80000800);
    return m;
}

static void test_mtrr_types(void **unused)
{
    struct audit_mtrrs m = pc();
    uint64_t until;

    (void)unused;
    assert_int_equal(audit_mtrr_type(&m, 0x12345, &until), 6);
    assert_int_equal(until, 0x20000);
    assert_int_equal(audit_mtrr_type(&m, 0xa0000, &until), 0);
    assert_int_equal(until, 0xa4000);
    assert_int_equal(audit_mtrr_type(&m, 0x100000, &until), 6);
    assert_int_equal(until, 0x80000000);
    assert_int_equal(audit_mtrr_type(&m, 0x80000000, &until), 0);
    assert_int_equal(until, UINT64_C(0x100000000));
    assert_int_equal(audit_mtrr_type(&m, UINT64_C(0x100000000), &until), 6);
    assert_int_equal(until, UINT64_C(1) << 36);
    m.base[1] = 0x80000004; /* WT over UC: UC; WT over WB: WT */
    m.mask[1] = UINT64_C(0xff0000800);
    assert_int_equal(audit_mtrr_type(&m, 0x80001000, &until), 0);
    assert_int_equal(until, 0x90000000);
    m.base[0] |= 6;
    assert_int_equal(audit_mtrr_type(&m, 0x80001000, &until), 4);
    m.def_type = 0x406; /* switched off: all UC, whatever the rest says */
    assert_int_equal(audit_mtrr_type(&m, 0x100000, &until), 0);
    m.def_type = 0x806; /* fixed ones off: the variable ones reach down */
    assert_int_equal(audit_mtrr_type(&m, 0xa0000, &until), 6);
}

static void test_memtype_ranges(void **unused)
{
    struct audit_memtype run = {.out = &out, .nested_has_type = true};

    (void)unused;
    begin();
    audit_memtype_add(&run, 0, 0x1000, 6, 6);
    audit_memtype_add(&run, 0x1000, 0x2000, 6, 6);
    audit_memtype_add(&run, 0x2000, 0x4000, 6, 0);
    audit_memtype_add(&run, 0x8000, 0x9000, 6, 0); /* a hole between: two ranges */
    audit_memtype_end(&run);
    found(2, "0000000000-0000001fff  MTRRs WB  EPT WB\n"
             "0000002000-0000003fff  MTRRs UC  EPT WB  DISAGREE\n"
             "0000008000-0000008fff  MTRRs UC  EPT WB  DISAGREE\n");
    begin();
    run = (struct audit_memtype){.out = &out};
    audit_memtype_add(&run, 0, 0x1000, 6, 0);
    audit_memtype_end(&run);
    found(0, "MTRRs act on the guest by themselves");
}

/* ---- reset ---- */

static struct audit_reset first(enum audit_handoff handoff)
{
    struct audit_reset f = {.handoff = handoff,
                            .rflags = 2,
                            .dr6 = 0xffff0ff0,
                            .dr7 = 0x400,
                            .xcr0 = 1,
                            .pat = UINT64_C(0x0007040600070406),
                            .cr4_real = 0x2000,
                            .cr4_forced = 0x2000,
                            .cr0 = 0x11,
                            .gdtr_limit = 0x1f};

    for (unsigned i = 0; i < 6; i++)
        f.segment[i] = (struct record_segment){0x18, 0xffffffff, 0xc093, 0};
    f.segment[1] = (struct record_segment){0x10, 0xffffffff, 0xc09b, 0};
    f.gpr[6] = 0x90000; /* RSI: boot_params */
    if (handoff == AUDIT_MULTIBOOT) {
        f.gpr[0] = 0x2badb002;
        f.gpr[3] = 0x9000;
    }
    if (handoff == AUDIT_BOOT_SECTOR) {
        for (unsigned i = 0; i < 6; i++)
            f.segment[i] = (struct record_segment){0, 0xffff, i == 1 ? 0x9b : 0x93, 0};
        f.cr0 = 0x10;
        f.rip = 0x7c00;
        f.gpr[2] = 0x80;
        f.idtr_limit = 0x3ff;
    }
    return f;
}

static void test_reset(void **unused)
{
    struct audit_reset f;

    (void)unused;
    for (enum audit_handoff h = AUDIT_LINUX32; h <= AUDIT_FLAT; h++) {
        begin();
        f = first(h);
        audit_reset(&f, &out);
        found(0, NULL);
        assert_true(out.checked > 20);
        f.efer = 0x500; /* the hypervisor's own */
        f.cr4_real = 0x2020;
        begin();
        audit_reset(&f, &out);
        found(2, "EFER = 0x500, should be 0x0");
        assert_non_null(strstr(text, "CR4 of the CPU = 0x2020"));
    }
}

static void test_reset_handoffs(void **unused)
{
    struct audit_reset f = first(AUDIT_MULTIBOOT);

    (void)unused;
    begin();
    f.gpr[0] = 0;
    audit_reset(&f, &out);
    found(1, "RAX = 0x0, should be 0x2badb002 (Multiboot 1");
    begin();
    f = first(AUDIT_LINUX32);
    f.rflags = 0x202;
    f.segment[3].selector = 0x20;
    audit_reset(&f, &out);
    found(2, "RFLAGS = 0x202");
    begin();
    f = first(AUDIT_BOOT_SECTOR);
    f.segment[0].base = 0x10;
    f.cr0 = 0x11;
    audit_reset(&f, &out);
    found(2, "ES base = 0x10, should be 0x0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpuid_agrees),
        cmocka_unit_test(test_cpuid_controls),
        cmocka_unit_test(test_cpuid_svm_has_no_controls),
        cmocka_unit_test(test_cpuid_bits),
        cmocka_unit_test(test_mtrr_types),
        cmocka_unit_test(test_memtype_ranges),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_reset_handoffs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
