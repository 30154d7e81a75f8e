/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The console without a machine: the command table, abbreviations, and that nothing a person can type
 * crashes it. Runs under ASan and UBSan, like every unit test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/cmd.h"
#include "monitor/console.h"
#include "monitor/disas.h"
#include "monitor/out.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "protocol/tables.h"

static struct console console;
static struct options options = {.batch = true, .gdb_port = -1};

static int start(void **state)
{
    (void)state;
    memset(&console, 0, sizeof(console));
    console.options = &options;
    console.signal_fd = -1;
    console.symbols = symbols_new();
    console.target = target_new(&console);
    out_init(false);
    return console.symbols && console.target ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    stops_free(&console);
    symbols_free(console.symbols);
    target_free(console.target);
    return 0;
}

static const char *found(const char *line)
{
    static char name[64];
    const char *rest;
    char format[32];
    const struct cmd_row *row = cmd_find(line, &rest, format, sizeof(format), true);

    if (!row)
        return "";
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(row->names, "|"), row->names);
    return name;
}

static void every_row_is_complete(void **state)
{
    unsigned rows = 0;

    (void)state;
    for (const struct cmd_topic *topic = cmd_topics; topic->title; topic++)
        for (const struct cmd_row *row = topic->rows; row->names; row++) {
            char name[64];

            rows++;
            assert_non_null(row->run);
            assert_non_null(row->arguments);
            assert_true(strlen(row->help) > 10);
            assert_int_not_equal(row->help[strlen(row->help) - 1], '.');
            snprintf(name, sizeof(name), "%.*s", (int)strcspn(row->names, "|"), row->names);
            assert_string_equal(found(name), name);
            if (row->complete == CMD_COMPLETE_WORDS)
                assert_non_null(row->words);
        }
    assert_true(rows >= 50);
}

static void names_are_unique(void **state)
{
    char all[300][40];
    unsigned count = 0;

    (void)state;
    for (const struct cmd_topic *topic = cmd_topics; topic->title; topic++)
        for (const struct cmd_row *row = topic->rows; row->names; row++)
            for (const char *name = row->names; *name;) {
                size_t len_bytes = strcspn(name, "|");

                snprintf(all[count], sizeof(all[0]), "%.*s", (int)len_bytes, name);
                for (unsigned i = 0; i < count; i++)
                    assert_string_not_equal(all[i], all[count]);
                count++;
                name += len_bytes + (name[len_bytes] == '|');
            }
}

static void abbreviations_are_gdbs(void **state)
{
    static const char *const pairs[][2] = {
        {"c", "continue"},
        {"si", "stepi"},
        {"p/x 1", "print"},
        {"x/4i $pc", "x"},
        {"i r", "info registers"},
        {"info reg", "info registers"},
        {"info b", "info breakpoints"},
        {"b main", "break"},
        {"d 1", "delete"},
        {"disas", "disassemble"},
        {"k", "kill"},
        {"q", "quit"},
        {"h", "help"},
        {"in vm", "info vmcs"},
        {"info msr-a", "info msr-area"},
        {"info msr", "info msr"},
        {"sour f", "source"},
        {"symbol-file f", "symbol-file"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        assert_string_equal(found(pairs[i][0]), pairs[i][1]);
    assert_string_equal(found("inf"), ""); /* of what? */
    assert_string_equal(found("frobnicate"), "");
}

static void wrong_input_is_an_error(void **state)
{
    static const char *const lines[] = {
        "frobnicate",
        "print",
        "print 1 +",
        "print )",
        "set",
        "set rip",
        "x/999999999z 0",
        "catch",
        "catch nonsense",
        "delete 7",
        "ignore",
        "ignore 1 2",
        "source /nonexistent/file",
        "symbol-file /nonexistent/file",
        "expect",
        "expect stop nonsense",
        "help nonsense",
        "walk",
        "info vmcs",
        "continue",
        "interrupt",
        "inject",
        "diff",
        "diff a b",
        "ring",
        "dump",
        "load",
        "find",
        "reset",
        "kill",
        "record /tmp/x",
        "set disassembly-flavor french",
        "info nonsense",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        enum cmd_result result = cmd_execute(&console, lines[i]);

        if (result == CMD_OK || result == CMD_QUIT)
            fail_msg("`%s` gives %d", lines[i], (int)result);
    }
}

static void without_a_machine(void **state)
{
    (void)state;
    assert_int_equal(cmd_execute(&console, ""), CMD_OK);
    assert_int_equal(cmd_execute(&console, "   # a comment"), CMD_OK);
    assert_int_equal(cmd_execute(&console, "print 6 * 7"), CMD_OK);
    assert_int_equal(console.history[0], 42);
    assert_int_equal(cmd_execute(&console, "print $ + $1"), CMD_OK);
    assert_int_equal(console.history[1], 84);
    assert_int_equal(cmd_execute(&console, "echo one\\ttwo"), CMD_OK);
    assert_int_equal(cmd_execute(&console, "info breakpoints"), CMD_OK);
    assert_int_equal(cmd_execute(&console, "help"), CMD_OK);
    assert_int_equal(cmd_execute(&console, "help kinds"), CMD_OK);
    assert_int_equal(cmd_execute(&console, "expect 1 == 1"),
                     CMD_EXPECT_FAILED); /* of what machine? */
    assert_int_equal(cmd_execute(&console, "quit"), CMD_QUIT);
}

static void changed_bits_have_names(void **state)
{
    char text[200];

    (void)state;
    view_changed_bits(tl_bits_group("cr0"), 0x60000010, 0xe0000011, text, sizeof(text));
    assert_string_equal(text, "PE 0->1, PG 0->1");
    view_changed_bits(tl_bits_group("cr0"), 0x11, 0x11, text, sizeof(text));
    assert_string_equal(text, "");
    view_changed_bits(tl_bits_group("cr0"), 0, UINT64_C(1) << 7, text, sizeof(text));
    assert_string_equal(text, "bit 7 0->1");
    view_changed_bits(-1, 0, 3, text, 12); /* cut, not overrun */
    assert_true(strlen(text) < 12);
}

static void instructions_by_mode(void **state)
{
    static const uint8_t mov_cr0[] = {0x0f, 0x22, 0xc0}, nothing[] = {0x0f, 0xff};

    (void)state;
    assert_string_equal(disas_one(64, false, 0, mov_cr0, 3).text, "mov %rax,%cr0");
    assert_string_equal(disas_one(32, false, 0, mov_cr0, 3).text, "mov %eax,%cr0");
    assert_string_equal(disas_one(16, true, 0, mov_cr0, 3).text, "mov cr0, eax");
    assert_int_equal(disas_one(64, false, 0, mov_cr0, 2).len_bytes, 0);
    assert_int_equal(disas_one(64, false, 0, nothing, 0).len_bytes, 0);
}

/* Replies are read by key, whatever stands around them. */
static void keys_of_replies(void **state)
{
    char word[8];
    uint64_t value;

    (void)state;
    assert_true(target_key("a:1;bb:22;c:", "bb", word, sizeof(word)));
    assert_string_equal(word, "22");
    assert_true(target_key_number("cpu:0;value:80000011;|next:5;", "value", &value));
    assert_int_equal(value, 0x80000011);
    assert_false(target_key_number("avalue:1;", "value", &value));
    assert_false(target_key_number("value:xyz;", "value", &value));
    assert_true(target_key("k:0123456789abcdef;", "k", word, sizeof(word)));
    assert_string_equal(word, "0123456"); /* cut, terminated */
}

/* Words of the commands, numbers and punctuation in any order: an answer, never a crash. */
static char taken[400];

static void take(const char *text, size_t len_bytes)
{
    size_t used = strlen(taken);

    snprintf(taken + used, sizeof(taken) - used, "%.*s", (int)len_bytes, text);
}

/* Names and texts come from files and from the line: none of it reaches the terminal as a control. */
static void printed_text_is_only_text(void **state)
{
    static const char *const pairs[][2] = {
        {"plain\ttext\n", "plain\ttext\n"},
        {"\x1b]0;title\x07", "^[]0;title^G"},
        {"\x1b[31mred", "^[[31mred"},
        {"caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80"},
        {"\xc2\x9b"
         "31m",
         "??31m"},
        {"\xff\xfe \xe6\xbc \xc0\x80", "?? ?? ??"},
        {"a\rb\x7f\x08", "a^Mb^?^H"},
    };
    char big[5000];

    (void)state;
    out_tee = take;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        taken[0] = '\0';
        out_printf("%s", pairs[i][0]);
        assert_string_equal(taken, pairs[i][1]);
    }
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    taken[0] = '\0';
    out_error("%s \x1b[2J", big);
    assert_non_null(strstr(taken, "error: xxx"));
    out_tee = NULL;
}

static void nothing_typed_crashes(void **state)
{
    static const char *const parts[] = {
        "print",       "/x",          "/",         "catch",
        "cr0-write",   ",",           "if",        "do",
        "log",         "\"%s %d\"",   "\"",        ";",
        "set",         "=",           "rip",       "cr0.PG",
        "vmcs.",       "guest_rip",   "msr-area[", "efer",
        "]",           "(",           ")",         "$",
        "$$",          "$1",          "0x",        "0xffffffffffffffff",
        "-1",          "<<",          "64",        "/",
        "0",           "%",           "u32(",      "x/3i",
        "disassemble", "+16",         "break",     "f000:fff0",
        "watch",       "info",        "registers", "help",
        "\\",          "\x01",        "\xff",      "'",
        "ring",        "only",        "0-1",       "once",
        "expect",      "output",      "[",         "*",
        "within",      "symbol-file", "echo",      "diff",
        "?",           ":",           "?:",        "delete",
        "ignore",      "find",        "walk",      "inject",
        "exception",   "snapshot",    "check",     "audit",
    };
    uint64_t seed = 88172645463325252u;
    char dir[] = "/tmp/trapline-test-XXXXXX", command[80];
    int out = dup(1), err = dup(2), null = open("/dev/null", O_WRONLY);

    (void)state;
    /* `log` makes files: somewhere else, please. And nobody wants to read 20,000 errors. */
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    fflush(NULL);
    dup2(null, 1);
    dup2(null, 2);
    for (unsigned round = 0; round < 20000; round++) {
        char line[2000] = "";
        unsigned words;

        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        words = 1 + seed % 12;
        for (unsigned i = 0; i < words; i++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            strcat(line, parts[seed % (sizeof(parts) / sizeof(parts[0]))]);
            if (seed >> 32 & 1)
                strcat(line, " ");
        }
        cmd_execute(&console, line);
        for (int n = 0; n < 3; n++)
            free(cmd_complete(&console, line, (int)strlen(line) / 2, line + strlen(line) / 2, n));
    }
    cmd_execute(&console, "log off");
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    close(null);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(abbreviations_are_gdbs),
        cmocka_unit_test_setup_teardown(wrong_input_is_an_error, start, end),
        cmocka_unit_test_setup_teardown(without_a_machine, start, end),
        cmocka_unit_test(changed_bits_have_names),
        cmocka_unit_test(instructions_by_mode),
        cmocka_unit_test(keys_of_replies),
        cmocka_unit_test(printed_text_is_only_text),
        cmocka_unit_test_setup_teardown(nothing_typed_crashes, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
