# SPDX-License-Identifier: GPL-3.0-or-later
# One word a test: NAME is tests/unit/test_NAME.c (cmocka). It is linked with every protocol source
# and with what UNIT_SRCS_NAME lists (hv/ or monitor/ sources, fakes); UNIT_LIBS_NAME adds libraries.
UNIT_TESTS += agent
UNIT_TESTS += insn
UNIT_SRCS_insn := hv/core/insn.c hv/core/insn_class.c hv/core/insn_operand.c
UNIT_LIBS_insn := -lcapstone
UNIT_TESTS += expr
UNIT_SRCS_expr := monitor/expr_parse.c monitor/expr_emit.c monitor/expr_names.c
UNIT_TESTS += rules
UNIT_TESTS += vmx_decode
UNIT_SRCS_vmx_decode := hv/vmx/vmx_exit.c
UNIT_TESTS += tables
UNIT_TESTS += rsp
