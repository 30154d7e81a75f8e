/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the broker may say again, and what it must ask anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/broker_cache.h"

#define NOW_MS 1u

static struct broker_cache *cache;
static uint8_t reply[4096];

static int setup(void **state)
{
    (void)state;
    cache = broker_cache_new();
    broker_cache_restart(cache, true, true);
    return cache ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    broker_cache_free(cache);
    return 0;
}

static void keep(const char *request, const char *answer, uint64_t now_ms)
{
    size_t got = broker_cache_keep(cache, request, strlen(request), (const uint8_t *)answer,
                                   strlen(answer), now_ms, reply, sizeof(reply));

    reply[got] = 0;
}

/* NULL: must be asked. */
static const char *find(const char *request, uint64_t now_ms)
{
    long got = broker_cache_find(cache, request, strlen(request), now_ms, reply, sizeof(reply) - 1);

    if (got < 0)
        return NULL;
    reply[got] = 0;
    return (const char *)reply;
}

static void memory_lasts_a_stop(void **state)
{
    (void)state;
    keep("m1000,4", "fa00ebfe", 10);
    assert_string_equal(find("m1001,2", 11), "00eb");
    assert_null(find("m1001,4", 11)); /* one byte too far */
    assert_null(find("mfff,2", 11));
    assert_null(find("m1000,4", 10 + CACHE_MEMORY_MS)); /* a device may have written it */
    broker_cache_drop(cache);
    assert_null(find("m1000,4", 11));
    keep("m2000,4", "E0e", 12); /* not memory */
    assert_null(find("m2000,1", 12));
}

static void long_reads_go_as_bytes(void **state)
{
    char request[64];
    size_t len_bytes = broker_cache_ask(cache, "m1000,10", 8, request, sizeof(request));

    (void)state;
    assert_memory_equal(request, "x1000,10", len_bytes);
    keep("m1000,10", "b0123456789abcdef", 1);
    assert_string_equal((const char *)reply, "30313233343536373839616263646566");
    assert_string_equal(find("m100f,1", 1), "66");
    keep("m3000,10", "bxy", 1); /* the rest cannot be read */
    assert_string_equal((const char *)reply, "7879");
    assert_null(find("m3000,10", 1));
}

static void a_stop_brings_registers(void **state)
{
    (void)state;
    broker_cache_stop(cache, "T0510:2101100000000000;07:0000020000000000;thread:1;tl.why:step;",
                      NOW_MS);
    assert_string_equal(find("p10", 1), "2101100000000000");
    assert_string_equal(find("p7", 1), "0000020000000000");
    assert_null(find("p6", 1));
    broker_cache_drop(cache);
    assert_null(find("p10", 1));
}

#define SIXTEEN "b0123456789abcdef"
#define CRC     "dbd233b1" /* of the sixteen digits, start ~0 */

/* "" when there is nothing to say. */
static const char *follow(void)
{
    static char packet[256];

    packet[broker_cache_follow(cache, packet, sizeof(packet) - 1)] = 0;
    return packet;
}

static void stop(const char *text)
{
    broker_cache_drop(cache); /* the resume, and the stop */
    broker_cache_stop(cache, text, NOW_MS);
}

static void what_is_read_at_each_stop_is_followed(void **state)
{
    (void)state;
    stop("T05thread:1;");
    keep("m1000,10", SIXTEEN, 1);
    keep("m2000,4", "00000000", 1); /* too short to be worth it */
    assert_string_equal(follow(), "");
    stop("T05thread:1;");
    assert_null(find("m1000,10", 1));
    keep("m1000,10", SIXTEEN, 1);
    keep("m2000,4", "00000000", 1);
    assert_string_equal(follow(), "Qtl.follow:1000,10");
    assert_string_equal(follow(), ""); /* said once */
    stop("T05thread:1;tl.crc:" CRC ";");
    assert_string_equal(find("m100f,1", 1), "66");
    assert_null(find("m2000,4", 1));
    broker_cache_drop(cache); /* a write at this stop */
    assert_null(find("m100f,1", 1));
}

static void a_checksum_that_differs_ends_it(void **state)
{
    what_is_read_at_each_stop_is_followed(state);
    stop("T05thread:1;tl.crc:dbd233b0;");
    assert_null(find("m1000,10", 1));
    stop("T05thread:1;"); /* nothing said: a page was unmapped */
    assert_null(find("m1000,10", 1));
    stop("T05thread:1;tl.crc:" CRC ";"); /* as it was again */
    assert_string_equal(find("m1000,1", 1), "30");
    assert_null(find("m1000,10", 1 + CACHE_MEMORY_MS));
}

static void the_four_wanted_last_are_followed(void **state)
{
    static const char *const reads[] = {"m1000,10", "m2000,10", "m3000,10", "m4000,10", "m5000,10"};

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        stop("T05thread:1;");
        for (unsigned i = 0; i < 4; i++)
            keep(reads[i], SIXTEEN, 1);
    }
    assert_string_equal(follow(), "Qtl.follow:1000,10;2000,10;3000,10;4000,10");
    for (unsigned round = 0; round < 2; round++) {
        stop("T05thread:1;");
        for (unsigned i = 0; i < 5; i++)
            if (i != 1)
                keep(reads[i], SIXTEEN, 1);
    }
    assert_string_equal(follow(), "Qtl.follow:1000,10;5000,10;3000,10;4000,10");
    for (unsigned i = 0; i < 100; i++) { /* others come and go, those stay */
        char read[32];

        snprintf(read, sizeof(read), "m%x,10", 0x9000 + 16 * i);
        keep(read, SIXTEEN, 1);
    }
    assert_non_null(find("m5000,10", 1));
    assert_null(find("m2000,10", 1));
}

static void a_stub_that_does_not_follow(void **state)
{
    (void)state;
    broker_cache_restart(cache, false, true);
    for (unsigned round = 0; round < 4; round++) {
        stop("T05thread:1;tl.crc:ffffffff;"); /* of nothing */
        keep("m1000,10", SIXTEEN, 1);
        assert_string_equal(follow(), "");
    }
    broker_cache_restart(cache, true, true);
    for (unsigned round = 0; round < 2; round++) {
        stop("T05thread:1;");
        keep("m1000,10", SIXTEEN, 1);
    }
    assert_string_equal(follow(), "Qtl.follow:1000,10");
    broker_cache_follow_refused(cache);
    stop("T05thread:1;tl.crc:" CRC ";");
    assert_null(find("m1000,10", 1));
    keep("m1000,10", SIXTEEN, 1);
    assert_string_equal(follow(), "");
}

static void what_the_stub_is_lasts(void **state)
{
    (void)state;
    keep("qfThreadInfo", "m1", 1);
    keep("qThreadExtraInfo,1", "6c6f6e67", 1);
    keep("qCRC:1000,4", "C12345678", 1);
    keep("qRcmd,68", "OK", 1);
    keep("M1000,1:00", "OK", 1);
    assert_string_equal(find("qThreadExtraInfo,1", 1), "6c6f6e67");
    assert_null(find("qCRC:1000,4", 1));
    assert_null(find("qRcmd,68", 1));
    assert_null(find("M1000,1:00", 1));
    broker_cache_drop(cache);
    assert_string_equal(find("qfThreadInfo", 1), "m1");
    assert_null(find("qThreadExtraInfo,1", 1));
    broker_cache_restart(cache, false, false); /* another session */
    assert_null(find("qfThreadInfo", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_lasts_a_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(long_reads_go_as_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_brings_registers, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_read_at_each_stop_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_checksum_that_differs_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_four_wanted_last_are_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stub_that_does_not_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_stub_is_lasts, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
