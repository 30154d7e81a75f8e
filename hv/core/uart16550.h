/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The 16550A that the guest sees on the debug line's ports. Input comes through uart16550_input()
 * (hooks.h); output goes to the debugger's console channel, or to the line as text.
 */
#pragma once

#include "core/vcpu.h"

/* Takes the ports of hv_uart away from the guest; does nothing when there is no line. */
void uart16550_init(struct vcpu *vcpu);

/* Is it one of the ports that were taken? And the accesses, one byte each. */
bool uart16550_owns(uint16_t port);
uint8_t uart16550_read(uint16_t port);
void uart16550_write(uint16_t port, uint8_t value);

/* The emulated interrupt line is high right now. */
bool uart16550_irq_level(void);

/* The real line is being held high for a guest that uses the 8259s (see uart_irq.c). */
bool uart16550_drives_line(void);
