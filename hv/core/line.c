/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The line's receiver while the guest runs. Bytes go to the debugger's poll(); in a build or at a
 * time without one they are typed text for the guest's console.
 */
#include "core/line.h"

#include "core/uart16550.h"
#include "cpu/x86.h"
#include "dev/uart.h"

#define UART_LSR       5
#define LSR_DATA_READY 0x01

/* Bytes were taken outside an NMI exit: their NMI may still come. */
static bool nmi_owed;
static bool ready_at_poll;

static bool data_ready(void)
{
    return hv_uart.present && in8(hv_uart.base + UART_LSR) & LSR_DATA_READY;
}

bool line_poll(struct vcpu *vcpu)
{
    ready_at_poll = data_ready();
    if (ready_at_poll && vcpu->exit.kind != HV_EXIT_NMI)
        nmi_owed = true;
    if (hv_debug.poll)
        return hv_debug.poll(vcpu);
    for (int byte = uart_read(&hv_uart); byte >= 0; byte = uart_read(&hv_uart)) {
        uint8_t one = (uint8_t)byte;

        uart16550_input(&one, 1);
    }
    return false;
}

bool line_caused_nmi(void)
{
    bool ours = ready_at_poll || nmi_owed || uart16550_drives_line();

    if (!ready_at_poll)
        nmi_owed = false;
    return ours || !hv_uart.present;
}
