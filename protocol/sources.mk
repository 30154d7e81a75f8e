# SPDX-License-Identifier: GPL-3.0-or-later
# Freestanding C files, compiled once and linked into hv, the host program and the tests.
PROTOCOL_SRCS += protocol/agent.c
PROTOCOL_SRCS += protocol/agent_eval.c
