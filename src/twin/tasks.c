#include "twin/tasks.h"

#include <math.h>
#include <stdlib.h>
#include <yyjson.h>

#include "twin/scan.h"
#include "twin/task_family.h"

/* How much harder each step of difficulty is, in logits. */
static const double TASK_STEP = 0.8;

/* The order is that of enum task_family. */
static const struct task_family_ops *const families[TASK_FAMILIES] = {
    &task_arithmetic, &task_units, &task_dates, &task_extract, &task_classify, &task_lookup, &task_guide,
};

const char *
task_family_name(enum task_family family)
{
    ENSURE(family < TASK_FAMILIES);
    return families[family]->name;
}

enum task_family
task_family_find(struct slice name)
{
    enum task_family family = 0;

    while (family < TASK_FAMILIES && !slice_is(name, families[family]->name))
        family++;
    return family;
}

void
task_make(struct task *task, enum task_family family, unsigned difficulty, uint64_t seed, struct arena *arena)
{
    struct rng rng;

    ENSURE(family < TASK_FAMILIES);
    ENSURE(difficulty >= 1 && difficulty <= TASK_DIFFICULTY_MOST);
    rng_seed(&rng, rng_mix(seed) ^ rng_mix(family * 64 + difficulty));
    *task = (struct task){.family = family, .difficulty = difficulty};
    families[family]->make(task, &rng, arena);
    ENSURE(task->prompt != NULL && task->truth != NULL);
}

bool
task_solve(struct slice prompt, struct arena *arena, struct solution *solution)
{
    for (enum task_family family = 0; family < TASK_FAMILIES; family++) {
        *solution = (struct solution){.family = family};
        if (!families[family]->solve(prompt, arena, solution))
            continue;
        ENSURE(solution->right != NULL && solution->wrong_count >= 1);
        ENSURE(solution->difficulty >= 1 && solution->difficulty <= TASK_DIFFICULTY_MOST);
        return true;
    }
    return false;
}

double
solution_chance(const struct solution *solution, double ability)
{
    double difficulty = families[solution->family]->hardness + TASK_STEP * ((double)solution->difficulty - 3);

    return 1 / (1 + exp(difficulty - ability));
}

/* Checking */

static bool
last_number(struct slice text, double *out)
{
    bool found = false;

    while (text.len != 0) {
        int64_t thousandths = 0;
        struct slice rest = text;

        if (*text.data != ' ' && scan_thousandths(&rest, &thousandths)) {
            *out = (double)thousandths / 1000;
            found = true;
            text = rest;
        } else {
            text = slice_from(text, 1);
        }
    }
    return found;
}

static bool
number_is_right(const struct solution *solution, struct slice answer)
{
    double given = 0;
    double right = strtod(solution->right, NULL);

    return last_number(answer, &given) && fabs(given - right) <= solution->tolerance;
}

static bool
date_is_right(const struct solution *solution, struct slice answer)
{
    struct slice right = slice_of(solution->right);
    int64_t day = 0, last = 0, wanted = 0;
    bool found = false;

    ENSURE(scan_date(&right, &wanted));
    for (; answer.len != 0; answer = slice_from(answer, 1)) {
        struct slice rest = answer;

        if (scan_date(&rest, &day)) {
            last = day;
            found = true;
        }
    }
    return found && last == wanted;
}

static bool
choice_is_right(const struct solution *solution, struct slice answer)
{
    bool named = false;

    for (unsigned i = 0; i < solution->choice_count; i++) {
        bool here = scan_find(answer, solution->choices[i]) < answer.len;
        bool right = slice_is_nocase(solution->choices[i], solution->right);

        if (here && !right)
            return false;
        named = named || (here && right);
    }
    return named;
}

static bool
member_is_right(yyjson_val *right, yyjson_val *given)
{
    if (given == NULL)
        return false;
    if (yyjson_is_num(right))
        return yyjson_is_num(given) && fabs(yyjson_get_num(right) - yyjson_get_num(given)) < 0.001;
    return yyjson_is_str(given) &&
           slice_is_nocase(slice_make(yyjson_get_str(given), yyjson_get_len(given)), yyjson_get_str(right));
}

static bool
members_are_right(yyjson_val *right, yyjson_val *given)
{
    size_t index = 0, count = 0;
    yyjson_val *key = NULL, *value = NULL;

    if (!yyjson_is_obj(given) || yyjson_obj_size(given) != yyjson_obj_size(right))
        return false;
    yyjson_obj_foreach(right, index, count, key, value)
    {
        if (!member_is_right(value, yyjson_obj_get(given, yyjson_get_str(key))))
            return false;
    }
    return true;
}

/* From the first brace to the last: models like to put JSON between fences or words. */
static struct slice
object_in(struct slice text)
{
    size_t open = slice_find_byte(text, '{');
    struct slice object = slice_from(text, open);

    while (object.len != 0 && object.data[object.len - 1] != '}')
        object.len--;
    return object;
}

static bool
json_is_right(const struct solution *solution, struct slice answer)
{
    struct slice object = object_in(answer);
    yyjson_doc *right = yyjson_read(solution->right, strlen(solution->right), 0);
    yyjson_doc *given = yyjson_read(object.data, object.len, 0);
    bool is = given != NULL && members_are_right(yyjson_doc_get_root(right), yyjson_doc_get_root(given));

    ENSURE(right != NULL);
    yyjson_doc_free(right);
    yyjson_doc_free(given);
    return is;
}

bool
solution_check(const struct solution *solution, struct slice answer)
{
    switch (solution->kind) {
    case SOLUTION_NUMBER:
        return number_is_right(solution, answer);
    case SOLUTION_DATE:
        return date_is_right(solution, answer);
    case SOLUTION_CHOICE:
        return choice_is_right(solution, answer);
    case SOLUTION_JSON:
        return json_is_right(solution, answer);
    }
    ENSURE(false);
    return false;
}

bool
task_check(struct slice prompt, struct slice answer)
{
    struct solution solution;
    struct arena arena;
    bool useful;

    arena_init(&arena);
    useful = task_solve(prompt, &arena, &solution) && solution_check(&solution, answer);
    arena_reset(&arena);
    return useful;
}

/* For the families */

void
solution_mistake(struct solution *solution, const char *wrong)
{
    if (solution->wrong_count == SOLUTION_WRONGS || solution_check(solution, slice_of(wrong)))
        return;
    for (unsigned i = 0; i < solution->wrong_count; i++)
        if (strcmp(solution->wrong[i], wrong) == 0)
            return;
    solution->wrong[solution->wrong_count++] = wrong;
}

const char *
task_pick(struct rng *rng, const char *const *texts, size_t count)
{
    return texts[rng_below(rng, count)];
}

int64_t
task_between(struct rng *rng, int64_t least, int64_t most)
{
    ENSURE(least <= most);
    return least + (int64_t)rng_below(rng, (uint64_t)(most - least) + 1);
}

const char *
task_hundredths_text(struct arena *arena, int64_t hundredths)
{
    const char *sign = hundredths < 0 ? "-" : "";
    int64_t size = hundredths < 0 ? -hundredths : hundredths;
    int whole = (int)(size % 100);

    if (whole == 0)
        return arena_printf(arena, "%s%lld", sign, (long long)(size / 100));
    if (whole % 10 == 0)
        return arena_printf(arena, "%s%lld.%d", sign, (long long)(size / 100), whole / 10);
    return arena_printf(arena, "%s%lld.%02d", sign, (long long)(size / 100), whole);
}
