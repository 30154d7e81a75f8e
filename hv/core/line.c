/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The line's receiver while the guest runs. Bytes go to the debugger's poll(); in a build or at a
 * time without one they are typed text for the guest's console.
 */
#include "core/line.h"

#include "core/uart16550.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "dev/uart.h"

/*
 * Bytes that come while others are read raise NMIs of their own, which exit when nothing is left to
 * read. So an NMI this soon after any byte is the line's: a guest that loses one of its rare NMIs
 * then is better off than one that gets an NMI nobody sent.
 */
#define NMI_TAIL_MS 200u
#define LOOK_MS     20u

uint64_t line_next_tsc;

static uint64_t last_active_tsc; /* 0: never */
static uint32_t seen_bytes;      /* of hv_uart, when that was noted */

void line_active(void)
{
    last_active_tsc = rdtsc();
}

/* A byte may come while others are read: whoever read it, its NMI is still to come. */
static void note_bytes(void)
{
    if (hv_uart.received_bytes == seen_bytes)
        return;
    seen_bytes = hv_uart.received_bytes;
    line_active();
}

bool line_poll(struct vcpu *vcpu)
{
    bool stop;

    line_next_tsc = rdtsc() + LOOK_MS * tsc_khz;
    if (uart_ready(&hv_uart))
        line_active();
    if (hv_debug.poll) {
        stop = hv_debug.poll(vcpu);
        note_bytes();
        return stop;
    }
    for (int byte = uart_read(&hv_uart); byte >= 0; byte = uart_read(&hv_uart)) {
        uint8_t one = (uint8_t)byte;

        uart16550_input(&one, 1);
    }
    note_bytes();
    return false;
}

bool line_caused_nmi(void)
{
    if (!hv_uart.present)
        return false;
    note_bytes();
    return uart16550_drives_line() ||
           (last_active_tsc && rdtsc() - last_active_tsc < NMI_TAIL_MS * tsc_khz);
}
