/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's x87 registers. The hypervisor is built without FPU code, so what is in the CPU is the
 * guest's at all times: it is taken out with FXSAVE, changed there, and put back with FXRSTOR. SSE
 * state passes through the same area unchanged, so no MXCSR that the CPU would refuse can be made
 * here; the upper halves of AVX registers are not touched by either instruction.
 */
#include "core/vcpu.h"
#include "dbg/target_impl.h"
#include "lib/mem.h"

/* SDM, "FXSAVE Area": the layout without REX.W, in which the pointers have their selectors. */
struct fxsave_area {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved; /* one bit a physical register: in use */
    uint16_t fop;
    uint32_t fip;
    uint16_t fcs, reserved2;
    uint32_t fdp;
    uint16_t fds, reserved3;
    uint32_t mxcsr, mxcsr_mask;
    struct {
        uint8_t bytes[10], reserved[6];
    } st[8];
    uint8_t rest[352];
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct fxsave_area) == 512, "the size that FXSAVE writes");

static void save(struct fxsave_area *area)
{
    __asm__ volatile("fxsave %0" : "=m"(*area));
}

static void restore(const struct fxsave_area *area)
{
    __asm__ volatile("fxrstor %0" : : "m"(*area));
}

/* The same with pointers of 64 bits instead of their selectors: loses nothing of a 64-bit guest's. */
static void save64(struct fxsave_area *area)
{
    __asm__ volatile("fxsave64 %0" : "=m"(*area));
}

static void restore64(const struct fxsave_area *area)
{
    __asm__ volatile("fxrstor64 %0" : : "m"(*area));
}

int target_fpu_read(unsigned regno, uint64_t *value)
{
    struct fxsave_area area;

    save(&area);
    switch (regno) {
    case TL_REG_fctrl:
        *value = area.fcw;
        return 0;
    case TL_REG_fstat:
        *value = area.fsw;
        return 0;
    case TL_REG_ftag: /* 0: in use, 3: empty */
        *value = 0;
        for (unsigned i = 0; i < 8; i++)
            *value |= (uint64_t)(area.ftw >> i & 1 ? 0 : 3) << 2 * i;
        return 0;
    case TL_REG_fiseg:
        *value = area.fcs;
        return 0;
    case TL_REG_fioff:
        *value = area.fip;
        return 0;
    case TL_REG_foseg:
        *value = area.fds;
        return 0;
    case TL_REG_fooff:
        *value = area.fdp;
        return 0;
    case TL_REG_fop:
        *value = area.fop;
        return 0;
    default:
        return -1;
    }
}

/* Registers that both layouts have at one place. */
static int write_common(struct fxsave_area *area, unsigned regno, uint64_t value)
{
    switch (regno) {
    case TL_REG_fctrl:
        area->fcw = (uint16_t)value;
        return 0;
    case TL_REG_fstat:
        area->fsw = (uint16_t)value;
        return 0;
    case TL_REG_ftag:
        area->ftw = 0;
        for (unsigned i = 0; i < 8; i++)
            area->ftw |= (uint8_t)((value >> 2 * i & 3) != 3) << i;
        return 0;
    case TL_REG_fop: /* eleven bits of the opcode: the first five are the same for all */
        area->fop = (uint16_t)value;
        return value >> 11 ? -1 : 0;
    default:
        return -1;
    }
}

static int write_pointer(struct fxsave_area *area, unsigned regno, uint64_t value)
{
    switch (regno) {
    case TL_REG_fiseg:
        area->fcs = (uint16_t)value;
        return value >> 16 ? -1 : 0;
    case TL_REG_fioff:
        area->fip = (uint32_t)value;
        return 0;
    case TL_REG_foseg:
        area->fds = (uint16_t)value;
        return value >> 16 ? -1 : 0;
    case TL_REG_fooff:
        area->fdp = (uint32_t)value;
        return 0;
    default:
        return -1;
    }
}

int target_fpu_write(unsigned regno, uint64_t value)
{
    struct fxsave_area area;

    if (regno == TL_REG_fiseg || regno == TL_REG_fioff || regno == TL_REG_foseg ||
        regno == TL_REG_fooff) {
        save(&area);
        if (value >> 32 || write_pointer(&area, regno, value))
            return -1;
        restore(&area);
        return 0;
    }
    save64(&area);
    if (value >> 16 || write_common(&area, regno, value))
        return -1;
    restore64(&area);
    return 0;
}

int target_reg80_read(void *machine, unsigned cpu, unsigned regno, uint8_t bytes[10])
{
    struct fxsave_area area;

    (void)machine;
    (void)cpu;
    if (regno < TL_REG_st0 || regno > TL_REG_st7)
        return -1;
    save(&area);
    memcpy(bytes, area.st[regno - TL_REG_st0].bytes, 10);
    return 0;
}

/* An empty register that is written becomes one in use, as GDB's user expects who then reads it. */
int target_reg80_write(void *machine, unsigned cpu, unsigned regno, const uint8_t bytes[10])
{
    struct fxsave_area area;
    unsigned top;

    (void)machine;
    (void)cpu;
    if (regno < TL_REG_st0 || regno > TL_REG_st7)
        return -1;
    save64(&area);
    top = area.fsw >> 11 & 7;
    memcpy(area.st[regno - TL_REG_st0].bytes, bytes, 10);
    area.ftw |= (uint8_t)(1u << ((top + regno - TL_REG_st0) & 7));
    restore64(&area);
    return 0;
}
