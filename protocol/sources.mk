# SPDX-License-Identifier: GPL-3.0-or-later
# Freestanding C files, compiled once and linked into hv, the host program and the tests.
PROTOCOL_SRCS += protocol/tables.c
PROTOCOL_SRCS += protocol/tables_find.c
PROTOCOL_SRCS += protocol/tables_text.c
PROTOCOL_SRCS += protocol/agent.c
PROTOCOL_SRCS += protocol/agent_eval.c
PROTOCOL_SRCS += protocol/snapshot.c
PROTOCOL_SRCS += protocol/text.c
PROTOCOL_SRCS += protocol/rules.c
PROTOCOL_SRCS += protocol/rules_text.c
PROTOCOL_SRCS += protocol/rules_vmx_ctl.c
PROTOCOL_SRCS += protocol/rules_vmx_host.c
PROTOCOL_SRCS += protocol/rules_vmx_guest.c
PROTOCOL_SRCS += protocol/rules_vmx_seg.c
PROTOCOL_SRCS += protocol/rules_vmx_msr.c
PROTOCOL_SRCS += protocol/rules_svm.c
