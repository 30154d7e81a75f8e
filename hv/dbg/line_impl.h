/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside the line: what line.c, line_out.c and line_link.c share.
 */
#pragma once

#include "dbg/line.h"

/* line_out.c */
void line_flush_batch(struct line *line);
void line_flush_backlog(struct line *line);
/* Says how much was lost since it was said last, where there is somebody who takes it. */
void line_tell_lost(struct line *line);

/* line.c: one byte that is no frame's. */
void line_byte(struct line *line, uint8_t byte);

/* line_link.c. line_link_byte(): true when the byte was a frame's, or the link is on. */
void line_link_init(struct line *line);
bool line_link_byte(struct line *line, uint8_t byte);
void line_link_tick(struct line *line, uint64_t now_us);
/* LINE_CONSOLE: as much as goes; anything else: the line whole, or not at all. False: something was
 * lost. */
bool line_link_send(struct line *line, enum line_channel channel, const void *bytes,
                    size_t len_bytes);
/* One message on EVENTS, if it finds room at once. */
bool line_link_event(struct line *line, const char *text, size_t len_bytes);
void line_link_reply(struct line *line, const uint8_t *bytes, size_t len_bytes);
