/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See disas.h. Capstone decodes; this file makes its AT&T text look like GDB's. */
#include "monitor/disas.h"

#include <stdio.h>
#include <string.h>

#include <capstone/capstone.h>

/* Mnemonics whose size suffix the GNU assembler leaves out when a register tells the size. */
static const char *const suffixed[] = {
    "adc",    "add",     "and",  "bsf",    "bsr",     "bswap", "bt",   "btc",  "btr",    "bts",
    "cmp",    "cmpxchg", "dec",  "imul",   "in",      "inc",   "lar",  "lea",  "lsl",    "mov",
    "movabs", "neg",     "not",  "or",     "out",     "pop",   "push", "rcl",  "rcr",    "rol",
    "ror",    "sar",     "sbb",  "shl",    "shld",    "shr",   "shrd", "sldt", "smsw",   "str",
    "sub",    "test",    "xadd", "xchg",   "xor",     "div",   "idiv", "mul",  "popcnt", "lzcnt",
    "tzcnt",  "lldt",    "ltr",  "vmread", "vmwrite",
};

/* Mnemonics that never need theirs. */
static const char *const implied[] = {"ret", "call", "jmp", "leave", "sysret", "pushf", "popf"};

static bool in_list(const char *const *list, size_t count, const char *word, size_t len_bytes)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == len_bytes && memcmp(list[i], word, len_bytes) == 0)
            return true;
    return false;
}

/* A register that is an operand of its own, not part of an address. */
static bool has_register(const char *operands)
{
    unsigned depth = 0;

    for (; *operands; operands++) {
        if (*operands == '(')
            depth++;
        else if (*operands == ')' && depth > 0)
            depth--;
        else if (*operands == '%' && depth == 0 && operands[3] != ':')
            return true;
    }
    return false;
}

static size_t plain_length(const char *mnemonic, const char *operands, unsigned bits)
{
    size_t len_bytes = strlen(mnemonic);
    const char *last;

    if (len_bytes < 2)
        return len_bytes;
    last = &mnemonic[len_bytes - 1];
    if (!strchr("bwlq", *last))
        return len_bytes;
    if (has_register(operands) &&
        in_list(suffixed, sizeof(suffixed) / sizeof(suffixed[0]), mnemonic, len_bytes - 1))
        return len_bytes - 1;
    if (strcmp(mnemonic, "lretl") == 0 && bits != 16) /* far returns stay 32 bits wide */
        return len_bytes - 1;
    if (*last == (bits == 64   ? 'q'
                  : bits == 32 ? 'l'
                               : 'w') &&
        in_list(implied, sizeof(implied) / sizeof(implied[0]), mnemonic, len_bytes - 1))
        return len_bytes - 1;
    /* push $0x10: the mode tells the size */
    if (*last == (bits == 64   ? 'q'
                  : bits == 32 ? 'l'
                               : 'w') &&
        len_bytes == 5 && memcmp(mnemonic, "push", 4) == 0 && operands[0] == '$')
        return len_bytes - 1;
    return len_bytes;
}

static void gnu_text(const cs_insn *insn, unsigned bits, char *text, size_t cap_bytes)
{
    size_t len_bytes = plain_length(insn->mnemonic, insn->op_str, bits), to;
    const char *from;

    to = (size_t)snprintf(text, cap_bytes, insn->op_str[0] ? "%.*s " : "%.*s", (int)len_bytes,
                          insn->mnemonic);
    for (from = insn->op_str; *from && to + 1 < cap_bytes; from++) {
        text[to++] = *from;
        if (from[0] == ',' && from[1] == ' ')
            from++;
    }
    text[to] = '\0';
}

static void find_target(const cs_insn *insn, struct disas_insn *out)
{
    const cs_x86 *x86 = &insn->detail->x86;

    for (uint8_t i = 0; i < x86->op_count; i++) {
        const cs_x86_op *op = &x86->operands[i];
        bool branch = false;

        for (uint8_t g = 0; g < insn->detail->groups_count; g++)
            branch |=
                insn->detail->groups[g] == X86_GRP_JUMP || insn->detail->groups[g] == X86_GRP_CALL;
        if (op->type == X86_OP_IMM && branch) {
            out->has_target = true;
            out->target_gva = (uint64_t)op->imm;
        } else if (op->type == X86_OP_MEM && op->mem.base == X86_REG_RIP) {
            out->has_target = true;
            out->target_gva = insn->address + insn->size + (uint64_t)op->mem.disp;
        }
    }
}

struct disas_insn disas_one(unsigned bits, bool intel, uint64_t address, const uint8_t *bytes,
                            size_t len_bytes)
{
    struct disas_insn out = {.len_bytes = 0};
    cs_mode mode = bits == 16 ? CS_MODE_16 : bits == 32 ? CS_MODE_32 : CS_MODE_64;
    cs_insn *insn;
    csh handle;

    snprintf(out.text, sizeof(out.text), "(bad)");
    if (len_bytes == 0 || cs_open(CS_ARCH_X86, mode, &handle) != CS_ERR_OK)
        return out;
    cs_option(handle, CS_OPT_SYNTAX, intel ? CS_OPT_SYNTAX_INTEL : CS_OPT_SYNTAX_ATT);
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    if (cs_disasm(handle, bytes, len_bytes, address, 1, &insn) == 1) {
        out.len_bytes = (uint8_t)insn->size;
        if (intel)
            snprintf(out.text, sizeof(out.text), insn->op_str[0] ? "%s %s" : "%s", insn->mnemonic,
                     insn->op_str);
        else
            gnu_text(insn, bits, out.text, sizeof(out.text));
        find_target(insn, &out);
        cs_free(insn, 1);
    }
    cs_close(&handle);
    return out;
}
