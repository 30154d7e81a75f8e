/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where two saved rings part (ring_diff() of ring.h): both are walked side by side, kind and RIP of
 * each exit must agree, then what it was about. What comes when it comes is left out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/ring.h"
#include "monitor/ring_filter.h"
#include "protocol/tables.h"

struct sides {
    const struct ring_rows *a, *b;
    const struct ring_filter *ignore;
    /* KASLR: addresses of the kernel in `b` are this much above those in `a`; 0: not, or not yet
     * known. Before paging the kernel runs where it was loaded, which has an offset of its own. */
    uint64_t slide[2];
};

enum { SLIDE_PHYSICAL, SLIDE_VIRTUAL };

/* Interrupts come when they come; their exits say nothing about the guest's own way. */
static bool is_noise(const struct ring_row *row)
{
    return row->kind == TL_KIND_INTERRUPT || row->kind == TL_KIND_NMI ||
           row->kind == TL_KIND_INTERRUPT_WINDOW || row->kind == TL_KIND_PREEMPTION_TIMER;
}

static bool is_left_out(const struct sides *sides, const struct ring_row *row)
{
    return is_noise(row) || ring_filter_hits(sides->ignore, row);
}

#define KERNEL_TEXT  UINT64_C(0xffffffff80000000)
#define LOW_MAX      (UINT64_C(1) << 46) /* user and identity-mapped addresses */
#define KERNEL_ALIGN (UINT64_C(2) << 20)

/* Which slide two addresses of one place in a kernel would differ by; -1: they cannot be one. */
static int slide_of(uint64_t a, uint64_t b)
{
    if ((b - a) % KERNEL_ALIGN != 0)
        return -1;
    return a >= KERNEL_TEXT && b >= KERNEL_TEXT ? SLIDE_VIRTUAL
           : a < LOW_MAX && b < LOW_MAX         ? SLIDE_PHYSICAL
                                                : -1;
}

static bool same_address(const struct sides *sides, uint64_t a, uint64_t b)
{
    int which;

    if (a == b)
        return true;
    which = slide_of(a, b);
    return which >= 0 && b - a == sides->slide[which];
}

static bool same_place(const struct sides *sides, const struct ring_row *a,
                       const struct ring_row *b)
{
    return a->kind == b->kind && a->cs == b->cs && same_address(sides, a->rip, b->rip);
}

static void print_side(struct console *console, char side, const struct ring_row *row)
{
    char symbol[SYMBOLS_TEXT_BYTES] = "", about[40] = "";
    uint64_t index;

    if (!row) {
        out_printf("%c (the ring ends here)\n", side);
        return;
    }
    symbols_describe(console->symbols, row->rip, symbol);
    if (ring_row_msr(row, &index))
        snprintf(about, sizeof(about), "  msr 0x%" PRIx64, index);
    else if (ring_row_port(row, &index))
        snprintf(about, sizeof(about), "  port 0x%" PRIx64, index);
    else if (ring_row_leaf(row, &index))
        snprintf(about, sizeof(about), "  leaf 0x%" PRIx64, index);
    out_printf("%c exit %" PRIu64 "  %s  %04x:0x%" PRIx64 "%s%s%s%s\n", side, row->number,
               tl_kind_word(row->kind), row->cs, row->rip, about, symbol[0] ? "  <" : "", symbol,
               symbol[0] ? ">" : "");
}

/* What may differ between two good runs is left out: time, counts, stack randomisation. */
static bool values_differ(const struct sides *sides, const struct ring_row *a,
                          const struct ring_row *b, bool print)
{
    bool differ = false;
#define COMPARE(name)                                                                              \
    if (!(sides->ignore->fields >> RING_COMPARED_##name & 1) &&                                    \
        !same_address(sides, (uint64_t)a->name, (uint64_t)b->name)) {                              \
        differ = true;                                                                             \
        if (print)                                                                                 \
            out_printf("  %-8s 0x%" PRIx64 "  0x%" PRIx64 "\n", #name, (uint64_t)a->name,          \
                       (uint64_t)b->name);                                                         \
    }
    RING_COMPARED(COMPARE)
#undef COMPARE
    return differ;
}

static size_t skip_left_out(const struct sides *sides, const struct ring_rows *rows, size_t at)
{
    while (at < rows->count && is_left_out(sides, &rows->row[at]))
        at++;
    return at;
}

#define RUN_MAX 64u /* so many equal places in a row are no accident */

/* How many exits from (ia, ib) on are at the same places, up to RUN_MAX. */
static unsigned run_from(const struct sides *sides, size_t ia, size_t ib)
{
    unsigned run = 0;

    while (run < RUN_MAX) {
        ia = skip_left_out(sides, sides->a, ia);
        ib = skip_left_out(sides, sides->b, ib);
        if (ia >= sides->a->count || ib >= sides->b->count ||
            !same_place(sides, &sides->a->row[ia], &sides->b->row[ib]))
            break;
        run++;
        ia++;
        ib++;
    }
    return run;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/*
 * A ring that began to overwrite itself has lost its start. The one whose first record is the later
 * begins there; in the other the place is looked for from where most exits agree, of several the one
 * with the nearest exit number (a loop looks the same wherever one begins).
 */
static void align(const struct sides *sides, size_t *ia, size_t *ib)
{
    bool swap =
        sides->a->count && sides->b->count && sides->a->row[0].number < sides->b->row[0].number;
    const struct ring_rows *late = swap ? sides->b : sides->a, *early = swap ? sides->a : sides->b;
    unsigned best_run = 0;
    size_t best_late = 0, best_early = 0;

    *ia = *ib = 0;
    if (!late->count || !early->count || late->row[0].number == early->row[0].number)
        return;
    for (size_t i = 0; i < late->count && i < 256 && best_run == 0; i++) {
        uint64_t number = late->row[i].number, best_apart = UINT64_MAX;

        if (is_left_out(sides, &late->row[i]))
            continue;
        for (size_t j = 0; j < early->count; j++) {
            unsigned run = swap ? run_from(sides, j, i) : run_from(sides, i, j);

            if (run > best_run ||
                (run && run == best_run && apart(early->row[j].number, number) < best_apart)) {
                best_run = run;
                best_late = i;
                best_early = j;
                best_apart = apart(early->row[j].number, number);
            }
        }
    }
    *ia = swap ? best_early : best_late;
    *ib = swap ? best_late : best_early;
}

/*
 * Two exits that differ by nothing but a multiple of 2 MiB in RIP may be one place of a kernel that
 * KASLR has put elsewhere: they are when the exits behind them agree under this assumption.
 */
static void find_slide(struct sides *sides, size_t ia, size_t ib)
{
    enum { ENOUGH = 3 };
    const struct ring_row *a = &sides->a->row[ia], *b = &sides->b->row[ib];
    int which = slide_of(a->rip, b->rip);
    uint64_t delta = b->rip - a->rip;

    if (delta == 0 || which < 0 || sides->slide[which] || a->kind != b->kind || a->cs != b->cs)
        return;
    sides->slide[which] = delta;
    if (run_from(sides, ia, ib) < ENOUGH) {
        sides->slide[which] = 0;
        return;
    }
    out_printf("from exit %" PRIu64 " on the kernel of the second is 0x%" PRIx64
               " %s in %s memory (KASLR), and compared so\n",
               a->number, delta >> 63 ? -delta : delta, delta >> 63 ? "lower" : "higher",
               which == SLIDE_VIRTUAL ? "virtual" : "physical");
}

bool ring_diff(struct console *console, const struct ring_rows *a, const struct ring_rows *b,
               const struct ring_filter *ignore)
{
    struct sides sides = {a, b, ignore, {0, 0}};
    size_t ia, ib, same = 0;

    align(&sides, &ia, &ib);
    for (;;) {
        const struct ring_row *ra, *rb;

        ia = skip_left_out(&sides, a, ia);
        ib = skip_left_out(&sides, b, ib);
        ra = ia < a->count ? &a->row[ia] : NULL;
        rb = ib < b->count ? &b->row[ib] : NULL;
        if (!ra && !rb) {
            out_printf("no difference in %zu exits (interrupts left out)\n", same);
            return false;
        }
        if (ra && rb)
            find_slide(&sides, ia, ib);
        if (!ra || !rb || !same_place(&sides, ra, rb) || values_differ(&sides, ra, rb, false)) {
            out_printf("after %zu equal exits the first that differs is:\n", same);
            print_side(console, '-', ra);
            print_side(console, '+', rb);
            if (ra && rb && same_place(&sides, ra, rb))
                values_differ(&sides, ra, rb, true);
            return true;
        }
        same++;
        ia++;
        ib++;
    }
}
