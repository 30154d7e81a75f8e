/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VMCB as state: EVENTINJ and EXITINTINFO, the interrupt window, segment rights, the faces of
 * EFER, permission maps, raw fields.
 */
#include "svm_fake.h"

static void test_event_in(void **state)
{
    struct hv_event event;

    (void)state;
    assert_false(svm_event_decode(0x403).valid); /* stale low bits without V */
    event = svm_event_decode(UINT64_C(0x0000000280000b0e));
    assert_int_equal(event.vector, X86_PF);
    assert_true(event.has_error);
    assert_int_equal(event.error_code, 2);
    event = svm_event_decode(0x80000303);
    assert_int_equal(event.type, HV_EVENT_SW_EXCEPTION);
    assert_int_equal(event.instr_len_bytes, 1);
    /* QEMU: an IRQ or NMI whose delivery was interrupted is called an exception. */
    assert_int_equal(svm_event_decode(0x800003f1).type, HV_EVENT_HW_EXCEPTION);
    svm_caps.quirks = SVM_QUIRK_event_type;
    assert_int_equal(svm_event_decode(0x800003f1).type, HV_EVENT_INTR);
    assert_int_equal(svm_event_decode(0x80000302).type, HV_EVENT_NMI);
    assert_int_equal(svm_event_decode(0x8000030d).type, HV_EVENT_HW_EXCEPTION);
    /* Bochs: vector lost. */
    svm_caps.quirks = SVM_QUIRK_lost_event;
    assert_false(svm_event_decode(0x80000000).valid);
}

static void test_event_out(void **state)
{
    (void)state;
    vcpu.inject = (struct hv_event){.valid = true,
                                    .vector = X86_GP,
                                    .has_error = true,
                                    .error_code = 0x18,
                                    .type = HV_EVENT_HW_EXCEPTION};
    svm_event_load(&vcpu);
    assert_true(vmcb.event_inject == UINT64_C(0x0000001880000b0d));
    assert_false(vcpu.inject.valid);
    svm_set_cr(&vcpu, 0, 0x10, 0x10); /* real mode pushes no error code */
    vcpu.inject = (struct hv_event){
        .valid = true, .vector = X86_GP, .has_error = true, .type = HV_EVENT_HW_EXCEPTION};
    svm_event_load(&vcpu);
    assert_true(vmcb.event_inject == 0x8000030d);
    vcpu.inject = (struct hv_event){
        .valid = true, .vector = X86_BP, .instr_len_bytes = 1, .type = HV_EVENT_SW_EXCEPTION};
    svm_event_load(&vcpu);
    assert_true(vmcb.event_inject == 0x80000303 && vmcb.nrip == 0x1001);
}

/* An interrupt waits for RFLAGS.IF and the end of the shadow, behind a virtual-interrupt window. */
static void test_interrupt_window(void **state)
{
    (void)state;
    vcpu.inject = (struct hv_event){.valid = true, .vector = 0x31, .type = HV_EVENT_INTR};
    vmcb.event_inject = 0;
    svm_event_load(&vcpu);
    assert_false(vcpu.inject.valid);
    assert_true(vmcb.event_inject == 0 && (vmcb.vintr & VINTR_IRQ));
    assert_true(vmcb.intercept_misc1 & SVM1_VINTR);
    vcpu.regs.rflags |= RFLAGS_IF;
    vmcb.interrupt_shadow = 1;
    svm_event_load(&vcpu);
    assert_true(vmcb.event_inject == 0);
    vmcb.interrupt_shadow = 0;
    svm_event_load(&vcpu);
    assert_true(vmcb.event_inject == 0x80000031);
    assert_false(vmcb.vintr & VINTR_IRQ);
    assert_false(vmcb.intercept_misc1 & SVM1_VINTR);
}

/* The intercept that the debugger asks for: acknowledged by us, passed on one by one. */
static void test_intercepted_interrupts(void **state)
{
    const struct hv_intercepts watch = {.kinds = HV_KIND_BIT(HV_EXIT_INTERRUPT)};

    (void)state;
    svm_set_intercepts(&vcpu, &watch);
    assert_true(vmcb.intercept_misc1 & SVM1_INTR);
    physical.irq_seen[0] = UINT64_C(1) << 0x31;
    physical.irq_seen[3] = UINT64_C(1) << 0x2f;
    assert_true(decode(0x60, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_INTERRUPT);
    assert_int_equal(vcpu.exit.exception.vector, 0xef);
    vcpu.regs.rflags |= RFLAGS_IF;
    svm_event_load(&vcpu); /* core has passed the first on; the second comes by itself */
    assert_true(vmcb.event_inject == 0x80000031);
    vmcb.event_inject = 0;
    svm_event_load(&vcpu);
    assert_true(vmcb.event_inject == 0);
}

static void test_segments(void **state)
{
    struct hv_segment in = {.selector = 0x10, .limit = 0xffff, .rights = 0xf0f3, .base = 0x1234};
    struct hv_segment out;

    (void)state;
    svm_set_segment(&vcpu, HV_SS, &in);
    assert_int_equal(vmcb.guest_ss_rights, 0xff3);
    assert_int_equal(vmcb.guest_cpl, 3); /* CPL is SS.DPL */
    out = svm_get_segment(&vcpu, HV_SS);
    assert_int_equal(out.selector, in.selector);
    assert_int_equal(out.limit, in.limit);
    assert_int_equal(out.rights, in.rights);
    assert_int_equal(out.base, in.base);
    in.rights = HV_SEG_UNUSABLE | 0x93;
    svm_set_segment(&vcpu, HV_GS, &in);
    assert_int_equal(vmcb.guest_gs_rights, 0x13);
    assert_true(svm_get_segment(&vcpu, HV_GS).rights & HV_SEG_UNUSABLE);
}

static void test_efer_faces(void **state)
{
    struct hv_msr_entry area[HV_MSR_AREA_MAX];

    (void)state;
    svm_set_efer(&vcpu, EFER_LME);
    assert_true(vmcb.guest_efer == (EFER_LME | EFER_SVME));
    svm_set_cr(&vcpu, 0, 0x80000011, 0x80000011); /* LMA follows paging */
    assert_true(vmcb.guest_efer == (EFER_LME | EFER_LMA | EFER_SVME));
    assert_true(svm_get(&vcpu, HV_ST_EFER) == (EFER_LME | EFER_LMA));
    assert_int_equal(svm_msr_area(&vcpu, area, HV_MSR_AREA_MAX), 6);
    assert_int_equal(area[0].index, MSR_efer);
    assert_true(area[0].value == (EFER_LME | EFER_LMA));
    assert_int_equal(svm_msr_area_set(&vcpu, MSR_lstar, 0xffff800000001000), 0);
    assert_true(vmcb.guest_lstar == 0xffff800000001000);
    assert_int_equal(svm_msr_area_set(&vcpu, 0x10, 0), -1);
    svm_set_cr(&vcpu, 0, 0x11, CR0_CD | 0x11); /* faces differ: reads exit */
    assert_true(vmcb.intercept_cr_read & 1);
    svm_set_cr(&vcpu, 0, 0x11, 0x11);
    assert_false(vmcb.intercept_cr_read & 1);
}

/* QEMU loses the host's CR0 at an exit with LME=1, PG=0, PAE=0: LME waits, and nobody can tell. */
static void test_late_lme(void **state)
{
    struct hv_msr_entry area[HV_MSR_AREA_MAX];

    (void)state;
    svm_caps.quirks = SVM_QUIRK_late_lme;
    svm_set_efer(&vcpu, EFER_LME | EFER_NXE);
    assert_true(vmcb.guest_efer == (EFER_NXE | EFER_SVME));
    assert_true(svm_get(&vcpu, HV_ST_EFER) == (EFER_LME | EFER_NXE));
    assert_true(svm_msr_area(&vcpu, area, HV_MSR_AREA_MAX) > 0);
    assert_true(area[0].value == (EFER_LME | EFER_NXE));
    svm_set_cr(&vcpu, 0, 0x80000011, 0x80000011);
    assert_true(vmcb.guest_efer == (EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME));
    svm_set_cr(&vcpu, 0, 0x11, 0x11);
    assert_true(vmcb.guest_efer == (EFER_NXE | EFER_SVME));
}

static void test_permission_maps(void **state)
{
    (void)state;
    memset(msrpm, 0, sizeof(msrpm));
    svm_msr_intercept(&vcpu, 0xc0000081, HV_WRITE, true);
    assert_int_equal(msrpm[0x800 + 0x81 / 4], 2 << 2 * (0x81 % 4));
    svm_msr_intercept(&vcpu, 0xc0000081, HV_READ, true);
    svm_msr_intercept(&vcpu, 0xc0000081, HV_WRITE, false);
    assert_int_equal(msrpm[0x800 + 0x81 / 4], 1 << 2 * (0x81 % 4));
    svm_msr_intercept(&vcpu, 0xc0010114, HV_READ | HV_WRITE, true);
    assert_int_equal(msrpm[0x1000 + 0x114 / 4], 3);
    svm_msr_intercept(&vcpu, 0x1b, HV_WRITE, true);
    assert_int_equal(msrpm[0x1b / 4], 2 << 6);
    svm_msr_intercept(&vcpu, 0x40000000, HV_WRITE, true); /* in no range: always exits anyway */
}

static void test_raw_fields(void **state)
{
    uint64_t value;

    (void)state;
    assert_int_equal(svm_field_write(&vcpu, VMCB_asid, 5), 0);
    assert_int_equal(vmcb.asid, 5);
    assert_int_equal(svm_field_write(&vcpu, VMCB_asid, UINT64_C(1) << 32), -1);
    assert_int_equal(svm_field_write(&vcpu, VMCB_exit_code, 0), -1); /* the CPU's */
    assert_int_equal(svm_field_write(&vcpu, 0x3, 0), -1);
    assert_int_equal(svm_field_write(&vcpu, VMCB_guest_rip, 0x2000), 0);
    assert_true(vcpu.regs.rip == 0x2000);
    assert_int_equal(svm_field_read(&vcpu, VMCB_guest_rip, &value), 0);
    assert_true(value == 0x2000);
    assert_int_equal(svm_field_read(&vcpu, 0x5000, &value), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_event_in),         CASE(test_event_out),
        CASE(test_interrupt_window), CASE(test_intercepted_interrupts),
        CASE(test_segments),         CASE(test_efer_faces),
        CASE(test_late_lme),         CASE(test_permission_maps),
        CASE(test_raw_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
