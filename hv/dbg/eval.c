/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Callbacks between the bytecode evaluator and the target, and the formatter of printed text.
 */
#include "dbg/eval.h"

#include "lib/log.h"
#include "lib/mem.h"

#define STRING_ARG_MAX 120u

struct eval {
    const struct dbg_target *target;
    const struct dbg_out *out;
    unsigned cpu;
    uint32_t msr; /* AGENT_VAR_MSR: selects what AGENT_REG_MSR and AGENT_REG_MSR_AREA mean */
};

static int area_get(const struct eval *e, uint64_t *value)
{
    struct dbg_msr entries[32];
    int count = e->target->area_read(e->target->machine, e->cpu, entries, 32);

    for (int i = 0; i < count; i++)
        if (entries[i].index == e->msr) {
            *value = entries[i].value;
            return 0;
        }
    return -1;
}

static int reg(void *ctx, uint16_t number, uint64_t *value)
{
    const struct eval *e = ctx;
    const struct dbg_target *t = e->target;

    if (number & AGENT_REG_FIELD)
        return t->field_read(t->machine, e->cpu, number & ~AGENT_REG_FIELD, value);
    if (number == AGENT_REG_MSR)
        return t->msr_read(t->machine, e->cpu, e->msr, value);
    if (number == AGENT_REG_MSR_AREA)
        return area_get(e, value);
    return number < TL_REG_COUNT ? t->reg_read(t->machine, e->cpu, number, value) : -1;
}

static int mem(void *ctx, uint64_t gva, void *buf, size_t len_bytes)
{
    const struct eval *e = ctx;

    return e->target->mem_read(e->target->machine, e->cpu, gva, buf, len_bytes) == len_bytes ? 0
                                                                                             : -1;
}

static int get_var(void *ctx, uint16_t number, uint64_t *value)
{
    const struct eval *e = ctx;

    if (number != AGENT_VAR_MSR)
        return -1;
    *value = e->msr;
    return 0;
}

/* Only reached for code verified with AGENT_MAY_SET, but for the selector. */
static int set_var(void *ctx, uint16_t number, uint64_t value)
{
    struct eval *e = ctx;
    const struct dbg_target *t = e->target;

    if (number == AGENT_VAR_MSR) {
        e->msr = (uint32_t)value;
        return 0;
    }
    if (number & AGENT_REG_FIELD)
        return t->field_write(t->machine, e->cpu, number & ~AGENT_REG_FIELD, value);
    if (number == AGENT_REG_MSR)
        return t->msr_write(t->machine, e->cpu, e->msr, value);
    if (number == AGENT_REG_MSR_AREA)
        return t->area_write(t->machine, e->cpu, e->msr, value);
    return number < TL_REG_COUNT ? t->reg_write(t->machine, e->cpu, number, value) : -1;
}

static int print(void *ctx, const char *format, const uint64_t *args, unsigned args_count)
{
    const struct eval *e = ctx;
    char text[EVAL_TEXT_MAX + 1];
    size_t len;

    if (!e->out)
        return -1;
    len = dbg_format(e->target, e->cpu, text, sizeof(text), format, args, args_count);
    e->out->text(e->out->ctx, text, len);
    return 0;
}

enum agent_error dbg_eval(const struct dbg_target *target, unsigned cpu, const uint8_t *code,
                          size_t len_bytes, const struct dbg_out *out, uint32_t *fuel,
                          uint64_t *value)
{
    struct eval e = {target, out, cpu, 0};
    const struct agent_env env = {
        .ctx = &e,
        .reg = reg,
        .mem = mem,
        .get_var = get_var,
        .set_var = set_var,
        .print = print,
    };

    return agent_eval(code, len_bytes, &env, fuel, value, NULL);
}

static size_t put_string(const struct dbg_target *target, unsigned cpu, char *buf, size_t cap_bytes,
                         uint64_t address)
{
    char text[STRING_ARG_MAX + 1];
    size_t got;

    if (address < TL_KIND_COUNT)
        return fmt_str(buf, cap_bytes, "%s", tl_kind_word((unsigned)address));
    got = target->mem_read(target->machine, cpu, address, text, STRING_ARG_MAX);
    if (got == 0)
        return fmt_str(buf, cap_bytes, "<unreadable>");
    text[got] = 0;
    for (size_t i = 0; text[i]; i++) /* the line is text: no control bytes of the guest's choice */
        if ((unsigned char)text[i] < ' ' && text[i] != '\n' && text[i] != '\t')
            text[i] = '.';
    return fmt_str(buf, cap_bytes, "%s", text);
}

/* One conversion "%...c" of spec_len bytes with its length modifiers taken out. */
struct conversion {
    char spec[16]; /* "%#08l" and the letter */
    char letter;
    uint8_t arg_bits;
    size_t len_bytes; /* of the source text */
};

static struct conversion scan(const char *format)
{
    struct conversion c = {.arg_bits = 32, .len_bytes = 1};
    size_t n = 0;

    c.spec[n++] = '%';
    for (; format[c.len_bytes]; c.len_bytes++) {
        char ch = format[c.len_bytes];

        if (ch == 'l' || ch == 'z' || ch == 'j' || ch == 't')
            c.arg_bits = 64;
        else if (ch == 'h')
            c.arg_bits = c.arg_bits == 16 ? 8 : 16;
        else if ((ch >= '0' && ch <= '9') || ch == '-' || ch == '#' || ch == '+' || ch == ' ' ||
                 ch == '.') {
            if (n < 8 && ch != '+' && ch != ' ' && ch != '.')
                c.spec[n++] = ch;
        } else {
            c.letter = ch;
            c.len_bytes++;
            break;
        }
    }
    c.spec[n] = 0;
    return c;
}

static size_t put_number(char *buf, size_t cap_bytes, struct conversion c, uint64_t arg)
{
    bool is_signed = c.letter == 'd' || c.letter == 'i';
    size_t n = strlen(c.spec);

    if (c.letter == 'p') {
        c.spec[0] = '%', c.spec[1] = '#', n = 2;
        c.arg_bits = 64;
        c.letter = 'x';
    }
    if (c.arg_bits < 64) {
        arg &= (UINT64_C(1) << c.arg_bits) - 1;
        if (is_signed && arg >> (c.arg_bits - 1))
            arg |= ~UINT64_C(0) << c.arg_bits;
    }
    c.spec[n++] = 'l';
    c.spec[n++] = is_signed ? 'd' : c.letter == 'u' ? 'u' : 'x'; /* X and o print as hex */
    c.spec[n] = 0;
    return fmt_str(buf, cap_bytes, c.spec, arg);
}

/* The character of C's escape, 0 where there is none: GDB sends a format as it was typed. */
static char escaped(char c)
{
    static const char escapes[] = "n\nt\tr\ra\ae\033\"\"\\\\";

    for (size_t i = 0; escapes[i]; i += 2)
        if (escapes[i] == c)
            return escapes[i + 1];
    return 0;
}

size_t dbg_format(const struct dbg_target *target, unsigned cpu, char *buf, size_t cap_bytes,
                  const char *format, const uint64_t *args, unsigned args_count)
{
    size_t len = 0;
    unsigned arg = 0;

    while (*format && len + 1 < cap_bytes) {
        struct conversion c;
        size_t put;

        if (*format == '\\' && escaped(format[1])) {
            buf[len++] = escaped(format[1]);
            format += 2;
            continue;
        }
        if (*format != '%' || format[1] == '%') {
            buf[len++] = *format;
            format += *format == '%' ? 2 : 1;
            continue;
        }
        c = scan(format);
        format += c.len_bytes;
        if (arg >= args_count) {
            put = fmt_str(buf + len, cap_bytes - len, "<no value>");
        } else if (c.letter == 's') {
            put = put_string(target, cpu, buf + len, cap_bytes - len, args[arg++]);
        } else if (c.letter == 'c') {
            char ch = (char)args[arg++];

            put = fmt_str(buf + len, cap_bytes - len, "%c", ch >= ' ' || ch == '\n' ? ch : '.');
        } else {
            put = put_number(buf + len, cap_bytes - len, c, args[arg++]);
        }
        len += put < cap_bytes - len ? put : cap_bytes - len - 1;
    }
    buf[len] = 0;
    return len;
}

void dbg_say(const struct dbg_out *out, const char *format, ...)
{
    char text[EVAL_TEXT_MAX + 1];
    va_list args;
    size_t len;

    va_start(args, format);
    len = fmt_vstr(text, sizeof(text), format, args);
    va_end(args);
    out->text(out->ctx, text, len < sizeof(text) ? len : sizeof(text) - 1);
}
