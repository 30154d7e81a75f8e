/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registers and memory of target.h, and how replies are judged. */
#include "monitor/target.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/target_impl.h"
#include "protocol/args.h"

#define READ_CHUNK_BYTES   1024
#define BINARY_FROM_BYTES  256        /* below it hex digits are as good */
#define BINARY_CHUNK_BYTES 1900       /* fits a packet even if every byte is escaped */
#define OBJECT_MAX_BYTES   (4u << 20) /* no text of the hypervisor is that long */

struct target *target_new(struct console *console)
{
    struct target *target = calloc(1, sizeof(*target));

    if (target)
        target->console = console;
    return target;
}

void target_free(struct target *target)
{
    if (!target)
        return;
    free(target->exit_text);
    free(target->hello);
    free(target);
}

void target_forget(struct target *target)
{
    memset(target->reg_known, 0, sizeof(target->reg_known));
    free(target->exit_text);
    target->exit_text = NULL;
    target->memory_len_bytes = 0;
}

void target_forget_all(struct target *target)
{
    target_forget(target);
    free(target->hello);
    target->hello = NULL;
}

const char *target_error(const struct target *target)
{
    return target->error;
}

void target_fail(struct target *target, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(target->error, sizeof(target->error), format, args);
    va_end(args);
}

/* ---- replies ---- */

static bool is_error(struct target *target, const char *reply, const char *request)
{
    unsigned code;

    if (reply[0] == '\0') {
        target_fail(target, "the hypervisor does not know `%.40s`", request);
        return true;
    }
    if (reply[0] != 'E')
        return false;
    if (reply[1] == '.') {
        const char *text = strchr(reply, ':');

        target_fail(target, "%s", text && text[1] == ' ' ? text + 2 : reply + 2);
        return true;
    }
    if (isxdigit((unsigned char)reply[1]) && isxdigit((unsigned char)reply[2]) &&
        reply[3] == '\0') {
        sscanf(reply + 1, "%x", &code);
        target_fail(target, "the hypervisor refused (error %u)", code);
        return true;
    }
    return false;
}

static const char *ask(struct target *target, const char *request, size_t len_bytes)
{
    const uint8_t *reply;
    struct session *session = target->console->session;
    long got;

    if (!session) {
        target_fail(target, "nothing is attached");
        return NULL;
    }
    got = session_request(session, request, len_bytes, &reply);
    if (got < 0) {
        target_fail(target, "%s", session_why(session));
        return NULL;
    }
    target->reply_len_bytes = (size_t)got;
    return (const char *)reply;
}

const char *target_ask(struct target *target, const char *format, ...)
{
    const char *reply;
    char *request;
    va_list args;
    int len_bytes;

    va_start(args, format);
    len_bytes = vasprintf(&request, format, args);
    va_end(args);
    if (len_bytes < 0)
        return NULL;
    reply = ask(target, request, (size_t)len_bytes);
    if (reply && is_error(target, reply, request))
        reply = NULL;
    free(request);
    return reply;
}

bool target_do(struct target *target, const char *format, ...)
{
    const char *reply;
    char *request;
    va_list args;
    int len_bytes;
    bool done = false;

    va_start(args, format);
    len_bytes = vasprintf(&request, format, args);
    va_end(args);
    if (len_bytes < 0)
        return false;
    reply = ask(target, request, (size_t)len_bytes);
    if (reply && !is_error(target, reply, request)) {
        done = strcmp(reply, "OK") == 0;
        if (!done)
            target_fail(target, "unexpected answer `%.60s`", reply);
    }
    free(request);
    return done;
}

char *target_object(struct target *target, const char *object, const char *annex)
{
    char *text = NULL, *more;
    size_t len_bytes = 0;

    for (;;) {
        const char *reply =
            target_ask(target, "qXfer:%s:read:%s:%zx,%x", object, annex, len_bytes, 0x780u);
        size_t got;

        if (!reply || (reply[0] != 'm' && reply[0] != 'l')) {
            if (reply)
                target_fail(target, "unexpected answer `%.60s`", reply);
            free(text);
            return NULL;
        }
        got = target->reply_len_bytes - 1;
        more = realloc(text, len_bytes + got + 1);
        if (!more) {
            free(text);
            return NULL;
        }
        text = more;
        memcpy(text + len_bytes, reply + 1, got);
        len_bytes += got;
        text[len_bytes] = '\0';
        if (reply[0] == 'l' || got == 0 || len_bytes > OBJECT_MAX_BYTES)
            return text;
    }
}

bool target_key(const char *text, const char *key, char *value, size_t cap_bytes)
{
    struct args found;
    size_t len_bytes;

    if (!text || !args_find(args_of(text, strlen(text)), key, &found))
        return false;
    len_bytes = args_len_bytes(&found);
    if (len_bytes >= cap_bytes)
        len_bytes = cap_bytes - 1;
    memcpy(value, found.at, len_bytes);
    value[len_bytes] = '\0';
    return true;
}

bool target_key_number(const char *text, const char *key, uint64_t *value)
{
    return text && args_find_number(args_of(text, strlen(text)), key, value);
}

/* ---- registers ---- */

static unsigned nibble(char digit)
{
    return (unsigned char)digit <= '9' ? (unsigned)(digit - '0')
                                       : (unsigned)(digit | 0x20) - 'a' + 10;
}

/* Little-endian hex of at most 8 bytes; a wider register (x87) keeps its low 64 bits. */
bool target_hex_value(const char *hex, uint64_t *value)
{
    unsigned shift = 0;

    *value = 0;
    if (!isxdigit((unsigned char)hex[0]))
        return false; /* "xxxx": not available */
    for (; isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]); hex += 2) {
        if (shift < 64)
            *value |= (uint64_t)(nibble(hex[0]) << 4 | nibble(hex[1])) << shift;
        shift += 8;
    }
    return true;
}

/* `g` once brings all it carries: cheaper than two single reads. */
static bool read_general(struct target *target)
{
    const char *reply = target_ask(target, "g");

    if (!reply)
        return false;
    for (unsigned i = 0; i < TL_REG_G_COUNT; i++) {
        size_t digits = tl_regs[i].bits / 4;
        char hex[40] = "";

        if (strlen(reply) < digits || digits >= sizeof(hex))
            break;
        memcpy(hex, reply, digits);
        reply += digits;
        target->reg_known[i] = target_hex_value(hex, &target->reg[i]);
    }
    return true;
}

bool target_reg(struct target *target, unsigned number, uint64_t *value)
{
    const char *reply;

    if (number >= TL_REG_COUNT) {
        target_fail(target, "no such register");
        return false;
    }
    if (!target->reg_known[number] && number < TL_REG_G_COUNT)
        read_general(target);
    if (!target->reg_known[number]) {
        reply = target_ask(target, "p%x", number);
        if (!reply)
            return false;
        if (!target_hex_value(reply, &target->reg[number])) {
            target_fail(target, "%s is not available on this platform", tl_regs[number].name);
            return false;
        }
        target->reg_known[number] = true;
    }
    *value = target->reg[number];
    return true;
}

bool target_set_reg(struct target *target, unsigned number, uint64_t value)
{
    char hex[2 * 16 + 1];
    unsigned bytes;

    if (number >= TL_REG_COUNT)
        return false;
    bytes = tl_regs[number].bits / 8u;
    if (bytes > 8) {
        target_fail(target, "%s has %u bits: GDB can set it", tl_regs[number].name,
                    tl_regs[number].bits);
        return false;
    }
    if (bytes < 8 && value >> (8 * bytes)) {
        target_fail(target, "%s has %u bits", tl_regs[number].name, tl_regs[number].bits);
        return false;
    }
    for (unsigned i = 0; i < bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)(value >> (8 * i)) & 0xff);
    if (!target_do(target, "P%x=%s", number, hex))
        return false;
    target_forget(target); /* one register can change another: cr0 efer, rip the exit */
    return true;
}

unsigned target_code_bits(struct target *target)
{
    uint64_t mode;

    if (!target_reg(target, TL_REG_cpu_mode, &mode))
        return 64;
    switch ((enum tl_cpu_mode)mode) {
    case TL_MODE_REAL:
    case TL_MODE_VM86:
    case TL_MODE_PROT16:
    case TL_MODE_COMPAT16:
        return 16;
    case TL_MODE_PROT32:
    case TL_MODE_COMPAT32:
        return 32;
    default:
        return 64;
    }
}

uint64_t target_pc_gva(struct target *target)
{
    uint64_t rip = 0, base = 0;

    target_reg(target, TL_REG_rip, &rip);
    if (target_code_bits(target) != 64)
        target_reg(target, TL_REG_cs_base, &base);
    return base + rip;
}

/* ---- memory ---- */

static size_t unhex(const char *hex, uint8_t *bytes, size_t cap_bytes)
{
    size_t count = 0;

    while (count < cap_bytes && isxdigit((unsigned char)hex[0]) &&
           isxdigit((unsigned char)hex[1])) {
        bytes[count++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
        hex += 2;
    }
    return count;
}

void target_text(const char *hex, char *text, size_t cap_bytes)
{
    size_t len_bytes = unhex(hex, (uint8_t *)text, cap_bytes - 1);

    for (size_t i = 0; i < len_bytes; i++)
        if (!isprint((unsigned char)text[i]))
            text[i] = '?';
    text[len_bytes] = '\0';
}

static size_t read_chunks(struct target *target, const char *verb, uint64_t address, uint8_t *bytes,
                          size_t len_bytes)
{
    size_t done = 0;

    while (done < len_bytes) {
        size_t chunk = len_bytes - done, got;
        const char *reply;

        if (chunk > READ_CHUNK_BYTES)
            chunk = READ_CHUNK_BYTES;
        reply = target_ask(target, "%s%llx,%zx", verb, (unsigned long long)(address + done), chunk);
        got = reply ? unhex(reply, bytes + done, chunk) : 0;
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
        got += read_chunks(target, "m", gva + got, (uint8_t *)bytes + got, len_bytes - got);
    if (got > 0 && got <= sizeof(target->memory)) {
        memcpy(target->memory, bytes, got);
        target->memory_gva = gva;
        target->memory_len_bytes = got;
    }
    return got;
}

size_t target_read_physical(struct target *target, uint64_t gpa, void *bytes, size_t len_bytes)
{
    return read_chunks(target, "qtl.phys:", gpa, bytes, len_bytes);
}

#define WRITE_BYTES 1024u

/* Over the link as the bytes are. */
static bool write_binary(struct target *target, uint64_t gva, const uint8_t *bytes,
                         size_t len_bytes)
{
    char request[WRITE_BYTES + 64];
    const char *reply;
    size_t head = (size_t)snprintf(request, sizeof(request), "X%" PRIx64 ",%zx:", gva, len_bytes);

    memcpy(request + head, bytes, len_bytes);
    reply = ask(target, request, head + len_bytes);
    if (!reply || is_error(target, reply, "X"))
        return false;
    if (strcmp(reply, "OK") == 0)
        return true;
    target_fail(target, "unexpected answer `%.60s`", reply);
    return false;
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
