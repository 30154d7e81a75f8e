/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A 16550 (or 8250, 16450): bytes in, bytes out, every wait bounded. It knows nothing of lines,
 * packets or logs beyond the one sink function below.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_DEFAULT_BASE 0x3f8
#define UART_DEFAULT_BAUD 115200u
#define UART_PORTS        8 /* consecutive I/O ports */

struct uart {
    uint16_t base;
    uint32_t baud;
    uint8_t fifo_bytes; /* 16, or 1 without a FIFO */
    bool present;       /* false: writes vanish, reads find nothing */
    bool stuck;  /* the transmitter did not drain in time; tried once per write until it does */
    bool broken; /* the next received byte is a BREAK's zero */
    uint32_t dropped_bytes, overruns;
    uint32_t received_bytes; /* by uart_read(), modulo 2^32 */
};

extern struct uart hv_uart; /* the debug line */

/* `0x3f8,115200`, `0x3f8` or `com1`..`com4[,SPEED]`. NULL, or one plain sentence. */
const char *uart_parse(const char *spec, size_t len_bytes, uint16_t *base, uint32_t *baud);

/* Programs 8n1 at the speed, FIFO on and empty, interrupts off. A missing UART leaves
 * present == false. */
void uart_init(struct uart *uart, uint16_t base, uint32_t baud);

/* Is a received byte there? */
bool uart_ready(struct uart *uart);

/* One received byte, or -1. Never waits. A BREAK is no byte. */
int uart_read(struct uart *uart);

/* Has the last bit left the transmitter? True when there is no UART. */
bool uart_drained(struct uart *uart);

/* Sends all bytes, waiting for the transmitter a bounded time; what does not fit is dropped and
 * counted. Returns the number sent. */
size_t uart_write(struct uart *uart, const uint8_t *bytes, size_t len_bytes);

/* Receive interrupt on (IER = 1, OUT2 set, which gates the line on PCs) or off. */
void uart_irq_enable(struct uart *uart, bool on);

/* ISA interrupt of the base address: 4 for COM1 and COM3, 3 for COM2 and COM4, -1 when unknown. */
int uart_irq(const struct uart *uart);

/* log_sink: to hv_uart, LF sent as CR LF. */
void uart_log_sink(const char *bytes, size_t len_bytes);
