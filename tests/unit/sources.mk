# SPDX-License-Identifier: GPL-3.0-or-later
# One word a test: NAME is tests/unit/test_NAME.c (cmocka). It is linked with every protocol source
# and with what UNIT_SRCS_NAME lists (hv/ or monitor/ sources, fakes); UNIT_LIBS_NAME adds libraries.
UNIT_TESTS += agent
UNIT_TESTS += insn
UNIT_SRCS_insn := hv/core/insn.c hv/core/insn_class.c hv/core/insn_operand.c
UNIT_LIBS_insn := -lcapstone
UNIT_TESTS += expr
UNIT_SRCS_expr := monitor/expr_parse.c monitor/expr_words.c monitor/expr_emit.c monitor/expr_names.c
UNIT_TESTS += rules
UNIT_TESTS += audit
UNIT_TESTS += vmx_decode
UNIT_SRCS_vmx_decode := hv/vmx/vmx_exit.c
UNIT_TESTS += vmx_event
UNIT_SRCS_vmx_event := hv/vmx/vmx_exit.c
UNIT_TESTS += tables
UNIT_TESTS += rsp
UNIT_TESTS += args
UNIT_TESTS += link
UNIT_TESTS += link_session
UNIT_TESTS += fmt
UNIT_SRCS_fmt := hv/lib/fmt.c hv/lib/str.c hv/lib/log.c
UNIT_TESTS += boot
UNIT_SRCS_boot := hv/boot/mb1.c hv/boot/mb2.c hv/boot/parse.c hv/boot/relocate_find.c hv/core/memmap.c \
	hv/core/options.c hv/dev/uart.c hv/lib/fmt.c hv/lib/str.c hv/lib/log.c
UNIT_TESTS += guest_image
UNIT_SRCS_guest_image := hv/core/guest_image.c hv/lib/str.c
UNIT_TESTS += svm_decode
UNIT_TESTS += svm_state
UNIT_SRCS_svm_decode := hv/svm/svm_event.c hv/svm/svm_exit.c hv/svm/svm_exit_insn.c \
	hv/svm/svm_state.c hv/svm/vmcb_setup.c hv/core/insn.c hv/core/insn_class.c \
	hv/core/insn_operand.c hv/core/vcpu.c
UNIT_SRCS_svm_state := $(UNIT_SRCS_svm_decode)
UNIT_TESTS += explain
UNIT_TESTS += core_walk
UNIT_SRCS_core_walk := hv/core/walk.c
UNIT_TESTS += cmd
UNIT_SRCS_cmd := $(filter-out monitor/main.c,$(MONITOR_SRCS))
UNIT_LIBS_cmd := -lreadline -lcapstone -ldw -lelf -ljansson
UNIT_TESTS += console_wire
UNIT_SRCS_console_wire := $(filter-out monitor/main.c,$(MONITOR_SRCS))
UNIT_LIBS_console_wire := -lreadline -lcapstone -ldw -lelf -ljansson
UNIT_TESTS += core_io
UNIT_SRCS_core_io := hv/core/exit_io.c
UNIT_TESTS += core_uart
UNIT_SRCS_core_uart := hv/core/uart16550.c
DBG_SRCS := $(filter-out hv/dbg/target_%,$(filter hv/dbg/%.c,$(HV_SRCS))) hv/lib/fmt.c hv/lib/str.c
UNIT_TESTS += exit_stats
UNIT_SRCS_exit_stats := hv/core/exit_stats.c hv/dbg/target_stats.c hv/dbg/reply.c hv/lib/fmt.c hv/lib/str.c
UNIT_TESTS += breaks
UNIT_SRCS_breaks := $(DBG_SRCS)
UNIT_TESTS += events
UNIT_SRCS_events := $(DBG_SRCS)
UNIT_TESTS += core_cr
UNIT_SRCS_core_cr := hv/core/exit_cr.c hv/core/walk.c hv/core/insn_operand.c
UNIT_TESTS += stub
UNIT_SRCS_stub := $(DBG_SRCS)
UNIT_TESTS += line
UNIT_SRCS_line := $(DBG_SRCS)
UNIT_TESTS += link_model
UNIT_TESTS += broker_cache
UNIT_SRCS_broker_cache := monitor/broker_cache.c monitor/broker_blocks.c
