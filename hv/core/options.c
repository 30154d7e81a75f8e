/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hypervisor's command line, strictly: one row a word, an unknown word or value is refused with
 * the known ones. boot/ has opened the UART by then, so the sentence is seen.
 */
#include "core/options.h"
#include "core/ring.h"
#include "core/seeded.h"
#include "dev/uart.h"
#include "lib/log.h"
#include "lib/mem.h"

uint64_t seeded_mask;

static char error[384];

struct value {
    const char *text;
    size_t len_bytes;
};

static bool value_is(struct value value, const char *word)
{
    return strlen(word) == value.len_bytes && memcmp(value.text, word, value.len_bytes) == 0;
}

static const char *refuse(const char *option, struct value value, const char *known)
{
    fmt_str(error, sizeof(error), "option %s: '%.*s' is none of: %s", option, (int)value.len_bytes,
            value.text, known);
    return error;
}

static const char *set_wait(struct hv_options *out, struct value value)
{
    (void)value;
    out->wait = true;
    return NULL;
}

static const char *insist(struct hv_options *out, enum hv_insist which)
{
    if (out->insist != HV_INSIST_NONE && out->insist != which)
        return "options vmx and svm exclude each other: give one of them or none";
    out->insist = which;
    return NULL;
}

static const char *set_vmx(struct hv_options *out, struct value value)
{
    (void)value;
    return insist(out, HV_INSIST_VMX);
}

static const char *set_svm(struct hv_options *out, struct value value)
{
    (void)value;
    return insist(out, HV_INSIST_SVM);
}

static const char *set_efer(struct hv_options *out, struct value value)
{
    out->efer_in_controls = value_is(value, "controls");
    return out->efer_in_controls || value_is(value, "area")
               ? NULL
               : refuse("efer=", value, "area controls");
}

static const char *set_log(struct hv_options *out, struct value value)
{
    static const char *const names[] = {"error", "warn", "info", "debug", "trace"};

    (void)out;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (value_is(value, names[i])) {
            log_level = (enum log_level)i;
            return NULL;
        }
    }
    return refuse("log=", value, "error warn info debug trace");
}

static const char *set_ring(struct hv_options *out, struct value value)
{
    uint64_t records;

    if (!str_number(value.text, value.len_bytes, &records) || !records ||
        records > RING_MAX_RECORDS) {
        fmt_str(error, sizeof(error), "option ring=: '%.*s' is no number from 1 to %u",
                (int)value.len_bytes, value.text, RING_MAX_RECORDS);
        return error;
    }
    out->ring_records = (uint32_t)records;
    return NULL;
}

static const char *set_fault(struct hv_options *out, struct value value)
{
    static const char *const names[] = {
#define SEEDED(NAME, word, cause) word,
#include "core/seeded.def"
#undef SEEDED
    };
    static const char known[] = ""
#define SEEDED(NAME, word, cause) word " "
#include "core/seeded.def"
#undef SEEDED
        ;

    (void)out;
    for (;;) {
        struct value one = {value.text, 0};
        bool found = false;

        while (one.len_bytes < value.len_bytes && one.text[one.len_bytes] != ',')
            one.len_bytes++;
        for (unsigned i = 0; i < SEEDED_COUNT; i++) {
            if (value_is(one, names[i])) {
                seeded_mask |= UINT64_C(1) << i;
                found = true;
            }
        }
        if (!found)
            return refuse("fault=", one, known);
        if (one.len_bytes == value.len_bytes)
            return NULL;
        value.text += one.len_bytes + 1; /* behind the comma */
        value.len_bytes -= one.len_bytes + 1;
    }
}

/* Cuts the words behind the name off, one a call: "entry,seed=1,count=5". */
static bool find_comma(struct value *word, struct value *value)
{
    size_t last = value->len_bytes;

    while (last && value->text[last - 1] != ',')
        last--;
    if (!last)
        return false;
    *word = (struct value){value->text + last, value->len_bytes - last};
    value->len_bytes = last - 1;
    return true;
}

static bool set_selftest_number(struct hv_options *out, struct value word)
{
    uint64_t number;

    if (word.len_bytes > 5 && !memcmp(word.text, "seed=", 5) &&
        str_number(word.text + 5, word.len_bytes - 5, &number)) {
        out->selftest_seed = number;
        return true;
    }
    if (word.len_bytes > 6 && !memcmp(word.text, "count=", 6) &&
        str_number(word.text + 6, word.len_bytes - 6, &number) && number <= 100000000) {
        out->selftest_count = (uint32_t)number;
        return true;
    }
    return false;
}

static const char *set_selftest(struct hv_options *out, struct value value)
{
    static const char *const names[SELFTEST_COUNT] = {
        [SELFTEST_NONE] = "none",   [SELFTEST_FAULT] = "fault", [SELFTEST_STACK] = "stack",
        [SELFTEST_PANIC] = "panic", [SELFTEST_ENTRY] = "entry",
    };
    struct value rest = value;

    out->selftest_seed = 1;
    out->selftest_count = 2000;
    while (find_comma(&rest, &value))
        if (!set_selftest_number(out, rest))
            return refuse("selftest=entry,", rest, "seed=NUMBER count=NUMBER");
    for (unsigned i = 0; i < SELFTEST_COUNT; i++) {
        if (value_is(value, names[i])) {
            out->selftest = (enum hv_selftest)i;
            return NULL;
        }
    }
    return refuse("selftest=", value, "none fault stack panic entry[,seed=S][,count=N]");
}

static const char *set_uart(struct hv_options *out, struct value value)
{
    uint16_t base;
    uint32_t baud;
    const char *why = uart_parse(value.text, value.len_bytes, &base, &baud);

    (void)out;
    if (!why)
        return NULL;
    fmt_str(error, sizeof(error), "option uart= %s", why);
    return error;
}

static const struct option {
    const char *word; /* ends in '=' when a value follows */
    const char *(*set)(struct hv_options *out, struct value value);
} options[] = {
    {"uart=", set_uart}, {"wait", set_wait},    {"efer=", set_efer},
    {"vmx", set_vmx},    {"svm", set_svm},      {"log=", set_log},
    {"ring=", set_ring}, {"fault=", set_fault}, {"selftest=", set_selftest},
};

static const char *parse_word(struct value word, struct hv_options *out)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        size_t name_bytes = strlen(options[i].word);
        bool takes_value = options[i].word[name_bytes - 1] == '=';

        if (word.len_bytes < name_bytes || memcmp(word.text, options[i].word, name_bytes) != 0 ||
            (!takes_value && word.len_bytes != name_bytes))
            continue;
        return options[i].set(out,
                              (struct value){word.text + name_bytes, word.len_bytes - name_bytes});
    }
    fmt_str(error, sizeof(error),
            "unknown option '%.*s'; known: uart=PORT[,SPEED] wait efer=area|controls vmx svm "
            "log=LEVEL ring=N fault=NAME[,NAME] selftest=NAME",
            (int)(word.len_bytes < 64 ? word.len_bytes : 64), word.text);
    return error;
}

const char *options_parse(const char *words, struct hv_options *out)
{
    *out = (struct hv_options){0};
    for (;;) {
        struct value word = {0};
        const char *why;

        while (*words == ' ' || *words == '\t')
            words++;
        if (!*words)
            return NULL;
        word.text = words;
        while (*words && *words != ' ' && *words != '\t')
            words++;
        word.len_bytes = (size_t)(words - word.text);
        why = parse_word(word, out);
        if (why)
            return why;
    }
}
