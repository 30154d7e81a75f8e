/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One static inline per instruction, with its true clobbers, and the names of the bits that these
 * instructions take. Nothing here decides anything. MSR numbers with a row in protocol/msrs.def are
 * repeated only where boot code and assembly need them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* SDM, "Control Registers"; APM vol. 2, "System-Control Registers" */
#define CR0_PE       (UINT64_C(1) << 0)
#define CR0_MP       (UINT64_C(1) << 1)
#define CR0_EM       (UINT64_C(1) << 2)
#define CR0_TS       (UINT64_C(1) << 3)
#define CR0_ET       (UINT64_C(1) << 4)
#define CR0_NE       (UINT64_C(1) << 5)
#define CR0_WP       (UINT64_C(1) << 16)
#define CR0_AM       (UINT64_C(1) << 18)
#define CR0_NW       (UINT64_C(1) << 29)
#define CR0_CD       (UINT64_C(1) << 30)
#define CR0_PG       (UINT64_C(1) << 31)
#define CR0_POWER_UP (CR0_CD | CR0_NW | CR0_ET)
#define PAT_POWER_UP UINT64_C(0x0007040600070406)

#define CR4_VME        (UINT64_C(1) << 0)
#define CR4_PVI        (UINT64_C(1) << 1)
#define CR4_TSD        (UINT64_C(1) << 2)
#define CR4_DE         (UINT64_C(1) << 3)
#define CR4_PSE        (UINT64_C(1) << 4)
#define CR4_PAE        (UINT64_C(1) << 5)
#define CR4_MCE        (UINT64_C(1) << 6)
#define CR4_PGE        (UINT64_C(1) << 7)
#define CR4_PCE        (UINT64_C(1) << 8)
#define CR4_OSFXSR     (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP       (UINT64_C(1) << 11)
#define CR4_LA57       (UINT64_C(1) << 12)
#define CR4_VMXE       (UINT64_C(1) << 13)
#define CR4_SMXE       (UINT64_C(1) << 14)
#define CR4_FSGSBASE   (UINT64_C(1) << 16)
#define CR4_PCIDE      (UINT64_C(1) << 17)
#define CR4_OSXSAVE    (UINT64_C(1) << 18)
#define CR4_SMEP       (UINT64_C(1) << 20)
#define CR4_SMAP       (UINT64_C(1) << 21)
#define CR4_PKE        (UINT64_C(1) << 22)
#define CR4_CET        (UINT64_C(1) << 23)
#define CR4_PKS        (UINT64_C(1) << 24)

#define EFER_SCE   (UINT64_C(1) << 0)
#define EFER_LME   (UINT64_C(1) << 8)
#define EFER_LMA   (UINT64_C(1) << 10)
#define EFER_NXE   (UINT64_C(1) << 11)
#define EFER_SVME  (UINT64_C(1) << 12)
#define EFER_LMSLE (UINT64_C(1) << 13)
#define EFER_FFXSR (UINT64_C(1) << 14)
#define EFER_TCE   (UINT64_C(1) << 15)

#define RFLAGS_CF    (UINT64_C(1) << 0)
#define RFLAGS_FIXED (UINT64_C(1) << 1) /* always reads as 1 */
#define RFLAGS_PF    (UINT64_C(1) << 2)
#define RFLAGS_AF    (UINT64_C(1) << 4)
#define RFLAGS_ZF    (UINT64_C(1) << 6)
#define RFLAGS_SF    (UINT64_C(1) << 7)
#define RFLAGS_TF    (UINT64_C(1) << 8)
#define RFLAGS_IF    (UINT64_C(1) << 9)
#define RFLAGS_DF    (UINT64_C(1) << 10)
#define RFLAGS_OF    (UINT64_C(1) << 11)
#define RFLAGS_IOPL  (UINT64_C(3) << 12)
#define RFLAGS_NT    (UINT64_C(1) << 14)
#define RFLAGS_RF    (UINT64_C(1) << 16)
#define RFLAGS_VM    (UINT64_C(1) << 17)
#define RFLAGS_AC    (UINT64_C(1) << 18)
#define RFLAGS_VIF   (UINT64_C(1) << 19)
#define RFLAGS_VIP   (UINT64_C(1) << 20)
#define RFLAGS_ID    (UINT64_C(1) << 21)

/* SDM, "Debug Registers" */
#define DR6_RESET UINT64_C(0xffff0ff0)
#define DR6_BD    (UINT64_C(1) << 13)
#define DR6_BS    (UINT64_C(1) << 14)
#define DR6_BT    (UINT64_C(1) << 15)
#define DR7_RESET UINT64_C(0x400)
#define DR7_GD    (UINT64_C(1) << 13)

/* Page-table entries, all levels. SDM, "4-Level Paging" */
#define PTE_P         (UINT64_C(1) << 0)
#define PTE_W         (UINT64_C(1) << 1)
#define PTE_U         (UINT64_C(1) << 2)
#define PTE_A         (UINT64_C(1) << 5)
#define PTE_D         (UINT64_C(1) << 6)
#define PTE_PS        (UINT64_C(1) << 7)
#define PTE_G         (UINT64_C(1) << 8)
#define PTE_NX        (UINT64_C(1) << 63)
#define PTE_ADDR_MASK UINT64_C(0x000ffffffffff000)

enum x86_vector {
    X86_DE = 0,
    X86_DB = 1,
    X86_NMI = 2,
    X86_BP = 3,
    X86_OF = 4,
    X86_BR = 5,
    X86_UD = 6,
    X86_NM = 7,
    X86_DF = 8,
    X86_TS = 10,
    X86_NP = 11,
    X86_SS = 12,
    X86_GP = 13,
    X86_PF = 14,
    X86_MF = 16,
    X86_AC = 17,
    X86_MC = 18,
    X86_XM = 19,
    X86_VE = 20,
    X86_CP = 21,
    X86_HV = 28,
    X86_VC = 29,
    X86_SX = 30,
};

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* Raises #GP for an MSR that is not there: use rdmsr_safe() (cpu.h) unless it must exist. */
static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

#define X86_CR_ACCESS(n_)                                                                          \
    static inline uint64_t read_cr##n_(void)                                                       \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("movq %%cr" #n_ ", %0" : "=r"(value) : : "memory");                       \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_cr##n_(uint64_t value)                                                \
    {                                                                                              \
        __asm__ volatile("movq %0, %%cr" #n_ : : "r"(value) : "memory");                           \
    }
X86_CR_ACCESS(0)
X86_CR_ACCESS(2)
X86_CR_ACCESS(3)
X86_CR_ACCESS(4)
X86_CR_ACCESS(8)
#undef X86_CR_ACCESS

#define X86_DR_ACCESS(n_)                                                                          \
    static inline uint64_t read_dr##n_(void)                                                       \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("movq %%dr" #n_ ", %0" : "=r"(value) : : "memory");                       \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_dr##n_(uint64_t value)                                                \
    {                                                                                              \
        __asm__ volatile("movq %0, %%dr" #n_ : : "r"(value) : "memory");                           \
    }
X86_DR_ACCESS(0)
X86_DR_ACCESS(1)
X86_DR_ACCESS(2)
X86_DR_ACCESS(3)
X86_DR_ACCESS(6)
X86_DR_ACCESS(7)
#undef X86_DR_ACCESS

/* Operand of LGDT, LIDT, SGDT, SIDT in 64-bit mode. */
struct __attribute__((packed)) table_reg {
    uint16_t limit;
    uint64_t base;
};
_Static_assert(sizeof(struct table_reg) == 10, "LGDT operand");

static inline void lgdt(const struct table_reg *reg)
{
    __asm__ volatile("lgdt %0" : : "m"(*reg) : "memory");
}

static inline void lidt(const struct table_reg *reg)
{
    __asm__ volatile("lidt %0" : : "m"(*reg) : "memory");
}

static inline struct table_reg sgdt(void)
{
    struct table_reg reg;
    __asm__ volatile("sgdt %0" : "=m"(reg));
    return reg;
}

static inline struct table_reg sidt(void)
{
    struct table_reg reg;
    __asm__ volatile("sidt %0" : "=m"(reg));
    return reg;
}

static inline void ltr(uint16_t selector)
{
    __asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

static inline void lldt(uint16_t selector)
{
    __asm__ volatile("lldt %0" : : "r"(selector) : "memory");
}

static inline uint16_t read_tr(void)
{
    uint16_t selector;
    __asm__ volatile("str %0" : "=r"(selector));
    return selector;
}

static inline uint16_t read_ldtr(void)
{
    uint16_t selector;
    __asm__ volatile("sldt %0" : "=r"(selector));
    return selector;
}

#define X86_SEG_ACCESS(name_)                                                                      \
    static inline uint16_t read_##name_(void)                                                      \
    {                                                                                              \
        uint16_t selector;                                                                         \
        __asm__ volatile("mov %%" #name_ ", %0" : "=r"(selector));                                 \
        return selector;                                                                           \
    }
X86_SEG_ACCESS(cs)
X86_SEG_ACCESS(ss)
X86_SEG_ACCESS(ds)
X86_SEG_ACCESS(es)
X86_SEG_ACCESS(fs)
X86_SEG_ACCESS(gs)
#undef X86_SEG_ACCESS

static inline uint64_t read_rflags(void)
{
    uint64_t value;
    __asm__ volatile("pushfq; popq %0" : "=r"(value) : : "memory");
    return value;
}

static inline void invlpg(const void *address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

/* Needs CR4.OSXSAVE; index 0 exists wherever it is set. */
static inline uint64_t xgetbv(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

static inline void xsetbv(uint32_t index, uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void cpu_hlt(void)
{
    __asm__ volatile("hlt" : : : "memory");
}

static inline void cli(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void sti(void)
{
    __asm__ volatile("sti" : : : "memory");
}

/* SVM's global interrupt flag; need EFER.SVME. */
static inline void stgi(void)
{
    __asm__ volatile("stgi" : : : "memory");
}

static inline void clgi(void)
{
    __asm__ volatile("clgi" : : : "memory");
}

static inline void clts(void)
{
    __asm__ volatile("clts" : : : "memory");
}

static inline void swapgs(void)
{
    __asm__ volatile("swapgs" : : : "memory");
}
