/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The emulated 16550A as a driver sees it: Linux's detection, interrupt priorities, FIFO, loopback,
 * overrun. The real UART, the interrupt's way to the guest and the backend are fakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hooks.h"
#include "core/intercept.h"
#include "core/uart16550.h"
#include "core/uart_irq.h"
#include "dev/uart.h"

#define BASE 0x3f8

struct uart hv_uart = {.base = BASE, .present = true};
struct hv_debug_hooks hv_debug;

static unsigned rises, falls;
static char sent[64];
static unsigned sent_bytes;

void uart_irq_changed(bool high)
{
    *(high ? &rises : &falls) += 1;
}

void intercept_device_ports(struct vcpu *vcpu, uint16_t first, uint16_t count)
{
    (void)vcpu;
    assert_int_equal(first, BASE);
    assert_int_equal(count, 8);
}

size_t uart_write(struct uart *uart, const uint8_t *bytes, size_t len_bytes)
{
    (void)uart;
    (void)bytes;
    fail_msg("text mode was not asked for");
    return len_bytes;
}

static void console_out(const uint8_t *bytes, unsigned len_bytes)
{
    for (unsigned i = 0; i < len_bytes && sent_bytes < sizeof sent; i++)
        sent[sent_bytes++] = (char)bytes[i];
}

static void out(unsigned reg, uint8_t value)
{
    uart16550_write((uint16_t)(BASE + reg), value);
}

static uint8_t in(unsigned reg)
{
    return uart16550_read((uint16_t)(BASE + reg));
}

/* Every register as after reset, nothing waiting, no edge counted. */
static int setup(void **state)
{
    struct vcpu *vcpu = NULL;

    (void)state;
    hv_debug.console_out = console_out;
    uart16550_init(vcpu);
    out(3, 3);
    out(4, 0);
    out(2, 1);
    out(2, 3);
    out(2, 0);
    out(1, 0);
    in(5);
    in(6);
    in(2);
    rises = falls = sent_bytes = 0;
    return 0;
}

static void test_ports(void **state)
{
    (void)state;
    assert_true(uart16550_owns(BASE));
    assert_true(uart16550_owns(BASE + 7));
    assert_false(uart16550_owns(BASE + 8));
    assert_false(uart16550_owns(BASE - 1));
}

static void test_detection(void **state)
{
    (void)state;
    out(1, 0xff);
    assert_int_equal(in(1), 0x0f); /* no UUE, no sleep bits: no 16750, no XScale */
    out(1, 0);
    out(7, 0x5a);
    assert_int_equal(in(7), 0x5a);
    out(2, 1);
    assert_int_equal(in(2), 0xc1); /* 16550A: both FIFO bits, nothing pending */
    out(2, 0x21);                  /* 64-byte FIFO of a 16750 */
    assert_int_equal(in(2) & 0x20, 0);
    out(3, 0x83);
    out(0, 0x0c);
    out(1, 0x01);
    assert_int_equal(in(0), 0x0c);
    assert_int_equal(in(1), 0x01);
    out(3, 0x03);
    assert_int_equal(in(1), 0);
    assert_int_equal(in(6) & 0xf0, 0xb0);
}

static void test_transmit_interrupt(void **state)
{
    (void)state;
    out(4, 0x08);
    out(1, 2); /* enabling it with an empty transmitter interrupts */
    assert_int_equal(rises, 1);
    assert_true(uart16550_irq_level());
    assert_int_equal(in(2) & 0x0f, 2);
    assert_int_equal(in(2) & 0x0f, 1); /* reading it was the acknowledgement */
    assert_int_equal(falls, 1);
    out(0, 'h');
    assert_int_equal(rises, 2); /* empty again at once */
    out(0, 'i');
    assert_int_equal(rises, 2); /* level, not edges */
    assert_memory_equal(sent, "hi", 2);
    out(1, 0);
    assert_int_equal(falls, 2);
    out(1, 2); /* off and on again: Linux tests for UARTs that do not tell twice */
    assert_int_equal(rises, 3);
    out(4, 0);
    assert_false(uart16550_irq_level()); /* OUT2 gates the line */
}

static void test_receive(void **state)
{
    (void)state;
    out(4, 0x08);
    out(2, 0x41); /* FIFO, trigger 4 */
    out(1, 3);
    assert_int_equal(in(2) & 0x0f, 2);
    uart16550_input((const uint8_t *)"abc", 3);
    assert_int_equal(in(2) & 0x0f, 0x0c); /* below the trigger: time-out */
    uart16550_input((const uint8_t *)"d", 1);
    assert_int_equal(in(2) & 0x0f, 0x04);
    assert_int_equal(in(5) & 1, 1);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(in(0), "abcd"[i]);
    assert_int_equal(in(5), 0x60);
    assert_int_equal(in(2) & 0x0f, 1);
    uart16550_input((const uint8_t *)"xyz", 3);
    out(2, 0x43); /* clear the receiver */
    assert_int_equal(in(5) & 1, 0);
    assert_false(uart16550_irq_level());
}

static void test_priorities_and_overrun(void **state)
{
    uint8_t flood[1100];

    (void)state;
    memset(flood, 'f', sizeof flood);
    out(4, 0x08);
    out(2, 1);
    out(1, 0x0f);
    uart16550_input(flood, sizeof flood);
    assert_int_equal(in(2) & 0x0f, 0x06); /* line status first */
    assert_int_equal(in(5), 0x63);        /* overrun, told once */
    assert_int_equal(in(5), 0x61);
    assert_int_equal(in(2) & 0x0f, 0x04);
    out(2, 3);
    assert_int_equal(in(2) & 0x0f, 0x02);
    out(2, 0);
}

static void test_loopback(void **state)
{
    (void)state;
    out(4, 0x18); /* loop, OUT2 */
    assert_int_equal(in(6) & 0xf0, 0x80);
    out(4, 0x1f);
    assert_int_equal(in(6) & 0xf0, 0xf0);
    out(0, 'L');
    assert_int_equal(sent_bytes, 0);
    assert_int_equal(in(0), 'L');
    out(1, 1);
    uart16550_input((const uint8_t *)"z", 1); /* the line is disconnected */
    assert_int_equal(in(5) & 1, 0);
    assert_int_equal(rises, 0);
    out(4, 0);
    assert_int_equal(in(6) & 0xf0, 0xb0);
    assert_int_equal(in(6) & 0x0f, 0); /* deltas were read */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ports, setup),
        cmocka_unit_test_setup(test_detection, setup),
        cmocka_unit_test_setup(test_transmit_interrupt, setup),
        cmocka_unit_test_setup(test_receive, setup),
        cmocka_unit_test_setup(test_priorities_and_overrun, setup),
        cmocka_unit_test_setup(test_loopback, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
