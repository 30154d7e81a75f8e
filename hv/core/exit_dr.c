/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Debug-register accesses that exit because the debugger borrows the registers, and that it did not
 * take itself: performed on the guest's own values (DR0-3 and DR6 in the vCPU, DR7 as written).
 */
#include "core/backend.h"
#include "core/exit_handlers.h"
#include "cpu/x86.h"

#define DR6_WRITABLE UINT64_C(0xe00f)
#define DR6_ONES     UINT64_C(0xffff0ff0)
#define DR7_ONES     UINT64_C(0x400)

static void load_dr(uint8_t index, uint64_t value)
{
    switch (index) {
    case 0:
        write_dr0(value);
        break;
    case 1:
        write_dr1(value);
        break;
    case 2:
        write_dr2(value);
        break;
    default:
        write_dr3(value);
        break;
    }
}

static enum hv_verdict write_dr(struct vcpu *vcpu, uint8_t index, uint64_t value)
{
    switch (index) {
    case 6:
        if (value >> 32)
            return exit_gp(vcpu);
        vcpu->dr6 = (value & DR6_WRITABLE) | DR6_ONES;
        hv_backend->set(vcpu, HV_ST_DR6, vcpu->dr6);
        break;
    case 7:
        if (value >> 32)
            return exit_gp(vcpu);
        vcpu->dr7_wrote = (value & 0xffff27ff) | DR7_ONES;
        if (!vcpu->dr_borrowed)
            hv_backend->set(vcpu, HV_ST_DR7, vcpu->dr7_wrote);
        break;
    default:
        vcpu->dr[index & 3] = value;
        if (!vcpu->dr_borrowed)
            load_dr(index, value);
        break;
    }
    return exit_done(vcpu);
}

static uint64_t read_dr(struct vcpu *vcpu, uint8_t index)
{
    if (vcpu->dr_borrowed && index != 6)
        return index < 4 ? vcpu->dr[index] : vcpu->dr7_wrote;
    switch (index) {
    case 0:
        return read_dr0();
    case 1:
        return read_dr1();
    case 2:
        return read_dr2();
    case 3:
        return read_dr3();
    case 6:
        return hv_backend->get(vcpu, HV_ST_DR6);
    default:
        return hv_backend->get(vcpu, HV_ST_DR7);
    }
}

enum hv_verdict exit_dr_access(struct vcpu *vcpu)
{
    uint8_t index = vcpu->exit.dr.index, gpr = vcpu->exit.dr.gpr & 15;
    bool code64 = vcpu_code_bits(vcpu) == 64;
    uint64_t value;

    if (index == 4 || index == 5) {
        if (vcpu->cr4_wrote & CR4_DE) {
            vcpu_inject_ud(vcpu);
            return HV_RESUME;
        }
        index += 2;
    }
    if (vcpu->exit.dr.access == HV_WRITE) {
        value = vcpu->regs.by_index[gpr];
        return write_dr(vcpu, index, code64 ? value : (uint32_t)value);
    }
    value = read_dr(vcpu, index);
    vcpu->regs.by_index[gpr] = code64 ? value : (uint32_t)value;
    vcpu->changed |= HV_CHANGED_GPR;
    return exit_done(vcpu);
}
