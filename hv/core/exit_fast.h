/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The short road of the one exit that guests make in loops: a backend may complete CPUID between
 * exit and entry, without the dispatcher, as long as nobody watches. The ring still has its record.
 */
#pragma once

#include "core/hooks.h"
#include "cpu/cpu.h"

/* Nothing is armed for CPUID, nobody steps, no NMI waits to be looked at. */
static inline bool exit_fast_possible(const struct vcpu *vcpu)
{
    return !(hv_debug.armed & HV_KIND_BIT(HV_EXIT_CPUID)) && !vcpu->single_step && !vcpu->lifted &&
           !vcpu->cpu->nmi_seen;
}

/* Records and performs CPUID. Needs regs (RAX, RBX, RCX, RDX, RIP, RSP, RFLAGS), exit.cs_selector and
 * exit.cr3; leaves the results in regs. The caller moves RIP. */
void exit_fast_cpuid(struct vcpu *vcpu, uint32_t raw_reason);
