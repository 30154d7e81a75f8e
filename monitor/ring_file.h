/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rings as files: JSON lines, Chrome/Perfetto trace events. */
#pragma once

#include "monitor/ring.h"

bool ring_is_trace_name(const char *path); /* FILE.trace.json, FILE.json */
bool ring_write_lines(const char *path, const struct ring_rows *rows);
/* tsc_hz 0: ticks are shown as nanoseconds. */
bool ring_write_trace(const char *path, const struct ring_rows *rows, uint64_t tsc_hz);
