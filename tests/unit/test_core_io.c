/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * String I/O that exits, on the emulated UART's port: what happens to the device when the guest's memory
 * refuses. Guest memory and the UART are fakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/exit_handlers.h"
#include "core/guest_mem.h"
#include "core/power.h"
#include "core/uart16550.h"
#include "cpu/x86.h"

#define DATA_PORT 0x3f8
#define PAGE      UINT64_C(0x1000) /* mapped from here on, one page */

static struct vcpu vcpu;
static uint8_t page[4096];
static bool may_write;
static unsigned device_reads, device_writes, faults, done;

bool uart16550_owns(uint16_t port)
{
    return port >= DATA_PORT && port < DATA_PORT + 8;
}

uint8_t uart16550_read(uint16_t port)
{
    assert_int_equal(port, DATA_PORT);
    return (uint8_t)('a' + device_reads++);
}

void uart16550_write(uint16_t port, uint8_t value)
{
    (void)port, (void)value;
    device_writes++;
}

void power_before_write(uint16_t port, uint64_t value)
{
    (void)port, (void)value;
}

uint64_t guest_segment_base(struct vcpu *v, uint8_t seg)
{
    (void)v, (void)seg;
    return 0;
}

bool guest_allows(struct vcpu *v, uint64_t gva, size_t len_bytes, uint8_t access,
                  struct guest_fault *fault)
{
    (void)v;
    *fault = (struct guest_fault){.gva = gva};
    return gva >= PAGE && gva + len_bytes <= PAGE + sizeof(page) &&
           (may_write || !(access & HV_WRITE));
}

bool guest_access(struct vcpu *v, uint64_t gva, void *buf, size_t len_bytes, uint8_t access,
                  struct guest_fault *fault)
{
    if (!guest_allows(v, gva, len_bytes, access, fault))
        return false;
    if (access & HV_WRITE)
        memcpy(page + (gva - PAGE), buf, len_bytes);
    else
        memcpy(buf, page + (gva - PAGE), len_bytes);
    return true;
}

enum hv_verdict guest_access_failed(struct vcpu *v, const struct guest_fault *fault)
{
    (void)v, (void)fault;
    faults++;
    return HV_RESUME;
}

enum hv_verdict exit_done(struct vcpu *v)
{
    (void)v;
    done++;
    return HV_RESUME;
}

static int setup(void **state)
{
    (void)state;
    memset(&vcpu, 0, sizeof(vcpu));
    memset(page, 0, sizeof(page));
    device_reads = device_writes = faults = done = 0;
    may_write = true;
    vcpu.exit.io.port = DATA_PORT;
    vcpu.exit.io.size_bytes = 1;
    vcpu.exit.io.addr_bytes = 8;
    vcpu.exit.io.string = vcpu.exit.io.in = true;
    return 0;
}

/* The byte would be gone: the guest mends its page and executes INS again. */
static void a_refused_page_costs_the_device_nothing(void **state)
{
    (void)state;
    may_write = false;
    vcpu.regs.rdi = PAGE;
    assert_int_equal(exit_io(&vcpu), HV_RESUME);
    assert_int_equal(faults, 1);
    assert_int_equal(device_reads, 0);
    may_write = true;
    assert_int_equal(exit_io(&vcpu), HV_RESUME);
    assert_int_equal(page[0], 'a');
    assert_int_equal(done, 1);
}

static void a_repetition_stops_where_the_page_ends(void **state)
{
    (void)state;
    vcpu.exit.io.rep = true;
    vcpu.regs.rdi = PAGE + sizeof(page) - 3;
    vcpu.regs.rcx = 10;
    assert_int_equal(exit_io(&vcpu), HV_RESUME);
    assert_int_equal(faults, 1);
    assert_int_equal(device_reads, 3);
    assert_int_equal(vcpu.regs.rcx, 7);
    assert_int_equal(vcpu.regs.rdi, PAGE + sizeof(page));
    assert_memory_equal(page + sizeof(page) - 3, "abc", 3);
}

/* DF, and an address size of 16 bits that wraps: the rest of RDI stays. */
static void downwards_across_a_wrap(void **state)
{
    (void)state;
    vcpu.exit.io.rep = true;
    vcpu.exit.io.addr_bytes = 2;
    vcpu.regs.rflags = RFLAGS_DF;
    vcpu.regs.rdi = UINT64_C(0xabcd0000) | PAGE;
    vcpu.regs.rcx = UINT64_C(0x70000) | 2;
    assert_int_equal(exit_io(&vcpu), HV_RESUME);
    assert_int_equal(page[0], 'a');
    assert_int_equal(faults, 1); /* 0xfff is not mapped */
    assert_int_equal(vcpu.regs.rdi, UINT64_C(0xabcd0fff));
    assert_int_equal(vcpu.regs.rcx, UINT64_C(0x70001));
    vcpu.exit.io.rep = false;
    vcpu.exit.io.in = false;
    vcpu.regs.rsi = UINT64_C(0xabcd0000);
    assert_int_equal(exit_io(&vcpu), HV_RESUME); /* OUTS that faults writes nothing */
    assert_int_equal(device_writes, 0);
    assert_int_equal(faults, 2);
}

static void no_repetition_is_no_access(void **state)
{
    (void)state;
    vcpu.exit.io.rep = true;
    vcpu.exit.io.addr_bytes = 4;
    vcpu.regs.rcx = UINT64_C(0x100000000); /* ECX is 0 */
    assert_int_equal(exit_io(&vcpu), HV_RESUME);
    assert_int_equal(device_reads, 0);
    assert_int_equal(faults, 0);
    assert_int_equal(done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_refused_page_costs_the_device_nothing, setup),
        cmocka_unit_test_setup(a_repetition_stops_where_the_page_ends, setup),
        cmocka_unit_test_setup(downwards_across_a_wrap, setup),
        cmocka_unit_test_setup(no_repetition_is_no_access, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
