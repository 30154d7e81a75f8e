/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The little of ACPI that the hypervisor needs: the MADT. Tables are the firmware's: every length
 * and checksum is verified, a bad table counts as absent.
 */
#pragma once

#include "boot/boot_info.h"

struct acpi_facts {
    bool found;             /* a valid MADT was there */
    unsigned cpu_count;     /* enabled local APICs */
    uint64_t ioapic_hpa;    /* the IOAPIC that serves the ISA interrupt; 0xfec00000 without MADT */
    unsigned ioapic_pin;    /* its pin */
    bool active_low, level; /* of that pin, from an interrupt source override */
};

/* isa_irq: the debug line's interrupt, whose pin is wanted. */
struct acpi_facts acpi_read(const struct boot_info *info, unsigned isa_irq);
