/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The register window of the 82093AA: an index register and a data register. The guest's index is
 * kept here, since ours moves the real one.
 */
#include "core/ioapic.h"

#include "core/apic.h"
#include "core/mmio.h"
#include "core/nested.h"
#include "core/uart_irq.h"
#include "cpu/mem.h"
#include "dev/uart.h"
#include "lib/log.h"

#define PAGE_BYTES_IOAPIC 4096u
#define WINDOW_INDEX      0x00u
#define WINDOW_DATA       0x10u
#define WINDOW_EOI        0x40u /* newer chips; write only */

#define REG_VERSION     0x01u
#define REG_ENTRY(pin_) (0x10u + 2 * (pin_))

#define RTE_NMI        0x400u
#define RTE_ACTIVE_LOW 0x2000u
#define RTE_READ_ONLY  UINT64_C(0x5000) /* delivery status, remote IRR */
#define RTE_DEST_SHIFT 24               /* in the upper half */

/* The one window; `guest_entry` is what the guest sees at our pin. */
static struct {
    bool active;
    uint64_t hpa;
    unsigned pin;
    uint32_t guest_index;
    uint64_t guest_entry;
} ioapic;

static volatile uint32_t *window(uint32_t offset)
{
    return (volatile uint32_t *)((uint8_t *)phys_to_virt(ioapic.hpa) + offset);
}

static uint32_t chip_read(uint32_t index)
{
    *window(WINDOW_INDEX) = index;
    return *window(WINDOW_DATA);
}

static void chip_write(uint32_t index, uint32_t value)
{
    *window(WINDOW_INDEX) = index;
    *window(WINDOW_DATA) = value;
}

static bool is_our_pin(uint32_t index)
{
    return (index & ~1u) == REG_ENTRY(ioapic.pin);
}

static uint64_t device_read(uint64_t offset, unsigned size_bytes)
{
    (void)size_bytes;
    if (offset == WINDOW_INDEX)
        return ioapic.guest_index;
    if (offset != WINDOW_DATA)
        return 0;
    if (is_our_pin(ioapic.guest_index))
        return (uint32_t)(ioapic.guest_entry >> (ioapic.guest_index & 1 ? 32 : 0));
    return chip_read(ioapic.guest_index);
}

static void device_write(uint64_t offset, unsigned size_bytes, uint64_t value)
{
    unsigned shift = ioapic.guest_index & 1 ? 32 : 0;

    (void)size_bytes;
    if (offset == WINDOW_INDEX) {
        ioapic.guest_index = (uint32_t)value & 0xff;
        return;
    }
    if (offset == WINDOW_EOI)
        *window(WINDOW_EOI) = (uint32_t)value;
    /* Nothing else is passed on: chips repeat the two registers every 256 bytes, and the data
     * register there is whatever our own index says, our pin for one. */
    if (offset != WINDOW_DATA)
        return;
    if (!is_our_pin(ioapic.guest_index)) {
        chip_write(ioapic.guest_index, (uint32_t)value);
        return;
    }
    value = (value & 0xffffffff) << shift;
    ioapic.guest_entry =
        (ioapic.guest_entry & ~(UINT64_C(0xffffffff) << shift)) | (value & ~RTE_READ_ONLY);
    uart_irq_route(ioapic.guest_entry);
}

static struct mmio_device device = {
    .name = "IOAPIC",
    .len_bytes = PAGE_BYTES_IOAPIC,
    .read = device_read,
    .write = device_write,
};

void ioapic_init(const struct acpi_facts *facts)
{
    uint32_t low;

    if (!hv_uart.present)
        return;
    ioapic.hpa = facts->ioapic_hpa & ~(uint64_t)(PAGE_BYTES_IOAPIC - 1);
    ioapic.pin = facts->ioapic_pin;
    device.base_gpa = ioapic.hpa;
    if ((chip_read(REG_VERSION) >> 16 & 0xff) < ioapic.pin) {
        log_warn("ioapic: no pin %u at %#lx: break-in works only at exits of the guest", ioapic.pin,
                 (unsigned long)ioapic.hpa);
        return;
    }
    if (!nested_protect(ioapic.hpa, PAGE_BYTES_IOAPIC, 0)) {
        log_warn("ioapic: no memory to hide the page: break-in works only at exits of the guest");
        return;
    }
    ioapic.guest_entry =
        (uint64_t)chip_read(REG_ENTRY(ioapic.pin) + 1) << 32 | chip_read(REG_ENTRY(ioapic.pin));
    uart_irq_route(ioapic.guest_entry);
    low = RTE_NMI | (facts->active_low ? RTE_ACTIVE_LOW : 0); /* NMI is always edge */
    chip_write(REG_ENTRY(ioapic.pin) + 1, apic_id() << RTE_DEST_SHIFT);
    chip_write(REG_ENTRY(ioapic.pin), low);
    ioapic.active = true;
    uart_irq_enable(&hv_uart, true);
    log_debug("ioapic: pin %u at %#lx breaks in by NMI", ioapic.pin, (unsigned long)ioapic.hpa);
}

bool ioapic_owns(uint64_t gpa)
{
    return ioapic.active && gpa - ioapic.hpa < PAGE_BYTES_IOAPIC;
}

enum hv_verdict ioapic_mmio(struct vcpu *vcpu)
{
    return mmio_emulate(vcpu, &device);
}
