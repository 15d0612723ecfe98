/* What each family of tasks fills in; see tasks.h. */
#ifndef TWIN_TASK_FAMILY_H
#define TWIN_TASK_FAMILY_H

#include "twin/tasks.h"

struct task_family_ops {
    const char *name;
    double hardness; /* of difficulty 3, in logits; each step up or down is TASK_STEP more or less */
    /* Fills in prompt and truth from random numbers. */
    void (*make)(struct task *task, struct rng *rng, struct arena *arena);
    /* Fills in difficulty, kind, right, choices, tolerance, and mistakes by solution_mistake; false if the prompt is
     * not of this family. */
    bool (*solve)(struct slice prompt, struct arena *arena, struct solution *solution);
};

extern const struct task_family_ops task_arithmetic, task_units, task_dates, task_extract, task_classify, task_lookup,
    task_guide;

/* Adds a plausible mistake, unless it happens to be right or is known or there are enough. Call after `right`, `kind`,
 * `choices` and `tolerance` are set. */
void solution_mistake(struct solution *solution, const char *wrong);

/* One of `count` texts. */
const char *task_pick(struct rng *rng, const char *const *texts, size_t count);

/* Evenly from least to most. */
int64_t task_between(struct rng *rng, int64_t least, int64_t most);

/* `hundredths` as a number without needless zeros: 1250 is "12.5". */
const char *task_hundredths_text(struct arena *arena, int64_t hundredths);

#define TASK_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
