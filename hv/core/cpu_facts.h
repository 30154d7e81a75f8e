/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What this CPU is, for the rules: capability MSRs, address widths, and which bits of CR4 and EFER it
 * knows. The same facts go into crash records and into the self-test.
 */
#pragma once

#include "protocol/snapshot.h"

/* Adds them to the snapshot. Needs exit_cr_init() and exit_msr_init() done. */
void cpu_facts(struct snapshot *s);

/* Adds what lies in memory that VMCS fields name: the revision at the link pointer, the TPR in the
 * virtual-APIC page. Needs the fields; an address outside of memory leaves the fact unknown. */
void cpu_facts_in_memory(struct snapshot *s);
