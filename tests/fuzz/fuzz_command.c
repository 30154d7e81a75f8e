/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: what a person types at the console, while the other end is the real stub on a fake
 * machine, or lies. The input is lines: commands, and those whose first byte is below ' ' (enum line_kind)
 * say what happens at the other end. Whatever is typed, the console goes on and the stub stays sound.
 */
#include <stdlib.h>
#include <string.h>

#include "dbg/client.h"
#include "monitor/console_impl.h"
#include "monitor/out.h"
#include "monitor/session_impl.h"
#include "monitor/shots.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "tests/fuzz/sandbox.h"
#include "tests/unit/fake_target.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

#define LINES_MAX  12u /* of one input: what is slow stays bounded */
#define REPLY_USES 3u  /* a command pages: each page is the same */

enum line_kind {
    LINE_IS_REPLY = 1, /* the next queries (q, Q) are answered with the rest */
    LINE_IS_STOP,      /* the next resume ends with this packet */
    LINE_IS_TEXT,      /* guest console or log */
    LINE_IS_EVENT,     /* message of the events channel */
    LINE_IS_TAB,       /* completion of the rest */
    LINE_IS_EXIT,      /* sort of the machine's next exit */
    LINE_IS_KEY,       /* ^C before the next command */
    LINE_IS_LIE,       /* the next request is answered with the rest */
};

static struct fake machine;
static struct stub stub;
static struct console console;
static uint8_t next_reply[SESSION_PACKET_BYTES], next_stop[512];
static size_t next_reply_bytes, next_stop_bytes;
static unsigned lies; /* requests still to be answered with it */
static bool lie_to_all, stop_lies;
static uint8_t next_exit;

static void drop_text(void *ctx, const char *text, size_t len_bytes)
{
    (void)ctx;
    session_text(console.session, (const uint8_t *)text, len_bytes);
}

static void drop_bytes(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    (void)ctx, (void)bytes, (void)len_bytes;
}

static void counters(void *ctx, struct reply *reply)
{
    (void)ctx;
    reply_str(reply, "mode:bare;rx:1;tx:2;");
}

/* The guest has run into an exit. */
static void run_guest(void)
{
    bool stop = false;

    machine.exit = (struct dbg_exit){
        .kind = next_exit % TL_KIND_COUNT,
        .vector = next_exit & 0x40 ? 1 : 14,
        .access = DBG_EXEC,
        .gpa = machine.reg[TL_REG_rip],
        .dr6 = next_exit & 0x20 ? DR6_BS : next_exit & 15u,
    };
    machine.reg[TL_REG_rip] += 1;
    run_before_entry(&stub.run, 0);
    machine.inject.valid = false;
    if (!run_owns_exit(&stub.run, 0, &machine.exit, &stop))
        stop = run_filter(&stub.run, 0, &machine.exit, EVENT_BEFORE).stop;
    stub_stopped(&stub, 0, stop ? RUN_WHY_EVENT : next_exit & 1 ? RUN_WHY_DEAD : RUN_WHY_BREAK_IN);
}

static void say_stopped(struct session *session)
{
    stub.reply_due = false;
    if (stop_lies) {
        stop_lies = false;
        session_packet(session, next_stop, next_stop_bytes);
    }
    reply_reset(&stub.reply);
    stub_stop_reply(&stub, &stub.reply);
    session_packet(session, stub.reply.bytes, stub.reply.len_bytes);
}

static bool peer_send(struct session *session, const uint8_t *payload, size_t len_bytes)
{
    enum stub_answer answer;

    MUST(len_bytes <= SESSION_PACKET_BYTES);
    if (lies && session->waiting && (lie_to_all || (len_bytes && (payload[0] | 0x20) == 'q'))) {
        lies--;
        session_packet(session, next_reply, next_reply_bytes);
        return true;
    }
    answer = stub_packet(&stub, payload, len_bytes);
    MUST(stub.reply.len_bytes <= sizeof(stub.reply.bytes));
    if (answer == STUB_REPLY) {
        /* A copy: a reply is handed on from the line, not from the stub. */
        uint8_t *copy = malloc(stub.reply.len_bytes + !stub.reply.len_bytes);

        memcpy(copy, stub.reply.bytes, stub.reply.len_bytes);
        session_packet(session, copy, stub.reply.len_bytes);
        free(copy);
    } else if (answer == STUB_RESUMED) {
        stub.stopped = false;
        run_guest();
        say_stopped(session);
    } else if (session->waiting) {
        session_packet(session, (const uint8_t *)"E01", 3);
    }
    if (stub.detach_after)
        stub_session_begin(&stub);
    return true;
}

static bool peer_break_in(struct session *session)
{
    say_stopped(session);
    return true;
}

static void peer_input(struct session *session, const uint8_t *bytes, size_t len_bytes)
{
    (void)session, (void)bytes, (void)len_bytes;
}

static int peer_tick(struct session *session, uint64_t now_ms)
{
    (void)session, (void)now_ms;
    return -1;
}

static void peer_close(struct session *session)
{
    (void)session;
}

static const struct carrier peer = {
    .name = "peer",
    .send = peer_send,
    .break_in = peer_break_in,
    .input = peer_input,
    .tick = peer_tick,
    .close = peer_close,
};

/* Stands in for the handshake over a line (linker's --wrap): after `reset` the same stub is there. */
bool __wrap_session_attach(struct session *session, bool bare, bool booting, int timeout_ms);

bool __wrap_session_attach(struct session *session, bool bare, bool booting, int timeout_ms)
{
    (void)bare, (void)booting, (void)timeout_ms;
    session->carrier = &peer;
    stub.stopped = true;
    return session_greet(session);
}

/* The console waits for a guest that runs: it stops. */
static void waits(void)
{
    if (console.session && session_state(console.session) == SESSION_RUNNING) {
        stub.stopped = true;
        say_stopped(console.session);
    }
}

static void tab(const char *line)
{
    const char *word = strrchr(line, ' ');
    char *offer;

    word = word ? word + 1 : line;
    for (int state = 0; state < 300; state++) {
        offer = cmd_complete(&console, line, (int)(word - line), word, state);
        if (!offer)
            break;
        free(offer);
    }
}

static void command(const char *line)
{
    if (session_state(console.session) == SESSION_DETACHED ||
        session_state(console.session) == SESSION_LOST) {
        console.session->state = SESSION_DETACHED;
        console.why_detached[0] = '\0';
        __wrap_session_attach(console.session, false, false, 0);
    }
    if (session_state(console.session) == SESSION_RUNNING)
        waits();
    console.quitting = console.stop_is_new = console.died = console.end_seen = false;
    console.in_command = true;
    cmd_execute(&console, line);
    console.in_command = console.interrupted = false;
    target_forget(console.target);
}

static void take(uint8_t *to, size_t cap_bytes, size_t *to_bytes, const char *line,
                 size_t len_bytes)
{
    *to_bytes = len_bytes < cap_bytes ? len_bytes : cap_bytes;
    memcpy(to, line, *to_bytes);
}

static void one_line(const char *line, size_t len_bytes)
{
    switch (line[0]) {
    case LINE_IS_REPLY:
    case LINE_IS_LIE:
        lie_to_all = line[0] == LINE_IS_LIE;
        lies = lie_to_all ? 1 : REPLY_USES;
        take(next_reply, sizeof(next_reply), &next_reply_bytes, line + 1, len_bytes - 1);
        break;
    case LINE_IS_STOP:
        stop_lies = true;
        take(next_stop, sizeof(next_stop), &next_stop_bytes, line + 1, len_bytes - 1);
        break;
    case LINE_IS_TEXT:
        session_text(console.session, (const uint8_t *)line + 1, len_bytes - 1);
        break;
    case LINE_IS_EVENT:
        session_event(console.session, line + 1);
        break;
    case LINE_IS_TAB:
        tab(line + 1);
        break;
    case LINE_IS_EXIT:
        next_exit = (uint8_t)line[1];
        break;
    case LINE_IS_KEY:
        console.interrupted = true;
        break;
    default:
        command(line);
    }
}

static void script(const uint8_t *data, size_t size)
{
    unsigned commands = 0;

    while (size && commands++ < LINES_MAX) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len_bytes = end ? (size_t)(end - data) : size;
        char *line = calloc(1, len_bytes + 2); /* `line + 1` of an empty one is a string too */

        memcpy(line, data, len_bytes);
        if (len_bytes)
            one_line(line, len_bytes);
        free(line);
        len_bytes += end != NULL;
        data += len_bytes;
        size -= len_bytes;
    }
}

/* Everything of the stub and the session as it is after a handshake. */
static void start(void)
{
    static const struct options options = {.batch = true, .gdb_port = -1};
    const struct stub_host host = {
        .console_text = drop_text, .guest_input = drop_bytes, .line_counters = counters};
    const struct dbg_out sink = {NULL, drop_text, NULL};
    struct session_calls calls = console_session_calls(&console);
    static struct fake first_machine;
    static struct stub first_stub;

    if (!first_machine.target.machine) {
        fake_init(&machine);
        stub_init(&stub, &machine.target, &host, &sink);
        first_machine = machine;
        first_stub = stub;
    }
    machine = first_machine;
    stub = first_stub;
    stub.stopped = true;
    memset(&console, 0, sizeof(console));
    console.options = &options;
    console.signal_fd = -1;
    console.script_active = true;
    console.symbols = symbols_new();
    console.target = target_new(&console);
    console.session = session_new(NULL, &calls);
    lies = 0;
    stop_lies = false;
    next_exit = 0;
    sandbox_waits = waits;
    MUST(console.symbols && console.target && console.session);
    MUST(__wrap_session_attach(console.session, false, false, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char file[] = "print 1\nset u8(0) = 3\necho file\nffffffff81000000 T _text\n";

    sandbox_enter((const uint8_t *)file, sizeof(file) - 1);
    start();
    script(data, size);
    cmd_execute(&console, "log off");
    cmd_execute(&console, "record off");
    stops_free(&console);
    shots_free();
    session_free(console.session);
    console.session = NULL;
    symbols_free(console.symbols);
    target_free(console.target);
    free(console.output);
    out_guest_flush();
    sandbox_leave();
    return 0;
}
