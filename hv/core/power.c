/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Watches the writes that end the machine, so that no byte of the guest's last words is lost.
 */
#include "core/power.h"

#include "core/hooks.h"
#include "core/intercept.h"

static const struct power_port {
    uint16_t port;
    uint8_t size_bytes;
    uint16_t mask, value;
} ports[] = {
#define POWER_PORT(port_, size_, mask_, value_, what_) {port_, size_, mask_, value_},
#include "core/power.def"
#undef POWER_PORT
};

void power_init(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < sizeof ports / sizeof ports[0]; i++)
        intercept_device_ports(vcpu, ports[i].port, ports[i].size_bytes);
}

void power_before_write(uint16_t port, uint64_t value)
{
    for (unsigned i = 0; i < sizeof ports / sizeof ports[0]; i++)
        if (ports[i].port == port && (value & ports[i].mask) == ports[i].value && hv_debug.flush)
            hv_debug.flush();
}
