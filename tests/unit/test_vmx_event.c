/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Raw VMX exits that are events or carry one, against struct hv_exit: exceptions, NMI, interrupts,
 * deliveries cut short, failed entries.
 */
#include "vmx_fake.h"

static void page_fault_has_address_and_error(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_exit_qualification, 0xffffffff81000123);
    give(VMCS_exit_intr_info, 0x80000b0e); /* valid, error code, hardware, 14 */
    give(VMCS_exit_intr_error, 0x11);
    e = decode(0);
    assert_int_equal(e->kind, HV_EXIT_EXCEPTION);
    assert_int_equal(e->exception.vector, 14);
    assert_int_equal(e->exception.type, HV_EVENT_HW_EXCEPTION);
    assert_true(e->exception.has_error);
    assert_int_equal(e->exception.error_code, 0x11);
    assert_true(e->exception.address == 0xffffffff81000123);
    assert_int_equal(e->instr_len_bytes, 0);
}

static void debug_exception_has_dr6_bits(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_exit_qualification, 0x4001);
    give(VMCS_exit_intr_info, 0x80000301);
    e = decode(0);
    assert_int_equal(e->exception.vector, 1);
    assert_int_equal(e->exception.address, 0x4001);
    assert_false(e->exception.has_error);
}

static void breakpoint_has_its_length(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_exit_intr_info, 0x80000603);
    give(VMCS_exit_instr_len, 1);
    e = decode(0);
    assert_int_equal(e->exception.vector, 3);
    assert_int_equal(e->exception.type, HV_EVENT_SW_EXCEPTION);
    assert_int_equal(e->instr_len_bytes, 1);
    give(VMCS_exit_intr_info, 0x80000501); /* INT1 */
    assert_int_equal(decode(0)->exception.type, HV_EVENT_PRIV_SW_EXCEPTION);
}

static void nmi_is_a_kind_of_its_own(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_exit_intr_info, 0x80000202);
    e = decode(0);
    assert_int_equal(e->kind, HV_EXIT_NMI);
    assert_int_equal(e->exception.vector, 2);
}

static void iret_that_faulted_keeps_nmis_blocked(void **state)
{
    (void)state;
    give(VMCS_exit_intr_info, 0x80001b0e); /* bit 12: NMI unblocking due to IRET */
    give(VMCS_exit_intr_error, 0);
    give(VMCS_guest_interruptibility, 0);
    decode(0);
    assert_int_equal(value_of(VMCS_guest_interruptibility), 8);

    give(VMCS_guest_interruptibility, 0); /* #DF: the bit is undefined */
    give(VMCS_exit_intr_info, 0x80001b08);
    decode(0);
    assert_false(was_written(VMCS_guest_interruptibility));

    give(VMCS_idt_vectoring_info, 0x80000030); /* undefined during event delivery as well */
    give(VMCS_exit_intr_info, 0x80001b0e);
    decode(0);
    assert_false(was_written(VMCS_guest_interruptibility));
}

static void event_delivery_is_kept(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_exit_qualification, 0x181);
    give(VMCS_guest_phys_addr, 0x82177d8);
    give(VMCS_guest_linear_addr, 0x82177d8);
    give(VMCS_idt_vectoring_info, 0x80000b0d); /* #GP with error code */
    give(VMCS_idt_vectoring_error, 0x38);
    e = decode(48);
    assert_true(e->event.valid && e->event.has_error);
    assert_int_equal(e->event.vector, 13);
    assert_int_equal(e->event.error_code, 0x38);
    assert_int_equal(e->event.type, HV_EVENT_HW_EXCEPTION);

    give(VMCS_idt_vectoring_info, 0x80000603); /* INT3: its length belongs to the event */
    give(VMCS_exit_instr_len, 1);
    e = decode(48);
    assert_int_equal(e->event.type, HV_EVENT_SW_EXCEPTION);
    assert_int_equal(e->event.instr_len_bytes, 1);
    assert_int_equal(e->instr_len_bytes, 0);

    give(VMCS_idt_vectoring_info, 0x00000b0d); /* not valid: stale bits */
    assert_false(decode(48)->event.valid);
}

static void interrupted_nmi_can_be_injected_again(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_exit_qualification, 0x182);
    give(VMCS_guest_phys_addr, 0x1000);
    give(VMCS_guest_linear_addr, 0x1000);
    give(VMCS_idt_vectoring_info, 0x80000202);
    give(VMCS_guest_interruptibility, 8);
    e = decode(48);
    assert_int_equal(e->event.type, HV_EVENT_NMI);
    assert_int_equal(value_of(VMCS_guest_interruptibility), 0);
}

static void entry_failures(void **state)
{
    static const uint32_t reasons[] = {33, 34, 41};

    for (unsigned i = 0; i < 3; i++) {
        struct hv_exit *e;

        reset(state);
        give(VMCS_exit_qualification, 1);
        e = decode(0x80000000 | reasons[i]); /* no other field is defined */
        assert_int_equal(e->kind, HV_EXIT_ENTRY_FAILURE);
        assert_true(e->raw_reason == (0x80000000 | reasons[i]));
        assert_int_equal(e->entry.reason, reasons[i]);
        assert_int_equal(e->entry.instr_error, 0);
        assert_int_equal(e->raw_info[0], 1);
    }
}

static void vmfail_says_nothing_of_the_previous_exit(void **state)
{
    (void)state;
    decode_instruction(10, 0x77, 2);
    vmx_decode_vmfail(&vcpu, 7);
    assert_int_equal(vcpu.exit.kind, HV_EXIT_ENTRY_FAILURE);
    assert_int_equal(vcpu.exit.entry.instr_error, 7);
    assert_int_equal(vcpu.exit.entry.reason, 0);
    assert_int_equal(vcpu.exit.raw_reason, 0);
    assert_int_equal(vcpu.exit.raw_info[0], 0);
    assert_int_equal(vcpu.exit.instr_len_bytes, 0);
    assert_int_equal(vcpu.exit.cs_selector, 0x10);

    fields_count = 0; /* VMfailInvalid: no current VMCS, so nothing may be read */
    vmx_decode_vmfail(&vcpu, 0);
    assert_int_equal(vcpu.exit.kind, HV_EXIT_ENTRY_FAILURE);
}

static void trap_flag_leaves_no_early_trap(void **state)
{
    (void)state;
    vcpu.regs.rflags = 0x102;
    give(VMCS_guest_interruptibility, 0);
    give(VMCS_guest_pending_debug, 0x4000);
    give(VMCS_exit_qualification, 0x182);
    give(VMCS_guest_phys_addr, 0x1000);
    give(VMCS_guest_linear_addr, 0x1000);
    decode(48); /* will be executed again */
    assert_int_equal(value_of(VMCS_guest_pending_debug), 0);

    give(VMCS_guest_pending_debug, 0x4000);
    decode(52); /* between instructions: the trap is owed */
    assert_int_equal(value_of(VMCS_guest_pending_debug), 0x4000);

    give(VMCS_guest_interruptibility, 2); /* behind MOV SS the CPU demands it */
    decode(48);
    assert_int_equal(value_of(VMCS_guest_pending_debug), 0x4000);
}

static void acknowledged_interrupt_has_its_vector(void **state)
{
    struct hv_exit *e;

    (void)state;
    give(VMCS_exit_intr_info, 0x800000ec);
    e = decode(1);
    assert_int_equal(e->kind, HV_EXIT_INTERRUPT);
    assert_int_equal(e->exception.vector, 0xec);
    assert_int_equal(e->exception.type, HV_EVENT_INTR);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup(name_, reset)
    const struct CMUnitTest tests[] = {
        TEST(page_fault_has_address_and_error),
        TEST(debug_exception_has_dr6_bits),
        TEST(breakpoint_has_its_length),
        TEST(nmi_is_a_kind_of_its_own),
        TEST(iret_that_faulted_keeps_nmis_blocked),
        TEST(event_delivery_is_kept),
        TEST(interrupted_nmi_can_be_injected_again),
        TEST(entry_failures),
        TEST(vmfail_says_nothing_of_the_previous_exit),
        TEST(trap_flag_leaves_no_early_trap),
        TEST(acknowledged_interrupt_has_its_vector),
    };

    return cmocka_run_group_tests_name("vmx_event", tests, NULL, NULL);
}
