/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which guest actions exit: the union of what core needs and what the debugger asked for. The only
 * file that calls the backend's set_intercepts() and msr_intercept() and edits the I/O bitmap.
 */
#pragma once

#include "core/backend.h"

/* Core's own needs, at start-up. */
void intercept_init(struct vcpu *vcpu);

/* Replaces the debugger's wishes (all zero: none). Takes effect at the next entry. */
void intercept_debugger(struct vcpu *vcpu, const struct hv_intercepts *wanted);

/* Debugger: one MSR (access: HV_READ | HV_WRITE), or a range of ports, on or off. What core needs
 * stays intercepted. */
void intercept_msr(struct vcpu *vcpu, uint32_t index, uint8_t access, bool on);
void intercept_ports(struct vcpu *vcpu, uint16_t first, uint32_t count, bool on);

/* Core: ports of an emulated device; they stay intercepted whatever the debugger asks. */
void intercept_device_ports(struct vcpu *vcpu, uint16_t first, uint16_t count);

/* Takes these kinds off until the next exit, so that the guest executes an instruction itself; 0:
 * puts all back (the dispatcher does that). Kinds that core itself needs are not taken off. */
void intercept_lift(struct vcpu *vcpu, uint64_t kinds);
