/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The handshake of session.h: which carrier answers, who is there, and that the guest stands when we
 * have arrived.
 */
#include "monitor/session_impl.h"

#include <string.h>

/* A guest that runs while we come is stopped, as GDB's `target remote` does. */
static bool stop_running(struct session *session, const char *reply, int timeout_ms)
{
    uint64_t until_ms = session_now_ms() + (uint64_t)timeout_ms;

    if (strncmp(reply, "E.running", 9) != 0 && strncmp(reply, "E", 1) != 0)
        return false;
    session->state = SESSION_RUNNING;
    session_break_in(session);
    while (session->state == SESSION_RUNNING && session_now_ms() < until_ms)
        if (!session->calls.wait(session->calls.ctx, 100))
            break;
    if (session->state == SESSION_STOPPED)
        return true;
    if (session->state == SESSION_RUNNING)
        session->state = SESSION_DETACHED;
    snprintf(session->why, sizeof(session->why), "the guest runs and does not stop");
    return false;
}

static bool greet(struct session *session, int timeout_ms)
{
    static const char supported[] = GREETING;
    const uint8_t *reply;
    long len_bytes;

    len_bytes = session_exchange(session, (const uint8_t *)supported, sizeof(supported) - 1, &reply,
                                 timeout_ms);
    if (len_bytes < 0 || !strstr((const char *)reply, "PacketSize="))
        return false;
    len_bytes = session_exchange(session, (const uint8_t *)"?", 1, &reply, timeout_ms);
    if (len_bytes >= 0 && session_is_stop(reply, (size_t)len_bytes)) {
        session_take_stop(session, reply, (size_t)len_bytes);
        return true;
    }
    return stop_running(session, len_bytes < 0 ? "" : (const char *)reply, timeout_ms);
}

bool session_greet(struct session *session)
{
    return greet(session, 2000);
}

static bool wait_up(struct session *session, int timeout_ms)
{
    uint64_t until_ms = session_now_ms() + (uint64_t)timeout_ms;

    if (session->carrier->open && !session->carrier->open(session))
        return false;
    while (session->carrier->up && !session->carrier->up(session)) {
        int64_t left_ms = (int64_t)(until_ms - session_now_ms());
        int tick_ms = session_tick(session);

        if (left_ms <= 0 || session->state == SESSION_LOST)
            return false;
        if (tick_ms >= 0 && tick_ms < left_ms)
            left_ms = tick_ms;
        if (!session->calls.wait(session->calls.ctx, (int)left_ms))
            return false;
    }
    return true;
}

static bool try_carrier(struct session *session, const struct carrier *carrier, int timeout_ms)
{
    bool done;

    if (session->state == SESSION_LOST)
        return false;
    session->carrier = carrier;
    session->gave_up = session->silent = false;
    session->owed = 0;
    session->handshake = true;
    done = wait_up(session, timeout_ms) && greet(session, timeout_ms);
    session->handshake = false;
    if (!done && session->state != SESSION_LOST) {
        carrier->close(session);
        session->carrier = NULL;
    }
    return done;
}

bool session_attach(struct session *session, bool bare, bool booting, int timeout_ms)
{
    uint64_t until_ms = session_now_ms() + (uint64_t)timeout_ms;

    snprintf(session->why, sizeof(session->why), "no answer");
    while (booting && !session->spoke && session->state != SESSION_LOST &&
           session_now_ms() < until_ms)
        if (!session->calls.wait(session->calls.ctx, 1000))
            return false;
    while (session->state != SESSION_LOST && session_now_ms() < until_ms) {
        if (!bare && try_carrier(session, &carrier_link, 1500))
            return true;
        /* A stub that knows no link, such as an emulator's own, still speaks plain RSP. */
        if ((bare || !booting) && try_carrier(session, &carrier_bare, 1500))
            return true;
        if (session->state == SESSION_LOST || !session->calls.wait(session->calls.ctx, 100))
            break;
    }
    return false;
}
