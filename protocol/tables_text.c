/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tables turned into words for people: bits of a value by name, and the nearest name to a word with
 * a typing error.
 */
#include "protocol/tables.h"

#define WORD_MAX 63u

/* Appends to a bounded buffer; remembers when something did not fit. */
struct text {
    char *buf;
    size_t cap, length;
    bool cut;
};

static void put(struct text *t, const char *s)
{
    for (; *s; s++) {
        if (t->length + 1 >= t->cap) {
            t->cut = true;
            return;
        }
        t->buf[t->length++] = *s;
    }
}

static void put_number(struct text *t, uint64_t value, unsigned base)
{
    char digits[21];
    unsigned i = sizeof(digits) - 1;

    digits[i] = 0;
    do {
        digits[--i] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    put(t, &digits[i]);
}

static uint64_t field_mask(const struct tl_bits_row *row)
{
    unsigned width = row->high - row->low + 1u;

    return (width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1) << row->low;
}

/* The row that covers a bit, or NULL. */
static const struct tl_bits_row *row_of_bit(int group, unsigned bit)
{
    for (unsigned i = 0; i < tl_bits_count; i++)
        if (tl_bits[i].group == group && tl_bits[i].low <= bit && bit <= tl_bits[i].high)
            return &tl_bits[i];
    return NULL;
}

size_t tl_bits_format(int group, uint64_t value, char *buf, size_t cap)
{
    struct text t = {buf, cap, 0, false};
    const char *space = "";

    if (!cap)
        return 0;
    for (unsigned bit = 0; bit < 64 && !t.cut;) {
        const struct tl_bits_row *row = row_of_bit(group, bit);
        uint64_t mask = row ? field_mask(row) : UINT64_C(1) << bit;

        if (value & mask) {
            put(&t, space);
            space = " ";
            if (row)
                put(&t, row->name);
            else
                put_number(&t, bit, 10);
            if (row && row->high != row->low) {
                put(&t, "=");
                put_number(&t, (value & mask) >> row->low, 16);
            }
        }
        bit = row ? row->high + 1u : bit + 1;
    }
    if (!t.length && !t.cut)
        put(&t, "0");
    if (t.cut)
        for (size_t i = 1; i <= 3 && i <= t.length; i++)
            buf[t.length - i] = '.';
    buf[t.length] = 0;
    return t.cut ? cap : t.length;
}

static size_t length_of(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Three rows of the usual table: the swap of neighbours looks two rows back. */
unsigned tl_edit_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit)
{
    unsigned char rows[3][WORD_MAX + 1];
    unsigned result;

    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return limit + 1;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned char *row = rows[i % 3], *above = rows[(i - 1) % 3], *two = rows[(i + 1) % 3];

        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= b_len; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            unsigned cost = min(min(above[j] + 1u, row[j - 1] + 1u), above[j - 1] + (x != y));

            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                cost = min(cost, two[j - 2] + 1u);
            row[j] = (unsigned char)cost;
        }
    }
    result = rows[a_len % 3][b_len];
    return result > limit ? limit + 1 : result;
}

void tl_nearest_try(struct tl_nearest *near, const char *word, size_t length, const char *candidate)
{
    unsigned limit = (unsigned)min((unsigned)(length + 2) / 3, WORD_MAX);
    unsigned distance = tl_edit_distance(word, length, candidate, length_of(candidate), limit);

    if (distance > limit || (near->best && distance >= near->distance))
        return;
    near->best = candidate;
    near->distance = distance;
}

const char *tl_nearest_field(enum tl_vendor vendor, const char *word, size_t length)
{
    struct tl_nearest near = {NULL, 0};
    unsigned count;
    const struct tl_field *rows = tl_fields(vendor, &count);

    for (unsigned i = 0; i < count; i++)
        tl_nearest_try(&near, word, length, rows[i].name);
    return near.best;
}

const char *tl_nearest_kind(const char *word, size_t length)
{
    struct tl_nearest near = {NULL, 0};

    for (unsigned i = 1; i < TL_KIND_COUNT; i++)
        tl_nearest_try(&near, word, length, tl_kinds[i].word);
    return near.best;
}

const char *tl_nearest_msr(const char *word, size_t length)
{
    struct tl_nearest near = {NULL, 0};

    for (unsigned i = 0; i < tl_msr_count; i++) {
        tl_nearest_try(&near, word, length, tl_msrs[i].name);
        tl_nearest_try(&near, word, length, tl_msrs[i].manual);
    }
    return near.best;
}

const char *tl_nearest_reg(const char *word, size_t length)
{
    struct tl_nearest near = {NULL, 0};

    for (unsigned i = 0; i < TL_REG_COUNT; i++)
        tl_nearest_try(&near, word, length, tl_regs[i].name);
    return near.best;
}
