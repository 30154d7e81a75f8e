/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Words, pairs and numbers of a crash record's line, each checked before it is believed.
 */
#include "protocol/record_words.h"

#include <string.h>

#include "protocol/rsp.h"

struct args record_word(struct args *rest)
{
    while (args_char(rest, ' '))
        ;
    return args_until(rest, " ");
}

bool record_pair(struct args *rest, struct args *key, struct args *value)
{
    struct args word = record_word(rest), whole = word;

    *key = args_until(&word, "=");
    *value = word;
    return key->end != whole.end; /* else there was no '=' to stop at */
}

struct args record_find(struct args rest, const char *wanted)
{
    struct args key, value;

    while (!args_empty(&rest))
        if (record_pair(&rest, &key, &value) && args_is(&key, wanted))
            return value;
    return args_of(NULL, 0);
}

bool record_number(struct args word, uint64_t *value)
{
    *value = 0;
    return args_word(&word, "0x") && args_len_bytes(&word) <= 16 && args_number(word, value);
}

unsigned record_bytes(struct args word, uint8_t *out, unsigned max)
{
    unsigned count = 0;

    for (; count < max && args_len_bytes(&word) >= 2; word.at += 2) {
        int high = rsp_hex_digit((uint8_t)word.at[0]), low = rsp_hex_digit((uint8_t)word.at[1]);

        if (high < 0 || low < 0)
            break;
        out[count++] = (uint8_t)(high << 4 | low);
    }
    return count;
}

void record_text(char *out, size_t cap_bytes, struct args rest)
{
    size_t length = 0;

    while (args_char(&rest, ' '))
        ;
    for (; !args_empty(&rest) && length < cap_bytes - 1; rest.at++)
        out[length++] = *rest.at >= ' ' && *rest.at < 0x7f ? *rest.at : '?';
    out[length] = 0;
}

int record_choice(struct args word, const char *const *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (args_is(&word, words[i]))
            return (int)i;
    return -1;
}

unsigned record_fill(struct args rest, const struct record_slot *slots, unsigned count)
{
    struct args key, value;
    unsigned bad = 0;

    while (!args_empty(&rest)) {
        if (!record_pair(&rest, &key, &value))
            continue;
        for (unsigned i = 0; i < count; i++) {
            uint64_t n;

            if (!args_is(&key, slots[i].key))
                continue;
            if (record_number(value, &n))
                memcpy(slots[i].at, &n, slots[i].len_bytes);
            else
                bad++;
        }
    }
    return bad;
}
