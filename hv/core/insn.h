/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * x86 instruction decoder: length of any instruction in 16, 32 and 64-bit code, and the operands of
 * those a hypervisor has to perform or step over itself. Pure: bytes in, struct out; no guest
 * access, no state. Whether the CPU would fault for privilege or CPUID reasons is not its business.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vcpu.h"

#define INSN_MAX_BYTES 15

/* Value = default operand size in bytes of the code segment (64-bit code: 8 stands for L=1). */
enum insn_mode { INSN_MODE_16 = 2, INSN_MODE_32 = 4, INSN_MODE_64 = 8 };

enum insn_status {
    INSN_OK,
    INSN_TRUNCATED, /* more bytes are needed than were given */
    INSN_UNDEFINED, /* no such instruction (#UD) */
    INSN_TOO_LONG,  /* over 15 bytes (#GP) */
};

/* clang-format off */
enum insn_class {
    INSN_OTHER, /* length is known, nothing more is said */

    /* control flow and flags: what the single-stepper asks about */
    INSN_CALL, INSN_JMP, INSN_JCC, INSN_RET, INSN_FAR_BRANCH,
    INSN_INT_N, INSN_INT3, INSN_INTO, INSN_ICEBP, INSN_IRET,
    INSN_PUSHF, INSN_POPF, INSN_STI, INSN_CLI, INSN_MOV_SS, INSN_POP_SS,
    INSN_SYSCALL, INSN_SYSRET, INSN_SYSENTER, INSN_SYSEXIT, INSN_UD,

    /* system instructions */
    INSN_MOV_CR, INSN_MOV_DR, INSN_LMSW, INSN_SMSW, INSN_CLTS,
    INSN_INVLPG, INSN_INVLPGA, INSN_INVPCID, INSN_INVD, INSN_WBINVD,
    INSN_HLT, INSN_PAUSE, INSN_MONITOR, INSN_MWAIT, INSN_CPUID,
    INSN_RDMSR, INSN_WRMSR, INSN_RDTSC, INSN_RDTSCP, INSN_RDPMC, INSN_RDPRU,
    INSN_XGETBV, INSN_XSETBV, INSN_RSM, INSN_SWAPGS,
    INSN_SGDT, INSN_SIDT, INSN_LGDT, INSN_LIDT, INSN_SLDT, INSN_STR, INSN_LLDT, INSN_LTR,
    INSN_VMCALL, INSN_VMMCALL, INSN_VMX, INSN_SVM,

    /* port I/O; the string forms set `rep`, `segment`, `addr_bytes` */
    INSN_IN, INSN_OUT, INSN_INS, INSN_OUTS,

    /* memory forms that emulated devices see */
    INSN_MOV, INSN_MOVZX, INSN_MOVSX, INSN_ALU, INSN_TEST, INSN_XCHG,
    INSN_NOT, INSN_NEG, INSN_INC, INSN_DEC,
    INSN_MOVS, INSN_STOS, INSN_LODS, INSN_CMPS, INSN_SCAS,
};
/* clang-format on */

/* INSN_ALU: which one; as the opcode encodes it. */
enum insn_alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

#define INSN_NO_REG 0xff

struct insn {
    uint8_t status; /* enum insn_status; anything but INSN_OK: only len_bytes (bytes used) counts */
    uint8_t len_bytes;
    uint8_t class;
    uint8_t mode;
    uint8_t map; /* 0: one-byte, 1: 0F, 2: 0F38, 3: 0F3A, 5, 6, 7: EVEX, VEX; 8-10: XOP */
    uint8_t opcode;
    uint8_t modrm;                /* valid if has_modrm */
    bool has_modrm, has_rex, vex; /* vex: VEX, EVEX or XOP */
    bool lock;
    uint8_t rep;      /* 0, 0xf2 or 0xf3 */
    bool osize, rexw; /* operand-size prefix, REX.W or VEX.W */

    uint8_t op_bytes;   /* operand size: 1, 2, 4, 8 */
    uint8_t mem_bytes;  /* size of the memory operand (MOVZX/MOVSX: of the source) */
    uint8_t addr_bytes; /* 2, 4, 8 */

    uint8_t reg; /* ModRM.reg with REX.R: GPR, or number of CR/DR; moffs and string forms: 0 */
    uint8_t rm;  /* ModRM.rm with REX.B when the operand is a register (mem is false) */
    uint8_t alu; /* INSN_ALU */
    bool mem;    /* has a memory operand: ModRM, moffs or string */
    bool store;  /* operand order: destination is r/m (or CR/DR, or the port); else the register */
    bool imm_form; /* source is `imm`, not a register */
    uint64_t imm;  /* sign-extended to 64 bits; INT n: vector; IN/OUT imm8: port; far: offset */
    uint16_t imm2; /* ENTER: nesting level; far pointers: selector */

    uint8_t segment;            /* enum hv_seg of the memory operand after overrides */
    uint8_t base, index, scale; /* GPR numbers or INSN_NO_REG */
    bool rip_relative;
    int64_t disp;
};

/* Decodes one instruction. Needs up to 15 bytes; fewer are fine when the instruction is shorter. */
struct insn insn_decode(const uint8_t *bytes, size_t len, enum insn_mode mode);

/* Mode of a guest from CS rights (VMX layout) and EFER. */
static inline enum insn_mode insn_mode_of(uint32_t cs_rights, uint64_t efer, uint64_t cr0)
{
    if ((cr0 & 1) && (efer & (1u << 10)) && (cs_rights & (1u << 13)))
        return INSN_MODE_64;
    return cs_rights & (1u << 14) ? INSN_MODE_32 : INSN_MODE_16;
}

/* Offset of the ModRM or moffs operand inside its segment, wrapped to the address size. */
uint64_t insn_offset(const struct insn *insn, const struct guest_regs *regs);

/* The same as a linear address. segment_base: base of insn->segment (64-bit code: 0 for all but FS
 * and GS, which this function does not know). */
uint64_t insn_gva(const struct insn *insn, const struct guest_regs *regs, uint64_t segment_base);

/* General register `number` of an operand of `size_bytes`: knows AH..BH, zero-extends 32-bit writes,
 * leaves the upper part of 8 and 16-bit writes alone. */
uint64_t insn_gpr_get(const struct insn *insn, const struct guest_regs *regs, uint8_t number,
                      uint8_t size_bytes);
void insn_gpr_set(const struct insn *insn, struct guest_regs *regs, uint8_t number,
                  uint8_t size_bytes, uint64_t value);

/* For logs ("undefined instruction"); never NULL. */
const char *insn_status_text(enum insn_status status);
