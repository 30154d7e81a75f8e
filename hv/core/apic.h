/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The local APIC of this CPU: the guest has the real one; we send self-IPIs through it and watch that
 * no INIT or start-up IPI leaves, because a real INIT must never reach a CPU that runs a guest.
 */
#pragma once

#include "core/vcpu.h"

#define APIC_PAGE_BYTES 4096u

/* Finds the page; with more than one CPU in the machine the guest's writes to it are trapped. */
void apic_init(unsigned cpu_count);

/* A fixed interrupt to this CPU, as if the device had raised it. */
void apic_self_ipi(uint8_t vector);

/* The number of this CPU's local APIC, as interrupt messages name it. */
uint32_t apic_id(void);

/* May this value of the interrupt command register be written? Refused ones are logged once. */
bool apic_icr_allowed(uint32_t low, uint32_t high);

/* Is gpa in the trapped page? And the write itself. */
bool apic_owns(uint64_t gpa);
enum hv_verdict apic_mmio(struct vcpu *vcpu);
