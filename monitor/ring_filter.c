/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ring_filter.h. */
#include "monitor/ring_filter.h"

#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/symbols.h"
#include "protocol/tables.h"

bool ring_row_msr(const struct ring_row *row, uint64_t *index)
{
    *index = (uint32_t)row->rcx;
    return row->kind == TL_KIND_RDMSR || row->kind == TL_KIND_WRMSR;
}

/* Both vendors keep the port in the upper half of the first information word (SDM, "Exit
 * Qualification for I/O Instructions"; APM, "IOIO Intercept Information"). */
bool ring_row_port(const struct ring_row *row, uint64_t *port)
{
    *port = row->info1 >> 16 & 0xffff;
    return row->kind == TL_KIND_IO_IN || row->kind == TL_KIND_IO_OUT;
}

bool ring_row_leaf(const struct ring_row *row, uint64_t *leaf)
{
    *leaf = (uint32_t)row->rax;
    return row->kind == TL_KIND_CPUID;
}

static bool row_rip(const struct ring_row *row, uint64_t *rip)
{
    *rip = row->rip;
    return true;
}

static const struct {
    const char *word;
    bool (*get)(const struct ring_row *row, uint64_t *value);
} items[] = {
    {"msr", ring_row_msr},
    {"port", ring_row_port},
    {"leaf", ring_row_leaf},
    {"rip", row_rip},
};

#define ITEM_KINDS (sizeof(items) / sizeof(items[0]))

static const char *const compared[] = {
#define COMPARED(name) #name,
    RING_COMPARED(COMPARED)
#undef COMPARED
};

/* A number, an MSR's name, or a symbol: all of `text`. */
static bool one_value(struct console *console, const char *text, uint64_t *value)
{
    const struct tl_msr_row *msr = tl_msr_by_name(text, strlen(text));

    if (msr) {
        *value = msr->index;
        return true;
    }
    return cmd_number(text, value) || symbols_find(console->symbols, text, value);
}

static bool take_item(struct console *console, const char *word, struct ring_filter *filter)
{
    const char *colon = strchr(word, ':'), *dash;
    struct ring_filter_item item = {0, 0, 0};
    char first[100];

    for (; item.what < ITEM_KINDS; item.what++)
        if (strlen(items[item.what].word) == (size_t)(colon - word) &&
            strncmp(items[item.what].word, word, (size_t)(colon - word)) == 0)
            break;
    if (item.what == ITEM_KINDS) {
        out_error("`%.40s`: only msr:N, port:N, leaf:N and rip:ADDRESS pick exits", word);
        return false;
    }
    dash = strchr(colon + 1, '-');
    snprintf(first, sizeof(first), "%.*s",
             (int)(dash ? (size_t)(dash - colon - 1) : strlen(colon + 1)), colon + 1);
    if (!one_value(console, first, &item.first) ||
        (dash && !one_value(console, dash + 1, &item.last))) {
        out_error("`%.60s`: a number%s, or two with a dash between", word,
                  strcmp(items[item.what].word, "msr") == 0   ? " or an MSR's name"
                  : strcmp(items[item.what].word, "rip") == 0 ? " or a symbol"
                                                              : "");
        return false;
    }
    if (!dash)
        item.last = item.first;
    if (item.last < item.first) {
        out_error("`%.60s`: the range ends before it begins", word);
        return false;
    }
    if (filter->items == RING_FILTER_ITEMS) {
        out_error("at most %d of msr:N, port:N, leaf:N, rip:N at once", RING_FILTER_ITEMS);
        return false;
    }
    filter->item[filter->items++] = item;
    return true;
}

static bool take_word(struct console *console, const char *word, bool fields,
                      struct ring_filter *filter)
{
    uint64_t mask;
    const char *near;

    if (strchr(word, ':'))
        return take_item(console, word, filter);
    for (unsigned i = 0; fields && i < RING_COMPARED_COUNT; i++)
        if (strcmp(compared[i], word) == 0) {
            filter->fields |= 1u << i;
            return true;
        }
    mask = tl_kinds_by_word(word, strlen(word));
    filter->kinds |= mask;
    if (mask)
        return true;
    near = tl_nearest_kind(word, strlen(word));
    out_error("no exit kind%s `%.40s`%s%s%s (`help kinds` lists them; msr:N, port:N, leaf:N and "
              "rip:ADDRESS work too)",
              fields ? " or value" : "", word, near ? "; did you mean `" : "", near ? near : "",
              near ? "`?" : "");
    return false;
}

bool ring_filter_parse(struct console *console, const char *text, bool fields,
                       struct ring_filter *filter)
{
    char word[128];

    memset(filter, 0, sizeof(*filter));
    for (;;) {
        size_t len_bytes;

        text += strspn(text, ", \t");
        len_bytes = strcspn(text, ", \t");
        if (len_bytes == 0)
            return true;
        if (len_bytes >= sizeof(word)) {
            out_error("`%.40s...`: too long for a kind, msr:N, port:N, leaf:N or rip:ADDRESS",
                      text);
            return false;
        }
        memcpy(word, text, len_bytes);
        word[len_bytes] = '\0';
        text += len_bytes;
        if (!take_word(console, word, fields, filter))
            return false;
    }
}

bool ring_filter_hits(const struct ring_filter *filter, const struct ring_row *row)
{
    uint64_t value;

    if (row->kind < TL_KIND_COUNT && filter->kinds >> row->kind & 1)
        return true;
    for (unsigned i = 0; i < filter->items; i++)
        if (items[filter->item[i].what].get(row, &value) && value >= filter->item[i].first &&
            value <= filter->item[i].last)
            return true;
    return false;
}
