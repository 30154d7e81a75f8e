/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads and writes the guest's memory through the direct map, page by page, after asking the RAM
 * map whether there is memory of the guest at all. The walk itself is walk.c's.
 */
#include "core/guest_mem.h"

#include "core/backend.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/mem.h"

#define PF_PRESENT  (1u << 0)
#define PF_WRITE    (1u << 1)
#define PF_USER     (1u << 2)
#define PF_RESERVED (1u << 3)
#define PF_FETCH    (1u << 4)

/* The first MiB holds video memory and the BIOS: harmless to read, and real-mode guests run there.
 */
#define LOW_MEMORY_BYTES (UINT64_C(1) << 20)

#define RAM_RANGES_MAX 128

/* Filled once at start-up by guest_ram_add(). */
static struct {
    uint64_t base_gpa, end_gpa;
} ram[RAM_RANGES_MAX];
static unsigned ram_count;
static bool page_1g;

void guest_ram_add(uint64_t base_gpa, uint64_t size_bytes)
{
    page_1g = cpuid(0x80000001, 0).edx >> 26 & 1;
    if (!size_bytes || base_gpa + size_bytes < base_gpa)
        return;
    /* Regions that touch become one, so that an access across the border is one lookup. */
    if (ram_count && ram[ram_count - 1].end_gpa == base_gpa)
        ram[ram_count - 1].end_gpa += size_bytes;
    else if (ram_count < RAM_RANGES_MAX) {
        ram[ram_count].base_gpa = base_gpa;
        ram[ram_count++].end_gpa = base_gpa + size_bytes;
    }
}

/* Bytes of guest memory from gpa on, at most len_bytes. */
static uint64_t ram_run(uint64_t gpa, uint64_t len_bytes)
{
    uint64_t hv_end = hv_range.base_hpa + hv_range.size_bytes, run = 0;

    if (gpa >= hv_range.base_hpa && gpa < hv_end)
        return 0;
    if (gpa < LOW_MEMORY_BYTES)
        run = LOW_MEMORY_BYTES - gpa;
    for (unsigned i = 0; i < ram_count; i++)
        if (gpa >= ram[i].base_gpa && gpa < ram[i].end_gpa && ram[i].end_gpa - gpa > run)
            run = ram[i].end_gpa - gpa;
    if (gpa < hv_range.base_hpa && run > hv_range.base_hpa - gpa)
        run = hv_range.base_hpa - gpa;
    if (gpa >= hv_phys_limit_hpa)
        return 0;
    if (run > hv_phys_limit_hpa - gpa)
        run = hv_phys_limit_hpa - gpa;
    return run < len_bytes ? run : len_bytes;
}

bool guest_is_ram(uint64_t gpa, uint64_t len_bytes)
{
    return ram_run(gpa, len_bytes) == len_bytes;
}

size_t guest_read_gpa(uint64_t gpa, void *buf, size_t len_bytes)
{
    size_t done_bytes = 0;

    while (done_bytes < len_bytes) {
        uint64_t run = ram_run(gpa + done_bytes, len_bytes - done_bytes);

        if (!run)
            break;
        memcpy((uint8_t *)buf + done_bytes, phys_to_virt(gpa + done_bytes), run);
        done_bytes += run;
    }
    return done_bytes;
}

size_t guest_write_gpa(uint64_t gpa, const void *buf, size_t len_bytes)
{
    size_t done_bytes = 0;

    while (done_bytes < len_bytes) {
        uint64_t run = ram_run(gpa + done_bytes, len_bytes - done_bytes);

        if (!run)
            break;
        memcpy(phys_to_virt(gpa + done_bytes), (const uint8_t *)buf + done_bytes, run);
        done_bytes += run;
    }
    return done_bytes;
}

static bool read_table(void *context, uint64_t gpa, void *buf, size_t len_bytes)
{
    (void)context;
    return guest_read_gpa(gpa, buf, len_bytes) == len_bytes;
}

struct walk_regs guest_walk_regs(struct vcpu *vcpu)
{
    struct walk_regs regs = {
        .cr0 = vcpu->cr0_wrote,
        .cr3 = hv_backend->get(vcpu, HV_ST_CR3),
        .cr4 = hv_backend->get(vcpu, HV_ST_CR4),
        .efer = vcpu->efer_wrote,
        .maxphyaddr_bits = hv_caps.maxphyaddr_bits,
        .page_1g = page_1g,
        /* QEMU's TCG does, under SVM. Where a guest set it itself, the CPU has already refused. */
        .pdpte_a_set = !hv_caps.pending_debug,
    };

    if (hv_caps.pending_debug && walk_paging(&regs) == GUEST_PAGING_PAE) {
        regs.pdpte_valid = true; /* VMX keeps them; SVM reads memory at each walk */
        for (unsigned i = 0; i < 4; i++)
            regs.pdpte[i] = hv_backend->get(vcpu, (enum hv_state)(HV_ST_PDPTE0 + i));
    }
    return regs;
}

struct guest_walk guest_translate(struct vcpu *vcpu, uint64_t gva)
{
    struct walk_regs regs = guest_walk_regs(vcpu);

    return walk_guest(&regs, gva, read_table, NULL);
}

static size_t copy_gva(struct vcpu *vcpu, uint64_t gva, void *buf, size_t len_bytes, bool write)
{
    struct walk_regs regs = guest_walk_regs(vcpu);
    size_t done_bytes = 0;

    while (done_bytes < len_bytes) {
        uint64_t at_gva = gva + done_bytes;
        struct guest_walk walk = walk_guest(&regs, at_gva, read_table, NULL);
        size_t chunk = PAGE_BYTES - (at_gva & (PAGE_BYTES - 1)), got;
        uint8_t *part = (uint8_t *)buf + done_bytes;

        if (walk.result != WALK_OK)
            break;
        if (chunk > len_bytes - done_bytes)
            chunk = len_bytes - done_bytes;
        got =
            write ? guest_write_gpa(walk.gpa, part, chunk) : guest_read_gpa(walk.gpa, part, chunk);
        done_bytes += got;
        if (got < chunk)
            break;
    }
    return done_bytes;
}

/*
 * Conditions read the same few words at each hit, and a walk costs a thousand instructions. The walk's
 * entries are compared instead of walked: no change of the tables can be missed, flushed or not.
 */
static const uint8_t *page_kept(struct vcpu *vcpu, uint64_t gva)
{
    if (!vcpu->kept_walk.page || vcpu->kept_walk.page_gva != (gva & ~(uint64_t)(PAGE_BYTES - 1)) ||
        vcpu->kept_walk.cr0 != vcpu->cr0_wrote || vcpu->kept_walk.efer != vcpu->efer_wrote ||
        vcpu->kept_walk.cr3 != hv_backend->get(vcpu, HV_ST_CR3) ||
        vcpu->kept_walk.cr4 != hv_backend->get(vcpu, HV_ST_CR4))
        return NULL;
    for (unsigned i = 0; i < vcpu->kept_walk.levels; i++) {
        const void *at = vcpu->kept_walk.at[i];
        uint64_t now = vcpu->kept_walk.entry_bytes == 8 ? *(const volatile uint64_t *)at
                                                        : *(const volatile uint32_t *)at;

        if (now != vcpu->kept_walk.entry[i])
            return NULL;
    }
    return vcpu->kept_walk.page;
}

static void keep_page(struct vcpu *vcpu, uint64_t gva)
{
    struct walk_regs regs = guest_walk_regs(vcpu);
    struct guest_walk walk = walk_guest(&regs, gva, read_table, NULL);
    uint64_t page_gpa = walk.gpa & ~(uint64_t)(PAGE_BYTES - 1);

    vcpu->kept_walk.page = NULL;
    if (walk.result != WALK_OK || regs.pdpte_valid || !guest_is_ram(page_gpa, PAGE_BYTES))
        return; /* PDPTEs that the CPU holds are no memory to compare */
    vcpu->kept_walk.cr0 = regs.cr0;
    vcpu->kept_walk.cr3 = regs.cr3;
    vcpu->kept_walk.cr4 = regs.cr4;
    vcpu->kept_walk.efer = regs.efer;
    vcpu->kept_walk.levels = walk.level_count;
    for (unsigned i = 0; i < walk.level_count; i++) {
        vcpu->kept_walk.at[i] = phys_to_virt(walk.level[i].entry_gpa);
        vcpu->kept_walk.entry[i] = walk.level[i].entry;
        vcpu->kept_walk.entry_bytes = walk.level[i].entry_bytes;
    }
    vcpu->kept_walk.page_gva = gva & ~(uint64_t)(PAGE_BYTES - 1);
    vcpu->kept_walk.page = phys_to_virt(page_gpa);
}

size_t guest_read_gva(struct vcpu *vcpu, uint64_t gva, void *buf, size_t len_bytes)
{
    uint64_t offset = gva & (PAGE_BYTES - 1);
    const uint8_t *page;

    if (len_bytes > 8 || offset + len_bytes > PAGE_BYTES)
        return copy_gva(vcpu, gva, buf, len_bytes, false);
    page = page_kept(vcpu, gva);
    if (!page) {
        keep_page(vcpu, gva);
        return copy_gva(vcpu, gva, buf, len_bytes, false);
    }
    memcpy(buf, page + offset, len_bytes);
    return len_bytes;
}

size_t guest_write_gva(struct vcpu *vcpu, uint64_t gva, const void *buf, size_t len_bytes)
{
    return copy_gva(vcpu, gva, (void *)(uintptr_t)buf, len_bytes, true);
}

/* Would this access fault? Returns the #PF error code in *error_code then. */
static bool refused(struct vcpu *vcpu, const struct guest_walk *walk, uint8_t access,
                    uint32_t *error_code)
{
    bool user = vcpu_cpl(vcpu) == 3, bad;

    *error_code = (user ? PF_USER : 0) | (access & HV_WRITE ? PF_WRITE : 0) |
                  (access & HV_EXEC && vcpu->efer_wrote & EFER_NXE ? PF_FETCH : 0);
    if (walk->result != WALK_OK) {
        if (walk->result == WALK_RESERVED)
            *error_code |= PF_PRESENT | PF_RESERVED;
        return true;
    }
    bad = (user && !walk->user) || (access & HV_EXEC && !walk->execute) ||
          (access & HV_WRITE && !walk->writable && (user || vcpu->cr0_wrote & CR0_WP));
    *error_code |= PF_PRESENT;
    return bad;
}

/* Segment base plus offset wraps; in a long mode guest the walk does not. */
static uint64_t wrapped(struct vcpu *vcpu, uint64_t gva)
{
    return vcpu_code_bits(vcpu) == 64 ? gva : (uint32_t)gva;
}

bool guest_allows(struct vcpu *vcpu, uint64_t gva, size_t len_bytes, uint8_t access,
                  struct guest_fault *fault)
{
    size_t asked_bytes = 0;

    *fault = (struct guest_fault){0};
    gva = wrapped(vcpu, gva);
    while (asked_bytes < len_bytes) { /* bytes done are counted, since the address may wrap */
        uint64_t at_gva = gva + asked_bytes;
        struct guest_walk walk = guest_translate(vcpu, at_gva);
        size_t chunk = PAGE_BYTES - (at_gva & (PAGE_BYTES - 1));

        if (chunk > len_bytes - asked_bytes)
            chunk = len_bytes - asked_bytes;
        fault->gva = at_gva;
        fault->non_canonical = walk.result == WALK_NON_CANONICAL;
        if (refused(vcpu, &walk, access, &fault->error_code))
            return false;
        if (!guest_is_ram(walk.gpa, chunk)) {
            fault->not_ram = true;
            return false;
        }
        asked_bytes += chunk;
    }
    return true;
}

bool guest_access(struct vcpu *vcpu, uint64_t gva, void *buf, size_t len_bytes, uint8_t access,
                  struct guest_fault *fault)
{
    /* First the question for every page, then the copy: all or nothing. */
    return guest_allows(vcpu, gva, len_bytes, access, fault) &&
           copy_gva(vcpu, wrapped(vcpu, gva), buf, len_bytes, access & HV_WRITE) == len_bytes;
}

size_t guest_fetch(struct vcpu *vcpu, uint8_t *buf, size_t len_bytes)
{
    uint64_t gva = guest_segment_base(vcpu, HV_CS) + vcpu->regs.rip;

    return guest_read_gva(vcpu, gva, buf, len_bytes);
}

uint64_t guest_segment_base(struct vcpu *vcpu, uint8_t seg)
{
    if (vcpu_code_bits(vcpu) == 64 && seg != HV_FS && seg != HV_GS)
        return 0;
    return hv_backend->get_segment(vcpu, (enum hv_seg)seg).base;
}

enum hv_verdict guest_access_failed(struct vcpu *vcpu, const struct guest_fault *fault)
{
    if (fault->not_ram)
        return vcpu_dead(vcpu, "an emulated instruction uses memory that is no RAM of the guest");
    if (fault->non_canonical) {
        vcpu_inject_gp(vcpu);
        return HV_RESUME;
    }
    vcpu_inject_pf(vcpu, fault->gva, fault->error_code);
    return HV_RESUME;
}
