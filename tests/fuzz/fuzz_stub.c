/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzz target: the whole debugger side of the line against a fake machine. Odd first byte: the rest are
 * raw bytes of the UART. Even: packets separated by 0xff go straight to the stub, stopped and running,
 * with exits in between.
 */
#include <stdlib.h>

#include "dbg/client.h"
#include "tests/unit/fake_target.h"

static const uint8_t *in_at, *in_end;

static void io_write(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
    volatile uint8_t sink = 0;

    (void)ctx;
    for (size_t i = 0; i < len_bytes; i++)
        sink ^= bytes[i];
    (void)sink;
}

static int io_read(void *ctx)
{
    (void)ctx;
    return in_at < in_end ? *in_at++ : -1;
}

static uint64_t io_clock(void *ctx)
{
    struct fake *f = ctx;

    f->now_us += 50; /* waits of the link end */
    return f->now_us;
}

static void idle(void *ctx)
{
    struct client *client = ctx;

    client->stub.stopped = false;
}

static void drop(const uint8_t *bytes, size_t len_bytes)
{
    (void)bytes, (void)len_bytes;
}

/* An exit of each sort that the debugger may take for its own. */
static void happen(struct client *client, struct fake *f, uint8_t which)
{
    bool stop;

    f->exit = (struct dbg_exit){
        .kind = which & 1   ? TL_KIND_EXCEPTION
                : which & 2 ? TL_KIND_NESTED_PAGE
                            : which % TL_KIND_COUNT,
        .vector = which & 4 ? 1 : 14,
        .access = DBG_EXEC,
        .gpa = f->reg[TL_REG_rip],
        .dr6 = which >> 3 & 1 ? DR6_BS : which >> 4,
    };
    run_before_entry(&client->stub.run, 0);
    f->inject.valid = false;
    if (!run_owns_exit(&client->stub.run, 0, &f->exit, &stop))
        run_filter(&client->stub.run, 0, &f->exit, which & 8 ? EVENT_AFTER : EVENT_BEFORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake f;
    static struct client client;
    const struct line_io io = {&f, io_write, io_read, io_clock};

    if (size < 1 || size > 9000)
        return 0;
    fake_init(&f);
    client_guest_input = drop;
    client_init(&client, &f.target, &io);
    in_at = data + 1;
    in_end = data + size;
    if (data[0] & 1) {
        while (in_at < in_end) {
            if (client_poll(&client))
                client_serve(&client, 0, RUN_WHY_BREAK_IN, idle, &client);
        }
        return 0;
    }
    client.line.mode = LINE_RSP;
    while (in_at < in_end) {
        const uint8_t *end = in_at;

        while (end < in_end && *end != 0xff)
            end++;
        client.stub.stopped = !(data[0] & 2) || (end - data) & 1;
        if ((size_t)(end - in_at) <= RSP_PACKET_MAX)
            client.line.up.packet(client.line.up.ctx, in_at, (size_t)(end - in_at));
        if (end < in_end && end + 1 < in_end)
            happen(&client, &f, end[1]);
        in_at = end < in_end ? end + 1 : end;
    }
    return 0;
}
