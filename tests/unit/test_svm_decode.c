/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Raw #VMEXITs against struct hv_exit: each case is the VMCB a CPU would leave (with or without nRIP
 * and decode assists, or as an emulator mangles it), the bytes at RIP, and what must come out.
 */
#include "svm_fake.h"

static void test_every_code_has_its_kind(void **state)
{
    static const struct {
        int64_t code;
        enum hv_exit_kind kind;
    } rows[] = {
        {0x00, HV_EXIT_CR0_READ},
        {0x13, HV_EXIT_CR3_WRITE},
        {0x18, HV_EXIT_CR8_WRITE},
        {0x27, HV_EXIT_DR_ACCESS},
        {0x37, HV_EXIT_DR_ACCESS},
        {0x40, HV_EXIT_EXCEPTION},
        {0x5f, HV_EXIT_EXCEPTION},
        {0x60, HV_EXIT_INTERRUPT},
        {0x61, HV_EXIT_NMI},
        {0x63, HV_EXIT_INIT},
        {0x64, HV_EXIT_INTERRUPT_WINDOW},
        {0x66, HV_EXIT_GDTR_IDTR},
        {0x6d, HV_EXIT_LDTR_TR},
        {0x6e, HV_EXIT_RDTSC},
        {0x72, HV_EXIT_CPUID},
        {0x74, HV_EXIT_FLAGS_ACCESS},
        {0x78, HV_EXIT_HLT},
        {0x79, HV_EXIT_INVLPG},
        {0x7d, HV_EXIT_TASK_SWITCH},
        {0x7f, HV_EXIT_TRIPLE_FAULT},
        {0x80, HV_EXIT_SVM_INSTRUCTION},
        {0x81, HV_EXIT_VMCALL},
        {0x87, HV_EXIT_RDTSC},
        {0x89, HV_EXIT_WBINVD},
        {0x8d, HV_EXIT_XSETBV},
        {0x400, HV_EXIT_NESTED_PAGE},
        {-1, HV_EXIT_ENTRY_FAILURE},
        {0x3ff, HV_EXIT_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(svm_kind_of_code(rows[i].code), rows[i].kind);
    for (unsigned i = 0; i < tl_svm_exit_count; i++)
        assert_int_equal(svm_kind_of_code((int64_t)tl_svm_exits[i].code),
                         (int)tl_svm_exits[i].kind);
}

static void test_invalid_is_compared_as_32_bits(void **state)
{
    (void)state;
    assert_true(decode(UINT64_C(0xffffffff), 0, 0)); /* as QEMU writes it */
    assert_int_equal(vcpu.exit.kind, HV_EXIT_ENTRY_FAILURE);
    assert_true(vcpu.exit.raw_reason == ~UINT64_C(0));
    assert_int_equal(vcpu.exit.entry.reason, UINT32_MAX);
    assert_true(decode(~UINT64_C(0), 0, 0)); /* as CPUs do */
    assert_int_equal(vcpu.exit.kind, HV_EXIT_ENTRY_FAILURE);
}

/* QEMU: a bad MOV CR3 inside the guest looks like a failed entry; the guest deserves #GP. */
static void test_bad_cr3_is_a_gp(void **state)
{
    static union vmcb shadow;

    (void)state;
    long_mode();
    CODE(0x0f, 0x22, 0xd8);                          /* mov cr3, rax */
    assert_true(decode(UINT64_C(0xffffffff), 0, 0)); /* not where CPUs never do that */
    svm.shadow = &shadow;
    assert_false(decode(UINT64_C(0xffffffff), 0, 0));
    assert_true(vcpu.inject.valid);
    assert_int_equal(vcpu.inject.vector, X86_GP);
    assert_true(vcpu.regs.rip == 0x1000);
    svm.refused = true; /* a VMRUN that never entered */
    assert_true(decode(UINT64_C(0xffffffff), 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_ENTRY_FAILURE);
}

static void test_cr_write_by_decoder(void **state)
{
    (void)state;
    CODE(0x0f, 0x22, 0xc3); /* mov cr0, ebx */
    vcpu.regs.rbx = 0xffffffff80000011;
    assert_true(decode(0x10, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_CR0_WRITE);
    assert_int_equal(vcpu.exit.cr.gpr, GPR_RBX);
    assert_int_equal(vcpu.exit.cr.insn, HV_CR_MOV);
    assert_true(vcpu.exit.cr.value == 0x80000011); /* 32-bit code: upper half is no operand */
    assert_int_equal(vcpu.exit.cr.old, 0x11);
    assert_int_equal(vcpu.exit.instr_len_bytes, 3);

    long_mode();
    CODE(0x41, 0x0f, 0x22, 0xc7); /* mov cr0, r15 */
    vcpu.regs.r15 = 0x180000011;
    assert_true(decode(0x10, 0, 0));
    assert_int_equal(vcpu.exit.cr.gpr, GPR_R15);
    assert_true(vcpu.exit.cr.value == 0x180000011); /* core's #GP, never quiet */
    assert_int_equal(vcpu.exit.instr_len_bytes, 4);
}

static void test_cr_write_by_assists(void **state)
{
    (void)state;
    long_mode();
    hv_caps.decode_assists = hv_caps.nrip = true;
    vmcb.nrip = 0x1004;
    vcpu.regs.r9 = 0x80050033;
    assert_true(decode(0x10, CR_INFO_MOV | 9, 0)); /* no bytes are given, none may be needed */
    assert_int_equal(vcpu.exit.kind, HV_EXIT_CR0_WRITE);
    assert_int_equal(vcpu.exit.cr.gpr, 9);
    assert_true(vcpu.exit.cr.value == 0x80050033);
    assert_int_equal(vcpu.exit.instr_len_bytes, 4);
}

static void test_cr0_writes_that_change_nothing_are_quiet(void **state)
{
    const struct hv_intercepts watch_ts = {.cr0_mask = CR0_TS};

    (void)state;
    CODE(0x0f, 0x22, 0xc0); /* mov cr0, eax: the value it has */
    vcpu.regs.rax = 0x11;
    assert_false(decode(0x10, 0, 0));
    assert_true(vcpu.regs.rip == 0x1003);

    vcpu.regs.rip = 0x1000;
    vcpu.regs.rax = 0x11 | CR0_TS | CR0_MP; /* the guest's own bits */
    assert_false(decode(0x10, 0, 0));
    assert_true(vmcb.guest_cr0 == vcpu.regs.rax && svm.cr0_read == vcpu.regs.rax);
    assert_true(vcpu.cr0_wrote == vcpu.regs.rax);

    svm_set_intercepts(&vcpu, &watch_ts);
    vcpu.regs.rip = 0x1000;
    CODE(0x0f, 0x06); /* clts, watched */
    assert_true(decode(0x10, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_CR0_WRITE);
    assert_int_equal(vcpu.exit.cr.insn, HV_CR_CLTS);
    assert_true(vcpu.exit.cr.value == (0x11 | CR0_MP));
    assert_true(vcpu.regs.rip == 0x1000);

    /* While stepping, a quiet write is still one instruction. */
    vcpu.single_step = true;
    vcpu.regs.rflags |= RFLAGS_TF; /* borrowed: no trap is owed */
    vcpu.regs.rax = svm.cr0_read;
    CODE(0x0f, 0x22, 0xc0);
    assert_true(decode(0x10, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_MTF);
    assert_true(vcpu.regs.rip == 0x1003);
    assert_false(vcpu.inject.valid);
    assert_true(vcpu.regs.rflags & RFLAGS_TF);
    vcpu.single_step = false; /* the guest's own TF: it gets its #DB */
    vcpu.regs.rip = 0x1000;
    assert_false(decode(0x10, 0, 0));
    assert_true(vcpu.inject.valid);
    assert_int_equal(vcpu.inject.vector, X86_DB);
}

static void test_cr4_writes(void **state)
{
    (void)state;
    CODE(0x0f, 0x22, 0xe0); /* mov cr4, eax */
    vcpu.regs.rax = CR4_PGE;
    assert_false(decode(0x14, 0, 0)); /* left to the guest, and flushes */
    assert_true(vmcb.guest_cr4 == CR4_PGE && vmcb.tlb_control != 0);
    vcpu.regs.rip = 0x1000;
    vcpu.regs.rax = CR4_PGE | CR4_PAE;
    assert_true(decode(0x14, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_CR4_WRITE);
    assert_true(vcpu.exit.cr.old == CR4_PGE);
    vcpu.regs.rax = CR4_PGE | UINT64_C(1) << 30; /* reserved: core's #GP */
    assert_true(decode(0x14, 0, 0));
    assert_true(vmcb.guest_cr4 == CR4_PGE);
}

static void test_lmsw_and_smsw(void **state)
{
    (void)state;
    svm_set_cr(&vcpu, 0, 0x10, 0x10);
    vcpu.cr0_wrote = 0;
    CODE(0x0f, 0x01, 0xf0); /* lmsw ax */
    vcpu.regs.rax = 0xfff1;
    assert_true(decode(0x10, 0, 0));
    assert_int_equal(vcpu.exit.cr.insn, HV_CR_LMSW);
    assert_true(vcpu.exit.cr.value == 0x11);

    svm_set_cr(&vcpu, 0, 0x1f,
               0x1f); /* LMSW clears all but PE; here watched by nobody but PE is out */
    vcpu.cr0_wrote = 0x1f;
    CODE(0x0f, 0x01, 0x35, 0x00, 0x20, 0x00, 0x00); /* lmsw [0x2000] */
    memory_gva = 0x2000;
    memory[0] = memory[1] = 0;
    assert_false(decode(0x10, 0, 0));
    assert_true(svm.cr0_read == 0x11);
    assert_true(vcpu.regs.rip == 0x1007);

    memory_gva = 0x9000; /* unreadable operand: nothing is guessed */
    assert_true(decode(0x10, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_OTHER);

    CODE(0x0f, 0x01, 0xe2); /* smsw edx */
    assert_true(decode(0x00, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_CR0_READ);
    assert_int_equal(vcpu.exit.cr.insn, HV_CR_SMSW);
    assert_int_equal(vcpu.exit.cr.old, 0x11);
}

static void test_bytes_that_are_no_such_instruction(void **state)
{
    (void)state;
    CODE(0x90);
    assert_true(decode(0x10, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_OTHER);
    assert_int_equal(vcpu.exit.raw_reason, 0x10);
    code_bytes = 0; /* unreadable */
    assert_true(decode(0x14, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_OTHER);
}

static void test_debug_registers(void **state)
{
    (void)state;
    CODE(0x0f, 0x23, 0xf9); /* mov dr7, ecx */
    assert_true(decode(0x37, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_DR_ACCESS);
    assert_int_equal(vcpu.exit.dr.index, 7);
    assert_int_equal(vcpu.exit.dr.access, HV_WRITE);
    assert_int_equal(vcpu.exit.dr.gpr, GPR_RCX);
    hv_caps.decode_assists = true;
    assert_true(decode(0x26, 11, 0));
    assert_int_equal(vcpu.exit.dr.index, 6);
    assert_int_equal(vcpu.exit.dr.access, HV_READ);
    assert_int_equal(vcpu.exit.dr.gpr, 11);
}

static void test_port_io(void **state)
{
    (void)state;
    vcpu.regs.rax = 0x11223344;
    assert_true(decode(0x7b, 0x03f80010, 0x1001)); /* out dx, al */
    assert_int_equal(vcpu.exit.kind, HV_EXIT_IO_OUT);
    assert_int_equal(vcpu.exit.io.port, 0x3f8);
    assert_int_equal(vcpu.exit.io.size_bytes, 1);
    assert_int_equal(vcpu.exit.io.value, 0x44);
    assert_int_equal(vcpu.exit.instr_len_bytes, 1);
    assert_true(decode(0x7b, 0x0cfc0041, 0x1002)); /* in eax */
    assert_int_equal(vcpu.exit.kind, HV_EXIT_IO_IN);
    assert_int_equal(vcpu.exit.io.size_bytes, 4);

    CODE(0xf3, 0x26, 0x67, 0x6f); /* rep outsd es:[si]: EXITINFO1 tells neither segment nor size */
    assert_true(decode(0x7b, 0x0cf8004c, 0x1004));
    assert_true(vcpu.exit.io.string && vcpu.exit.io.rep);
    assert_int_equal(vcpu.exit.io.addr_bytes, 2);
    assert_int_equal(vcpu.exit.io.segment, HV_ES);
    hv_caps.decode_assists = true;
    code_bytes = 0;
    assert_true(decode(0x7b, 0x0cf8004c | 1u << 9 | HV_FS << 10, 0x1004));
    assert_int_equal(vcpu.exit.io.addr_bytes, 8);
    assert_int_equal(vcpu.exit.io.segment, HV_FS);
}

static void test_msr_cpuid_xsetbv_invlpg(void **state)
{
    (void)state;
    vcpu.regs.rcx = 0xffffffffc0000080;
    vcpu.regs.rax = 0xdeadbeef00000501;
    vcpu.regs.rdx = 0xdeadbeef00000002;
    assert_true(decode(0x7c, 1, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_WRMSR);
    assert_int_equal(vcpu.exit.msr.index, 0xc0000080);
    assert_true(vcpu.exit.msr.value == 0x200000501);
    assert_true(decode(0x7c, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_RDMSR);
    assert_true(decode(0x72, 0, 0));
    assert_int_equal(vcpu.exit.cpuid.leaf, 0x501);
    assert_true(decode(0x8d, 0, 0));
    assert_true(vcpu.exit.xsetbv.value == 0x200000501);
    CODE(0x0f, 0x01, 0x7b, 0x10); /* invlpg [ebx+0x10] */
    vcpu.regs.rbx = 0x7000;
    assert_true(decode(0x79, 0, 0));
    assert_true(vcpu.exit.invlpg.gva == 0x7010);
}

static void test_exceptions(void **state)
{
    const struct hv_intercepts watch_db = {.exceptions = 1u << X86_DB};

    (void)state;
    assert_true(decode(0x4e, 7, 0x12345678));
    assert_int_equal(vcpu.exit.exception.vector, X86_PF);
    assert_true(vcpu.exit.exception.has_error);
    assert_int_equal(vcpu.exit.exception.error_code, 7);
    assert_int_equal(vcpu.exit.exception.address, 0x12345678);
    assert_true(decode(0x46, 0xdead, 0));
    assert_false(vcpu.exit.exception.has_error);
    assert_true(decode(0x43, 0, 0));
    assert_int_equal(vcpu.exit.exception.type, HV_EVENT_SW_EXCEPTION);
    assert_int_equal(vcpu.exit.instr_len_bytes, 1);

    /* #DB watched: the guest's DR6 is parked, the VMCB's collects the reason of this trap alone. */
    svm_set(&vcpu, HV_ST_DR6, DR6_RESET | 1);
    svm_set_intercepts(&vcpu, &watch_db);
    assert_true(vmcb.guest_dr6 == DR6_RESET);
    assert_true(vmcb.intercept_dr_read & (1u << 6));
    vmcb.guest_dr6 |= DR6_BS;
    assert_true(decode(0x41, 0, 0));
    assert_int_equal(vcpu.exit.exception.address, DR6_BS);
    assert_true(vmcb.guest_dr6 == DR6_RESET);
    assert_true(svm_get(&vcpu, HV_ST_DR6) == (DR6_RESET | 1));
}

static void test_int3_without_bp_intercept(void **state)
{
    const struct hv_intercepts watch_bp = {.exceptions = 1u << X86_BP};

    (void)state;
    svm_set_intercepts(&vcpu, &watch_bp);
    assert_false(vmcb.intercept_misc1 & SVM1_INTN); /* real CPUs need no help */
    svm_caps.quirks = SVM_QUIRK_no_bp_intercept;
    svm_set_intercepts(&vcpu, &watch_bp);
    assert_true(vmcb.intercept_misc1 & SVM1_INTN);

    CODE(0xcc);
    assert_true(decode(0x75, 0, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_EXCEPTION);
    assert_int_equal(vcpu.exit.exception.vector, X86_BP);
    assert_int_equal(vcpu.exit.exception.type, HV_EVENT_SW_EXCEPTION);
    assert_int_equal(vcpu.exit.instr_len_bytes, 1);

    CODE(0xcd, 0x80); /* the guest's own system call: not ours, executed as an event */
    assert_false(decode(0x75, 0, 0));
    assert_true(vcpu.inject.valid);
    assert_int_equal(vcpu.inject.type, HV_EVENT_SOFT_INT);
    svm_event_load(&vcpu);
    assert_int_equal(vmcb.event_inject, 0x80000480);
    assert_true(vcpu.regs.rip == 0x1002); /* the return address */

    /* Its delivery is interrupted by a nested page fault: RIP goes back, the event comes again. */
    vmcb.exit_int_info = 0x80000480;
    assert_true(decode(0x400, 0, 0));
    assert_true(vcpu.regs.rip == 0x1000);
    assert_true(vcpu.exit.event.valid);
    assert_int_equal(vcpu.exit.event.instr_len_bytes, 2);
}

static void test_nested_page_fault(void **state)
{
    (void)state;
    assert_true(decode(0x400, NPF_FINAL | 4 | NPF_WRITE, 0xfec00010));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_NESTED_PAGE);
    assert_int_equal(vcpu.exit.nested.access, HV_WRITE);
    assert_int_equal(vcpu.exit.nested.gpa, 0xfec00010);
    assert_false(vcpu.exit.nested.present);
    assert_false(vcpu.exit.nested.page_walk);
    assert_true(decode(0x400, NPF_WALK | NPF_WRITE | NPF_PRESENT, 0x11331c006));
    assert_true(vcpu.exit.nested.gpa == 0x11331c006); /* all 64 bits */
    assert_true(vcpu.exit.nested.page_walk && vcpu.exit.nested.present);
    assert_true(decode(0x400, NPF_FINAL | NPF_FETCH, 0));
    assert_int_equal(vcpu.exit.nested.access, HV_EXEC);
    assert_true(decode(0x400, NPF_RESERVED | NPF_FINAL | NPF_PRESENT, 0));
    assert_int_equal(vcpu.exit.kind, HV_EXIT_NESTED_MISCONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_every_code_has_its_kind),
        CASE(test_invalid_is_compared_as_32_bits),
        CASE(test_bad_cr3_is_a_gp),
        CASE(test_cr_write_by_decoder),
        CASE(test_cr_write_by_assists),
        CASE(test_cr0_writes_that_change_nothing_are_quiet),
        CASE(test_cr4_writes),
        CASE(test_lmsw_and_smsw),
        CASE(test_bytes_that_are_no_such_instruction),
        CASE(test_debug_registers),
        CASE(test_port_io),
        CASE(test_msr_cpuid_xsetbv_invlpg),
        CASE(test_exceptions),
        CASE(test_int3_without_bp_intercept),
        CASE(test_nested_page_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
