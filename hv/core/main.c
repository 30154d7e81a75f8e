/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From the relocated image to the running guest: hv_main() reads as the list in hv/README.md, then
 * the run loop. The one file that sees every room; decides only order.
 */
#include "boot/boot_info.h"
#include "core/acpi.h"
#include "core/apic.h"
#include "core/audit.h"
#include "core/crash.h"
#include "core/exit_cr.h"
#include "core/exit_handlers.h"
#include "core/exit_msr.h"
#include "core/exit_stats.h"
#include "core/guest.h"
#include "core/guest_mem.h"
#include "core/hooks.h"
#include "core/intercept.h"
#include "core/ioapic.h"
#include "core/line.h"
#include "core/nested.h"
#include "core/options.h"
#include "core/power.h"
#include "core/ring.h"
#include "core/seeded.h"
#include "core/selftest_entry.h"
#include "core/uart16550.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "dev/uart.h"
#include "lib/log.h"

#define CPUID_1_ECX_XSAVE (1u << 26)
#define ISA_IRQ_COM1      4

const struct hv_backend *hv_backend;
struct hv_caps hv_caps;
struct hv_debug_hooks hv_debug;

#pragma weak dbg_init /* a build without hv/dbg has a line of plain text */

static struct vcpu vcpus[1]; /* one a CPU; this version runs one */

static _Noreturn void halt(void)
{
    for (;;) {
        cli();
        cpu_hlt();
    }
}

static void choose_backend(enum hv_insist insist)
{
    const struct hv_backend *const both[] = {&vmx_backend, &svm_backend};
    const char *missing[2] = {0};

    for (unsigned n = 0; n < 2 && !hv_backend; n++) {
        unsigned i = cpu_vendor() == CPU_AMD ? 1 - n : n; /* the CPU's own kind first */

        if ((insist == HV_INSIST_VMX && i != 0) || (insist == HV_INSIST_SVM && i != 1))
            continue;
        missing[i] = both[i]->probe(&hv_caps);
        if (!missing[i])
            hv_backend = both[i];
    }
    if (!hv_backend && missing[0] && missing[1])
        hv_refuse("cannot run guests here. VMX: %s. SVM: %s", missing[0], missing[1]);
    if (!hv_backend)
        hv_refuse("cannot run guests here: %s", missing[0] ? missing[0] : missing[1]);
    hv_caps.pending_debug = hv_backend == &vmx_backend;
    log_info("backend %s on %s: %u-bit physical addresses, %s pages", hv_backend->name,
             hv_caps.platform, hv_caps.maxphyaddr_bits, hv_caps.nested_1g ? "1 GiB" : "2 MiB");
}

/* The guest's XSETBV is performed by us, which needs our own CR4.OSXSAVE. */
static void enable_xsave(void)
{
    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)
        write_cr4(read_cr4() | CR4_OSXSAVE);
}

static void add_guest_ram(const struct memmap *map)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct boot_region *region = &map->regions[i];

        if (region->type == BOOT_RAM || region->type == BOOT_ACPI || region->type == BOOT_NVS)
            guest_ram_add(region->base_hpa, region->size_bytes);
    }
}

static void write_entry_state(struct vcpu *vcpu, const struct guest_entry *entry)
{
    for (unsigned i = 0; i < 16; i++)
        vcpu->regs.by_index[i] = entry->gprs[i];
    vcpu->regs.rip = entry->rip;
    vcpu->regs.rflags = entry->rflags | RFLAGS_FIXED;
    for (unsigned i = 0; i < HV_SEG_COUNT; i++)
        hv_backend->set_segment(vcpu, (enum hv_seg)i, &entry->segments[i]);
    hv_backend->set(vcpu, HV_ST_GDTR_BASE, entry->gdt_base_gpa);
    hv_backend->set(vcpu, HV_ST_GDTR_LIMIT, entry->gdt_limit);
    hv_backend->set(vcpu, HV_ST_IDTR_BASE, entry->idt_base_gpa);
    hv_backend->set(vcpu, HV_ST_IDTR_LIMIT, entry->idt_limit);
    hv_backend->set(vcpu, HV_ST_CR3, 0);
    hv_backend->set(vcpu, HV_ST_DR6, DR6_RESET);
    hv_backend->set(vcpu, HV_ST_DR7, DR7_RESET);
    vcpu->dr6 = DR6_RESET;
    vcpu->dr7_wrote = DR7_RESET;
    vcpu->cr0_wrote = entry->cr0 | CR0_ET;
    vcpu->cr4_wrote = 0;
    vcpu->efer_wrote = seeded(SEEDED_efer_inherit) ? rdmsr(0xc0000080) & (EFER_LME | EFER_LMA) : 0;
    vcpu->xcr0 = 1;
    hv_backend->set_cr(vcpu, 0, vcpu->cr0_wrote & ~(CR0_CD | CR0_NW), vcpu->cr0_wrote);
    hv_backend->set_cr(vcpu, 4, 0, 0);
    hv_backend->set_efer(vcpu, vcpu->efer_wrote);
}

static struct vcpu *make_vcpu(const struct hv_options *options)
{
    struct vcpu *vcpu = &vcpus[0];
    struct cpu *cpu = this_cpu();
    uint64_t root_hpa;
    const char *error;

    vcpu->cpu = cpu;
    cpu->vcpu = vcpu;
    error = hv_backend->cpu_init(cpu);
    if (!error)
        error = nested_init(&root_hpa);
    if (!error)
        error =
            ring_init(vcpu, options->ring_records ? options->ring_records : RING_DEFAULT_RECORDS);
    if (!error)
        error = exit_stats_init(vcpu);
    if (!error)
        error = hv_backend->vcpu_init(vcpu, root_hpa);
    if (error)
        hv_refuse("%s", error);
    exit_cr_init();
    exit_msr_init(vcpu);
    intercept_init(vcpu);
    return vcpu;
}

static void load_guest(struct vcpu *vcpu, const struct boot_info *info)
{
    static struct guest_entry entry;
    const char *error = guest_load(info, &entry);

    if (error)
        hv_refuse("%s", error);
    add_guest_ram(entry.map);
    write_entry_state(vcpu, &entry);
    audit_remember(vcpu, &entry);
    log_info("guest %s%s%s: first instruction at %#lx", entry.kind, entry.name[0] ? " " : "",
             entry.name, (unsigned long)entry.rip);
}

static void init_devices(struct vcpu *vcpu, const struct boot_info *info)
{
    int irq = uart_irq(&hv_uart);
    struct acpi_facts facts = acpi_read(info, irq >= 0 ? (unsigned)irq : ISA_IRQ_COM1);

    if (facts.cpu_count > 1)
        log_warn("%u CPUs in this machine: the guest gets one", facts.cpu_count);
    uart16550_init(vcpu);
    power_init(vcpu);
    apic_init(facts.cpu_count);
    ioapic_init(&facts);
}

static void stop(struct vcpu *vcpu, enum hv_stop_why why)
{
    if (why == HV_STOP_DEAD) {
        if (!hv_debug.attached || !hv_debug.attached())
            crash_print(vcpu);
        else
            log_error("guest is dead: %s", vcpu->dead_why);
    }
    if (!hv_debug.stopped) {
        if (vcpu->dead)
            halt();
        return;
    }
    do
        hv_debug.stopped(vcpu, vcpu->dead ? HV_STOP_DEAD : why);
    while (vcpu->dead); /* attachable for ever; only the debugger revives it */
    line_active();
    if (vcpu->pass_once.valid && vcpu->pass_once.rip != vcpu->regs.rip)
        vcpu->pass_once.valid = false;
}

/* A fault of the hypervisor itself, after it was printed. */
static void hv_faulted(const struct fault_frame *frame, const char *why)
{
    struct vcpu *vcpu = this_cpu()->vcpu;

    if (vcpu && vcpu->ring && this_cpu()->fault_depth <= 1) {
        crash_hv_fault(frame, why);
        vcpu_dead(vcpu, why);
        if (!hv_debug.attached || !hv_debug.attached())
            crash_print(vcpu);
        if (hv_debug.stopped)
            for (;;)
                hv_debug.stopped(vcpu, HV_STOP_HV_FAULT);
    }
    halt();
}

static _Noreturn void run(struct vcpu *vcpu)
{
    struct cpu *cpu = this_cpu();
    bool fresh = true; /* first entry after a stop */

    for (;;) {
        enum hv_verdict verdict;

        if ((fresh || vcpu->single_step) && hv_debug.before_entry)
            hv_debug.before_entry(vcpu);
        fresh = false;
        hv_backend->run(vcpu);
        vcpu->exit_tsc = rdtsc();
        vcpu->exit_count++;
        verdict = exit_dispatch(vcpu);
        if (__builtin_expect(cpu->nmi_seen || vcpu->exit_tsc >= line_next_tsc, 0)) {
            cpu->nmi_seen = 0;
            if (line_poll(vcpu) && verdict == HV_RESUME) {
                verdict = HV_STOP;
                vcpu->stop_why = HV_STOP_BREAK_IN;
            }
        }
        if (__builtin_expect(verdict != HV_RESUME, 0)) {
            stop(vcpu, (enum hv_stop_why)vcpu->stop_why);
            fresh = true;
        }
    }
}

_Noreturn void hv_main(const struct boot_info *info)
{
    static struct hv_options options;
    const char *error = options_parse(info->words.args, &options);
    struct vcpu *vcpu;

    if (error)
        hv_refuse("%s", error);
    fault_hook = hv_faulted;
    enable_xsave();
    choose_backend(options.insist);
    hv_caps.efer_in_area &= !options.efer_in_controls;
    vcpu = make_vcpu(&options);
    if (options.selftest == SELFTEST_ENTRY)
        selftest_entry(vcpu, options.selftest_seed, options.selftest_count);
    load_guest(vcpu, info);
    init_devices(vcpu, info);
    if (dbg_init)
        dbg_init();
    if (options.wait)
        stop(vcpu, HV_STOP_START);
    selftest_run(options.selftest); /* late: so that there is a record and a stub */
    run(vcpu);
}
