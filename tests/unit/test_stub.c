/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Line and stub against a fake machine, byte for byte: what a client of the UART sends and gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dbg/client.h"
#include "fake_target.h"

static struct fake f;
static struct client client;
static uint8_t in[8192], out[65536];
static size_t in_at, in_end, out_len;
static char guest_typed[256];

static size_t io_write(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    (void)ctx;
    assert_true(out_len + len_bytes < sizeof(out));
    memcpy(out + out_len, bytes, len_bytes);
    out_len += len_bytes;
    out[out_len] = 0;
    return len_bytes;
}

static int io_read(void *ctx)
{
    (void)ctx;
    if (in_at < in_end)
        return in[in_at++];
    f.now_us += 100; /* a look at a silent receiver takes its time */
    return -1;
}

static uint64_t io_clock(void *ctx)
{
    (void)ctx;
    return f.now_us;
}

static void typed(const uint8_t *bytes, size_t len_bytes)
{
    strncat(guest_typed, (const char *)bytes, len_bytes);
}

static int setup(void **state)
{
    const struct line_io io = {NULL, io_write, io_read, io_clock};

    (void)state;
    fake_init(&f);
    in_at = in_end = out_len = 0;
    guest_typed[0] = 0;
    client_guest_input = typed;
    client_init(&client, &f.target, &io);
    return 0;
}

static void feed(const char *bytes, size_t len_bytes)
{
    memcpy(in, bytes, len_bytes);
    in_at = 0;
    in_end = len_bytes;
    out_len = 0;
    out[0] = 0;
}

#define FEED(text_) feed(text_, sizeof(text_) - 1)

/* "$payload#xx" behind what is there. */
static void feed_packet(const char *payload)
{
    char frame[4200];
    uint8_t sum = 0;

    for (const char *c = payload; *c; c++)
        sum += (uint8_t)*c;
    feed(frame, (size_t)snprintf(frame, sizeof(frame), "$%s#%02x", payload, sum));
}

static void idle_gives_up(void *ctx)
{
    (void)ctx;
    client.stub.stopped = false; /* the test has fed all it wanted */
}

/* Stopped machine: feeds one packet and returns what came back. */
static const char *ask(const char *payload)
{
    feed_packet(payload);
    client.stub.stopped = true;
    while (line_pump(&client.line, 1))
        ;
    return (const char *)out;
}

/* A GDB that has attached to a stopped machine. */
static void attach(void)
{
    feed_packet("qSupported:swbreak+;hwbreak+;error-message+");
    client.line.running = false;
    client.stub.stopped = true;
    line_pump(&client.line, 1000);
    assert_non_null(strstr((char *)out, "PacketSize=1000"));
}

static void text_passes_to_the_guest(void **state)
{
    (void)state;
    FEED("ls -l\r\x03 $HOME/x");
    assert_false(
        client_poll(&client)); /* one look is enough: the guest may never let us look again */
    assert_string_equal(guest_typed, "ls -l\r\x03 $HOME/x"); /* 0x03 is the guest's ^C */
    assert_int_equal(out_len, 0);
    assert_int_equal(client.line.mode, LINE_TEXT);
}

static void bad_checksum_is_text(void **state)
{
    (void)state;
    FEED("$g#00");
    client_poll(&client);
    assert_string_equal(guest_typed, "$g#00");
    assert_int_equal(out_len, 0);
}

static void greeting_begins_a_session(void **state)
{
    (void)state;
    FEED("+$qSupported:swbreak+#8b");
    assert_false(client_poll(&client)); /* needs no stop */
    assert_int_equal(out[0], '+');
    assert_string_equal(guest_typed, "");
    assert_true(client_attached(&client));
    feed_packet("qSupported:swbreak+"); /* again at once: GDB took log text for a complaint */
    client_poll(&client);
    assert_string_equal((char *)out, "+");
    feed_packet("?");
    assert_true(client_poll(&client)); /* stops the running guest */
    assert_string_equal((char *)out, "+");
    out_len = 0;
    client_serve(&client, 0, RUN_WHY_BREAK_IN, idle_gives_up, NULL);
    assert_memory_equal(out, "$T02", 4);
}

static void registers(void **state)
{
    (void)state;
    attach();
    f.reg[TL_REG_rax] = 0x1122334455667788;
    assert_memory_equal(ask("g"), "+$8877665544332211", 18);
    assert_string_equal(ask("p10"), "+$0010*)#14");
}

static void register_writes(void **state)
{
    char wide[48];

    (void)state;
    attach();
    assert_string_equal(ask("P0=0100000000000000"), "+$OK#9a");
    assert_int_equal(f.reg[TL_REG_rax], 1);
    assert_non_null(strstr(ask("P41=0100000000000000"), "$E."));
    assert_non_null(strstr(ask("pfff"), "$E.no-register"));
    assert_non_null(strstr(ask("P0=01"), "$E.syntax"));
    assert_string_equal(ask("P19=0123456789abcdefc0ff"), "+$OK#9a"); /* st1: 80 bits */
    assert_non_null(strstr(ask("p19"), "$0123456789abcdefc0ff"));
    assert_non_null(strstr(ask("P19=0000000000c0ff3f"), "$E.syntax"));
    assert_non_null(strstr(ask("P19=0123456789abcdefc0ff22"), "$E.syntax"));
    /* 80 and 128 bits: all bytes or nothing. */
    assert_string_equal(ask("P18=0102030405060708090a"), "+$OK#9a");
    assert_int_equal(f.wide[TL_REG_st0][9], 10);
    assert_non_null(strstr(ask("P18=0102030405060708090a0b"), "$E.syntax"));
    assert_non_null(strstr(ask("P18=010203040506070809"), "$E.syntax"));
    assert_non_null(strstr(ask("P18=x"), "$E.syntax"));
    f.wide[TL_REG_xmm0][15] = 0;
    snprintf(wide, sizeof(wide), "P%x=000102030405060708090a0b0c0d0e0f", TL_REG_xmm0);
    assert_string_equal(ask(wide), "+$OK#9a");
    assert_int_equal(f.wide[TL_REG_xmm0][15], 15);
    wide[strlen(wide) - 1] = 'g';
    assert_non_null(strstr(ask(wide), "$E.syntax"));
}

/* Each of GDB's words in a form that it must not have: an error, never OK, never silence. */
static void malformed_packets_are_errors(void **state)
{
    static const char *const bad[] = {
        "Z0",
        "Z0,",
        "Z0,2000",
        "Z0,2000,",
        "Z0,zz,1",
        "Z0,2000,1;",
        "Z0,2000,1;X",
        "Z0,2000,1;X3",
        "Z0,2000,1;X3,",
        "Z0,2000,1;X3,2200",
        "Z0,2000,1;X3,220027;X",
        "Z0,2000,1;X1,ff",
        "Z0,2000,1;X0,",
        "Z0,2000,1;Xffffffffffffffff,00",
        "Z0,2000,1;cmds",
        "Z0,2000,1;cmds:0,",
        "Z0,2000,1;cmds:1",
        "Z0,2000,1;cmds:1,X3,2200",
        "Z0,2000,1;what:1",
        "Z1,,1",
        "Z1,2000,1;X2,2227",
        "Z0,10000000000000000,1",
        "Z2,2000,3",
        "Z2,2000,9",
        "Z2,2000,0",
        "Z2,2001,2",
        "Z3,2004,8",
        "Z4,2000,",
        "Z2,2000,10000000000000001",
        "z0",
        "z0,2000",
        "z0,2000,1;",
        "z2,zz,4",
        "vCont;r2000",
        "vCont;r2000,",
        "vCont;r2000,3000,4000",
        "vCont;r,3000",
        "vCont;r3000,2000",
        "vCont;q",
        "vCont;",
        "vCont;c:zz",
        "vCont;s:9",
        "vCont;S",
        "vCont;Szz",
        "m",
        "m2000",
        "m2000,",
        "mzz,1",
        "m2000,1,",
        "M2000,2:00",
        "M2000,1:zz",
        "M2000,1:0000",
        "M2000",
        "M2000,1",
        "X2000,2:a",
        "X2000,1",
        "X2000",
        "x2000",
        "xzz,1",
        "G0",
        "Gzz",
        "p",
        "pzz",
        "p1,",
        "P",
        "P1",
        "P1=",
        "P1=zz",
        "Hq1",
        "Hg",
        "Hgzz",
        "Hg99",
        "T",
        "T99",
        "Tzz",
        "qXfer:features:read:target.xml:",
        "qXfer:features:read:target.xml:0",
        "qXfer:features:read:target.xml:0,",
        "qXfer:features:read:other.xml:0,10",
        "qXfer:memory-map:read::",
        "qXfer:memory-map:read::zz,1",
        "qXfer:threads:read::0",
        "qCRC:",
        "qCRC:2000",
        "qCRC:2000,",
        "qCRC:zz,1",
        "qSearch:memory:",
        "qSearch:memory:2000",
        "qSearch:memory:2000;10",
        "qSearch:memory:2000;10;",
        "qSearch:memory:zz;10;a",
        "Qqemu.PhyMemMode:",
        "Qqemu.PhyMemMode:2",
        "Qqemu.PhyMemMode:zz",
        "qRcmd,z",
        "qThreadExtraInfo",
        "qThreadExtraInfo,",
        "qThreadExtraInfo,99",
        "Qtl.follow:0",
        "Qtl.follow:0,",
        "Qtl.follow:0,9,",
        "Qtl.follow:zz,9",
        "Qtl.follow:0,0",
        "Qtl.follow:0,201",
        "Qtl.follow:0,9;;",
        "Qtl.follow:0,1;0,1;0,1;0,1;0,1",
        "Qtl.option:",
        "Qtl.option:step-irqs=",
        "c zz",
        "czz",
        "szz",
        "Czz",
        "C",
        "S",
    };
    unsigned wrong = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *reply;

        setup(NULL);
        attach();
        reply = ask(bad[i]);
        if (strncmp(reply, "+$E", 3) || client.stub.breaks.count) {
            print_error("%s: %s\n", bad[i], reply);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* A thousand breakpoints: as many as there is room for, the others refused in words; edges of the address
 * space, one address twice by two types; and a detach leaves none. */
static void breakpoints_at_the_limits(void **state)
{
    char packet[40];
    unsigned taken = 0;

    (void)state;
    attach();
    for (unsigned i = 0; i < 1000; i++) {
        const char *reply;

        snprintf(packet, sizeof(packet), "Z0,%x,1", 0x1000 + 16 * i);
        reply = ask(packet);
        if (strstr(reply, "$OK"))
            taken++;
        else
            assert_non_null(strstr(reply, "$E.table-full"));
    }
    assert_int_equal(taken, BREAKS_MAX);
    assert_int_equal(client.stub.breaks.count, BREAKS_MAX);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(packet, sizeof(packet), "z0,%x,1", 0x1000 + 16 * i);
        assert_non_null(strstr(ask(packet), "$OK"));
    }
    assert_int_equal(client.stub.breaks.count, 0);
    assert_int_equal(f.page_count, 0);
    assert_non_null(strstr(ask("Z0,2fff,1"), "$OK"));
    assert_non_null(strstr(ask("Z0,7fffffffffff,1"), "$OK"));
    assert_non_null(strstr(ask("Z0,ffffffffffffffff,1"), "$OK"));
    assert_non_null(strstr(ask("Z1,2fff,1"), "$OK"));
    assert_int_equal(client.stub.breaks.count, 4);
    assert_non_null(strstr(ask("z0,2fff,1"), "$OK"));
    assert_int_equal(breaks_at(&client.stub.breaks, 0x2fff), PLACE_DR); /* the other one stays */
    for (unsigned i = 0; i < 8; i++) {
        snprintf(packet, sizeof(packet), "Z0,%x,1", 0x4000 + 0x1000 * i);
        assert_non_null(strstr(ask(packet), "$OK"));
    }
    assert_true(f.page_count > 0);
    ask("D");
    assert_int_equal(client.stub.breaks.count, 0);
    assert_int_equal(f.page_count, 0);
}

/* The bare line gets the short list of registers unless it asks for more. */
static void description_has_two_lengths(void **state)
{
    (void)state;
    attach();
    assert_null(strstr(ask("qXfer:features:read:target.xml:0,fff"), "xmm0"));
    assert_string_equal(ask("Qtl.option:description=full"), "+$OK#9a");
    assert_non_null(strstr(ask("qXfer:features:read:target.xml:0,fff"), "xmm0"));
    assert_true(tl_target_xml_full_len < 0xfff);
}

static void memory_ends_where_it_ends(void **state)
{
    (void)state;
    attach();
    f.mem[0xfffe] = 0xab;
    f.mem[0xffff] = 0xcd;
    assert_string_equal(ask("mfffe,8"), "+$abcd#8a");
    assert_string_equal(ask("m10000,8"), "+$E0e#da");
    assert_string_equal(ask("M100,2:1234"), "+$OK#9a");
    assert_int_equal(f.mem[0x100], 0x12);
    assert_non_null(strstr(ask("Mfffe,4:01020304"), "$E.no-memory")); /* whole, or nothing of it */
    assert_non_null(strstr(ask("Xfffe,4:abcd"), "$E.no-memory"));
    assert_int_equal(f.mem[0xfffe], 0xab);
    assert_int_equal(f.mem[0xffff], 0xcd);
    assert_string_equal(ask("M100,3:1234"), "+$E.syntax: the arguments do not have this packet's "
                                            "form#b1");
}

static void unknown_is_empty(void **state)
{
    (void)state;
    attach();
    assert_string_equal(ask("vFlashErase:0,1"), "+$#00");
    assert_string_equal(ask("vMustReplyEmpty"), "+$#00");
    assert_string_equal(ask("QStartNoAckMode"), "+$#00"); /* never on a bare line */
    assert_string_equal(ask("qtl.nonsense"), "+$#00");
    assert_string_equal(ask("qAttached"), "+$1#31");
}

static void nak_resends_and_noise_is_skipped(void **state)
{
    (void)state;
    attach();
    ask("qAttached");
    FEED("-");
    line_pump(&client.line, 10);
    assert_string_equal((char *)out, "$1#31");
    FEED("xyz$qAttached#8f");
    line_pump(&client.line, 100);
    assert_string_equal((char *)out, "+$1#31");
    FEED("$qAttached#8e");
    line_pump(&client.line, 100);
    assert_string_equal((char *)out, "-");
}

static void too_long_is_answered(void **state)
{
    char *big = calloc(1, 6000);

    (void)state;
    attach();
    memset(big, 'a', 5000);
    in_at = in_end = 0;
    {
        uint8_t sum = 0;
        int n;

        for (unsigned i = 0; i < 5000; i++)
            sum += 'a';
        n = snprintf((char *)in, sizeof(in), "$%s#%02x", big, sum);
        in_end = (size_t)n;
        out_len = 0;
    }
    line_pump(&client.line, 8000);
    assert_memory_equal(out, "+$E.too-long", 12);
    assert_string_equal(ask("qAttached"), "+$1#31");
    free(big);
}

static void break_in_while_stopped_is_silent(void **state)
{
    (void)state;
    attach();
    FEED("\x03");
    line_pump(&client.line, 10);
    assert_int_equal(out_len, 0);
}

/* `?` stops a running guest. A 0x03 behind it asks for the same stop: two replies would shift all later ones. */
static void break_in_while_a_stop_is_under_way(void **state)
{
    unsigned replies = 0;

    (void)state;
    attach();
    client.stub.stopped = false;
    line_set_running(&client.line, true);
    FEED("$?#3f\x03");
    assert_true(client_poll(&client));
    client_serve(&client, 0, RUN_WHY_BREAK_IN, idle_gives_up, NULL);
    for (const char *c = (const char *)out; (c = strstr(c, "$T02")) != NULL; c++)
        replies++;
    assert_int_equal(replies, 1);
}

/* GDB acknowledges the OK of its detach. That is nothing somebody typed. */
static void detach_types_nothing(void **state)
{
    (void)state;
    attach();
    assert_string_equal(ask("D"), "+$OK#9a");
    FEED("+");
    for (unsigned i = 0; i < 10; i++) {
        client_poll(&client);
        f.now_us += 100000;
    }
    assert_string_equal(guest_typed, "");
    FEED("+1\r"); /* a person does */
    client_poll(&client);
    f.now_us += 1000000;
    client_poll(&client);
    assert_string_equal(guest_typed, "+1\r");
}

static void repeated_resume_is_not_executed(void **state)
{
    (void)state;
    attach();
    f.mem[0x1000] = 0xfb; /* STI: the step needs no guest */
    f.mem[0x1001] = 0xfb;
    f.mem[0x1002] = 0xfb;
    assert_memory_equal(ask("vCont;s:1"), "+$T05", 5);
    assert_int_equal(f.reg[TL_REG_rip], 0x1001);
    f.now_us += 2000000; /* GDB's remotetimeout: the + was lost */
    assert_memory_equal(ask("vCont;s:1"), "+$T05", 5);
    assert_int_equal(f.reg[TL_REG_rip], 0x1001);
    ask("g");
    f.now_us += 2000000; /* another packet between: a person's second step */
    ask("vCont;s:1");
    assert_int_equal(f.reg[TL_REG_rip], 0x1002);
    ask("vCont;s:1"); /* at once: stepi 2 */
    assert_int_equal(f.reg[TL_REG_rip], 0x1003);
}

static void log_waits_while_stopped(void **state)
{
    (void)state;
    attach();
    out_len = 0;
    line_text(&client.line, LINE_LOG, "hello\n", 6);
    assert_int_equal(out_len, 0);
    line_set_running(&client.line, true);
    assert_string_equal((char *)out, "$O68656c6c6f0a#87");
    out_len = 0;
    line_text(&client.line, LINE_CONSOLE, "a", 1);
    f.now_us += 100000;
    line_text(&client.line, LINE_CONSOLE, "b\n", 2);
    assert_non_null(strstr((char *)out, "$O"));
}

static void detach_lets_go(void **state)
{
    (void)state;
    attach();
    ask("Z0,2000,1");
    assert_int_equal(client.stub.breaks.count, 1);
    assert_string_equal(ask("D"), "+$OK#9a");
    assert_int_equal(client.stub.breaks.count, 0);
    assert_false(client.stub.stopped);
    assert_false(client_attached(&client));
    attach(); /* the next one finds a clean start */
}

static void kill_never_resets(void **state)
{
    (void)state;
    attach();
    assert_string_equal(ask("k"), "+");
    assert_int_equal(f.reboots, 0);
    assert_false(client_attached(&client));
}

static void dead_guest_does_not_resume(void **state)
{
    (void)state;
    attach();
    client.stub.dead = true;
    assert_non_null(strstr(ask("vCont;c"), "$E.dead"));
    ask("P10=0020000000000000");
    ask("vCont;c");
    assert_int_equal(f.revived, 1);
}

static void breakpoint_packets(void **state)
{
    (void)state;
    attach();
    assert_string_equal(ask("Z0,1000,1;X3,220127"), "+$OK#9a");
    assert_string_equal(ask("z0,1000,1"), "+$OK#9a");
    assert_non_null(strstr(ask("Z0,1000,1;X2,ff27"), "$E.bad-code"));
    assert_non_null(strstr(ask("Z0,1000,1;Y"), "$E.syntax")); /* never OK for what we cannot do */
    assert_non_null(strstr(ask("Z2,1001,4"), "$E.bad-value"));
    assert_string_equal(ask("Z7,0,0"), "+$#00");
    assert_int_equal(client.stub.breaks.count, 0);
}

static void search_and_crc(void **state)
{
    (void)state;
    attach();
    memset(f.mem, 0, FAKE_MEM_BYTES);
    memcpy(f.mem + 0x4ffe, "needle", 6); /* across a window */
    assert_string_equal(ask("qSearch:memory:0;8000;needle"), "+$1,4ffe#c2");
    assert_string_equal(ask("qSearch:memory:5000;1000;needle"), "+$0#30");
    memcpy(f.mem, "123456789", 9);
    assert_string_equal(ask("qCRC:0,9"), "+$C0376e6e7#4a"); /* CRC-32/MPEG-2 check value */
}

static void followed_memory_is_summed_at_each_stop(void **state)
{
    (void)state;
    attach();
    memcpy(f.mem, "123456789", 9);
    f.mem[0x1000] = 0xfb; /* STI: the step needs no guest */
    assert_null(strstr(ask("?"), "tl.crc"));
    assert_string_equal(ask("Qtl.follow:0,4;4,5"), "+$OK#9a");
    assert_non_null(strstr(ask("?"), "tl.crc:0376e6e7;"));
    ask("Qtl.follow:0,4;zz"); /* refused whole: the list stays */
    assert_non_null(strstr(ask("vCont;s:1"), "tl.crc:0376e6e7;"));
    f.mem[8] = '8';
    assert_non_null(strstr(ask("?"), "tl.crc:"));
    assert_null(strstr(ask("?"), "tl.crc:0376e6e7;"));
    ask("Qtl.follow:0,9;ffffffffffffff00,200"); /* beyond the end of everything */
    assert_null(strstr(ask("?"), "tl.crc"));
    ask("Qtl.follow:0,9");
    assert_non_null(strstr(ask("?"), "tl.crc"));
    ask("D");
    attach();
    assert_null(strstr(ask("?"), "tl.crc")); /* it was the last client's wish */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(text_passes_to_the_guest, setup),
        cmocka_unit_test_setup(bad_checksum_is_text, setup),
        cmocka_unit_test_setup(greeting_begins_a_session, setup),
        cmocka_unit_test_setup(registers, setup),
        cmocka_unit_test_setup(register_writes, setup),
        cmocka_unit_test_setup(malformed_packets_are_errors, setup),
        cmocka_unit_test_setup(breakpoints_at_the_limits, setup),
        cmocka_unit_test_setup(description_has_two_lengths, setup),
        cmocka_unit_test_setup(memory_ends_where_it_ends, setup),
        cmocka_unit_test_setup(unknown_is_empty, setup),
        cmocka_unit_test_setup(nak_resends_and_noise_is_skipped, setup),
        cmocka_unit_test_setup(too_long_is_answered, setup),
        cmocka_unit_test_setup(break_in_while_stopped_is_silent, setup),
        cmocka_unit_test_setup(break_in_while_a_stop_is_under_way, setup),
        cmocka_unit_test_setup(detach_types_nothing, setup),
        cmocka_unit_test_setup(repeated_resume_is_not_executed, setup),
        cmocka_unit_test_setup(log_waits_while_stopped, setup),
        cmocka_unit_test_setup(detach_lets_go, setup),
        cmocka_unit_test_setup(kill_never_resets, setup),
        cmocka_unit_test_setup(dead_guest_does_not_resume, setup),
        cmocka_unit_test_setup(breakpoint_packets, setup),
        cmocka_unit_test_setup(search_and_crc, setup),
        cmocka_unit_test_setup(followed_memory_is_summed_at_each_stop, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
