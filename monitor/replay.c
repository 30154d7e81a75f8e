/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * See replay.h. The recording is the packet log: "-> request", "<- reply", "## text", "<! event", with
 * \xNN for bytes that do not print. The carrier here answers from it: a request is looked for from
 * where the session stands, up to the next resume, then in what was asked at this stop before.
 */
#include "monitor/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/session_impl.h"
#include "protocol/rsp.h"

enum entry_kind { REQUEST, REPLY, TEXT, EVENT };

struct entry {
    enum entry_kind kind;
    uint8_t *bytes;
    size_t len_bytes;
};

struct replay {
    struct entry *entry;
    size_t count;
    size_t stop;  /* first entry of the present stop */
    size_t at;    /* where the session stands */
    bool pending; /* a resume was sent: deliver what follows it */
};

static size_t unescape(const char *line, uint8_t *bytes)
{
    size_t to = 0;

    while (*line) {
        if (line[0] == '\\' && line[1] == 'x' && rsp_hex_digit((uint8_t)line[2]) >= 0 &&
            rsp_hex_digit((uint8_t)line[3]) >= 0) {
            bytes[to++] =
                (uint8_t)(rsp_hex_digit((uint8_t)line[2]) << 4 | rsp_hex_digit((uint8_t)line[3]));
            line += 4;
        } else {
            bytes[to++] = (uint8_t)*line++;
        }
    }
    return to;
}

static bool load(struct replay *replay, const char *path)
{
    static const char *const marks[] = {
        [REQUEST] = "-> ", [REPLY] = "<- ", [TEXT] = "## ", [EVENT] = "<! "};
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t cap_bytes = 0, cap = 0;

    if (!file) {
        out_error("%s: %s", path, strerror(errno));
        return false;
    }
    while (getline(&line, &cap_bytes, file) >= 0) {
        struct entry entry = {.bytes = NULL};
        size_t kind;

        line[strcspn(line, "\n")] = '\0';
        for (kind = 0; kind < 4; kind++)
            if (strncmp(line, marks[kind], 3) == 0)
                break;
        if (kind == 4)
            continue;
        if (replay->count == cap) {
            struct entry *more;

            cap = cap ? 2 * cap : 256;
            more = realloc(replay->entry, cap * sizeof(*more));
            if (!more)
                break;
            replay->entry = more;
        }
        entry.kind = (enum entry_kind)kind;
        entry.bytes = malloc(strlen(line) + 1);
        if (!entry.bytes)
            break;
        entry.len_bytes = unescape(line + 3, entry.bytes);
        entry.bytes[entry.len_bytes] = 0; /* an event is handed on as a string */
        replay->entry[replay->count++] = entry;
    }
    free(line);
    fclose(file);
    if (replay->count == 0)
        out_error("%s: no recorded session in it (`record FILE` makes one)", path);
    return replay->count > 0;
}

static bool resumes(const struct entry *entry)
{
    const char *text = (const char *)entry->bytes;

    return entry->kind == REQUEST &&
           ((entry->len_bytes > 6 && memcmp(text, "vCont;", 6) == 0) ||
            (entry->len_bytes >= 12 && memcmp(text, "Qtl.nextexit", 12) == 0));
}

static bool same(const struct entry *entry, const uint8_t *bytes, size_t len_bytes)
{
    return entry->kind == REQUEST && entry->len_bytes == len_bytes &&
           memcmp(entry->bytes, bytes, len_bytes) == 0;
}

/* The request in [from, to), or `to`. */
static size_t find(const struct replay *replay, size_t from, size_t to, const uint8_t *bytes,
                   size_t len_bytes)
{
    while (from < to && !same(&replay->entry[from], bytes, len_bytes))
        from++;
    return from;
}

/* End of the present stop: the next resume, or the end. */
static size_t stop_end(const struct replay *replay)
{
    size_t end = replay->at;

    while (end < replay->count && !resumes(&replay->entry[end]))
        end++;
    return end;
}

static void deliver(struct session *session, const struct entry *entry)
{
    if (entry->kind == REPLY)
        session_packet(session, entry->bytes, entry->len_bytes);
    else if (entry->kind == TEXT)
        session_text(session, entry->bytes, entry->len_bytes);
    else if (entry->kind == EVENT)
        session_event(session, (const char *)entry->bytes);
}

static void answer(struct session *session, struct replay *replay, size_t at)
{
    for (size_t i = at + 1; i < replay->count && replay->entry[i].kind != REQUEST; i++)
        if (replay->entry[i].kind == REPLY) {
            session_packet(session, replay->entry[i].bytes, replay->entry[i].len_bytes);
            if (i >= replay->at)
                replay->at = i + 1;
            return;
        }
    session_give_up(session, "the recording ends before the answer to this");
}

static bool replay_send(struct session *session, const uint8_t *payload, size_t len_bytes)
{
    static const char unknown[] =
        "E.not-recorded: this was not asked when the session was recorded";
    struct replay *replay = session->carrier_state;
    struct entry asked = {REQUEST, (uint8_t *)payload, len_bytes};
    size_t end = stop_end(replay), at;

    if (resumes(&asked)) {
        if (end < replay->count) {
            replay->at = end + 1;
            replay->pending = true;
        } else {
            session_lose(session, "the recording ends here");
        }
        return true;
    }
    at = find(replay, replay->at, end, payload, len_bytes);
    if (at == end)
        at = find(replay, replay->stop, end, payload, len_bytes);
    if (at == end)
        at = find(replay, 0, end, payload, len_bytes); /* qtl.hello: asked once for all */
    if (at < end)
        answer(session, replay, at);
    else
        session_packet(session, (const uint8_t *)unknown, sizeof(unknown) - 1);
    return true;
}

static bool replay_break_in(struct session *session)
{
    (void)session;
    return true; /* the stop that followed is in the recording */
}

/* What came while the guest ran: output, then its stop. */
static int replay_tick(struct session *session, uint64_t now_ms)
{
    struct replay *replay = session->carrier_state;

    (void)now_ms;
    if (!replay || !replay->pending)
        return -1;
    replay->pending = false;
    while (session->state == SESSION_RUNNING && replay->at < replay->count &&
           replay->entry[replay->at].kind != REQUEST)
        deliver(session, &replay->entry[replay->at++]);
    replay->stop = replay->at;
    if (session->state == SESSION_RUNNING)
        session_lose(session, "the recording ends here");
    return -1;
}

static void replay_input(struct session *session, const uint8_t *bytes, size_t len_bytes)
{
    (void)session;
    (void)bytes;
    (void)len_bytes;
}

static void replay_close(struct session *session)
{
    struct replay *replay = session->carrier_state;

    for (size_t i = 0; replay && i < replay->count; i++)
        free(replay->entry[i].bytes);
    if (replay)
        free(replay->entry);
    free(replay);
    session->carrier_state = NULL;
}

static const struct carrier carrier_replay = {
    .name = "recording",
    .send = replay_send,
    .break_in = replay_break_in,
    .input = replay_input,
    .tick = replay_tick,
    .close = replay_close,
};

bool replay_attach(struct session *session, const char *path)
{
    struct replay *replay = calloc(1, sizeof(*replay));

    if (!replay)
        return false;
    session->carrier = &carrier_replay;
    session->carrier_state = replay;
    return load(replay, path) && session_greet(session);
}
