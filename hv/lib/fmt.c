/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bounded formatter behind the log: %d %i %u %x %X %c %s %p %%, lengths hh h l ll z, flags
 * '-' '0' '#' '+' ' ', width and precision (also '*'). No floating point, no locale, no %n.
 * An unknown conversion is printed as it stands. Shared with the hosted unit tests.
 */
#include "lib/log.h"
#include "lib/mem.h"

#include <stdbool.h>

struct out {
    char *buf;
    size_t cap_bytes, len_bytes; /* len_bytes counts what was wanted, also behind the end */
};

struct spec {
    bool left, zero, alt, plus, space, upper;
    int width, precision; /* precision -1: not given */
    unsigned size_bytes;
};

enum { FMT_WIDTH_MAX = 4096 };

static void put(struct out *out, char c)
{
    if (out->len_bytes + 1 < out->cap_bytes)
        out->buf[out->len_bytes] = c;
    out->len_bytes++;
}

static void put_many(struct out *out, char c, int count)
{
    while (count-- > 0)
        put(out, c);
}

static void put_field(struct out *out, const struct spec *spec, const char *text, size_t len_bytes)
{
    int pad = spec->width - (int)len_bytes;

    if (!spec->left)
        put_many(out, ' ', pad);
    for (size_t i = 0; i < len_bytes; i++)
        put(out, text[i]);
    if (spec->left)
        put_many(out, ' ', pad);
}

static void put_number(struct out *out, const struct spec *spec, uint64_t value, unsigned base,
                       const char *prefix)
{
    const char *digits = spec->upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[20]; /* 2^64 has 20 decimal digits */
    int len = 0, zeros, prefix_len = (int)strlen(prefix), pad;

    while (value) {
        text[len++] = digits[value % base];
        value /= base;
    }
    zeros = (spec->precision < 0 ? 1 : spec->precision) - len;
    if (zeros < 0)
        zeros = 0;
    pad = spec->width - prefix_len - zeros - len;
    if (pad < 0)
        pad = 0;
    if (spec->zero && !spec->left && spec->precision < 0) {
        zeros += pad;
        pad = 0;
    }
    if (!spec->left)
        put_many(out, ' ', pad);
    for (int i = 0; i < prefix_len; i++)
        put(out, prefix[i]);
    put_many(out, '0', zeros);
    while (len > 0)
        put(out, text[--len]);
    if (spec->left)
        put_many(out, ' ', pad);
}

static const char *parse_count(const char *at, int *count)
{
    int value = 0;

    while (*at >= '0' && *at <= '9') {
        if (value < FMT_WIDTH_MAX)
            value = value * 10 + (*at - '0');
        at++;
    }
    *count = value > FMT_WIDTH_MAX ? FMT_WIDTH_MAX : value;
    return at;
}

static int clamp_star(int value)
{
    if (value < -FMT_WIDTH_MAX)
        return -FMT_WIDTH_MAX;
    return value > FMT_WIDTH_MAX ? FMT_WIDTH_MAX : value;
}

static const char *parse_flags(const char *at, struct spec *spec)
{
    for (;; at++) {
        switch (*at) {
        case '-':
            spec->left = true;
            break;
        case '0':
            spec->zero = true;
            break;
        case '#':
            spec->alt = true;
            break;
        case '+':
            spec->plus = true;
            break;
        case ' ':
            spec->space = true;
            break;
        default:
            return at;
        }
    }
}

static const char *parse_length(const char *at, struct spec *spec)
{
    spec->size_bytes = 4;
    if (*at == 'h') {
        spec->size_bytes = 2;
        if (*++at == 'h') {
            spec->size_bytes = 1;
            at++;
        }
    } else if (*at == 'l' || *at == 'z' || *at == 'j' || *at == 't') {
        spec->size_bytes = 8;
        if (*at++ == 'l' && *at == 'l')
            at++;
    }
    return at;
}

size_t fmt_vstr(char *buf, size_t cap_bytes, const char *format, va_list args)
{
    struct out out = {.buf = buf, .cap_bytes = cap_bytes};

    for (const char *at = format; *at; at++) {
        if (*at != '%') {
            put(&out, *at);
            continue;
        }
        const char *start = at;
        struct spec spec = {.precision = -1};

        at = parse_flags(at + 1, &spec);
        if (*at == '*') {
            spec.width = clamp_star(va_arg(args, int));
            if (spec.width < 0) {
                spec.left = true;
                spec.width = -spec.width;
            }
            at++;
        } else {
            at = parse_count(at, &spec.width);
        }
        if (*at == '.') {
            if (*++at == '*') {
                spec.precision = clamp_star(va_arg(args, int));
                if (spec.precision < 0)
                    spec.precision = -1;
                at++;
            } else {
                at = parse_count(at, &spec.precision);
            }
        }
        at = parse_length(at, &spec);

        switch (*at) {
        case 'd':
        case 'i': {
            int64_t value = spec.size_bytes == 8 ? va_arg(args, long) : va_arg(args, int);

            if (spec.size_bytes == 2)
                value = (int16_t)value;
            else if (spec.size_bytes == 1)
                value = (int8_t)value;
            put_number(&out, &spec, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10,
                       value < 0    ? "-"
                       : spec.plus  ? "+"
                       : spec.space ? " "
                                    : "");
            break;
        }
        case 'u':
        case 'x':
        case 'X': {
            uint64_t value =
                spec.size_bytes == 8 ? va_arg(args, unsigned long) : va_arg(args, unsigned);

            if (spec.size_bytes == 2)
                value = (uint16_t)value;
            else if (spec.size_bytes == 1)
                value = (uint8_t)value;
            spec.upper = *at == 'X';
            put_number(&out, &spec, value, *at == 'u' ? 10 : 16,
                       spec.alt && value && *at != 'u' ? (spec.upper ? "0X" : "0x") : "");
            break;
        }
        case 'p':
            spec.precision = 16;
            put_number(&out, &spec, (uint64_t)(uintptr_t)va_arg(args, void *), 16, "0x");
            break;
        case 'c': {
            char c = (char)va_arg(args, int);

            put_field(&out, &spec, &c, 1);
            break;
        }
        case 's': {
            const char *text = va_arg(args, const char *);
            size_t cap = spec.precision < 0 ? SIZE_MAX : (size_t)spec.precision;

            if (!text)
                text = "(null)";
            put_field(&out, &spec, text, str_nlen(text, cap));
            break;
        }
        case '%':
            put(&out, '%');
            break;
        case '\0':
            /* A lone '%' at the end: print what stands there and leave the loop at the NUL. */
            for (const char *c = start; *c; c++)
                put(&out, *c);
            at--;
            break;
        default:
            for (const char *c = start; c <= at; c++)
                put(&out, *c);
            break;
        }
    }
    if (cap_bytes)
        buf[out.len_bytes < cap_bytes ? out.len_bytes : cap_bytes - 1] = '\0';
    return out.len_bytes;
}

size_t fmt_str(char *buf, size_t cap_bytes, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    size_t len_bytes = fmt_vstr(buf, cap_bytes, format, args);
    va_end(args);
    return len_bytes;
}
