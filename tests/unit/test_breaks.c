/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Breakpoints and the single step against a fake machine: where breakpoints are put, whose a hit is,
 * what the guest may see of a step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dbg/run.h"
#include "fake_target.h"

static struct fake f;
static struct codepool pool;
static struct breaks breaks;
static struct events events;
static struct run run;
static char said[1024];

static void say(void *ctx, const char *text, size_t len_bytes)
{
    size_t at = strlen(said);

    (void)ctx;
    if (at + len_bytes < sizeof(said)) {
        memcpy(said + at, text, len_bytes);
        said[at + len_bytes] = 0;
    }
}

static int setup(void **state)
{
    const struct dbg_out out = {NULL, say, NULL};

    (void)state;
    said[0] = 0;
    fake_init(&f);
    pool_reset(&pool);
    breaks_init(&breaks, &f.target, &pool, &out);
    events_init(&events, &f.target, &pool, &out);
    run_init(&run, &f.target, &breaks, &events);
    return 0;
}

static enum break_error insert(uint8_t type, uint64_t addr, uint64_t len)
{
    const struct break_request r = {.type = type, .addr_gva = addr, .len_bytes = len};

    return breaks_insert(&breaks, &r);
}

static void four_registers_then_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(insert(BREAK_SOFT, 0x2000 + 0x1000 * i, 1), BREAK_OK);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(breaks.bp[i].place, i < 4 ? PLACE_DR : PLACE_PAGE);
    assert_int_equal(f.page_count, 2);
    breaks_load(&breaks, 0, false, NULL);
    assert_true(f.borrowed);
    assert_int_equal(f.loaded.dr7, 0x400 | 0xaa); /* G0-G3, execute, length 1 */
    breaks_remove_all(&breaks);
    assert_int_equal(f.page_count, 0);
    breaks_load(&breaks, 0, false, NULL);
    assert_false(f.borrowed);
}

/* What is not mapped takes a register from what is, keeps it when it is mapped, and what finds none is
 * said to wait, once. */
static void unmapped_code_takes_the_registers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        insert(BREAK_HARD, 0x2000 + 0x1000 * i, 1);
    assert_int_equal(insert(BREAK_SOFT, FAKE_MEM_BYTES, 1), BREAK_OK);
    assert_int_equal(breaks.bp[5].place, PLACE_DR);
    assert_int_equal(breaks.bp[3].place, PLACE_PAGE);
    f.hole_gva = 0x2000; /* its page goes away ... */
    breaks_place(&breaks);
    assert_int_equal(breaks.bp[0].place, PLACE_DR);
    f.hole_gva = 0; /* ... and comes back: it may again */
    breaks_place(&breaks);
    assert_int_equal(breaks.bp[0].place, PLACE_DR);
    assert_int_equal(breaks.bp[5].place, PLACE_DR);
    assert_int_equal(breaks.bp[4].place, PLACE_PAGE);
    for (unsigned i = 0; i < 4; i++)
        insert(BREAK_SOFT, FAKE_MEM_BYTES + 0x1000 * (i + 1), 1);
    assert_true(breaks_any(&breaks, PLACE_UNMAPPED));
    assert_string_equal(said, "");
    run_resume(&run, 0, RUN_CONTINUE, 0, 0);
    assert_non_null(strstr(said, "waits: not mapped"));
    said[0] = 0;
    run_resume(&run, 0, RUN_CONTINUE, 0, 0);
    assert_string_equal(said, "");
}

static void watchpoint_displaces_code(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        insert(BREAK_HARD, 0x2000 + 0x1000 * i, 1);
    assert_int_equal(insert(BREAK_WRITE, 0x9000, 8), BREAK_OK);
    assert_int_equal(f.page_count, 1);
    breaks_load(&breaks, 0, false, NULL);
    assert_int_equal(f.loaded.dr7 & 0xf0000, 0x90000); /* slot 0: write, 8 bytes */
    assert_int_equal(f.loaded.addr[0], 0x9000);
}

static void guest_registers_are_left_to_the_guest(void **state)
{
    (void)state;
    f.own.dr7 = 0x400 | 2; /* G0 */
    f.own.addr[0] = 0x1234;
    insert(BREAK_HARD, 0x2000, 1);
    breaks_load(&breaks, 0, false, NULL);
    assert_int_equal(f.loaded.addr[0], 0x1234);
    assert_int_equal(f.loaded.addr[1], 0x2000);
    f.own.dr7 = 0x400 | 0xaa;
    breaks_place(&breaks);
    assert_int_equal(breaks.bp[0].place, PLACE_PAGE);
    assert_int_equal(insert(BREAK_WRITE, 0x3000, 4), BREAK_E_NO_REGISTER);
    assert_int_equal(breaks.count, 1);
}

static void bad_requests(void **state)
{
    static const uint8_t bad[] = {0xff, 0x27};
    struct break_request r = {.type = BREAK_SOFT,
                              .addr_gva = 0x2000,
                              .condition_count = 1,
                              .condition = {{bad, sizeof(bad)}}};

    (void)state;
    assert_int_equal(insert(BREAK_WRITE, 0x3001, 4), BREAK_E_ADDRESS);
    assert_int_equal(insert(BREAK_WRITE, 0x3000, 3), BREAK_E_ADDRESS);
    assert_int_equal(breaks_insert(&breaks, &r), BREAK_E_CODE);
    assert_int_equal(breaks.count, 0);
    assert_int_equal(pool.used_bytes, 0);
}

static struct dbg_exit debug_exit(uint64_t dr6)
{
    return (struct dbg_exit){.kind = TL_KIND_EXCEPTION, .vector = 1, .dr6 = dr6};
}

static void hit_with_condition(void **state)
{
    /* reg 0 (rax); end */
    static const uint8_t code[] = {0x26, 0, 0, 0x27};
    const struct break_request r = {.type = BREAK_SOFT,
                                    .addr_gva = 0x1000,
                                    .condition_count = 1,
                                    .condition = {{code, sizeof(code)}}};
    struct dbg_exit exit = debug_exit(1);
    bool stop;

    (void)state;
    assert_int_equal(breaks_insert(&breaks, &r), BREAK_OK);
    assert_true(run_owns_exit(&run, 0, &exit, &stop));
    assert_false(stop);
    assert_true(f.reg[TL_REG_eflags] & RFLAGS_RF); /* passes its own breakpoint */
    f.reg[TL_REG_rax] = 7;
    assert_true(run_owns_exit(&run, 0, &exit, &stop));
    assert_true(stop);
    assert_int_equal(run.stop.bp_addr, 0x1000);
}

/* A register and a page have one address each in them, by two types: what does not stop must pass both. */
static void two_places_of_one_address_are_passed(void **state)
{
    static const uint8_t never[] = {0x22, 0, 0x27}; /* const8 0; end */
    struct break_request r = {.type = BREAK_SOFT,
                              .addr_gva = 0x1000,
                              .condition_count = 1,
                              .condition = {{never, sizeof(never)}}};
    struct dbg_exit exit;
    bool stop;

    (void)state;
    f.own.dr7 = 0x42a; /* the guest has three of the registers */
    assert_int_equal(breaks_insert(&breaks, &r), BREAK_OK);
    r.type = BREAK_HARD;
    assert_int_equal(breaks_insert(&breaks, &r), BREAK_OK);
    assert_int_equal(breaks.bp[0].place, PLACE_PAGE);
    assert_int_equal(breaks.bp[1].place, PLACE_DR);
    run_before_entry(&run, 0);
    exit = debug_exit(1u << breaks.bp[1].slot);
    assert_true(run_owns_exit(&run, 0, &exit, &stop));
    assert_false(stop);
    assert_true(f.reg[TL_REG_eflags] & RFLAGS_RF); /* else it is hit again, for ever */
}

static void guests_own_breakpoint_is_not_ours(void **state)
{
    struct dbg_exit exit = debug_exit(1);
    bool stop;

    (void)state;
    f.own.dr7 = 0x402;
    insert(BREAK_HARD, 0x2000, 1); /* slot 1 */
    assert_false(run_owns_exit(&run, 0, &exit, &stop));
    exit = debug_exit(3); /* both */
    f.reg[TL_REG_rip] = 0x2000;
    assert_true(run_owns_exit(&run, 0, &exit, &stop));
    assert_true(stop && f.inject.valid && f.inject.vector == 1);
    assert_int_equal(f.guest_dr6, 1);
}

static void step(uint64_t dr6)
{
    struct dbg_exit exit = debug_exit(dr6);
    bool stop;

    assert_true(run_owns_exit(&run, 0, &exit, &stop));
    assert_true(stop);
}

static void plain_step_hides_tf_and_if(void **state)
{
    (void)state;
    f.reg[TL_REG_eflags] = 0x202;
    assert_true(run_resume(&run, 0, RUN_STEP, 0, 0));
    run_before_entry(&run, 0);
    assert_int_equal(f.reg[TL_REG_eflags], 0x102); /* TF set, interrupts held off */
    assert_true(f.stepping);
    assert_int_equal(f.wants.exceptions, STEP_EXCEPTIONS);
    f.reg[TL_REG_rip] = 0x1001;
    step(DR6_BS);
    assert_int_equal(f.reg[TL_REG_eflags], 0x202);
    assert_int_equal(run.stop.why, RUN_WHY_STEP);
    assert_false(f.inject.valid);
}

static void pushf_image_is_mended(void **state)
{
    uint64_t image = 0x102, seen;

    (void)state;
    f.mem[0x1000] = 0x9c;
    f.reg[TL_REG_eflags] = 0x202;
    run_resume(&run, 0, RUN_STEP, 0, 0);
    run_before_entry(&run, 0);
    f.reg[TL_REG_rip] = 0x1001;
    f.reg[TL_REG_rsp] = 0x7ff8;
    memcpy(f.mem + 0x7ff8, &image, 8);
    step(DR6_BS);
    memcpy(&seen, f.mem + 0x7ff8, 8);
    assert_int_equal(seen, 0x202);
}

/* With VME or PVI, and CPL above IOPL, CLI, STI and PUSHF are about VIF: IF is as the guest had it. */
static void virtual_interrupt_flag_leaves_if_alone(void **state)
{
    static const uint8_t opcodes[] = {0xfa, 0xfb};
    uint64_t image = 0x3102, seen; /* VIF in the place of IF, IOPL 3, the borrowed TF */

    (void)state;
    f.cpl = 3;
    for (unsigned i = 0; i < sizeof(opcodes); i++) {
        f.mem[0x1000] = opcodes[i];
        f.reg[TL_REG_rip] = 0x1000;
        f.reg[TL_REG_eflags] = 0x202;
        assert_true(run_resume(&run, 0, RUN_STEP, 0, 0));
        run_before_entry(&run, 0);
        f.reg[TL_REG_rip] = 0x1001;
        step(DR6_BS);
        assert_int_equal(f.reg[TL_REG_eflags], 0x202);
    }
    f.mem[0x1000] = 0x9c;
    f.reg[TL_REG_rip] = 0x1000;
    f.reg[TL_REG_eflags] = 0x20202; /* VM86 */
    run_resume(&run, 0, RUN_STEP, 0, 0);
    run_before_entry(&run, 0);
    f.reg[TL_REG_rip] = 0x1001;
    f.reg[TL_REG_rsp] = 0x7ff8;
    memcpy(f.mem + 0x7ff8, &image, 8);
    step(DR6_BS);
    memcpy(&seen, f.mem + 0x7ff8, 8);
    assert_int_equal(seen, 0x3002);
}

static void popf_keeps_what_it_loaded(void **state)
{
    (void)state;
    f.mem[0x1000] = 0x9d;
    run_resume(&run, 0, RUN_STEP, 0, 0);
    run_before_entry(&run, 0);
    f.reg[TL_REG_rip] = 0x1001;
    f.reg[TL_REG_eflags] = 0x302; /* popped: the guest's own TF and IF */
    step(DR6_BS);
    assert_int_equal(f.reg[TL_REG_eflags], 0x302);
    assert_false(f.inject.valid); /* its trap comes behind the next instruction */
}

static void sti_cli_hlt_need_no_entry(void **state)
{
    static const uint8_t code[] = {0xfb, 0xfa, 0xf4};

    (void)state;
    memcpy(f.mem + 0x1000, code, sizeof(code));
    assert_false(run_resume(&run, 0, RUN_STEP, 0, 0));
    assert_int_equal(f.reg[TL_REG_rip], 0x1001);
    assert_int_equal(f.reg[TL_REG_eflags], 0x202);
    assert_int_equal(f.shadow, 1); /* STI's shadow */
    assert_false(run_resume(&run, 0, RUN_STEP, 0, 0));
    assert_int_equal(f.reg[TL_REG_eflags], 2);
    assert_int_equal(f.shadow, 0);
    assert_false(run_resume(&run, 0, RUN_STEP, 0, 0));
    assert_int_equal(f.reg[TL_REG_rip], 0x1003);
    f.reg[TL_REG_rip] = 0x1000;
    f.cpl = 3; /* IOPL 0: STI faults, so the CPU does it */
    assert_true(run_resume(&run, 0, RUN_STEP, 0, 0));
}

static void int_is_injected_and_lands_in_its_handler(void **state)
{
    struct dbg_exit exit = {.kind = TL_KIND_NESTED_PAGE, .access = DBG_EXEC, .gpa = 0x3000};
    bool stop;

    (void)state;
    f.mem[0x1000] = 0xcd;
    f.mem[0x1001] = 0x80;
    f.reg[TL_REG_eflags] = 0x202;
    run_resume(&run, 0, RUN_STEP, 0, 0);
    run_before_entry(&run, 0);
    assert_int_equal(f.inject.vector, 0x80);
    assert_int_equal(f.inject.len_bytes, 2);
    assert_int_equal(f.reg[TL_REG_eflags], 0x202); /* what will be pushed */
    assert_true(f.held);
    f.inject.valid = false;
    f.reg[TL_REG_rip] = 0x3000;
    assert_true(run_owns_exit(&run, 0, &exit, &stop));
    assert_true(stop);
    assert_false(f.held);
}

static void fault_in_a_step_lands_in_its_handler(void **state)
{
    struct dbg_exit fault = {.kind = TL_KIND_EXCEPTION, .vector = 14};
    struct dbg_exit fetch = {.kind = TL_KIND_NESTED_PAGE, .access = DBG_EXEC, .gpa = 0x3000};
    bool stop;

    (void)state;
    f.reg[TL_REG_eflags] = 0x202;
    run_resume(&run, 0, RUN_STEP, 0, 0);
    run_before_entry(&run, 0);
    assert_false(run_owns_exit(&run, 0, &fault, &stop)); /* the guest's, with its own flags */
    assert_int_equal(f.reg[TL_REG_eflags], 0x202);
    fake_inject(&f, 0, DBG_EVENT_EXCEPTION, 14, 0); /* what core does */
    run_before_entry(&run, 0);
    assert_int_equal(f.reg[TL_REG_eflags], 0x202);
    assert_true(f.held);
    f.inject.valid = false;
    assert_true(run_owns_exit(&run, 0, &fetch, &stop));
    assert_true(stop);
}

static void syscall_lands_at_lstar(void **state)
{
    struct dbg_exit exit = debug_exit(1);
    bool stop;

    (void)state;
    f.mem[0x1000] = 0x0f;
    f.mem[0x1001] = 0x05;
    f.msr_value = 0x4000;
    run_resume(&run, 0, RUN_STEP, 0, 0);
    run_before_entry(&run, 0);
    assert_int_equal(f.reg[TL_REG_eflags], 2); /* R11 will hold the guest's own */
    assert_true(f.borrowed);
    assert_int_equal(f.loaded.addr[0], 0x4000);
    f.reg[TL_REG_rip] = 0x4000;
    assert_true(run_owns_exit(&run, 0, &exit, &stop));
    assert_true(stop);
    assert_false(f.inject.valid);
}

static void emulated_instruction_is_the_step(void **state)
{
    struct dbg_exit exit = {.kind = TL_KIND_CPUID};
    bool stop;

    (void)state;
    run_resume(&run, 0, RUN_STEP, 0, 0);
    run_before_entry(&run, 0);
    assert_false(run_owns_exit(&run, 0, &exit, &stop));
    assert_int_equal(f.reg[TL_REG_eflags], 2);
    f.reg[TL_REG_rip] = 0x1002;
    assert_true(run_step_done(&run, 0, &stop));
    assert_true(stop);
    assert_false(f.stepping);
}

static void step_over_own_page_breakpoint(void **state)
{
    struct dbg_exit exit = debug_exit(DR6_BS);
    bool stop;

    (void)state;
    f.own.dr7 = 0x4aa; /* the guest has all four */
    insert(BREAK_SOFT, 0x1000, 1);
    assert_int_equal(f.page_count, 1);
    assert_true(run_resume(&run, 0, RUN_CONTINUE, 0, 0));
    assert_int_equal(f.page_count, 0); /* lifted for one instruction */
    run_before_entry(&run, 0);
    assert_true(f.reg[TL_REG_eflags] & RFLAGS_TF);
    f.reg[TL_REG_rip] = 0x1001;
    assert_true(run_owns_exit(&run, 0, &exit, &stop));
    assert_false(stop);
    assert_int_equal(f.page_count, 1);
    assert_int_equal(f.reg[TL_REG_eflags], 2);
}

static void range_step_goes_on_inside(void **state)
{
    struct dbg_exit exit = debug_exit(DR6_BS);
    bool stop;

    (void)state;
    run_resume(&run, 0, RUN_RANGE, 0x1000, 0x1002);
    run_before_entry(&run, 0);
    f.reg[TL_REG_rip] = 0x1001;
    assert_true(run_owns_exit(&run, 0, &exit, &stop));
    assert_false(stop);
    run_before_entry(&run, 0);
    f.reg[TL_REG_rip] = 0x1002;
    assert_true(run_owns_exit(&run, 0, &exit, &stop));
    assert_true(stop);
}

static void guests_own_tf_gets_its_trap(void **state)
{
    (void)state;
    f.reg[TL_REG_eflags] = 0x102;
    run_resume(&run, 0, RUN_STEP, 0, 0);
    run_before_entry(&run, 0);
    f.reg[TL_REG_rip] = 0x1001;
    step(DR6_BS);
    assert_int_equal(f.reg[TL_REG_eflags], 0x102);
    assert_true(f.inject.valid && f.inject.vector == 1);
    assert_int_equal(f.guest_dr6, DR6_BS);
}

static void announced_code_breakpoint_is_not_delivered(void **state)
{
    (void)state;
    f.own.dr7 = 0x402; /* the guest's G0, execution, at the next instruction */
    f.own.addr[0] = 0x1001;
    run_resume(&run, 0, RUN_STEP, 0, 0);
    run_before_entry(&run, 0);
    f.reg[TL_REG_rip] = 0x1001;
    step(DR6_BS | 1);
    assert_false(f.inject.valid); /* it faults by itself when it is executed, or RF lets it pass */
    f.own.dr7 = 0x10402;          /* a watchpoint has happened */
    run_resume(&run, 0, RUN_STEP, 0, 0);
    run_before_entry(&run, 0);
    step(DR6_BS | 1);
    assert_true(f.inject.valid);
    assert_int_equal(f.guest_dr6, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(four_registers_then_pages, setup),
        cmocka_unit_test_setup(unmapped_code_takes_the_registers, setup),
        cmocka_unit_test_setup(watchpoint_displaces_code, setup),
        cmocka_unit_test_setup(guest_registers_are_left_to_the_guest, setup),
        cmocka_unit_test_setup(bad_requests, setup),
        cmocka_unit_test_setup(hit_with_condition, setup),
        cmocka_unit_test_setup(two_places_of_one_address_are_passed, setup),
        cmocka_unit_test_setup(guests_own_breakpoint_is_not_ours, setup),
        cmocka_unit_test_setup(plain_step_hides_tf_and_if, setup),
        cmocka_unit_test_setup(pushf_image_is_mended, setup),
        cmocka_unit_test_setup(virtual_interrupt_flag_leaves_if_alone, setup),
        cmocka_unit_test_setup(popf_keeps_what_it_loaded, setup),
        cmocka_unit_test_setup(sti_cli_hlt_need_no_entry, setup),
        cmocka_unit_test_setup(int_is_injected_and_lands_in_its_handler, setup),
        cmocka_unit_test_setup(fault_in_a_step_lands_in_its_handler, setup),
        cmocka_unit_test_setup(syscall_lands_at_lstar, setup),
        cmocka_unit_test_setup(emulated_instruction_is_the_step, setup),
        cmocka_unit_test_setup(step_over_own_page_breakpoint, setup),
        cmocka_unit_test_setup(range_step_goes_on_inside, setup),
        cmocka_unit_test_setup(guests_own_tf_gets_its_trap, setup),
        cmocka_unit_test_setup(announced_code_breakpoint_is_not_delivered, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
