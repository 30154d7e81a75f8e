/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What verifier, evaluator and compiler of agent expressions share: opcode numbers and the row of
 * each opcode.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum agent_opcode {
#define AGENT_OP(code_, name_, operand_, pops_, pushes_) AGENT_OP_##name_ = code_,
#include "protocol/agent_ops.def"
#undef AGENT_OP
};

#define AGENT_OPS_COUNT 0x35u

struct agent_op {
    const char *name; /* NULL: no such opcode */
    uint8_t operand_bytes, pops, pushes;
};

extern const struct agent_op agent_ops[AGENT_OPS_COUNT];

/* Big-endian operand of 1 to 8 bytes. */
static inline uint64_t agent_be(const uint8_t *bytes, unsigned len_bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < len_bytes; i++)
        value = value << 8 | bytes[i];
    return value;
}
