/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See kaslr.h. LSTAR holds the kernel's system-call entry; IDT gate 0 its #DE handler. */
#include "monitor/kaslr.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/console.h"
#include "monitor/out.h"
#include "monitor/target.h"
#include "protocol/tables.h"

#define KASLR_ALIGN UINT64_C(0x200000) /* CONFIG_PHYSICAL_ALIGN: the slide is a multiple */

static bool plausible(struct console *console, const char *name, uint64_t seen)
{
    uint64_t linked, before = symbols_slide(console->symbols);

    if (!symbols_find(console->symbols, name, &linked))
        return false;
    linked -= before;
    return seen >= linked && (seen - linked) % KASLR_ALIGN == 0 &&
           seen - linked < UINT64_C(1) << 31;
}

static bool try_name(struct console *console, const char *name, uint64_t seen)
{
    uint64_t before = symbols_slide(console->symbols);

    if (seen < UINT64_C(0xffffffff80000000) || !plausible(console, name, seen))
        return false;
    symbols_slide_to(console->symbols, name, seen);
    if (symbols_slide(console->symbols) != before)
        out_printf("the kernel runs 0x%" PRIx64 " above where it was linked (KASLR)\n",
                   symbols_slide(console->symbols));
    return true;
}

bool kaslr_find(struct console *console)
{
    static const char *const gates[] = {"asm_exc_divide_error", "divide_error"};
    uint64_t lstar, base, offset;
    uint8_t gate[16];

    if (!console_attached(console) || console_running(console) ||
        target_code_bits(console->target) != 64)
        return false;
    if (target_msr(console->target, MSR_lstar, &lstar) && lstar &&
        try_name(console, "entry_SYSCALL_64", lstar))
        return true;
    if (!target_reg(console->target, TL_REG_idtr_base, &base) || base == 0 ||
        target_read(console->target, base, gate, sizeof(gate)) != sizeof(gate))
        return false;
    offset = (uint64_t)gate[0] | (uint64_t)gate[1] << 8 | (uint64_t)gate[6] << 16 |
             (uint64_t)gate[7] << 24;
    for (unsigned i = 0; i < 4; i++)
        offset |= (uint64_t)gate[8 + i] << (32 + 8 * i);
    for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++)
        if (try_name(console, gates[i], offset))
            return true;
    return false;
}
