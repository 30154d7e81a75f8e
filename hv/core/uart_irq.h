/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the emulated UART's interrupt reaches the guest. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The emulated line went high or low. */
void uart_irq_changed(bool high);

/* The guest rewrote its redirection entry for the UART's pin (ioapic.c). */
void uart_irq_route(uint64_t entry);
