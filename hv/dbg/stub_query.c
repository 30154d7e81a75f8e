/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Questions about the stub itself: features, threads, the objects of qXfer.
 */
#include "dbg/stub_impl.h"
#include "lib/log.h"
#include "lib/mem.h"

enum stub_answer packet_empty(struct stub *stub, struct args args)
{
    (void)stub;
    (void)args;
    return STUB_REPLY;
}

enum stub_answer packet_ok(struct stub *stub, struct args args)
{
    (void)args;
    return stub_ok(stub);
}

enum stub_answer packet_supported(struct stub *stub, struct args args)
{
    args_char(&args, ':');
    while (!args_empty(&args)) {
        struct args feature = args_until(&args, ";");

        stub->swbreak |= args_is(&feature, "swbreak+");
        stub->hwbreak |= args_is(&feature, "hwbreak+");
        stub->reply.text_errors |= args_is(&feature, "error-message+");
    }
    reply_fmt(&stub->reply,
              "PacketSize=%x;qXfer:features:read+;qXfer:memory-map:read+;qXfer:threads:read+;"
              "vContSupported+;swbreak+;hwbreak+;ConditionalBreakpoints+;BreakpointCommands+;"
              "binary-upload+;error-message+%s",
              REPLY_CAP_BYTES, stub->no_ack ? ";QStartNoAckMode+" : "");
    return STUB_REPLY;
}

/* A bare UART loses bytes: acknowledgements stay. client.c grants the mode where the line is safe. */
enum stub_answer packet_no_ack(struct stub *stub, struct args args)
{
    (void)args;
    return stub->no_ack ? stub_ok(stub) : STUB_REPLY;
}

bool stub_thread(struct stub *stub, struct args *args, unsigned *cpu)
{
    uint64_t id;

    if (args_char(args, '-')) { /* -1: all */
        *cpu = stub->cpu;
        return args_char(args, '1');
    }
    if (!args_hex(args, &id) || id > stub->target->cpus)
        return false;
    *cpu = id ? (unsigned)id - 1 : stub->cpu;
    return true;
}

enum stub_answer packet_H(struct stub *stub, struct args args)
{
    unsigned cpu;

    if (!args_char(&args, 'g') && !args_char(&args, 'c'))
        return stub_syntax(stub);
    if (!stub_thread(stub, &args, &cpu) || !args_empty(&args))
        return stub_fail(stub, TL_E_no_cpu, NULL);
    stub->cpu = cpu;
    return stub_ok(stub);
}

enum stub_answer packet_T(struct stub *stub, struct args args)
{
    unsigned cpu;

    if (!stub_thread(stub, &args, &cpu) || !args_empty(&args))
        return stub_fail(stub, TL_E_no_cpu, NULL);
    return stub_ok(stub);
}

enum stub_answer packet_threads_first(struct stub *stub, struct args args)
{
    (void)args;
    for (unsigned cpu = 0; cpu < stub->target->cpus; cpu++)
        reply_fmt(&stub->reply, "%c%x", cpu ? ',' : 'm', cpu + 1);
    return STUB_REPLY;
}

enum stub_answer packet_threads_next(struct stub *stub, struct args args)
{
    (void)args;
    reply_str(&stub->reply, "l");
    return STUB_REPLY;
}

/* "long, kernel, stopped: cr0-write" */
static size_t describe(struct stub *stub, unsigned cpu, char *buf, size_t cap_bytes)
{
    const struct dbg_target *t = stub->target;
    uint64_t mode = 0;

    if (!stub->stopped)
        return fmt_str(buf, cap_bytes, "running");
    t->reg_read(t->machine, cpu, TL_REG_cpu_mode, &mode);
    return fmt_str(buf, cap_bytes, "%s, ring %u, last exit %s",
                   mode < TL_MODE_COUNT ? tl_cpu_mode_names[mode] : "?", t->cpl(t->machine, cpu),
                   tl_kind_word(t->last_exit(t->machine, cpu)->kind));
}

enum stub_answer packet_thread_extra(struct stub *stub, struct args args)
{
    char text[80];
    unsigned cpu;
    size_t len;

    if (!args_char(&args, ',') || !stub_thread(stub, &args, &cpu))
        return stub_fail(stub, TL_E_no_cpu, NULL);
    len = describe(stub, cpu, text, sizeof(text));
    reply_hex(&stub->reply, text, len < sizeof(text) ? len : sizeof(text) - 1);
    return STUB_REPLY;
}

enum stub_answer packet_current_thread(struct stub *stub, struct args args)
{
    (void)args;
    reply_fmt(&stub->reply, "QC%x", stub->cpu + 1);
    return STUB_REPLY;
}

/* 1: the machine existed before GDB; `quit` detaches instead of killing. */
enum stub_answer packet_attached(struct stub *stub, struct args args)
{
    (void)args;
    reply_str(&stub->reply, "1");
    return STUB_REPLY;
}

/* How much of the text fits into a reply behind its first letter, escapes counted. The target
 * description has none, so that it goes in one piece: a connect has a budget of bytes. */
static size_t escaped_fit(const char *text, size_t text_len)
{
    size_t cost = 1, n = 0;

    for (; n < text_len; n++) {
        cost += text[n] == '#' || text[n] == '$' || text[n] == '}' || text[n] == '*' ? 2 : 1;
        if (cost > REPLY_CAP_BYTES)
            break;
    }
    return n;
}

/* The slice OFFSET,LENGTH of an object, as qXfer wants it. */
static enum stub_answer slice(struct stub *stub, const char *text, size_t text_len,
                              struct args args)
{
    uint64_t offset, len, left;

    if (!args_hex(&args, &offset) || !args_char(&args, ',') || !args_hex(&args, &len) ||
        !args_empty(&args))
        return stub_syntax(stub);
    if (offset > text_len)
        offset = text_len;
    left = text_len - offset;
    if (len > escaped_fit(text + offset, (size_t)left))
        len = escaped_fit(text + offset, (size_t)left);
    reply_str(&stub->reply, len < left ? "m" : "l");
    reply_bytes(&stub->reply, text + offset, (size_t)(len < left ? len : left));
    return STUB_REPLY;
}

static enum stub_answer xfer_threads(struct stub *stub, struct args args)
{
    char text[1024], extra[80];
    size_t len = fmt_str(text, sizeof(text), "<threads>");

    for (unsigned cpu = 0; cpu < stub->target->cpus && len < sizeof(text) - 200; cpu++) {
        describe(stub, cpu, extra, sizeof(extra));
        len += fmt_str(text + len, sizeof(text) - len,
                       "<thread id=\"%x\" core=\"%u\" name=\"vcpu%u\">%s</thread>", cpu + 1, cpu,
                       cpu, extra);
    }
    len += fmt_str(text + len, sizeof(text) - len, "</threads>");
    return slice(stub, text, len, args);
}

/* GDB looks linear addresses up in this map and asks for it once, so it cannot say where RAM is:
 * all is memory. Reads never touch devices anyway, whatever the address. */
static enum stub_answer xfer_memory_map(struct stub *stub, struct args args)
{
    static const char map[] = "<memory-map><memory type=\"ram\" start=\"0\" "
                              "length=\"0xffffffffffffffff\"/></memory-map>";

    return slice(stub, map, sizeof(map) - 1, args);
}

/* A bare line pays for each byte of it at each connect; over the link all registers are shown. */
static enum stub_answer xfer_features(struct stub *stub, struct args args)
{
    bool full = stub->link || stub->options.full_description;

    if (!args_word(&args, "target.xml:"))
        return stub_fail(stub, TL_E_syntax, "the only annex is target.xml");
    if (!stub->swbreak) /* GDB says swbreak+ in its greeting, LLDB does not */
        return slice(stub, tl_target_xml_plain, tl_target_xml_plain_len, args);
    return full ? slice(stub, tl_target_xml_full, tl_target_xml_full_len, args)
                : slice(stub, tl_target_xml, tl_target_xml_len, args);
}

enum stub_answer packet_xfer(struct stub *stub, struct args args)
{
    if (args_word(&args, "features:read:"))
        return xfer_features(stub, args);
    if (args_word(&args, "memory-map:read::"))
        return xfer_memory_map(stub, args);
    if (args_word(&args, "threads:read::"))
        return xfer_threads(stub, args);
    if (args_word(&args, "tl."))
        return stub_object(stub, args);
    return STUB_REPLY;
}

/* qXfer:tl.NAME:read:ANNEX:OFFSET,LENGTH. The annex may hold colons; the last one ends it. */
enum stub_answer stub_object(struct stub *stub, struct args args)
{
    const struct dbg_target *t = stub->target;
    struct args name = args_until(&args, ":"), range;
    int packet = tl_packet_by_name(TL_PACKET_X, name.at, args_len_bytes(&name));
    struct args annex;
    uint64_t offset;

    if (packet < 0)
        return STUB_REPLY;
    if (!args_word(&args, "read:"))
        return stub_syntax(stub);
    range = (struct args){args.end, args.end};
    while (range.at > args.at && range.at[-1] != ':')
        range.at--;
    if (range.at == args.at)
        return stub_syntax(stub);
    annex = (struct args){args.at, range.at - 1};
    if (!stub->stopped && tl_packets[packet].when == TL_WHEN_STOPPED)
        return stub_fail(stub, TL_E_running, NULL);
    name = range;
    if (!args_hex(&name, &offset))
        return stub_syntax(stub);
    if (offset == 0 || stub->object.packet != packet) {
        int len = t->object(t->machine, stub->cpu, (enum tl_packet)packet, annex.at,
                            args_len_bytes(&annex), stub->object.bytes, sizeof(stub->object.bytes));

        if (len < 0)
            return stub_fail(stub, (enum tl_error)(-len - 1), NULL);
        stub->object.packet = packet;
        stub->object.len_bytes = (size_t)len;
    }
    return slice(stub, stub->object.bytes, stub->object.len_bytes, range);
}
