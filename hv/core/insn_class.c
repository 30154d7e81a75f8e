/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Instruction decoder, second half: what the instruction is, and its operands. Tables first; groups
 * (opcodes told apart by ModRM) have one small function each.
 */
#include "core/insn_class.h"

#define GROUP 0x80 /* marks opcodes that classify_group_*() looks at */
_Static_assert(INSN_SCAS < GROUP, "classes and the mark share a byte");

/* clang-format off */
static const uint8_t class_one[256] = {
    [0x07] = INSN_OTHER, [0x17] = INSN_POP_SS,
    [0x00 ... 0x05] = INSN_ALU, [0x08 ... 0x0d] = INSN_ALU, [0x10 ... 0x15] = INSN_ALU,
    [0x18 ... 0x1d] = INSN_ALU, [0x20 ... 0x25] = INSN_ALU, [0x28 ... 0x2d] = INSN_ALU,
    [0x30 ... 0x35] = INSN_ALU, [0x38 ... 0x3d] = INSN_ALU,
    [0x6c ... 0x6d] = INSN_INS, [0x6e ... 0x6f] = INSN_OUTS, [0x70 ... 0x7f] = INSN_JCC,
    [0x63] = GROUP, [0x80 ... 0x83] = INSN_ALU, [0x84 ... 0x85] = INSN_TEST, [0x86 ... 0x87] = INSN_XCHG,
    [0x88 ... 0x8b] = INSN_MOV, [0x8d] = GROUP, [0x8e] = GROUP, [0x8f] = GROUP, [0x90] = GROUP,
    [0x9a] = INSN_FAR_BRANCH, [0x9c] = INSN_PUSHF, [0x9d] = INSN_POPF,
    [0xa0 ... 0xa3] = INSN_MOV, [0xa4 ... 0xa5] = INSN_MOVS, [0xa6 ... 0xa7] = INSN_CMPS,
    [0xaa ... 0xab] = INSN_STOS, [0xac ... 0xad] = INSN_LODS, [0xae ... 0xaf] = INSN_SCAS,
    [0xc2 ... 0xc3] = INSN_RET, [0xc4 ... 0xc5] = GROUP, [0x62] = GROUP,
    [0xc6 ... 0xc7] = GROUP, [0xca ... 0xcb] = INSN_FAR_BRANCH,
    [0xcc] = INSN_INT3, [0xcd] = INSN_INT_N, [0xce] = INSN_INTO, [0xcf] = INSN_IRET,
    [0xe0 ... 0xe3] = INSN_JCC, [0xe4 ... 0xe5] = INSN_IN, [0xe6 ... 0xe7] = INSN_OUT,
    [0xe8] = INSN_CALL, [0xe9] = INSN_JMP, [0xea] = INSN_FAR_BRANCH, [0xeb] = INSN_JMP,
    [0xec ... 0xed] = INSN_IN, [0xee ... 0xef] = INSN_OUT,
    [0xf1] = INSN_ICEBP, [0xf4] = INSN_HLT, [0xf6 ... 0xf7] = GROUP,
    [0xfa] = INSN_CLI, [0xfb] = INSN_STI, [0xfe ... 0xff] = GROUP,
};

static const uint8_t class_0f[256] = {
    [0x00 ... 0x01] = GROUP, [0x05] = INSN_SYSCALL, [0x06] = INSN_CLTS, [0x07] = INSN_SYSRET,
    [0x08] = INSN_INVD, [0x09] = INSN_WBINVD, [0x0b] = INSN_UD, [0xb9] = INSN_UD, [0xff] = INSN_UD,
    [0x20] = INSN_MOV_CR, [0x22] = INSN_MOV_CR, [0x21] = INSN_MOV_DR, [0x23] = INSN_MOV_DR,
    [0x30] = INSN_WRMSR, [0x31] = INSN_RDTSC, [0x32] = INSN_RDMSR, [0x33] = INSN_RDPMC,
    [0x34] = INSN_SYSENTER, [0x35] = INSN_SYSEXIT, [0x71 ... 0x73] = GROUP, [0x78 ... 0x79] = GROUP,
    [0x80 ... 0x8f] = INSN_JCC, [0xa2] = INSN_CPUID, [0xaa] = INSN_RSM, [0xb2] = GROUP,
    [0xb4 ... 0xb5] = GROUP, [0xb6 ... 0xb7] = INSN_MOVZX, [0xba] = GROUP,
    [0xbe ... 0xbf] = INSN_MOVSX, [0xc7] = GROUP,
};

/* 0F 01 with a register ModRM, rows of eight from C0 (SDM "Opcode Extensions For One- And Two-byte
 * Opcodes By Group Number"; APM "Opcode Maps"). 0 is undefined here. */
static const uint8_t class_0f01_reg[64] = {
    [0x00] = INSN_OTHER + GROUP, /* ENCLV */
    [0x01] = INSN_VMCALL, [0x02 ... 0x04] = INSN_VMX, [0x05] = INSN_OTHER + GROUP, /* PCONFIG */
    [0x08] = INSN_MONITOR, [0x09] = INSN_MWAIT, [0x0a ... 0x0b] = INSN_OTHER + GROUP,
    [0x0f] = INSN_OTHER + GROUP, /* ENCLS */
    [0x10] = INSN_XGETBV, [0x11] = INSN_XSETBV, [0x14] = INSN_VMX,
    [0x15 ... 0x17] = INSN_OTHER + GROUP, /* XEND XTEST ENCLU */
    [0x18] = INSN_SVM, [0x19] = INSN_VMMCALL, [0x1a ... 0x1e] = INSN_SVM, [0x1f] = INSN_INVLPGA,
    [0x20 ... 0x27] = INSN_SMSW,
    [0x28 ... 0x2f] = INSN_OTHER + GROUP, /* SETSSBSY, user interrupts, PKRU, SERIALIZE */
    [0x30 ... 0x37] = INSN_LMSW,
    [0x38] = INSN_SWAPGS, [0x39] = INSN_RDTSCP, [0x3a] = INSN_OTHER + GROUP,
    [0x3b] = INSN_OTHER + GROUP, [0x3c] = INSN_OTHER + GROUP, [0x3d] = INSN_RDPRU,
    [0x3e ... 0x3f] = INSN_OTHER + GROUP, /* INVLPGB, TLBSYNC */
};
/* clang-format on */

static void undefined(struct insn *insn)
{
    insn->status = INSN_UNDEFINED;
}

static void classify_0f01(struct insn *insn)
{
    static const uint8_t memory_forms[8] = {
        INSN_SGDT, INSN_SIDT, INSN_LGDT, INSN_LIDT, INSN_SMSW, INSN_OTHER, INSN_LMSW, INSN_INVLPG,
    };
    uint8_t class;

    if (insn->mem) {
        insn->class = memory_forms[(insn->modrm >> 3) & 7];
        if (insn->class == INSN_OTHER && insn->rep != 0xf3) /* only RSTORSSP */
            undefined(insn);
        if (insn->class <= INSN_LIDT && insn->class >= INSN_SGDT)
            insn->op_bytes = insn->mode == INSN_MODE_64 ? 8 : insn->op_bytes;
        if (insn->class == INSN_SMSW || insn->class == INSN_LMSW)
            insn->op_bytes = insn->mem_bytes = 2;
        insn->store = insn->class == INSN_SMSW;
        return;
    }
    class = class_0f01_reg[insn->modrm - 0xc0];
    insn->class = class & ~GROUP;
    if (!class || (insn->class == INSN_SWAPGS && insn->mode != INSN_MODE_64))
        undefined(insn);
    if (insn->class == INSN_LMSW)
        insn->op_bytes = 2;
    insn->store = insn->class == INSN_SMSW;
}

static void classify_group_0f(struct insn *insn)
{
    static const uint8_t group6[8] = {INSN_SLDT,  INSN_STR,   INSN_LLDT, INSN_LTR,
                                      INSN_OTHER, INSN_OTHER, GROUP,     GROUP};
    uint8_t ext = (insn->modrm >> 3) & 7;

    switch (insn->opcode) {
    case 0x00:
        insn->class = group6[ext];
        if (insn->class == GROUP)
            undefined(insn);
        break;
    case 0x01:
        classify_0f01(insn);
        break;
    case 0x71:
    case 0x72: /* shifts of vector registers by imm8 */
        if (insn->mem || (ext != 2 && ext != 4 && ext != 6))
            undefined(insn);
        break;
    case 0x73:
        if (insn->mem || ext == 0 || ext == 1 || ext == 4 || ext == 5 ||
            ((ext == 3 || ext == 7) && !insn->osize))
            undefined(insn);
        break;
    case 0x78:
    case 0x79: /* VMREAD, VMWRITE; with a prefix EXTRQ, INSERTQ, registers only */
        insn->class = insn->osize || insn->rep ? INSN_OTHER : INSN_VMX;
        if (insn->class == INSN_OTHER && (insn->mem || insn->rep == 0xf3))
            undefined(insn);
        break;
    case 0xb2:
    case 0xb4:
    case 0xb5: /* LSS, LFS, LGS */
        if (!insn->mem)
            undefined(insn);
        break;
    case 0xba:
        if (ext < 4)
            undefined(insn);
        break;
    case 0xc7:
        if (insn->mem) {
            if (ext == 6 || ext == 7)
                insn->class = INSN_VMX; /* VMPTRLD, VMCLEAR, VMXON, VMPTRST */
            else if (ext == 0 || ext == 2)
                undefined(insn);
        } else if (ext < 6) {
            undefined(insn); /* RDRAND, RDSEED, RDPID, SENDUIPI are left */
        }
        break;
    default:
        break;
    }
}

static void classify_f6_ff(struct insn *insn, uint8_t ext)
{
    static const uint8_t group3[8] = {INSN_TEST, INSN_TEST, INSN_NOT, INSN_NEG};
    static const uint8_t group5[8] = {INSN_INC, INSN_DEC,        INSN_CALL,  INSN_FAR_BRANCH,
                                      INSN_JMP, INSN_FAR_BRANCH, INSN_OTHER, INSN_OTHER};

    if (insn->opcode <= 0xf7) {
        insn->class = group3[ext];
        insn->imm_form = ext <= 1;
        insn->store = true;
        return;
    }
    if ((insn->opcode == 0xfe && ext > 1) || ext == 7 || ((ext == 3 || ext == 5) && !insn->mem)) {
        undefined(insn);
        return;
    }
    insn->class = group5[ext];
    insn->store = true;
    if (insn->mode == INSN_MODE_64 && (ext == 2 || ext == 4 || ext == 6))
        insn->op_bytes = insn->osize && ext == 6 ? 2 : 8;
}

static void classify_group_one(struct insn *insn, uint8_t rex)
{
    uint8_t ext = (insn->modrm >> 3) & 7;

    switch (insn->opcode) {
    case 0x62:
    case 0xc4:
    case 0xc5:
    case 0x8d: /* BOUND, LES, LDS, LEA */
        if (!insn->mem)
            undefined(insn);
        break;
    case 0x63: /* MOVSXD, or ARPL outside 64-bit code */
        if (insn->mode == INSN_MODE_64) {
            insn->class = INSN_MOVSX;
            insn->mem_bytes = insn->op_bytes == 2 ? 2 : 4;
        }
        break;
    case 0x8e:
        if (ext == HV_CS || ext > HV_GS)
            undefined(insn);
        insn->class = ext == HV_SS ? INSN_MOV_SS : INSN_OTHER;
        break;
    case 0x8f:
        if (ext)
            undefined(insn);
        break;
    case 0x90:
        if (insn->rep == 0xf3)
            insn->class = INSN_PAUSE;
        else if (rex & 1)
            insn->class = INSN_OTHER; /* XCHG R8, RAX */
        break;
    case 0xc6:
    case 0xc7:
        if (insn->modrm == 0xf8)
            break; /* XABORT, XBEGIN */
        if (ext)
            undefined(insn);
        insn->class = INSN_MOV;
        insn->store = insn->imm_form = true;
        break;
    default:
        classify_f6_ff(insn, ext);
        break;
    }
}

/* Opcodes that encode byte operands in bit 0. */
static bool width_in_bit0(const struct insn *insn)
{
    switch (insn->class) {
    case INSN_ALU:
    case INSN_TEST:
    case INSN_XCHG:
    case INSN_MOV:
    case INSN_MOVS:
    case INSN_STOS:
    case INSN_LODS:
    case INSN_CMPS:
    case INSN_SCAS:
    case INSN_IN:
    case INSN_OUT:
    case INSN_INS:
    case INSN_OUTS:
    case INSN_NOT:
    case INSN_NEG:
    case INSN_INC:
    case INSN_DEC:
        return true;
    default:
        return false;
    }
}

/* Direction and source of the plain ALU, MOV and I/O encodings. */
static void operands_one(struct insn *insn)
{
    uint8_t op = insn->opcode;

    switch (insn->class) {
    case INSN_ALU:
        insn->imm_form = op >= 0x80 || (op & 4);
        insn->alu = op >= 0x80 ? (insn->modrm >> 3) & 7 : op >> 3;
        insn->store = op >= 0x80 || !(op & 6);
        break;
    case INSN_MOV:
        if (op >= 0xa0 && op <= 0xa3)
            insn->store = op >= 0xa2;
        else if (op <= 0x8b)
            insn->store = op <= 0x89;
        break;
    case INSN_TEST:
    case INSN_XCHG:
        insn->store = true;
        break;
    case INSN_IN:
    case INSN_OUT:
        insn->imm_form = op < 0xe8;
        insn->imm &= 0xff; /* a port, not a signed number */
        insn->store = insn->class == INSN_OUT;
        if (insn->op_bytes == 8)
            insn->op_bytes = 4;
        break;
    case INSN_INS:
    case INSN_STOS:
    case INSN_SCAS:
        insn->mem = insn->store = true;
        insn->segment = HV_ES; /* not overridable */
        break;
    case INSN_OUTS:
    case INSN_LODS:
    case INSN_MOVS:
    case INSN_CMPS:
        insn->mem = true;
        break;
    case INSN_INT_N:
        insn->imm &= 0xff;
        break;
    case INSN_PUSHF:
    case INSN_POPF:
    case INSN_CALL:
    case INSN_RET:
    case INSN_JMP:
        if (insn->mode == INSN_MODE_64 && !insn->osize)
            insn->op_bytes = 8;
        break;
    default:
        break;
    }
    if ((insn->class == INSN_INS || insn->class == INSN_OUTS) && insn->op_bytes == 8)
        insn->op_bytes = 4;
}

void insn_classify(struct insn *insn, uint8_t rex)
{
    uint8_t class = INSN_OTHER;

    if (insn->map == 0)
        class = class_one[insn->opcode];
    else if (insn->map == 1)
        class = class_0f[insn->opcode];
    else if (insn->map == 2 && insn->opcode == 0x82 && insn->osize)
        class = INSN_INVPCID;
    else if (insn->map == 2 && (insn->opcode == 0x80 || insn->opcode == 0x81) && insn->osize)
        class = INSN_VMX; /* INVEPT, INVVPID */

    if (class != GROUP) {
        insn->class = class;
        if (insn->map == 0)
            operands_one(insn);
    } else if (insn->map == 0) {
        classify_group_one(insn, rex);
    } else {
        classify_group_0f(insn);
    }

    /* Bit 0 says "byte" in ALU immediates as well; 82, the copy of 80, has it clear too. */
    if (insn->map == 0 && width_in_bit0(insn) && !(insn->opcode & 1))
        insn->op_bytes = 1;
    switch (insn->class) {
    case INSN_MOVZX:
    case INSN_MOVSX:
        if (insn->map == 1)
            insn->mem_bytes = insn->opcode & 1 ? 2 : 1;
        break;
    case INSN_MOV_CR:
    case INSN_MOV_DR:
        insn->op_bytes = insn->mode == INSN_MODE_64 ? 8 : 4;
        insn->store = insn->opcode & 2;
        /* AMD's other spelling of CR8, for code without REX: LOCK MOV CR0 (APM "MOV CRn"). */
        if (insn->class == INSN_MOV_CR && insn->lock && insn->reg == 0)
            insn->reg = 8;
        if (insn->class == INSN_MOV_CR
                ? insn->reg == 1 || insn->reg > 8 || (insn->reg >= 5 && insn->reg <= 7)
                : insn->reg > 7)
            undefined(insn);
        break;
    case INSN_SMSW:
        break;
    default:
        if (insn->mem && !insn->mem_bytes)
            insn->mem_bytes = insn->op_bytes;
        break;
    }
}
