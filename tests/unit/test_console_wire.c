/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stub that lies: every command is answered with pieces of replies in any order, too long, cut off,
 * or not at all text. The console may complain as much as it likes; it must not crash, hang, or read
 * what is not there (ASan, UBSan).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/console.h"
#include "monitor/console_impl.h"
#include "monitor/out.h"
#include "monitor/session_impl.h"
#include "monitor/shots.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "monitor/view.h"

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint64_t any(uint64_t below)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % below;
}

/* A record of the ring, number 1, of a kind that is no kind of ours. */
#define ZEROS_16 "0000000000000000"
#define ZEROS_64 ZEROS_16 ZEROS_16 ZEROS_16 ZEROS_16
#define RING_RECORD(kind_)                                                                         \
    "|" ZEROS_16 "0100000000000000"                                                                \
    "00000000" kind_ "000000" ZEROS_64 ZEROS_64 ZEROS_64 ZEROS_64 ZEROS_16

static size_t lie(uint8_t *reply, size_t cap_bytes)
{
    static const char *const parts[] = {
        "count:",
        "5;",
        "next:",
        "ffffffffffffffff;",
        "|",
        "kind:",
        "cr0-write;",
        "value:80000011;",
        "old:",
        "11;",
        "vendor:vmx;",
        "vendor:svm;",
        "cpus:2;",
        "cpus:ffff;",
        "reason:1c;",
        "index:c0000080;",
        "slot:",
        "0;",
        "6820=1;",
        "681e=100143;",
        "t:guest;",
        "t:nested;",
        "level:4;",
        "entry:",
        "at:0;",
        "mode:pae;",
        "mode:",
        "result:ok;",
        "first:1;",
        "last:9;",
        "last:ffffffffffffffff;",
        "exits:0;",
        "rows:",
        "next:5,1;",
        "others:1;",
        "hits:3;",
        "count:2;",
        "timed:2;",
        "cycles:3;",
        "where:area;",
        "load:1;",
        "first:1;last:9;count:1;" RING_RECORD("ff"), /* no such kind */
        "first:1;last:9;count:1;" RING_RECORD("01"),
        "store:1;",
        "OK",
        "E.no-memory: not there",
        "E01",
        "E",
        "l",
        "m",
        "lverdict\n",
        "00",
        "0011223344556677",
        "xxxxxxxx",
        ";",
        ":",
        "=",
        "name:",
        "event:1;",
        "mask:",
        "hits:2;",
        "m480=5",
        "c1.a=1",
        "\x01\xff",
        "%s%n%d",
        "vector:e;",
        "type:3;",
        "vec:80000b0e;",
        "m480=",
        "insn:0f22c0;",
        "why:6869;",
        "g.read:1;",
        "cr0.read:11;",
        "cr0.wrote:80000011;",
        "efer.where:area;",
    };
    size_t to = 0, pieces = any(30);

    if (any(20) == 0) { /* a long run of digits */
        to = any(cap_bytes);
        memset(reply, "0f1x"[any(4)], to);
        return to;
    }
    for (size_t i = 0; i < pieces; i++) {
        const char *part = parts[any(sizeof(parts) / sizeof(parts[0]))];
        size_t len_bytes = strlen(part);

        if (to + len_bytes > cap_bytes)
            break;
        memcpy(reply + to, part, len_bytes);
        to += len_bytes;
    }
    return to;
}

static bool liar_send(struct session *session, const uint8_t *payload, size_t len_bytes)
{
    static const char *const stops[] = {
        "T05thread:1;tl.why:event;tl.kind:cr0-write;tl.event:1;",
        "T05",
        "S05",
        "T0B10:0;tl.why:dead;",
        "T05watch:1000;tl.why:breakpoint;",
        "E.dead: no",
        "",
        "T05tl.why:;tl.kind:;thread:ffffffffffffffff1;",
    };
    uint8_t reply[SESSION_PACKET_BYTES];
    size_t reply_len_bytes = lie(reply, sizeof(reply));
    bool resume =
        len_bytes > 4 && (memcmp(payload, "vCont", 5) == 0 || memcmp(payload, "Qtl.n", 5) == 0);

    if (resume) {
        const char *stop = stops[any(sizeof(stops) / sizeof(stops[0]))];

        session_packet(session, (const uint8_t *)stop, strlen(stop));
    } else {
        session_packet(session, reply, reply_len_bytes);
    }
    return true;
}

static bool liar_break_in(struct session *session)
{
    session_packet(session, (const uint8_t *)"T02", 3);
    return true;
}

static void liar_input(struct session *session, const uint8_t *bytes, size_t len_bytes)
{
    (void)session;
    (void)bytes;
    (void)len_bytes;
}

static int liar_tick(struct session *session, uint64_t now_ms)
{
    (void)session;
    (void)now_ms;
    return -1;
}

static void liar_close(struct session *session)
{
    (void)session;
}

static const struct carrier liar = {
    .name = "liar",
    .send = liar_send,
    .break_in = liar_break_in,
    .input = liar_input,
    .tick = liar_tick,
    .close = liar_close,
};

static void lies_are_survived(void **state)
{
    static const char *const lines[] = {
        "info registers all",
        "info exit",
        "info cr",
        "info msr efer",
        "info msr-area",
        "info vmcs",
        "info vmcs cr*",
        "info caps",
        "info cpus",
        "info idt",
        "info gdt 5",
        "info line",
        "info options",
        "info breakpoints",
        "print rip",
        "print u64(rsp)",
        "print msr-area[efer]",
        "print vmcs.guest_rip",
        "x/8xg 0x1000",
        "x/5i $pc",
        "x/s 0",
        "disassemble 0, +64",
        "walk 0x1000",
        "find 0, +4096, 5",
        "explain",
        "check",
        "check guest_cr0=0",
        "ring 20",
        "ring cr0-write",
        "stats",
        "stats rip",
        "stats msr 5 by cycles",
        "stats save /dev/null",
        "snapshot a",
        "diff a",
        "audit cpuid",
        "crash-record",
        "catch cr0-write if value",
        "break *0x1000",
        "watch 0x1000",
        "delete",
        "set rax = 5",
        "set cr0.PG = 1",
        "set u8(0) = 1",
        "set vmcs.guest_rip = 3",
        "skip",
        "retry",
        "inject nmi",
        "stepi",
        "stepi 3",
        "continue",
        "nextexit",
        "ignore 1 2",
        "disable",
        "enable",
        "help",
        "info symbols",
        "expect stop cr0-write",
        "expect rip == 0",
        "send hello",
    };
    static struct console console;
    static struct options options = {.batch = true, .gdb_port = -1};
    struct session_calls calls = console_session_calls(&console);
    int out = dup(1), err = dup(2), null = open("/dev/null", O_WRONLY);

    (void)state;
    console.options = &options;
    console.signal_fd = -1;
    console.script_active = true;
    console.symbols = symbols_new();
    console.target = target_new(&console);
    console.session = session_new(NULL, &calls);
    console.session->carrier = &liar;
    fflush(NULL);
    dup2(null, 1);
    dup2(null, 2);
    for (unsigned round = 0; round < 30000; round++) {
        if (session_state(console.session) != SESSION_RUNNING)
            console.session->state = SESSION_STOPPED;
        if (any(8) == 0)
            target_forget_all(console.target);
        target_forget(console.target);
        if (session_state(console.session) == SESSION_RUNNING)
            session_break_in(console.session);
        console.in_command = true;
        cmd_execute(&console, lines[any(sizeof(lines) / sizeof(lines[0]))]);
        console.in_command = false;
    }
    view_stop(&console);
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    close(null);
    stops_free(&console);
    shots_free();
    session_free(console.session);
    symbols_free(console.symbols);
    target_free(console.target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
