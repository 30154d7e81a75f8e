/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GDT, TSS, IDT and stacks. All exceptions run on IST stacks of their own: nothing about the stack
 * that was in use is trusted. What the entries do is in stubs.S and fault.c.
 */
#include "cpu/desc.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/mem.h"

enum { IDT_GATES = 256, GDT_ENTRIES = 6 };

#define MSR_EFER    UINT32_C(0xc0000080)
#define MSR_FS_BASE UINT32_C(0xc0000100)
#define MSR_GS_BASE UINT32_C(0xc0000101)

/* SDM, "Segment Descriptors": present, S, code/data, accessed; L in 64-bit code. */
#define GDT_CODE64 UINT64_C(0x00af9b000000ffff)
#define GDT_DATA   UINT64_C(0x00cf93000000ffff)

struct idt_gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_mid;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "64-bit gate");

#define GATE_INTERRUPT 0x8e /* present, DPL 0, 64-bit interrupt gate: IF is clear on entry */

struct cpu cpu_bsp;
struct cpu_stacks cpu_bsp_stacks __attribute__((aligned(PAGE_BYTES)));
static uint64_t bsp_gdt[GDT_ENTRIES] __attribute__((aligned(16)));
static struct tss bsp_tss __attribute__((aligned(16)));
static struct idt_gate idt[IDT_GATES] __attribute__((aligned(16))); /* same for all CPUs */

const int32_t cpu_stack_guards[] = {
    offsetof(struct cpu_stacks, main_guard),   offsetof(struct cpu_stacks, df_guard),
    offsetof(struct cpu_stacks, nmi_guard),    offsetof(struct cpu_stacks, mc_guard),
    offsetof(struct cpu_stacks, db_guard),     offsetof(struct cpu_stacks, fault_guard),
    offsetof(struct cpu_stacks, nested_guard), -1,
};

static void idt_fill(void)
{
    for (unsigned vector = 0; vector < IDT_GATES; vector++) {
        uint64_t entry =
            (uint64_t)(vector == X86_NMI ? cpu_stub_nmi : cpu_stub_base + vector * CPU_STUB_BYTES);
        uint8_t ist = vector == X86_DF    ? IST_DF + 1
                      : vector == X86_NMI ? IST_NMI + 1
                      : vector == X86_MC  ? IST_MC + 1
                      : vector == X86_DB  ? IST_DB + 1
                      : vector < 32       ? IST_FAULT + 1
                                          : 0; /* interrupts come only where our stack is sound */

        idt[vector] = (struct idt_gate){
            .offset_low = (uint16_t)entry,
            .offset_mid = (uint16_t)(entry >> 16),
            .offset_high = (uint32_t)(entry >> 32),
            .selector = SEL_CODE64,
            .ist = ist,
            .type = GATE_INTERRUPT,
        };
    }
}

static void desc_init(struct cpu *cpu, struct cpu_stacks *stacks, uint64_t *gdt, struct tss *tss)
{
    struct cpu_stack_head *heads[] = {&stacks->df_head,  &stacks->nmi_head,   &stacks->mc_head,
                                      &stacks->db_head,  &stacks->fault_head, &stacks->nested_head,
                                      &stacks->main_head};
    uint64_t tss_hva = (uint64_t)tss;

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        heads[i]->cpu = cpu;
    memset(tss, 0, sizeof(*tss));
    tss->ist[IST_DF] = (uint64_t)&stacks->df_head;
    tss->ist[IST_NMI] = (uint64_t)&stacks->nmi_head;
    tss->ist[IST_MC] = (uint64_t)&stacks->mc_head;
    tss->ist[IST_DB] = (uint64_t)&stacks->db_head;
    tss->ist[IST_FAULT] = (uint64_t)&stacks->fault_head;
    tss->iomap_base = sizeof(*tss);

    gdt[0] = 0;
    gdt[SEL_CODE64 / 8] = GDT_CODE64;
    gdt[SEL_DATA / 8] = GDT_DATA;
    gdt[3] = 0;
    /* Available 64-bit TSS (type 9), present; limit and base in the usual scattered places. */
    gdt[SEL_TSS / 8] = (sizeof(*tss) - 1) | (tss_hva & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
                       (tss_hva >> 24 & 0xff) << 56;
    gdt[SEL_TSS / 8 + 1] = tss_hva >> 32;

    cpu->self = cpu;
    cpu->gdt_hva = (uint64_t)gdt;
    cpu->tss_hva = tss_hva;
    cpu->idt_hva = (uint64_t)idt;
    cpu->cs = SEL_CODE64;
    cpu->ss = SEL_DATA;
    cpu->tr = SEL_TSS;
}

static void desc_load(struct cpu *cpu)
{
    struct table_reg gdt = {GDT_ENTRIES * 8 - 1, cpu->gdt_hva};
    struct table_reg idtr = {sizeof(idt) - 1, cpu->idt_hva};

    lgdt(&gdt);
    __asm__ volatile("pushq %0\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %1, %%eax\n\t"
                     "movl %%eax, %%ss\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs"
                     :
                     : "i"(SEL_CODE64), "i"(SEL_DATA)
                     : "rax", "memory");
    lldt(0);
    lidt(&idtr);
    ltr(cpu->tr);
    wrmsr(MSR_FS_BASE, 0);
    wrmsr(MSR_GS_BASE, (uint64_t)cpu);
}

void cpu_init_bsp(void)
{
    struct cpuid_regs features = cpuid(1, 0);
    uint64_t cr4 = read_cr4() | CR4_MCE;

    idt_fill();
    cpu_bsp.apic_id = features.ebx >> 24;
    desc_init(&cpu_bsp, &cpu_bsp_stacks, bsp_gdt, &bsp_tss);
    desc_load(&cpu_bsp);

    write_dr7(DR7_RESET);
    write_cr0((read_cr0() | CR0_WP | CR0_NE | CR0_MP | CR0_ET) &
              ~(CR0_EM | CR0_TS | CR0_CD | CR0_NW));
    if (features.ecx >> 26 & 1) /* CPUID.1:ECX.XSAVE */
        cr4 |= CR4_OSXSAVE;
    write_cr4(cr4);
}

_Noreturn void cpu_halt(void)
{
    for (;;) {
        cli();
        cpu_hlt();
    }
}
