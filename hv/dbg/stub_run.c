/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets that resume, stop, detach, and those that insert and remove breakpoints.
 */
#include "dbg/stub_impl.h"
#include "dbg/wants.h"
#include "lib/mem.h"

#define CODE_BYTES 2048u /* bytecode of one Z packet */

static enum stub_answer resume(struct stub *stub, unsigned cpu, enum run_goal goal, uint64_t first,
                               uint64_t end)
{
    const struct dbg_target *t = stub->target;

    if (stub->dead && !stub->edited)
        return stub_fail(stub, TL_E_dead, NULL);
    t->revive(t->machine, cpu);
    for (unsigned other = 0; other < t->cpus; other++)
        if (other != cpu)
            run_resume(&stub->run, other, RUN_CONTINUE, 0, 0);
    if (!run_resume(&stub->run, cpu, goal, first,
                    end)) { /* STI, CLI, HLT: done without the guest */
        stub->stops++;
        stub_stop_reply(stub, &stub->reply);
        return STUB_REPLY;
    }
    stub->stopped = false;
    stub->dead = false;
    stub->reply_due = true;
    return STUB_RESUMED;
}

/* [ADDR] of c, s and the ;ADDR of C, S. False: syntax. */
static bool take_address(struct stub *stub, struct args args)
{
    uint64_t rip;

    if (args_empty(&args))
        return true;
    if (!args_number(args, &rip))
        return false;
    return stub->target->reg_write(stub->target->machine, stub->cpu, TL_REG_rip, rip) == 0;
}

/* The signal of C and S is dropped: there is no process to give it to. */
static bool take_signal(struct args *args)
{
    uint64_t signal;

    return args_hex(args, &signal) && (args_char(args, ';') || args_empty(args));
}

enum stub_answer packet_c(struct stub *stub, struct args args)
{
    return take_address(stub, args) ? resume(stub, stub->cpu, RUN_CONTINUE, 0, 0)
                                    : stub_syntax(stub);
}

enum stub_answer packet_s(struct stub *stub, struct args args)
{
    return take_address(stub, args) ? resume(stub, stub->cpu, RUN_STEP, 0, 0) : stub_syntax(stub);
}

enum stub_answer packet_C(struct stub *stub, struct args args)
{
    return take_signal(&args) ? packet_c(stub, args) : stub_syntax(stub);
}

enum stub_answer packet_S(struct stub *stub, struct args args)
{
    return take_signal(&args) ? packet_s(stub, args) : stub_syntax(stub);
}

enum stub_answer packet_vcont_query(struct stub *stub, struct args args)
{
    (void)args;
    reply_str(&stub->reply, "vCont;c;C;s;S;r");
    return STUB_REPLY;
}

/* One action of vCont. False: syntax. */
static bool take_action(struct stub *stub, struct args *args, enum run_goal *goal, uint64_t *first,
                        uint64_t *end, bool *all, unsigned *cpu)
{
    uint64_t signal;

    *all = true;
    *cpu = stub->cpu;
    if (args_char(args, 'r')) {
        *goal = RUN_RANGE;
        if (!args_hex(args, first) || !args_char(args, ',') || !args_hex(args, end) ||
            *first > *end)
            return false;
    } else if (args_char(args, 'c')) {
        *goal = RUN_CONTINUE;
    } else if (args_char(args, 's')) {
        *goal = RUN_STEP;
    } else if (args_char(args, 'C') || args_char(args, 'S')) {
        *goal = args->at[-1] == 'C' ? RUN_CONTINUE : RUN_STEP;
        if (!args_hex(args, &signal))
            return false;
    } else {
        return false;
    }
    if (args_char(args, ':')) {
        *all = args->at < args->end && *args->at == '-';
        if (!stub_thread(stub, args, cpu))
            return false;
    }
    return args_empty(args) || *args->at == ';';
}

/* All vCPUs go when one goes; the first action that is not a plain "continue all" names the one that
 * steps. */
enum stub_answer packet_vcont(struct stub *stub, struct args args)
{
    enum run_goal goal = RUN_CONTINUE;
    uint64_t first = 0, end = 0;
    unsigned cpu = stub->cpu;
    bool any = false;

    while (args_char(&args, ';')) {
        enum run_goal one;
        uint64_t one_first = 0, one_end = 0;
        unsigned one_cpu;
        bool all;

        if (!take_action(stub, &args, &one, &one_first, &one_end, &all, &one_cpu))
            return stub_syntax(stub);
        if (!any || (goal == RUN_CONTINUE && one != RUN_CONTINUE && !all)) {
            goal = one;
            first = one_first;
            end = one_end;
            cpu = one_cpu;
        }
        any = true;
    }
    if (!any || !args_empty(&args))
        return stub_syntax(stub);
    return resume(stub, cpu, goal, first, end);
}

/* `?` in a stopped machine. */
enum stub_answer packet_stop_query(struct stub *stub, struct args args)
{
    (void)args;
    stub_stop_reply(stub, &stub->reply);
    return STUB_REPLY;
}

enum stub_answer packet_detach(struct stub *stub, struct args args)
{
    (void)args;
    stub->detach_after = true;
    return stub_ok(stub);
}

/* Never a reset: the guest is not the debugger's to destroy. GDB expects no reply. */
enum stub_answer packet_kill(struct stub *stub, struct args args)
{
    (void)args;
    stub->detach_after = true;
    return STUB_SILENT;
}

static enum tl_error error_of(enum break_error error)
{
    switch (error) {
    case BREAK_E_CODE:
        return TL_E_bad_code;
    case BREAK_E_ADDRESS:
        return TL_E_bad_value;
    default:
        return TL_E_table_full;
    }
}

/* "X3,ab0127X2,..." into codes. False: syntax, or too many. */
static bool take_codes(struct args *args, struct break_code *codes, unsigned *count, uint8_t *buf,
                       size_t *used)
{
    uint64_t len;

    while (args_char(args, 'X')) {
        struct args digits;

        if (!args_hex(args, &len) || !args_char(args, ',') || *count == BREAK_CODES_MAX ||
            len > CODE_BYTES - *used || args_len_bytes(args) < 2 * len || !len)
            return false;
        digits = (struct args){args->at, args->at + 2 * len};
        if (args_hex_bytes(&digits, buf + *used, (size_t)len) != (int)len)
            return false;
        args->at += 2 * len;
        codes[*count] = (struct break_code){buf + *used, (size_t)len};
        (*count)++;
        *used += (size_t)len;
    }
    return true;
}

static bool take_breakpoint(struct args *args, struct break_request *request)
{
    if (args_empty(args) || *args->at < '0' || *args->at > '4')
        return false;
    request->type = (uint8_t)(*args->at++ - '0');
    return args_char(args, ',') && args_hex(args, &request->addr_gva) && args_char(args, ',') &&
           args_hex(args, &request->len_bytes);
}

enum stub_answer packet_Z(struct stub *stub, struct args args)
{
    struct break_request request = {0};
    uint8_t code[CODE_BYTES];
    size_t used = 0;
    enum break_error error;

    if (!args_empty(&args) && (*args.at < '0' || *args.at > '4'))
        return STUB_REPLY; /* empty: no such type */
    if (!take_breakpoint(&args, &request))
        return stub_syntax(stub);
    while (args_char(&args, ';')) {
        unsigned before = request.condition_count + request.command_count;

        if (args_word(&args, "cmds:")) {
            uint64_t persist;

            if (!args_hex(&args, &persist) || !args_char(&args, ',') ||
                !take_codes(&args, request.command, &request.command_count, code, &used))
                return stub_syntax(stub);
        } else if (!take_codes(&args, request.condition, &request.condition_count, code, &used)) {
            return stub_syntax(stub);
        }
        if (request.condition_count + request.command_count == before) /* an empty list */
            return stub_syntax(stub);
    }
    if (!args_empty(&args)) /* something we do not understand: never OK */
        return stub_syntax(stub);
    error = breaks_insert(&stub->breaks, &request);
    run_sync(&stub->run);
    return error ? stub_fail(stub, error_of(error), break_error_text(error)) : stub_ok(stub);
}

enum stub_answer packet_z(struct stub *stub, struct args args)
{
    struct break_request request = {0};

    if (!args_empty(&args) && (*args.at < '0' || *args.at > '4'))
        return STUB_REPLY;
    if (!take_breakpoint(&args, &request) || !args_empty(&args))
        return stub_syntax(stub);
    breaks_remove(&stub->breaks, request.type, request.addr_gva, request.len_bytes);
    run_sync(&stub->run);
    return stub_ok(stub);
}

/* Exits that are the debugger's own or the line's are none that people wait for. */
#define NEXTEXIT_NEVER                                                                             \
    (DBG_KIND_BIT(TL_KIND_NONE) | DBG_KIND_BIT(TL_KIND_NMI) | DBG_KIND_BIT(TL_KIND_MTF) |          \
     DBG_KIND_BIT(TL_KIND_PREEMPTION_TIMER) | DBG_KIND_BIT(TL_KIND_INTERRUPT_WINDOW))

enum stub_answer tl_nextexit(struct stub *stub, struct args args)
{
    uint64_t kinds = 0;

    if (args_char(&args, ':'))
        while (!args_empty(&args)) {
            struct args word = args_until(&args, ",");
            uint64_t more = tl_kinds_by_word(word.at, args_len_bytes(&word));

            if (!more)
                return stub_fail(stub, TL_E_no_kind, NULL);
            kinds |= more;
        }
    stub->run.any_exit = true;
    stub->run.any_exit_kinds =
        kinds ? kinds : ((UINT64_C(1) << TL_KIND_COUNT) - 1) & ~NEXTEXIT_NEVER;
    run_sync(&stub->run);
    return resume(stub, stub->cpu, RUN_CONTINUE, 0, 0);
}
