/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The life of a client. Repeated resumes: GDB sends a resume packet again 2 s after it when the `+`
 * was lost; byte-identical, with no other packet between, it gets the stored stop reply and is not
 * executed twice. That is a guess, which the link layer does not need.
 */
#include "dbg/client.h"

#include "lib/log.h"
#include "lib/mem.h"

#define REPEAT_FROM_US 1500000u
#define REPEAT_TO_US   4000000u
#define GREETING_US    1000000u
#define PUMP_BYTES     256u
#define HELD_WAIT_US   250000u

void (*client_guest_input)(const uint8_t *bytes, size_t len_bytes);

static uint64_t now_us(const struct client *client)
{
    const struct dbg_target *t = client->stub.target;

    return t->clock_us(t->machine);
}

static void leave(struct client *client, bool go_on)
{
    stub_session_end(&client->stub);
    line_end_session(&client->line);
    /* The link may be up still, and who holds it hears of a stop on EVENTS. */
    events_alone(&client->stub.events,
                 client->line.mode == LINE_TEXT && !client->stub.options.disconnect_stops);
    client->supported_seen = false;
    client->is_waiting = false;
    client->want_stop = false;
    client->resume_bytes = 0;
    if (go_on)
        stub_let_go(&client->stub);
}

static void session(void *ctx, enum line_mode mode)
{
    struct client *client = ctx;

    client->supported_seen = false;
    client->is_waiting = false;
    client->resume_bytes = 0;
    client->want_stop = false;
    if (mode == LINE_TEXT) { /* the link ended: BYE, or silence */
        leave(client, !client->stub.options.disconnect_stops);
    } else {
        client->stub.link = mode == LINE_LINK;
        stub_session_begin(&client->stub);
    }
}

static void send_reply(struct client *client)
{
    line_reply(&client->line, client->stub.reply.bytes, client->stub.reply.len_bytes);
    if (client->stub.detach_after)
        leave(client, true);
}

/* A resume packet that came twice because its acknowledgement was lost. */
static bool repeated(struct client *client, const uint8_t *bytes, size_t len_bytes)
{
    uint64_t since_us;

    if (client->line.mode != LINE_RSP || !client->resume_bytes ||
        len_bytes != client->resume_bytes || memcmp(bytes, client->resume, len_bytes))
        return false;
    if (!client->stub.stopped) /* it is being done */
        return true;
    since_us = now_us(client) - client->reply_us;
    if (!client->reply_us || since_us < REPEAT_FROM_US || since_us > REPEAT_TO_US)
        return false;
    client->line.count.resent++;
    send_reply(client); /* stub->reply still holds the stop reply */
    return true;
}

static bool begins_with(const uint8_t *bytes, size_t len_bytes, const char *word)
{
    return len_bytes >= strlen(word) && !memcmp(bytes, word, strlen(word));
}

static bool is_step(const struct client *client)
{
    const uint8_t *resume = client->resume;
    size_t len_bytes = client->resume_bytes;

    return begins_with(resume, len_bytes, "s") || begins_with(resume, len_bytes, "S") ||
           begins_with(resume, len_bytes, "vCont;s") || begins_with(resume, len_bytes, "vCont;S");
}

/* A second greeting means a new GDB on the same line; the first one vanished. But one that follows at
 * once is the same GDB, which took a `-` in the log text that it found on the line for a complaint:
 * true, it was answered already. */
static bool greeting(struct client *client, const uint8_t *bytes, size_t len_bytes)
{
    uint64_t since_us = now_us(client) - client->greeting_us;

    if (client->line.mode != LINE_RSP || !begins_with(bytes, len_bytes, "qSupported")) {
        client->greeting_us = 0;
        return false;
    }
    if (client->greeting_us && since_us < GREETING_US)
        return true;
    if (client->supported_seen)
        session(client, LINE_RSP);
    client->supported_seen = true;
    client->greeting_us = now_us(client);
    return false;
}

static void execute(struct client *client, const uint8_t *bytes, size_t len_bytes)
{
    enum stub_answer answer = stub_packet(&client->stub, bytes, len_bytes);

    /* A search or a checksum may have taken longer than `link-timeout`. */
    line_worked(&client->line);
    switch (answer) {
    case STUB_REPLY:
        send_reply(client);
        break;
    case STUB_SILENT:
        if (client->stub.detach_after)
            leave(client, true);
        break;
    case STUB_STOP:
        memcpy(client->waiting, bytes, len_bytes);
        client->waiting_bytes = len_bytes;
        client->is_waiting = true;
        client->want_stop = true;
        break;
    default: /* STUB_RESUMED: line_set_running() comes with the return from client_serve() */
        client->reply_us = 0;
        break;
    }
}

static void packet(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    struct client *client = ctx;
    bool resume = len_bytes && len_bytes <= RESUME_KEPT_BYTES &&
                  (begins_with(bytes, len_bytes, "vCont;") || bytes[0] == 'c' || bytes[0] == 's' ||
                   bytes[0] == 'C' || bytes[0] == 'S');

    if (repeated(client, bytes, len_bytes))
        return;
    if (greeting(client, bytes, len_bytes))
        return;
    client->resume_bytes = 0;
    if (resume) {
        memcpy(client->resume, bytes, len_bytes);
        client->resume_bytes = len_bytes;
        client->reply_us = 0;
    }
    execute(client, bytes, len_bytes);
    if (resume && client->stub.stopped) /* STI, CLI, HLT, or an error: answered already */
        client->reply_us = now_us(client);
}

static void too_long(void *ctx)
{
    struct client *client = ctx;

    reply_error(&client->stub.reply, TL_E_too_long, NULL);
    client->resume_bytes = 0;
    send_reply(client);
}

static void break_in(void *ctx)
{
    struct client *client = ctx;

    /* A reply nobody waits for would shift all later ones; a `?` that waits for the stop is its reply. */
    if (client->stub.stopped || client->is_waiting)
        return;
    client->want_stop = true;
    client->stub.reply_due = true;
}

static void typed(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    (void)ctx;
    if (client_guest_input)
        client_guest_input(bytes, len_bytes);
}

static void out_text(void *ctx, const char *text, size_t len_bytes)
{
    struct client *client = ctx;

    line_text(&client->line, LINE_EVENTS, text, len_bytes);
}

static void out_notice(void *ctx, const char *pairs, const char *text)
{
    struct client *client = ctx;

    line_notice(&client->line, pairs, text);
}

static void output(void *ctx, const char *text, size_t len_bytes)
{
    struct client *client = ctx;

    line_output(&client->line, text, len_bytes);
}

static void counters(void *ctx, struct reply *reply)
{
    struct client *client = ctx;
    const struct line *line = &client->line;
    const struct link_stats *link = &line->link.stats;

    reply_fmt(reply, "mode:%s;rx:%lx;tx:%lx;badcrc:%lx;resent:%lx;duplicates:%x;resync:%lx;",
              line->mode == LINE_LINK ? "link" : "bare", line->count.rx, line->count.tx,
              line->count.bad + link->bad_crc, line->count.resent + link->resent, link->duplicates,
              line->count.noise + link->resyncs);
    reply_fmt(reply, "dropped:%lx;dropped-lines:%lx;", line->lost_bytes, line->lost_lines);
}

void client_init(struct client *client, const struct dbg_target *target, const struct line_io *io)
{
    const struct line_up up = {client, session, packet, too_long, break_in, typed};
    const struct stub_host host = {
        .ctx = client,
        .console_text = output,
        .guest_input = typed,
        .line_counters = counters,
    };
    const struct dbg_out out = {client, out_text, out_notice};

    memset(client, 0, sizeof(*client));
    stub_init(&client->stub, target, &host, &out);
    line_init(&client->line, io, &up);
    client->line.running = true;
}

void client_flush(struct client *client, uint64_t limit_us)
{
    uint64_t begun_us = now_us(client);

    while (!line_idle(&client->line) && now_us(client) - begun_us < limit_us) {
        line_pump(&client->line, PUMP_BYTES);
        line_tick(&client->line);
    }
}

bool client_poll(struct client *client)
{
    uint64_t begun_us = now_us(client);
    bool stop;

    client->line.link_timeout_ms = client->stub.options.link_timeout_ms;
    /* A `$` is a packet or somebody's shell variable, which the next bytes tell, or their absence: seen
     * here, because a guest that makes no exits would let nobody look again. */
    do {
        line_pump(&client->line, PUMP_BYTES);
        line_tick(&client->line);
    } while (line_holds(&client->line) && now_us(client) - begun_us < HELD_WAIT_US);
    stop = client->want_stop;
    client->want_stop = false;
    return stop;
}

bool client_attached(const struct client *client)
{
    return client->line.mode != LINE_TEXT;
}

/* Bare RSP has no sign of life; with bare-timeout set, silence in a stopped machine ends it. */
static void check_silence(struct client *client)
{
    uint32_t limit_ms = client->stub.options.bare_timeout_ms;

    if (client->line.mode == LINE_RSP && limit_ms &&
        now_us(client) - client->heard_us > (uint64_t)limit_ms * 1000)
        leave(client, !client->stub.options.disconnect_stops);
}

void client_serve(struct client *client, unsigned cpu, enum run_why why, void (*idle)(void *ctx),
                  void *ctx)
{
    line_set_running(&client->line, false);
    client->want_stop = false;
    if (stub_stopped(&client->stub, cpu, why)) {
        client->reply_us = now_us(client);
        send_reply(client);
    } else if (!client->is_waiting) { /* stopped by other means than this client */
        line_notice(&client->line,
                    why == RUN_WHY_DEAD ? "t:state;state:dead;" : "t:state;state:stopped;", NULL);
    }
    if (client->is_waiting) {
        client->is_waiting = false;
        execute(client, client->waiting, client->waiting_bytes);
    }
    client->heard_us = now_us(client);
    while (client->stub.stopped) {
        if (line_pump(&client->line, PUMP_BYTES)) {
            client->heard_us = now_us(client);
            continue;
        }
        client->line.link_timeout_ms = client->stub.options.link_timeout_ms;
        line_tick(&client->line);
        check_silence(client);
        idle(ctx);
    }
    line_set_running(&client->line, true);
    if (!is_step(client)) /* the stop reply of a step comes at once and carries it */
        line_ack(&client->line);
}
