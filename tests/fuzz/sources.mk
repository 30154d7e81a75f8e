# SPDX-License-Identifier: GPL-3.0-or-later
# One word a target: NAME is tests/fuzz/fuzz_NAME.c, its kept corpus tests/fuzz/corpus/NAME/.
# It is linked with every protocol source and with what FUZZ_SRCS_NAME lists.
FUZZ_TARGETS += agent
FUZZ_TARGETS += rsp
FUZZ_TARGETS += link
FUZZ_TARGETS += boot
FUZZ_SRCS_boot := hv/boot/mb1.c hv/boot/mb2.c hv/boot/parse.c hv/core/memmap.c hv/core/options.c \
	hv/core/guest_image.c hv/dev/uart.c hv/lib/fmt.c hv/lib/str.c hv/lib/log.c
FUZZ_TARGETS += stub
FUZZ_SRCS_stub := $(filter-out hv/dbg/target_%,$(filter hv/dbg/%.c,$(HV_SRCS))) hv/lib/fmt.c hv/lib/str.c
