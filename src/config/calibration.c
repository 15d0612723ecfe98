#include "config/calibration.h"

#include <yyjson.h>

#include "base/hash.h"

static const char *const rules[] = {
    [JUDGE_EXACT] = "exact", [JUDGE_NUMERIC] = "numeric", [JUDGE_JSON] = "json", [JUDGE_EMBEDDING] = "embedding"};

const char *
judge_words(const struct judge_config *judge, struct arena *arena)
{
    if (!judge->is_set)
        return "none";
    if (judge->model != NULL)
        return arena_printf(arena, "model %s (%s)", judge->model->name, judge->model->upstream);
    if (judge->command != NULL)
        return arena_printf(arena, "command %s", judge->command);
    if (judge->http != NULL)
        return arena_printf(arena, "http %s", judge->http);
    if (judge->judge == JUDGE_NUMERIC)
        return arena_printf(arena, "numeric, %g%% apart", judge->tolerance_ppm / 1e4);
    if (judge->judge == JUDGE_EMBEDDING)
        return arena_printf(arena, "embedding, %g%% similar", judge->similar_ppm / 1e4);
    if (judge->json_schema != NULL)
        return arena_printf(arena, "json, schema %016llx",
                            (unsigned long long)hash_xxh64(slice_of(judge->json_schema), 0));
    return rules[judge->judge];
}

static bool
take_counts(yyjson_val *counts, uint32_t *out)
{
    size_t i, most;
    yyjson_val *count;

    if (yyjson_arr_size(counts) != CALIBRATION_STEPS)
        return false;
    yyjson_arr_foreach(counts, i, most, count)
    {
        if (!yyjson_is_uint(count) || yyjson_get_uint(count) > UINT32_MAX)
            return false;
        out[i] = (uint32_t)yyjson_get_uint(count);
    }
    return true;
}

static const struct judge_calibration *
take(yyjson_val *root, const char *words, struct arena *arena, const char **why)
{
    yyjson_val *told = yyjson_obj_get(root, "calibration"), *judge = yyjson_obj_get(told, "judge");
    struct judge_calibration *out = arena_alloc(arena, sizeof(*out));

    *why = "it is not what `equipoise eval judge --json` writes";
    if (!yyjson_is_str(judge) || !take_counts(yyjson_obj_get(told, "acceptable"), out->acceptable) ||
        !take_counts(yyjson_obj_get(told, "not_acceptable"), out->others))
        return NULL;
    *why = arena_printf(arena, "it is of another judge, \"%s\"; this route's is \"%s\"", yyjson_get_str(judge), words);
    return yyjson_equals_str(judge, words) ? out : NULL;
}

const struct judge_calibration *
calibration_read(struct slice text, const char *words, struct arena *arena, const char **why)
{
    yyjson_doc *doc = text.len > 0 ? yyjson_read(text.data, text.len, YYJSON_READ_NOFLAG) : NULL;
    const struct judge_calibration *read = take(yyjson_doc_get_root(doc), words, arena, why);

    yyjson_doc_free(doc);
    return read;
}
