/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `trapline explain LOG...`: crash records out of logs, judged by protocol/explain.h. */
#pragma once

struct options;

/* Reads the files ("-": standard input), prints; returns the exit status: 0 when a crash was found and
 * explained, 1 when no log holds one, 2 when a file cannot be read. */
int explain_logs(const struct options *options);
