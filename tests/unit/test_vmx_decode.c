/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Raw VMX exits of instructions and addresses against struct hv_exit: each case is the field values a
 * CPU would leave, and what must come out. Events are test_vmx_event.c's.
 */
#include "vmx_fake.h"

/* CR0 = real, shadow as the guest sees it, mask PE NE NW CD PG WP; 64-bit code or not. */
static void give_cr_state(uint64_t real, uint64_t shadow, bool code64)
{
    give(VMCS_guest_cr0, real);
    give(VMCS_cr0_shadow, shadow);
    give(VMCS_cr0_mask, 0xe0010021);
    give(VMCS_entry_controls, code64 ? 0x13ff : 0x11ff);
    give(VMCS_guest_cs_rights, code64 ? 0xa09b : 0xc09b);
}

static void every_reason_has_its_kind(void **state)
{
    static const struct {
        uint16_t code;
        uint8_t kind;
    } rows[] = {
#define VMX_REASON(code, name, kind, text) {code, HV_EXIT_##kind},
#include "protocol/exit_reasons.def"
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hv_exit *e;

        if (rows[i].code == 0 || rows[i].code == 28 || rows[i].code == 30)
            continue; /* split by further fields: tests of their own */
        reset(state);
        give(VMCS_exit_instr_len, 3);
        give(VMCS_guest_phys_addr, 0x123456789000);
        give(VMCS_guest_linear_addr, 0xffff888000000000);
        give(VMCS_exit_intr_info, 0x80000030);
        e = decode(rows[i].code);
        assert_int_equal(e->kind, rows[i].kind);
        assert_int_equal(e->raw_reason, rows[i].code);
    }
}

static void unknown_reasons_keep_their_number(void **state)
{
    static const uint32_t unknown[] = {35, 38, 42, 71, 82, 95, 96, 127, 128, 500, 0xffff};

    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        struct hv_exit *e;

        reset(state);
        e = decode(unknown[i]);
        assert_int_equal(e->kind, HV_EXIT_OTHER);
        assert_int_equal(e->raw_reason, unknown[i]);
        assert_int_equal(e->instr_len_bytes, 0);
    }
}

static void reason_keeps_its_upper_bits(void **state)
{
    /* bit 27: enclave mode; bit 29: exit from root operation */
    struct hv_exit *e = decode_instruction(10 | 1u << 27, 0, 2);

    (void)state;
    assert_int_equal(e->kind, HV_EXIT_CPUID);
    assert_int_equal(e->raw_reason, 0x0800000a);
}

static void cpuid_takes_leaf_and_length(void **state)
{
    struct hv_exit *e;

    (void)state;
    vcpu.regs.rax = 0xffffffff00000007;
    vcpu.regs.rcx = 0x1234567800000001;
    e = decode_instruction(10, 0, 2);
    assert_int_equal(e->cpuid.leaf, 7);
    assert_int_equal(e->cpuid.subleaf, 1);
    assert_int_equal(e->instr_len_bytes, 2);
    assert_false(e->event.valid);
    assert_int_equal(e->cs_selector, 0x10);
    assert_true(e->cr3 == 0x123456789000);
    assert_false(e->shadow);
    give(VMCS_guest_interruptibility, 8); /* NMI blocking is no shadow */
    assert_false(decode_instruction(10, 0, 2)->shadow);
    give(VMCS_guest_interruptibility, 2);
    assert_true(decode_instruction(10, 0, 2)->shadow);
}

static void msr_write_joins_edx_eax(void **state)
{
    struct hv_exit *e;

    (void)state;
    vcpu.regs.rcx = 0xdeadbeefc0000080;
    vcpu.regs.rax = 0xffffffff00000d01;
    vcpu.regs.rdx = 0xffffffff00000012;
    e = decode_instruction(32, 0, 2);
    assert_int_equal(e->kind, HV_EXIT_WRMSR);
    assert_int_equal(e->msr.index, 0xc0000080);
    assert_true(e->msr.value == 0x0000001200000d01);
    e = decode_instruction(31, 0, 2);
    assert_int_equal(e->kind, HV_EXIT_RDMSR);
    assert_int_equal(e->msr.index, 0xc0000080);
}

static void xsetbv_joins_edx_eax(void **state)
{
    struct hv_exit *e;

    (void)state;
    vcpu.regs.rcx = 0;
    vcpu.regs.rax = 0xffffffff000000e7;
    vcpu.regs.rdx = 0x80000000;
    e = decode_instruction(55, 0, 3);
    assert_int_equal(e->kind, HV_EXIT_XSETBV);
    assert_true(e->xsetbv.value == 0x80000000000000e7);
}

static void mov_to_cr0_uses_all_sixteen_gprs(void **state)
{
    for (unsigned gpr = 0; gpr < 16; gpr++) {
        struct hv_exit *e;

        reset(state);
        give_cr_state(0x80050033, 0x80050033, true);
        for (unsigned i = 0; i < 16; i++)
            vcpu.regs.by_index[i] = 0x1000 + i;
        e = decode_instruction(28, gpr << 8, 3);
        assert_int_equal(e->kind, HV_EXIT_CR0_WRITE);
        assert_int_equal(e->cr.insn, HV_CR_MOV);
        assert_int_equal(e->cr.access, HV_WRITE);
        assert_int_equal(e->cr.gpr, gpr);
        assert_int_equal(e->cr.value, 0x1000 + gpr);
        assert_int_equal(e->cr.old, 0x80050033);
    }
}

static void seeded_crgpr8_cuts_the_gpr(void **state)
{
    (void)state;
    give_cr_state(0x80050033, 0x80050033, true);
    seeded_mask = UINT64_C(1) << SEEDED_crgpr8;
    vcpu.regs.r15 = 15;
    vcpu.regs.rdi = 7;
    assert_int_equal(decode_instruction(28, 15 << 8, 4)->cr.value, 7);
}

static void mov_to_cr_is_32_bits_wide_outside_64_bit_code(void **state)
{
    (void)state;
    give_cr_state(0x21, 0x11, false);
    vcpu.regs.rax = 0xffffffff80000001;
    assert_true(decode_instruction(28, 0, 3)->cr.value == 0x80000001);
    give_cr_state(0x21, 0x11, true);
    assert_true(decode_instruction(28, 0, 3)->cr.value == 0xffffffff80000001);
    /* compatibility mode: IA-32e guest, but CS.L clear */
    give(VMCS_guest_cs_rights, 0xc09b);
    assert_true(decode_instruction(28, 0, 3)->cr.value == 0x80000001);
}

static void old_cr0_is_what_the_guest_reads(void **state)
{
    (void)state;
    /* NE is 1 in the CPU and 0 to the guest (masked); TS is the guest's own */
    give_cr_state(0x80000039, 0x80000011, true);
    vcpu.regs.rbx = 0x11;
    assert_int_equal(decode_instruction(28, 3 << 8, 3)->cr.old, 0x80000019);
}

static void clts_and_lmsw_are_cr0_writes(void **state)
{
    struct hv_exit *e;

    (void)state;
    give_cr_state(0x8005003b, 0x8005003b, true);
    e = decode_instruction(28, 2 << 4, 2); /* CLTS */
    assert_int_equal(e->kind, HV_EXIT_CR0_WRITE);
    assert_int_equal(e->cr.insn, HV_CR_CLTS);
    assert_int_equal(e->cr.value, 0x80050033);

    /* LMSW 0xfff0: clears MP EM TS, cannot clear PE, leaves the upper half alone */
    e = decode_instruction(28, 3 << 4 | 0xfff0u << 16, 3);
    assert_int_equal(e->kind, HV_EXIT_CR0_WRITE);
    assert_int_equal(e->cr.insn, HV_CR_LMSW);
    assert_int_equal(e->cr.value, 0x80050031);
    assert_int_equal(e->raw_info[1], 0);

    /* LMSW from memory names the operand */
    give(VMCS_guest_linear_addr, 0xffffc90000001000);
    e = decode_instruction(28, 3 << 4 | 1 << 6 | 0x000fu << 16, 4);
    assert_int_equal(e->cr.value, 0x8005003f);
    assert_true(e->raw_info[1] == 0xffffc90000001000);
}

static void lmsw_sets_pe_from_real_mode(void **state)
{
    (void)state;
    give_cr_state(0x30, 0x10, false);
    assert_int_equal(decode_instruction(28, 3 << 4 | 1u << 16, 3)->cr.value, 0x11);
}

static void other_crs_by_index_and_direction(void **state)
{
    struct hv_exit *e;

    (void)state;
    give_cr_state(0x80050033, 0x80050033, true);
    give(VMCS_guest_cr3, 0x1000);
    give(VMCS_guest_cr4, 0x2020);
    give(VMCS_cr4_shadow, 0x20);
    give(VMCS_cr4_mask, 0x2000);
    test_cr8 = 9;
    vcpu.regs.rdx = 0x2000;

    e = decode_instruction(28, 3 | 2 << 8, 3);
    assert_int_equal(e->kind, HV_EXIT_CR3_WRITE);
    assert_int_equal(e->cr.value, 0x2000);
    assert_int_equal(e->cr.old, 0x1000);
    e = decode_instruction(28, 3 | 1 << 4 | 9 << 8, 4);
    assert_int_equal(e->kind, HV_EXIT_CR3_READ);
    assert_int_equal(e->cr.access, HV_READ);
    assert_int_equal(e->cr.gpr, 9);
    assert_int_equal(e->cr.value, 0x1000);
    e = decode_instruction(28, 4 | 2 << 8, 3);
    assert_int_equal(e->kind, HV_EXIT_CR4_WRITE);
    assert_int_equal(e->cr.old, 0x20);
    e = decode_instruction(28, 8 | 2 << 8, 4);
    assert_int_equal(e->kind, HV_EXIT_CR8_WRITE);
    e = decode_instruction(28, 8 | 1 << 4, 4);
    assert_int_equal(e->kind, HV_EXIT_CR8_READ);
    assert_int_equal(e->cr.value, 9);
}

static void mov_dr(void **state)
{
    struct hv_exit *e = decode_instruction(29, 7 | 1 << 4 | 12 << 8, 4);

    (void)state;
    assert_int_equal(e->kind, HV_EXIT_DR_ACCESS);
    assert_int_equal(e->dr.index, 7);
    assert_int_equal(e->dr.access, HV_READ);
    assert_int_equal(e->dr.gpr, 12);
    assert_int_equal(decode_instruction(29, 6, 3)->dr.access, HV_WRITE);
}

static void port_io_masks_the_value(void **state)
{
    struct hv_exit *e;

    (void)state;
    vcpu.regs.rax = 0xaabbccdd11223344;
    e = decode_instruction(30, 0x3f8u << 16 | 1 << 6, 2);
    assert_int_equal(e->kind, HV_EXIT_IO_OUT);
    assert_int_equal(e->io.port, 0x3f8);
    assert_int_equal(e->io.size_bytes, 1);
    assert_int_equal(e->io.value, 0x44);
    assert_int_equal(decode_instruction(30, 0xffffu << 16 | 1, 1)->io.value, 0x3344);
    e = decode_instruction(30, 0xffffu << 16 | 3, 1);
    assert_int_equal(e->io.port, 0xffff);
    assert_int_equal(e->io.value, 0x11223344);
    e = decode_instruction(30, 0x60u << 16 | 1 << 3, 1);
    assert_int_equal(e->kind, HV_EXIT_IO_IN);
    assert_true(e->io.in);
    assert_int_equal(e->io.value, 0);
    assert_false(e->io.string);
}

static void string_io_has_address_size_and_segment(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_guest_linear_addr, 0xffff888012345678);
    give(VMCS_exit_instr_info, 2u << 7 | 4u << 15);                    /* 64-bit addresses, FS */
    e = decode_instruction(30, 0x1f0u << 16 | 1 << 5 | 1 << 4 | 1, 3); /* REP OUTSW */
    assert_int_equal(e->kind, HV_EXIT_IO_OUT);
    assert_true(e->io.string && e->io.rep);
    assert_int_equal(e->io.size_bytes, 2);
    assert_int_equal(e->io.addr_bytes, 8);
    assert_int_equal(e->io.segment, HV_FS);
    assert_true(e->raw_info[1] == 0xffff888012345678);
    give(VMCS_exit_instr_info, 0u << 7 | 4u << 15); /* INS: segment bits undefined */
    e = decode_instruction(30, 0x1f0u << 16 | 1 << 4 | 1 << 3, 1);
    assert_int_equal(e->kind, HV_EXIT_IO_IN);
    assert_int_equal(e->io.addr_bytes, 2);
    assert_int_equal(e->io.segment, HV_ES);
    assert_false(e->io.rep);
}

static void ept_violation_with_linear_address(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_exit_qualification, 0x182); /* write, linear address valid, final translation */
    give(VMCS_guest_phys_addr, 0x11331c006);
    give(VMCS_guest_linear_addr, 0xffff88811331c006);
    e = decode(48);
    assert_int_equal(e->kind, HV_EXIT_NESTED_PAGE);
    assert_true(e->nested.gpa == 0x11331c006); /* above 4 GiB: never cut */
    assert_true(e->nested.gva == 0xffff88811331c006);
    assert_int_equal(e->nested.access, HV_WRITE);
    assert_true(e->nested.gva_valid);
    assert_false(e->nested.page_walk);
    assert_false(e->nested.present);

    give(VMCS_exit_qualification, 0xac); /* fetch, readable and executable, in a page walk */
    e = decode(48);
    assert_int_equal(e->nested.access, HV_EXEC);
    assert_true(e->nested.present && e->nested.page_walk);

    seeded_mask = UINT64_C(1) << SEEDED_gpa32;
    assert_true(decode(48)->nested.gpa == 0x1331c006);
}

static void ept_violation_without_linear_address(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_exit_qualification, 0x1); /* PDPTE load by MOV CR: no linear address */
    give(VMCS_guest_phys_addr, 0x3740df8);
    e = decode(48); /* reading the linear address would fail here */
    assert_false(e->nested.gva_valid);
    assert_false(e->nested.page_walk);
    assert_int_equal(e->nested.access, HV_READ);
}

static void ept_misconfiguration(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_guest_phys_addr, 0xb8000);
    e = decode(49);
    assert_int_equal(e->kind, HV_EXIT_NESTED_MISCONFIG);
    assert_int_equal(e->nested.gpa, 0xb8000);
    assert_false(e->nested.gva_valid);
}

static void task_switch_has_a_length_when_an_instruction_did_it(void **state)
{
    (void)state;
    give(VMCS_exit_instr_len, 5);
    give(VMCS_exit_qualification, 0x28 | 0u << 30); /* CALL */
    assert_int_equal(decode(9)->instr_len_bytes, 5);
    give(VMCS_exit_qualification, 0x28 | 3u << 30); /* gate, hardware exception */
    give(VMCS_idt_vectoring_info, 0x8000030a);
    assert_int_equal(decode(9)->instr_len_bytes, 0);
    give(VMCS_idt_vectoring_info, 0x80000480); /* gate, INT 80h */
    assert_int_equal(decode(9)->instr_len_bytes, 5);
}

static void invlpg_and_invpcid(void **state)
{
    struct hv_exit *e;

    (void)state;
    e = decode_instruction(14, 0xffffffffff5fd000, 3);
    assert_int_equal(e->kind, HV_EXIT_INVLPG);
    assert_true(e->invlpg.gva == 0xffffffffff5fd000);
    e = decode_instruction(58, 0x10, 5);
    assert_int_equal(e->kind, HV_EXIT_INVLPG);
    assert_int_equal(e->invlpg.gva, 0);
    assert_int_equal(e->raw_info[0], 0x10);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup(name_, reset)
    const struct CMUnitTest tests[] = {
        TEST(every_reason_has_its_kind),
        TEST(unknown_reasons_keep_their_number),
        TEST(reason_keeps_its_upper_bits),
        TEST(cpuid_takes_leaf_and_length),
        TEST(msr_write_joins_edx_eax),
        TEST(xsetbv_joins_edx_eax),
        TEST(mov_to_cr0_uses_all_sixteen_gprs),
        TEST(seeded_crgpr8_cuts_the_gpr),
        TEST(mov_to_cr_is_32_bits_wide_outside_64_bit_code),
        TEST(old_cr0_is_what_the_guest_reads),
        TEST(clts_and_lmsw_are_cr0_writes),
        TEST(lmsw_sets_pe_from_real_mode),
        TEST(other_crs_by_index_and_direction),
        TEST(mov_dr),
        TEST(port_io_masks_the_value),
        TEST(string_io_has_address_size_and_segment),
        TEST(ept_violation_with_linear_address),
        TEST(ept_violation_without_linear_address),
        TEST(ept_misconfiguration),
        TEST(task_switch_has_a_length_when_an_instruction_did_it),
        TEST(invlpg_and_invpcid),
    };

    return cmocka_run_group_tests_name("vmx_decode", tests, NULL, NULL);
}
