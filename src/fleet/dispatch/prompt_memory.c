#include "fleet/dispatch/prompt_memory.h"

#include <stdlib.h>

#include "base/lock.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/status.h"

/* 8,192 rows of four: half a megabyte. */
enum { ROWS = 8192, ROW_PLACES = 4 };

struct place {
    uint64_t beginning; /* 0: free */
    usec used_us;
};

struct habit {
    double part, whole;
};

struct prompt_memory {
    struct lock lock;
    struct map habits; /* name -> PROMPT_HABITS of them; as many names as configurations have had */
    struct place rows[ROWS][ROW_PLACES];
};

struct prompt_memory *
prompt_memory_new(void)
{
    struct prompt_memory *memory = must_calloc(1, sizeof(*memory));

    lock_init(&memory->lock);
    map_init(&memory->habits);
    return memory;
}

void
prompt_memory_free(struct prompt_memory *memory)
{
    struct slice name;
    void *habits;

    for (size_t at = 0; map_next(&memory->habits, &at, &name, &habits);)
        free(habits);
    map_free(&memory->habits);
    lock_destroy(&memory->lock);
    free(memory);
}

static struct place *
row_of(struct prompt_memory *memory, uint64_t beginning)
{
    return memory->rows[rng_mix(beginning) % ROWS];
}

static bool
knows(struct prompt_memory *memory, uint64_t beginning, usec life_us, usec now_us)
{
    const struct place *row = row_of(memory, beginning);

    for (size_t i = 0; i < ROW_PLACES; i++)
        if (row[i].beginning == beginning)
            return beginning != 0 && now_us - row[i].used_us <= life_us;
    return false;
}

size_t
prompt_memory_find(struct prompt_memory *memory, const uint64_t *beginnings, size_t count, usec life_us, usec now_us)
{
    size_t found = 0;

    lock_take(&memory->lock);
    while (found < count && !knows(memory, beginnings[found], life_us, now_us))
        found++;
    lock_drop(&memory->lock);
    return found;
}

/* In its own place, else in that of the one used longest ago. */
static void
put(struct place *row, uint64_t beginning, usec now_us)
{
    struct place *oldest = &row[0];

    for (size_t i = 0; i < ROW_PLACES; i++) {
        if (row[i].beginning == beginning) {
            row[i].used_us = row[i].used_us > now_us ? row[i].used_us : now_us;
            return;
        }
        if (row[i].beginning == 0 || (oldest->beginning != 0 && row[i].used_us < oldest->used_us))
            oldest = &row[i];
    }
    *oldest = (struct place){beginning, now_us};
}

void
prompt_memory_use(struct prompt_memory *memory, const uint64_t *beginnings, size_t count, usec now_us)
{
    lock_take(&memory->lock);
    for (size_t i = 0; i < count; i++)
        if (beginnings[i] != 0)
            put(row_of(memory, beginnings[i]), beginnings[i], now_us);
    lock_drop(&memory->lock);
}

void
prompt_memory_learn(struct prompt_memory *memory, struct slice name, unsigned which, double part, double whole,
                    double fade_at)
{
    struct habit *habits;

    ENSURE(which < PROMPT_HABITS && part >= 0.0 && part <= whole);
    lock_take(&memory->lock);
    habits = map_get(&memory->habits, name);
    if (habits == NULL) {
        habits = must_calloc(PROMPT_HABITS, sizeof(*habits));
        map_put(&memory->habits, name, habits);
    }
    habits[which].part += part;
    habits[which].whole += whole;
    if (habits[which].whole >= fade_at) {
        habits[which].part /= 2;
        habits[which].whole /= 2;
    }
    lock_drop(&memory->lock);
}

double
prompt_memory_share(struct prompt_memory *memory, struct slice name, unsigned which, double share, double weight)
{
    const struct habit *habits;
    double expected = share;

    ENSURE(which < PROMPT_HABITS && weight > 0.0);
    lock_take(&memory->lock);
    habits = map_get(&memory->habits, name);
    if (habits != NULL)
        expected = (habits[which].part + share * weight) / (habits[which].whole + weight);
    lock_drop(&memory->lock);
    return expected;
}
