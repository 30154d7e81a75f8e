# SPDX-License-Identifier: GPL-3.0-or-later
# One word a target: NAME is tests/fuzz/fuzz_NAME.c, its kept corpus tests/fuzz/corpus/NAME/.
# It is linked with every protocol source and with what FUZZ_SRCS_NAME lists.
FUZZ_TARGETS += agent
FUZZ_TARGETS += rsp
FUZZ_TARGETS += link
