/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One guest instruction on emulated memory: decoded, performed on the device, completed.
 */
#pragma once

#include "core/vcpu.h"

struct mmio_device {
    const char *name;
    uint64_t base_gpa, len_bytes;
    uint64_t (*read)(uint64_t offset, unsigned size_bytes);
    void (*write)(uint64_t offset, unsigned size_bytes, uint64_t value);
};

/* Emulates the instruction of a HV_EXIT_NESTED_PAGE inside the device. HV_DEAD for an instruction
 * that this emulator does not know: never skipped. */
enum hv_verdict mmio_emulate(struct vcpu *vcpu, const struct mmio_device *device);
