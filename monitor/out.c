/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See out.h. The one file that writes to stdout and stderr. */
#include "monitor/out.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void (*out_before)(void);
void (*out_tee)(const char *text, size_t len_bytes);

/* The screen's state: one screen a process. */
static struct {
    bool interactive, colours;
    char line[512]; /* guest text since its last newline */
    size_t line_len_bytes;
    bool guest_open; /* what stands last on the screen is a guest's line without its end */
} out;

void out_init(bool interactive)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    out.interactive = interactive;
    out.colours =
        isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

static void put(const char *text, size_t len_bytes)
{
    if (len_bytes == 0)
        return;
    if (out_before)
        out_before();
    fwrite(text, 1, len_bytes, stdout);
    if (out_tee)
        out_tee(text, len_bytes);
}

void out_text(const char *text, size_t len_bytes)
{
    out_guest_flush();
    put(text, len_bytes);
}

static void out_vprintf(const char *format, va_list args)
{
    char *text;
    int len_bytes = vasprintf(&text, format, args);

    if (len_bytes < 0)
        return;
    out_text(text, (size_t)len_bytes);
    free(text);
}

void out_printf(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    out_vprintf(format, args);
    va_end(args);
}

void out_error(const char *format, ...)
{
    va_list args;
    char *text;
    int len_bytes;

    va_start(args, format);
    len_bytes = vasprintf(&text, format, args);
    va_end(args);
    if (len_bytes < 0)
        return;
    out_guest_flush();
    if (out_before)
        out_before();
    fflush(stdout);
    fprintf(stderr, "%serror:%s %s\n", isatty(STDERR_FILENO) ? out_style(OUT_ERROR) : "",
            isatty(STDERR_FILENO) ? out_style(OUT_PLAIN) : "", text);
    if (out_tee) {
        out_tee("error: ", 7);
        out_tee(text, (size_t)len_bytes);
        out_tee("\n", 1);
    }
    free(text);
}

const char *out_style(enum out_style style)
{
    static const char *const escape[] = {
        [OUT_PLAIN] = "\033[0m",   [OUT_STOP] = "\033[1;33m",  [OUT_NAME] = "\033[36m",
        [OUT_CHANGED] = "\033[1m", [OUT_ERROR] = "\033[1;31m", [OUT_DIM] = "\033[2m",
    };

    return out.colours ? escape[style] : "";
}

/* ---- the guest's console ---- */

static void guest_line_put(void)
{
    if (out.line_len_bytes == 0)
        return;
    put(out.line, out.line_len_bytes);
    out.guest_open = out.line[out.line_len_bytes - 1] != '\n';
    out.line_len_bytes = 0;
}

static void guest_char(char c)
{
    if (out.line_len_bytes + 2 > sizeof(out.line))
        guest_line_put();
    out.line[out.line_len_bytes++] = c;
}

/* On a person's terminal a guest's escape sequences could do anything: show them instead. */
static void guest_byte(uint8_t byte)
{
    if (byte == '\n') {
        guest_char('\n');
        guest_line_put();
    } else if (byte == '\t' || (byte >= 0x20 && byte != 0x7f)) {
        guest_char((char)byte);
    } else if (byte != '\r' && byte != 0) {
        guest_char('^');
        guest_char((char)(byte ^ 0x40));
    }
}

void out_guest(const uint8_t *bytes, size_t len_bytes)
{
    if (!out.interactive) {
        put((const char *)bytes, len_bytes);
        if (len_bytes > 0)
            out.guest_open = bytes[len_bytes - 1] != '\n';
        return;
    }
    for (size_t i = 0; i < len_bytes; i++)
        guest_byte(bytes[i]);
}

bool out_guest_waits(void)
{
    return out.line_len_bytes > 0;
}

void out_guest_flush(void)
{
    guest_line_put();
    if (out.guest_open) {
        out.guest_open = false;
        put("\n", 1);
    }
}

void out_flush(void)
{
    fflush(stdout);
}
