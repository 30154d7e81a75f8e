/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's x87 and SSE registers. The hypervisor uses neither, so the CPU holds the guest's all the
 * time: a read saves them, a write saves, edits and restores. FXRSTOR faults on reserved MXCSR bits:
 * they are refused here.
 */
#include "core/backend.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "dbg/target_impl.h"
#include "lib/mem.h"

#define MXCSR_MASK_DEFAULT                                                                         \
    0xffbfu /* where the image holds 0. SDM, "Guidelines for Writing to the MXCSR Register" */

/* SDM, "FXSAVE": the same bytes serve both forms; fcs and fds are bits 32 to 47 of the 64-bit one's
 * pointers, as GDB shows them. */
struct fpu_image {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint32_t fip;
    uint16_t fcs, reserved2;
    uint32_t fdp;
    uint16_t fds, reserved3;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16], xmm[16][16], rest[96];
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct fpu_image) == 512, "layout of FXSAVE");

/* The form that the guest's own code would use, so that nothing of the pointers is lost. Without
 * CR4.OSFXSR a CPU may leave SSE out. */
static void save(struct vcpu *vcpu, struct fpu_image *image)
{
    uint64_t cr4 = read_cr4();

    memset(image, 0, sizeof(*image));
    write_cr4(cr4 | CR4_OSFXSR);
    if (vcpu_code_bits(vcpu) == 64)
        __asm__ volatile("fxsave64 %0" : "+m"(*image));
    else
        __asm__ volatile("fxsave %0" : "+m"(*image));
    write_cr4(cr4);
}

static void restore(struct vcpu *vcpu, const struct fpu_image *image)
{
    uint64_t cr4 = read_cr4();

    write_cr4(cr4 | CR4_OSFXSR);
    if (vcpu_code_bits(vcpu) == 64)
        __asm__ volatile("fxrstor64 %0" : : "m"(*image));
    else
        __asm__ volatile("fxrstor %0" : : "m"(*image));
    write_cr4(cr4);
}

int target_fpu_read(struct vcpu *vcpu, unsigned regno, uint64_t *value)
{
    struct fpu_image image;

    save(vcpu, &image);
    switch (regno) {
    case TL_REG_fctrl:
        *value = image.fcw;
        return 0;
    case TL_REG_fstat:
        *value = image.fsw;
        return 0;
    case TL_REG_ftag: /* 0: in use, 3: empty; FXSAVE keeps one bit a register */
        *value = 0;
        for (unsigned i = 0; i < 8; i++)
            *value |= (uint64_t)(image.ftw >> i & 1 ? 0 : 3) << 2 * i;
        return 0;
    case TL_REG_fiseg:
        *value = image.fcs;
        return 0;
    case TL_REG_fioff:
        *value = image.fip;
        return 0;
    case TL_REG_foseg:
        *value = image.fds;
        return 0;
    case TL_REG_fooff:
        *value = image.fdp;
        return 0;
    case TL_REG_fop:
        *value = image.fop;
        return 0;
    case TL_REG_mxcsr:
        *value = image.mxcsr;
        return 0;
    default: /* the wide ones */
        return -1;
    }
}

static uint8_t abridged(uint64_t ftag)
{
    uint8_t ftw = 0;

    for (unsigned i = 0; i < 8; i++)
        if ((ftag >> 2 * i & 3) != 3)
            ftw |= (uint8_t)(1u << i);
    return ftw;
}

int target_fpu_write(struct vcpu *vcpu, unsigned regno, uint64_t value)
{
    uint64_t allowed = regno == TL_REG_fioff || regno == TL_REG_fooff ? UINT32_MAX
                       : regno == TL_REG_fop                          ? 0x7ff
                                                                      : UINT16_MAX;
    struct fpu_image image;

    save(vcpu, &image);
    if (regno == TL_REG_mxcsr)
        allowed = image.mxcsr_mask ? image.mxcsr_mask : MXCSR_MASK_DEFAULT;
    if (value & ~allowed)
        return -1;
    switch (regno) {
    case TL_REG_fctrl:
        image.fcw = (uint16_t)value;
        break;
    case TL_REG_fstat:
        image.fsw = (uint16_t)value;
        break;
    case TL_REG_ftag:
        image.ftw = abridged(value);
        break;
    case TL_REG_fiseg:
        image.fcs = (uint16_t)value;
        break;
    case TL_REG_fioff:
        image.fip = (uint32_t)value;
        break;
    case TL_REG_foseg:
        image.fds = (uint16_t)value;
        break;
    case TL_REG_fooff:
        image.fdp = (uint32_t)value;
        break;
    case TL_REG_fop:
        image.fop = (uint16_t)value;
        break;
    case TL_REG_mxcsr:
        image.mxcsr = (uint32_t)value;
        break;
    default:
        return -1;
    }
    restore(vcpu, &image);
    return 0;
}

/* Where a wide register is in the image; NULL: it is none. */
static uint8_t *wide(struct fpu_image *image, unsigned regno)
{
    if (regno >= TL_REG_st0 && regno <= TL_REG_st7)
        return image->st[regno - TL_REG_st0];
    if (regno >= TL_REG_xmm0 && regno <= TL_REG_xmm15)
        return image->xmm[regno - TL_REG_xmm0];
    return NULL;
}

int target_reg_wide_read(void *machine, unsigned cpu, unsigned regno, uint8_t *bytes)
{
    struct fpu_image image;

    (void)machine;
    save(target_vcpu(cpu), &image);
    if (!wide(&image, regno))
        return -1;
    memcpy(bytes, wide(&image, regno), tl_regs[regno].bits / 8u);
    return 0;
}

int target_reg_wide_write(void *machine, unsigned cpu, unsigned regno, const uint8_t *bytes)
{
    struct vcpu *vcpu = target_vcpu(cpu);
    struct fpu_image image;

    (void)machine;
    save(vcpu, &image);
    if (!wide(&image, regno))
        return -1;
    memcpy(wide(&image, regno), bytes, tl_regs[regno].bits / 8u);
    if (regno <= TL_REG_st7) /* an empty register that is written is in use from then on */
        image.ftw |= (uint8_t)(1u << (((image.fsw >> 11) + regno - TL_REG_st0) & 7));
    restore(vcpu, &image);
    return 0;
}
