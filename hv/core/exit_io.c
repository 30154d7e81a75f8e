/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * IN, OUT, INS, OUTS that exited: the emulated UART, or the real port on the guest's behalf. String
 * forms move through guest memory with the guest's own rights, a bounded number at a time.
 */
#include "core/backend.h"
#include "core/exit_handlers.h"
#include "core/guest_mem.h"
#include "core/power.h"
#include "core/uart16550.h"
#include "cpu/x86.h"

#define STRING_CHUNK 256u /* repetitions per exit, so that the guest stays interruptible */

/* Does any byte of the access belong to the emulated UART? A wide one may begin below it. */
static bool touches_uart(uint16_t port, uint8_t size_bytes)
{
    for (unsigned i = 0; i < size_bytes; i++)
        if (uart16550_owns((uint16_t)(port + i)))
            return true;
    return false;
}

static uint64_t port_read(uint16_t port, uint8_t size_bytes)
{
    uint64_t value = 0;

    if (touches_uart(port, size_bytes)) {
        for (unsigned i = 0; i < size_bytes; i++) { /* the device is 8 bits wide */
            uint16_t at = (uint16_t)(port + i);

            value |= (uint64_t)(uart16550_owns(at) ? uart16550_read(at) : in8(at)) << i * 8;
        }
        return value;
    }
    switch (size_bytes) {
    case 1:
        return in8(port);
    case 2:
        return in16(port);
    default:
        return in32(port);
    }
}

static void port_write(uint16_t port, uint8_t size_bytes, uint64_t value)
{
    if (touches_uart(port, size_bytes)) {
        for (unsigned i = 0; i < size_bytes; i++) {
            uint16_t at = (uint16_t)(port + i);

            if (uart16550_owns(at))
                uart16550_write(at, (uint8_t)(value >> i * 8));
            else
                out8(at, (uint8_t)(value >> i * 8));
        }
        return;
    }
    power_before_write(port, value);
    switch (size_bytes) {
    case 1:
        out8(port, (uint8_t)value);
        break;
    case 2:
        out16(port, (uint16_t)value);
        break;
    default:
        out32(port, (uint32_t)value);
        break;
    }
}

static uint64_t low_mask(unsigned bytes)
{
    return bytes >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << bytes * 8) - 1;
}

/* Writes an address-sized register: 16-bit forms keep the rest, 32-bit ones clear it. */
static void set_index(uint64_t *reg, uint64_t value, unsigned addr_bytes)
{
    uint64_t mask = low_mask(addr_bytes);

    *reg = addr_bytes == 2 ? (*reg & ~mask) | (value & mask) : value & mask;
}

static bool string_once(struct vcpu *vcpu, struct guest_fault *fault)
{
    uint8_t size = vcpu->exit.io.size_bytes, addr = vcpu->exit.io.addr_bytes;
    uint64_t *index = vcpu->exit.io.in ? &vcpu->regs.rdi : &vcpu->regs.rsi;
    uint8_t seg = vcpu->exit.io.in ? HV_ES : vcpu->exit.io.segment;
    uint64_t gva = guest_segment_base(vcpu, seg) + (*index & low_mask(addr)), value = 0;

    if (vcpu->exit.io.in) {
        /* Ask before reading: a port read cannot be taken back. */
        if (!guest_allows(vcpu, gva, size, HV_WRITE, fault))
            return false;
        value = port_read(vcpu->exit.io.port, size);
        if (!guest_access(vcpu, gva, &value, size, HV_WRITE, fault))
            return false;
    } else {
        if (!guest_access(vcpu, gva, &value, size, HV_READ, fault))
            return false;
        port_write(vcpu->exit.io.port, size, value);
    }
    set_index(index, *index + (vcpu->regs.rflags & RFLAGS_DF ? -(uint64_t)size : size), addr);
    return true;
}

static enum hv_verdict string_io(struct vcpu *vcpu)
{
    uint64_t mask = low_mask(vcpu->exit.io.addr_bytes);
    struct guest_fault fault;

    vcpu->changed |= HV_CHANGED_GPR;
    if (!vcpu->exit.io.rep) {
        if (!string_once(vcpu, &fault))
            return guest_access_failed(vcpu, &fault);
        return exit_done(vcpu);
    }
    for (unsigned i = 0; i < STRING_CHUNK && vcpu->regs.rcx & mask; i++) {
        if (!string_once(vcpu, &fault))
            return guest_access_failed(vcpu, &fault);
        set_index(&vcpu->regs.rcx, vcpu->regs.rcx - 1, vcpu->exit.io.addr_bytes);
    }
    return vcpu->regs.rcx & mask ? HV_RESUME : exit_done(vcpu);
}

enum hv_verdict exit_io(struct vcpu *vcpu)
{
    uint8_t size = vcpu->exit.io.size_bytes;
    uint64_t value;

    if (vcpu->exit.io.string)
        return string_io(vcpu);
    if (!vcpu->exit.io.in) {
        port_write(vcpu->exit.io.port, size, vcpu->exit.io.value);
        return exit_done(vcpu);
    }
    value = port_read(vcpu->exit.io.port, size);
    if (size < 4)
        value |= vcpu->regs.rax & ~low_mask(size);
    vcpu->regs.rax = value;
    vcpu->changed |= HV_CHANGED_GPR;
    return exit_done(vcpu);
}
