/* Reads a price file into the book: providers, how their answers are read, and their models. */
#include <stdlib.h>

#include "money/prices/prices_reader.h"

static enum status
read_model(struct reader *r, yyjson_val *object, const struct provider *provider, struct model *out)
{
    enum status status = reader_take_text(r, object, "id", &out->id);

    if (status != OK)
        return status;
    r->owner = READER_SAY(r, "%s, model %s", provider->id, out->id);
    out->provider = provider;
    out->place = reader_place(r, yyjson_obj_get(object, "id"));
    out->name = reader_maybe_text(r, object, "name");
    if (reader_number(yyjson_obj_get(object, "context_window"), &out->context_window) != OK)
        out->context_window = 0;
    status = reader_clause(r, yyjson_obj_get(object, "match"), 0, &out->match);
    if (status == OK)
        status = reader_prices(r, yyjson_obj_get(object, "prices"), out);
    return status == OK ? reader_variants(r, yyjson_obj_get(object, "price_variants"), out) : status;
}

/* Extractors */

static enum status
read_step(struct reader *r, yyjson_val *value, struct step *out)
{
    if (yyjson_is_obj(value)) {
        out->in_list = true;
        if (reader_take_text(r, value, "field", &out->member) != OK)
            return ERR_INVALID;
        return reader_clause(r, yyjson_obj_get(value, "match"), 0, &out->match);
    }
    if (!yyjson_is_str(value))
        return reader_refuse(r, value, "a path must be a text, or a list of texts and array matches");
    out->member = arena_slice_text(&r->book->arena, reader_text(value));
    return OK;
}

static enum status
read_path(struct reader *r, yyjson_val *value, struct path *out)
{
    size_t count = yyjson_is_arr(value) ? yyjson_arr_size(value) : 1;

    out->steps = arena_alloc(&r->book->arena, count * sizeof *out->steps);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *step = yyjson_is_arr(value) ? yyjson_arr_get(value, i) : value;

        if (read_step(r, step, &out->steps[i]) != OK)
            return ERR_INVALID;
        out->count++;
    }
    if (out->count == 0 || out->steps[out->count - 1].in_list)
        return reader_refuse(r, value, "a path must end with the name of a member");
    return OK;
}

static enum status
read_mappings(struct reader *r, yyjson_val *list, struct extractor *out)
{
    yyjson_val *item;
    size_t index, count;

    out->mappings = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *out->mappings);
    yyjson_arr_foreach(list, index, count, item)
    {
        struct mapping *mapping = &out->mappings[out->mapping_count];
        yyjson_val *dest = yyjson_obj_get(item, "dest"), *required = yyjson_obj_get(item, "required");

        if (usage_kind_find(reader_text(dest), &mapping->kind) != OK || mapping->kind == USAGE_requests) {
            reader_complain(r, PROBLEM_WARNING, dest, "this destination is not known, and is left out", NULL);
            continue;
        }
        mapping->required = required == NULL || yyjson_get_bool(required);
        if (read_path(r, yyjson_obj_get(item, "path"), &mapping->path) != OK)
            return ERR_INVALID;
        out->mapping_count++;
    }
    return OK;
}

static enum status
read_extractor(struct reader *r, yyjson_val *object, struct extractor *out)
{
    yyjson_val *model = yyjson_obj_get(object, "model_path");
    const char *flavor = reader_maybe_text(r, object, "api_flavor");

    out->flavor = flavor != NULL ? flavor : "default";
    if (read_path(r, yyjson_obj_get(object, "root"), &out->root) != OK)
        return ERR_INVALID;
    if (model != NULL && read_path(r, model, &out->model) != OK)
        return ERR_INVALID;
    return read_mappings(r, yyjson_obj_get(object, "mappings"), out);
}

static enum status
read_extractors(struct reader *r, yyjson_val *list, struct provider *out)
{
    yyjson_val *item;
    size_t index, count;

    out->extractors = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *out->extractors);
    yyjson_arr_foreach(list, index, count, item)
    {
        if (read_extractor(r, item, &out->extractors[out->extractor_count]) != OK)
            return ERR_INVALID;
        out->extractor_count++;
    }
    return OK;
}

/* Providers */

static enum status
read_fallbacks(struct reader *r, yyjson_val *list, struct provider *out)
{
    yyjson_val *item;
    size_t index, count;

    out->fallbacks = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *out->fallbacks);
    yyjson_arr_foreach(list, index, count, item)
    {
        if (!yyjson_is_str(item))
            return reader_refuse(r, item, "\"fallback_model_providers\" must be a list of providers' ids");
        out->fallbacks[out->fallback_count++] = arena_slice_text(&r->book->arena, reader_text(item));
    }
    return OK;
}

static enum status
read_names(struct reader *r, yyjson_val *object, struct provider *out)
{
    yyjson_val *url = yyjson_obj_get(object, "api_pattern");

    if (url != NULL && !yyjson_is_null(url)) {
        out->url = yyjson_is_str(url) ? prices_compile_regex(r->book, reader_text(url), true) : NULL;
        if (out->url == NULL)
            reader_complain(r, PROBLEM_WARNING, url, "\"api_pattern\" is not understood and never matches", NULL);
    }
    if (reader_maybe_clause(r, object, "model_match", &out->has_model_match, &out->model_match) != OK)
        return ERR_INVALID;
    if (reader_maybe_clause(r, object, "provider_match", &out->has_provider_match, &out->provider_match) != OK)
        return ERR_INVALID;
    return read_fallbacks(r, yyjson_obj_get(object, "fallback_model_providers"), out);
}

/* All models are read even if one is refused, so that all problems are shown. */
static enum status
read_models(struct reader *r, yyjson_val *list, struct provider *out)
{
    enum status worst = OK;
    yyjson_val *item;
    size_t index, count;

    if (!yyjson_is_arr(list))
        return reader_refuse(r, list, "\"models\" must be a list");
    out->models = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *out->models);
    yyjson_arr_foreach(list, index, count, item)
    {
        enum status status;

        r->owner = out->id;
        status = read_model(r, item, out, &out->models[out->model_count]);
        worst = status != OK ? status : worst;
        out->model_count += status == OK;
    }
    return worst;
}

static enum status
read_provider(struct reader *r, yyjson_val *object, struct provider *out)
{
    const char *name = reader_maybe_text(r, object, "name");
    enum status status;

    r->owner = NULL;
    if (!yyjson_is_obj(object))
        return reader_refuse(r, object, "a provider must be an object with \"id\" and \"models\"");
    status = reader_take_text(r, object, "id", &out->id);
    if (status != OK)
        return status;
    r->owner = out->id;
    out->name = name != NULL ? name : out->id;
    out->place = reader_place(r, yyjson_obj_get(object, "id"));
    status = read_names(r, object, out);
    if (status == OK)
        status = read_extractors(r, yyjson_obj_get(object, "extractors"), out);
    return status == OK ? read_models(r, yyjson_obj_get(object, "models"), out) : status;
}

static enum status
read_providers(struct reader *r, yyjson_val *list)
{
    struct layer *layer = &r->book->layers[r->book->layer_count];
    enum status worst = OK;
    yyjson_val *item;
    size_t index, count;

    ENSURE(r->book->layer_count < LAYERS_MOST);
    if (!yyjson_is_arr(list))
        return reader_refuse(r, list,
                             "a price file is a list of providers: [{\"id\": \"openai\", \"models\": [...]}, ...]");
    layer->providers = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *layer->providers);
    yyjson_arr_foreach(list, index, count, item)
    {
        enum status status = read_provider(r, item, &layer->providers[layer->provider_count]);

        worst = status != OK ? status : worst;
        layer->provider_count += status == OK;
    }
    r->book->layer_count++;
    return worst;
}

static enum status
complain_json(struct reader *r, const yyjson_read_err *error)
{
    struct place place = reader_place_at(r, error->pos <= r->json.len ? error->pos : r->json.len);

    problems_add(
        r->problems,
        (struct problem){.severity = PROBLEM_ERROR, .file = r->file, .line = place.line, .column = place.column},
        "this is not JSON: %s", error->msg);
    return ERR_INVALID;
}

enum status
prices_read_layer(struct price_book *book, struct slice json, const char *file, struct problems *problems)
{
    char *text = must_calloc(1, json.len + YYJSON_PADDING_SIZE);
    struct reader r = {.book = book, .problems = problems, .file = file, .text = text, .json = json, .line = 1};
    yyjson_read_err error;
    yyjson_doc *doc;
    enum status status;

    if (json.len > 0)
        memcpy(text, json.data, json.len);
    doc = yyjson_read_opts(text, json.len, YYJSON_READ_INSITU | YYJSON_READ_NUMBER_AS_RAW, NULL, &error);
    status = doc != NULL ? read_providers(&r, yyjson_doc_get_root(doc)) : complain_json(&r, &error);
    yyjson_doc_free(doc);
    free(text);
    return status;
}
