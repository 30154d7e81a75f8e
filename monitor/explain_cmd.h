/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `trapline explain LOG...`: crash records out of logs, judged by protocol/explain.h. */
#pragma once

struct options;

/* Reads the files ("-": standard input), prints; returns the exit status: 0 when no log holds a
 * crash, 4 when one does, 2 when a file cannot be read. */
int explain_logs(const struct options *options);
