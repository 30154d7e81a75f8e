/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Faults of the hypervisor itself on purpose (`selftest=`): the only way to see on demand that the
 * fault stacks, the report and the stub behind it work.
 */
#include "core/options.h"
#include "lib/log.h"

/* Nothing is ever mapped between the direct map and the image. */
#define UNMAPPED_HVA UINT64_C(0xffffb00000000000)

static __attribute__((noinline, noipa)) uint64_t fault_inner(uint64_t at)
{
    return *(volatile uint64_t *)at;
}

static __attribute__((noinline, noipa)) uint64_t fault_middle(uint64_t at)
{
    return fault_inner(at) + 1; /* the sum keeps this from becoming a jump */
}

static __attribute__((noinline, noipa)) uint64_t fault_outer(uint64_t at)
{
    return fault_middle(at) + 1;
}

void selftest_run(enum hv_selftest which)
{
    switch (which) {
    case SELFTEST_FAULT:
        fault_outer(UNMAPPED_HVA);
        break;
    case SELFTEST_STACK:
        __asm__ volatile("1: pushq $0\n\tjmp 1b" : : : "memory");
        break;
    case SELFTEST_PANIC:
        hv_panic("selftest=panic");
    case SELFTEST_NONE:
    case SELFTEST_ENTRY: /* needs a vCPU: hv_main() */
    case SELFTEST_COUNT:
        return;
    }
    hv_panic("selftest: the fault did not come");
}
