#include "cmd/eval/guard_file.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/json_lines.h"
#include "base/list.h"

static const char hint[] = "A line looks like {\"model\": \"large-march\", \"correct\": 1, \"task\": \"sums\", \"id\": "
                           "\"17\"}; the last two may be left out.";

struct reading {
    struct json_lines lines;
    struct guard_answers *out;
};

/* False: there are too many names. */
static bool
number_of(char **names, unsigned *count, struct slice name, uint8_t *number)
{
    for (unsigned i = 0; i < *count; i++)
        if (slice_is(name, names[i])) {
            *number = (uint8_t)i;
            return true;
        }
    if (*count == GUARD_NAMES_MOST)
        return false;
    *number = (uint8_t)*count;
    names[(*count)++] = slice_strdup(name);
    return true;
}

static void
take_id(yyjson_val *id, struct guard_answer *answer)
{
    uint64_t number = yyjson_is_uint(id) ? yyjson_get_uint(id) : 0;

    answer->has_id = yyjson_is_str(id) || yyjson_is_uint(id);
    answer->id = yyjson_is_str(id) ? hash_fast(json_lines_text(id), answer->task)
                                   : hash_fast(slice_make((const char *)&number, sizeof(number)), answer->task);
}

static enum status
take(struct json_lines *lines, yyjson_val *root)
{
    struct reading *reading = CONTAINER_OF(lines, struct reading, lines);
    struct guard_answers *out = reading->out;
    yyjson_val *model = yyjson_obj_get(root, "model"), *correct = yyjson_obj_get(root, "correct");
    struct guard_answer answer = {.model = 0};

    if (!yyjson_is_str(model))
        return json_lines_bad(&reading->lines, ERR_INVALID, "expected model, a text");
    if (!yyjson_is_bool(correct) &&
        !(yyjson_is_num(correct) && yyjson_get_num(correct) >= 0 && yyjson_get_num(correct) <= 1))
        return json_lines_bad(&reading->lines, ERR_INVALID, "expected correct, a number from 0 to 1");
    if (out->count == GUARD_LINES_MOST)
        return json_lines_bad(&reading->lines, ERR_LIMIT,
                              "there are more answers than can be judged at once; take a sample");
    if (!number_of(out->models, &out->model_count, json_lines_text(model), &answer.model) ||
        !number_of(out->tasks, &out->task_count, json_lines_text(yyjson_obj_get(root, "task")), &answer.task))
        return json_lines_bad(&reading->lines, ERR_LIMIT, "there are more than 64 models or tasks");
    take_id(yyjson_obj_get(root, "id"), &answer);
    answer.correct = yyjson_is_bool(correct) ? (float)yyjson_get_bool(correct) : (float)yyjson_get_num(correct);
    if (out->count == out->size) {
        out->size = out->size > 0 ? 2 * out->size : 1024;
        out->all = must_realloc(out->all, out->size * sizeof(out->all[0]));
    }
    out->all[out->count++] = answer;
    return OK;
}

enum status
guard_answers_read(FILE *file, const char *name, struct problems *problems, struct guard_answers *answers)
{
    struct reading reading = {.lines = {.name = name, .hint = hint, .problems = problems, .take = take},
                              .out = answers};
    enum status status;

    *answers = (struct guard_answers){.count = 0};
    status = json_lines_read(&reading.lines, file);
    return status == OK && answers->count == 0 ? json_lines_empty(&reading.lines, "it holds no answers") : status;
}

void
guard_answers_free(struct guard_answers *answers)
{
    for (unsigned i = 0; i < answers->model_count; i++)
        free(answers->models[i]);
    for (unsigned i = 0; i < answers->task_count; i++)
        free(answers->tasks[i]);
    free(answers->all);
    *answers = (struct guard_answers){.count = 0};
}

/* Up to the last "-". */
static struct slice
family_of(const char *model)
{
    const char *dash = strrchr(model, '-');

    return dash != NULL ? slice_make(model, (size_t)(dash - model)) : slice_of(model);
}

/* The version that came next; -1: none did. */
static int
next_version(const struct guard_answers *answers, unsigned from)
{
    for (unsigned to = from + 1; to < answers->model_count; to++)
        if (slice_equal(family_of(answers->models[from]), family_of(answers->models[to])))
            return (int)to;
    return -1;
}

static int
by_question(const void *a, const void *b)
{
    const struct guard_answer *left = a, *right = b;

    if (left->id != right->id)
        return left->id < right->id ? -1 : 1;
    return (int)left->model - (int)right->model;
}

/* The answers of one version on a task, or of a second one too, by question. */
static struct guard_answer *
select_answers(const struct guard_answers *answers, unsigned task, unsigned one, unsigned other, size_t *count)
{
    struct guard_answer *selected = must_alloc((answers->count + 1) * sizeof(*selected));

    *count = 0;
    for (size_t i = 0; i < answers->count; i++)
        if (answers->all[i].task == task && (answers->all[i].model == one || answers->all[i].model == other))
            selected[(*count)++] = answers->all[i];
    qsort(selected, *count, sizeof(*selected), by_question);
    return selected;
}

/* Of a question that both have answered: 1 if the later version is as right, less by what it is less right. */
static bool
pair_up(const struct guard_answers *answers, unsigned task, unsigned from, unsigned to, struct guard_change *change)
{
    size_t count;
    struct guard_answer *both = select_answers(answers, task, from, to, &count);

    change->before = must_alloc(sizeof(float));
    change->before[0] = 1;
    change->before_count = 1;
    change->after = must_alloc((count + 1) * sizeof(float));
    for (size_t i = 0; i + 1 < count; i++) {
        const struct guard_answer *one = &both[i], *two = &both[i + 1];

        if (one->has_id && two->has_id && one->id == two->id && one->model == from && two->model == to)
            change->after[change->after_count++] = fminf(1, 1 - one->correct + two->correct);
    }
    free(both);
    change->paired = change->after_count > 0;
    if (!change->paired) {
        free(change->before);
        free(change->after);
    }
    return change->paired;
}

static float *
outcomes_of(const struct guard_answers *answers, unsigned task, unsigned model, size_t *count)
{
    struct guard_answer *own = select_answers(answers, task, model, model, count);
    float *outcomes = must_alloc((*count + 1) * sizeof(float));

    for (size_t i = 0; i < *count; i++)
        outcomes[i] = own[i].correct;
    free(own);
    return outcomes;
}

static void
free_change(struct guard_change *change)
{
    free(change->before);
    free(change->after);
}

size_t
guard_changes(const struct guard_answers *answers, struct guard_change **out)
{
    size_t count = 0;

    *out = must_alloc(((size_t)answers->model_count * answers->task_count + 1) * sizeof(**out));
    for (unsigned from = 0; from < answers->model_count; from++) {
        int to = next_version(answers, from);

        for (unsigned task = 0; task < answers->task_count && to >= 0; task++) {
            struct guard_change change = {.task = answers->tasks[task]};

            change.from = answers->models[from];
            change.to = answers->models[to];
            if (!pair_up(answers, task, from, (unsigned)to, &change)) {
                change.before = outcomes_of(answers, task, from, &change.before_count);
                change.after = outcomes_of(answers, task, (unsigned)to, &change.after_count);
            }
            (*out)[count++] = change;
            if (change.before_count == 0 || change.after_count == 0)
                free_change(&(*out)[--count]);
        }
    }
    return count;
}

void
guard_changes_free(struct guard_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free_change(&changes[i]);
    free(changes);
}
