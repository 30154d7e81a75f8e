/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GDB takes all its breakpoints out at each stop and puts them in again at each resume. The stub's
 * leave no trace in what anybody reads, so they may stay in while the guest stands: a `z` waits here
 * until the guest is to go on, and a `Z` that says what the stub has already costs nothing. When GDB
 * leaves or vanishes, its breakpoints go with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/broker_impl.h"
#include "monitor/stops.h"

/* TYPE,ADDR,KIND of a Z or z packet for code; false: something else. Watchpoints go in and out as GDB
 * says: they remember what memory held when they came. */
static bool key_of(const char *packet, char key[BROKER_KEY_BYTES])
{
    size_t len_bytes = strcspn(packet + 1, ";");

    if ((packet[1] != '0' && packet[1] != '1') || len_bytes >= BROKER_KEY_BYTES)
        return false;
    memcpy(key, packet + 1, len_bytes);
    key[len_bytes] = '\0';
    return true;
}

static struct broker_break *find(struct broker *broker, const char *key)
{
    for (unsigned i = 0; i < BROKER_BREAKS_MAX; i++)
        if (strcmp(broker->breaks[i].key, key) == 0)
            return &broker->breaks[i];
    return NULL;
}

static void forget(struct broker_break *row)
{
    free(row->text);
    memset(row, 0, sizeof(*row));
}

bool broker_breaks_packet(struct broker *broker, const char *packet)
{
    char key[BROKER_KEY_BYTES];
    struct broker_break *row;

    /* While the guest runs they take effect at once. */
    if (console_running(broker->console) || !key_of(packet, key))
        return false;
    row = find(broker, key);
    if (!row)
        return false;
    if (packet[0] == 'Z' && strcmp(row->text, packet) != 0)
        return false; /* other conditions */
    row->wanted = packet[0] == 'Z';
    broker_reply_text(broker, "OK");
    return true;
}

void broker_breaks_took(struct broker *broker, const char *packet)
{
    char key[BROKER_KEY_BYTES];
    struct broker_break *row;

    if (!key_of(packet, key))
        return;
    row = find(broker, key);
    if (packet[0] == 'z') {
        if (row)
            forget(row);
        return;
    }
    if (!row)
        row = find(broker, "");
    if (!row)
        return; /* GDB will have to pay for this one */
    forget(row);
    row->text = strdup(packet);
    if (!row->text)
        return;
    snprintf(row->key, sizeof(row->key), "%s", key);
    row->wanted = true;
}

void broker_breaks_flush(struct broker *broker)
{
    struct console *console = broker->console;
    const uint8_t *answer;

    if (console_running(console))
        return; /* the stub takes no `z` now: at the next stop */
    for (unsigned i = 0; i < BROKER_BREAKS_MAX; i++) {
        struct broker_break *row = &broker->breaks[i];
        unsigned type;
        unsigned long long gva;

        if (!row->key[0] || row->wanted)
            continue;
        if (!console_attached(console) ||
            session_ask(console->session, &answer, "z%s", row->key) < 0)
            return; /* the line is gone, and with it the session that they belong to */
        /* The console may have one at the same place, and the stub keeps one of a kind. */
        if (sscanf(row->key, "%u,%llx", &type, &gva) == 2)
            stops_place_again(console, type, gva);
        forget(row);
    }
}

void broker_breaks_abandon(struct broker *broker)
{
    for (unsigned i = 0; i < BROKER_BREAKS_MAX; i++)
        broker->breaks[i].wanted = false;
}

void broker_breaks_end(struct broker *broker, bool quietly)
{
    broker_breaks_abandon(broker);
    if (!quietly)
        broker_breaks_flush(broker);
    for (unsigned i = 0; quietly && i < BROKER_BREAKS_MAX; i++)
        forget(&broker->breaks[i]);
}
