/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See out.h. The one file that writes to stdout and stderr. */
#include "monitor/out.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERROR_MAX_BYTES 1000 /* somebody's ten kilobytes are not a clear line */

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

/* Length of a well-formed UTF-8 sequence that prints, or 0. U+0080 to U+009F are controls. */
static size_t utf8_length(const char *text, size_t len_bytes)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t need = at[0] >= 0xc2 && at[0] < 0xe0   ? 2
                  : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                  : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                  : 0;

    if (need == 0 || need > len_bytes || (at[0] == 0xc2 && at[1] < 0xa0))
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

/* Length of one of our own colours: nothing else may begin with an escape. */
static size_t style_length(const char *text, size_t len_bytes)
{
    size_t at = 2;

    if (!out.colours || len_bytes < 3 || text[1] != '[')
        return 0;
    while (at < len_bytes && at < 8 && strchr("0123456789;", text[at]) && text[at])
        at++;
    return at < len_bytes && text[at] == 'm' ? at + 1 : 0;
}

/* What we print is made of names and texts from files and from the line: none of them may give the
 * terminal, or the reader of a log, anything but text. `to` has room for twice the bytes. */
static size_t clean(const char *text, size_t len_bytes, char *to)
{
    size_t used = 0;

    for (size_t i = 0; i < len_bytes;) {
        uint8_t byte = (uint8_t)text[i];
        size_t whole = byte == '\n' || byte == '\t' || (byte >= 0x20 && byte < 0x7f) ? 1
                       : byte == 0x1b ? style_length(text + i, len_bytes - i)
                                      : utf8_length(text + i, len_bytes - i);

        if (whole > 0) {
            memcpy(to + used, text + i, whole);
            used += whole;
            i += whole;
            continue;
        }
        if (byte < 0x80) {
            to[used++] = '^';
            to[used++] = (char)(byte ^ 0x40);
        } else {
            to[used++] = '?';
        }
        i++;
    }
    return used;
}

void out_text(const char *text, size_t len_bytes)
{
    char *cleaned = malloc(2 * len_bytes + 1);

    out_guest_flush();
    if (cleaned)
        put(cleaned, clean(text, len_bytes, cleaned));
    free(cleaned);
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
    char *text, cleaned[2 * ERROR_MAX_BYTES + 8];
    size_t used;
    int len_bytes;

    va_start(args, format);
    len_bytes = vasprintf(&text, format, args);
    va_end(args);
    if (len_bytes < 0)
        return;
    used = clean(text, len_bytes < ERROR_MAX_BYTES ? (size_t)len_bytes : ERROR_MAX_BYTES, cleaned);
    snprintf(cleaned + used, sizeof(cleaned) - used, "%s",
             len_bytes > ERROR_MAX_BYTES ? "..." : "");
    free(text);
    out_guest_flush();
    if (out_before)
        out_before();
    fflush(stdout);
    fprintf(stderr, "%serror:%s %s\n", isatty(STDERR_FILENO) ? out_style(OUT_ERROR) : "",
            isatty(STDERR_FILENO) ? out_style(OUT_PLAIN) : "", cleaned);
    if (out_tee) {
        out_tee("error: ", 7);
        out_tee(cleaned, strlen(cleaned));
        out_tee("\n", 1);
    }
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

/* Also U+0080 to U+009F, which a terminal takes for controls: in UTF-8 they are C2 and one byte. On a
 * person's terminal a guest's escape sequences could do anything: show them instead. */
static void guest_byte(uint8_t byte)
{
    static uint8_t before;
    bool control = before == 0xc2 && byte >= 0x80 && byte < 0xa0;

    before = byte;
    if (control)
        guest_char('?'); /* behind a C2, no character at all */
    else if (byte == '\n') {
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
