/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The addresses behind the instruction that a guest died at: memory operand, stack, branch target,
 * CR2. State only; what follows from it is protocol/explain_fault.c's.
 */
#include "core/crash_touch.h"

#include "core/guest_mem.h"
#include "core/insn.h"
#include "lib/mem.h"

#define GPR_RSP 4u
#define GPR_RBP 5u

struct looker {
    struct vcpu *vcpu;
    struct crash_record *record;
    struct insn insn;
};

enum record_walk crash_walk_word(enum walk_result result)
{
    switch (result) {
    case WALK_OK:
        return RECORD_WALK_OK;
    case WALK_NOT_PRESENT:
        return RECORD_WALK_NOT_PRESENT;
    case WALK_RESERVED:
        return RECORD_WALK_RESERVED;
    case WALK_NON_CANONICAL:
        return RECORD_WALK_NON_CANONICAL;
    case WALK_BAD_TABLE:
        return RECORD_WALK_NO_RAM;
    }
    return RECORD_WALK_UNKNOWN;
}

static struct record_touch *add(struct looker *look, enum record_touch_what what, uint64_t gva)
{
    struct crash_record *record = look->record;
    struct guest_walk walk = guest_translate(look->vcpu, gva);
    struct record_touch *touch =
        &record->touch[record->touch_count < RECORD_TOUCHES_MAX ? record->touch_count++
                                                                : RECORD_TOUCHES_MAX - 1];

    *touch = (struct record_touch){
        .what = (uint8_t)what, .gva = gva, .result = (uint8_t)crash_walk_word(walk.result)};
    if (walk.level_count) {
        const struct walk_level *last = &walk.level[walk.level_count - 1];

        touch->level = last->level;
        touch->at = last->entry_gpa;
        touch->entry = last->entry;
    }
    if (walk.result == WALK_OK)
        touch->rights =
            (uint8_t)((walk.writable ? RECORD_RIGHT_WRITE : 0) |
                      (walk.user ? RECORD_RIGHT_USER : 0) | (walk.execute ? RECORD_RIGHT_EXEC : 0));
    return touch;
}

static void add_string(struct looker *look, unsigned gpr, uint8_t segment, bool write)
{
    uint64_t offset = look->vcpu->regs.by_index[gpr];

    if (look->insn.addr_bytes < 8)
        offset &= look->insn.addr_bytes == 4 ? 0xffffffff : 0xffff;
    add(look, RECORD_TOUCH_OPERAND, guest_segment_base(look->vcpu, segment) + offset)->write =
        write;
}

/* String instructions; a repeat count of 0 touches nothing. */
static bool string_form(struct looker *look)
{
    const struct insn *insn = &look->insn;
    uint8_t op = insn->opcode & 0xfe;

    if (insn->map != 0 || insn->has_modrm || op < 0x6c || (op > 0x6e && op < 0xa4) || op > 0xae ||
        op == 0xa8)
        return false;
    if (insn->rep && !look->vcpu->regs.by_index[1])
        return true;
    if (op == 0x6e || op == 0xa4 || op == 0xa6 || op == 0xac)
        add_string(look, 6, insn->segment, false);
    if (op != 0x6e && op != 0xac)
        add_string(look, 7, HV_ES, op == 0x6c || op == 0xa4 || op == 0xaa);
    return true;
}

/* Has a ModRM memory form and yet goes to no memory, or to another address than ModRM says. */
static bool no_plain_access(const struct insn *insn)
{
    uint8_t op = insn->opcode;

    if (insn->map == 0)
        return op == 0x8d; /* LEA */
    if (insn->map == 1 && !insn->vex)
        return op == 0x0d || (op >= 0x18 && op <= 0x1f) || op == 0xa3 || op == 0xab || op == 0xb3 ||
               op == 0xbb ||
               (op == 0x01 && (insn->modrm >> 3 & 7) == 7); /* prefetch, bit strings */
    return insn->vex;                                       /* masked, gathered ... */
}

static bool stores(const struct insn *insn)
{
    switch (insn->class) {
    case INSN_MOV:
        return insn->store;
    case INSN_NOT:
    case INSN_NEG:
    case INSN_INC:
    case INSN_DEC:
    case INSN_XCHG:
    case INSN_SGDT:
    case INSN_SIDT:
        return true;
    case INSN_ALU:
        return insn->store && insn->alu != ALU_CMP;
    default:
        return false; /* unknown: judged as a read, which is what must be allowed at least */
    }
}

static void operand(struct looker *look)
{
    const struct insn *insn = &look->insn;
    struct record_touch *touch;

    if (!insn->mem || no_plain_access(insn))
        return;
    touch = add(look, RECORD_TOUCH_OPERAND,
                insn_gva(insn, &look->vcpu->regs, guest_segment_base(look->vcpu, insn->segment)));
    touch->write = stores(insn);
    touch->stack = insn->segment == HV_SS;
}

/* What it pushes (-1), pops (1), or neither. */
static int stack_use(const struct insn *insn)
{
    uint8_t op = insn->opcode, group = insn->modrm >> 3 & 7;

    if (insn->map != 0)
        return 0;
    if ((op >= 0x50 && op <= 0x57) || op == 0x68 || op == 0x6a || op == 0x9c || op == 0xe8 ||
        (op == 0xff && (group == 2 || group == 3 || group == 6)))
        return -1;
    if ((op >= 0x58 && op <= 0x5f) || op == 0x8f || op == 0x9d || op == 0xc2 || op == 0xc3 ||
        op == 0xca || op == 0xcb || op == 0xcf || op == 0xc9)
        return 1;
    return 0;
}

static uint64_t stack_touch(struct looker *look)
{
    const struct insn *insn = &look->insn;
    bool leave = insn->map == 0 && insn->opcode == 0xc9;
    uint64_t offset = look->vcpu->regs.by_index[leave ? GPR_RBP : GPR_RSP];
    struct record_touch *touch;
    int use = stack_use(insn);

    if (!use)
        return 0;
    if (use < 0)
        offset -= insn->mode == INSN_MODE_64 ? 8 : insn->op_bytes == 2 ? 2 : 4;
    if (insn->mode != INSN_MODE_64)
        offset &= look->record->segment[HV_SS].rights >> 14 & 1 ? 0xffffffff : 0xffff;
    touch = add(look, RECORD_TOUCH_STACK, guest_segment_base(look->vcpu, HV_SS) + offset);
    touch->write = use < 0;
    touch->stack = 1;
    return touch->gva;
}

/* Where a near RET, CALL or JMP through a register or memory goes (64-bit code: else it cannot leave
 * the canonical space). */
static void target(struct looker *look, uint64_t stack_gva)
{
    const struct insn *insn = &look->insn;
    uint8_t group = insn->modrm >> 3 & 7;
    uint64_t gva;

    if (insn->mode != INSN_MODE_64 || insn->map != 0)
        return;
    if (insn->opcode == 0xc3 || insn->opcode == 0xc2) {
        if (guest_read_gva(look->vcpu, stack_gva, &gva, 8) != 8)
            return;
    } else if (insn->opcode != 0xff || (group != 2 && group != 4)) {
        return;
    } else if (!insn->mem) {
        gva = look->vcpu->regs.by_index[insn->rm & 15];
    } else if (guest_read_gva(
                   look->vcpu,
                   insn_gva(insn, &look->vcpu->regs, guest_segment_base(look->vcpu, insn->segment)),
                   &gva, 8) != 8) {
        return;
    }
    add(look, RECORD_TOUCH_TARGET, gva);
}

/* The GDT descriptor of the selector that a far jump, a MOV to a segment register, LTR or LLDT loads. */
static void descriptor(struct looker *look)
{
    const struct insn *insn = &look->insn;
    struct crash_record *record = look->record;
    bool sreg = insn->map == 0 && insn->opcode == 0x8e;
    bool far = insn->map == 0 && (insn->opcode == 0xea || insn->opcode == 0x9a);
    bool table = insn->class == INSN_LTR || insn->class == INSN_LLDT;
    uint16_t selector = far ? insn->imm2 : (uint16_t)look->vcpu->regs.by_index[insn->rm & 15];
    struct record_touch *touch;
    uint64_t low = 0;

    if (!(record->cr0_real & 1) || (!far && ((!sreg && !table) || insn->mem)) || selector < 4 ||
        (selector & 4) || (selector | 7u) > record->gdtr_limit)
        return;
    touch = add(look, RECORD_TOUCH_DESCRIPTOR, record->gdtr_base + (selector & 0xfff8));
    touch->at = selector;
    touch->entry = 0;
    if (guest_read_gva(look->vcpu, touch->gva, &low, 8) == 8)
        touch->entry = low;
    else if (touch->result == RECORD_WALK_OK)
        touch->result = RECORD_WALK_NO_RAM;
}

void crash_touches(struct vcpu *vcpu, struct crash_record *record)
{
    struct looker look = {.vcpu = vcpu, .record = record};
    uint8_t bytes[INSN_MAX_BYTES];
    size_t len_bytes = guest_fetch(vcpu, bytes, sizeof bytes);

    if (record->cr0_real >> 31)
        add(&look, RECORD_TOUCH_CR2, record->cr2);
    look.insn = insn_decode(
        bytes, len_bytes,
        insn_mode_of(record->segment[HV_CS].rights, record->efer_real, record->cr0_real));
    if (look.insn.status != INSN_OK)
        return;
    if (!string_form(&look))
        operand(&look);
    target(&look, stack_touch(&look));
    descriptor(&look);
}
