/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ports that end the machine (power.def). */
#pragma once

#include "core/vcpu.h"

/* At start-up: makes writes to them exit. */
void power_init(struct vcpu *vcpu);

/* Before a write is performed: when it ends the machine, lets the line take what it still holds. */
void power_before_write(uint16_t port, uint64_t value);
