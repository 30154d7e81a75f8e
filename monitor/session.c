/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Requests, replies, stops (session.h). How packets travel is the carriers': session_bare.c and
 * session_link.c.
 */
#include "monitor/session_impl.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/args.h"
#include "protocol/rsp.h"

uint64_t session_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct session *session_new(struct transport *transport, const struct session_calls *calls)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session)
        return NULL;
    session->transport = transport;
    session->calls = *calls;
    session->timed_at_start = true;
    snprintf(session->why, sizeof(session->why), "not attached yet");
    return session;
}

void session_free(struct session *session)
{
    if (!session)
        return;
    if (session->carrier)
        session->carrier->close(session);
    transport_close(session->transport); /* NULL is fine */
    free(session);
}

void session_set_logs(struct session *session, const struct session_logs *logs)
{
    session->log = logs->text;
    session->raw_log = logs->raw;
    session->timed_log = logs->timed;
    session->packet_log = logs->packets;
}

void session_log_lines(struct session *session, const char *text)
{
    while (session->log && *text) {
        int length = (int)strcspn(text, "\n");

        fprintf(session->log, "tl: %.*s\n", length, text);
        text += length + (text[length] == '\n');
    }
    if (session->log)
        fflush(session->log);
}

enum session_state session_state(const struct session *session)
{
    return session->state;
}

const char *session_why(const struct session *session)
{
    return session->why;
}

bool session_is_recorded(const struct session *session)
{
    return session->record != NULL;
}

bool session_linked(const struct session *session)
{
    return session->carrier == &carrier_link;
}

void session_line_hint(const struct session *session, char *hint, size_t cap_bytes)
{
    hint[0] = '\0';
    if (session->transport)
        transport_hint(session->transport, hint, cap_bytes);
}

bool session_spoke(const struct session *session)
{
    return session->spoke;
}

int session_fd(const struct session *session)
{
    return session->transport ? transport_fd(session->transport) : -1;
}

bool session_wants_write(const struct session *session)
{
    return session->transport && transport_wants_write(session->transport);
}

const char *session_stop_text(const struct session *session)
{
    return session->stop;
}

bool session_busy(const struct session *session)
{
    return session && session->waiting;
}

struct session_counts session_counts(const struct session *session)
{
    return session->counts;
}

void session_lose(struct session *session, const char *why)
{
    if (session->state == SESSION_LOST)
        return;
    session->state = SESSION_LOST;
    session->gave_up = true;
    snprintf(session->why, sizeof(session->why), "%s", why);
}

void session_give_up(struct session *session, const char *why)
{
    session->gave_up = true;
    snprintf(session->why, sizeof(session->why), "%s", why);
}

/* ---- bytes ---- */

bool session_put(struct session *session, const uint8_t *bytes, size_t len_bytes)
{
    session->counts.bytes_out += len_bytes;
    if (transport_write(session->transport, bytes, len_bytes))
        return true;
    session_lose(session, transport_why(session->transport));
    return false;
}

void session_output(struct session *session)
{
    if (!transport_flush(session->transport))
        session_lose(session, transport_why(session->transport));
}

static void log_bytes(FILE *file, const char *mark, const uint8_t *bytes, size_t len_bytes)
{
    fprintf(file, "%s ", mark);
    for (size_t i = 0; i < len_bytes; i++)
        if (isprint(bytes[i]) && bytes[i] != '\\')
            fputc(bytes[i], file);
        else
            fprintf(file, "\\x%02x", bytes[i]);
    fputc('\n', file);
}

void session_log_packet(struct session *session, const char *arrow, const uint8_t *payload,
                        size_t len_bytes)
{
    if (session->packet_log)
        log_bytes(session->packet_log, arrow, payload, len_bytes);
    if (session->record)
        log_bytes(session->record, arrow, payload, len_bytes);
}

void session_record(struct session *session, FILE *file)
{
    session->record = file;
    /* A replay greets the stub first; begin with what it would have answered. */
    if (file && session->stop[0])
        fprintf(file, "-> " GREETING "\n<- PacketSize=1000\n-> ?\n<- %s\n", session->stop);
}

static void log_timed(struct session *session, const uint8_t *bytes, size_t len_bytes)
{
    char stamp[40];
    struct timespec now;
    struct tm parts;

    for (size_t i = 0; i < len_bytes; i++) {
        if (session->timed_at_start) {
            clock_gettime(CLOCK_REALTIME, &now);
            gmtime_r(&now.tv_sec, &parts);
            strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &parts);
            fprintf(session->timed_log, "%s.%03ldZ ", stamp, now.tv_nsec / 1000000);
            session->timed_at_start = false;
        }
        fputc(bytes[i], session->timed_log);
        session->timed_at_start = bytes[i] == '\n';
    }
}

void session_text(struct session *session, const uint8_t *bytes, size_t len_bytes)
{
    if (len_bytes == 0)
        return;
    if (session->log)
        fwrite(bytes, 1, len_bytes, session->log);
    if (session->timed_log)
        log_timed(session, bytes, len_bytes);
    if (session->record)
        log_bytes(session->record, "##", bytes, len_bytes);
    session->calls.text(session->calls.ctx, bytes, len_bytes);
}

void session_input(struct session *session)
{
    uint8_t bytes[4096];
    ssize_t got;

    if (session->state == SESSION_LOST || !session->transport)
        return;
    while ((got = transport_read(session->transport, bytes, sizeof(bytes))) > 0) {
        session->spoke = true;
        session->counts.bytes_in += (uint64_t)got;
        if (session->raw_log)
            fwrite(bytes, 1, (size_t)got, session->raw_log);
        if (session->carrier)
            session->carrier->input(session, bytes, (size_t)got);
        else
            session_text(session, bytes, (size_t)got);
        if ((size_t)got < sizeof(bytes) && !session->machine_gone)
            break;
    }
    if (got < 0)
        session_lose(session, transport_why(session->transport));
}

void session_last_words(struct session *session)
{
    session->machine_gone = true;
    session_input(session);
}

int session_tick(struct session *session)
{
    return session->carrier && session->state != SESSION_LOST
               ? session->carrier->tick(session, session_now_ms())
               : -1;
}

/* ---- packets ---- */

/* A stop reply looks like nothing else that we get while the guest runs. */
bool session_is_stop(const uint8_t *payload, size_t len_bytes)
{
    return len_bytes >= 3 && strchr("TSWX", (int)payload[0]) && rsp_hex_digit(payload[1]) >= 0 &&
           rsp_hex_digit(payload[2]) >= 0 && (payload[0] != 'S' || len_bytes == 3);
}

/* O<hex>: console output while the guest runs. "OK" is not one. */
static bool take_output(struct session *session, const uint8_t *payload, size_t len_bytes)
{
    uint8_t text[SESSION_PACKET_BYTES / 2];
    struct args args = args_of(payload, len_bytes);
    int count;

    if (len_bytes < 3 || !args_char(&args, 'O'))
        return false;
    count = args_hex_bytes(&args, text, sizeof(text));
    if (count < 0 || !args_empty(&args))
        return false;
    session_text(session, text, (size_t)count);
    return true;
}

unsigned session_epoch(const struct session *session)
{
    return session->epoch;
}

bool session_stop_is_new(const struct session *session)
{
    return session->epoch == session->stop_epoch;
}

void session_take_stop(struct session *session, const uint8_t *payload, size_t len_bytes)
{
    if (len_bytes >= sizeof(session->stop))
        len_bytes = sizeof(session->stop) - 1;
    memcpy(session->stop, payload, len_bytes);
    session->stop[len_bytes] = '\0';
    session->state = SESSION_STOPPED;
    session->stop_epoch = ++session->epoch;
    session->calls.stopped(session->calls.ctx);
}

/* The answer to a resume that did not happen: the guest still stands. */
static void take_refusal(struct session *session, const uint8_t *payload, size_t len_bytes)
{
    const char *text = memchr(payload, ':', len_bytes);

    if (len_bytes == 0)
        snprintf(session->refusal, sizeof(session->refusal),
                 "the hypervisor does not know this way to go on");
    else
        snprintf(session->refusal, sizeof(session->refusal), "%.*s",
                 (int)(text ? (size_t)((const char *)payload + len_bytes - text - 1) : len_bytes),
                 text ? text + 1 : (const char *)payload);
    session->state = SESSION_STOPPED;
    session->calls.stopped(session->calls.ctx);
}

const char *session_refusal(struct session *session)
{
    if (!session->refusal[0])
        return NULL;
    memcpy(session->refusal_read, session->refusal, sizeof(session->refusal));
    session->refusal[0] = '\0';
    return session->refusal_read;
}

void session_event(struct session *session, const char *text)
{
    session_log_packet(session, "<!", (const uint8_t *)text, strlen(text));
    session->calls.event(session->calls.ctx, text);
}

void session_packet(struct session *session, const uint8_t *payload, size_t len_bytes)
{
    session->counts.packets_in++;
    session_log_packet(session, "<-", payload, len_bytes);
    if (take_output(session, payload, len_bytes))
        return;
    if (session->state == SESSION_RUNNING && session_is_stop(payload, len_bytes)) {
        session_take_stop(session, payload, len_bytes);
        return;
    }
    if (session->owed) {
        session->owed--;
        return;
    }
    if (!session->waiting && session->state == SESSION_RUNNING &&
        (len_bytes == 0 || payload[0] == 'E')) {
        take_refusal(session, payload, len_bytes);
        return;
    }
    if (!session->waiting || session->reply_ready)
        return; /* an answer that nobody waits for any more */
    if (len_bytes >= sizeof(session->reply))
        len_bytes = sizeof(session->reply) - 1;
    memcpy(session->reply, payload, len_bytes);
    session->reply[len_bytes] = 0;
    session->reply_len_bytes = len_bytes;
    session->reply_ready = true;
}

bool session_resume(struct session *session, const char *request)
{
    if (session->state != SESSION_STOPPED)
        return false;
    session->state = SESSION_RUNNING;
    session->gave_up = false;
    return session_send(session, (const uint8_t *)request, strlen(request));
}

bool session_break_in(struct session *session)
{
    session_log_packet(session, "->", (const uint8_t *)"\x03", 1);
    return session->carrier && session->carrier->break_in(session);
}

bool session_detach(struct session *session)
{
    const uint8_t *reply;
    long len_bytes = session_request(session, "D", 1, &reply);

    if (len_bytes == 2 && memcmp(reply, "OK", 2) == 0) {
        session->state = SESSION_DETACHED;
        session->carrier->close(session);
        session->carrier = NULL;
        return true;
    }
    return false;
}

void session_detach_quietly(struct session *session)
{
    if (session->carrier)
        session->carrier->close(session);
    session->carrier = NULL;
    session->state = SESSION_DETACHED;
    session->stop[0] = '\0';
}
