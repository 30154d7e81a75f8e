/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory of the stopped guest: as bytes where the line and the stub take them, else as hex digits.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/target_impl.h"

#define READ_CHUNK_BYTES   1024
#define BINARY_FROM_BYTES  256  /* below it hex digits are as good */
#define BINARY_CHUNK_BYTES 1900 /* fits a packet even if every byte is escaped */
#define WRITE_BYTES        1024u

static size_t read_hex(struct target *target, uint64_t gva, uint8_t *bytes, size_t len_bytes)
{
    size_t done = 0;

    while (done < len_bytes) {
        size_t chunk = len_bytes - done, got;
        const char *reply;

        if (chunk > READ_CHUNK_BYTES)
            chunk = READ_CHUNK_BYTES;
        reply = target_ask(target, "m%llx,%zx", (unsigned long long)(gva + done), chunk);
        got = reply ? target_unhex(reply, bytes + done, chunk) : 0;
        done += got;
        if (got < chunk)
            break;
    }
    return done;
}

/* The same as bytes, for much of them: half of what hex digits cost. Where it ends early hex
 * digits say why. */
static void read_binary(struct target *target, uint64_t gva, uint8_t *bytes, size_t len_bytes,
                        size_t *done)
{
    for (*done = 0; *done < len_bytes;) {
        size_t chunk = len_bytes - *done, got;
        const char *reply;

        if (chunk > BINARY_CHUNK_BYTES)
            chunk = BINARY_CHUNK_BYTES;
        reply = target_ask(target, "x%llx,%zx", (unsigned long long)(gva + *done), chunk);
        if (!reply || reply[0] != 'b')
            return;
        got = target->reply_len_bytes - 1;
        if (got > chunk)
            got = chunk;
        memcpy(bytes + *done, reply + 1, got);
        *done += got;
        if (got < chunk)
            return;
    }
}

size_t target_read(struct target *target, uint64_t gva, void *bytes, size_t len_bytes)
{
    size_t got = 0;

    /* The same few bytes at RIP and RSP are asked for again and again. */
    if (gva >= target->memory_gva && len_bytes <= target->memory_len_bytes &&
        gva - target->memory_gva <= target->memory_len_bytes - len_bytes) {
        memcpy(bytes, target->memory + (gva - target->memory_gva), len_bytes);
        return len_bytes;
    }
    if (len_bytes >= BINARY_FROM_BYTES)
        read_binary(target, gva, bytes, len_bytes, &got);
    if (got < len_bytes)
        got += read_hex(target, gva + got, (uint8_t *)bytes + got, len_bytes - got);
    if (got > 0 && got <= sizeof(target->memory)) {
        memcpy(target->memory, bytes, got);
        target->memory_gva = gva;
        target->memory_len_bytes = got;
    }
    return got;
}

/* Over the link as the bytes are. */
static bool write_binary(struct target *target, uint64_t gva, const uint8_t *bytes,
                         size_t len_bytes)
{
    char request[WRITE_BYTES + 64];
    size_t head = (size_t)snprintf(request, sizeof(request), "X%" PRIx64 ",%zx:", gva, len_bytes);

    memcpy(request + head, bytes, len_bytes);
    return target_is_ok(target, target_ask_bytes(target, "X", request, head + len_bytes));
}

/* For stubs that are not ours, and for recordings: a replay knows no link, and must ask the same. */
static bool write_hex(struct target *target, uint64_t gva, const uint8_t *bytes, size_t len_bytes)
{
    char hex[2 * WRITE_BYTES + 1];

    for (size_t i = 0; i < len_bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return target_do(target, "M%" PRIx64 ",%zx:%s", gva, len_bytes, hex);
}

bool target_write(struct target *target, uint64_t gva, const void *bytes, size_t len_bytes)
{
    struct session *session = target->console->session;
    bool binary = session && session_linked(session) && !session_is_recorded(session);
    const uint8_t *from = bytes;

    while (len_bytes > 0) {
        size_t chunk = len_bytes < WRITE_BYTES ? len_bytes : WRITE_BYTES;

        if (!(binary ? write_binary : write_hex)(target, gva, from, chunk))
            return false;
        from += chunk;
        gva += chunk;
        len_bytes -= chunk;
    }
    target_forget(target);
    return true;
}
