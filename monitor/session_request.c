/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One request and its reply (session.h). The carriers see to it that a message arrives; here its
 * reply is waited for, with an end to patience.
 */
#include "monitor/session_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_TIMEOUT_MS 20000 /* carriers repeat much earlier; this is the end of patience */

/* Requests that leave the machine, and what later answers say, as they are. What is not here may do
 * anything. */
static bool only_reads(const uint8_t *request, size_t len_bytes)
{
    static const char *const words[] = {"vCont?", "vMustReplyEmpty", "QStartNoAckMode"};

    if (len_bytes > 0 && memchr("mxgpT?", request[0], 6))
        return true;
    if (len_bytes > 0 && request[0] == 'q')
        return len_bytes < 5 || memcmp(request, "qRcmd", 5) != 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (len_bytes == strlen(words[i]) && memcmp(request, words[i], len_bytes) == 0)
            return true;
    return false;
}

bool session_send(struct session *session, const uint8_t *payload, size_t len_bytes)
{
    session->counts.packets_out++;
    if (!only_reads(payload, len_bytes))
        session->epoch++;
    session_log_packet(session, "->", payload, len_bytes);
    return session->carrier->send(session, payload, len_bytes);
}

static long wait_reply(struct session *session, int timeout_ms)
{
    uint64_t until_ms = session_now_ms() + (uint64_t)timeout_ms;

    while (!session->reply_ready && !session->gave_up && session->state != SESSION_LOST) {
        int64_t left_ms = (int64_t)(until_ms - session_now_ms());
        int tick_ms = session_tick(session);

        if (session->reply_ready)
            break;
        if (left_ms <= 0) {
            snprintf(session->why, sizeof(session->why), "no answer for %d seconds%s",
                     timeout_ms / 1000,
                     session_linked(session) ? "; it may have been done, or be done yet" : "");
            break;
        }
        if (tick_ms >= 0 && tick_ms < left_ms)
            left_ms = tick_ms;
        if (!session->calls.wait(session->calls.ctx, (int)left_ms))
            break;
    }
    session->waiting = false;
    if (!session->reply_ready && session_linked(session))
        session->owed++;
    return session->reply_ready ? (long)session->reply_len_bytes : -1;
}

long session_exchange(struct session *session, const uint8_t *request, size_t len_bytes,
                      const uint8_t **reply, int timeout_ms)
{
    *reply = session->reply;
    session->reply[0] = 0;
    if (!session->carrier || session->state == SESSION_LOST || session->waiting)
        return -1;
    if (session->owed && session->silent) { /* else all of them are done at once, much later */
        snprintf(session->why, sizeof(session->why),
                 "the hypervisor is silent and owes %u answer%s: nothing more is sent before it is "
                 "heard again",
                 session->owed, session->owed == 1 ? "" : "s");
        return -1;
    }
    session->waiting = true;
    session->reply_ready = session->gave_up = false;
    if (!session_send(session, request, len_bytes)) {
        session->waiting = false;
        return -1;
    }
    return wait_reply(session, timeout_ms);
}

long session_request(struct session *session, const char *request, size_t len_bytes,
                     const uint8_t **reply)
{
    if (session->state == SESSION_DETACHED) {
        *reply = session->reply;
        return -1;
    }
    return session_exchange(session, (const uint8_t *)request, len_bytes, reply, REPLY_TIMEOUT_MS);
}

long session_ask(struct session *session, const uint8_t **reply, const char *format, ...)
{
    va_list args;
    char *request;
    long result;
    int len_bytes;

    va_start(args, format);
    len_bytes = vasprintf(&request, format, args);
    va_end(args);
    *reply = session->reply;
    if (len_bytes < 0)
        return -1;
    result = session_request(session, request, (size_t)len_bytes, reply);
    free(request);
    return result;
}
