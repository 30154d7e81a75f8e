/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The exit counters: every exit is in a row or in `others`, fast CPUIDs too; a full table loses no
 * count; and qtl.stats gives the rows out in order, page by page, each once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/exit_stats.h"
#include "core/ring.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "dbg/target_impl.h"

uint64_t tsc_khz = 1000;

static struct vcpu vcpu;
static struct exit_ring ring;

void *pages_alloc(size_t count_pages)
{
    return calloc(count_pages, 4096);
}

static int setup(void **state)
{
    (void)state;
    memset(&vcpu, 0, sizeof(vcpu));
    memset(&ring, 0, sizeof(ring));
    vcpu.ring = &ring;
    return exit_stats_init(&vcpu) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    free(vcpu.stats);
    return 0;
}

static void rdmsr_exit(uint32_t index, uint64_t rip, uint64_t cycles)
{
    vcpu.exit.kind = HV_EXIT_RDMSR;
    vcpu.exit.msr.index = index;
    vcpu.exit_count++;
    ring.kind_count[HV_EXIT_RDMSR]++;
    ring.kind_cycles[HV_EXIT_RDMSR] += cycles;
    exit_stats_count(&vcpu, HV_EXIT_RDMSR, 0x10, rip, cycles);
}

static void fast_cpuid(uint32_t leaf, uint64_t rip)
{
    vcpu.regs.rax = leaf;
    vcpu.regs.rip = rip;
    vcpu.exit.cs_selector = 0x33;
    vcpu.exit_count++;
    exit_stats_fast(&vcpu);
}

static const struct exit_stat *find(enum exit_stats_table table, enum hv_exit_kind kind,
                                    uint64_t value)
{
    unsigned count;
    const struct exit_stat *rows = exit_stats_rows(&vcpu, table, &count);

    for (unsigned i = 0; i < count; i++)
        if (rows[i].tag && (rows[i].tag & 0xff) == kind && rows[i].value == value)
            return &rows[i];
    return NULL;
}

static void each_exit_has_its_rows(void **state)
{
    const struct exit_stat *row;

    (void)state;
    rdmsr_exit(0xc0000080, 0x1000, 5);
    rdmsr_exit(0xc0000080, 0x2000, 7);
    vcpu.exit.kind = HV_EXIT_HLT; /* about nothing in particular */
    exit_stats_count(&vcpu, HV_EXIT_HLT, 0x10, 0x1000, 11);
    row = find(EXIT_STATS_INDEX, HV_EXIT_RDMSR, 0xc0000080);
    assert_non_null(row);
    assert_int_equal(row->count, 2);
    assert_int_equal(row->timed, 2);
    assert_int_equal(row->cycles, 12);
    /* One RIP, two kinds: two rows. */
    assert_int_equal(find(EXIT_STATS_RIP, HV_EXIT_RDMSR, 0x1000)->cycles, 5);
    assert_int_equal(find(EXIT_STATS_RIP, HV_EXIT_HLT, 0x1000)->cycles, 11);
    assert_null(find(EXIT_STATS_INDEX, HV_EXIT_HLT, 0));
}

static void runs_of_cpuid_are_whole(void **state)
{
    const struct exit_stat *row;

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        fast_cpuid(0, 0x5000);
    for (unsigned i = 0; i < 10; i++)
        fast_cpuid(i & 1, 0x6000);
    exit_stats_flush(&vcpu);
    exit_stats_flush(&vcpu);
    row = find(EXIT_STATS_INDEX, HV_EXIT_CPUID, 0);
    assert_int_equal(row->count, 1005);
    assert_int_equal(row->timed, 0);
    assert_int_equal(find(EXIT_STATS_INDEX, HV_EXIT_CPUID, 1)->count, 5);
    assert_int_equal(find(EXIT_STATS_RIP, HV_EXIT_CPUID, 0x5000)->count, 1000);
    assert_int_equal(find(EXIT_STATS_RIP, HV_EXIT_CPUID, 0x6000)->count, 10);
    assert_int_equal(find(EXIT_STATS_RIP, HV_EXIT_CPUID, 0x6000)->tag >> 8 & 0xffff, 0x33);
    assert_int_equal(vcpu.ring->kind_count[HV_EXIT_CPUID], 1010);
    assert_int_equal(vcpu.stats->fast_count, 1010);
}

static void a_full_table_loses_no_count(void **state)
{
    uint64_t total = 0, cycles = 0, used = 0;
    unsigned count;
    const struct exit_stat *rows;

    (void)state;
    for (uint32_t i = 0; i < 20000; i++)
        rdmsr_exit(i * 8, 0x100000 + i * 16, 3);
    for (enum exit_stats_table table = 0; table < EXIT_STATS_TABLES; table++) {
        total = vcpu.stats->others[table].count;
        cycles = vcpu.stats->others[table].cycles;
        used = 0;
        assert_true(total > 0);
        rows = exit_stats_rows(&vcpu, table, &count);
        for (unsigned i = 0; i < count; i++) {
            total += rows[i].count;
            cycles += rows[i].cycles;
            used += rows[i].tag != 0;
        }
        assert_int_equal(total, 20000);
        assert_int_equal(cycles, 60000);
        assert_true(used > count * 9 / 10); /* the hash spreads neighbours */
    }
}

static struct reply reply;

static int ask(const char *text)
{
    reply_reset(&reply);
    return target_stats(&vcpu, args_of(text, strlen(text)), &reply);
}

static const char *answer(void)
{
    assert_false(reply.overflow);
    assert_true(reply.len_bytes < sizeof(reply.bytes));
    reply.bytes[reply.len_bytes] = '\0';
    return (const char *)reply.bytes;
}

/* Asks page by page; the rows' counts, in the order they came. */
static unsigned collect(const char *what, uint64_t *counts, unsigned cap)
{
    char question[80], next[48] = "";
    unsigned n = 0;

    do {
        const char *text, *at;

        snprintf(question, sizeof(question), "%s%s%s", what, *next ? "," : "", next);
        assert_int_equal(ask(question), 0);
        text = answer();
        at = strstr(text, "next:");
        next[0] = '\0';
        if (at)
            snprintf(next, sizeof(next), "%.*s", (int)strcspn(at + 5, ";"), at + 5);
        for (at = strchr(text, '|'); at; at = strchr(at + 1, '|')) {
            assert_true(n < cap);
            counts[n++] = strtoull(strstr(at, "count:") + 6, NULL, 16);
        }
    } while (*next);
    return n;
}

static void pages_are_in_order_and_whole(void **state)
{
    static uint64_t counts[3000];
    uint64_t sum = 0;
    unsigned n;

    (void)state;
    for (uint32_t i = 0; i < 150; i++)
        for (uint32_t k = 0; k <= i / 3; k++) /* three of each count */
            rdmsr_exit(i, 0x1000 + i, i);
    fast_cpuid(7, 0x9999);
    for (unsigned order = 0; order < 2; order++) {
        n = collect(order ? "msr,cycles" : "msr,count", counts, 3000);
        assert_int_equal(n, 150);
        sum = 0;
        for (unsigned i = 0; i < n; i++) {
            sum += counts[i];
            assert_true(i == 0 || counts[i] <= counts[i - 1]);
        }
        assert_int_equal(sum, vcpu.exit_count - 1);
    }
    assert_int_equal(collect("rip,count", counts, 3000), 151);
    assert_int_equal(collect("leaf,count", counts, 3000), 1);
    assert_int_equal(counts[0], 1);
    assert_int_equal(collect("port,count", counts, 3000), 0);
}

static void the_longest_rows_fit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        vcpu.exit.kind = HV_EXIT_PREEMPTION_TIMER;
        exit_stats_count(&vcpu, HV_EXIT_PREEMPTION_TIMER, 0xffff, UINT64_MAX - i, 1);
    }
    for (unsigned i = 0; i < EXIT_STATS_ROWS_RIP; i++)
        if (vcpu.stats->rip[i].tag)
            vcpu.stats->rip[i].count = vcpu.stats->rip[i].timed = vcpu.stats->rip[i].cycles =
                UINT64_MAX - i;
    vcpu.exit_count = UINT64_MAX;
    assert_int_equal(ask("rip"), 0);
    answer();
}

static void questions_that_cannot_be_read(void **state)
{
    static const char *const bad[] = {"x",
                                      "ri",
                                      "rip,x",
                                      "rip,count,1",
                                      "rip,cycles,1,",
                                      "rip,count,1,2,",
                                      "msr,count,g,1",
                                      ",",
                                      "rip,count,11112222333344445,1"};

    (void)state;
    rdmsr_exit(1, 1, 1);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ask(bad[i]), -1 - (int)TL_E_syntax);
    assert_int_equal(ask(""), 0);
    assert_non_null(strstr(answer(), "kind:rdmsr;count:1;timed:1;cycles:1;"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_exit_has_its_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_of_cpuid_are_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_table_loses_no_count, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_are_in_order_and_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_rows_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(questions_that_cannot_be_read, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
