/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between insn.c and insn_class.c only. */
#pragma once

#include "core/insn.h"

/* Fills class, operand sizes and direction of a legacy-encoded instruction whose length is known;
 * may set status to INSN_UNDEFINED for group members that do not exist. */
void insn_classify(struct insn *insn, uint8_t rex);
