/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine for the debugger's tests: registers in an array, 64 KiB of memory at linear = physical 0,
 * a one-instruction "CPU" that the test drives by hand, and a record of what was asked of it.
 */
#pragma once

#include <string.h>

#include "dbg/target.h"

#define FAKE_MEM_BYTES 0x10000u

struct fake {
    uint64_t reg[TL_REG_COUNT];
    uint8_t mem[FAKE_MEM_BYTES];
    uint32_t shadow;
    uint8_t cpl, code_bits;
    struct dbg_exit exit;
    struct dbg_dr own, loaded;
    bool borrowed, held, stepping;
    struct {
        bool valid;
        uint8_t type, vector, len_bytes;
    } inject;
    uint64_t guest_dr6;
    uint64_t hole_gva; /* this page is not mapped; 0: all are */
    uint8_t wide[TL_REG_COUNT][16];
    uint64_t page[64];
    unsigned page_count, revived, reboots;
    struct dbg_wants wants;
    uint64_t armed;
    uint32_t msr_on; /* last MSR intercepted; 0: none */
    uint64_t now_us;
    uint64_t msr_value;
    struct dbg_target target;
};

static int fake_reg_read(void *m, unsigned cpu, unsigned regno, uint64_t *value)
{
    struct fake *f = m;

    (void)cpu;
    if (tl_regs[regno].source == TL_SRC_FIELD)
        return -1; /* a platform without VMCS */
    *value = f->reg[regno];
    return 0;
}

static int fake_reg_write(void *m, unsigned cpu, unsigned regno, uint64_t value)
{
    struct fake *f = m;

    (void)cpu;
    if (tl_regs[regno].source == TL_SRC_EXIT)
        return -1;
    f->reg[regno] = value;
    return 0;
}

static int fake_reg_wide_read(void *m, unsigned cpu, unsigned regno, uint8_t *bytes)
{
    struct fake *f = m;

    (void)cpu;
    memcpy(bytes, f->wide[regno], tl_regs[regno].bits / 8u);
    return 0;
}

static int fake_reg_wide_write(void *m, unsigned cpu, unsigned regno, const uint8_t *bytes)
{
    struct fake *f = m;

    (void)cpu;
    memcpy(f->wide[regno], bytes, tl_regs[regno].bits / 8u);
    return 0;
}

static uint32_t fake_shadow_get(void *m, unsigned cpu)
{
    (void)cpu;
    return ((struct fake *)m)->shadow;
}

static void fake_shadow_set(void *m, unsigned cpu, uint32_t shadow)
{
    (void)cpu;
    ((struct fake *)m)->shadow = shadow;
}

static void fake_nothing(void *m, unsigned cpu)
{
    (void)m, (void)cpu;
}

static uint8_t fake_cpl(void *m, unsigned cpu)
{
    (void)cpu;
    return ((struct fake *)m)->cpl;
}

static uint8_t fake_bits(void *m, unsigned cpu)
{
    (void)cpu;
    return ((struct fake *)m)->code_bits;
}

static size_t fake_room(uint64_t addr, size_t len_bytes)
{
    if (addr >= FAKE_MEM_BYTES)
        return 0;
    return len_bytes < FAKE_MEM_BYTES - addr ? len_bytes : (size_t)(FAKE_MEM_BYTES - addr);
}

static size_t fake_phys_read(void *m, uint64_t gpa, void *buf, size_t len_bytes)
{
    len_bytes = fake_room(gpa, len_bytes);
    if (len_bytes)
        memcpy(buf, ((struct fake *)m)->mem + gpa, len_bytes);
    return len_bytes;
}

static size_t fake_phys_write(void *m, uint64_t gpa, const void *buf, size_t len_bytes)
{
    len_bytes = fake_room(gpa, len_bytes);
    if (len_bytes)
        memcpy(((struct fake *)m)->mem + gpa, buf, len_bytes);
    return len_bytes;
}

static size_t fake_mem_read(void *m, unsigned cpu, uint64_t gva, void *buf, size_t len_bytes)
{
    (void)cpu;
    return fake_phys_read(m, gva, buf, len_bytes);
}

static size_t fake_mem_write(void *m, unsigned cpu, uint64_t gva, const void *buf, size_t len_bytes)
{
    (void)cpu;
    return fake_phys_write(m, gva, buf, len_bytes);
}

static int fake_translate(void *m, unsigned cpu, uint64_t gva, uint64_t *gpa)
{
    const struct fake *f = m;

    (void)cpu;
    if (gva >= FAKE_MEM_BYTES || (f->hole_gva && gva >> 12 == f->hole_gva >> 12))
        return -1;
    *gpa = gva;
    return 0;
}

/* One-byte forms, as 64-bit code has them; 0F 05, 0F 07; MOV SS as 8E D0. */
static struct dbg_insn fake_classify(void *m, unsigned cpu, uint64_t gva)
{
    const struct fake *f = m;
    const uint8_t *at = f->mem + (gva & 0xffff);

    (void)cpu;
    if (gva >= FAKE_MEM_BYTES - 2)
        return (struct dbg_insn){.class = DBG_INSN_UNREADABLE};
    switch (at[0]) {
    case 0x9c:
        return (struct dbg_insn){DBG_INSN_PUSHF, 1, 8, 0};
    case 0x9d:
        return (struct dbg_insn){DBG_INSN_POPF, 1, 8, 0};
    case 0xcd:
        return (struct dbg_insn){DBG_INSN_INT, 2, 0, at[1]};
    case 0xcc:
        return (struct dbg_insn){DBG_INSN_INT3, 1, 0, 0};
    case 0xf1:
        return (struct dbg_insn){DBG_INSN_ICEBP, 1, 0, 0};
    case 0xfa:
        return (struct dbg_insn){DBG_INSN_CLI, 1, 0, 0};
    case 0xfb:
        return (struct dbg_insn){DBG_INSN_STI, 1, 0, 0};
    case 0xf4:
        return (struct dbg_insn){DBG_INSN_HLT, 1, 0, 0};
    case 0x8e:
        return (struct dbg_insn){DBG_INSN_MOV_SS, 2, 0, 0};
    case 0x0f:
        return (struct dbg_insn){at[1] == 5   ? DBG_INSN_SYSCALL
                                 : at[1] == 7 ? DBG_INSN_SYSRET
                                              : DBG_INSN_PLAIN,
                                 2, 8, 0};
    default:
        return (struct dbg_insn){DBG_INSN_PLAIN, 1, 0, 0};
    }
}

static bool fake_inject_waiting(void *m, unsigned cpu)
{
    (void)cpu;
    return ((struct fake *)m)->inject.valid;
}

static void fake_inject(void *m, unsigned cpu, enum dbg_event_type type, uint8_t vector,
                        uint8_t len_bytes)
{
    struct fake *f = m;

    (void)cpu;
    f->inject.valid = true;
    f->inject.type = (uint8_t)type;
    f->inject.vector = vector;
    f->inject.len_bytes = len_bytes;
}

static void fake_dr6_set(void *m, unsigned cpu, uint64_t bits)
{
    (void)cpu;
    ((struct fake *)m)->guest_dr6 |= bits;
}

static void fake_dr_own(void *m, unsigned cpu, struct dbg_dr *own)
{
    (void)cpu;
    *own = ((struct fake *)m)->own;
}

static void fake_dr_load(void *m, unsigned cpu, const struct dbg_dr *loaded)
{
    struct fake *f = m;

    (void)cpu;
    f->borrowed = loaded != NULL;
    f->loaded = loaded ? *loaded : f->own;
}

static int fake_page_trap(void *m, uint64_t gpa, bool on)
{
    struct fake *f = m;

    for (unsigned i = 0; i < f->page_count; i++)
        if (f->page[i] == gpa) {
            if (!on)
                f->page[i] = f->page[--f->page_count];
            return 0;
        }
    if (on)
        f->page[f->page_count++] = gpa;
    return 0;
}

static int fake_hold(void *m, unsigned cpu, bool on)
{
    (void)cpu;
    ((struct fake *)m)->held = on;
    return 0;
}

static void fake_intercepts(void *m, unsigned cpu, const struct dbg_wants *wants)
{
    (void)cpu;
    ((struct fake *)m)->wants = *wants;
}

static void fake_msr_intercept(void *m, unsigned cpu, uint32_t index, uint8_t access, bool on)
{
    (void)cpu, (void)access;
    ((struct fake *)m)->msr_on = on ? index : 0;
}

static void fake_port_intercept(void *m, unsigned cpu, uint16_t first, uint32_t count, bool on)
{
    (void)m, (void)cpu, (void)first, (void)count, (void)on;
}

static void fake_armed(void *m, uint64_t kinds)
{
    ((struct fake *)m)->armed = kinds;
}

static void fake_stepping(void *m, unsigned cpu, bool on)
{
    (void)cpu;
    ((struct fake *)m)->stepping = on;
}

static void fake_revive(void *m, unsigned cpu)
{
    (void)cpu;
    ((struct fake *)m)->revived++;
}

static int fake_msr_read(void *m, unsigned cpu, uint32_t index, uint64_t *value)
{
    (void)cpu, (void)index;
    *value = ((struct fake *)m)->msr_value;
    return 0;
}

static int fake_msr_write(void *m, unsigned cpu, uint32_t index, uint64_t value)
{
    (void)cpu, (void)index;
    ((struct fake *)m)->msr_value = value;
    return 0;
}

static int fake_area_read(void *m, unsigned cpu, struct dbg_msr *entries, int max)
{
    (void)m, (void)cpu, (void)max;
    entries[0] = (struct dbg_msr){0xc0000080, 0x500};
    return 1;
}

static int fake_area_write(void *m, unsigned cpu, uint32_t index, uint64_t value)
{
    (void)m, (void)cpu, (void)index, (void)value;
    return -1;
}

static int fake_field_read(void *m, unsigned cpu, uint32_t field, uint64_t *value)
{
    (void)m, (void)cpu, (void)field, (void)value;
    return -1;
}

static int fake_field_write(void *m, unsigned cpu, uint32_t field, uint64_t value)
{
    (void)m, (void)cpu, (void)field, (void)value;
    return -1;
}

static const struct dbg_exit *fake_last_exit(void *m, unsigned cpu)
{
    (void)cpu;
    return &((struct fake *)m)->exit;
}

static uint64_t fake_clock_us(void *m)
{
    return ((struct fake *)m)->now_us;
}

static void fake_reboot(void *m)
{
    ((struct fake *)m)->reboots++;
}

static int fake_query(void *m, unsigned cpu, enum tl_packet packet, const char *args,
                      size_t args_len_bytes, struct reply *reply)
{
    (void)m, (void)cpu, (void)args, (void)args_len_bytes;
    if (packet == TL_P_exit)
        reply_str(reply, "cpu:0;kind:cpuid;");
    else if (packet != TL_P_state && packet != TL_P_hello)
        return -1 - (int)TL_E_unsupported;
    return 0;
}

static int fake_object(void *m, unsigned cpu, enum tl_packet packet, const char *annex,
                       size_t annex_len_bytes, char *buf, size_t cap_bytes)
{
    static const char text[] = "tl: crash begin\ntl: crash end\n";

    (void)m, (void)cpu, (void)packet, (void)annex, (void)annex_len_bytes, (void)cap_bytes;
    memcpy(buf, text, sizeof(text) - 1);
    return (int)sizeof(text) - 1;
}

/* 64-bit ring 0 at RIP 0x1000, RSP 0x8000. */
static inline void fake_init(struct fake *f)
{
    memset(f, 0, sizeof(*f));
    f->code_bits = 64;
    f->reg[TL_REG_rip] = 0x1000;
    f->reg[TL_REG_rsp] = 0x8000;
    f->reg[TL_REG_eflags] = 2;
    f->reg[TL_REG_cr0] = 0x80000011;
    f->reg[TL_REG_efer] = 0x500;
    f->own.dr7 = 0x400;
    f->now_us = 1000000;
    memset(f->mem, 0x90, FAKE_MEM_BYTES);
    f->target = (struct dbg_target){
        .machine = f,
        .cpus = 1,
        .reg_read = fake_reg_read,
        .reg_write = fake_reg_write,
        .reg_wide_read = fake_reg_wide_read,
        .reg_wide_write = fake_reg_wide_write,
        .shadow_get = fake_shadow_get,
        .shadow_set = fake_shadow_set,
        .pending_step_clear = fake_nothing,
        .cpl = fake_cpl,
        .code_bits = fake_bits,
        .stack_bits = fake_bits,
        .mem_read = fake_mem_read,
        .mem_write = fake_mem_write,
        .phys_read = fake_phys_read,
        .phys_write = fake_phys_write,
        .translate = fake_translate,
        .classify = fake_classify,
        .inject_waiting = fake_inject_waiting,
        .inject = fake_inject,
        .guest_dr6_set = fake_dr6_set,
        .dr_own = fake_dr_own,
        .dr_load = fake_dr_load,
        .page_trap = fake_page_trap,
        .hold = fake_hold,
        .intercepts = fake_intercepts,
        .msr_intercept = fake_msr_intercept,
        .port_intercept = fake_port_intercept,
        .armed = fake_armed,
        .stepping = fake_stepping,
        .revive = fake_revive,
        .msr_read = fake_msr_read,
        .msr_write = fake_msr_write,
        .area_read = fake_area_read,
        .area_write = fake_area_write,
        .field_read = fake_field_read,
        .field_write = fake_field_write,
        .last_exit = fake_last_exit,
        .clock_us = fake_clock_us,
        .reboot = fake_reboot,
        .query = fake_query,
        .object = fake_object,
    };
}
