#include "config/labelled.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_lines.h"
#include "base/list.h"
#include "config/config.h"

static const char hint[] =
    "A line looks like {\"prompt\": \"...\", \"scores\": {\"small\": 0, \"large\": 1}}, with 1 where "
    "the model's answer was acceptable.";

struct reading {
    struct json_lines lines;
    struct labelled *out;
};

unsigned
labelled_model(const struct labelled *labelled, struct slice name)
{
    for (unsigned i = 0; i < labelled->model_count; i++)
        if (slice_is(name, labelled->models[i]))
            return i;
    return LABELLED_MODELS_MOST;
}

unsigned
labelled_target(const struct labelled *labelled, const struct target *target)
{
    unsigned column = labelled_model(labelled, slice_of(target->name));

    return column != LABELLED_MODELS_MOST ? column : labelled_model(labelled, slice_of(target->model));
}

/* The first line says which models there are. */
static enum status
take_models(struct reading *reading, yyjson_val *scores)
{
    struct labelled *out = reading->out;
    size_t i, count;
    yyjson_val *key, *value;

    yyjson_obj_foreach(scores, i, count, key, value)
    {
        if (out->model_count == LABELLED_MODELS_MOST)
            return json_lines_bad(&reading->lines, ERR_LIMIT, "there are more than 15 models");
        if (labelled_model(out, json_lines_text(key)) != LABELLED_MODELS_MOST)
            return json_lines_bad(&reading->lines, ERR_INVALID, "a model has two scores");
        out->prices[out->model_count] = NAN;
        out->models[out->model_count++] = slice_strdup(json_lines_text(key));
    }
    return OK;
}

static bool
is_score(yyjson_val *value)
{
    return yyjson_is_bool(value) || (yyjson_is_num(value) && yyjson_get_num(value) >= 0 && yyjson_get_num(value) <= 1);
}

static enum status
take_scores(struct reading *reading, yyjson_val *scores, struct labelled_request *request)
{
    struct labelled *out = reading->out;

    if (!yyjson_is_obj(scores) || yyjson_obj_size(scores) == 0)
        return json_lines_bad(&reading->lines, ERR_INVALID, "expected scores, an object with a number for each model");
    if (out->model_count == 0) {
        enum status status = take_models(reading, scores);

        if (status != OK)
            return status;
    }
    if (yyjson_obj_size(scores) != out->model_count)
        return json_lines_bad(&reading->lines, ERR_INVALID,
                              "expected scores of the same models as in the lines before");
    for (unsigned i = 0; i < out->model_count; i++) {
        yyjson_val *score = yyjson_obj_get(scores, out->models[i]);

        if (score == NULL)
            return json_lines_bad(&reading->lines, ERR_INVALID,
                                  "expected scores of the same models as in the lines before");
        if (!is_score(score))
            return json_lines_bad(&reading->lines, ERR_INVALID, "expected each score to be from 0 to 1");
        request->scores[i] = yyjson_is_bool(score) ? (float)yyjson_get_bool(score) : (float)yyjson_get_num(score);
    }
    return OK;
}

static enum status
take_prices(struct reading *reading, yyjson_val *prices)
{
    struct labelled *out = reading->out;

    if (prices == NULL)
        return OK;
    if (!yyjson_is_obj(prices))
        return json_lines_bad(&reading->lines, ERR_INVALID,
                              "expected prices to be an object with a number for each model");
    for (unsigned i = 0; i < out->model_count; i++) {
        yyjson_val *price = yyjson_obj_get(prices, out->models[i]);

        if (price == NULL)
            continue;
        if (!yyjson_is_num(price) || !(yyjson_get_num(price) >= 0) || !isfinite(yyjson_get_num(price)))
            return json_lines_bad(&reading->lines, ERR_INVALID, "expected each price to be 0 or more");
        out->prices[i] = yyjson_get_num(price);
    }
    return OK;
}

static void
keep_text(struct labelled *out, struct slice text, size_t *at, size_t *len)
{
    *at = buffer_len(&out->texts);
    *len = text.len;
    buffer_add(&out->texts, text);
}

static void
add(struct labelled *out, const struct labelled_request *request)
{
    if (out->count == out->size) {
        out->size = out->size > 0 ? 2 * out->size : 1024;
        out->all = must_realloc(out->all, out->size * sizeof(out->all[0]));
    }
    out->all[out->count++] = *request;
}

static enum status
take(struct json_lines *lines, yyjson_val *root)
{
    struct reading *reading = CONTAINER_OF(lines, struct reading, lines);
    struct labelled *out = reading->out;
    struct labelled_request request = {.prompt = 0};
    yyjson_val *task = yyjson_obj_get(root, "task");
    enum status status;

    if (!yyjson_is_str(yyjson_obj_get(root, "prompt")))
        return json_lines_bad(&reading->lines, ERR_INVALID, "expected prompt, a text");
    if (task != NULL && !yyjson_is_str(task) && !yyjson_is_null(task))
        return json_lines_bad(&reading->lines, ERR_INVALID, "expected task to be a text");
    if (out->count == LABELLED_MOST)
        return json_lines_bad(&reading->lines, ERR_LIMIT,
                              "there are more requests than can be judged at once; take a sample");
    status = take_scores(reading, yyjson_obj_get(root, "scores"), &request);
    if (status != OK || (status = take_prices(reading, yyjson_obj_get(root, "prices"))) != OK)
        return status;
    keep_text(out, json_lines_text(yyjson_obj_get(root, "prompt")), &request.prompt, &request.prompt_len);
    keep_text(out, json_lines_text(task), &request.task, &request.task_len);
    add(out, &request);
    return OK;
}

enum status
labelled_read(FILE *file, const char *name, struct problems *problems, struct labelled *labelled)
{
    struct reading reading = {.lines = {.name = name, .hint = hint, .problems = problems, .take = take},
                              .out = labelled};
    size_t before = labelled->count;
    enum status status = json_lines_read(&reading.lines, file);

    return status == OK && labelled->count == before ? json_lines_empty(&reading.lines, "it holds no requests")
                                                     : status;
}

void
labelled_free(struct labelled *labelled)
{
    for (unsigned i = 0; i < labelled->model_count; i++)
        free(labelled->models[i]);
    free(labelled->all);
    buffer_free(&labelled->texts);
    *labelled = (struct labelled){.count = 0};
}

struct slice
labelled_prompt(const struct labelled *labelled, size_t request)
{
    const struct labelled_request *one = &labelled->all[request];

    return slice_first(slice_from(buffer_content(&labelled->texts), one->prompt), one->prompt_len);
}

struct slice
labelled_task(const struct labelled *labelled, size_t request)
{
    const struct labelled_request *one = &labelled->all[request];

    return slice_first(slice_from(buffer_content(&labelled->texts), one->task), one->task_len);
}
