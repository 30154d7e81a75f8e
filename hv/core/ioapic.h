/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The IOAPIC that serves the debug line: its page is absent from the nested map, and the guest sees
 * the real chip through a window in which one pin is its own invention. The real entry of that pin
 * is NMI delivery to us: the break-in that works whatever the guest does.
 */
#pragma once

#include "core/acpi.h"
#include "core/vcpu.h"

/* Takes the page and the pin. Without a line, or a pin that does not exist, does nothing. */
void ioapic_init(const struct acpi_facts *facts);

/* Is gpa in the page that was taken? And the access itself, from a HV_EXIT_NESTED_PAGE. */
bool ioapic_owns(uint64_t gpa);
enum hv_verdict ioapic_mmio(struct vcpu *vcpu);
