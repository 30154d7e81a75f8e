/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The crash record survives its own text, damaged text does no harm, and each picture of a seeded
 * fault gives its verdict. The live cases are tests/cases; these pin the wording and the ranking.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/explain.h"
#include "protocol/explain_make.h"
#include "protocol/tables.h"

#define X_SET(r_, name_, value_) snapshot_set(&(r_)->state, VMCS_ROW_##name_, value_)

static struct crash_record record, parsed;
static struct explanation why;
static unsigned bad, lines;

static void feed(void *ctx, const char *text)
{
    char line[RECORD_LINE_MAX + 64];

    (void)ctx;
    assert_true(strlen(text) <= RECORD_LINE_MAX);
    snprintf(line, sizeof(line), "[   12.345678] tl: %s\r\n", text);
    record_parse_line(&parsed, line, strlen(line), &bad);
    lines++;
}

static void through_text(void)
{
    memset(&parsed, 0, sizeof(parsed));
    bad = lines = 0;
    record_write(&record, feed, NULL);
    assert_true(parsed.complete);
    assert_int_equal(bad, 0);
}

static struct record_ring *exit_of(uint8_t kind, uint64_t rip, uint64_t rcx, uint64_t value)
{
    struct record_ring *e = &record.ring[record.ring_count++];

    *e = (struct record_ring){
        .number = 100u + record.ring_count, .kind = kind, .rip = rip, .rcx = rcx, .value = value};
    return e;
}

/* The seed's machine just after MOV CR0: 32-bit Linux about to enter long mode. */
static void seed_machine(enum record_why reason)
{
    record_clear(&record, false);
    record.why = reason;
    record.efer_in_area = true;
    record.regs_present = true;
    record.exit.kind = TL_KIND_TRIPLE_FAULT;
    record.exit.reason = 2;
    record.rip = 0x1000146;
    record.cr0_real = 0x80000031;
    record.cr0_wrote = record.cr0_read = 0x80000001;
    record.cr4_real = 0x2020;
    record.cr4_wrote = 0x20;
    record.cr3 = 0x23c5000;
    record.hw_efer = 0xd00;
    record.segment[1] = (struct record_segment){0x10, 0xffffffff, 0xc09b, 0};
    record.state.entry_load = (struct snapshot_list){true, 1, {{0xc0000080, 0, 0}}};
    record.walk_gva = 0x1000146;
    record.walk_result = RECORD_WALK_NOT_PRESENT;
    record.walk_count = 1;
    record.walk[0] = (struct record_level){3, false, ~UINT64_C(0), 0};
}

static const char *verdict(void)
{
    explain(&record, &why);
    assert_true(why.count >= 1);
    through_text();
    struct explanation *again = malloc(sizeof(*again));
    explain(&parsed, again);
    /* the log alone says the same as the live machine */
    assert_string_equal(why.item[0].text, again->item[0].text);
    free(again);
    return why.item[0].text;
}

static void verdict_has(const char *part)
{
    const char *text = verdict();

    if (!strstr(text, part))
        fail_msg("verdict is `%s`", text);
}

static void efer_passthru_is_named(void **state)
{
    struct record_ring *read;

    (void)state;
    seed_machine(RECORD_TRIPLE_FAULT);
    read = exit_of(TL_KIND_RDMSR, 0x10000ec, 0xc0000080, 0xd00);
    read->cr0 = 1;
    exit_of(TL_KIND_WRMSR, 0x10000f2, 0xc0000080, 0xd00);
    exit_of(TL_KIND_CR0_WRITE, 0x1000143, 0, 0x80000001);
    exit_of(TL_KIND_TRIPLE_FAULT, 0x1000146, 0, 0);
    verdict_has(
        "EFER.LME was lost: RDMSR/WRMSR reached the hardware MSR, load area entry 0 holds 0");
    assert_int_equal(why.item[0].certainty, EXPLAIN_PROVEN);
}

static void ia32e_ctl_is_named(void **state)
{
    (void)state;
    seed_machine(RECORD_ENTRY_FAILURE);
    record.exit.reason = 0x80000022;
    record.exit.info1 = 1;
    record.exit.kind = TL_KIND_ENTRY_FAILURE;
    record.state.entry_load.entries[0].value = 0x100;
    X_SET(&record, entry_msr_load_count, 1);
    X_SET(&record, entry_controls, 0x11ff);
    X_SET(&record, guest_cr0, 0x80000031);
    X_SET(&record, guest_efer, 0);
    verdict_has("entry 1 is IA32_EFER: LME would change while CR0.PG=1; IA-32e mode guest is 0");
    assert_non_null(strstr(why.item[0].evidence, "0x80000022 qualification 1"));
}

static void cr4_ignore_and_stale_pdptes(void **state)
{
    (void)state;
    seed_machine(RECORD_TRIPLE_FAULT);
    record.cr4_real = 0x2000;
    exit_of(TL_KIND_CR4_WRITE, 0x100, 0, 0x20);
    exit_of(TL_KIND_TRIPLE_FAULT, 0x1000146, 0, 0);
    verdict_has(
        "CR4 bits were lost: the guest wrote CR4 = 0x20, the CPU holds 0x2000; missing: PAE");
    seed_machine(RECORD_TRIPLE_FAULT);
    record.pdptes_present = true;
    record.pdpte_memory[0] = 0x5001;
    for (uint16_t i = 0; i < 4; i++)
        snapshot_set(&record.state, VMCS_ROW_guest_pdpte0 + i, 0);
    verdict_has("PDPTE fields are stale: guest_pdpte0 is 0x0, memory at CR3 says 0x5001");
}

static void register_number_cut(void **state)
{
    static const uint8_t code[] = {0x41, 0x0f, 0x22, 0xc7, 0x90}; /* mov %r15, %cr0 */

    (void)state;
    seed_machine(RECORD_TRIPLE_FAULT);
    record.code_gva = 0x1000142;
    memcpy(record.code, code, sizeof(code));
    record.code_bytes = sizeof(code);
    record.gpr[15] = 0x80000001;
    record.gpr[7] = 0x1234;
    exit_of(TL_KIND_CR0_WRITE, 0x1000142, 0, 0x1234);
    verdict_has("took the value of register 7 instead of r15");
}

static void lost_event_osxsave_msr_fault(void **state)
{
    static const uint8_t xgetbv[] = {0x0f, 0x01, 0xd0};
    struct record_ring *e;

    (void)state;
    seed_machine(RECORD_HANG);
    e = exit_of(TL_KIND_NESTED_PAGE, 0x5000, 0, 0x1000);
    e->event = 0x80000020;
    exit_of(TL_KIND_CPUID, 0x5000, 0, 0);
    verdict_has("an event was lost: delivery of vector 0x20 (interrupt)");
    seed_machine(RECORD_TRIPLE_FAULT);
    record.code_gva = record.rip;
    memcpy(record.code, xgetbv, 3);
    record.code_bytes = 3;
    e = exit_of(TL_KIND_CPUID, 0x5000, 0, 1u << 27);
    e->rax = 1;
    verdict_has("CPUID showed OSXSAVE=1");
    seed_machine(RECORD_HV_FAULT);
    record.fault_vector = 13;
    exit_of(TL_KIND_RDMSR, 0x5000, 0x491, 0);
    verdict_has("the hypervisor took #GP doing the guest's RDMSR of 0x491");
}

static void guest_itself(void **state)
{
    static const uint8_t ud2[] = {0x0f, 0x0b};

    (void)state;
    seed_machine(RECORD_TRIPLE_FAULT);
    record.walk_result = RECORD_WALK_OK;
    record.code_gva = record.rip;
    memcpy(record.code, ud2, 2);
    record.code_bytes = 2;
    verdict_has("triple fault: #UD: the instruction at RIP is UD2, and the IDT is empty");
    seed_machine(RECORD_LIVE);
    record.walk_result = RECORD_WALK_OK;
    verdict_has("the guest is alive");
}

/* A machine stopped by hand while one exit came again and again. */
static void storm(uint8_t kind, unsigned count)
{
    seed_machine(RECORD_LIVE);
    record.walk_result = RECORD_WALK_OK;
    for (unsigned i = 0; i < count; i++)
        exit_of(kind, 0x100200, 7, 0x40000000);
    exit_of(TL_KIND_NMI, 0x100200, 7, 0); /* the break-in itself */
}

static void exit_storm_is_named(void **state)
{
    (void)state;
    storm(TL_KIND_NESTED_PAGE, 16);
    verdict_has("one nested-page exit repeats at RIP 0x100200: what its handler maps does not hold "
                "GPA 0x40000000");
    /* the whole address is known: the cause ranks above the picture */
    storm(TL_KIND_NESTED_PAGE, 16);
    record.state.svm = true;
    for (unsigned i = 0; i < 16; i++)
        record.ring[i].info2 = 0x140000000;
    explain(&record, &why);
    assert_non_null(strstr(why.item[0].text, "was cut to 32 bits: the fault was at 0x140000000"));
    assert_string_equal(why.item[1].id, "exit-storm");
    storm(TL_KIND_EXCEPTION, 14);
    for (unsigned i = 0; i < 14; i++)
        record.ring[i].inject = 0x80000b0e;
    verdict_has("one exception exit repeats at RIP 0x100200: the event injected for it changes");
    storm(TL_KIND_WBINVD, 14);
    verdict_has("one wbinvd exit repeats at RIP 0x100200: its handler neither completes");
}

static void progress_is_no_storm(void **state)
{
    (void)state;
    storm(TL_KIND_NESTED_PAGE, 11); /* too few to say */
    verdict_has("the guest is alive");
    storm(TL_KIND_IO_IN, 16); /* a loop that polls: each IN is completed */
    for (unsigned i = 0; i < 16; i++)
        record.ring[i].changed = 3;
    verdict_has("the guest is alive");
    storm(TL_KIND_NESTED_PAGE, 16); /* different pages */
    for (unsigned i = 0; i < 16; i++)
        record.ring[i].value += i * 4096;
    verdict_has("the guest is alive");
}

/* A 64-bit guest with an empty IDT and this code at RIP. */
static void dead_guest(const char *code, unsigned len_bytes)
{
    seed_machine(RECORD_TRIPLE_FAULT);
    record.walk_result = RECORD_WALK_OK;
    record.walk_count = 0;
    record.efer_real = record.efer_wrote = X_LME | X_LMA;
    record.cr4_real = record.cr4_wrote = X_PAE;
    record.cr0_real = record.cr0_wrote = X_PG | X_PE;
    record.gdtr_limit = 0x1f;
    record.segment[1].rights = 0xa09b; /* L=1 */
    record.code_gva = record.rip;
    memcpy(record.code, code, len_bytes);
    record.code_bytes = (uint8_t)len_bytes;
}

static void touches(enum record_touch_what what, uint64_t gva, enum record_walk result,
                    uint64_t entry)
{
    record.touch[record.touch_count++] = (struct record_touch){
        .what = (uint8_t)what, .gva = gva, .result = (uint8_t)result, .level = 3, .entry = entry};
}

/* VMX names no exception of a triple fault: the instruction and its addresses do. */
static void guest_faults_by_address(void **state)
{
    (void)state;
    dead_guest("\x48\x8b\x03", 3); /* mov (%rbx),%rax */
    touches(RECORD_TOUCH_CR2, 0x40000000, RECORD_WALK_NOT_PRESENT, 0);
    verdict_has("an exception at or before RIP"); /* CR2 may be an old one */
    assert_int_equal(why.item[0].certainty, EXPLAIN_GUESS);
    touches(RECORD_TOUCH_OPERAND, 0x40000000, RECORD_WALK_NOT_PRESENT, 0);
    verdict_has("#PF: the instruction reads 0x40000000, which is not mapped: level 3 entry 0x0");
    assert_int_equal(why.item[0].certainty, EXPLAIN_PROVEN);
    record.exit.event = 0x80000306; /* SVM says #UD: then it was not the address */
    verdict_has("#UD could not be delivered");
    record.exit.event = 0;
    record.touch[1].entry = 0x8000000000000083;
    record.touch[1].result = RECORD_WALK_RESERVED;
    verdict_has("has NX (bit 63) set while EFER.NXE is 0");
    record.touch[1].result = RECORD_WALK_NON_CANONICAL;
    verdict_has("#GP: the instruction reads 0x40000000, which is not canonical");
    record.touch[1].stack = 1;
    verdict_has("#SS: ");
    record.touch[1] = (struct record_touch){.what = RECORD_TOUCH_OPERAND,
                                            .write = 1,
                                            .result = RECORD_WALK_OK,
                                            .level = 1,
                                            .gva = 0x1000};
    record.cr0_real |= X_WP;
    verdict_has("#PF: the instruction writes 0x1000, a read-only page");
    dead_guest("\xff\xe0", 2); /* jmp *%rax */
    touches(RECORD_TOUCH_TARGET, 0x8000000000000000, RECORD_WALK_NON_CANONICAL, 0);
    verdict_has("#GP: the instruction jumps to 0x8000000000000000, which is not canonical");
    dead_guest("", 0);
    record.rip = record.walk_gva = 0x8000000000000000;
    record.walk_result = RECORD_WALK_NON_CANONICAL;
    verdict_has("#GP: RIP 0x8000000000000000 is not canonical");
}

static void guest_faults_by_instruction(void **state)
{
    (void)state;
    dead_guest("\x0f\x22\xc0", 3); /* mov %rax,%cr0 */
    record.gpr[0] = X_PE;
    verdict_has("#GP: MOV to CR0 of 0x1 turns paging off in 64-bit mode");
    record.segment[1].rights = 0xc09b;
    record.cr0_real = record.cr0_wrote = X_PE;
    record.efer_real = X_LME;
    record.cr4_real = record.cr4_wrote = 0;
    record.gpr[0] = X_PG | X_PE;
    exit_of(TL_KIND_WRMSR, 0x10005e, X_MSR_EFER, X_LME);
    verdict_has("turns paging on with EFER.LME=1 and CR4.PAE=0: long mode needs PAE");
    record.efer_real = record.efer_wrote = 0;
    record.cr4_real = record.cr4_wrote = X_PAE;
    record.pdptes_present = true;
    record.pdpte_memory[0] = 0x102003;
    record.ring_count = 0;
    exit_of(TL_KIND_WRMSR, 0x10005e, 0xc0000081, X_LME);
    verdict_has("entry 0 is 0x102003 (LME was written to MSR 0xc0000081 at RIP 0x10005e");
    dead_guest("\x0f\x22\xe0", 3); /* mov %rax,%cr4 */
    snapshot_set_cap(&record.state, SNAPSHOT_CAP_CR4_KNOWN, 0x1ff);
    record.gpr[0] = 0x80000020;
    record.cr4_real = 0;
    exit_of(TL_KIND_CR4_WRITE, record.rip, 0, 0x80000020)->inject = 0x80000b0d;
    verdict_has("#GP: MOV to CR4 of 0x80000020 sets bits that this CPU does not have: 31");
    assert_string_equal(why.item[0].id, "undeliverable"); /* and no "CR4 bits were lost" */
    dead_guest("\x0f\x30", 2);                            /* wrmsr */
    record.gpr[1] = 0xc0000082;
    record.gpr[2] = 0x80000000;
    verdict_has("WRMSR of 0xc0000082 (IA32_LSTAR): 0x8000000000000000 is not canonical");
    record.segment[1].selector = 0x33;
    verdict_has("#GP: a privileged instruction at CPL 3");
    dead_guest("\x0f\x00\xd8", 3); /* ltr %ax */
    record.gpr[0] = 0x28;
    verdict_has("#GP: LTR's selector 0x28 lies outside the GDT (limit 0x1f)");
    dead_guest("\x0f\x10\x00", 3); /* movups (%rax),%xmm0 */
    verdict_has("#UD: an SSE instruction with CR4.OSFXSR=0");
    dead_guest("\x0f\x28\x00", 3); /* movaps */
    record.cr4_real |= X_OSFXSR;
    touches(RECORD_TOUCH_OPERAND, 0x1008, RECORD_WALK_OK, 0);
    verdict_has("#GP: an SSE move that needs 16-byte alignment goes to 0x1008");
    record.touch[0].gva = 0x1000;
    verdict_has("triple fault: an exception at or before RIP");
    dead_guest("\xf7\xf1", 2); /* div %ecx */
    verdict_has("#DE: division by 0");
    record.gpr[1] = UINT64_C(1) << 32; /* ECX is still 0 */
    verdict_has("#DE: division by 0");
    record.gpr[1] = 1;
    verdict_has("triple fault: an exception at or before RIP");
    dead_guest("\x0f\x05", 2);
    verdict_has("#UD: SYSCALL with EFER.SCE=0");
}

static void guest_loads_a_wrong_segment(void **state)
{
    (void)state;
    dead_guest("\xea\x00\x00\x00\x00\x10\x00", 7); /* ljmp $0x10,$0 in 32-bit code */
    record.segment[1].rights = 0xc09b;
    touches(RECORD_TOUCH_DESCRIPTOR, 0x8010, RECORD_WALK_OK, 0x00cf93000000ffff);
    record.touch[0].at = 0x10;
    verdict_has("#GP: the far jump's selector 0x10 is a data segment");
    record.touch[0].entry = 0x00cf1b000000ffff;
    verdict_has("#NP: the far jump's selector 0x10 names a segment that is not present");
    record.touch[0].entry = 0x00cf9b000000ffff; /* nothing is wrong with it */
    verdict_has("an exception at or before RIP");
    memcpy(record.code, "\x8e\xd0", 2); /* mov %eax,%ss */
    verdict_has("#GP: the selector 0x10 is no writable data segment, which SS needs");
    record.touch[0].entry = 0x00cf13000000ffff;
    verdict_has("#SS: the selector 0x10 names a segment that is not present");
    record.exit.event = 0x80000b0d;
    verdict_has("#GP could not be delivered");
}

static void guest_is_interrupted_without_an_idt(void **state)
{
    (void)state;
    dead_guest("\xeb\xfd", 2);
    record.idtr_limit = 0x3ff;
    verdict_has("an exception at or before RIP, and the IDT is still the real-mode table");
    assert_int_equal(why.item[0].certainty, EXPLAIN_GUESS);
    record.rflags = X_IF;
    verdict_has("triple fault: an interrupt (RFLAGS.IF is 1");
    assert_int_equal(why.item[0].certainty, EXPLAIN_LIKELY);
    memcpy(record.code, "\xcd\x10", 2);
    verdict_has("triple fault: INT 0x10 at RIP (a BIOS call?");
    assert_int_equal(why.item[0].certainty, EXPLAIN_PROVEN);
    record.idtr_base = 0x1000;
    record.idtr_limit = 0x7f; /* 64-bit gates: 8 */
    verdict_has("and the IDT limit ends before that vector");
}

/* What kept the exception from its handler. */
static void guest_idt_that_cannot_deliver(void **state)
{
    (void)state;
    dead_guest("\xcc", 1);
    record.idtr_limit = 0xfff;
    record.regs_present = true;
    record.gate[0] = (struct record_gate){3, true, 0, 0};
    record.gate_count = 1;
    verdict_has("#BP: the instruction at RIP is INT3, and its gate is not present");
    record.gate[0].low = UINT64_C(0x8e00) << 32 | 0x00280000;
    verdict_has("and its gate's code selector lies outside the GDT");
    record.gate[0].low = UINT64_C(0x8e00) << 32 | 0x00080000;
    verdict_has("and the stack at RSP, where its frame goes, does not translate");
    record.stack_bytes = 16;
    verdict_has("; its handler faulted too");
    assert_int_equal(why.item[0].certainty, EXPLAIN_LIKELY);
}

static void text_keeps_everything(void **state)
{
    struct record_ring *e;

    (void)state;
    seed_machine(RECORD_HV_FAULT);
    strcpy(record.platform, "bochs");
    strcpy(record.why_text, "no handler for exit 57");
    record.state.link_revision_known = record.state.vtpr_known = true;
    record.state.revision_id = 0x2b;
    record.state.vtpr = 0xf0;
    for (uint16_t row = 0; row < VMCS_ROW_COUNT; row++)
        snapshot_set(&record.state, row, 0xffffffffffff0000u + row);
    for (uint32_t i = 0; i < 20; i++)
        snapshot_set_cap(&record.state, 0x480 + i, i << 20);
    for (unsigned i = 0; i < 16; i++)
        record.gpr[i] = ~(uint64_t)i;
    for (unsigned i = 0; i < RECORD_RING_MAX; i++) {
        e = exit_of(TL_KIND_IO_OUT, i, 2, 3);
        e->changed = 5;
        e->cs = 0x10;
    }
    record.trace_count = 16;
    memset(record.trace, 0xee, sizeof(record.trace));
    record.code_bytes = RECORD_CODE_BYTES;
    memset(record.code, 0x5a, sizeof(record.code));
    strcpy(record.fault_text, "general protection");
    for (unsigned i = 0; i < RECORD_TOUCHES_MAX; i++)
        record.touch[record.touch_count++] = (struct record_touch){
            (uint8_t)(i + 1), 1, 1, 7, RECORD_WALK_RESERVED, 5, ~UINT64_C(0), 0x1000, ~UINT64_C(1)};
    for (unsigned i = 0; i < RECORD_GATES_MAX; i++)
        record.gate[record.gate_count++] = (struct record_gate){(uint8_t)i, true, ~i, i};
    through_text();
    assert_memory_equal(parsed.touch, record.touch, sizeof(record.touch));
    assert_memory_equal(parsed.gate, record.gate, sizeof(record.gate));
    assert_memory_equal(&parsed.state, &record.state, sizeof(record.state));
    assert_memory_equal(parsed.gpr, record.gpr, sizeof(record.gpr));
    assert_memory_equal(parsed.ring, record.ring, sizeof(record.ring));
    assert_memory_equal(parsed.trace, record.trace, sizeof(record.trace));
    assert_memory_equal(parsed.code, record.code, sizeof(record.code));
    assert_memory_equal(parsed.segment, record.segment, sizeof(record.segment));
    assert_string_equal(parsed.platform, "bochs");
    assert_string_equal(parsed.why_text, "no handler for exit 57");
    assert_string_equal(parsed.fault_text, "general protection");
}

static void hostile_text_does_no_harm(void **state)
{
    static const char *const texts[] = {
        "tl: crash begin rev=0x1 vendor=vmx why=triple-fault",
        "tl: exit kind=nonsense reason=0xfffffffffffffffff value=12",
        "tl: vmcs no_such_field=0x1 guest_rip= =0x2 guest_cr0",
        "tl: msr-load entry=0x11 index=0x0 value=0x0",
        "tl: msr-load entry=0x0",
        "tl: seg name=zz base=0x1",
        "tl: code gva=0x1000 "
        "bytes=0011223344556677889900aabbccddeeff00112233445566778899aabbccddeeff"
        "00112233",
        "tl: code gva=zz bytes=00",
        "tl: walk gva=0x1 result=what",
        "tl: hv-text \033[31mred\007",
        "tl: cap 0x480=0x1 0x1ffffffff=0x2",
        "tl: cpu maxphyaddr=0xff linear=0xff",
        "tl:",
        "tl: ",
        "",
        "garbage tl: crash",
        "tl: ring",
        "tl: touch what=operand result=what gva=0x1",
        "tl: touch what=anything result=ok gva=0x1",
        "tl: touch",
    };

    (void)state;
    memset(&parsed, 0, sizeof(parsed));
    bad = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        record_parse_line(&parsed, texts[i], strlen(texts[i]), &bad);
    for (unsigned i = 0; i < 100; i++) {
        record_parse_line(&parsed, "tl: ring n=0x1 kind=cpuid", 25, &bad);
        record_parse_line(&parsed, "tl: walk-level level=0x1", 24, &bad);
        record_parse_line(&parsed, "tl: gate vector=0x1", 19, &bad);
        record_parse_line(&parsed, "tl: touch what=cr2 result=ok", 28, &bad);
        record_parse_line(&parsed, "tl: hv-trace 0x1 0x2 0x3", 24, &bad);
    }
    assert_true(bad > 8);
    assert_int_equal(parsed.ring_count, RECORD_RING_MAX);
    assert_int_equal(parsed.code_bytes, RECORD_CODE_BYTES);
    assert_null(strchr(parsed.fault_text, 033));
    assert_int_equal(parsed.state.maxphyaddr_bits, 52);
    explain(&parsed, &why);
    assert_true(why.count >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(efer_passthru_is_named),
        cmocka_unit_test(ia32e_ctl_is_named),
        cmocka_unit_test(cr4_ignore_and_stale_pdptes),
        cmocka_unit_test(register_number_cut),
        cmocka_unit_test(lost_event_osxsave_msr_fault),
        cmocka_unit_test(guest_itself),
        cmocka_unit_test(guest_faults_by_address),
        cmocka_unit_test(guest_faults_by_instruction),
        cmocka_unit_test(guest_idt_that_cannot_deliver),
        cmocka_unit_test(guest_loads_a_wrong_segment),
        cmocka_unit_test(guest_is_interrupted_without_an_idt),
        cmocka_unit_test(exit_storm_is_named),
        cmocka_unit_test(progress_is_no_storm),
        cmocka_unit_test(text_keeps_everything),
        cmocka_unit_test(hostile_text_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
