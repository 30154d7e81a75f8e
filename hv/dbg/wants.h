/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From what is armed to what must exit: the union of events, breakpoints and the step under way.
 */
#pragma once

#include "dbg/run.h"

/* Exits after which breakpoints may have to move: the guest's debug registers, its paging. */
#define WANTS_MOVING_KINDS                                                                         \
    (DBG_KIND_BIT(TL_KIND_DR_ACCESS) | DBG_KIND_BIT(TL_KIND_CR0_WRITE) |                           \
     DBG_KIND_BIT(TL_KIND_CR3_WRITE) | DBG_KIND_BIT(TL_KIND_CR4_WRITE) |                           \
     DBG_KIND_BIT(TL_KIND_INVLPG))

/* Tells the target this vCPU's wants if they changed. Cheap when not. */
void wants_tell(struct run *run, unsigned cpu);
