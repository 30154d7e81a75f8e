# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of the generated tables (protocol/tables.py.in)."""

VMCS_FIELDS: list[tuple[int, str, str, str, str]]
VMCB_FIELDS: list[tuple[int, int, str, str, str]]
VMX_REASONS: list[tuple[int, str, str, str]]
SVM_EXITS: list[tuple[int, str, str, str]]
EXIT_KINDS: list[tuple[str, str, str]]
MSRS: list[tuple[int, str, str, str]]
BIT_GROUPS: list[tuple[str, str]]
BITS: list[tuple[str, int, int, str, str]]
BITS_OF: list[tuple[str, str]]
REGISTERS: list[tuple[str, int, str, str, str]]
PACKETS: list[tuple[str, str, str, str, str, str]]
ERRORS: list[tuple[str, str]]
AGENT_OPS: list[tuple[int, str, int]]
