/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Why it died: conclusions from a crash record, ranked, each with its evidence. A pure function of the
 * record, so the hypervisor (live), the console and `trapline explain LOG` say the same. It looks at
 * what the machine shows; it knows nothing of seeded faults.
 */
#pragma once

#include "protocol/record.h"
#include "protocol/rules.h"

enum explain_certainty {
    EXPLAIN_PROVEN, /* follows from the record and the manual */
    EXPLAIN_LIKELY, /* fits everything seen; something else could look the same */
    EXPLAIN_GUESS,  /* only the most common cause of such a picture */
};

#define EXPLAIN_ITEMS_MAX      10u
#define EXPLAIN_TEXT_BYTES     280u
#define EXPLAIN_EVIDENCE_BYTES 400u

struct explain_item {
    const char *id; /* row of explain.def, or the id of a rule */
    enum explain_certainty certainty;
    uint16_t rank; /* higher first */
    char text[EXPLAIN_TEXT_BYTES];
    char evidence[EXPLAIN_EVIDENCE_BYTES];
};

struct explanation {
    unsigned count;
    struct explain_item item[EXPLAIN_ITEMS_MAX]; /* best first; [0].text is the verdict */
    unsigned rules_violated, rules_untold;       /* untold: "cannot tell" */
};

/* Fills *out; there is always at least one item. */
void explain(const struct crash_record *record, struct explanation *out);

const char *explain_certainty_text(enum explain_certainty certainty);
