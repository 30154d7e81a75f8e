/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The words of the crash record that writer and parser share.
 */
#include "protocol/record.h"

#include <string.h>

const char *const record_why_words[RECORD_WHY_COUNT] = {
    [RECORD_LIVE] = "live",
    [RECORD_TRIPLE_FAULT] = "triple-fault",
    [RECORD_ENTRY_FAILURE] = "entry-failure",
    [RECORD_UNHANDLED] = "unhandled-exit",
    [RECORD_HV_FAULT] = "hypervisor-fault",
    [RECORD_HANG] = "hang",
};

const char *const record_walk_words[RECORD_WALK_COUNT] = {
    [RECORD_WALK_UNKNOWN] = "unknown",
    [RECORD_WALK_OK] = "ok",
    [RECORD_WALK_NOT_PRESENT] = "not-present",
    [RECORD_WALK_RESERVED] = "reserved-bit",
    [RECORD_WALK_NON_CANONICAL] = "non-canonical",
    [RECORD_WALK_NO_RAM] = "no-ram",
    [RECORD_WALK_NO_EXEC] = "no-exec",
};

const char *const record_touch_words[RECORD_TOUCH_COUNT] = {
    [RECORD_TOUCH_OPERAND] = "operand",       [RECORD_TOUCH_STACK] = "stack",
    [RECORD_TOUCH_TARGET] = "target",         [RECORD_TOUCH_CR2] = "cr2",
    [RECORD_TOUCH_DESCRIPTOR] = "descriptor",
};

void record_clear(struct crash_record *record, bool svm)
{
    memset(record, 0, sizeof(*record));
    record->revision = RECORD_REVISION;
    snapshot_clear(&record->state, svm);
}
