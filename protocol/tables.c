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

/* bitsize has the default 64 by the internal DTD, which halves the text; GDB's expat puts such defaults
 * in. LLDB 14 takes the attributes that libxml2 lists, and defaults are not among them: it held those
 * registers for empty and crashed at the first `p`. For it there is a third text. Types other than int are named only where GDB needs them. */
#define XML_BITS_32       " bitsize=\"32\""
#define XML_BITS_64       ""
#define XML_BITS_80       " bitsize=\"80\""
#define XML_TYPE_int      ""
#define XML_TYPE_code_ptr " type=\"code_ptr\""
#define XML_TYPE_data_ptr " type=\"data_ptr\""
#define XML_TYPE_i387_ext " type=\"i387_ext\""
#define XML_BITS_128      " bitsize=\"128\""
#define XML_TYPE_vec128   " type=\"v\""
#define XML_VECTOR(id_, type_, count_)                                                             \
    "<vector id=\"" #id_ "\" type=\"" #type_ "\" count=\"" #count_ "\"/>"
#define XML_FIELD(name_, type_) "<field name=\"" #name_ "\" type=\"" #type_ "\"/>"
/* GDB's names of the faces of an XMM register. */
#define XML_TYPES_sse                                                                              \
    XML_VECTOR(f, ieee_single, 4)                                                                  \
    XML_VECTOR(d, ieee_double, 2)                                                                  \
    XML_VECTOR(b, int8, 16)                                                                        \
    XML_VECTOR(w, int16, 8)                                                                        \
    XML_VECTOR(i, int32, 4)                                                                        \
    XML_VECTOR(q, int64, 2)                                                                        \
    "<union id=\"v\">" XML_FIELD(v4_float, f) XML_FIELD(v2_double, d) XML_FIELD(v16_int8, b)       \
        XML_FIELD(v8_int16, w) XML_FIELD(v4_int32, i) XML_FIELD(v2_int64, q)                       \
            XML_FIELD(uint128, uint128) "</union>"
#define XML_HEAD                                                                                   \
    "<!DOCTYPE target [<!ATTLIST reg bitsize CDATA \"64\">]>"                                      \
    "<target><architecture>i386:x86-64</architecture>"
#define XML_TAIL        "</feature></target>"
#define XML_OPEN(name_) "<feature name=\"" name_ "\">"
#define XML_REG(name_, bits_, type_)                                                               \
    "<reg name=\"" name_ "\"" XML_BITS_##bits_ XML_TYPE_##type_ "/>"

/* What each feature gives to the short description: sse, with its seventeen long rows, nothing. */
#define SHORT_FEATURE_core(name_)               XML_OPEN(name_)
#define SHORT_FEATURE_segments(name_)           "</feature>" XML_OPEN(name_)
#define SHORT_FEATURE_system(name_)             "</feature>" XML_OPEN(name_)
#define SHORT_FEATURE_sse(name_)                ""
#define SHORT_REG_core(name_, bits_, type_)     XML_REG(name_, bits_, type_)
#define SHORT_REG_segments(name_, bits_, type_) XML_REG(name_, bits_, type_)
#define SHORT_REG_system(name_, bits_, type_)   XML_REG(name_, bits_, type_)
#define SHORT_REG_sse(name_, bits_, type_)      ""

const char tl_target_xml[] = XML_HEAD
#define REG_FEATURE(id_, name_)                     SHORT_FEATURE_##id_(name_)
#define REG(name_, bits_, type_, feature_, source_) SHORT_REG_##feature_(#name_, bits_, type_)
#include "protocol/regs.def"
    XML_TAIL;
const unsigned tl_target_xml_len = sizeof(tl_target_xml) - 1;

#define FULL_FEATURE_core(name_)     XML_OPEN(name_)
#define FULL_FEATURE_segments(name_) "</feature>" XML_OPEN(name_)
#define FULL_FEATURE_system(name_)   "</feature>" XML_OPEN(name_)
#define FULL_FEATURE_sse(name_)      "</feature>" XML_OPEN(name_) XML_TYPES_sse

const char tl_target_xml_full[] = XML_HEAD
#define REG_FEATURE(id_, name_)                     FULL_FEATURE_##id_(name_)
#define REG(name_, bits_, type_, feature_, source_) XML_REG(#name_, bits_, type_)
#include "protocol/regs.def"
    XML_TAIL;
const unsigned tl_target_xml_full_len = sizeof(tl_target_xml_full) - 1;

/* As the short one, with every size written out and no DTD. */
#undef XML_BITS_64
#define XML_BITS_64 " bitsize=\"64\""

const char tl_target_xml_plain[] = "<target><architecture>i386:x86-64</architecture>"
#define REG_FEATURE(id_, name_)                     SHORT_FEATURE_##id_(name_)
#define REG(name_, bits_, type_, feature_, source_) SHORT_REG_##feature_(#name_, bits_, type_)
#include "protocol/regs.def"
    XML_TAIL;
const unsigned tl_target_xml_plain_len = sizeof(tl_target_xml_plain) - 1;
