/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VMCS as typed fields. Each row of protocol/vmcs_fields.def becomes a constant whose C type
 * carries width and access: a read has the type of the field's width, and writing a read-only field
 * does not compile. Nothing here knows what a field means.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Plain numbers, for tables and assembly. */
enum vmcs_encoding {
#define VMCS_FIELD(encoding, width, name, access, text) VMCS_##name = (encoding),
#include "protocol/vmcs_fields.def"
#undef VMCS_FIELD
    VMCS_none = 0xffff, /* `none` of core/state.def */
};

/* SDM, "Field Encoding in VMCS": bits 14:13 width, 11:10 type (1 is read-only data), 0 access. */
enum vmcs_width { VMCS_WIDTH_16 = 0, VMCS_WIDTH_64 = 1, VMCS_WIDTH_32 = 2, VMCS_WIDTH_NAT = 3 };
enum vmcs_access { VMCS_ACCESS_RW, VMCS_ACCESS_RO };
#define VMCS_ENCODED_WIDTH(encoding_) (((encoding_) >> 13) & 3)
#define VMCS_ENCODED_RO(encoding_)    ((((encoding_) >> 10) & 3) == 1)

#define VMCS_FIELD(encoding, width, name, access, text)                                            \
    _Static_assert(VMCS_ENCODED_WIDTH(encoding) == VMCS_WIDTH_##width, #name ": width");           \
    _Static_assert(VMCS_ENCODED_RO(encoding) == (VMCS_ACCESS_##access == VMCS_ACCESS_RO),          \
                   #name ": access");                                                              \
    _Static_assert(((encoding) & ~0x6ffe) == 0, #name ": reserved or high-half bits");
#include "protocol/vmcs_fields.def"
#undef VMCS_FIELD

/* An instruction on a field that this CPU does not have, or with no current VMCS: our own mistake. */
_Noreturn void vmcs_access_failed(uint32_t encoding, bool write);

#if __STDC_HOSTED__
/* Unit tests put values where the CPU would have them. */
uint64_t vmcs_raw_read(uint32_t encoding);
void vmcs_raw_write(uint32_t encoding, uint64_t value);
#else
/* False when the VMREAD failed; *value is then unchanged. */
static inline bool vmcs_try_read(uint32_t encoding, uint64_t *value)
{
    uint64_t result;
    bool failed;
    __asm__ volatile("vmread %2, %0"
                     : "=r"(result), "=@ccbe"(failed)
                     : "r"((uint64_t)encoding)
                     : "memory");
    if (!failed)
        *value = result;
    return !failed;
}

static inline bool vmcs_try_write(uint32_t encoding, uint64_t value)
{
    bool failed;
    __asm__ volatile("vmwrite %1, %2"
                     : "=@ccbe"(failed)
                     : "rm"(value), "r"((uint64_t)encoding)
                     : "memory");
    return !failed;
}

static inline uint64_t vmcs_raw_read(uint32_t encoding)
{
    uint64_t value;
    bool failed;
    __asm__ volatile("vmread %2, %0"
                     : "=r"(value), "=@ccbe"(failed)
                     : "r"((uint64_t)encoding)
                     : "memory");
    if (__builtin_expect(failed, false))
        vmcs_access_failed(encoding, false);
    return value;
}

static inline void vmcs_raw_write(uint32_t encoding, uint64_t value)
{
    if (__builtin_expect(!vmcs_try_write(encoding, value), false))
        vmcs_access_failed(encoding, true);
}
#endif

/* One handle type, one reader and (for RW) one writer per width and access. */
#define VMCS_HANDLE_RO(width_, ctype_)                                                             \
    struct vmcs_RO_##width_ {                                                                      \
        uint32_t encoding;                                                                         \
    };                                                                                             \
    static inline ctype_ vmread_RO_##width_(struct vmcs_RO_##width_ field)                         \
    {                                                                                              \
        return (ctype_)vmcs_raw_read(field.encoding);                                              \
    }
#define VMCS_HANDLE_RW(width_, ctype_)                                                             \
    struct vmcs_RW_##width_ {                                                                      \
        uint32_t encoding;                                                                         \
    };                                                                                             \
    static inline ctype_ vmread_RW_##width_(struct vmcs_RW_##width_ field)                         \
    {                                                                                              \
        return (ctype_)vmcs_raw_read(field.encoding);                                              \
    }                                                                                              \
    static inline void vmwrite_RW_##width_(struct vmcs_RW_##width_ field, ctype_ value)            \
    {                                                                                              \
        vmcs_raw_write(field.encoding, value);                                                     \
    }
VMCS_HANDLE_RW(16, uint16_t)
VMCS_HANDLE_RW(32, uint32_t)
VMCS_HANDLE_RW(64, uint64_t)
VMCS_HANDLE_RW(NAT, uint64_t)
VMCS_HANDLE_RO(32, uint32_t)
VMCS_HANDLE_RO(64, uint64_t)
VMCS_HANDLE_RO(NAT, uint64_t)
#undef VMCS_HANDLE_RO
#undef VMCS_HANDLE_RW

/* vmcs_guest_rip and so on. */
#define VMCS_FIELD(encoding, width, name, access, text)                                            \
    static const struct vmcs_##access##_##width vmcs_##name = {(encoding)};
#include "protocol/vmcs_fields.def"
#undef VMCS_FIELD

/* It does not know _Generic: */
/* clang-format off */
/* The value of a field, in the type of its width. Needs a current VMCS; panics if the field is
 * absent. */
#define vmread(field_)                                                                             \
    _Generic((field_),                                                                             \
        struct vmcs_RW_16: vmread_RW_16,                                                           \
        struct vmcs_RW_32: vmread_RW_32,                                                           \
        struct vmcs_RW_64: vmread_RW_64,                                                           \
        struct vmcs_RW_NAT: vmread_RW_NAT,                                                         \
        struct vmcs_RO_32: vmread_RO_32,                                                           \
        struct vmcs_RO_64: vmread_RO_64,                                                           \
        struct vmcs_RO_NAT: vmread_RO_NAT)(field_)

/* Writes a field that can be written; a read-only handle has no writer and does not compile. */
#define vmwrite(field_, value_)                                                                    \
    _Generic((field_),                                                                             \
        struct vmcs_RW_16: vmwrite_RW_16,                                                          \
        struct vmcs_RW_32: vmwrite_RW_32,                                                          \
        struct vmcs_RW_64: vmwrite_RW_64,                                                          \
        struct vmcs_RW_NAT: vmwrite_RW_NAT)(field_, value_)
/* clang-format on */
