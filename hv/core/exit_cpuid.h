/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What other files of core need from the CPUID handler. */
#pragma once

#include "core/vcpu.h"
#include "cpu/x86.h"

/* What the guest is told for a leaf, now. */
struct cpuid_regs exit_cpuid_shown(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf);
