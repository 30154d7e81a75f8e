/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Descriptor tables and stacks of one CPU. The fault path exchanges IST entries, the page tables
 * leave out the guard pages; everybody else needs only cpu.h.
 */
#pragma once

#include "cpu/cpu.h"
#include "cpu/layout.h"

#include <stddef.h>
#include <stdint.h>

/* Index into tss.ist[]; the gate holds the index plus one. */
enum cpu_ist { IST_DF, IST_NMI, IST_MC, IST_DB, IST_FAULT, IST_COUNT };

struct __attribute__((packed)) tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iomap_base;
};
_Static_assert(sizeof(struct tss) == 104 && offsetof(struct tss, ist) == 36, "64-bit TSS");

/* At the top of every stack, so that an entry finds its CPU without trusting GS base. */
struct cpu_stack_head {
    struct cpu *cpu;
    uint64_t reserved;
};

#define CPU_STACK(name_, bytes_)                                                                   \
    uint8_t name_##_guard[CPU_STACK_GUARD_BYTES];                                                  \
    uint8_t name_[(bytes_)-CPU_STACK_HEAD_BYTES];                                                  \
    struct cpu_stack_head name_##_head

struct cpu_stacks {
    CPU_STACK(main, CPU_MAIN_STACK_BYTES);
    CPU_STACK(df, 16384); /* report and crash record run here too: some 8 KiB */
    CPU_STACK(nmi, 4096);
    CPU_STACK(mc, 16384);
    CPU_STACK(db, 8192);
    CPU_STACK(fault, 32768); /* report, crash record and stub run here */
    CPU_STACK(nested, 8192); /* a fault while `fault` is in use */
};
_Static_assert(offsetof(struct cpu_stacks, main_head) == CPU_MAIN_STACK_TOP, "cpu/layout.h");

_Static_assert(offsetof(struct cpu, nmi_seen) == CPU_NMI_SEEN, "cpu/layout.h");

extern struct cpu_stacks cpu_bsp_stacks;

/* The stacks a CPU was given, found through its TSS. */
static inline struct cpu_stacks *cpu_stacks_of(const struct cpu *cpu)
{
    uint64_t df_head = ((const struct tss *)cpu->tss_hva)->ist[IST_DF];

    return (struct cpu_stacks *)(df_head - offsetof(struct cpu_stacks, df_head));
}

/* Offsets of the guard pages inside struct cpu_stacks, ended by -1. */
extern const int32_t cpu_stack_guards[];

/* cpu/stubs.S: entry of each vector, CPU_STUB_BYTES apart; the NMI has its own. */
#define CPU_STUB_BYTES 16
extern const uint8_t cpu_stub_base[], cpu_stub_nmi[];
