/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A guest CPU for the tests of the SVM room, on the host: a VMCB in memory, bytes at RIP, and what
 * hardware and core would provide. Included by one test program each; setup() makes it fresh.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/exit_cr.h"
#include "core/guest_mem.h"
#include "core/insn.h"
#include "core/seeded.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "protocol/tables.h"
#include "svm/svm.h"

/* What hardware and core would provide. */
uint64_t seeded_mask;
struct hv_caps hv_caps;
struct svm_caps svm_caps;
static const struct hv_backend backend = {
    .name = "svm",
    .get = svm_get,
    .set = svm_set,
    .get_segment = svm_get_segment,
    .set_segment = svm_set_segment,
};
const struct hv_backend *hv_backend = &backend;

static union vmcb vmcb;
static uint8_t iopm[3 * 4096], msrpm[2 * 4096];
static struct svm_vcpu svm;
static struct vcpu vcpu;

static uint8_t code[16];
static size_t code_bytes;
static uint8_t memory[16];
static uint64_t memory_gva;

size_t guest_fetch(struct vcpu *v, uint8_t *buf, size_t len_bytes)
{
    size_t have_bytes = len_bytes < code_bytes ? len_bytes : code_bytes;

    (void)v;
    memcpy(buf, code, have_bytes);
    return have_bytes;
}

size_t guest_read_gva(struct vcpu *v, uint64_t gva, void *buf, size_t len_bytes)
{
    (void)v;
    if (gva < memory_gva || gva + len_bytes > memory_gva + sizeof(memory))
        return 0;
    memcpy(buf, memory + (gva - memory_gva), len_bytes);
    return len_bytes;
}

uint64_t guest_segment_base(struct vcpu *v, uint8_t seg)
{
    return svm_get_segment(v, seg).base;
}

uint64_t exit_cr4_allowed(void)
{
    return CR4_PAE | CR4_PSE | CR4_PGE | CR4_TSD | CR4_DE;
}

_Noreturn void hv_panic(const char *format, ...)
{
    fail_msg("hv_panic: %s", format);
    abort();
}

/* Only svm_vcpu_init() wants these, and no case calls it: it touches the CPU. */
void *pages_alloc(size_t count_pages)
{
    (void)count_pages;
    return NULL;
}

uint64_t virt_to_phys(const void *ptr)
{
    return (uint64_t)ptr;
}

int xsetbv_safe(uint32_t index, uint64_t value)
{
    (void)index;
    (void)value;
    return -1;
}

/* The interrupt flag is not for programs; what our IDT notes is in the test CPU's irq_seen. */
static struct cpu physical;

void svm_acknowledge(struct vcpu *v)
{
    v->exit.exception.type = HV_EVENT_INTR;
    v->exit.exception.vector = svm_next_interrupt(v->cpu);
}

static const struct hv_segment flat32 = {.selector = 8, .limit = 0xffffffff, .rights = 0xc09b};
static const struct hv_segment flat64 = {.selector = 8, .limit = 0xffffffff, .rights = 0xa09b};

/* A guest in 32-bit protected mode at 0x1000, on a CPU that helps with nothing. */
static int setup(void **state)
{
    const struct hv_intercepts nothing = {.cr0_mask = 0, .cr4_mask = ~(CR4_PGE | CR4_TSD)};

    (void)state;
    memset(&vmcb, 0, sizeof(vmcb));
    memset(&svm, 0, sizeof(svm));
    memset(&vcpu, 0, sizeof(vcpu));
    memset(&hv_caps, 0, sizeof(hv_caps));
    memset(&svm_caps, 0, sizeof(svm_caps));
    svm.vmcb = &vmcb;
    svm.iopm = iopm;
    svm.msrpm = msrpm;
    vcpu.vendor = &svm;
    vcpu.cpu = &physical;
    memset(&physical, 0, sizeof(physical));
    vmcb.guest_dr6 = svm.dr6 = DR6_RESET;
    svm_set_intercepts(&vcpu, &nothing);
    svm_set_segment(&vcpu, HV_CS, &flat32);
    svm_set_cr(&vcpu, 0, 0x11, 0x11);
    svm_set_cr(&vcpu, 4, 0, 0);
    svm_set_efer(&vcpu, 0);
    vcpu.cr0_wrote = 0x11;
    vcpu.regs.rip = 0x1000;
    vcpu.regs.rflags = 2;
    code_bytes = 0;
    return 0;
}

static inline void long_mode(void)
{
    vcpu.efer_wrote = EFER_LME | EFER_LMA;
    svm_set_segment(&vcpu, HV_CS, &flat64);
}

#define CODE(...)                                                                                  \
    (code_bytes = sizeof((const uint8_t[]){__VA_ARGS__}),                                          \
     memcpy(code, (const uint8_t[]){__VA_ARGS__}, code_bytes))

static inline bool decode(uint64_t exit_code, uint64_t info1, uint64_t info2)
{
    vmcb.exit_code = exit_code;
    vmcb.exit_info1 = info1;
    vmcb.exit_info2 = info2;
    return svm_decode(&vcpu);
}

#define CASE(test_) cmocka_unit_test_setup(test_, setup)
