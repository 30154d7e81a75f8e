/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keys of the crash record that are one number each.
 */
#include "protocol/record_keys.h"

#include <string.h>

const char *const record_segment_names[8] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

#define KEY(name_, member_)                                                                        \
    {                                                                                              \
        name_, offsetof(struct crash_record, member_), 8                                           \
    }

const struct record_key record_keys[] = {
    KEY("rax", gpr[0]),
    KEY("rcx", gpr[1]),
    KEY("rdx", gpr[2]),
    KEY("rbx", gpr[3]),
    KEY("rsp", gpr[4]),
    KEY("rbp", gpr[5]),
    KEY("rsi", gpr[6]),
    KEY("rdi", gpr[7]),
    KEY("r8", gpr[8]),
    KEY("r9", gpr[9]),
    KEY("r10", gpr[10]),
    KEY("r11", gpr[11]),
    KEY("r12", gpr[12]),
    KEY("r13", gpr[13]),
    KEY("r14", gpr[14]),
    KEY("r15", gpr[15]),
    KEY("rip", rip),
    KEY("rflags", rflags),
    KEY("cr0_real", cr0_real),
    KEY("cr0_wrote", cr0_wrote),
    KEY("cr0_read", cr0_read),
    KEY("cr4_real", cr4_real),
    KEY("cr4_wrote", cr4_wrote),
    KEY("cr4_read", cr4_read),
    KEY("efer_real", efer_real),
    KEY("efer_wrote", efer_wrote),
    KEY("efer_read", efer_read),
    KEY("cr2", cr2),
    KEY("cr3", cr3),
    KEY("xcr0", xcr0),
    KEY("hw_efer", hw_efer),
};
_Static_assert(sizeof(record_keys) / sizeof(record_keys[0]) == RECORD_KEYS_COUNT, "count of keys");

#undef KEY
#define KEY(member_)                                                                               \
    {                                                                                              \
#member_, offsetof(struct record_ring, member_),                                           \
            sizeof(((struct record_ring *)0)->member_)                                             \
    }

const struct record_key record_ring_keys[] = {
    KEY(reason), KEY(info1), KEY(info2), KEY(cs),     KEY(rip),     KEY(rsp),    KEY(rflags),
    KEY(cr0),    KEY(cr3),   KEY(cr4),   KEY(efer),   KEY(rax),     KEY(rcx),    KEY(rdx),
    KEY(rbx),    KEY(value), KEY(event), KEY(inject), KEY(changed), KEY(cycles), KEY(tsc),
};
_Static_assert(sizeof(record_ring_keys) / sizeof(record_ring_keys[0]) == RECORD_RING_KEYS_COUNT,
               "count of ring keys");

uint64_t *record_key_value(struct crash_record *record, unsigned key)
{
    return (uint64_t *)((char *)record + record_keys[key].offset);
}

/* Little-endian members of 2, 4 or 8 bytes. */
uint64_t record_ring_get(const struct record_ring *entry, unsigned key)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)entry + record_ring_keys[key].offset,
           record_ring_keys[key].len_bytes);
    return value;
}

void record_ring_set(struct record_ring *entry, unsigned key, uint64_t value)
{
    memcpy((char *)entry + record_ring_keys[key].offset, &value, record_ring_keys[key].len_bytes);
}
