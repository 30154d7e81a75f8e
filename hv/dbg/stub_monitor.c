/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `monitor COMMAND` of a GDB without our extension. Output goes as `O` packets, the last part is the
 * reply. The console and the extension use tl.* packets instead.
 */
#include "dbg/stub_impl.h"
#include "lib/log.h"
#include "lib/mem.h"

#define LINE_BYTES 256u

struct monitor {
    struct stub *stub;
    struct args args;
};

static void say(struct stub *stub, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct stub *stub, const char *format, ...)
{
    char text[512];
    va_list args;
    size_t len;

    va_start(args, format);
    len = fmt_vstr(text, sizeof(text), format, args);
    va_end(args);
    stub->host.console_text(stub->host.ctx, text, len < sizeof(text) ? len : sizeof(text) - 1);
}

static void run_help(struct monitor *m);

/* What a tl.* query answers, one `key value` or record a line. */
static void show_query(struct monitor *m, enum tl_packet packet)
{
    const struct dbg_target *t = m->stub->target;
    struct reply *reply = &m->stub->reply;
    int rc =
        t->query(t->machine, m->stub->cpu, packet, m->args.at, args_len_bytes(&m->args), reply);
    struct args rest = args_of(reply->bytes, reply->len_bytes);

    if (rc < 0) {
        reply_reset(reply);
        say(m->stub, "%s\n", tl_errors[-rc - 1].text);
        return;
    }
    while (!args_empty(&rest)) {
        struct args part = args_until(&rest, ";|");

        if (args_empty(&part))
            continue;
        m->stub->host.console_text(m->stub->host.ctx, part.at, args_len_bytes(&part));
        say(m->stub, "\n");
    }
    reply_reset(reply);
}

static void run_exit(struct monitor *m)
{
    if (!m->stub->stopped)
        say(m->stub, "the guest is running\n");
    else
        show_query(m, TL_P_exit);
}

static void run_cr(struct monitor *m)
{
    if (!m->stub->stopped)
        say(m->stub, "the guest is running\n");
    else
        show_query(m, TL_P_cr);
}

static void run_area(struct monitor *m)
{
    if (!m->stub->stopped)
        say(m->stub, "the guest is running\n");
    else
        show_query(m, TL_P_msr_area);
}

/* What `explain` says, line by line; in the buffer of objects, which is asked for again when needed. */
static void run_explain(struct monitor *m)
{
    const struct dbg_target *t = m->stub->target;
    char *text = m->stub->object.bytes;
    int len_bytes;

    if (!m->stub->stopped) {
        say(m->stub, "the guest is running\n");
        return;
    }
    len_bytes = t->object(t->machine, m->stub->cpu, TL_P_explain, "", 0, text,
                          sizeof(m->stub->object.bytes));
    if (len_bytes < 0) {
        say(m->stub, "%s\n", tl_errors[-len_bytes - 1].text);
        return;
    }
    m->stub->object.packet = TL_P_explain;
    m->stub->object.len_bytes = (size_t)len_bytes;
    for (struct args rest = args_of((const uint8_t *)text, (size_t)len_bytes);
         !args_empty(&rest);) {
        struct args line = args_until(&rest, "\n");

        m->stub->host.console_text(m->stub->host.ctx, line.at, args_len_bytes(&line));
        say(m->stub, "\n");
    }
}

static void run_stats(struct monitor *m)
{
    show_query(m, TL_P_stats);
}

static void run_breaks(struct monitor *m)
{
    static const char *const types[] = {"code", "code (hardware)", "write", "read", "access"};
    static const char *const places[] = {"off: the guest uses all debug registers",
                                         "debug register", "page", "address not mapped"};
    const struct breaks *breaks = &m->stub->breaks;

    for (unsigned i = 0; i < BREAKS_MAX; i++)
        if (breaks->bp[i].used)
            say(m->stub, "%#018lx %s, %s, %u condition(s), %lu hit(s)\n", breaks->bp[i].addr_gva,
                types[breaks->bp[i].type], places[breaks->bp[i].place],
                breaks->bp[i].condition_count, breaks->bp[i].hits);
    say(m->stub, "%u breakpoint(s)\n", breaks->count);
}

static void run_events(struct monitor *m)
{
    unsigned count = 0;

    for (const struct event *e = events_next(&m->stub->events, 0); e;
         e = events_next(&m->stub->events, e->id)) {
        say(m->stub, "%u kinds %#lx, %lu hit(s)%s%s\n", e->id, e->kinds, e->hits,
            e->enabled ? "" : ", disabled", e->disarmed ? ", disarmed: " : "");
        if (e->disarmed)
            say(m->stub, "   %s\n", e->disarmed);
        count++;
    }
    say(m->stub, "%u event(s)\n", count);
}

static void run_option(struct monitor *m)
{
    struct args name, value;

    while (args_char(&m->args, ' '))
        ;
    if (args_empty(&m->args)) {
        stub_options_list(m->stub, &m->stub->reply, false);
        m->stub->host.console_text(m->stub->host.ctx, (const char *)m->stub->reply.bytes,
                                   m->stub->reply.len_bytes);
        reply_reset(&m->stub->reply);
        return;
    }
    name = args_until(&m->args, "= ");
    value = m->args;
    switch (stub_option_set(m->stub, name, value)) {
    case 0:
        return;
    case -1:
        say(m->stub, "no such option; `monitor option` lists them\n");
        return;
    default:
        say(m->stub, "not a value of this option\n");
        return;
    }
}

static void run_reset(struct monitor *m)
{
    say(m->stub, "the machine restarts now\n");
    m->stub->target->reboot(m->stub->target->machine);
}

static const struct command {
    const char *name, *help;
    void (*run)(struct monitor *monitor);
} commands[] = {
    {"help", "this list", run_help},
    {"explain", "why the guest stopped, what killed it", run_explain},
    {"exit", "the last VM exit", run_exit},
    {"cr", "faces of CR0, CR4 and EFER", run_cr},
    {"msr-area", "guest MSRs kept by the area or the VMCB", run_area},
    {"stats", "exits by kind", run_stats},
    {"breaks", "breakpoints and where each is kept", run_breaks},
    {"events", "events of the hypervisor", run_events},
    {"option", "NAME=VALUE: set an option; without arguments: list them", run_option},
    {"reset", "restart the machine", run_reset},
};
#define COMMANDS_COUNT (sizeof(commands) / sizeof(commands[0]))

static void run_help(struct monitor *m)
{
    for (unsigned i = 0; i < COMMANDS_COUNT; i++)
        say(m->stub, "%-9s %s\n", commands[i].name, commands[i].help);
    say(m->stub,
        "Registers exit_kind, exit_reason, exit_qual ... and guest_cr0, entry_controls ... are "
        "in `info registers system`; `kill` detaches and never resets.\n");
}

enum stub_answer packet_rcmd(struct stub *stub, struct args args)
{
    uint8_t line[LINE_BYTES];
    int len = args_hex_bytes(&args, line, sizeof(line));
    struct monitor m = {.stub = stub};
    struct args word;

    if (len < 0 || !args_empty(&args))
        return stub_syntax(stub);
    m.args = args_of(line, (size_t)len);
    while (args_char(&m.args, ' '))
        ;
    word = args_until(&m.args, " ");
    for (unsigned i = 0; i < COMMANDS_COUNT; i++)
        if (args_is(&word, commands[i].name)) {
            commands[i].run(&m);
            return stub_ok(stub);
        }
    say(stub, "unknown command; `monitor help` lists them\n");
    return stub_ok(stub);
}
