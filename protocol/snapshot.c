/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Filling and asking a state snapshot.
 */
#include "protocol/snapshot.h"

#include <string.h>

void snapshot_clear(struct snapshot *s, bool svm)
{
    memset(s, 0, sizeof(*s));
    s->svm = svm;
}

void snapshot_set(struct snapshot *s, uint16_t row, uint64_t value)
{
    if (row >= SNAPSHOT_ROWS_MAX)
        return;
    s->field[row] = value;
    s->present[row / 64] |= UINT64_C(1) << (row % 64);
}

static struct snapshot_msr *find_cap(struct snapshot *s, uint32_t index)
{
    for (unsigned i = 0; i < s->caps_count; i++)
        if (s->caps[i].index == index)
            return &s->caps[i];
    return NULL;
}

void snapshot_set_cap(struct snapshot *s, uint32_t index, uint64_t value)
{
    struct snapshot_msr *cap = find_cap(s, index);

    if (!cap && s->caps_count < SNAPSHOT_CAPS_MAX)
        cap = &s->caps[s->caps_count++];
    if (cap)
        *cap = (struct snapshot_msr){index, 0, value};
}

bool snapshot_cap(const struct snapshot *s, uint32_t index, uint64_t *value)
{
    const struct snapshot_msr *cap = find_cap((struct snapshot *)s, index);

    if (cap)
        *value = cap->value;
    return cap;
}
