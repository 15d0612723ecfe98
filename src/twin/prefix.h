/* Which beginnings of prompts a modelled provider still has cached. As OpenAI states for its own cache: from 1,024
 * tokens on, in steps of 128, kept for minutes after the last use. Blocks are known by the hash of all text up to their
 * end. One worker's. */
#ifndef TWIN_PREFIX_H
#define TWIN_PREFIX_H

#include "base/slice.h"
#include "base/timers.h"

enum { PREFIX_BLOCK_TOKENS = 128, PREFIX_TOKENS_LEAST = 1024 };

struct prefix_cache;

struct prefix_cache *prefix_new(void) __attribute__((returns_nonnull));
void prefix_free(struct prefix_cache *cache);

/* How many tokens at the start of `text` were cached for that model (`salt`); from now on all of its whole blocks are, those
 * that were not before for an hour, if they are within its first `hour_bytes`, else for five minutes. What is read is kept
 * for as long again as when it was written. */
int64_t prefix_use(struct prefix_cache *cache, uint64_t salt, struct slice text, size_t hour_bytes, usec now_us);

#endif
