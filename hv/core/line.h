/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The debug line while the guest runs: who looks at it, and whether it raised the NMI that came.
 * The bytes are the debugger's; without one they are typed text for the guest's console.
 */
#pragma once

#include "core/hooks.h"

/* Drains the receiver; true when somebody asked for a stop. */
bool line_poll(struct vcpu *vcpu);

/* Has the line had bytes since the last call, so that an NMI just seen was its own? */
bool line_caused_nmi(void);
