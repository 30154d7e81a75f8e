/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Requests and how their replies are judged; who answers, and the exit of this stop. Registers,
 * memory and what expressions need are target_regs.c's, target_memory.c's and target_env.c's.
 */
#include "monitor/target.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/target_impl.h"
#include "protocol/args.h"
#include "protocol/rsp.h"

#define OBJECT_MAX_BYTES (4u << 20) /* no text of the hypervisor is that long */

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

const char *target_ask_bytes(struct target *target, const char *name, const char *request,
                             size_t len_bytes)
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
    return is_error(target, (const char *)reply, name) ? NULL : (const char *)reply;
}

static const char *ask(struct target *target, const char *format, va_list args)
{
    const char *reply;
    char *request;
    int len_bytes = vasprintf(&request, format, args);

    if (len_bytes < 0) {
        target_fail(target, "out of memory");
        return NULL;
    }
    reply = target_ask_bytes(target, request, request, (size_t)len_bytes);
    free(request);
    return reply;
}

const char *target_ask(struct target *target, const char *format, ...)
{
    const char *reply;
    va_list args;

    va_start(args, format);
    reply = ask(target, format, args);
    va_end(args);
    return reply;
}

bool target_is_ok(struct target *target, const char *reply)
{
    if (!reply)
        return false;
    if (strcmp(reply, "OK") == 0)
        return true;
    target_fail(target, "unexpected answer `%.60s`", reply);
    return false;
}

bool target_do(struct target *target, const char *format, ...)
{
    bool done;
    va_list args;

    va_start(args, format);
    done = target_is_ok(target, ask(target, format, args));
    va_end(args);
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

size_t target_unhex(const char *hex, uint8_t *bytes, size_t cap_bytes)
{
    size_t count = 0;

    for (; count < cap_bytes; hex += 2) {
        int high = rsp_hex_digit((uint8_t)hex[0]);
        int low = high < 0 ? -1 : rsp_hex_digit((uint8_t)hex[1]);

        if (low < 0)
            break;
        bytes[count++] = (uint8_t)(high << 4 | low);
    }
    return count;
}

void target_text(const char *hex, char *text, size_t cap_bytes)
{
    size_t len_bytes = target_unhex(hex, (uint8_t *)text, cap_bytes - 1);

    for (size_t i = 0; i < len_bytes; i++)
        if (!isprint((unsigned char)text[i]))
            text[i] = '?';
    text[len_bytes] = '\0';
}

uint64_t target_number(const char *text, const char *key)
{
    uint64_t value = 0;

    target_key_number(text, key, &value);
    return value;
}

/* ---- who answers, and what happened ---- */

const char *target_hello(struct target *target)
{
    const char *reply;

    if (!target->hello) {
        reply = target_ask(target, "qtl.hello");
        if (reply)
            target->hello = strdup(reply);
    }
    return target->hello;
}

enum tl_vendor target_vendor(struct target *target)
{
    const char *hello = target_hello(target);
    char vendor[8] = "";

    if (hello)
        target_key(hello, "vendor", vendor, sizeof(vendor));
    return strcmp(vendor, "vmx") == 0 ? TL_VMX : TL_SVM;
}

const char *target_exit_text(struct target *target)
{
    const char *reply;

    if (!target->exit_text) {
        reply = target_ask(target, "qtl.exit");
        if (reply)
            target->exit_text = strdup(reply);
    }
    return target->exit_text;
}
