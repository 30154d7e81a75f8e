/* SPDX-License-Identifier: GPL-3.0-or-later */
/* MSRs of the guest, for the other files of core and for the debugger's binding. */
#pragma once

#include "core/vcpu.h"

/* Once: learns the EFER bits of this CPU and sets core's own MSR intercepts. */
void exit_msr_init(struct vcpu *vcpu);

/* Accesses (HV_READ | HV_WRITE) of this MSR that core must see. */
uint8_t exit_msr_needs(uint32_t index);

/* As the guest's RDMSR and WRMSR; false where the guest would get #GP(0). A value that the CPU would
 * refuse only at the next entry is refused to the guest by exit_wrmsr(), not here. */
bool exit_msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value);
bool exit_msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value);
