/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: any bytes as a file that the host program reads. The first byte chooses: a serial log for
 * `trapline explain`, a saved ring for `diff`, a recording for `trapline replay` with the commands that
 * look at it, a symbol file (ELF or System.map). A ring that was read must come back from what is written
 * of it; symbols must be found at their addresses.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/console_impl.h"
#include "monitor/explain_cmd.h"
#include "monitor/out.h"
#include "monitor/replay.h"
#include "monitor/ring_file.h"
#include "monitor/ring_filter.h"
#include "monitor/shots.h"
#include "monitor/stops.h"
#include "monitor/target.h"
#include "monitor/view.h"
#include "tests/fuzz/sandbox.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

static void read_log(bool json)
{
    static char name[] = "input";
    static char *const files[] = {name};
    struct options options = {.files = files, .file_count = 1, .json = json};
    int status = explain_logs(&options);

    MUST(status == STATUS_OK || status == STATUS_EXPECT_FAILED || status == STATUS_USAGE);
}

static void read_ring(struct console *console)
{
    struct ring_rows a, b;
    struct ring_filter none;

    MUST(ring_filter_parse(console, "", true, &none));
    if (!ring_load("input", &a))
        return;
    MUST(ring_write_lines(SANDBOX_WRITTEN, &a));
    MUST(ring_load(SANDBOX_WRITTEN, &b));
    MUST(a.count == b.count && (!a.count || !memcmp(a.row, b.row, a.count * sizeof(*a.row))));
    MUST(!a.count || !ring_diff(console, &a, &b, &none));
    if (a.count > 2) { /* one record less, one changed */
        b.count--;
        b.row[b.count / 2].rip ^= 1;
        ring_diff(console, &a, &b, &none);
        ring_diff(console, &b, &a, &none);
    }
    MUST(ring_write_trace(SANDBOX_WRITTEN, &a, a.count & 1 ? 2400000000u : 0));
    ring_free(&a);
    ring_free(&b);
}

static void play(struct console *console)
{
    static const char *const lines[] = {
        "info registers", "info exit",      "explain",  "info vmcs", "info msr-area", "ring",
        "x/3i $pc",       "info cr",        "stats",    "walk rip",  "continue",      "info exit",
        "info caps",      "print vmcs.cr0", "nextexit", "stepi",     "info options",
    };
    struct session_calls calls = console_session_calls(console);

    console->session = session_new(NULL, &calls);
    if (replay_attach(console->session, "input"))
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
            console->in_command = true;
            cmd_execute(console, lines[i]);
            console->in_command = false;
            target_forget(console->target);
        }
    session_free(console->session);
    console->session = NULL;
}

static void read_symbols(struct symbols *symbols, uint64_t offset)
{
    char error[SYMBOLS_ERROR_BYTES] = "", text[SYMBOLS_TEXT_BYTES];
    const char *name;
    uint64_t address;

    if (symbols_load(symbols, "input", offset, error) < 0) {
        MUST(error[0] && !symbols_count(symbols));
        return;
    }
    MUST(symbols_count(symbols));
    for (size_t n = 0; n < 20 && (name = symbols_prefix(symbols, "", n)); n++) {
        MUST(symbols_find(symbols, name, &address));
        if (symbols_describe(symbols, address, text))
            MUST(strlen(text) < sizeof(text));
        symbols_describe(symbols, address + 5, text);
        symbols_near(symbols, name);
    }
    if ((name = symbols_prefix(symbols, "_", 0)) && symbols_find(symbols, name, &address))
        symbols_slide_to(symbols, name, address + 0x1000000);
    symbols_describe(symbols, 0x1000000, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct options options = {.batch = true, .gdb_port = -1};
    struct console console = {.options = &options, .signal_fd = -1, .script_active = true};

    if (size < 1)
        return 0;
    console.symbols = symbols_new();
    console.target = target_new(&console);
    MUST(console.symbols && console.target);
    sandbox_enter(data + 1, size - 1);
    switch (data[0] & 3) {
    case 0:
        read_log(data[0] & 4);
        break;
    case 1:
        read_ring(&console);
        break;
    case 2:
        play(&console);
        break;
    case 3:
        read_symbols(console.symbols, data[0] & 4 ? 0x1000 : 0);
        break;
    }
    sandbox_leave();
    stops_free(&console);
    shots_free();
    symbols_free(console.symbols);
    target_free(console.target);
    free(console.output);
    out_guest_flush();
    return 0;
}
