/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guest writes of CR0, CR3 and CR4: what the CPU would refuse is #GP with nothing changed; what it
 * takes reaches the backend with EFER.LMA and the PDPTEs in step. Backend and memory are fakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/backend.h"
#include "core/exit_cr.h"
#include "core/exit_handlers.h"
#include "core/guest_mem.h"
#include "core/insn.h"
#include "core/seeded.h"
#include "cpu/x86.h"
#include "lib/log.h"

#define CS_LONG   (1u << 13)
#define PDPTS_GPA 0x1000u

static struct vcpu vcpu;
static uint64_t state[HV_STATE_COUNT], pdpt[4];
static uint32_t cs_rights, tr_rights;
static bool gp, done;
static unsigned writes; /* calls that change the guest's registers */

uint64_t seeded_mask;
struct hv_caps hv_caps = {.maxphyaddr_bits = 40};

static uint64_t fake_get(struct vcpu *v, enum hv_state what)
{
    (void)v;
    return state[what];
}

static void fake_set(struct vcpu *v, enum hv_state what, uint64_t value)
{
    (void)v;
    writes++;
    state[what] = value;
}

static struct hv_segment fake_segment(struct vcpu *v, enum hv_seg seg)
{
    (void)v;
    return (struct hv_segment){.rights = seg == HV_TR ? tr_rights : cs_rights};
}

static void fake_set_cr(struct vcpu *v, uint8_t index, uint64_t real, uint64_t read)
{
    (void)v;
    (void)read;
    writes++;
    state[index == 0 ? HV_ST_CR0 : HV_ST_CR4] = real;
}

static void fake_set_efer(struct vcpu *v, uint64_t real)
{
    (void)v;
    writes++;
    state[HV_ST_EFER] = real;
}

static void fake_flush(struct vcpu *v)
{
    (void)v;
}

static const struct hv_backend fake = {
    .get = fake_get,
    .set = fake_set,
    .get_segment = fake_segment,
    .set_cr = fake_set_cr,
    .set_efer = fake_set_efer,
    .nested_flush = fake_flush,
};
const struct hv_backend *hv_backend = &fake;

enum hv_verdict exit_done(struct vcpu *v)
{
    (void)v;
    done = true;
    return HV_RESUME;
}

enum hv_verdict exit_gp(struct vcpu *v)
{
    (void)v;
    gp = true;
    return HV_RESUME;
}

enum hv_verdict vcpu_dead(struct vcpu *v, const char *why)
{
    (void)v;
    (void)why;
    return HV_DEAD;
}

struct walk_regs guest_walk_regs(struct vcpu *v)
{
    return (struct walk_regs){.cr0 = v->cr0_wrote,
                              .cr3 = state[HV_ST_CR3],
                              .cr4 = v->cr4_wrote,
                              .efer = v->efer_wrote,
                              .maxphyaddr_bits = 40};
}

size_t guest_read_gpa(uint64_t gpa, void *buf, size_t len_bytes)
{
    if (gpa < PDPTS_GPA || gpa - PDPTS_GPA > sizeof pdpt - len_bytes)
        return 0;
    memcpy(buf, (uint8_t *)pdpt + (gpa - PDPTS_GPA), len_bytes);
    return len_bytes;
}

/* SMSW's memory form is not the subject here. */
uint64_t guest_segment_base(struct vcpu *v, uint8_t seg)
{
    (void)v;
    return seg;
}

bool guest_access(struct vcpu *v, uint64_t gva, void *buf, size_t len_bytes, uint8_t access,
                  struct guest_fault *fault)
{
    (void)v, (void)gva, (void)buf, (void)len_bytes, (void)access, (void)fault;
    return false;
}

enum hv_verdict guest_access_failed(struct vcpu *v, const struct guest_fault *fault)
{
    (void)fault;
    return vcpu_dead(v, NULL);
}

struct insn vcpu_decode(struct vcpu *v)
{
    (void)v;
    return (struct insn){.status = INSN_UNDEFINED};
}

uint8_t vcpu_code_bits(struct vcpu *v)
{
    (void)v;
    return 32;
}

void log_line(enum log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

static int setup(void **unused)
{
    (void)unused;
    memset(&vcpu, 0, sizeof vcpu);
    memset(state, 0, sizeof state);
    memset(pdpt, 0, sizeof pdpt);
    cs_rights = 0;
    seeded_mask = 0;
    vcpu.cr0_wrote = CR0_PE | CR0_ET;
    exit_cr_init();
    return 0;
}

/* One write by the guest; true when the guest gets #GP, and then nothing may have changed. */
static bool refused(uint8_t index, uint64_t old, uint64_t value)
{
    struct vcpu before;

    vcpu.exit.kind = index == 0 ? HV_EXIT_CR0_WRITE : HV_EXIT_CR4_WRITE;
    vcpu.exit.cr.index = index;
    vcpu.exit.cr.access = HV_WRITE;
    vcpu.exit.cr.old = old;
    vcpu.exit.cr.value = value;
    gp = done = false;
    writes = 0;
    before = vcpu;
    assert_int_equal(exit_cr_write(&vcpu), HV_RESUME);
    assert_true(gp != done);
    if (gp) {
        assert_int_equal(writes, 0);
        assert_int_equal(vcpu.cr0_wrote, before.cr0_wrote);
        assert_int_equal(vcpu.cr4_wrote, before.cr4_wrote);
        assert_int_equal(vcpu.efer_wrote, before.efer_wrote);
    }
    return gp;
}

static bool cr0_refused(uint64_t value)
{
    return refused(0, vcpu.cr0_wrote, value);
}

static bool cr4_refused(uint64_t value)
{
    return refused(4, vcpu.cr4_wrote, value);
}

static void test_cr0_combinations(void **unused)
{
    (void)unused;
    assert_true(cr0_refused(CR0_PG));                     /* PG without PE */
    assert_true(cr0_refused(CR0_PE | CR0_NW));            /* NW without CD */
    assert_true(cr0_refused(CR0_PE | UINT64_C(1) << 32)); /* upper half */
    assert_false(cr0_refused(CR0_PE | CR0_CD | CR0_NW));
    assert_int_equal(vcpu.cr0_wrote, CR0_PE | CR0_ET | CR0_CD | CR0_NW);
    assert_int_equal(state[HV_ST_CR0] & (CR0_CD | CR0_NW), 0); /* the caches stay on */
    assert_false(cr0_refused(CR0_PE | 1u << 9));               /* reserved, but ignored */
    assert_int_equal(vcpu.cr0_wrote, CR0_PE | CR0_ET);
}

static void test_long_mode_comes_and_goes(void **unused)
{
    (void)unused;
    vcpu.efer_wrote = EFER_LME;
    assert_true(cr0_refused(CR0_PE | CR0_PG)); /* LME without PAE */
    vcpu.cr4_wrote = CR4_PAE;
    cs_rights = CS_LONG;
    assert_true(cr0_refused(CR0_PE | CR0_PG)); /* CS.L already set */
    cs_rights = 0;
    hv_caps.pending_debug = true; /* VMX: its entry would fail */
    tr_rights = 0x83;
    assert_true(cr0_refused(CR0_PE | CR0_PG)); /* TR holds a 16-bit TSS */
    tr_rights = 0x8b;
    assert_false(cr0_refused(CR0_PE | CR0_PG));
    hv_caps.pending_debug = false;
    assert_int_equal(vcpu.efer_wrote, EFER_LME | EFER_LMA);
    assert_int_equal(state[HV_ST_EFER], EFER_LME | EFER_LMA);

    assert_true(cr4_refused(0));                  /* clears PAE in long mode */
    assert_true(cr4_refused(CR4_PAE | CR4_LA57)); /* changes the number of levels */
    cs_rights = CS_LONG;
    assert_true(cr0_refused(CR0_PE)); /* 64-bit code cannot turn paging off */
    cs_rights = 0;
    vcpu.cr4_wrote |= CR4_PCIDE;
    assert_true(cr0_refused(CR0_PE)); /* nor can anybody with PCIDs */
    vcpu.cr4_wrote &= ~CR4_PCIDE;
    assert_false(cr0_refused(CR0_PE));
    assert_int_equal(vcpu.efer_wrote, EFER_LME);
    assert_int_equal(state[HV_ST_EFER], EFER_LME);
}

static void test_pae_loads_pdptes(void **unused)
{
    (void)unused;
    vcpu.cr4_wrote = CR4_PAE;
    state[HV_ST_CR3] = PDPTS_GPA;
    pdpt[2] = 0x5000 | PTE_P;
    pdpt[3] = PTE_P | PTE_W; /* reserved bit */
    assert_true(cr0_refused(CR0_PE | CR0_PG));
    pdpt[3] = 0x7000 | PTE_P;
    assert_false(cr0_refused(CR0_PE | CR0_PG));
    assert_int_equal(state[HV_ST_PDPTE2], 0x5000 | PTE_P);
    assert_int_equal(state[HV_ST_PDPTE3], 0x7000 | PTE_P);

    pdpt[0] = 0x9000 | PTE_P;
    assert_false(refused(3, PDPTS_GPA, PDPTS_GPA | 0x18)); /* PWT and PCD are no address */
    assert_int_equal(state[HV_ST_PDPTE0], 0x9000 | PTE_P);
    pdpt[0] = UINT64_C(1) << 41 | PTE_P;
    assert_true(refused(3, PDPTS_GPA, PDPTS_GPA));
    assert_int_equal(state[HV_ST_PDPTE0], 0x9000 | PTE_P);

    seeded_mask = UINT64_C(1) << SEEDED_pdpte_stale;
    pdpt[0] = 0xb000 | PTE_P;
    assert_false(refused(3, PDPTS_GPA, PDPTS_GPA));
    assert_int_equal(state[HV_ST_PDPTE0], 0x9000 | PTE_P); /* the defect */
}

static void test_cr4_reserved(void **unused)
{
    (void)unused;
    assert_true(cr4_refused(CR4_VMXE)); /* not shown by CPUID */
    assert_true(cr4_refused(UINT64_C(1) << 15));
    assert_true(cr4_refused(UINT64_C(1) << 40));
    assert_true(cr4_refused(CR4_PCIDE)); /* outside long mode */
    assert_false(cr4_refused(CR4_PAE | CR4_PGE));
    assert_int_equal(vcpu.cr4_wrote, CR4_PAE | CR4_PGE);
    assert_int_equal(state[HV_ST_CR4], CR4_PAE | CR4_PGE);
}

static void test_cr3_reserved(void **unused)
{
    (void)unused;
    vcpu.cr0_wrote |= CR0_PG;
    vcpu.cr4_wrote = CR4_PAE | CR4_PCIDE;
    vcpu.efer_wrote = EFER_LME | EFER_LMA;
    assert_true(refused(3, 0, UINT64_C(1) << 40));
    assert_false(refused(3, 0, UINT64_C(1) << 63 | 0x5007)); /* bit 63: no flush, not stored */
    assert_int_equal(state[HV_ST_CR3], 0x5007);
    vcpu.cr4_wrote = CR4_PAE;
    assert_true(refused(3, 0, UINT64_C(1) << 63 | 0x5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_cr0_combinations, setup),
        cmocka_unit_test_setup(test_long_mode_comes_and_goes, setup),
        cmocka_unit_test_setup(test_pae_loads_pdptes, setup),
        cmocka_unit_test_setup(test_cr4_reserved, setup),
        cmocka_unit_test_setup(test_cr3_reserved, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
