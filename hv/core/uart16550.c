/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Registers, FIFO and interrupt conditions of a 16550A (National Semiconductor's data sheet). The
 * transmitter is always empty: a byte written is passed on at once. How an interrupt reaches the
 * guest is uart_irq.c's.
 */
#include "core/uart16550.h"

#include "core/hooks.h"
#include "core/intercept.h"
#include "core/uart_irq.h"
#include "dev/uart.h"

enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

#define IER_RX    0x01
#define IER_THRE  0x02
#define IER_LINE  0x04
#define IER_MODEM 0x08
#define IER_ALL   0x0f

#define IIR_NONE    0x01
#define IIR_MODEM   0x00
#define IIR_THRE    0x02
#define IIR_RX      0x04
#define IIR_LINE    0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO_ON 0xc0

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02

#define LCR_DLAB 0x80

#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_ALL  0x1f

#define LSR_DATA    0x01
#define LSR_OVERRUN 0x02
#define LSR_THRE    0x20
#define LSR_EMPTY   0x40

#define MSR_DELTAS 0x0f
#define MSR_RI     0x40
#define MSR_READY  0xb0 /* CTS, DSR, DCD: somebody is there */

#define INPUT_BYTES 1024u /* what waits behind the guest's 16-byte FIFO; a power of two */

/* The one emulated UART; written on the vCPU's exits and by uart16550_input(). */
static struct {
    bool present, fifo_on, thre_pending, irq_high;
    uint8_t ier, lcr, mcr, msr, scr, lsr_error, trigger_bytes;
    uint16_t divisor;
    uint32_t head, tail; /* input[tail..head), free-running */
    uint8_t input[INPUT_BYTES];
} u = {.lcr = 3, .msr = MSR_READY, .divisor = 1, .trigger_bytes = 1};

void uart16550_init(struct vcpu *vcpu)
{
    if (!hv_uart.present)
        return;
    u.present = true;
    intercept_device_ports(vcpu, hv_uart.base, UART_PORTS);
}

bool uart16550_owns(uint16_t port)
{
    return u.present && (uint16_t)(port - hv_uart.base) < UART_PORTS;
}

bool uart16550_irq_level(void)
{
    return u.irq_high;
}

static uint32_t waiting(void)
{
    return u.head - u.tail;
}

/* Interrupt identification without the FIFO bits, in the data sheet's order of priority. */
static uint8_t pending(void)
{
    if (u.ier & IER_LINE && u.lsr_error)
        return IIR_LINE;
    if (u.ier & IER_RX && waiting())
        return !u.fifo_on || waiting() >= u.trigger_bytes ? IIR_RX : IIR_TIMEOUT;
    if (u.ier & IER_THRE && u.thre_pending)
        return IIR_THRE;
    if (u.ier & IER_MODEM && u.msr & MSR_DELTAS)
        return IIR_MODEM;
    return IIR_NONE;
}

/* OUT2 gates the interrupt on PCs; loopback disconnects it. */
static void update_irq(void)
{
    bool high = pending() != IIR_NONE && u.mcr & MCR_OUT2 && !(u.mcr & MCR_LOOP);

    if (high == u.irq_high)
        return;
    u.irq_high = high;
    uart_irq_changed(high);
}

static void put_input(uint8_t byte)
{
    if (waiting() == INPUT_BYTES) {
        u.lsr_error |= LSR_OVERRUN;
        return;
    }
    u.input[u.head++ % INPUT_BYTES] = byte;
}

void uart16550_input(const uint8_t *bytes, unsigned len_bytes)
{
    if (!u.present || u.mcr & MCR_LOOP)
        return;
    for (unsigned i = 0; i < len_bytes; i++)
        put_input(bytes[i]);
    update_irq();
}

/* In loopback the outputs of MCR come back as the inputs of MSR. */
static void update_modem_status(void)
{
    uint8_t now = MSR_READY, old = u.msr & (uint8_t)~MSR_DELTAS, delta;

    if (u.mcr & MCR_LOOP)
        now = (uint8_t)((u.mcr & MCR_RTS ? 0x10 : 0) | (u.mcr & MCR_DTR ? 0x20 : 0) |
                        (u.mcr & MCR_OUT1 ? MSR_RI : 0) | (u.mcr & MCR_OUT2 ? 0x80 : 0));
    delta = (now ^ old) >> 4;
    if (!(old & MSR_RI && !(now & MSR_RI))) /* RI tells only its trailing edge */
        delta &= (uint8_t)~0x04;
    u.msr = now | (u.msr & MSR_DELTAS) | delta;
}

static void transmit(uint8_t byte)
{
    if (u.mcr & MCR_LOOP)
        put_input(byte);
    else if (hv_debug.console_out)
        hv_debug.console_out(&byte, 1);
    else
        uart_write(&hv_uart, &byte, 1);
    u.thre_pending = true; /* empty again at once */
}

static uint8_t read_data(void)
{
    uint8_t byte = 0;

    if (waiting())
        byte = u.input[u.tail++ % INPUT_BYTES];
    return byte;
}

static uint8_t read_iir(void)
{
    uint8_t iir = pending();

    if (iir == IIR_THRE)
        u.thre_pending = false;
    return iir | (u.fifo_on ? IIR_FIFO_ON : 0);
}

uint8_t uart16550_read(uint16_t port)
{
    uint8_t value = 0xff;

    switch (port - hv_uart.base) {
    case RBR_THR:
        value = u.lcr & LCR_DLAB ? (uint8_t)u.divisor : read_data();
        break;
    case IER:
        value = u.lcr & LCR_DLAB ? (uint8_t)(u.divisor >> 8) : u.ier;
        break;
    case IIR_FCR:
        value = read_iir();
        break;
    case LCR:
        value = u.lcr;
        break;
    case MCR:
        value = u.mcr;
        break;
    case LSR:
        value = LSR_THRE | LSR_EMPTY | u.lsr_error | (waiting() ? LSR_DATA : 0);
        u.lsr_error = 0;
        break;
    case MSR:
        value = u.msr;
        u.msr &= (uint8_t)~MSR_DELTAS;
        break;
    case SCR:
        value = u.scr;
        break;
    }
    update_irq();
    return value;
}

static void write_fcr(uint8_t value)
{
    static const uint8_t triggers[] = {1, 4, 8, 14};

    if (value & FCR_CLEAR_RX || (value & FCR_ENABLE) != u.fifo_on)
        u.tail = u.head;
    u.fifo_on = value & FCR_ENABLE;
    u.trigger_bytes = triggers[value >> 6];
}

void uart16550_write(uint16_t port, uint8_t value)
{
    switch (port - hv_uart.base) {
    case RBR_THR:
        if (u.lcr & LCR_DLAB)
            u.divisor = (u.divisor & 0xff00) | value;
        else
            transmit(value);
        break;
    case IER:
        if (u.lcr & LCR_DLAB) {
            u.divisor = (uint16_t)((u.divisor & 0xff) | value << 8);
            break;
        }
        if (value & ~u.ier & IER_THRE)
            u.thre_pending = true; /* enabling it with an empty transmitter interrupts */
        u.ier = value & IER_ALL;
        break;
    case IIR_FCR:
        write_fcr(value);
        break;
    case LCR:
        u.lcr = value;
        break;
    case MCR:
        u.mcr = value & MCR_ALL;
        update_modem_status();
        break;
    case SCR:
        u.scr = value;
        break;
    default: /* LSR, MSR: factory test only */
        break;
    }
    update_irq();
}
