/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Instruction decoder, first half: prefixes, opcode maps, ModRM, displacement, immediate: the length.
 * What the instruction means is insn_class.c's. Bytes are hostile: every fetch is checked.
 */
#include "core/insn.h"

#include "core/insn_class.h"
#include "core/insn_maps.h"

struct cursor {
    const uint8_t *bytes;
    size_t len;
    size_t pos;
    enum insn_status status; /* first problem; later fetches return 0 */
};

static uint8_t fetch8(struct cursor *c)
{
    if (c->status != INSN_OK)
        return 0;
    if (c->pos >= INSN_MAX_BYTES) {
        c->status = INSN_TOO_LONG;
        return 0;
    }
    if (c->pos >= c->len) {
        c->status = INSN_TRUNCATED;
        return 0;
    }
    return c->bytes[c->pos++];
}

static uint64_t fetch(struct cursor *c, unsigned count_bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < count_bytes; i++)
        value |= (uint64_t)fetch8(c) << (8 * i);
    return value;
}

static int64_t fetch_signed(struct cursor *c, unsigned count_bytes)
{
    unsigned shift = 64 - 8 * count_bytes;

    return (int64_t)(fetch(c, count_bytes) << shift) >> shift;
}

static uint8_t peek8(const struct cursor *c)
{
    return c->pos < c->len ? c->bytes[c->pos] : 0;
}

/* Prefix state that the rest of the decoder does not keep in struct insn. */
struct prefixes {
    uint8_t rex; /* 0x40-0x4f, or what VEX/EVEX/XOP stand for */
    bool asize;
    uint8_t segment; /* override, or INSN_NO_REG */
};

/* Eats legacy prefixes and REX; returns the first opcode byte. A REX that is not right before the
 * opcode is ignored, as the CPU does. */
static uint8_t decode_prefixes(struct cursor *c, struct insn *insn, struct prefixes *p)
{
    for (;;) {
        uint8_t byte = fetch8(c);

        if (c->status != INSN_OK)
            return 0;
        switch (byte) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            /* In 64-bit code these four do nothing; they do not even undo an earlier FS or GS. */
            if (insn->mode != INSN_MODE_64)
                p->segment = (byte >> 3) & 3; /* ES CS SS DS, as enum hv_seg counts */
            break;
        case 0x64:
        case 0x65:
            p->segment = byte == 0x64 ? HV_FS : HV_GS;
            break;
        case 0x66:
            insn->osize = true;
            break;
        case 0x67:
            p->asize = true;
            break;
        case 0xf0:
            insn->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            insn->rep = byte;
            break;
        default:
            if (insn->mode == INSN_MODE_64 && (byte & 0xf0) == 0x40) {
                p->rex = byte;
                insn->rexw = byte & 8;
                continue;
            }
            insn->has_rex = p->rex != 0;
            return byte;
        }
        p->rex = 0; /* a legacy prefix after REX kills it */
        insn->rexw = false;
    }
}

/* VEX, EVEX and XOP carry map, REX bits and the mandatory prefix in their payload. */
static void decode_vex(struct cursor *c, struct insn *insn, struct prefixes *p, uint8_t first)
{
    static const uint8_t rep_of_pp[4] = {0, 0, 0xf3, 0xf2};
    uint8_t payload1 = fetch8(c), payload2 = 0;
    uint8_t pp;

    if (insn->lock || insn->osize || insn->rep || p->rex)
        c->status = c->status == INSN_OK ? INSN_UNDEFINED : c->status;

    insn->vex = true;
    p->rex = 0x40 | ((~payload1 >> 5) & 4); /* R, inverted */
    if (first == 0xc5) {
        insn->map = 1;
        pp = payload1 & 3;
    } else {
        payload2 = fetch8(c);
        if (first == 0x62) {
            insn->map = payload1 & 7;
            if ((payload1 & 8) || !(payload2 & 4)) /* fixed bits of EVEX */
                c->status = c->status == INSN_OK ? INSN_UNDEFINED : c->status;
            fetch8(c);
        } else {
            insn->map = payload1 & 0x1f;
        }
        p->rex |= (~payload1 >> 5) & 3; /* X, B */
        insn->rexw = payload2 & 0x80;
        pp = payload2 & 3;
    }
    if (insn->mode != INSN_MODE_64)
        p->rex = 0x40;
    insn->osize = pp == 1;
    insn->rep = rep_of_pp[pp];
    insn->opcode = fetch8(c);
}

static bool vex_map_exists(const struct insn *insn, uint8_t first)
{
    switch (first) {
    case 0xc5:
        return true;
    case 0xc4:
        return (insn->map >= 1 && insn->map <= 3) || insn->map == 7;
    case 0x62:
        return (insn->map >= 1 && insn->map <= 3) || insn->map == 5 || insn->map == 6;
    default:
        return insn->map >= 8 && insn->map <= 10;
    }
}

/* Letter of insn_maps.h for a VEX, EVEX or XOP opcode. Which opcodes are allocated is not checked:
 * new ones appear every year, and their length follows from the map. */
static char vex_letter(const struct insn *insn)
{
    switch (insn->map) {
    case 1:
        return insn->opcode == 0x77 ? '.'
               : (insn->opcode >= 0x70 && insn->opcode <= 0x73) || insn->opcode == 0xc2 ||
                       (insn->opcode >= 0xc4 && insn->opcode <= 0xc6)
                   ? 'B'
                   : 'M';
    case 3:
    case 8:
        return 'B';
    case 7:
    case 10:
        return 'D'; /* ModRM + imm32, whatever the prefixes */
    default:
        return 'M';
    }
}

static char legacy_letter(struct cursor *c, struct insn *insn, uint8_t byte)
{
    insn->opcode = byte;
    if (byte != 0x0f) {
        char letter = insn_map_one[byte];

        return insn->mode == INSN_MODE_64 && insn_no64[byte] == 'x' ? 'x' : letter;
    }
    insn->map = 1;
    insn->opcode = fetch8(c);
    if (insn->opcode == 0x38) {
        insn->map = 2;
        insn->opcode = fetch8(c);
        return insn_map_0f38[insn->opcode] == 'y' ? 'M' : 'x';
    }
    if (insn->opcode == 0x3a) {
        insn->map = 3;
        insn->opcode = fetch8(c);
        return insn_map_0f3a[insn->opcode] == 'y' ? 'B' : 'x';
    }
    /* EXTRQ and INSERTQ (SSE4A) share the opcode of VMREAD and have two immediate bytes. */
    if (insn->opcode == 0x78 && (insn->osize || insn->rep == 0xf2))
        return 'W';
    if (insn->opcode == 0xb8 && insn->rep != 0xf3)
        return 'x'; /* only POPCNT lives here */
    return insn_map_0f[insn->opcode];
}

static void decode_mem16(struct cursor *c, struct insn *insn)
{
    static const uint8_t base_of[8] = {GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP,
                                       GPR_RSI, GPR_RDI, GPR_RBP, GPR_RBX};
    static const uint8_t index_of[8] = {GPR_RSI,     GPR_RDI,     GPR_RSI,     GPR_RDI,
                                        INSN_NO_REG, INSN_NO_REG, INSN_NO_REG, INSN_NO_REG};
    uint8_t mod = insn->modrm >> 6, rm = insn->modrm & 7;

    insn->base = base_of[rm];
    insn->index = index_of[rm];
    if (mod == 0 && rm == 6) {
        insn->base = INSN_NO_REG;
        insn->disp = (int64_t)fetch(c, 2);
    } else if (mod) {
        insn->disp = fetch_signed(c, mod);
    }
}

static void decode_mem32(struct cursor *c, struct insn *insn, const struct prefixes *p)
{
    uint8_t mod = insn->modrm >> 6, rm = insn->modrm & 7;

    if (rm == 4) {
        uint8_t sib = fetch8(c);

        insn->scale = sib >> 6;
        insn->index = ((sib >> 3) & 7) | ((p->rex & 2) << 2);
        if (insn->index == GPR_RSP)
            insn->index = INSN_NO_REG;
        insn->base = (sib & 7) | ((p->rex & 1) << 3);
        if ((sib & 7) == 5 && mod == 0) {
            insn->base = INSN_NO_REG;
            insn->disp = fetch_signed(c, 4);
        }
    } else if (rm == 5 && mod == 0) {
        insn->rip_relative = insn->mode == INSN_MODE_64;
        insn->disp = fetch_signed(c, 4);
    } else {
        insn->base = rm | ((p->rex & 1) << 3);
    }
    if (mod == 1)
        insn->disp = fetch_signed(c, 1);
    else if (mod == 2)
        insn->disp = fetch_signed(c, 4);
}

static void decode_modrm(struct cursor *c, struct insn *insn, const struct prefixes *p,
                         bool always_register)
{
    insn->has_modrm = true;
    insn->modrm = fetch8(c);
    insn->reg = ((insn->modrm >> 3) & 7) | ((p->rex & 4) << 1);
    if (insn->modrm >= 0xc0 || always_register) {
        insn->rm = (insn->modrm & 7) | ((p->rex & 1) << 3);
        return;
    }
    insn->mem = true;
    insn->segment = HV_DS;
    if (insn->addr_bytes == 2)
        decode_mem16(c, insn);
    else
        decode_mem32(c, insn, p);
    if (insn->base == GPR_RBP || insn->base == GPR_RSP)
        insn->segment = HV_SS;
}

/* 16 or 32-bit immediate; 64-bit operands take a sign-extended 32-bit one. */
static unsigned imm_z_bytes(const struct insn *insn)
{
    return insn->op_bytes == 2 ? 2 : 4;
}

static void decode_immediate(struct cursor *c, struct insn *insn, char letter)
{
    switch (letter) {
    case 'b':
    case 'B':
        insn->imm = (uint64_t)fetch_signed(c, 1);
        break;
    case 'z':
    case 'Z':
        insn->imm = (uint64_t)fetch_signed(c, imm_z_bytes(insn));
        break;
    case 'D':
        insn->imm = (uint64_t)fetch_signed(c, 4);
        break;
    case 'J':
        /* AMD, and QEMU, obey a 66 prefix here in 64-bit code; Intel ignores it. We run mostly on
         * the former, and compilers emit it on neither. */
        insn->imm = (uint64_t)fetch_signed(c, imm_z_bytes(insn));
        break;
    case 'w':
    case 'W':
        insn->imm = fetch(c, 2);
        break;
    case 'v':
        insn->imm = (uint64_t)fetch_signed(c, insn->op_bytes);
        break;
    case 'e':
        insn->imm = fetch(c, 2);
        insn->imm2 = fetch8(c);
        break;
    case 'f':
        insn->imm = fetch(c, imm_z_bytes(insn));
        insn->imm2 = (uint16_t)fetch(c, 2);
        break;
    case 'o':
        insn->mem = true;
        insn->segment = HV_DS;
        insn->disp = (int64_t)fetch(c, insn->addr_bytes);
        break;
    case 'g':
        if ((insn->reg & 7) <= 1)
            insn->imm = (uint64_t)fetch_signed(c, 1);
        break;
    case 'G':
        if ((insn->reg & 7) <= 1)
            insn->imm = (uint64_t)fetch_signed(c, imm_z_bytes(insn));
        break;
    default:
        break;
    }
}

/* Is this byte, already fetched, the start of VEX, EVEX or XOP? Outside 64-bit code the next byte
 * decides: with mod = 3 the old instruction (LES, LDS, BOUND) would be undefined. */
static bool starts_vex(const struct cursor *c, const struct insn *insn, uint8_t byte)
{
    uint8_t next = peek8(c);

    switch (byte) {
    case 0xc4:
    case 0xc5:
    case 0x62:
        return insn->mode == INSN_MODE_64 || next >= 0xc0;
    case 0x8f:
        return (next & 0x1f) >= 8; /* POP has reg = 0 */
    default:
        return false;
    }
}

static void set_sizes(struct insn *insn, const struct prefixes *p)
{
    if (insn->mode == INSN_MODE_64) {
        insn->op_bytes = insn->rexw ? 8 : insn->osize ? 2 : 4;
        insn->addr_bytes = p->asize ? 4 : 8;
    } else {
        insn->op_bytes = (insn->mode == INSN_MODE_32) != insn->osize ? 4 : 2;
        insn->addr_bytes = (insn->mode == INSN_MODE_32) != p->asize ? 4 : 2;
    }
}

struct insn insn_decode(const uint8_t *bytes, size_t len, enum insn_mode mode)
{
    struct cursor c = {.bytes = bytes, .len = len, .status = INSN_OK};
    struct prefixes p = {.segment = INSN_NO_REG};
    struct insn insn = {.mode = mode, .base = INSN_NO_REG, .index = INSN_NO_REG, .segment = HV_DS};
    uint8_t byte = decode_prefixes(&c, &insn, &p);
    char letter = 'x';

    if (c.status == INSN_OK && starts_vex(&c, &insn, byte)) {
        decode_vex(&c, &insn, &p, byte);
        if (c.status == INSN_OK && vex_map_exists(&insn, byte))
            letter = vex_letter(&insn);
    } else if (c.status == INSN_OK) {
        letter = legacy_letter(&c, &insn, byte);
    }
    if (c.status == INSN_OK && letter == 'x')
        c.status = INSN_UNDEFINED;

    set_sizes(&insn, &p);
    if (c.status == INSN_OK && (letter == 'M' || letter == 'R' || letter == 'B' || letter == 'Z' ||
                                letter == 'D' || letter == 'W' || letter == 'g' || letter == 'G'))
        decode_modrm(&c, &insn, &p, letter == 'R');
    decode_immediate(&c, &insn, letter);
    if (p.segment != INSN_NO_REG)
        insn.segment = p.segment;
    insn.status = c.status;
    insn.len_bytes = (uint8_t)c.pos;
    if (insn.status == INSN_OK && !insn.vex)
        insn_classify(&insn, p.rex);
    return insn;
}

const char *insn_status_text(enum insn_status status)
{
    static const char *const texts[] = {
        [INSN_OK] = "decoded",
        [INSN_TRUNCATED] = "instruction bytes cut short",
        [INSN_UNDEFINED] = "undefined instruction",
        [INSN_TOO_LONG] = "instruction longer than 15 bytes",
    };

    return (unsigned)status < sizeof(texts) / sizeof(texts[0]) ? texts[status] : "unknown";
}
