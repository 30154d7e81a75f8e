/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the judges are written with; only audit*.c. */
#pragma once

#include "protocol/audit.h"
#include "protocol/text.h"

/* An empty line in buf, AUDIT_LINE_MAX bytes. */
struct text audit_begin(struct audit_out *out, char *buf);
/* The line is a disagreement: counted and passed on. */
void audit_found(struct audit_out *out, const struct text *t);
