/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What becomes of one packet of GDB's. Acknowledgements, no-ack mode, detach and kill end here, because
 * they are about GDB's connection and not about the machine; what the line has said already at this
 * stop is said from the cache; the rest goes to the session.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/broker_impl.h"
#include "monitor/out.h"
#include "monitor/target.h"
#include "protocol/tables.h"

#define RUNNING_TEXT "E.running: the console lets the guest run; interrupt it there"
#define REPLY_BYTES  (2 * SESSION_PACKET_BYTES)

static bool begins(const char *packet, const char *word)
{
    return strncmp(packet, word, strlen(word)) == 0;
}

static bool is_resume(const char *packet)
{
    return begins(packet, "vCont;") || (packet[0] && strchr("csCS", packet[0])) ||
           begins(packet, "Qtl.nextexit");
}

/* The cache, emptied if anybody has done anything since it was last looked into. */
static struct broker_cache *cache_now(struct broker *broker)
{
    unsigned epoch = session_epoch(broker->console->session);

    if (broker->epoch != epoch) {
        broker->epoch = epoch;
        broker_cache_drop(broker->cache);
        if (!console_running(broker->console) && session_stop_is_new(broker->console->session))
            broker_cache_stop(broker->cache, session_stop_text(broker->console->session),
                              console_now_ms());
    }
    return broker->cache;
}

/* Asks the cache, then the stub. The reply's length, or -1: the line is lost. */
static long ask(struct broker *broker, const char *packet, size_t len_bytes, uint8_t *reply,
                size_t cap_bytes)
{
    struct console *console = broker->console;
    char request[RSP_PACKET_MAX];
    const uint8_t *answer;
    size_t request_len_bytes;
    unsigned epoch;
    long got =
        broker_cache_find(cache_now(broker), packet, len_bytes, console_now_ms(), reply, cap_bytes);

    if (got >= 0)
        return got;
    request_len_bytes =
        broker_cache_ask(broker->cache, packet, len_bytes, request, sizeof(request));
    epoch = session_epoch(console->session);
    got = session_request(console->session, request, request_len_bytes, &answer);
    if (got < 0)
        return -1;
    if (console_running(console) || session_epoch(console->session) != epoch) {
        /* Something happened meanwhile: pass it on, and do not keep it. */
        if ((size_t)got > cap_bytes)
            got = (long)cap_bytes;
        cache_now(broker);
        got = (long)broker_cache_keep(broker->cache, packet, len_bytes, answer, (size_t)got,
                                      console_now_ms(), reply, cap_bytes);
        broker_cache_drop(broker->cache);
        return got;
    }
    return (long)broker_cache_keep(broker->cache, packet, len_bytes, answer, (size_t)got,
                                   console_now_ms(), reply, cap_bytes);
}

static void forward(struct broker *broker, const char *packet, size_t len_bytes)
{
    struct console *console = broker->console;
    uint8_t reply[REPLY_BYTES];
    long got = ask(broker, packet, len_bytes, reply, sizeof(reply));

    if (got < 0) {
        broker_reply_text(broker, "E.lost: no answer from the hypervisor");
        return;
    }
    if ((packet[0] && strchr("GPMX", packet[0])) || begins(packet, "Qtl."))
        target_forget(console->target); /* the console's picture is old now */
    broker_reply(broker, reply, (size_t)got);
}

/* `z` may wait, `Z` may be in already. */
static void breakpoint(struct broker *broker, const char *packet, size_t len_bytes)
{
    uint8_t reply[REPLY_BYTES];
    long got;

    if (broker_breaks_packet(broker, packet))
        return;
    got = ask(broker, packet, len_bytes, reply, sizeof(reply));
    if (got > 0 && reply[0] == 'E' && packet[0] == 'Z') {
        /* The room may be taken by those that wait for their `z`. */
        broker_breaks_flush(broker);
        got = ask(broker, packet, len_bytes, reply, sizeof(reply));
    }
    if (got < 0) {
        broker_reply_text(broker, "E.lost: no answer from the hypervisor");
        return;
    }
    if (got == 2 && memcmp(reply, "OK", 2) == 0)
        broker_breaks_took(broker, packet);
    broker_reply(broker, reply, (size_t)got);
}

/* With one vCPU a step is a step, in a sixth of the words. */
static const char *shorter(const struct broker *broker, const char *packet)
{
    static const char *const steps[] = {"vCont;s", "vCont;s:1", "vCont;s:1;c", "vCont;s:-1"};
    static const char *const goes[] = {"vCont;c", "vCont;c:1", "vCont;c:-1"};

    if (!broker->one_vcpu)
        return packet;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (strcmp(packet, steps[i]) == 0)
            return "s";
    for (size_t i = 0; i < sizeof(goes) / sizeof(goes[0]); i++)
        if (strcmp(packet, goes[i]) == 0)
            return "c";
    return packet;
}

/* Has the stub follow what GDB reads at every stop, so that it need not be read. */
static void follow(struct broker *broker)
{
    char packet[SESSION_PACKET_BYTES];
    const uint8_t *answer;
    size_t len_bytes = broker_cache_follow(broker->cache, packet, sizeof(packet));

    if (len_bytes == 0)
        return;
    if (session_request(broker->console->session, packet, len_bytes, &answer) != 2 ||
        memcmp(answer, "OK", 2) != 0)
        broker_cache_follow_refused(broker->cache);
}

static void resume(struct broker *broker, const char *packet)
{
    struct console *console = broker->console;

    if (console_running(console)) {
        broker_reply_text(broker, RUNNING_TEXT);
        return;
    }
    broker_breaks_flush(broker);
    follow(broker);
    target_forget(console->target);
    broker->owns = session_resume(console->session, shorter(broker, packet));
    if (!broker->owns)
        broker_reply_text(broker, "E.lost: the line is lost");
}

/* Once a session: how many vCPUs there are, and whether to believe that it stays so. */
static void meet(struct broker *broker, const char *features)
{
    struct console *console = broker->console;
    const char *hello = target_hello(console->target);
    uint64_t cpus = 0;

    if (broker->met)
        return;
    broker->met = true;
    broker->one_vcpu = hello && target_key_number(hello, "cpus", &cpus) && cpus == 1;
    broker_cache_restart(broker->cache, hello != NULL, strstr(features, "binary-upload+") != NULL);
    broker->epoch = session_epoch(console->session) - 1;
}

/* Takes `feature` with its `;` out of a list of features. */
static void leave_out(char *features, const char *feature)
{
    char *at = strstr(features, feature), *behind;

    if (!at)
        return;
    behind = at + strcspn(at, ";");
    behind += *behind == ';';
    memmove(at, behind, strlen(behind) + 1);
}

/* Stubs differ in what they can; no-ack mode is ours to offer. The list of threads as an object is long
 * and says what the last exit was, so that it is another one at each stop: GDB gets the bare list,
 * which is always the same, and asks for the words when somebody wants to read them. */
static void supported(struct broker *broker, const char *packet, size_t len_bytes)
{
    char features[SESSION_PACKET_BYTES], text[SESSION_PACKET_BYTES + 32];
    const uint8_t *answer;
    long got = session_request(broker->console->session, packet, len_bytes, &answer);

    if (got < 0) {
        broker_reply_text(broker, "E.lost: no answer from the hypervisor");
        return;
    }
    broker->reads_dtd = strstr(packet, "swbreak+") != NULL; /* GDB */
    snprintf(features, sizeof(features), "%.3900s", (const char *)answer);
    meet(broker, features);
    leave_out(features, "qXfer:threads:read+");
    snprintf(text, sizeof(text), "%s%sQStartNoAckMode+", features,
             features[0] && features[strlen(features) - 1] != ';' ? ";" : "");
    broker_reply_text(broker, text);
}

/* A description that relies on the DTD. */
static bool ours(const uint8_t *reply, size_t len_bytes)
{
    return (len_bytes == tl_target_xml_full_len + 1u &&
            memcmp(reply + 1, tl_target_xml_full, tl_target_xml_full_len) == 0) ||
           (len_bytes == tl_target_xml_len + 1u &&
            memcmp(reply + 1, tl_target_xml, tl_target_xml_len) == 0);
}

/* The stub takes the console for its client, and the console reads XML as GDB does. To a client that
 * does not, the same is said in full. False: nothing to do. */
static bool describe_in_full(struct broker *broker, const char *packet)
{
    static const char object[] = "qXfer:features:read:target.xml:", whole[] = "0,ffb";
    char request[sizeof(object) + sizeof(whole)];
    uint8_t reply[REPLY_BYTES];
    unsigned offset, count;
    long got;

    if (broker->reads_dtd || !begins(packet, object) ||
        sscanf(packet + sizeof(object) - 1, "%x,%x", &offset, &count) != 2)
        return false;
    snprintf(request, sizeof(request), "%s%s", object, whole);
    got = ask(broker, request, strlen(request), reply, sizeof(reply));
    if (got < 0 || !ours(reply, (size_t)got))
        return false; /* not ours */
    if (offset > tl_target_xml_plain_len)
        offset = tl_target_xml_plain_len;
    if (count > SESSION_PACKET_BYTES - 5)
        count = SESSION_PACKET_BYTES - 5;
    if (count > tl_target_xml_plain_len - offset)
        count = tl_target_xml_plain_len - offset;
    reply[0] = offset + count < tl_target_xml_plain_len ? 'm' : 'l';
    memcpy(reply + 1, tl_target_xml_plain + offset, count);
    broker_reply(broker, reply, count + 1);
    return true;
}

/* Hg and Hc name the vCPU of later packets. With one there is nothing to choose. */
static bool chooses_nothing(const struct broker *broker, const char *packet)
{
    return broker->one_vcpu && packet[0] == 'H' && (packet[1] == 'g' || packet[1] == 'c') &&
           (strcmp(packet + 2, "0") == 0 || strcmp(packet + 2, "1") == 0 ||
            strcmp(packet + 2, "-1") == 0);
}

void broker_packet(struct broker *broker, const char *packet, size_t len_bytes)
{
    struct console *console = broker->console;

    if (!console_attached(console)) {
        broker_reply_text(broker, "E.lost: the machine is gone");
    } else if (strcmp(packet, "QStartNoAckMode") == 0) {
        broker_reply_text(broker, "OK");
        broker->no_ack = true;
    } else if (packet[0] == 'D') {
        broker_breaks_end(broker, false);
        broker_reply_text(broker, "OK");
        broker_hang_up(broker, "has detached; the guest stays as it is");
    } else if (packet[0] == 'k') {
        broker_hang_up(broker, "has gone (kill never touches the machine)");
    } else if (is_resume(packet)) {
        resume(broker, packet);
    } else if (begins(packet, "qSupported")) {
        supported(broker, packet, len_bytes);
    } else if (strcmp(packet, "?") == 0 && !console_running(console)) {
        broker_reply_text(broker, session_stop_text(console->session));
    } else if (packet[0] == 'Z' || packet[0] == 'z') {
        breakpoint(broker, packet, len_bytes);
    } else if (chooses_nothing(broker, packet)) {
        broker_reply_text(broker, "OK");
    } else if (!describe_in_full(broker, packet)) {
        forward(broker, packet, len_bytes);
    }
}
