# SPDX-License-Identifier: GPL-3.0-or-later
# One word a target: NAME is tests/fuzz/fuzz_NAME.c, its kept corpus tests/fuzz/corpus/NAME/.
# It is linked with every protocol source and with what FUZZ_SRCS_NAME lists, and runs with FUZZ_ARGS_NAME
# (libFuzzer's options: a length that keeps it fast) and with the words of tests/fuzz/NAME.dict.
FUZZ_TARGETS += agent
FUZZ_ARGS_agent := -max_len=512
FUZZ_TARGETS += rsp
FUZZ_ARGS_rsp := -max_len=192
FUZZ_TARGETS += link
FUZZ_ARGS_link := -max_len=96
FUZZ_TARGETS += boot
FUZZ_ARGS_boot := -max_len=1536
FUZZ_SRCS_boot := hv/boot/mb1.c hv/boot/mb2.c hv/boot/parse.c hv/core/memmap.c hv/core/options.c \
	hv/core/guest_image.c hv/dev/uart.c hv/lib/fmt.c hv/lib/str.c hv/lib/log.c
FUZZ_TARGETS += stub
FUZZ_ARGS_stub := -max_len=144
FUZZ_SRCS_stub := $(filter-out hv/dbg/target_%,$(filter hv/dbg/%.c,$(HV_SRCS))) hv/lib/fmt.c hv/lib/str.c
FUZZ_TARGETS += expr
FUZZ_SRCS_expr := monitor/expr_parse.c monitor/expr_words.c monitor/expr_emit.c monitor/expr_names.c
FUZZ_ARGS_expr := -max_len=160
# The console runs in a sandbox: no files, no time of its own.
SANDBOX_WRAPS := $(foreach f,fopen open poll clock_gettime nanosleep,-Wl,--wrap=$(f))
CONSOLE_LIBS := -lreadline -lcapstone -ldw -lelf -ljansson
FUZZ_TARGETS += files
FUZZ_SRCS_files := tests/fuzz/sandbox.c $(filter-out monitor/main.c,$(MONITOR_SRCS))
FUZZ_LIBS_files := $(CONSOLE_LIBS) $(SANDBOX_WRAPS)
FUZZ_ARGS_files := -max_len=4096 -close_fd_mask=3 -timeout=20
FUZZ_TARGETS += command
FUZZ_SRCS_command := $(FUZZ_SRCS_files) $(FUZZ_SRCS_stub)
FUZZ_LIBS_command := $(FUZZ_LIBS_files) -Wl,--wrap=session_attach
FUZZ_ARGS_command := -max_len=512 -close_fd_mask=3 -timeout=20
FUZZ_TARGETS += session
FUZZ_SRCS_session := tests/fuzz/sandbox.c monitor/session.c monitor/session_request.c monitor/session_open.c monitor/session_bare.c \
	monitor/session_link.c monitor/transport.c monitor/transport_rfc2217.c
FUZZ_LIBS_session := $(SANDBOX_WRAPS) -Wl,--wrap=transport_write
FUZZ_ARGS_session := -max_len=256 -timeout=20
FUZZ_TARGETS += tl
FUZZ_SRCS_tl := hv/dbg/target_tl.c hv/dbg/target_state.c hv/dbg/target_memory.c hv/dbg/target_object.c hv/dbg/target_stats.c hv/dbg/target_exit.c \
	hv/dbg/reply.c hv/core/ring.c hv/core/exit_stats.c hv/lib/fmt.c hv/lib/str.c
FUZZ_LIBS_tl := -Wl,--wrap=reply_hex
FUZZ_ARGS_tl := -max_len=128
