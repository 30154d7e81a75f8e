/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The dispatcher, and the handlers of exit.c's table: one file a topic, one function a kind or a
 * family. A handler reads vcpu->exit, changes the guest, and says what comes next.
 */
#pragma once

#include "core/vcpu.h"

/* Records, filters, handles one exit. Sets vcpu->stop_why when it answers HV_STOP. */
enum hv_verdict exit_dispatch(struct vcpu *vcpu);

enum hv_verdict exit_cr_write(struct vcpu *vcpu); /* exit_cr.c */
enum hv_verdict exit_cr_read(struct vcpu *vcpu);
enum hv_verdict exit_dr_access(struct vcpu *vcpu); /* exit_dr.c */
enum hv_verdict exit_rdmsr(struct vcpu *vcpu);     /* exit_msr.c */
enum hv_verdict exit_wrmsr(struct vcpu *vcpu);
enum hv_verdict exit_cpuid(struct vcpu *vcpu);       /* exit_cpuid.c */
enum hv_verdict exit_xsetbv(struct vcpu *vcpu);      /* exit_xsetbv.c */
enum hv_verdict exit_io(struct vcpu *vcpu);          /* exit_io.c */
enum hv_verdict exit_nested_page(struct vcpu *vcpu); /* exit_paging.c */
enum hv_verdict exit_nested_misconfig(struct vcpu *vcpu);
enum hv_verdict exit_exception(struct vcpu *vcpu); /* exit_exception.c */
enum hv_verdict exit_nmi(struct vcpu *vcpu);
enum hv_verdict exit_interrupt(struct vcpu *vcpu);
enum hv_verdict exit_triple_fault(struct vcpu *vcpu);
enum hv_verdict exit_lift(struct vcpu *vcpu);    /* exit_misc.c: MWAIT, IRET, LGDT ... */
enum hv_verdict exit_hlt(struct vcpu *vcpu);     /* exit_misc.c */
enum hv_verdict exit_perform(struct vcpu *vcpu); /* PAUSE, WBINVD, RDTSC, RDPMC */
enum hv_verdict exit_invlpg(struct vcpu *vcpu);
enum hv_verdict exit_undefined(struct vcpu *vcpu); /* VMX, SVM instructions, VMCALL: #UD */
enum hv_verdict exit_init(struct vcpu *vcpu);
enum hv_verdict exit_entry_failure(struct vcpu *vcpu);
enum hv_verdict exit_resume(struct vcpu *vcpu); /* nothing to do: timers, windows, MTF */

/* Completes the exit's instruction; HV_DEAD when its length cannot be known. */
enum hv_verdict exit_done(struct vcpu *vcpu);
/* #GP(0) instead of the instruction. */
enum hv_verdict exit_gp(struct vcpu *vcpu);
