/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A physical CPU: its descriptor tables, stacks, and what it runs. One struct per CPU from the
 * start; reached through GS base in the hypervisor (this_cpu()).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

enum cpu_vendor { CPU_INTEL, CPU_AMD, CPU_OTHER };

struct cpu {
    struct cpu *self; /* first: this_cpu() reads gs:0 */
    uint32_t id, apic_id;
    struct vcpu *vcpu;                  /* the guest CPU it runs, NULL before */
    void *vendor;                       /* VMXON region, host save area */
    uint64_t gdt_hva, tss_hva, idt_hva; /* for the host-state area of a VMCS */
    uint16_t cs, ss, tr;                /* selectors in force */
    uint32_t fault_depth;               /* >0: inside the fault path already */
    volatile uint32_t nmi_seen;         /* NMIs taken by our own IDT; polled and cleared by core */
    uint32_t db_seen;                   /* stray #DB after a guest exit: DR7 cleared and counted */
    volatile uint64_t irq_seen[4]; /* bit per vector >= 32 taken by our own IDT; no EOI was sent */
};

static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

enum cpu_vendor cpu_vendor(void);

/* What runs us: "qemu-tcg", "kvm", "bochs", "hardware", or the hypervisor's CPUID signature. Found
 * once by cpu_identify(). */
const char *cpu_platform(void);
void cpu_identify(void);
uint8_t cpu_maxphyaddr_bits(void);

/* The boot CPU's struct; others are allocated when they are started. */
extern struct cpu cpu_bsp;

/* Fills GDT, TSS, IDT and stacks of the boot CPU, loads them, sets GS base, CR0.WP/NE, NX, and
 * CR4.OSXSAVE where it exists. Link addresses only, so that a relocation changes nothing. */
void cpu_init_bsp(void);

/* Time stamp counter: measured once against the PIT (bounded), else taken from CPUID, else 1 GHz.
 */
extern uint64_t tsc_khz;
void tsc_init(void);
uint64_t tsc_now_us(void); /* since tsc_init() */
void tsc_delay_us(uint64_t us);

/* Stops this CPU for good; NMIs are still counted. */
_Noreturn void cpu_halt(void);

/* What the fault path saved; also what the stub shows for a fault of the hypervisor itself. */
struct fault_frame {
    uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

#define FAULT_PANIC 255u /* vector of a frame made by hv_panic(): no fault at all */

/* Access with exception fix-up: 0, or -1 when the instruction raised #GP (nothing changed). */
int rdmsr_safe(uint32_t index, uint64_t *value);
int wrmsr_safe(uint32_t index, uint64_t value);
int xsetbv_safe(uint32_t index, uint64_t value);

/* The call chain from a frame pointer, innermost first, at most max addresses; returns how many. Reads
 * only mapped memory. A leaf function has no frame: its caller is taken from the stack's top at rsp when
 * a call lies before it (rsp 0: do not look). */
unsigned fault_trace(uint64_t rip, uint64_t rbp, uint64_t rsp, uint64_t *trace, unsigned max);
/* The same as one log line: an addr2line command that names the functions. */
void fault_print_trace(uint64_t rip, uint64_t rbp, uint64_t rsp);

/* Is every byte of [address, address + len_bytes) mapped by our own page tables? */
bool hv_mapped(uint64_t address, uint64_t len_bytes);

/* Called (if not NULL) after a fault of the hypervisor was printed with registers and back-trace;
 * core points it at the crash record and the stub. Must not return. */
extern void (*fault_hook)(const struct fault_frame *frame, const char *why);
