/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: the arguments of the tl.* packets about the machine (target_tl.c, target_state.c,
 * target_memory.c, target_object.c, target_stats.c), which the stub hands on as they came from the wire. The vCPU behind them is ours: the
 * first byte chooses vendor and state, then come NAME:ARGUMENTS items. Answers stay inside their buffers,
 * and a record asked about is not damaged by the question.
 */
#include <stdlib.h>
#include <string.h>

#include "core/audit.h"
#include "core/backend.h"
#include "core/crash.h"
#include "core/exit_msr.h"
#include "core/exit_stats.h"
#include "core/guest_mem.h"
#include "core/nested.h"
#include "core/ring.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "dbg/target_impl.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

#define ITEM_END     0xff
#define RING_RECORDS 32u
#define RAM_GPA      0x1000u
#define RAM_END_GPA  0x9000u

struct hv_caps hv_caps;
struct hv_range hv_range = {0x10000000, 0x2000000};
uint64_t hv_phys_limit_hpa = UINT64_C(1) << 32, tsc_khz = 1000000;
const struct hv_backend *hv_backend;
bool target_stage_after;

static struct vcpu vcpu;
static bool svm;

/* ---- the machine behind the packets ---- */

void *pages_alloc(size_t count_pages)
{
    return calloc(count_pages, PAGE_BYTES);
}

int rdmsr_safe(uint32_t index, uint64_t *value)
{
    *value = index * UINT64_C(0x100000001);
    return index & 1 ? -1 : 0;
}

struct vcpu *target_vcpu(unsigned cpu)
{
    (void)cpu;
    return &vcpu;
}

enum tl_vendor target_vendor(void)
{
    return svm ? TL_SVM : TL_VMX;
}

enum tl_cpu_mode target_mode(struct vcpu *v)
{
    return (enum tl_cpu_mode)(v->regs.rip & 3);
}

bool guest_is_ram(uint64_t gpa, uint64_t len_bytes)
{
    return gpa >= RAM_GPA && gpa < RAM_END_GPA && len_bytes <= RAM_END_GPA - gpa;
}

/* Is every byte of it one that the hypervisor may read for qtl.own? */
static void check_own(uint64_t hva, size_t len_bytes)
{
    uint64_t hpa =
        hva >= HV_LINK_BASE ? hv_range.base_hpa + (hva - HV_LINK_BASE) : hva - HV_DIRECT_MAP;

    MUST(len_bytes && hpa + len_bytes > hpa);
    MUST(guest_is_ram(hpa, len_bytes) ||
         (hpa >= hv_range.base_hpa && hpa + len_bytes <= hv_range.base_hpa + hv_range.size_bytes));
}

void __real_reply_hex(struct reply *reply, const void *bytes, size_t len_bytes);
void __wrap_reply_hex(struct reply *reply, const void *bytes, size_t len_bytes);

/* Linker's --wrap: the hypervisor's addresses are looked at, not read. */
void __wrap_reply_hex(struct reply *reply, const void *bytes, size_t len_bytes)
{
    static const uint8_t nothing[REPLY_CAP_BYTES];

    if ((uintptr_t)bytes >= HV_DIRECT_MAP) {
        check_own((uintptr_t)bytes, len_bytes);
        MUST(len_bytes <= sizeof(nothing));
        bytes = nothing;
    }
    __real_reply_hex(reply, bytes, len_bytes);
}

size_t guest_fetch(struct vcpu *v, uint8_t *buf, size_t len_bytes)
{
    (void)v;
    memset(buf, 0x90, len_bytes);
    return len_bytes;
}

struct guest_walk guest_translate(struct vcpu *v, uint64_t gva)
{
    struct guest_walk walk = {.gva = gva, .gpa = gva & 0xffffffff, .level_count = gva & 7u};

    (void)v;
    walk.result = (enum walk_result)(gva % (WALK_BAD_TABLE + 1));
    walk.paging = (enum guest_paging)(gva / 8 % (GUEST_PAGING_5 + 1));
    walk.level_count = walk.level_count > 5 ? 5 : walk.level_count;
    return walk;
}

struct nested_path nested_walk(uint64_t gpa)
{
    return (struct nested_path){.level_count = gpa & 3, .present = gpa & 4, .rights = gpa & 7};
}

uint8_t exit_msr_needs(uint32_t index)
{
    return index & 3;
}

bool exit_msr_read(struct vcpu *v, uint32_t index, uint64_t *value)
{
    (void)v;
    *value = index;
    return !(index & 4);
}

bool exit_msr_write(struct vcpu *v, uint32_t index, uint64_t value)
{
    (void)v;
    return index ^ value;
}

bool vcpu_advance(struct vcpu *v)
{
    v->regs.rip += 2;
    return v->regs.rip & 4;
}

static struct crash_record record;

struct crash_record *crash_collect(struct vcpu *v, const struct explanation **why)
{
    static struct explanation explanation;

    (void)v;
    record_clear(&record, svm);
    for (uint16_t i = 0; i < 40; i++)
        snapshot_set(&record.state, i, i * UINT64_C(0x123456789));
    explain(&record, &explanation);
    *why = &explanation;
    return &record;
}

void crash_render(struct vcpu *v, crash_line_fn line, void *context)
{
    /* Now and then more than the object holds; always would be slow. */
    for (unsigned i = 0; i < (v->regs.rip % 16 ? 40u : 3000u); i++)
        line(context, "tl: f 0x0=0x1 0x2=0x3", 21);
}

bool audit_render(struct vcpu *v, const char *name, size_t name_len, crash_line_fn line,
                  void *context)
{
    volatile char sink = 0;

    (void)v;
    for (size_t i = 0; i < name_len; i++)
        sink ^= name[i];
    (void)sink;
    line(context, "audit", 5);
    return name_len == 5;
}

static uint64_t get(struct vcpu *v, enum hv_state what)
{
    (void)v;
    return (uint64_t)what * 0x1001;
}

static struct hv_segment get_segment(struct vcpu *v, enum hv_seg seg)
{
    (void)v;
    return (struct hv_segment){.selector = (uint16_t)(seg * 8)};
}

static int msr_area(struct vcpu *v, struct hv_msr_entry *entries, int max)
{
    (void)v;
    for (int i = 0; i < 3 && i < max; i++)
        entries[i] = (struct hv_msr_entry){.index = 0xc0000080u + (unsigned)i, .value = 0x500};
    return 3;
}

static int msr_area_set(struct vcpu *v, uint32_t index, uint64_t value)
{
    (void)v, (void)value;
    return index == 0xc0000080 ? 0 : -1;
}

/* A field that the tables do not hold must never be asked for. */
static void check_field(uint32_t number)
{
    MUST(tl_field_by_number(target_vendor(), number));
}

static int field_read(struct vcpu *v, uint32_t field, uint64_t *value)
{
    (void)v;
    check_field(field);
    *value = field;
    return field % 7 == 6 ? -1 : 0;
}

static int field_write(struct vcpu *v, uint32_t field, uint64_t value)
{
    (void)v;
    check_field(field);
    return value & 1 ? -1 : 0;
}

static const struct hv_backend backend = {
    .name = "fuzz",
    .get = get,
    .get_segment = get_segment,
    .msr_area = msr_area,
    .msr_area_set = msr_area_set,
    .field_read = field_read,
    .field_write = field_write,
};

/* ---- the items ---- */

static void ask(enum tl_packet packet, const char *args, size_t len_bytes)
{
    static struct reply reply;
    static char object[4096];
    int rc;

    if (tl_packets[packet].kind == TL_PACKET_X) {
        rc = target_object(NULL, 0, packet, args, len_bytes, object, sizeof(object));
        MUST(rc <= (int)sizeof(object));
        return;
    }
    reply_reset(&reply);
    rc = target_query(NULL, 0, packet, args, len_bytes, &reply);
    MUST(rc <= 0 && reply.len_bytes <= sizeof(reply.bytes));
    MUST(vcpu.inject.vector <= 31 || vcpu.inject.type != HV_EVENT_HW_EXCEPTION);
}

static void one_item(const uint8_t *item, size_t len_bytes)
{
    const uint8_t *colon = memchr(item, ':', len_bytes);
    size_t name_bytes = colon ? (size_t)(colon - item) : len_bytes;
    char *args = malloc(len_bytes - name_bytes + 1); /* a byte too many is seen */

    /* Stub and target see args behind the colon, without a 0 at the end. */
    len_bytes -= name_bytes + (colon != NULL);
    args = realloc(args, len_bytes + !len_bytes);
    memcpy(args, item + name_bytes + (colon != NULL), len_bytes);
    for (int kind = TL_PACKET_Q; kind <= TL_PACKET_X; kind++) {
        int packet = tl_packet_by_name((enum tl_packet_kind)kind, (const char *)item, name_bytes);

        if (packet >= 0)
            ask((enum tl_packet)packet, args, len_bytes);
    }
    free(args);
}

static void start(uint8_t choice)
{
    struct exit_ring *ring = vcpu.ring;
    struct exit_stats *stats = vcpu.stats;

    svm = choice & 1;
    hv_backend = &backend;
    hv_caps = (struct hv_caps){.vendor = svm ? "svm" : "vmx",
                               .platform = "fuzz",
                               .mtf = choice & 2,
                               .nrip = choice & 4,
                               .efer_in_area = choice & 2,
                               .maxphyaddr_bits = 40};
    memset(&vcpu, 0, sizeof(vcpu));
    vcpu.ring = ring;
    vcpu.stats = stats;
    if (!ring)
        MUST(!ring_init(&vcpu, RING_RECORDS) && !exit_stats_init(&vcpu));
    memset(vcpu.ring->record, 0, RING_RECORDS * sizeof(vcpu.ring->record[0]));
    vcpu.ring->count = 0;
    vcpu.regs.rip = choice;
    vcpu.pass_once.valid = choice & 8;
    for (unsigned i = 0; i < (choice >> 4) * 5u;
         i++) { /* 0 to 75: none, some, more than it keeps */
        vcpu.exit.kind = (enum hv_exit_kind)(1 + i % 20);
        vcpu.exit_count++;
        ring_begin(&vcpu);
        ring_end(&vcpu, HV_RESUME);
        if (ring && vcpu.ring->count < 4)
            exit_stats_count(&vcpu, vcpu.exit.kind, 8, 0x1000 + i, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *at = data + 1, *end = data + size;

    if (size < 2)
        return 0;
    start(data[0]);
    while (at < end) {
        const uint8_t *stop = memchr(at, ITEM_END, (size_t)(end - at));

        stop = stop ? stop : end;
        one_item(at, (size_t)(stop - at));
        at = stop < end ? stop + 1 : end;
    }
    return 0;
}
