/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Answers the broker has given GDB already. GDB asks the same thing several times at each stop, and a
 * serial line is slow; so what was asked once at a stop is answered from here the next time.
 *
 * What is kept holds for one stop only: broker_cache_drop() forgets it at every resume, stop and write,
 * whoever did it (session_epoch()), and memory is asked for anew after CACHE_MEMORY_MS, because a
 * device may write it while the CPU stands. What describes the stub itself lasts a session.
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

/* A stop reply: its registers are answers to `p`. */
void broker_cache_stop(struct broker_cache *cache, const char *stop);

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
