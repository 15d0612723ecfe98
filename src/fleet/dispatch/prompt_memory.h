/* Which beginnings of prompts were sent lately, and how often one comes again while a provider still keeps it. Beginnings
 * are known by numbers (hashes) alone, so nothing that was asked is kept. Shared by all workers, under its own lock;
 * bounded: of many beginnings the ones used last stay. Forgotten with the process, as a provider would have forgotten
 * them soon after. */
#ifndef FLEET_PROMPT_MEMORY_H
#define FLEET_PROMPT_MEMORY_H

#include "base/slice.h"
#include "base/timers.h"

/* Providers keep a beginning for five minutes after its last use; Anthropic, if asked to, for an hour. */
#define PROMPT_LIFE_US (300 * USEC_PER_S)
#define PROMPT_HOUR_US (3600 * USEC_PER_S)

enum { PROMPT_HABITS = 7 };

struct prompt_memory;

struct prompt_memory *prompt_memory_new(void) __attribute__((returns_nonnull));
void prompt_memory_free(struct prompt_memory *memory);

/* Which of these was used within `life_us` before now, the first of them; `count` if none was. */
size_t prompt_memory_find(struct prompt_memory *memory, const uint64_t *beginnings, size_t count, usec life_us,
                          usec now_us);

/* They are used now, or were at that time: a use never makes one older. */
void prompt_memory_use(struct prompt_memory *memory, const uint64_t *beginnings, size_t count, usec now_us);

/* Habits: shares that are learned under a name, several of each (`which`, below PROMPT_HABITS). */

/* Of `whole` so much came true. Old ones fade: both are halved when the whole reaches `fade_at`. */
void prompt_memory_learn(struct prompt_memory *memory, struct slice name, unsigned which, double part, double whole,
                         double fade_at);

/* The share that is to be expected, where nothing is known `share`, which weighs as much as a whole of `weight`. */
double prompt_memory_share(struct prompt_memory *memory, struct slice name, unsigned which, double share,
                           double weight);

#endif
