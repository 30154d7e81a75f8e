/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Answers the broker has given GDB already. GDB asks the same thing several times at each stop, and a
 * serial line is slow; so what was asked once at a stop is answered from here the next time.
 *
 * What is kept holds for one stop only: broker_cache_drop() ends that at every resume, stop and write,
 * whoever did it (session_epoch()), and memory is asked for anew after CACHE_MEMORY_MS, because a
 * device may write it while the CPU stands. What describes the stub itself lasts a session.
 *
 * Memory that GDB reads at stop after stop (the line of code, the top of the stack) is followed: the
 * stub puts its checksum into each stop reply, and where that is the one of what is kept here, nothing
 * is read again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_MEMORY_MS 2000u

struct broker_cache;

struct broker_cache *broker_cache_new(void); /* NULL: no memory */
void broker_cache_free(struct broker_cache *cache);

/* The stop is over, or something was written. */
void broker_cache_drop(struct broker_cache *cache);

/* Another session. `ours`: the stub is Trapline's, whose vCPUs and packets stay what they are; `binary`:
 * it knows the packet `x`. */
void broker_cache_restart(struct broker_cache *cache, bool ours, bool binary);

/* A stop reply, once, when it has come: its registers are answers to `p`, its checksum may say that
 * what is followed still holds. */
void broker_cache_stop(struct broker_cache *cache, const char *stop, uint64_t now_ms);

/* Before a resume: the packet that makes the stub follow what GDB has read at this stop and the one
 * before. Returns its length, 0 when it follows that already. */
size_t broker_cache_follow(struct broker_cache *cache, char *packet, size_t cap_bytes);

/* The stub's answer to it was not OK: it will not be asked again this session. */
void broker_cache_follow_refused(struct broker_cache *cache);

/* The reply to `request` if it is known, else -1. Never more than cap_bytes. */
long broker_cache_find(struct broker_cache *cache, const char *request, size_t len_bytes,
                       uint64_t now_ms, uint8_t *reply, size_t cap_bytes);

/* What to ask the stub in its place, the same in fewer bytes; returns the length of what is in `ask`. */
size_t broker_cache_ask(const struct broker_cache *cache, const char *request, size_t len_bytes,
                        char *ask, size_t cap_bytes);

/* Keeps the stub's answer to what broker_cache_ask() gave, and makes the reply to `request` of it.
 * Returns the reply's length. */
size_t broker_cache_keep(struct broker_cache *cache, const char *request, size_t len_bytes,
                         const uint8_t *answer, size_t answer_len_bytes, uint64_t now_ms,
                         uint8_t *reply, size_t cap_bytes);
