/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's memory as its CPU sees it: linear addresses through whatever paging is in force, and
 * checked physical access. Failures are values: nothing here faults, injects or touches a device.
 */
#pragma once

#include "core/vcpu.h"
#include "core/walk.h"

/* Start-up: a range of memory that the guest may have (our own range inside it stays hidden). */
void guest_ram_add(uint64_t base_gpa, uint64_t size_bytes);

/* Paging registers of the vCPU, for walk_guest(). */
struct walk_regs guest_walk_regs(struct vcpu *vcpu);

/* Walks the guest's tables for gva (no A/D bits are set). */
struct guest_walk guest_translate(struct vcpu *vcpu, uint64_t gva);

/* Physical: only RAM of the guest. Returns the bytes done from the start (short at the first byte
 * that is not guest RAM: our own range, a device, or nothing). */
size_t guest_read_gpa(uint64_t gpa, void *buf, size_t len_bytes);
size_t guest_write_gpa(uint64_t gpa, const void *buf, size_t len_bytes);

/* Linear, page by page, without rights checks (a debugger's view): bytes done from the start. */
size_t guest_read_gva(struct vcpu *vcpu, uint64_t gva, void *buf, size_t len_bytes);
size_t guest_write_gva(struct vcpu *vcpu, uint64_t gva, const void *buf, size_t len_bytes);

/* As an instruction of the guest would (access: HV_READ, HV_WRITE or HV_EXEC, at its CPL): all or
 * nothing. On failure fault->error_code and fault->gva say which #PF the guest deserves, or
 * fault->not_ram that the page is no RAM, or fault->non_canonical that it deserves #GP. */
struct guest_fault {
    uint64_t gva;
    uint32_t error_code;
    bool not_ram, non_canonical;
};
bool guest_access(struct vcpu *vcpu, uint64_t gva, void *buf, size_t len_bytes, uint8_t access,
                  struct guest_fault *fault);

/* Only the question: would that guest_access() be done? For what cannot be taken back once it fails. */
bool guest_allows(struct vcpu *vcpu, uint64_t gva, size_t len_bytes, uint8_t access,
                  struct guest_fault *fault);

/* Up to len_bytes of code at CS:RIP; stops early at an unreadable page. Returns bytes read. */
size_t guest_fetch(struct vcpu *vcpu, uint8_t *buf, size_t len_bytes);

/* Is every byte of the range guest RAM? */
bool guest_is_ram(uint64_t gpa, uint64_t len_bytes);

/* Base of a segment as address arithmetic uses it: 0 for ES, CS, SS, DS in 64-bit code. */
uint64_t guest_segment_base(struct vcpu *vcpu, uint8_t seg);

/* Verdict for an emulated instruction whose guest_access() failed: its #PF or #GP, or a final stop. */
enum hv_verdict guest_access_failed(struct vcpu *vcpu, const struct guest_fault *fault);
