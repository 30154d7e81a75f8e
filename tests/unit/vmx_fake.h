/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A VMCS for the tests of VMX exit decoding, on the host: a case gives the fields that a CPU would
 * leave; VMREAD or VMWRITE of any other fails it. Included by one test program each; reset() makes it
 * fresh.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/seeded.h"
#include "vmx/vmx.h"

uint64_t seeded_mask;
extern uint64_t test_cr8;

#define FIELDS_MAX 24

static struct {
    uint32_t encoding;
    uint64_t value;
    bool read, written;
} fields[FIELDS_MAX];
static unsigned fields_count;
static struct vcpu vcpu;

static inline int field_at(uint32_t encoding)
{
    for (unsigned i = 0; i < fields_count; i++)
        if (fields[i].encoding == encoding)
            return (int)i;
    return -1;
}

uint64_t vmcs_raw_read(uint32_t encoding)
{
    int at = field_at(encoding);

    if (at < 0)
        fail_msg("field 0x%04x was read, but this exit does not define it", encoding);
    fields[at].read = true;
    return fields[at].value;
}

void vmcs_raw_write(uint32_t encoding, uint64_t value)
{
    int at = field_at(encoding);

    if (at < 0)
        fail_msg("field 0x%04x was written unasked", encoding);
    fields[at].value = value;
    fields[at].written = true;
}

static inline void give(enum vmcs_encoding encoding, uint64_t value)
{
    int at = field_at(encoding);

    if (at < 0) {
        assert_true(fields_count < FIELDS_MAX);
        at = (int)fields_count++;
    }
    fields[at].encoding = encoding;
    fields[at].value = value;
    fields[at].read = fields[at].written = false;
}

static inline uint64_t value_of(enum vmcs_encoding encoding)
{
    int at = field_at(encoding);

    assert_true(at >= 0);
    return fields[at].value;
}

static inline bool was_written(enum vmcs_encoding encoding)
{
    int at = field_at(encoding);

    return at >= 0 && fields[at].written;
}

static inline int reset(void **state)
{
    (void)state;
    memset(fields, 0, sizeof(fields));
    memset(&vcpu, 0, sizeof(vcpu));
    fields_count = 0;
    seeded_mask = 0;
    give(VMCS_exit_qualification, 0);
    give(VMCS_idt_vectoring_info, 0);
    give(VMCS_guest_cs_selector, 0x10); /* kept for every exit */
    give(VMCS_guest_cr3, 0x123456789000);
    give(VMCS_guest_interruptibility, 0);
    return 0;
}

static inline struct hv_exit *decode(uint32_t reason)
{
    vmx_decode(&vcpu, reason);
    return &vcpu.exit;
}

static inline struct hv_exit *decode_instruction(uint32_t reason, uint64_t qualification,
                                                 uint8_t len)
{
    give(VMCS_exit_qualification, qualification);
    give(VMCS_exit_instr_len, len);
    return decode(reason);
}
