/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Facts for `audit cpuid|memtype|reset`, collected from the live machine; the judging is
 * protocol/audit.h's.
 */
#pragma once

#include <stddef.h>

#include "core/crash.h"
#include "core/guest.h"

/* Remembers the state that the guest starts with. Needs it written into the vCPU. */
void audit_remember(struct vcpu *vcpu, const struct guest_entry *entry);

/* Renders an audit, line by line. False: no audit of this name. Changes nothing. */
bool audit_render(struct vcpu *vcpu, const char *name, size_t name_len, crash_line_fn line,
                  void *context);
