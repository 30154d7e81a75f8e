/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Playing a recorded session back without a machine: the same answers to the same questions, the
 * same stops and output after each resume.
 */
#pragma once

#include <stdbool.h>

struct session;

/* Attaches a session to a file that `record` or --record wrote. False after printing why. */
bool replay_attach(struct session *session, const char *path);
