/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The UART's pin of the real IOAPIC belongs to us (NMI delivery), so the guest's interrupt takes one
 * of two other ways. A guest that has unmasked the pin in its own redirection entry gets the entry's
 * vector as a self-IPI of the local APIC. Otherwise it may use the 8259s, whose input is the real
 * line: that is held high by enabling the real UART's transmitter interrupt while the emulated line
 * is high. Held, not pulsed: an 8259 whose input falls before the acknowledge gives a spurious IRQ 7,
 * and Bochs forgets the request. Each rise costs us one NMI, which line.c knows to be ours.
 */
#include "core/uart_irq.h"

#include "core/apic.h"
#include "core/line.h"
#include "core/uart16550.h"
#include "cpu/x86.h"
#include "dev/uart.h"

#define RTE_MASKED   (UINT64_C(1) << 16)
#define RTE_DELIVERY UINT64_C(0x700)
#define RTE_LOWEST   UINT64_C(0x100)
#define RTE_VECTOR   UINT64_C(0xff)

#define UART_IER 1
#define IER_RX   0x01
#define IER_THRE 0x02

/* The guest's redirection entry for the UART's pin; masked as after reset. */
static uint64_t guest_entry = RTE_MASKED;
static bool line_held;

static bool routed_by_ioapic(void)
{
    uint64_t delivery = guest_entry & RTE_DELIVERY;

    return !(guest_entry & RTE_MASKED) && (delivery == 0 || delivery == RTE_LOWEST);
}

static void hold_line(bool high)
{
    if (high == line_held)
        return;
    line_held = high;
    line_active();
    out8(hv_uart.base + UART_IER, high ? IER_RX | IER_THRE : IER_RX);
}

bool uart16550_drives_line(void)
{
    return line_held;
}

static void deliver(bool high)
{
    if (!routed_by_ioapic()) {
        hold_line(high);
        return;
    }
    hold_line(false);
    if (high)
        apic_self_ipi((uint8_t)(guest_entry & RTE_VECTOR));
}

void uart_irq_changed(bool high)
{
    deliver(high);
}

void uart_irq_route(uint64_t entry)
{
    bool was_routed = routed_by_ioapic();

    guest_entry = entry;
    if (routed_by_ioapic() != was_routed)
        deliver(uart16550_irq_level());
}
