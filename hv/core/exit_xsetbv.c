/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * XSETBV: the guest owns XCR0, since the hypervisor uses no extended state; hardware checks the
 * value, and its #GP is the guest's.
 */
#include "core/exit_handlers.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"

enum hv_verdict exit_xsetbv(struct vcpu *vcpu)
{
    if (!(vcpu->cr4_wrote & CR4_OSXSAVE)) {
        vcpu_inject_ud(vcpu);
        return HV_RESUME;
    }
    if (vcpu_cpl(vcpu) != 0 || xsetbv_safe(vcpu->exit.xsetbv.index, vcpu->exit.xsetbv.value) != 0)
        return exit_gp(vcpu);
    if (vcpu->exit.xsetbv.index == 0)
        vcpu->xcr0 = vcpu->exit.xsetbv.value;
    return exit_done(vcpu);
}
