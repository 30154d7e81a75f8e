/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The event engine against a fake machine: filters, stages, counts, actions, fuel, the index by kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "dbg/stub.h"
#include "fake_target.h"

static struct fake f;
static struct stub stub;
static char said[4096];

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
    const struct stub_host host = {.console_text = say};
    const struct dbg_out out = {NULL, say, NULL};

    (void)state;
    said[0] = 0;
    fake_init(&f);
    stub_init(&stub, &f.target, &host, &out);
    stub.reply.text_errors = true;
    stub.stopped = true;
    return 0;
}

static const char *ask(const char *packet)
{
    static char answer[REPLY_CAP_BYTES + 1];

    assert_int_equal(stub_packet(&stub, (const uint8_t *)packet, strlen(packet)), STUB_REPLY);
    memcpy(answer, stub.reply.bytes, stub.reply.len_bytes);
    answer[stub.reply.len_bytes] = 0;
    return answer;
}

static struct events_verdict happens(const struct dbg_exit exit, enum event_stage stage)
{
    f.exit = exit;
    if (!(stub.events.armed & DBG_KIND_BIT(exit.kind)))
        return (struct events_verdict){false, false};
    return events_run(&stub.events, 0, &f.exit, stage);
}

static void kind_and_stage(void **state)
{
    const struct dbg_exit cpuid = {.kind = TL_KIND_CPUID}, hlt = {.kind = TL_KIND_HLT};

    (void)state;
    assert_string_equal(ask("Qtl.event.add:kinds:cpuid;stage:after;"), "event:1;");
    assert_int_equal(f.armed, DBG_KIND_BIT(TL_KIND_CPUID));
    assert_int_equal(f.wants.kinds, DBG_KIND_BIT(TL_KIND_CPUID));
    assert_false(happens(cpuid, EVENT_BEFORE).stop);
    assert_true(happens(cpuid, EVENT_AFTER).stop);
    assert_false(happens(hlt, EVENT_AFTER).stop);
    assert_string_equal(ask("Qtl.event.del:1"), "OK");
    assert_int_equal(f.armed, 0);
    assert_string_equal(ask("Qtl.event.del:1"),
                        "E.no-event: no event or breakpoint with this number");
}

/* The exit path visits an event only through its kind's bit and index. */
static void thousand_of_other_kinds_are_not_visited(void **state)
{
    static const char *const others[] = {"hlt", "invlpg", "rdmsr", "triple-fault"};
    const struct dbg_exit cpuid = {.kind = TL_KIND_CPUID};
    unsigned visited = 0;
    char packet[64];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(packet, sizeof(packet), "Qtl.event.add:kinds:%s;", others[i % 4]);
        assert_memory_equal(ask(packet), "event:", 6);
    }
    assert_int_equal(f.armed & DBG_KIND_BIT(TL_KIND_CPUID), 0);
    ask("Qtl.event.add:kinds:cpuid;");
    for (unsigned word = 0; word < EVENTS_MAX / 64; word++)
        visited += (unsigned)__builtin_popcountll(stub.events.index[TL_KIND_CPUID][word]);
    assert_int_equal(visited, 1);
    assert_true(happens(cpuid, EVENT_BEFORE).stop);
    for (const struct event *e = events_next(&stub.events, 0); e;
         e = events_next(&stub.events, e->id))
        assert_int_equal(e->hits, e->id == 1001);
}

static void msr_filter_traps_only_its_msr(void **state)
{
    (void)state;
    ask("Qtl.event.add:kinds:rdmsr,wrmsr;only:c0000080;");
    assert_int_equal(f.msr_on, 0xc0000080);
    assert_int_equal(f.wants.kinds & DBG_KIND_BIT(TL_KIND_RDMSR), 0); /* the others run free */
    assert_true(happens((struct dbg_exit){.kind = TL_KIND_WRMSR, .msr = 0xc0000080}, 0).stop);
    assert_false(happens((struct dbg_exit){.kind = TL_KIND_WRMSR, .msr = 0x10}, 0).stop);
    ask("Qtl.event.disable:all");
    assert_int_equal(f.msr_on, 0);
}

static void wide_filter_traps_all(void **state)
{
    (void)state;
    ask("Qtl.event.add:kinds:rdmsr;only:0-ffffffff;");
    assert_true(f.wants.kinds & DBG_KIND_BIT(TL_KIND_RDMSR));
}

static void exception_vectors(void **state)
{
    (void)state;
    ask("Qtl.event.add:kinds:exception;only:e,d;");
    assert_int_equal(f.wants.exceptions, 1u << 14 | 1u << 13);
    assert_true(happens((struct dbg_exit){.kind = TL_KIND_EXCEPTION, .vector = 13}, 0).stop);
    assert_false(happens((struct dbg_exit){.kind = TL_KIND_EXCEPTION, .vector = 6}, 0).stop);
}

static void port_overlap(void **state)
{
    (void)state;
    ask("Qtl.event.add:kinds:io-out;only:3f9;");
    assert_true(
        happens((struct dbg_exit){.kind = TL_KIND_IO_OUT, .port = 0x3f8, .io_bytes = 2}, 0).stop);
    assert_false(
        happens((struct dbg_exit){.kind = TL_KIND_IO_OUT, .port = 0x3f8, .io_bytes = 1}, 0).stop);
}

static void condition_ignore_once(void **state)
{
    const struct dbg_exit cpuid = {.kind = TL_KIND_CPUID};

    (void)state;
    /* reg rax, const8 5, equal, end */
    assert_string_equal(ask("Qtl.event.add:kinds:cpuid;if:26000022051327;ignore:1;once:1;"),
                        "event:1;");
    assert_false(happens(cpuid, 0).stop);
    f.reg[TL_REG_rax] = 5;
    assert_false(happens(cpuid, 0).stop); /* ignored */
    assert_true(happens(cpuid, 0).stop);
    assert_null(events_find(&stub.events, 1));
    assert_int_equal(stub.pool.used_bytes, 0);
}

static void log_skip_set(void **state)
{
    (void)state;
    /* printf "%s %#lx\n" with two arguments (pushed last first), function and channel on top */
    assert_string_equal(ask("Qtl.event.add:kinds:cpuid;"
                            "do:log,260000"
                            "26003f"
                            "2200"
                            "2200"
                            "34020009"
                            "2573202523206c780a00"
                            "27;"),
                        "E.bad-code: the bytecode was refused"); /* wrong length of the format */
    assert_string_equal(ask("Qtl.event.add:kinds:cpuid;do:log,260000"
                            "22ee"
                            "2200"
                            "2200"
                            "340200072523"
                            "6c780a"
                            "0000"
                            "27;do:skip;"),
                        "E.bad-code: the bytecode was refused"); /* a NUL inside */
    assert_string_equal(ask("Qtl.event.add:kinds:cpuid;do:log,260000"
                            "220b"
                            "2200"
                            "2200"
                            "34020009"
                            "257320"
                            "25236c78"
                            "0a00"
                            "27;do:skip;"),
                        "event:1;");
    f.reg[TL_REG_rax] = 0xabc;
    assert_false(happens((struct dbg_exit){.kind = TL_KIND_CPUID}, 0).stop);
    assert_true(happens((struct dbg_exit){.kind = TL_KIND_CPUID}, 0).skip);
    assert_string_equal(said, "wrmsr 0xabc\nwrmsr 0xabc\n");
    ask("Qtl.event.del:all");
    /* setv rbx = 9 */
    assert_string_equal(ask("Qtl.event.add:kinds:cpuid;do:set,22092d000127;"), "event:2;");
    assert_false(happens((struct dbg_exit){.kind = TL_KIND_CPUID}, 0).stop);
    assert_int_equal(f.reg[TL_REG_rbx], 9);
}

static void fuel_disarms(void **state)
{
    const struct event *event;

    (void)state;
    ask("Qtl.event.add:kinds:cpuid;if:210000;"); /* goto 0 */
    event = events_next(&stub.events, 0);
    assert_non_null(event); /* accepted: an endless loop is for the fuel to end */
    assert_false(happens((struct dbg_exit){.kind = TL_KIND_CPUID}, 0).stop);
    assert_non_null(event->disarmed);
    assert_non_null(strstr(said, "disarmed"));
    assert_int_equal(stub.events.armed, 0);
    assert_non_null(strstr(ask("qtl.events"), "why:"));
}

static void refuses(void **state)
{
    (void)state;
    assert_non_null(strstr(ask("Qtl.event.add:kinds:nonsense;"), "E.no-kind"));
    assert_non_null(strstr(ask("Qtl.event.add:stage:before;"), "E.no-kind"));
    assert_non_null(strstr(ask("Qtl.event.add:kinds:cpuid;if:ff;"), "E.bad-code"));
    assert_non_null(strstr(ask("Qtl.event.add:kinds:cpuid;cpu:9;"), "E.no-cpu"));
    assert_non_null(strstr(ask("Qtl.event.add:kinds:cpuid;what:1;"), "E.syntax"));
    assert_non_null(strstr(ask("Qtl.event.add:kinds:cpuid;if:22;do:jump;"), "E."));
    assert_int_equal(stub.pool.used_bytes, 0);
}

static void thousand_of_others_cost_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        ask("Qtl.event.add:kinds:wbinvd;");
    assert_int_equal(stub.events.armed, DBG_KIND_BIT(TL_KIND_WBINVD));
    ask("Qtl.event.add:kinds:cpuid;");
    for (unsigned word = 0, bits = 0; word < EVENTS_MAX / 64; word++) {
        bits += (unsigned)__builtin_popcountll(stub.events.index[TL_KIND_CPUID][word]);
        if (word == EVENTS_MAX / 64 - 1)
            assert_int_equal(bits, 1);
    }
    assert_non_null(strstr(ask("qtl.events"), "next:"));
}

static void list_shows_what_was_set(void **state)
{
    (void)state;
    ask("Qtl.event.add:kinds:rdmsr;only:10-20,30;if:220127;do:stop;do:skip;off:1;once:1;ignore:2;");
    assert_string_equal(ask("qtl.events"),
                        "count:1;|event:1;mask:400;stage:before;hits:0;ignore:2;"
                        "only:10-20,30-30;once:1;off:1;if:220127;do:stop;do:skip;");
}

static void stops_for_nobody(void **state)
{
    const struct dbg_exit cpuid = {.kind = TL_KIND_CPUID};

    (void)state;
    ask("Qtl.event.add:kinds:cpuid;once:1;do:skip;do:stop;");
    events_alone(&stub.events, true);
    for (unsigned i = 0; i < 3; i++) {
        struct events_verdict verdict = happens(cpuid, EVENT_BEFORE);

        assert_false(verdict.stop);
        assert_true(verdict.skip); /* the rest is done */
    }
    assert_string_equal(said, "event 1 hit (cpuid), nobody is attached: the guest goes on\n");
    stub_session_begin(&stub);
    assert_non_null(strstr(ask("qtl.events"), "hits:3;"));
    assert_true(happens(cpuid, EVENT_BEFORE).stop);
    events_alone(&stub.events, true);
    ask("Qtl.event.add:kinds:cpuid;");
    assert_false(happens(cpuid, EVENT_BEFORE).stop);
    assert_non_null(strstr(said, "event 2 hit"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(kind_and_stage, setup),
        cmocka_unit_test_setup(stops_for_nobody, setup),
        cmocka_unit_test_setup(thousand_of_other_kinds_are_not_visited, setup),
        cmocka_unit_test_setup(msr_filter_traps_only_its_msr, setup),
        cmocka_unit_test_setup(wide_filter_traps_all, setup),
        cmocka_unit_test_setup(exception_vectors, setup),
        cmocka_unit_test_setup(port_overlap, setup),
        cmocka_unit_test_setup(condition_ignore_once, setup),
        cmocka_unit_test_setup(log_skip_set, setup),
        cmocka_unit_test_setup(fuel_disarms, setup),
        cmocka_unit_test_setup(refuses, setup),
        cmocka_unit_test_setup(thousand_of_others_cost_nothing, setup),
        cmocka_unit_test_setup(list_shows_what_was_set, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
