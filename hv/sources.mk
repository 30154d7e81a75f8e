# SPDX-License-Identifier: GPL-3.0-or-later
# Sources of build/hv/trapline.elf, one line a file, by room. hv/boot/hv.ld is the link script.
HV_SRCS += hv/lib/fmt.c
HV_SRCS += hv/lib/log.c
HV_SRCS += hv/lib/mem.c
HV_SRCS += hv/lib/str.c
HV_SRCS += hv/core/ring.c
HV_SRCS += hv/core/walk.c
HV_SRCS += hv/core/insn.c
HV_SRCS += hv/core/insn_class.c
HV_SRCS += hv/core/insn_operand.c
