/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The debug line while the guest runs: who looks at it, and whether it raised the NMI that came.
 * The bytes are the debugger's; without one they are typed text for the guest's console.
 */
#pragma once

#include "core/hooks.h"

/* Drains the receiver; true when somebody asked for a stop. */
bool line_poll(struct vcpu *vcpu);

/* When the line wants to be looked at again, though no byte came: its timers (batches of text, frames to
 * repeat, a client's silence) run only then. Guests that make no exits need none of it. */
extern uint64_t line_next_tsc;

/* Was an NMI just seen the line's own? Yes when it is held high, or had bytes a moment ago. */
bool line_caused_nmi(void);

/* The line was used just now: after a stop, and when the real line is moved for the guest. */
void line_active(void);
