/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GDB agent expressions: verified once, then evaluated many times, by the hypervisor at an exit and
 * by tests on the host. Bytecode comes from the wire, so nothing of it is believed: agent_verify()
 * proves stack depth, jump targets and lengths; agent_eval() bounds time by fuel, and a read of
 * guest memory or a register that fails is a result, never a fault.
 *
 * Beyond GDB's registers (regs.def numbers) we give meaning to these register numbers:
 *   AGENT_REG_FIELD | n  the VMCS field with encoding n, or the VMCB field at offset n
 *   AGENT_REG_MSR_AREA   the MSR-area value of the MSR whose index is in variable AGENT_VAR_MSR
 *   AGENT_REG_MSR        the guest's view of that MSR
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define AGENT_CODE_MAX_BYTES  1024u
#define AGENT_STACK_MAX       32u
#define AGENT_PRINTF_ARGS_MAX 8u
#define AGENT_PRINT_FUEL      50u

#define AGENT_REG_FIELD    0x8000u
#define AGENT_REG_MSR_AREA 0x7f00u
#define AGENT_REG_MSR      0x7f01u
#define AGENT_VAR_MSR      0xff00u

enum agent_error {
    AGENT_OK,
    AGENT_E_EMPTY,    /* no code at all */
    AGENT_E_LENGTH,   /* longer than AGENT_CODE_MAX_BYTES, or an operand is cut off */
    AGENT_E_OPCODE,   /* not an opcode, or one that needs floats */
    AGENT_E_REFUSED,  /* an opcode this place does not allow (AGENT_MAY_*) */
    AGENT_E_OPERAND,  /* ext/zero_ext width, pick depth, printf format */
    AGENT_E_JUMP,     /* jump out of the code or into an operand */
    AGENT_E_STACK,    /* under- or overflow, or two ways to one place with different depth */
    AGENT_E_NO_END,   /* runs off the end */
    AGENT_E_DIVIDE,   /* run time from here on: division by zero */
    AGENT_E_MEMORY,   /* guest memory not readable */
    AGENT_E_REGISTER, /* no such register or variable here */
    AGENT_E_FUEL,     /* used up its instructions */
    AGENT_E_OUTPUT,   /* the print or collect callback refused */
};

/* What the code may do besides computing. */
enum { AGENT_MAY_PRINT = 1, AGENT_MAY_COLLECT = 2, AGENT_MAY_SET = 4 };

/* Where evaluation gets its facts. reg and mem are needed; the others only if agent_verify() was
 * told to allow the opcodes that use them. Each returns 0, or -1 for "not possible". */
struct agent_env {
    void *ctx;
    int (*reg)(void *ctx, uint16_t number, uint64_t *value);
    int (*mem)(void *ctx, uint64_t gva, void *buf, size_t len_bytes);
    int (*get_var)(void *ctx, uint16_t number, uint64_t *value);
    int (*set_var)(void *ctx, uint16_t number, uint64_t value);
    int (*print)(void *ctx, const char *format, const uint64_t *args, unsigned args_count);
    int (*collect)(void *ctx, uint64_t gva, uint64_t len_bytes);
};

/* Where and why verification or evaluation ended. */
struct agent_report {
    enum agent_error error;
    uint16_t pc;       /* of the opcode concerned */
    uint8_t stack_max; /* deepest stack; set by a successful verification */
};

/* Proves the code runnable with the opcodes allowed by may (AGENT_MAY_*). AGENT_OK, or the first
 * thing wrong, with its place in *report (which may be NULL). Changes nothing else. */
enum agent_error agent_verify(const uint8_t *code, size_t len_bytes, unsigned may,
                              struct agent_report *report);

/* Evaluates code that agent_verify() accepted; every opcode takes one unit of *fuel, printf
 * AGENT_PRINT_FUEL more, because its text may wait for a slow line. On AGENT_OK *value holds the top
 * of the stack (0 if it was empty). On an error *value is 0. */
enum agent_error agent_eval(const uint8_t *code, size_t len_bytes, const struct agent_env *env,
                            uint32_t *fuel, uint64_t *value, struct agent_report *report);

/* One sentence for people. Never NULL. */
const char *agent_error_text(enum agent_error error);

/* Name of an opcode, or NULL; *operand_bytes (may be NULL) gets the length behind it. */
const char *agent_op_name(uint8_t opcode, uint8_t *operand_bytes);
