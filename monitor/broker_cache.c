/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * See broker_cache.h. Memory is kept as blocks, so that a read inside an earlier one is known too;
 * everything else by the words of its request.
 */
#include "monitor/broker_cache.h"

#include <stdlib.h>
#include <string.h>

#include "monitor/broker_blocks.h"
#include "protocol/args.h"
#include "protocol/rsp.h"

#define ANSWERS           64u
#define REQUEST_BYTES     96u
#define BINARY_FROM_BYTES 12u /* below it hex digits cost as little */

struct answer {
    bool used, lasting;
    char request[REQUEST_BYTES];
    size_t request_len_bytes, reply_len_bytes;
    uint8_t *reply;
};

struct broker_cache {
    bool ours, binary;
    struct answer answer[ANSWERS];
    unsigned next_answer; /* the oldest goes */
    struct blocks blocks;
};

struct broker_cache *broker_cache_new(void)
{
    return calloc(1, sizeof(struct broker_cache));
}

static void forget(struct answer *answer)
{
    free(answer->reply);
    memset(answer, 0, sizeof(*answer));
}

void broker_cache_free(struct broker_cache *cache)
{
    if (cache)
        for (unsigned i = 0; i < ANSWERS; i++)
            forget(&cache->answer[i]);
    free(cache);
}

void broker_cache_drop(struct broker_cache *cache)
{
    for (unsigned i = 0; i < ANSWERS; i++)
        if (!cache->answer[i].lasting)
            forget(&cache->answer[i]);
    blocks_drop(&cache->blocks);
}

void broker_cache_restart(struct broker_cache *cache, bool ours, bool binary)
{
    broker_cache_drop(cache);
    for (unsigned i = 0; i < ANSWERS; i++)
        forget(&cache->answer[i]);
    blocks_restart(&cache->blocks, ours);
    cache->ours = ours;
    cache->binary = binary;
}

/* ---- requests ---- */

static bool begins(const char *request, size_t len_bytes, const char *word)
{
    return len_bytes >= strlen(word) && memcmp(request, word, strlen(word)) == 0;
}

/* mADDR,LEN or xADDR,LEN */
static bool is_memory(const char *request, size_t len_bytes, uint64_t *gva, uint64_t *count)
{
    struct args args = args_of(request, len_bytes);

    return (args_char(&args, 'm') || args_char(&args, 'x')) && args_hex(&args, gva) &&
           args_char(&args, ',') && args_number(args, count);
}

/* Is the answer to this the same until the stop is over? Not a question of what is true only but also
 * of what asking does: qRcmd acts, qCRC and qSearch are asked to look anew. */
static bool is_steady(const char *request, size_t len_bytes)
{
    static const char *const words[] = {"qXfer:",       "qC",           "qAttached",
                                        "qfThreadInfo", "qsThreadInfo", "qThreadExtraInfo,"};

    if (len_bytes == 1 && (request[0] == 'g' || request[0] == '?'))
        return true;
    if (len_bytes > 1 && (request[0] == 'p' || request[0] == 'T'))
        return true;
    if (begins(request, len_bytes, "qCRC:") || begins(request, len_bytes, "qXfer:tl."))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (begins(request, len_bytes, words[i]))
            return true;
    return false;
}

/* What the stub is, and not what the guest is at. */
static bool is_lasting(const struct broker_cache *cache, const char *request, size_t len_bytes,
                       size_t answer_len_bytes)
{
    if (begins(request, len_bytes, "qXfer:features:") || begins(request, len_bytes, "vCont?"))
        return true;
    if (!cache->ours)
        return false;
    if (begins(request, len_bytes, "qfThreadInfo") || begins(request, len_bytes, "qsThreadInfo") ||
        begins(request, len_bytes, "qXfer:memory-map:"))
        return true;
    return answer_len_bytes == 0; /* a packet that it does not know */
}

/* ---- answers ---- */

static struct answer *find_answer(struct broker_cache *cache, const char *request, size_t len_bytes)
{
    for (unsigned i = 0; i < ANSWERS; i++)
        if (cache->answer[i].used && cache->answer[i].request_len_bytes == len_bytes &&
            memcmp(cache->answer[i].request, request, len_bytes) == 0)
            return &cache->answer[i];
    return NULL;
}

static void keep_answer(struct broker_cache *cache, const char *request, size_t len_bytes,
                        const uint8_t *reply, size_t reply_len_bytes, bool lasting)
{
    struct answer *answer = find_answer(cache, request, len_bytes);

    if (len_bytes > REQUEST_BYTES)
        return;
    for (unsigned i = 0; !answer && i < ANSWERS; i++)
        if (!cache->answer[i].used)
            answer = &cache->answer[i];
    for (unsigned i = 0; !answer && i < ANSWERS; i++) {
        cache->next_answer = (cache->next_answer + 1) % ANSWERS;
        if (!cache->answer[cache->next_answer].lasting)
            answer = &cache->answer[cache->next_answer];
    }
    if (!answer)
        return;
    forget(answer);
    answer->reply = malloc(reply_len_bytes + 1);
    if (!answer->reply)
        return;
    answer->used = true;
    answer->lasting = lasting;
    memcpy(answer->request, request, len_bytes);
    memcpy(answer->reply, reply, reply_len_bytes);
    answer->request_len_bytes = len_bytes;
    answer->reply_len_bytes = reply_len_bytes;
}

/* ---- a stop ---- */

void broker_cache_stop(struct broker_cache *cache, const char *stop, uint64_t now_ms)
{
    struct args pairs = args_of(stop, strlen(stop)), key, value;
    uint64_t number;
    char request[8];

    if (!args_char(&pairs, 'T') || args_len_bytes(&pairs) < 2)
        return;
    pairs.at += 2;
    blocks_stop(&cache->blocks);
    while (args_pair(&pairs, &key, &value)) {
        size_t len_bytes = 0;

        if (args_is(&key, "tl.crc") && args_number(value, &number))
            blocks_compare(&cache->blocks, number, now_ms);
        if (!args_number(key, &number) || number > 0xfff)
            continue; /* not a register */
        request[len_bytes++] = 'p';
        for (int shift = 8; shift >= 0; shift -= 4)
            if (len_bytes > 1 || number >> shift || shift == 0)
                request[len_bytes++] = "0123456789abcdef"[number >> shift & 15];
        keep_answer(cache, request, len_bytes, (const uint8_t *)value.at, args_len_bytes(&value),
                    false);
    }
}

/* ---- memory ---- */

/* As the reply to `m` (hex digits) or `x` (b, bytes). */
static size_t put_bytes(char verb, const uint8_t *bytes, size_t count, uint8_t *reply,
                        size_t cap_bytes)
{
    size_t used = 0;

    if (verb == 'x') {
        if (count + 1 > cap_bytes)
            count = cap_bytes - 1;
        reply[0] = 'b';
        memcpy(reply + 1, bytes, count);
        return count + 1;
    }
    for (size_t i = 0; i < count && used + 2 <= cap_bytes; i++) {
        reply[used++] = (uint8_t) "0123456789abcdef"[bytes[i] >> 4];
        reply[used++] = (uint8_t) "0123456789abcdef"[bytes[i] & 15];
    }
    return used;
}

/* The bytes that an answer to `m` or `x` brought; 0: it is an error. */
static size_t take_bytes(const uint8_t *answer, size_t len_bytes, bool binary, uint8_t *bytes,
                         size_t cap_bytes)
{
    size_t count = 0;

    if (binary) {
        if (len_bytes < 2 || answer[0] != 'b' || len_bytes - 1 > cap_bytes)
            return 0;
        memcpy(bytes, answer + 1, len_bytes - 1);
        return len_bytes - 1;
    }
    if (len_bytes % 2 != 0) /* Enn and E.text may be of even length, but are not all digits */
        return 0;
    for (; 2 * count < len_bytes && count < cap_bytes; count++) {
        int high = rsp_hex_digit(answer[2 * count]), low = rsp_hex_digit(answer[2 * count + 1]);

        if (high < 0 || low < 0)
            return 0;
        bytes[count] = (uint8_t)(high << 4 | low);
    }
    return count;
}

/* ---- what is followed ---- */

size_t broker_cache_follow(struct broker_cache *cache, char *packet, size_t cap_bytes)
{
    return blocks_follow(&cache->blocks, packet, cap_bytes);
}

void broker_cache_follow_refused(struct broker_cache *cache)
{
    blocks_follow_refused(&cache->blocks);
}

/* ---- the three steps of one request ---- */

long broker_cache_find(struct broker_cache *cache, const char *request, size_t len_bytes,
                       uint64_t now_ms, uint8_t *reply, size_t cap_bytes)
{
    const struct answer *answer;
    const uint8_t *bytes;
    uint64_t gva, count;

    if (is_memory(request, len_bytes, &gva, &count)) {
        if (count == 0 || count > BLOCKS_LEN_BYTES || 2 * count > cap_bytes)
            return -1;
        bytes = blocks_find(&cache->blocks, gva, count, now_ms);
        return bytes ? (long)put_bytes(request[0], bytes, (size_t)count, reply, cap_bytes) : -1;
    }
    answer = find_answer(cache, request, len_bytes);
    if (!answer || answer->reply_len_bytes > cap_bytes)
        return -1;
    memcpy(reply, answer->reply, answer->reply_len_bytes);
    return (long)answer->reply_len_bytes;
}

/* `m` may go as `x`, which halves its answer. */
static bool goes_binary(const struct broker_cache *cache, const char *request, size_t len_bytes)
{
    uint64_t gva, count;

    return cache->binary && request[0] == 'm' && is_memory(request, len_bytes, &gva, &count) &&
           count >= BINARY_FROM_BYTES && count <= BLOCKS_LEN_BYTES;
}

size_t broker_cache_ask(const struct broker_cache *cache, const char *request, size_t len_bytes,
                        char *ask, size_t cap_bytes)
{
    if (len_bytes > cap_bytes)
        len_bytes = cap_bytes;
    memcpy(ask, request, len_bytes);
    if (goes_binary(cache, request, len_bytes))
        ask[0] = 'x';
    return len_bytes;
}

size_t broker_cache_keep(struct broker_cache *cache, const char *request, size_t len_bytes,
                         const uint8_t *answer, size_t answer_len_bytes, uint64_t now_ms,
                         uint8_t *reply, size_t cap_bytes)
{
    bool binary = goes_binary(cache, request, len_bytes);
    uint8_t bytes[BLOCKS_LEN_BYTES];
    uint64_t gva, count;
    size_t got;

    if (is_memory(request, len_bytes, &gva, &count)) {
        got = count <= BLOCKS_LEN_BYTES
                  ? take_bytes(answer, answer_len_bytes, binary || request[0] == 'x', bytes,
                               sizeof(bytes))
                  : 0;
        if (got > count)
            got = (size_t)count;
        blocks_keep(&cache->blocks, gva, bytes, got, now_ms);
        if (got > 0 && binary)
            return put_bytes('m', bytes, got, reply, cap_bytes);
    } else if (is_lasting(cache, request, len_bytes, answer_len_bytes)) {
        keep_answer(cache, request, len_bytes, answer, answer_len_bytes, true);
    } else if (is_steady(request, len_bytes)) {
        keep_answer(cache, request, len_bytes, answer, answer_len_bytes, false);
    }
    if (answer_len_bytes > cap_bytes)
        answer_len_bytes = cap_bytes;
    memcpy(reply, answer, answer_len_bytes);
    return answer_len_bytes;
}
