/* Tasks whose truth can be computed, so that "useful" is checked and not assumed: made from a seed as a prompt in plain
 * English, read back and solved from that prompt alone, as a model would, and an answer checked against the solution.
 *
 * Whether a modelled model gets a task right follows the Rasch model of test theory (Rasch, 1960): with the model's
 * ability a and the task's difficulty b on one scale (in logits), P(right) = 1 / (1 + e^(b - a)). */
#ifndef TWIN_TASKS_H
#define TWIN_TASKS_H

#include "base/arena.h"
#include "base/rng.h"

enum task_family {
    TASK_ARITHMETIC,
    TASK_UNITS,
    TASK_DATES,
    TASK_EXTRACT,
    TASK_CLASSIFY,
    TASK_LOOKUP,
    TASK_GUIDE,
    TASK_FAMILIES
};

enum { TASK_DIFFICULTY_MOST = 5 }; /* difficulties go from 1 */

struct task {
    enum task_family family;
    unsigned difficulty;
    const char *prompt; /* in the arena it was made in */
    const char *truth;  /* an answer that is right */
};

/* What kind of answer is right. */
enum solution_kind {
    SOLUTION_NUMBER, /* the last number in the answer is within `tolerance` of the right one */
    SOLUTION_DATE,   /* the last date in the answer is it */
    SOLUTION_CHOICE, /* the answer names the right one of `choices` and no other */
    SOLUTION_JSON    /* the answer is, or holds, a JSON object with just these members */
};

enum { SOLUTION_WRONGS = 4, SOLUTION_CHOICES = 24 };

struct solution {
    enum task_family family;
    unsigned difficulty; /* as read from the prompt */
    enum solution_kind kind;
    const char *right;
    const char *wrong[SOLUTION_WRONGS]; /* plausible mistakes, none of them right */
    unsigned wrong_count;               /* at least 1 */
    struct slice choices[SOLUTION_CHOICES];
    unsigned choice_count;
    double tolerance;
};

const char *task_family_name(enum task_family family);

/* The task of that family and difficulty (1 to TASK_DIFFICULTY_MOST) that belongs to the seed. */
void task_make(struct task *task, enum task_family family, unsigned difficulty, uint64_t seed, struct arena *arena);

/* Reads the prompt and solves it; false if it is no task of any family. The solution lives in the arena. */
bool task_solve(struct slice prompt, struct arena *arena, struct solution *solution);

/* Is `answer` a useful one to this prompt? False too if the prompt is no task. */
bool task_check(struct slice prompt, struct slice answer);

/* The same with a solution at hand. */
bool solution_check(const struct solution *solution, struct slice answer);

/* The family of that name; TASK_FAMILIES: there is none. */
enum task_family task_family_find(struct slice name);

/* The chance that a model of this ability gets it right. */
double solution_chance(const struct solution *solution, double ability);

#endif
