/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What happens on an exception or interrupt inside the hypervisor: fix-ups, stray #DB, and the
 * fault report (registers, code, stack, back-trace), after which fault_hook takes over. Also
 * hv_panic(). Assumes as little as possible: reads memory only after walking the page tables for
 * it.
 */
#include "cpu/desc.h"
#include "cpu/mem.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"

enum { TRACE_FRAMES_MAX = 24, CODE_BYTES_BEFORE = 8, CODE_BYTES = 24, STACK_WORDS = 16 };

#define MSR_GS_BASE UINT32_C(0xc0000101)

struct extable_row {
    uint64_t insn, fixup;
};
extern const struct extable_row extable_start[], extable_end[]; /* hv.ld */

void (*fault_hook)(const struct fault_frame *frame, const char *why);

void trap_entry(struct fault_frame *frame); /* called by stubs.S only */

static const char *vector_name(uint64_t vector)
{
    static const char names[32][4] = {
        [X86_DE] = "#DE", [X86_DB] = "#DB", [X86_NMI] = "NMI", [X86_BP] = "#BP", [X86_OF] = "#OF",
        [X86_BR] = "#BR", [X86_UD] = "#UD", [X86_NM] = "#NM",  [X86_DF] = "#DF", [X86_TS] = "#TS",
        [X86_NP] = "#NP", [X86_SS] = "#SS", [X86_GP] = "#GP",  [X86_PF] = "#PF", [X86_MF] = "#MF",
        [X86_AC] = "#AC", [X86_MC] = "#MC", [X86_XM] = "#XM",  [X86_VE] = "#VE", [X86_CP] = "#CP",
        [X86_HV] = "#HV", [X86_VC] = "#VC", [X86_SX] = "#SX",
    };

    return vector < 32 && names[vector][0] ? names[vector] : "interrupt";
}

static bool fixup(struct fault_frame *frame)
{
    if (frame->vector != X86_GP && frame->vector != X86_UD)
        return false;
    for (const struct extable_row *row = extable_start; row < extable_end; row++) {
        if (row->insn == frame->rip) {
            frame->rip = row->fixup;
            return true;
        }
    }
    return false;
}

static void print_code(uint64_t rip)
{
    char text[CODE_BYTES * 5 + 1];
    size_t len = 0;

    for (uint64_t at = rip - CODE_BYTES_BEFORE; at != rip - CODE_BYTES_BEFORE + CODE_BYTES; at++) {
        const char *format = at == rip ? "<%02x> " : "%02x ";

        if (!hv_mapped(at, 1))
            len += fmt_str(text + len, sizeof(text) - len, at == rip ? "<--> " : "-- ");
        else
            len += fmt_str(text + len, sizeof(text) - len, format, *(const uint8_t *)at);
    }
    log_error("  code %s", text);
}

static void print_stack(uint64_t rsp)
{
    for (unsigned i = 0; i < STACK_WORDS; i += 4, rsp += 4 * sizeof(uint64_t)) {
        const uint64_t *word = (const uint64_t *)rsp;

        if ((rsp & 7) || !hv_mapped(rsp, 4 * sizeof(uint64_t)))
            return;
        log_error("  stack %016lx: %016lx %016lx %016lx %016lx", rsp, word[0], word[1], word[2],
                  word[3]);
    }
}

/* Does a call instruction of our text end at `at`? CALL rel32, or FF /2 of 2, 3, 6 or 7 bytes. */
static bool follows_call(uint64_t at)
{
    static const uint8_t indirect_bytes[] = {2, 3, 6, 7};
    const uint8_t *code = (const uint8_t *)at;

    if (at < (uint64_t)image_start + 8 || at > (uint64_t)image_text_end)
        return false;
    if (code[-5] == 0xe8)
        return true;
    for (size_t i = 0; i < sizeof(indirect_bytes); i++)
        if (code[-indirect_bytes[i]] == 0xff && (code[1 - indirect_bytes[i]] >> 3 & 7) == 2)
            return true;
    return false;
}

unsigned fault_trace(uint64_t rip, uint64_t rbp, uint64_t rsp, uint64_t *trace, unsigned max)
{
    uint64_t top = rsp && !(rsp & 7) && hv_mapped(rsp, 8) ? *(const uint64_t *)rsp : 0;
    unsigned count = 0;

    if (count < max && follows_call(top)) {
        trace[count++] = rip;
        rip = top - 1;
    }
    while (count < max) {
        const uint64_t *link = (const uint64_t *)rbp;

        trace[count++] = rip;
        if ((rbp & 7) || !hv_mapped(rbp, 2 * sizeof(uint64_t)))
            break;
        /* A return address lies behind its call; one byte less names the calling line. */
        rip = link[1] - 1;
        if (!hv_mapped(rip, 1) || link[0] <= rbp)
            break;
        rbp = link[0];
    }
    return count;
}

void fault_print_trace(uint64_t rip, uint64_t rbp, uint64_t rsp)
{
    uint64_t trace[TRACE_FRAMES_MAX];
    unsigned count = fault_trace(rip, rbp, rsp, trace, TRACE_FRAMES_MAX);
    char text[TRACE_FRAMES_MAX * 19 + 1] = ""; /* " 0xffffffff80001234" */
    size_t len = 0;

    for (unsigned i = 0; i < count; i++)
        len += fmt_str(text + len, sizeof(text) - len, " 0x%lx", trace[i]);
    log_error("  trace: addr2line -fip -e build/hv/trapline.elf%s", text);
}

static void print_registers(const struct fault_frame *f)
{
    log_error("  rip %016lx rflags %08lx cs %02lx ss %02lx rsp %016lx", f->rip, f->rflags, f->cs,
              f->ss, f->rsp);
    log_error("  rax %016lx rcx %016lx rdx %016lx rbx %016lx", f->rax, f->rcx, f->rdx, f->rbx);
    log_error("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx", f->rsi, f->rdi, f->rbp, f->r8);
    log_error("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx", f->r9, f->r10, f->r11, f->r12);
    log_error("  r13 %016lx r14 %016lx r15 %016lx", f->r13, f->r14, f->r15);
    log_error("  cr0 %lx cr2 %lx cr3 %lx cr4 %lx", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

/* A second fault while the first is being reported: say the least that helps and stand still. */
static _Noreturn void fault_nested(const struct fault_frame *frame)
{
    char line[96];
    size_t len =
        fmt_str(line, sizeof(line), "tl: fault inside the fault path: %s at 0x%lx, halted\n",
                vector_name(frame->vector), frame->rip);

    if (log_sink)
        log_sink(line, len < sizeof(line) ? len : sizeof(line) - 1);
    cpu_halt();
}

static _Noreturn void fault_report(struct cpu *cpu, struct fault_frame *frame)
{
    static char why[96]; /* one CPU at a time gets here; the hook may keep the pointer */

    if (cpu->fault_depth++)
        fault_nested(frame);
    /* This stack stays in use from here on; fix-ups inside the hook need another one. */
    ((struct tss *)cpu->tss_hva)->ist[IST_FAULT] = (uint64_t)&cpu_stacks_of(cpu)->nested_head;
    wrmsr(MSR_GS_BASE, (uint64_t)cpu);

    if (frame->vector == X86_PF)
        fmt_str(why, sizeof(why), "#PF (%s %s, error 0x%lx) at 0x%lx, address 0x%lx",
                frame->error_code & 16  ? "fetch"
                : frame->error_code & 2 ? "write"
                                        : "read",
                frame->error_code & 1 ? "not allowed" : "not mapped", frame->error_code, frame->rip,
                read_cr2());
    else
        fmt_str(why, sizeof(why), "%s (vector %lu, error 0x%lx) at 0x%lx",
                vector_name(frame->vector), frame->vector, frame->error_code, frame->rip);
    log_error("fault in the hypervisor, cpu %u: %s", cpu->id, why);
    print_registers(frame);
    print_code(frame->rip);
    print_stack(frame->rsp);
    fault_print_trace(frame->rip, frame->rbp, frame->rsp);
    if (fault_hook)
        fault_hook(frame, why);
    log_error("halted");
    cpu_halt();
}

void trap_entry(struct fault_frame *frame)
{
    if (frame->vector >= 32) {
        struct cpu *cpu = this_cpu();

        cpu->irq_seen[frame->vector / 64] |= UINT64_C(1) << frame->vector % 64;
        return;
    }

    struct cpu *cpu = ((const struct cpu_stack_head *)(frame + 1))->cpu;

    if (frame->vector == X86_DB) {
        /* Two emulators leave a guest's breakpoint or trap pending over the exit; the hypervisor
         * sets none for itself. */
        write_dr7(DR7_RESET);
        write_dr6(DR6_RESET);
        frame->rflags &= ~RFLAGS_TF;
        cpu->db_seen++;
        return;
    }
    if (fixup(frame))
        return;
    fault_report(cpu, frame);
}

void hv_panic(const char *format, ...)
{
    static char why[256];
    struct fault_frame frame = {
        .vector = FAULT_PANIC, .cs = SEL_CODE64, .ss = SEL_DATA, .rflags = read_rflags()};
    struct cpu *cpu = &cpu_bsp;
    va_list args;

    cli();
    va_start(args, format);
    fmt_vstr(why, sizeof(why), format, args);
    va_end(args);
    frame.rip = (uint64_t)__builtin_return_address(0) - 1;
    frame.rbp = *(const uint64_t *)__builtin_frame_address(0);
    frame.rsp = (uint64_t)__builtin_frame_address(0) + 2 * sizeof(uint64_t);
    log_error("panic: %s", why);
    fault_print_trace(frame.rip, frame.rbp, 0);
    /* GS base is ours wherever C runs, except before cpu_init_bsp(), when there is no hook either.
     */
    if (fault_hook)
        cpu = this_cpu();
    if (cpu->fault_depth++ == 0 && fault_hook)
        fault_hook(&frame, why);
    log_error("halted");
    cpu_halt();
}

void hv_refuse(const char *format, ...)
{
    char why[384];
    va_list args;

    va_start(args, format);
    fmt_vstr(why, sizeof(why), format, args);
    va_end(args);
    log_error("cannot start: %s", why);
    cpu_halt();
}
