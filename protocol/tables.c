/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The arrays behind tables.h: expansions of the .def files and nothing else. Look-ups are in
 * tables_find.c.
 */
#include "protocol/tables.h"

#define ROW_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SIZE_OF_16  2
#define SIZE_OF_32  4
#define SIZE_OF_64  8
#define SIZE_OF_NAT 8
#define NATURAL_16  false
#define NATURAL_32  false
#define NATURAL_64  false
#define NATURAL_NAT true
#define WRITABLE_RO false
#define WRITABLE_RW true

const struct tl_field tl_vmcs_fields[] = {
#define VMCS_FIELD(encoding_, width_, name_, access_, text_)                                       \
    {#name_, text_, encoding_, SIZE_OF_##width_, NATURAL_##width_, WRITABLE_##access_},
#include "protocol/vmcs_fields.def"
#undef VMCS_FIELD
};
const unsigned tl_vmcs_count = ROW_COUNT(tl_vmcs_fields);

const struct tl_field tl_vmcb_fields[] = {
#define VMCB_FIELD(offset_, size_, name_, access_, text_)                                          \
    {#name_, text_, offset_, size_, false, WRITABLE_##access_},
#include "protocol/vmcb_fields.def"
#undef VMCB_FIELD
};
const unsigned tl_vmcb_count = ROW_COUNT(tl_vmcb_fields);

const struct tl_reason tl_vmx_reasons[] = {
#define VMX_REASON(code_, name_, kind_, text_) {code_, #name_, text_, TL_KIND_##kind_},
#include "protocol/exit_reasons.def"
};
const unsigned tl_vmx_reason_count = ROW_COUNT(tl_vmx_reasons);

const struct tl_reason tl_svm_exits[] = {
#define SVM_EXIT(code_, name_, kind_, text_) {code_, #name_, text_, TL_KIND_##kind_},
#include "protocol/exit_reasons.def"
};
const unsigned tl_svm_exit_count = ROW_COUNT(tl_svm_exits);

const struct tl_msr_row tl_msrs[] = {
#define MSR(index_, name_, manual_, text_) {index_, #name_, manual_, text_},
#include "protocol/msrs.def"
#undef MSR
};
const unsigned tl_msr_count = ROW_COUNT(tl_msrs);

const struct tl_bits_group tl_bits_groups[] = {
#define BITGROUP(group_, text_) {#group_, text_},
#include "protocol/bits.def"
};
const unsigned tl_bits_group_count = ROW_COUNT(tl_bits_groups);

/* Group numbers are the order of the BITGROUP rows. */
enum {
#define BITGROUP(group_, text_) GROUP_##group_,
#include "protocol/bits.def"
};

const struct tl_bits_row tl_bits[] = {
#define BIT(group_, bit_, name_, text_)             {GROUP_##group_, bit_, bit_, #name_, text_},
#define BITFIELD(group_, high_, low_, name_, text_) {GROUP_##group_, high_, low_, #name_, text_},
#include "protocol/bits.def"
};
const unsigned tl_bits_count = ROW_COUNT(tl_bits);

const struct tl_bits_of_row tl_bits_of[] = {
#define BITS_OF(field_, group_) {#field_, GROUP_##group_},
#include "protocol/bits.def"
};
const unsigned tl_bits_of_count = ROW_COUNT(tl_bits_of);

const struct tl_reg_row tl_regs[TL_REG_COUNT] = {
#define REG(name_, bits_, type_, feature_, source_) {#name_, bits_, TL_SRC_##source_},
#include "protocol/regs.def"
};

const struct tl_kind_row tl_kinds[TL_KIND_COUNT] = {
#define EXIT_KIND(name_, word_, text_) {#name_, word_, text_},
#include "protocol/exit_kinds.def"
#undef EXIT_KIND
};

const struct tl_packet_row tl_packets[TL_PACKET_COUNT] = {
#define PACKET(token_, name_, kind_, when_, args_, text_)                                          \
    {name_, args_, text_, TL_PACKET_##kind_, TL_WHEN_##when_},
#include "protocol/packets.def"
#undef PACKET
};

const struct tl_error_row tl_errors[TL_ERROR_COUNT] = {
#define TL_ERROR(name_, text_) {#name_, text_},
#include "protocol/errors.def"
#undef TL_ERROR
};

const char *const tl_cpu_mode_names[TL_MODE_COUNT] = {
    "real", "vm86", "prot16", "prot32", "compat16", "compat32", "long",
};

/* bitsize has the default 64 by the internal DTD, which halves the text; expat (GDB) and libxml2
 * (LLDB) both apply it. Types other than int are named only where GDB needs them. */
#define XML_BITS_32       " bitsize=\"32\""
#define XML_BITS_64       ""
#define XML_BITS_80       " bitsize=\"80\""
#define XML_TYPE_int      ""
#define XML_TYPE_code_ptr " type=\"code_ptr\""
#define XML_TYPE_data_ptr " type=\"data_ptr\""
#define XML_TYPE_i387_ext " type=\"i387_ext\""
#define XML_CLOSE_core
#define XML_CLOSE_segments "</feature>"
#define XML_CLOSE_system   "</feature>"

const char tl_target_xml[] = "<!DOCTYPE target [<!ATTLIST reg bitsize CDATA \"64\">]>"
                             "<target><architecture>i386:x86-64</architecture>"
#define REG_FEATURE(id_, name_) XML_CLOSE_##id_ "<feature name=\"" name_ "\">"
#define REG(name_, bits_, type_, feature_, source_)                                                \
    "<reg name=\"" #name_ "\"" XML_BITS_##bits_ XML_TYPE_##type_ "/>"
#include "protocol/regs.def"
                             "</feature></target>";
const unsigned tl_target_xml_len = sizeof(tl_target_xml) - 1;
