/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Code breakpoints and watchpoints that leave no trace in guest memory. First choice is a debug
 * register that the guest does not use (linear address, any paging mode, nothing to hide); code
 * breakpoints beyond those take the right to execute away from their page in the nested map, and
 * the instructions around them are stepped. The guest can overwrite or reload the page: nothing of
 * ours is in it. Addresses whose mapping comes or goes need a register: a page that becomes present
 * makes no exit.
 */
#pragma once

#include "dbg/codepool.h"
#include "dbg/eval.h"
#include "dbg/target.h"

#define BREAKS_MAX      64u
#define BREAK_CODES_MAX 4u     /* conditions, and as many command lists */
#define BREAK_FUEL      20000u /* opcodes for one evaluation */

enum break_type { BREAK_SOFT, BREAK_HARD, BREAK_WRITE, BREAK_READ, BREAK_ACCESS }; /* Z0 to Z4 */

static inline bool break_is_data(uint8_t type)
{
    return type >= BREAK_WRITE;
}

#define PAGE_NOWHERE (~UINT64_C(0))

enum break_place {
    PLACE_NONE, /* displaced: the guest took the debug register */
    PLACE_DR,
    PLACE_PAGE,
    PLACE_UNMAPPED /* wanted a page, but the address is not mapped now */
};

struct breakpoint {
    bool used;
    uint8_t type;      /* enum break_type */
    uint8_t len_bytes; /* watchpoints: 1, 2, 4, 8 */
    uint8_t place;     /* enum break_place */
    uint8_t slot;      /* PLACE_DR */
    uint8_t condition_count, command_count;
    uint16_t condition[BREAK_CODES_MAX], command[BREAK_CODES_MAX]; /* pool handles */
    bool moves; /* was unmapped or on another page at some time: first of code for a register */
    bool told;  /* that it waits for a mapping */
    uint64_t addr_gva;
    uint64_t page_gpa; /* where it is mapped; PAGE_NOWHERE: not now, or not looked yet */
    uint64_t old;      /* READ: value at the last look, to tell a write */
    uint64_t hits;
};

struct breaks {
    const struct dbg_target *target;
    struct codepool *pool;
    struct dbg_out out;
    struct breakpoint bp[BREAKS_MAX];
    unsigned top;              /* no row from here on is used: the exit path looks no further */
    uint64_t page[BREAKS_MAX]; /* pages trapped now */
    unsigned page_count;
    bool lifted; /* pages are executable for a step */
    unsigned count;
};

enum break_error { BREAK_OK, BREAK_E_FULL, BREAK_E_ADDRESS, BREAK_E_CODE, BREAK_E_NO_REGISTER };

/* Conditions and commands that come with a Z packet: bytecode lists. */
struct break_code {
    const uint8_t *bytes;
    size_t len_bytes;
};
struct break_request {
    uint8_t type;
    uint64_t addr_gva;
    uint64_t len_bytes; /* code: GDB's kind, ignored */
    unsigned condition_count, command_count;
    struct break_code condition[BREAK_CODES_MAX], command[BREAK_CODES_MAX];
};

/* An empty table. What is pointed at must outlive it; *out is copied. */
void breaks_init(struct breaks *breaks, const struct dbg_target *target, struct codepool *pool,
                 const struct dbg_out *out);

/* Inserting the same type and address again replaces conditions and commands. Every bytecode is
 * verified: one that cannot run refuses the whole request. When the pool has no room for the new ones
 * the breakpoint is gone, the old one as well. */
enum break_error breaks_insert(struct breaks *breaks, const struct break_request *request);

/* Removing what is not there is no error, as the protocol wants. */
void breaks_remove(struct breaks *breaks, uint8_t type, uint64_t addr_gva, uint64_t len_bytes);
void breaks_remove_all(struct breaks *breaks);

/* Chooses a place for each anew: after an insert, a guest's DR write, a change of paging. */
void breaks_place(struct breaks *breaks);

/* Says once of each breakpoint that waits for a mapping without a register to catch it. */
void breaks_tell_waiting(struct breaks *breaks);

/* Any with this place? Then the exits that may move it must be watched. */
bool breaks_any(const struct breaks *breaks, enum break_place place);

/* Loads the debug registers for the coming entry. stepping: code breakpoints stay out, and *landing
 * (may be NULL) takes a free register, or one that they leave. */
void breaks_load(struct breaks *breaks, unsigned cpu, bool stepping, const uint64_t *landing);

/* Makes trapped pages executable for a step, and traps them again. */
void breaks_lift(struct breaks *breaks, bool lift);

/* Is there a code breakpoint at this linear address? Its place, or PLACE_NONE. */
enum break_place breaks_at(const struct breaks *breaks, uint64_t gva);

/* Does a debug register hold a code breakpoint at this address? There may be one of another type on the
 * page as well, which breaks_at() names first. */
bool breaks_in_register(const struct breaks *breaks, uint64_t gva);

struct break_hit {
    bool ours;                   /* the exit belongs to us, in part at least */
    bool stop;                   /* conditions true and no commands */
    const struct breakpoint *bp; /* that stops */
    uint64_t guest_bits;         /* DR6 bits of the guest's own registers */
};

/* A #DB exit with these DR6 bits (0 where the platform is silent: inferred), or a fetch from a
 * trapped page. pc_gva: linear RIP. Runs conditions and commands. */
struct break_hit breaks_debug_exit(struct breaks *breaks, unsigned cpu, uint64_t dr6,
                                   uint64_t pc_gva);
struct break_hit breaks_fetch_exit(struct breaks *breaks, unsigned cpu, uint64_t gpa,
                                   uint64_t pc_gva);

/* One line that says what to do about it. */
const char *break_error_text(enum break_error error);
