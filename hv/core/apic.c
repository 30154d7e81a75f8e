/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Local APIC access in xAPIC and x2APIC mode, and the filter on the interrupt command register.
 */
#include "core/apic.h"

#include "core/mmio.h"
#include "core/nested.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"

#define MSR_APIC_BASE       0x1bu
#define APIC_BASE_X2        (UINT64_C(1) << 10)
#define APIC_BASE_ADDR      UINT64_C(0x000ffffffffff000)
#define MSR_X2APIC_ID       0x802u
#define MSR_X2APIC_SELF_IPI 0x83fu

#define REG_ID       0x020u
#define REG_ICR_LOW  0x300u
#define REG_ICR_HIGH 0x310u

#define ICR_MODE       0x700u
#define ICR_INIT       0x500u
#define ICR_STARTUP    0x600u
#define ICR_LEVEL_HIGH 0x4000u
#define ICR_SELF       0x40000u /* shorthand: self */

/* Set once by apic_init(). */
static uint64_t page_hpa;
static bool x2apic, trapped;

static volatile uint32_t *apic_reg(uint32_t offset)
{
    return (volatile uint32_t *)((uint8_t *)phys_to_virt(page_hpa) + offset);
}

static uint32_t icr_high_seen;

static uint64_t device_read(uint64_t offset, unsigned size_bytes)
{
    (void)size_bytes;
    return *apic_reg((uint32_t)offset & ~3u) >> (offset & 3) * 8;
}

/*
 * A register is 32 bits wide and stands at a multiple of 16; other writes are undefined, and chips
 * decode them loosely (QEMU looks at bits 11:4 alone, and takes a write below the first register for
 * an MSI): they would reach the command register past the filter, so they go nowhere.
 */
static void device_write(uint64_t offset, unsigned size_bytes, uint64_t value)
{
    if (size_bytes < 4 || offset & 15 || offset < REG_ID)
        return;
    if (offset == REG_ICR_HIGH)
        icr_high_seen = (uint32_t)value;
    if (offset == REG_ICR_LOW && !apic_icr_allowed((uint32_t)value, icr_high_seen))
        return;
    *apic_reg((uint32_t)offset) = (uint32_t)value;
}

static struct mmio_device device = {
    .name = "local APIC",
    .len_bytes = APIC_PAGE_BYTES,
    .read = device_read,
    .write = device_write,
};

void apic_init(unsigned cpu_count)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    page_hpa = base & APIC_BASE_ADDR;
    x2apic = base & APIC_BASE_X2;
    device.base_gpa = page_hpa;
    if (cpu_count < 2 || x2apic)
        return; /* nobody to start; or the MSR filter sees the writes */
    if (nested_protect(page_hpa, APIC_PAGE_BYTES, HV_READ))
        trapped = true;
    else
        log_warn("apic: no memory to watch the local APIC: a guest could start CPUs");
}

uint32_t apic_id(void)
{
    if (x2apic)
        return (uint32_t)rdmsr(MSR_X2APIC_ID);
    return *apic_reg(REG_ID) >> 24;
}

void apic_self_ipi(uint8_t vector)
{
    uint32_t high;

    if (vector < 16)
        return; /* the APIC refuses these */
    if (x2apic) {
        wrmsr(MSR_X2APIC_SELF_IPI, vector);
        return;
    }
    /* The guest may be between its writes of the two halves: keep the upper one. */
    high = *apic_reg(REG_ICR_HIGH);
    *apic_reg(REG_ICR_LOW) = ICR_SELF | ICR_LEVEL_HIGH | vector;
    *apic_reg(REG_ICR_HIGH) = high;
}

bool apic_icr_allowed(uint32_t low, uint32_t high)
{
    static bool told;
    uint32_t mode = low & ICR_MODE;

    if (mode != ICR_INIT && mode != ICR_STARTUP)
        return true;
    if (!told)
        log_warn("apic: the guest tries to start another CPU (ICR %#x %#x): refused, this version "
                 "runs one CPU",
                 high, low);
    told = true;
    return false;
}

bool apic_owns(uint64_t gpa)
{
    return trapped && gpa - page_hpa < APIC_PAGE_BYTES;
}

enum hv_verdict apic_mmio(struct vcpu *vcpu)
{
    return mmio_emulate(vcpu, &device);
}
