/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guest memory on the wire: hex and binary, linear or physical, checksums and searches. A read ends
 * with the last byte that can be reached; nothing here can fault the guest.
 */
#include "dbg/stub_impl.h"
#include "lib/log.h"
#include "lib/mem.h"

#define EFAULT_NUMBER 14 /* `m` has no room for text before GDB 16: it is read as data */
#define CHUNK_BYTES   256u
#define SCAN_BYTES    1024u
#define PATTERN_BYTES 256u

static size_t mem_read(struct stub *stub, uint64_t addr, void *buf, size_t len_bytes)
{
    const struct dbg_target *t = stub->target;

    return stub->phys_mode ? t->phys_read(t->machine, addr, buf, len_bytes)
                           : t->mem_read(t->machine, stub->cpu, addr, buf, len_bytes);
}

static size_t mem_write(struct stub *stub, uint64_t addr, const void *buf, size_t len_bytes)
{
    const struct dbg_target *t = stub->target;

    stub->edited = true;
    return stub->phys_mode ? t->phys_write(t->machine, addr, buf, len_bytes)
                           : t->mem_write(t->machine, stub->cpu, addr, buf, len_bytes);
}

static bool range(struct args *args, char end, uint64_t *addr, uint64_t *len)
{
    return args_hex(args, addr) && args_char(args, ',') && args_hex(args, len) &&
           (end ? args_char(args, end) : args_empty(args));
}

/* Reads as much as the reply can hold and as is there; false: not one byte. */
static bool put_memory(struct stub *stub, uint64_t addr, uint64_t len, bool hex)
{
    size_t room = hex ? reply_left(&stub->reply) / 2 : reply_left(&stub->reply) / 2 - 1;
    uint64_t done = 0;
    uint8_t buf[CHUNK_BYTES];

    if (len > room)
        len = room;
    while (done < len) {
        size_t want = len - done < sizeof(buf) ? (size_t)(len - done) : sizeof(buf);
        size_t got = mem_read(stub, addr + done, buf, want);

        if (hex)
            reply_hex(&stub->reply, buf, got);
        else
            reply_bytes(&stub->reply, buf, got);
        done += got;
        if (got < want)
            break;
    }
    return done || !len;
}

enum stub_answer packet_m(struct stub *stub, struct args args)
{
    uint64_t addr, len;

    if (!range(&args, 0, &addr, &len)) {
        reply_errno(&stub->reply, 22);
        return STUB_REPLY;
    }
    if (!put_memory(stub, addr, len, true))
        reply_errno(&stub->reply, EFAULT_NUMBER);
    return STUB_REPLY;
}

enum stub_answer packet_x(struct stub *stub, struct args args)
{
    uint64_t addr, len;

    if (!range(&args, 0, &addr, &len)) {
        reply_errno(&stub->reply, 22);
        return STUB_REPLY;
    }
    reply_str(&stub->reply, "b"); /* GDB 16: the letter tells data from an error */
    if (!put_memory(stub, addr, len, false))
        reply_errno(&stub->reply, EFAULT_NUMBER);
    return STUB_REPLY;
}

/* How many bytes from addr on are there, at most len_bytes. */
static size_t reach(struct stub *stub, uint64_t addr, size_t len_bytes)
{
    uint8_t buf[CHUNK_BYTES];
    size_t done = 0;

    while (done < len_bytes) {
        size_t want = len_bytes - done < sizeof(buf) ? len_bytes - done : sizeof(buf);
        size_t got = mem_read(stub, addr + done, buf, want);

        done += got;
        if (got < want)
            break;
    }
    return done;
}

/* Whole or not at all: half a write is worse than none. Only one that changes the page tables on its own
 * way can still end in the middle. */
static enum stub_answer write_bytes(struct stub *stub, uint64_t addr, const uint8_t *bytes,
                                    size_t len_bytes)
{
    char detail[64];
    size_t done = reach(stub, addr, len_bytes);

    if (done < len_bytes) {
        fmt_str(detail, sizeof(detail), "nothing was written, for want of %#lx", addr + done);
        return stub_fail(stub, TL_E_no_memory, detail);
    }
    done = mem_write(stub, addr, bytes, len_bytes);
    if (done == len_bytes)
        return stub_ok(stub);
    fmt_str(detail, sizeof(detail), "written up to %#lx", addr + done);
    return stub_fail(stub, TL_E_no_memory, detail);
}

static enum stub_answer write_hex(struct stub *stub, uint64_t addr, uint64_t len, struct args args)
{
    uint8_t bytes[REPLY_CAP_BYTES / 2];
    int got = args_hex_bytes(&args, bytes, sizeof(bytes));

    if (got < 0 || (uint64_t)got != len || !args_empty(&args))
        return stub_syntax(stub);
    return write_bytes(stub, addr, bytes, (size_t)got);
}

enum stub_answer packet_M(struct stub *stub, struct args args)
{
    uint64_t addr, len;

    if (!range(&args, ':', &addr, &len))
        return stub_syntax(stub);
    return write_hex(stub, addr, len, args);
}

enum stub_answer packet_X(struct stub *stub, struct args args)
{
    uint64_t addr, len;

    if (!range(&args, ':', &addr, &len) || args_len_bytes(&args) != len)
        return stub_syntax(stub);
    return write_bytes(stub, addr, (const uint8_t *)args.at, (size_t)len);
}

/* GDB's CRC: polynomial 0x04c11db7, most significant bit first, start ~0. GDB manual, "General Query
 * Packets", qCRC. */
static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    crc ^= (uint32_t)byte << 24;
    for (unsigned i = 0; i < 8; i++)
        crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7u : 0);
    return crc;
}

/* Adds LEN bytes to the sum. False: not every byte can be read. */
static bool crc_range(struct stub *stub, uint64_t addr, uint64_t len, uint32_t *crc)
{
    uint8_t buf[SCAN_BYTES];

    while (len) {
        size_t want = len < sizeof(buf) ? (size_t)len : sizeof(buf);

        if (mem_read(stub, addr, buf, want) != want)
            return false;
        for (size_t i = 0; i < want; i++)
            *crc = crc_byte(*crc, buf[i]);
        addr += want;
        len -= want;
    }
    return true;
}

enum stub_answer packet_crc(struct stub *stub, struct args args)
{
    uint64_t addr, len;
    uint32_t crc = ~0u;

    if (!range(&args, 0, &addr, &len))
        return stub_syntax(stub);
    if (len > (UINT64_C(64) << 20))
        return stub_fail(stub, TL_E_too_long, "at most 64 MiB at once");
    if (!crc_range(stub, addr, len, &crc))
        return stub_fail(stub, TL_E_no_memory, NULL);
    reply_fmt(&stub->reply, "C%08x", crc);
    return STUB_REPLY;
}

/* Qtl.follow:ADDR,LEN;ADDR,LEN... in place of what was followed before. A client that keeps what it has
 * read learns from one number whether it still holds. */
enum stub_answer tl_follow(struct stub *stub, struct args args)
{
    struct follow follow[FOLLOW_MAX];
    unsigned count = 0;

    while (!args_empty(&args)) {
        struct args one = args_until(&args, ";");
        uint64_t addr, len;

        if (!range(&one, 0, &addr, &len))
            return stub_syntax(stub);
        if (count == FOLLOW_MAX || len == 0 || len > FOLLOW_LEN_BYTES)
            return stub_fail(stub, TL_E_too_long, "follows at most 4 times 512 bytes");
        follow[count++] = (struct follow){addr, (size_t)len};
    }
    memcpy(stub->follow, follow, count * sizeof(follow[0]));
    stub->follow_count = count;
    return stub_ok(stub);
}

void stub_put_follow(struct stub *stub, struct reply *reply)
{
    uint32_t crc = ~0u;

    for (unsigned i = 0; i < stub->follow_count; i++)
        if (!crc_range(stub, stub->follow[i].addr, stub->follow[i].len_bytes, &crc))
            return;
    if (stub->follow_count)
        reply_fmt(reply, "tl.crc:%08x;", crc);
}

/* qSearch:memory:ADDR;LENGTH;PATTERN. Windows overlap by the pattern, less one byte. */
enum stub_answer packet_search(struct stub *stub, struct args args)
{
    uint64_t addr, len;
    uint8_t buf[SCAN_BYTES + PATTERN_BYTES];
    size_t pattern_len;

    if (!args_hex(&args, &addr) || !args_char(&args, ';') || !args_hex(&args, &len) ||
        !args_char(&args, ';'))
        return stub_syntax(stub);
    pattern_len = args_len_bytes(&args);
    if (!pattern_len || pattern_len > PATTERN_BYTES)
        return stub_fail(stub, TL_E_syntax, "a pattern has 1 to 256 bytes");
    if (len > (UINT64_C(1) << 30)) /* the guest's tables can make any range look like memory */
        return stub_fail(stub, TL_E_too_long, "at most 1 GiB at once");
    while (len >= pattern_len) {
        size_t want = len < sizeof(buf) ? (size_t)len : sizeof(buf);
        size_t got = mem_read(stub, addr, buf, want);

        for (size_t i = 0; i + pattern_len <= got; i++)
            if (!memcmp(buf + i, args.at, pattern_len)) {
                reply_fmt(&stub->reply, "1,%lx", addr + i);
                return STUB_REPLY;
            }
        if (got < want)
            return stub_fail(stub, TL_E_no_memory, NULL);
        if (got < pattern_len || want == len)
            break;
        addr += got - (pattern_len - 1);
        len -= got - (pattern_len - 1);
    }
    reply_str(&stub->reply, "0");
    return STUB_REPLY;
}

enum stub_answer packet_phys_query(struct stub *stub, struct args args)
{
    (void)args;
    reply_str(&stub->reply, stub->phys_mode ? "1" : "0");
    return STUB_REPLY;
}

enum stub_answer packet_phys_set(struct stub *stub, struct args args)
{
    if (!args_is(&args, "0") && !args_is(&args, "1"))
        return stub_syntax(stub);
    stub->phys_mode = args_is(&args, "1");
    return stub_ok(stub);
}

enum stub_answer tl_phys(struct stub *stub, struct args args)
{
    const bool kept = stub->phys_mode;
    uint64_t addr, len;
    bool found;

    if (!range(&args, 0, &addr, &len))
        return stub_syntax(stub);
    stub->phys_mode = true;
    found = put_memory(stub, addr, len, true);
    stub->phys_mode = kept;
    return found ? STUB_REPLY : stub_fail(stub, TL_E_no_memory, NULL);
}

enum stub_answer tl_phys_set(struct stub *stub, struct args args)
{
    const bool kept = stub->phys_mode;
    enum stub_answer answer;
    uint64_t addr, len;

    if (!range(&args, ':', &addr, &len))
        return stub_syntax(stub);
    stub->phys_mode = true;
    answer = write_hex(stub, addr, len, args);
    stub->phys_mode = kept;
    return answer;
}
