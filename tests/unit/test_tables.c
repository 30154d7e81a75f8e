/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tables: sorted, unique, in agreement with the encodings' own bits, every look-up back and
 * forth, and the size of the target description that GDB pays for at each connect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/tables.h"

#define TARGET_XML_MAX_BYTES 2600u

static void fields_are_sorted_unique_and_found(void **state)
{
    (void)state;
    for (enum tl_vendor v = TL_VMX; v <= TL_SVM; v++) {
        unsigned count;
        const struct tl_field *f = tl_fields(v, &count);

        assert_true(count > 100);
        for (unsigned i = 0; i < count; i++) {
            if (i)
                assert_true(f[i - 1].number < f[i].number);
            assert_ptr_equal(tl_field_by_number(v, f[i].number), &f[i]);
            assert_ptr_equal(tl_field_by_name(v, f[i].name, strlen(f[i].name)), &f[i]);
            assert_true(f[i].text[0] != 0);
        }
        assert_null(tl_field_by_number(v, 0xffff));
        assert_null(tl_field_by_number(v, UINT32_MAX));
        assert_null(tl_field_by_name(v, "guest_rip", 8));
    }
}

/* SDM, "Structure of VMCS Component Encoding": bits 14:13 width, 11:10 type, bit 0 access. */
static void vmcs_encodings_agree_with_their_bits(void **state)
{
    static const unsigned bytes_of_width[] = {2, 8, 4, 8};

    (void)state;
    for (unsigned i = 0; i < tl_vmcs_count; i++) {
        const struct tl_field *f = &tl_vmcs_fields[i];
        unsigned width = f->number >> 13 & 3, type = f->number >> 10 & 3;

        assert_int_equal(f->number & 0x9001, 0);
        assert_int_equal(f->size_bytes, bytes_of_width[width]);
        assert_int_equal(f->natural, width == 3);
        assert_int_equal(f->writable, type != 1);
        if (!strncmp(f->name, "guest_", 6) && type != 1 && f->number != VMCS_guest_pml_index)
            assert_int_equal(type, 2);
        if (!strncmp(f->name, "host_", 5))
            assert_int_equal(type, 3);
    }
}

static void vmcb_fields_do_not_overlap(void **state)
{
    (void)state;
    for (unsigned i = 0; i + 1 < tl_vmcb_count; i++)
        assert_true(tl_vmcb_fields[i].number + tl_vmcb_fields[i].size_bytes <=
                    tl_vmcb_fields[i + 1].number);
    assert_int_equal(VMCB_guest_es_selector, 0x400);
    assert_int_equal(VMCB_guest_cr4, 0x548);
    assert_int_equal(VMCB_guest_rip, 0x578);
    assert_int_equal(VMCB_guest_rax, 0x5f8);
}

static const char *alias(enum tl_vendor v, const char *name)
{
    const struct tl_field *f = tl_field_alias(v, name, strlen(name));

    return f ? f->name : "none";
}

static void aliases_cross_vendors(void **state)
{
    (void)state;
    assert_string_equal(alias(TL_SVM, "eptp"), "nested_cr3");
    assert_string_equal(alias(TL_VMX, "nested_cr3"), "eptp");
    assert_string_equal(alias(TL_VMX, "guest_rip"), "guest_rip");
    assert_string_equal(alias(TL_SVM, "entry_intr_info"), "event_inject");
    assert_string_equal(alias(TL_SVM, "cr4_shadow"), "none");
}

static void patterns_match_names(void **state)
{
    unsigned hits = 0;

    (void)state;
    assert_true(tl_pattern_match("cr4", "guest_cr4"));
    assert_true(tl_pattern_match("", "x"));
    assert_false(tl_pattern_match("cr4*", "guest_cr4"));
    assert_true(tl_pattern_match("*CR?", "guest_cr4"));
    assert_true(tl_pattern_match("g*_*r*4", "guest_cr4"));
    assert_false(tl_pattern_match("?", ""));
    assert_true(tl_pattern_match("**", ""));
    for (unsigned i = 0; i < tl_vmcs_count; i++)
        hits += tl_pattern_match("guest_?s_base", tl_vmcs_fields[i].name);
    assert_int_equal(hits, 6);
}

static void reasons_are_sorted_and_found(void **state)
{
    (void)state;
    for (unsigned i = 0; i < tl_vmx_reason_count; i++) {
        if (i)
            assert_true(tl_vmx_reasons[i - 1].code < tl_vmx_reasons[i].code);
        assert_ptr_equal(tl_reason(TL_VMX, tl_vmx_reasons[i].code), &tl_vmx_reasons[i]);
    }
    for (unsigned i = 0; i < tl_svm_exit_count; i++) {
        if (i)
            assert_true(tl_svm_exits[i - 1].code < tl_svm_exits[i].code);
        assert_ptr_equal(tl_reason(TL_SVM, tl_svm_exits[i].code), &tl_svm_exits[i]);
    }
    assert_string_equal(tl_reason(TL_VMX, 0x80000022)->name, "MSR_LOAD_FAIL");
    assert_string_equal(tl_reason(TL_SVM, UINT32_MAX)->name, "INVALID");
    assert_string_equal(tl_reason(TL_SVM, 0x7f)->name, "SHUTDOWN");
    assert_null(tl_reason(TL_VMX, 35));
    assert_null(tl_reason(TL_SVM, 0x300));
}

static uint64_t kinds(const char *word)
{
    return tl_kinds_by_word(word, strlen(word));
}

static uint64_t bit(enum tl_kind kind)
{
    return UINT64_C(1) << kind;
}

static void kind_words_of_both_vendors(void **state)
{
    (void)state;
    for (unsigned i = 1; i < TL_KIND_COUNT; i++)
        assert_true(kinds(tl_kinds[i].word) == bit(i));
    assert_true(kinds("none") == 0);
    assert_true(kinds("EXIT_REASON_EPT_VIOLATION") == bit(TL_KIND_NESTED_PAGE));
    assert_true(kinds("vmexit_npf") == (bit(TL_KIND_NESTED_PAGE) | bit(TL_KIND_NESTED_MISCONFIG)));
    assert_true(kinds("VMEXIT_MSR") == (bit(TL_KIND_RDMSR) | bit(TL_KIND_WRMSR)));
    assert_true(kinds("cr0*") == (bit(TL_KIND_CR0_WRITE) | bit(TL_KIND_CR0_READ)));
    assert_true(kinds("EXIT_REASON_CR_ACCESS") & bit(TL_KIND_CR8_READ));
    assert_true(kinds("all") == (bit(TL_KIND_COUNT) - 2));
    assert_true(kinds("EXIT_REASON_") == 0);
    assert_true(kinds("") == 0);
    assert_true(tl_kinds_by_word("hlt...", 3) == bit(TL_KIND_HLT));
    assert_true(tl_kinds_by_word("hlt\0\0\0*", 7) == 0); /* off the wire: any byte */
    assert_string_equal(tl_kind_word(200), "?");
}

/* Every kind but those that no reason names is reached by a reason of some vendor. */
static void every_kind_has_a_reason(void **state)
{
    uint64_t seen = bit(TL_KIND_NONE);

    (void)state;
    for (unsigned i = 0; i < tl_vmx_reason_count; i++)
        seen |= tl_reason_kinds(TL_VMX, tl_vmx_reasons[i].code);
    for (unsigned i = 0; i < tl_svm_exit_count; i++)
        seen |= tl_reason_kinds(TL_SVM, tl_svm_exits[i].code);
    assert_true(seen == bit(TL_KIND_COUNT) - 1);
}

static void msrs_by_index_and_name(void **state)
{
    (void)state;
    assert_true(tl_msr_count >= 100);
    for (unsigned i = 0; i < tl_msr_count; i++) {
        const struct tl_msr_row *m = &tl_msrs[i];

        if (i)
            assert_true(m[-1].index < m->index);
        assert_ptr_equal(tl_msr_by_index(m->index), m);
        assert_ptr_equal(tl_msr_by_name(m->name, strlen(m->name)), m);
        assert_ptr_equal(tl_msr_by_name(m->manual, strlen(m->manual)), m);
    }
    assert_int_equal(tl_msr_by_name("MSR_EFER", 8)->index, 0xc0000080);
    assert_int_equal(tl_msr_by_name("EFER", 4)->index, 0xc0000080);
    assert_null(tl_msr_by_name("IA32_", 5));
    assert_null(tl_msr_by_index(0x12345));
}

static const char *field_of_msr(enum tl_vendor vendor, uint32_t index)
{
    const struct tl_field *field = tl_field_of_msr(vendor, index);

    return field ? field->name : "none";
}

static void msrs_know_their_field(void **state)
{
    (void)state;
    assert_string_equal(field_of_msr(TL_SVM, MSR_efer), "guest_efer");
    assert_string_equal(field_of_msr(TL_SVM, MSR_fmask), "guest_sfmask");
    assert_string_equal(field_of_msr(TL_SVM, MSR_kernel_gs_base), "guest_kernel_gs_base");
    assert_string_equal(field_of_msr(TL_VMX, MSR_kernel_gs_base), "none");
    assert_string_equal(field_of_msr(TL_VMX, MSR_sysenter_eip), "guest_sysenter_eip");
    assert_string_equal(field_of_msr(TL_VMX, MSR_fs_base), "guest_fs_base");
    assert_string_equal(field_of_msr(TL_VMX, 0x12345), "none");
}

static void assert_bits(const char *group, uint64_t value, const char *expected)
{
    char buf[200];
    size_t length = tl_bits_format(tl_bits_group(group), value, buf, sizeof(buf));

    assert_string_equal(buf, expected);
    assert_int_equal(length, strlen(expected));
}

static void bits_become_words(void **state)
{
    char small[8];

    (void)state;
    assert_bits("cr0", 0x80000031, "PE ET NE PG");
    assert_bits("cr0", 0, "0");
    assert_bits("cr0", 1 << 15, "15");
    assert_bits("efer", 0xd01, "SCE LME LMA NXE");
    assert_bits("rflags", 0x3202, "R1 IF IOPL=3");
    assert_bits("event_inject", UINT64_C(0x1280000b0e),
                "vector=e type=3 error_code valid error=12");
    assert_bits("intercept_cr", 0x8000, "15");
    memset(small, 'x', sizeof(small));
    assert_int_equal(tl_bits_format(tl_bits_group("cr0"), 0x80000031, small, sizeof(small)), 8);
    assert_string_equal(small, "PE E...");
    assert_int_equal(tl_bits_format(tl_bits_group("cr0"), 1, small, 1), 1);
    assert_string_equal(small, "");
    assert_int_equal(tl_bits_format(0, 1, NULL, 0), 0);
    assert_int_equal(tl_bits_group("nonsense"), -1);
    assert_bits("nonsense", 5, "0 2");
}

static void bits_rows_are_sane(void **state)
{
    (void)state;
    for (unsigned i = 0; i < tl_bits_count; i++) {
        const struct tl_bits_row *b = &tl_bits[i];

        assert_true(b->low <= b->high && b->high < 64 && b->group < tl_bits_group_count);
        if (i && b[-1].group == b->group)
            assert_true(b[-1].high < b->low);
        else if (i)
            assert_int_equal(b[-1].group + 1, b->group);
        assert_ptr_equal(tl_bit_by_name(b->group, b->name, strlen(b->name)), b);
    }
    for (unsigned i = 0; i < tl_bits_of_count; i++) {
        const char *name = tl_bits_of[i].name;
        size_t length = strlen(name);

        /* What decodes by a group is something a person can name. */
        assert_true(tl_field_by_name(TL_VMX, name, length) ||
                    tl_field_by_name(TL_SVM, name, length) || tl_reg_by_name(name, length) >= 0 ||
                    tl_msr_by_name(name, length) || tl_bits_group(name) >= 0);
    }
    assert_int_equal(tl_bits_group_of(TL_VMX, "guest_cs_rights"), tl_bits_group("rights"));
    assert_int_equal(tl_bits_group_of(TL_SVM, "guest_cs_rights"), tl_bits_group("attrib"));
    assert_int_equal(tl_bits_group_of(TL_SVM, "guest_cr4"), tl_bits_group("cr4"));
    assert_int_equal(tl_bits_group_of(TL_VMX, "guest_rip"), -1);
}

/* GDB's amd64 order and the widths its register file expects. */
static void registers_are_in_gdb_order(void **state)
{
    static const char *const core[] = {
        "rax", "rbx", "rcx",   "rdx",   "rsi",  "rdi",   "rbp",   "rsp",    "r8",    "r9",
        "r10", "r11", "r12",   "r13",   "r14",  "r15",   "rip",   "eflags", "cs",    "ss",
        "ds",  "es",  "fs",    "gs",    "st0",  "st1",   "st2",   "st3",    "st4",   "st5",
        "st6", "st7", "fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg",  "fooff", "fop",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(core) / sizeof(core[0]); i++)
        assert_string_equal(tl_regs[i].name, core[i]);
    for (unsigned i = 0; i < TL_REG_COUNT; i++) {
        unsigned expected = i < 17              ? 64
                            : i < 24            ? 32
                            : i < 32            ? 80
                            : i < TL_REG_xmm0   ? 64
                            : i <= TL_REG_xmm15 ? 128
                                                : 32;

        assert_int_equal(tl_regs[i].bits, expected);
        assert_int_equal(tl_reg_by_name(tl_regs[i].name, strlen(tl_regs[i].name)), (int)i);
        if (tl_regs[i].source == TL_SRC_FIELD)
            assert_non_null(tl_field_by_name(TL_VMX, tl_regs[i].name, strlen(tl_regs[i].name)));
    }
    assert_int_equal(TL_REG_rip, 16);
}

static void target_description_is_small(void **state)
{
    unsigned regs = 0, features = 0, plain = 0;

    (void)state;
    assert_int_equal(strlen(tl_target_xml), tl_target_xml_len);
    assert_true(tl_target_xml_len <= TARGET_XML_MAX_BYTES);
    for (const char *p = tl_target_xml; (p = strstr(p, "<reg ")); p++)
        regs++;
    for (const char *p = tl_target_xml; (p = strstr(p, "<feature ")); p++)
        features++;
    assert_int_equal(regs, TL_REG_xmm0); /* the full one has these too */
    regs = 0;
    for (const char *p = tl_target_xml_full; (p = strstr(p, "<reg ")); p++)
        regs++;
    assert_int_equal(regs, TL_REG_COUNT);
    assert_int_equal(strlen(tl_target_xml_full), tl_target_xml_full_len);
    assert_int_equal(features, 3);
    /* One reply holds the full one. */
    assert_true(tl_target_xml_full_len < 4095);
    /* A reader without the DTD must find the size of each. */
    assert_int_equal(strlen(tl_target_xml_plain), tl_target_xml_plain_len);
    assert_null(strstr(tl_target_xml_plain, "<!"));
    for (const char *p = tl_target_xml_plain; (p = strstr(p, "<reg ")); p++, plain++)
        assert_true(strstr(p, "bitsize=\"") < strstr(p, "/>"));
    assert_int_equal(plain, TL_REG_xmm0);
    assert_int_equal(strcspn(tl_target_xml_plain, "#$}*"), tl_target_xml_plain_len);
    /* Nothing in it that a packet would have to escape. */
    assert_int_equal(strcspn(tl_target_xml, "#$}*"), tl_target_xml_len);
    print_message("target description: %u bytes, %u registers\n", tl_target_xml_len, regs);
}

static void packets_and_errors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TL_PACKET_COUNT; i++)
        assert_int_equal(
            tl_packet_by_name(tl_packets[i].kind, tl_packets[i].name, strlen(tl_packets[i].name)),
            (int)i);
    assert_int_equal(tl_packet_by_name(TL_PACKET_A, "hello", 5), -1);
    for (unsigned i = 0; i < TL_ERROR_COUNT; i++) {
        assert_int_equal(strcspn(tl_errors[i].text, "#$}*"), strlen(tl_errors[i].text));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(tl_errors[i].name, tl_errors[j].name);
    }
}

static unsigned distance(const char *a, const char *b)
{
    return tl_edit_distance(a, strlen(a), b, strlen(b), 10);
}

static void near_words(void **state)
{
    char longest[64];

    (void)state;
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("abc", ""), 3);
    assert_int_equal(distance("kitten", "sitting"), 3);
    assert_int_equal(distance("gusetcr4", "guestcr4"), 1);
    assert_int_equal(distance("EFER", "efer"), 0);
    assert_int_equal(tl_edit_distance("abcdef", 6, "uvwxyz", 6, 2), 3);
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(tl_edit_distance(longest, 64, "a", 1, 5), 6);
    assert_int_equal(tl_edit_distance(longest, 63, longest, 62, 5), 1);
    assert_string_equal(tl_nearest_field(TL_VMX, "guest_rpi", 9), "guest_rip");
    assert_string_equal(tl_nearest_field(TL_SVM, "nestd_cr3", 9), "nested_cr3");
    assert_string_equal(tl_nearest_kind("cr0_write", 9), "cr0-write");
    assert_string_equal(tl_nearest_msr("lstr", 4), "lstar");
    assert_string_equal(tl_nearest_reg("exit_knd", 8), "exit_kind");
    assert_null(tl_nearest_field(TL_VMX, "zzzzzzzz", 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_sorted_unique_and_found),
        cmocka_unit_test(vmcs_encodings_agree_with_their_bits),
        cmocka_unit_test(vmcb_fields_do_not_overlap),
        cmocka_unit_test(aliases_cross_vendors),
        cmocka_unit_test(patterns_match_names),
        cmocka_unit_test(reasons_are_sorted_and_found),
        cmocka_unit_test(kind_words_of_both_vendors),
        cmocka_unit_test(every_kind_has_a_reason),
        cmocka_unit_test(msrs_by_index_and_name),
        cmocka_unit_test(msrs_know_their_field),
        cmocka_unit_test(bits_become_words),
        cmocka_unit_test(bits_rows_are_sane),
        cmocka_unit_test(registers_are_in_gdb_order),
        cmocka_unit_test(target_description_is_small),
        cmocka_unit_test(packets_and_errors),
        cmocka_unit_test(near_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
