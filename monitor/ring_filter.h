/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Words that pick records of a ring: exit kinds, msr:N, port:N, leaf:N, rip:ADDRESS (each N also as a
 * range N-N), and for comparisons the names of the values to leave out.
 */
#pragma once

#include "monitor/ring.h"

#define RING_FILTER_ITEMS 64

/* The values of a record that two runs are compared by. */
#define RING_COMPARED(C)                                                                           \
    C(reason)                                                                                      \
    C(info1)                                                                                       \
    C(cr0)                                                                                         \
    C(cr4)                                                                                         \
    C(efer)                                                                                        \
    C(value)                                                                                       \
    C(inject)                                                                                      \
    C(changed)                                                                                     \
    C(verdict)

enum ring_compared {
#define COMPARED(name) RING_COMPARED_##name,
    RING_COMPARED(COMPARED)
#undef COMPARED
        RING_COMPARED_COUNT
};

struct ring_filter {
    uint64_t kinds;  /* mask */
    unsigned fields; /* mask of enum ring_compared */
    struct ring_filter_item {
        unsigned what; /* row of the table in ring_filter.c */
        uint64_t first, last;
    } item[RING_FILTER_ITEMS];
    unsigned items;
};

/* Reads the words, separated by commas or spaces; none: an empty filter. `fields`: names of compared
 * values are words too. False after complaining. */
bool ring_filter_parse(struct console *console, const char *text, bool fields,
                       struct ring_filter *filter);

/* Is it one of the kinds, or of the items? */
bool ring_filter_hits(const struct ring_filter *filter, const struct ring_row *row);

/* MSR, port or leaf of the record; false when its kind has none. */
bool ring_row_msr(const struct ring_row *row, uint64_t *index);
bool ring_row_port(const struct ring_row *row, uint64_t *port);
bool ring_row_leaf(const struct ring_row *row, uint64_t *leaf);
