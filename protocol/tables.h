/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tables as C: the rows of the .def files as enums and arrays, and the look-ups over them.
 * Constant data and pure functions: no state, no allocation. What a value means for a stop
 * (verdicts, rules) is not here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tl_vendor { TL_VMX, TL_SVM };

/* VMCS_guest_rip and so on: encodings. */
enum tl_vmcs_field {
#define VMCS_FIELD(encoding, width, name, access, text) VMCS_##name = encoding,
#include "protocol/vmcs_fields.def"
#undef VMCS_FIELD
};

/* VMCB_guest_rip and so on: offsets in the VMCB page. */
enum tl_vmcb_field {
#define VMCB_FIELD(offset, size, name, access, text) VMCB_##name = offset,
#include "protocol/vmcb_fields.def"
#undef VMCB_FIELD
};

/* MSR_efer and so on: indices. */
enum tl_msr {
#define MSR(index, name, manual, text) MSR_##name = index,
#include "protocol/msrs.def"
#undef MSR
};

/* VMX_REASON_EPT_VIOLATION and so on: basic exit reasons. */
enum tl_vmx_reason {
#define VMX_REASON(code, name, kind, text) VMX_REASON_##name = code,
#include "protocol/exit_reasons.def"
};

/* TL_KIND_CR0_WRITE and so on: rows of exit_kinds.def; the same numbers as hv's HV_EXIT_*. */
enum tl_kind {
#define EXIT_KIND(NAME, word, text) TL_KIND_##NAME,
#include "protocol/exit_kinds.def"
#undef EXIT_KIND
    TL_KIND_COUNT
};

/* TL_REG_rax and so on: GDB register numbers. */
enum tl_reg {
#define REG(name, bits, type, feature, source) TL_REG_##name,
#include "protocol/regs.def"
    TL_REG_COUNT
};
#define TL_REG_G_COUNT 24 /* registers that `g` carries */

/* Where the stub finds a register: fourth column of regs.def. */
enum tl_reg_source {
    TL_SRC_GPR,
    TL_SRC_RIP,
    TL_SRC_FLAGS,
    TL_SRC_SELECTOR,
    TL_SRC_FPU,
    TL_SRC_BASE,
    TL_SRC_TABLE,
    TL_SRC_CONTROL,
    TL_SRC_EFER,
    TL_SRC_DEBUG,
    TL_SRC_MODE,
    TL_SRC_EXIT,
    TL_SRC_FIELD,
};

/* Values of the pseudo-register cpu_mode and of `mode` in packets. */
enum tl_cpu_mode {
    TL_MODE_REAL,     /* CR0.PE=0 */
    TL_MODE_VM86,     /* RFLAGS.VM=1 */
    TL_MODE_PROT16,   /* protected mode, CS.D=0 */
    TL_MODE_PROT32,   /* protected mode, CS.D=1 */
    TL_MODE_COMPAT16, /* EFER.LMA=1, CS.L=0, CS.D=0 */
    TL_MODE_COMPAT32, /* EFER.LMA=1, CS.L=0, CS.D=1 */
    TL_MODE_LONG,     /* EFER.LMA=1, CS.L=1 */
    TL_MODE_COUNT
};

/* TL_E_unknown_event and so on: rows of errors.def. */
enum tl_error {
#define TL_ERROR(name, text) TL_E_##name,
#include "protocol/errors.def"
#undef TL_ERROR
    TL_ERROR_COUNT
};

/* TL_P_hello and so on: rows of packets.def. */
enum tl_packet {
#define PACKET(token, name, kind, when, args, text) TL_P_##token,
#include "protocol/packets.def"
#undef PACKET
    TL_PACKET_COUNT
};
enum tl_packet_kind { TL_PACKET_Q, TL_PACKET_A, TL_PACKET_X };
enum tl_packet_when { TL_WHEN_ANY, TL_WHEN_STOPPED, TL_WHEN_RESUME };

/* One VMCS or VMCB field. */
struct tl_field {
    const char *name;
    const char *text;
    uint16_t number;    /* VMCS encoding or VMCB offset */
    uint8_t size_bytes; /* 1, 2, 4, 7 (VMCB insn_bytes_hi) or 8; natural width is 8 */
    bool natural;       /* VMCS natural width */
    bool writable;
};

struct tl_reason {
    uint64_t code;
    const char *name; /* without EXIT_REASON_ or VMEXIT_ */
    const char *text;
    enum tl_kind kind; /* the first; see tl_reason_kinds() */
};

struct tl_msr_row {
    uint32_t index;
    const char *name;   /* "efer" */
    const char *manual; /* "IA32_EFER" */
    const char *text;
};

struct tl_bits_row {
    uint8_t group; /* index into tl_bits_groups[] */
    uint8_t high, low;
    const char *name, *text;
};

struct tl_bits_group {
    const char *name, *text;
};

struct tl_reg_row {
    const char *name;
    uint8_t bits;
    uint8_t source; /* enum tl_reg_source */
};

struct tl_kind_row {
    const char *name; /* "CR0_WRITE" */
    const char *word; /* "cr0-write" */
    const char *text;
};

struct tl_packet_row {
    const char *name; /* "event.add": what stands behind `qtl.`, `Qtl.` or `qXfer:tl.` */
    const char *args, *text;
    enum tl_packet_kind kind;
    enum tl_packet_when when;
};

struct tl_error_row {
    const char *name; /* "no_event"; the wire has '-' for '_' */
    const char *text;
};

/* A field, register or MSR and the group its bits decode by. */
struct tl_bits_of_row {
    const char *name;
    uint8_t group;
};

extern const struct tl_field tl_vmcs_fields[], tl_vmcb_fields[];
extern const struct tl_reason tl_vmx_reasons[], tl_svm_exits[];
extern const struct tl_msr_row tl_msrs[];
extern const struct tl_bits_group tl_bits_groups[];
extern const struct tl_bits_row tl_bits[];
extern const struct tl_bits_of_row tl_bits_of[];
extern const struct tl_reg_row tl_regs[TL_REG_COUNT];
extern const struct tl_kind_row tl_kinds[TL_KIND_COUNT];
extern const struct tl_packet_row tl_packets[TL_PACKET_COUNT];
extern const struct tl_error_row tl_errors[TL_ERROR_COUNT];
extern const char *const tl_cpu_mode_names[TL_MODE_COUNT];
extern const unsigned tl_vmcs_count, tl_vmcb_count, tl_vmx_reason_count, tl_svm_exit_count;
extern const unsigned tl_msr_count, tl_bits_group_count, tl_bits_count, tl_bits_of_count;

/* The target description of qXfer:features:read:target.xml, without and with the SSE registers;
 * lengths without the final 0. The plain one is the first for readers that apply no DTD: LLDB. */
extern const char tl_target_xml[], tl_target_xml_full[], tl_target_xml_plain[];
extern const unsigned tl_target_xml_len, tl_target_xml_full_len, tl_target_xml_plain_len;

/* The table of a vendor and its length. */
const struct tl_field *tl_fields(enum tl_vendor vendor, unsigned *count);

/* A field by number or by exact name; NULL when there is none. `length` counts name's bytes, so
 * that a token need not be terminated. */
const struct tl_field *tl_field_by_number(enum tl_vendor vendor, uint32_t number);
const struct tl_field *tl_field_by_name(enum tl_vendor vendor, const char *name, size_t length);

/* As tl_field_by_name(), and also finds a field of SVM by the name of the VMX field with the same
 * meaning (eptp -> nested_cr3, entry_intr_info -> event_inject ...) and the other way round. */
const struct tl_field *tl_field_alias(enum tl_vendor vendor, const char *name, size_t length);

/* The field that holds the guest's value of an MSR (guest_efer, guest_lstar ...), or NULL: kept elsewhere
 * on this vendor, or not at all. */
const struct tl_field *tl_field_of_msr(enum tl_vendor vendor, uint32_t index);

/* Does a name match? '*' any run, '?' one character; a pattern without either matches names that
 * contain it. Upper and lower case are the same. */
bool tl_pattern_match(const char *pattern, const char *text);

/* A reason by code (VMX: the low 16 bits are compared; SVM: also 0xffffffff for -1), or NULL. */
const struct tl_reason *tl_reason(enum tl_vendor vendor, uint64_t code);

/* All kinds that a reason can be (bit n is kind n). */
uint64_t tl_reason_kinds(enum tl_vendor vendor, uint64_t code);

/* Kind mask of a word as people type it: a kind ("cr0-write"), a vendor name of either vendor
 * ("EXIT_REASON_CR_ACCESS", "VMEXIT_CR0_WRITE", case does not matter), "all", or a prefix with a
 * final '*' ("cr*"). 0 when unknown. */
uint64_t tl_kinds_by_word(const char *word, size_t length);

/* The word of a kind number, "?" if out of range. */
const char *tl_kind_word(unsigned kind);

/* An MSR by index, or by name ("efer", "IA32_EFER", "EFER", "MSR_EFER", case does not matter; not a
 * number); NULL when there is none. */
const struct tl_msr_row *tl_msr_by_index(uint32_t index);
const struct tl_msr_row *tl_msr_by_name(const char *name, size_t length);

/* Register number by name, -1 if none. */
int tl_reg_by_name(const char *name, size_t length);

/* Packet row by its name on the wire and kind, -1 if none. */
int tl_packet_by_name(enum tl_packet_kind kind, const char *name, size_t length);

/* Group number by name, or of a field/register/MSR name; -1 if none. For SVM the segment rights
 * decode as the VMCB's 12-bit attributes. */
int tl_bits_group(const char *name);
int tl_bits_group_of(enum tl_vendor vendor, const char *field);

/* The row of a named bit ("PG" of group cr0, case does not matter), or NULL. */
const struct tl_bits_row *tl_bit_by_name(int group, const char *name, size_t length);

/* Writes "PE NE PG" (set bits; bit fields that are not 0 as name=hex; unnamed set bits as their
 * number) into buf, always terminated. Returns the length without the final 0, or cap if it did not
 * fit (then buf ends with "..." when there is room). "0" is written when nothing is set. */
size_t tl_bits_format(int group, uint64_t value, char *buf, size_t cap);

/* Edit distance (insert, delete, replace, swap of neighbours; case does not matter), at most
 * limit+1. Words longer than 63 bytes count as limit+1. */
unsigned tl_edit_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit);

/* Keeps the nearest of many candidates; start with { .best = NULL }. A candidate counts when its
 * distance is at most a third of the word's length, rounded up. */
struct tl_nearest {
    const char *best;
    unsigned distance;
};
void tl_nearest_try(struct tl_nearest *near, const char *word, size_t length,
                    const char *candidate);

/* The nearest name of a table to a word with a typing error, or NULL. */
const char *tl_nearest_field(enum tl_vendor vendor, const char *word, size_t length);
const char *tl_nearest_kind(const char *word, size_t length);
const char *tl_nearest_msr(const char *word, size_t length);
const char *tl_nearest_reg(const char *word, size_t length);
