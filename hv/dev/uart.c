/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * 16550 by polling. PC16550D data sheet, "Registers". The FIFO is on: without it one emulator looks
 * at its receiver only ten times a (virtual) second.
 */
#include "dev/uart.h"
#include "cpu/x86.h"
#include "lib/mem.h"

enum uart_reg { REG_DATA, REG_IER, REG_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };

#define FCR_ENABLE_CLEAR 0x07 /* FIFO on, both sides emptied, trigger at 1 byte */
#define IIR_FIFO_ON      0xc0
#define LCR_8N1          0x03
#define LCR_DLAB         0x80
#define MCR_DTR_RTS      0x03
#define MCR_OUT2         0x08
#define LSR_DATA         0x01
#define LSR_OVERRUN      0x02
#define LSR_BREAK        0x10
#define LSR_THRE         0x20
#define LSR_TEMT         0x40
#define UART_CLOCK_BAUD  115200u /* divisor 1 */

/* Reads of LSR for one burst. A read takes a microsecond on hardware; 16 bytes at 1200 baud take
 * 133 ms. An emulated UART paced in virtual time needs about 20000 reads at 115200. */
#define WRITE_POLLS_MAX 400000u

struct uart hv_uart;

static uint8_t reg_read(const struct uart *uart, enum uart_reg reg)
{
    return in8((uint16_t)(uart->base + reg));
}

static void reg_write(const struct uart *uart, enum uart_reg reg, uint8_t value)
{
    out8((uint16_t)(uart->base + reg), value);
}

/* A read of LSR clears its error bits, whoever reads it and for what: keep what they said. */
static uint8_t line_status(struct uart *uart)
{
    uint8_t status = reg_read(uart, REG_LSR);

    if (status & LSR_OVERRUN)
        uart->overruns++;
    if (status & LSR_BREAK)
        uart->broken = true;
    return status;
}

const char *uart_parse(const char *spec, size_t len_bytes, uint16_t *base, uint32_t *baud)
{
    static const uint16_t coms[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    size_t base_bytes = 0;
    uint64_t number;

    while (base_bytes < len_bytes && spec[base_bytes] != ',')
        base_bytes++;
    if (base_bytes == 4 && memcmp(spec, "com", 3) == 0 && spec[3] >= '1' && spec[3] <= '4') {
        *base = coms[spec[3] - '1'];
    } else {
        if (!str_number(spec, base_bytes, &number) || number < 0x100 ||
            number > 0x10000 - UART_PORTS)
            return "wants an I/O port, as in uart=0x3f8,115200";
        *base = (uint16_t)number;
    }
    *baud = UART_DEFAULT_BAUD;
    if (base_bytes == len_bytes)
        return NULL;
    if (!str_number(spec + base_bytes + 1, len_bytes - base_bytes - 1, &number) || number < 50 ||
        number > UART_CLOCK_BAUD || UART_CLOCK_BAUD % number)
        return "wants a speed that divides 115200, as in uart=0x3f8,115200";
    *baud = (uint32_t)number;
    return NULL;
}

void uart_init(struct uart *uart, uint16_t base, uint32_t baud)
{
    uint16_t divisor = (uint16_t)(UART_CLOCK_BAUD / baud);

    *uart = (struct uart){.base = base, .baud = baud, .fifo_bytes = 1};
    reg_write(uart, REG_IER, 0);
    /* A floating bus reads ff from LSR, and from IER bits that a UART keeps at 0. */
    if (reg_read(uart, REG_IER) & 0xf0 || reg_read(uart, REG_LSR) == 0xff)
        return;
    uart->present = true;
    reg_write(uart, REG_LCR, LCR_DLAB | LCR_8N1);
    reg_write(uart, REG_DATA, (uint8_t)divisor);
    reg_write(uart, REG_IER, (uint8_t)(divisor >> 8));
    reg_write(uart, REG_LCR, LCR_8N1);
    reg_write(uart, REG_FCR, FCR_ENABLE_CLEAR);
    if ((reg_read(uart, REG_FCR) & IIR_FIFO_ON) == IIR_FIFO_ON)
        uart->fifo_bytes = 16;
    reg_write(uart, REG_MCR, MCR_DTR_RTS | MCR_OUT2);
}

bool uart_ready(struct uart *uart)
{
    return uart->present && line_status(uart) & LSR_DATA;
}

int uart_read(struct uart *uart)
{
    while (uart_ready(uart)) {
        uint8_t byte = reg_read(uart, REG_DATA);
        bool broken = uart->broken && !byte;

        uart->broken = false;
        uart->received_bytes++;
        if (!broken)
            return byte;
    }
    return -1;
}

/* Is there room for at least one byte right now? */
static bool can_write(struct uart *uart)
{
    return uart->present && line_status(uart) & LSR_THRE;
}

bool uart_drained(struct uart *uart)
{
    return !uart->present || line_status(uart) & LSR_TEMT;
}

/* As many bytes as the transmitter takes at once, without waiting; returns how many. */
static size_t write_some(struct uart *uart, const uint8_t *bytes, size_t len_bytes)
{
    size_t burst = len_bytes < uart->fifo_bytes ? len_bytes : uart->fifo_bytes;

    if (!burst || !can_write(uart))
        return 0;
    uart->stuck = false;
    for (size_t i = 0; i < burst; i++)
        reg_write(uart, REG_DATA, bytes[i]);
    return burst;
}

size_t uart_write(struct uart *uart, const uint8_t *bytes, size_t len_bytes)
{
    size_t sent = 0;

    while (sent < len_bytes && uart->present) {
        uint32_t polls = uart->stuck ? 1 : WRITE_POLLS_MAX;
        size_t burst;

        do {
            burst = write_some(uart, bytes + sent, len_bytes - sent);
        } while (!burst && --polls);
        if (!burst) {
            uart->stuck = true;
            break;
        }
        sent += burst;
    }
    uart->dropped_bytes += (uint32_t)(len_bytes - sent);
    return sent;
}

void uart_irq_enable(struct uart *uart, bool on)
{
    if (!uart->present)
        return;
    reg_write(uart, REG_MCR, MCR_DTR_RTS | MCR_OUT2);
    reg_write(uart, REG_IER, on ? 1 : 0);
}

int uart_irq(const struct uart *uart)
{
    switch (uart->base) {
    case 0x3f8:
    case 0x3e8:
        return 4;
    case 0x2f8:
    case 0x2e8:
        return 3;
    default:
        return -1;
    }
}

void uart_log_sink(const char *bytes, size_t len_bytes)
{
    size_t start = 0;

    for (size_t i = 0; i < len_bytes; i++) {
        if (bytes[i] != '\n')
            continue;
        uart_write(&hv_uart, (const uint8_t *)bytes + start, i - start);
        uart_write(&hv_uart, (const uint8_t *)"\r\n", 2);
        start = i + 1;
    }
    uart_write(&hv_uart, (const uint8_t *)bytes + start, len_bytes - start);
}
