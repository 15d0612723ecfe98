/* Reads a price file into the book. Places are known because yyjson reads in place: a value's text still stands where it
 * stood in the file. Numbers stay text, so that "0.0375" is never rounded. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "money/prices_book.h"

enum { CLAUSE_DEPTH_MOST = 16 };

#define DAY_US (86400 * USEC_PER_S)

struct reader {
    struct price_book *book;
    struct problems *problems;
    const char *file;
    const char *text;  /* the copy that is read in place */
    struct slice json; /* the original: texts stand at the same offsets */
    size_t line_at;    /* the place found last: they are asked for in ascending order mostly */
    size_t line, line_start;
    const char *owner; /* "openai" or "openai, model gpt-4o": whose the problem is */
};

/* Problems and places */

static struct place
place_at(struct reader *r, size_t offset)
{
    if (offset < r->line_at) {
        r->line_at = r->line_start = 0;
        r->line = 1;
    }
    for (; r->line_at < offset; r->line_at++) {
        if (r->json.data[r->line_at] == '\n') {
            r->line++;
            r->line_start = r->line_at + 1;
        }
    }
    return (struct place){(unsigned)r->line, (unsigned)(offset - r->line_start + 1)};
}

static struct place
place_of(struct reader *r, yyjson_val *value)
{
    const char *at = yyjson_is_str(value) ? yyjson_get_str(value) : yyjson_is_raw(value) ? yyjson_get_raw(value) : NULL;

    if (at == NULL || at < r->text || at > r->text + r->json.len)
        return (struct place){0, 0};
    return place_at(r, (size_t)(at - r->text));
}

static void
complain(struct reader *r, enum severity severity, yyjson_val *where, const char *what, const char *hint)
{
    struct place place = place_of(r, where);
    struct problem problem = {
        .severity = severity, .file = r->file, .line = place.line, .column = place.column, .hint = hint};

    problems_add(r->problems, problem, "%s%s%s", r->owner != NULL ? r->owner : "", r->owner != NULL ? ": " : "", what);
}

static enum status
refuse(struct reader *r, yyjson_val *where, const char *what)
{
    complain(r, PROBLEM_ERROR, where, what, NULL);
    return ERR_INVALID;
}

#define SAY(r, ...) arena_printf(&(r)->book->arena, __VA_ARGS__)

/* Members */

static struct slice
text_of(yyjson_val *value)
{
    return yyjson_is_str(value) ? slice_make(yyjson_get_str(value), yyjson_get_len(value)) : SLICE_NONE;
}

static struct slice
raw_of(yyjson_val *value)
{
    return yyjson_is_raw(value) ? slice_make(yyjson_get_raw(value), yyjson_get_len(value)) : SLICE_NONE;
}

/* A text that must be there. */
static enum status
take_text(struct reader *r, yyjson_val *object, const char *name, const char **out)
{
    struct slice text = text_of(yyjson_obj_get(object, name));

    if (text.len == 0)
        return refuse(r, yyjson_obj_get(object, name), SAY(r, "\"%s\" must be a text that is not empty", name));
    *out = arena_slice_text(&r->book->arena, text);
    return OK;
}

static const char *
maybe_text(struct reader *r, yyjson_val *object, const char *name)
{
    struct slice text = text_of(yyjson_obj_get(object, name));

    return text.data != NULL ? arena_slice_text(&r->book->arena, text) : NULL;
}

static enum status
read_whole_number(yyjson_val *value, int64_t *out)
{
    wide_int number;
    enum status status = ERR_INVALID;

    if (yyjson_is_raw(value))
        status = wide_parse_decimal(raw_of(value), 0, false, &number);
    if (status != OK || number < 0 || number > USAGE_COUNT_MOST)
        return ERR_INVALID;
    *out = (int64_t)number;
    return OK;
}

/* Clauses */

static enum status read_clause(struct reader *r, yyjson_val *value, unsigned depth, struct clause *out);

static enum status
read_clauses(struct reader *r, yyjson_val *list, unsigned depth, struct clause *out)
{
    yyjson_val *item;
    size_t index, count;

    if (!yyjson_is_arr(list))
        return refuse(r, list, "\"or\" and \"and\" in a match want a list of matches");
    out->parts = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *out->parts);
    yyjson_arr_foreach(list, index, count, item)
    {
        enum status status = read_clause(r, item, depth + 1, &out->parts[out->part_count]);

        if (status != OK)
            return status;
        out->part_count++;
    }
    return OK;
}

static void
read_regex(struct reader *r, yyjson_val *value, struct clause *out)
{
    out->regex = prices_compile_regex(r->book, text_of(value), false);
    if (out->regex != NULL)
        return;
    out->kind = CLAUSE_NEVER;
    complain(r, PROBLEM_WARNING, value, "this regular expression is not understood and never matches",
             "Use groups, classes, \\d, \\w, \\s and small repeats; no look-around, no back-references.");
}

static bool
clause_kind_of(struct slice name, enum clause_kind *out)
{
    static const struct {
        const char *name;
        enum clause_kind kind;
    } kinds[] = {{"equals", CLAUSE_EQUALS},     {"starts_with", CLAUSE_STARTS}, {"ends_with", CLAUSE_ENDS},
                 {"contains", CLAUSE_CONTAINS}, {"regex", CLAUSE_REGEX},        {"or", CLAUSE_ANY_OF},
                 {"and", CLAUSE_ALL_OF}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (slice_is(name, kinds[i].name)) {
            *out = kinds[i].kind;
            return true;
        }
    }
    return false;
}

static enum status
read_clause(struct reader *r, yyjson_val *value, unsigned depth, struct clause *out)
{
    yyjson_obj_iter members;
    yyjson_val *name, *operand;

    *out = (struct clause){0};
    if (depth > CLAUSE_DEPTH_MOST)
        return refuse(r, value, "matches are nested too deep");
    if (!yyjson_obj_iter_init(value, &members) || (name = yyjson_obj_iter_next(&members)) == NULL)
        return refuse(r, value, "a match must be an object such as {\"equals\": \"gpt-5\"}");
    operand = yyjson_obj_iter_get_val(name);
    if (!clause_kind_of(text_of(name), &out->kind)) {
        complain(r, PROBLEM_WARNING, name, "this kind of match is not known and never matches",
                 "Known are equals, starts_with, ends_with, contains, regex, or, and.");
        return OK;
    }
    if (out->kind == CLAUSE_ANY_OF || out->kind == CLAUSE_ALL_OF)
        return read_clauses(r, operand, depth, out);
    if (!yyjson_is_str(operand))
        return refuse(r, name, "a match wants a text");
    if (out->kind == CLAUSE_REGEX)
        read_regex(r, operand, out);
    else
        out->text = prices_lower(&r->book->arena, text_of(operand));
    return OK;
}

static enum status
maybe_clause(struct reader *r, yyjson_val *object, const char *name, bool *has, struct clause *out)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    *has = value != NULL && !yyjson_is_null(value);
    return *has ? read_clause(r, value, 0, out) : OK;
}

/* Rates */

static enum status
read_rate(struct reader *r, yyjson_val *name, yyjson_val *value, enum usage_kind kind, usd_rate *out)
{
    enum status status = ERR_INVALID;
    struct slice number = yyjson_is_str(value) ? text_of(value) : raw_of(value);

    if (number.data != NULL)
        status = usd_rate_parse(number, out);
    if (status != OK)
        return refuse(r, number.data != NULL ? value : name,
                      SAY(r, "\"%s\" must be a price in dollars, 0 or more", usage_kind_price_name(kind)));
    if (prices_rate_plausible(kind, *out))
        return OK;
    complain(r, PROBLEM_ERROR, value,
             SAY(r, "\"%s\" is %.*s dollars per million tokens, which cannot be meant", usage_kind_price_name(kind),
                 SLICE_ARGS(number)),
             "This field is per million tokens. A price per token in its place is off by a factor of 1,000,000.");
    return ERR_INVALID;
}

static int
by_start(const void *a, const void *b)
{
    const struct length_tier *left = a, *right = b;

    return (left->start > right->start) - (left->start < right->start);
}

static enum status
read_tiers(struct reader *r, yyjson_val *name, yyjson_val *list, struct line *line)
{
    yyjson_val *item;
    size_t index, count;

    if (!yyjson_is_arr(list))
        return refuse(r, name, "\"tiers\" must be a list of {\"start\": tokens, \"price\": dollars}");
    line->tiers = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *line->tiers);
    yyjson_arr_foreach(list, index, count, item)
    {
        struct length_tier *tier = &line->tiers[line->tier_count];
        enum status status = read_rate(r, name, yyjson_obj_get(item, "price"), line->kind, &tier->rate);

        if (status != OK)
            return status;
        if (read_whole_number(yyjson_obj_get(item, "start"), &tier->start) != OK)
            return refuse(r, name, "a tier's \"start\" must be a whole number of tokens");
        line->tier_count++;
    }
    qsort(line->tiers, line->tier_count, sizeof *line->tiers, by_start);
    return OK;
}

static enum status
read_line(struct reader *r, yyjson_val *name, yyjson_val *value, enum usage_kind kind, struct line *line)
{
    enum status status;

    *line = (struct line){.kind = kind, .place = place_of(r, name)};
    if (!yyjson_is_obj(value))
        return read_rate(r, name, value, kind, &line->base);
    status = read_rate(r, name, yyjson_obj_get(value, "base"), kind, &line->base);
    return status != OK ? status : read_tiers(r, name, yyjson_obj_get(value, "tiers"), line);
}

static void
complain_unknown_unit(struct reader *r, yyjson_val *name)
{
    const char *known[USAGE_KIND_COUNT];
    const char *nearest;

    for (unsigned i = 0; i < USAGE_KIND_COUNT; i++)
        known[i] = usage_kind_price_name((enum usage_kind)i);
    nearest = text_nearest(text_of(name), known, USAGE_KIND_COUNT);
    complain(r, PROBLEM_WARNING, name,
             SAY(r, "\"%.*s\" is no unit that can be priced, and is left out", SLICE_ARGS(text_of(name))),
             nearest != NULL ? SAY(r, "Did you mean \"%s\"?", nearest) : NULL);
}

static uint64_t
tariff_kinds(const struct tariff *tariff)
{
    uint64_t kinds = 0;

    for (size_t i = 0; i < tariff->line_count; i++)
        kinds |= (uint64_t)1 << tariff->lines[i].kind;
    return kinds;
}

static enum status
read_tariff(struct reader *r, yyjson_val *object, struct tariff *out)
{
    yyjson_val *name, *value;
    size_t index, count;

    *out = (struct tariff){0};
    if (!yyjson_is_obj(object))
        return refuse(r, object, "\"prices\" must be an object such as {\"input_mtok\": 2.5, \"output_mtok\": 10}");
    out->lines = arena_alloc(&r->book->arena, yyjson_obj_size(object) * sizeof *out->lines);
    yyjson_obj_foreach(object, index, count, name, value)
    {
        enum usage_kind kind;
        enum status status;

        if (yyjson_is_null(value))
            continue;
        if (usage_kind_find_price(text_of(name), &kind) != OK) {
            complain_unknown_unit(r, name);
            continue;
        }
        if ((tariff_kinds(out) >> kind & 1) != 0)
            return refuse(r, name, "this price is given twice");
        status = read_line(r, name, value, kind, &out->lines[out->line_count]);
        if (status != OK)
            return status;
        out->line_count++;
    }
    return OK;
}

/* Constraints */

/* "16:30:00Z", "16:30:00", "16:30:00+02:00" as time of day in UTC. */
static enum status
read_time_of_day(struct reader *r, yyjson_val *value, usec *out)
{
    struct slice text = text_of(value);
    usec time;

    if (text.data == NULL || clock_parse_utc(slice_of(SAY(r, "2000-01-02T%.*s", SLICE_ARGS(text))), &time) != OK)
        return refuse(r, value, "a time of day must look like \"16:30:00Z\"");
    *out = time % DAY_US;
    return OK;
}

static enum status
read_constraint(struct reader *r, yyjson_val *object, struct constraint *out)
{
    yyjson_val *date = yyjson_obj_get(object, "start_date"), *start = yyjson_obj_get(object, "start_time");
    enum status status;

    *out = (struct constraint){.kind = HOLDS_ALWAYS};
    if (object == NULL || yyjson_is_null(object))
        return OK;
    if (date != NULL) {
        out->kind = HOLDS_FROM;
        out->place = place_of(r, date);
        if (yyjson_is_str(date) && clock_parse_utc(text_of(date), &out->from_wall_us) == OK)
            return OK;
        return refuse(r, date, "\"start_date\" must be a date such as \"2026-01-31\"");
    }
    if (start == NULL)
        return refuse(r, start, "a \"constraint\" must have \"start_date\", or \"start_time\" and \"end_time\"");
    out->kind = HOLDS_DAILY;
    out->place = place_of(r, start);
    status = read_time_of_day(r, start, &out->start_us);
    return status != OK ? status : read_time_of_day(r, yyjson_obj_get(object, "end_time"), &out->end_us);
}

static enum status
read_dated(struct reader *r, yyjson_val *object, struct dated_tariff *out)
{
    enum status status = read_constraint(r, yyjson_obj_get(object, "constraint"), &out->constraint);

    if (status == OK)
        status = read_tariff(r, yyjson_obj_get(object, "prices"), &out->tariff);
    out->tariff.fault = tariff_fault(tariff_kinds(&out->tariff), &r->book->arena);
    return status;
}

/* "prices" is an object, or a list of objects that each hold under a constraint. */
static enum status
read_prices(struct reader *r, yyjson_val *prices, struct model *model)
{
    yyjson_val *item;
    size_t index, count;

    if (!yyjson_is_arr(prices)) {
        model->dated = arena_alloc(&r->book->arena, sizeof *model->dated);
        model->dated_count = 1;
        model->dated[0].tariff.fault = NULL;
        if (read_tariff(r, prices, &model->dated[0].tariff) != OK)
            return ERR_INVALID;
        model->dated[0].tariff.fault = tariff_fault(tariff_kinds(&model->dated[0].tariff), &r->book->arena);
        return OK;
    }
    if (yyjson_arr_size(prices) == 0)
        return refuse(r, prices, "\"prices\" is an empty list");
    model->dated = arena_alloc(&r->book->arena, yyjson_arr_size(prices) * sizeof *model->dated);
    yyjson_arr_foreach(prices, index, count, item)
    {
        enum status status = read_dated(r, item, &model->dated[model->dated_count]);

        if (status != OK)
            return status;
        model->dated_count++;
    }
    return OK;
}

static enum status
read_conditions(struct reader *r, yyjson_val *when, struct variant *variant)
{
    yyjson_val *name, *value;
    size_t index, count;

    if (yyjson_obj_size(when) == 0)
        return refuse(r, when, "a variant's \"when\" must name at least one condition");
    variant->conditions = arena_alloc(&r->book->arena, yyjson_obj_size(when) * sizeof *variant->conditions);
    yyjson_obj_foreach(when, index, count, name, value)
    {
        struct condition *condition = &variant->conditions[variant->condition_count++];

        if (!yyjson_is_str(value))
            return refuse(r, name, "a variant's condition wants a text");
        condition->name = arena_copy(&r->book->arena, text_of(name));
        condition->value = arena_copy(&r->book->arena, text_of(value));
    }
    return OK;
}

static enum status
read_variants(struct reader *r, yyjson_val *list, struct model *model)
{
    yyjson_val *item;
    size_t index, count;

    model->variants = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *model->variants);
    yyjson_arr_foreach(list, index, count, item)
    {
        struct variant *variant = &model->variants[model->variant_count];
        enum status status = read_conditions(r, yyjson_obj_get(item, "when"), variant);

        if (status == OK)
            status = read_constraint(r, yyjson_obj_get(item, "constraint"), &variant->constraint);
        if (status == OK)
            status = read_tariff(r, yyjson_obj_get(item, "prices"), &variant->tariff);
        if (status != OK)
            return status;
        model->variant_count++;
    }
    return OK;
}

static enum status
read_model(struct reader *r, yyjson_val *object, const struct provider *provider, struct model *out)
{
    enum status status = take_text(r, object, "id", &out->id);

    if (status != OK)
        return status;
    r->owner = SAY(r, "%s, model %s", provider->id, out->id);
    out->provider = provider;
    out->place = place_of(r, yyjson_obj_get(object, "id"));
    out->name = maybe_text(r, object, "name");
    if (read_whole_number(yyjson_obj_get(object, "context_window"), &out->context_window) != OK)
        out->context_window = 0;
    status = read_clause(r, yyjson_obj_get(object, "match"), 0, &out->match);
    if (status == OK)
        status = read_prices(r, yyjson_obj_get(object, "prices"), out);
    return status == OK ? read_variants(r, yyjson_obj_get(object, "price_variants"), out) : status;
}

/* Extractors */

static enum status
read_step(struct reader *r, yyjson_val *value, struct step *out)
{
    if (yyjson_is_obj(value)) {
        out->in_list = true;
        if (take_text(r, value, "field", &out->member) != OK)
            return ERR_INVALID;
        return read_clause(r, yyjson_obj_get(value, "match"), 0, &out->match);
    }
    if (!yyjson_is_str(value))
        return refuse(r, value, "a path must be a text, or a list of texts and array matches");
    out->member = arena_slice_text(&r->book->arena, text_of(value));
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
        return refuse(r, value, "a path must end with the name of a member");
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

        if (usage_kind_find(text_of(dest), &mapping->kind) != OK || mapping->kind == USAGE_requests) {
            complain(r, PROBLEM_WARNING, dest, "this destination is not known, and is left out", NULL);
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
    const char *flavor = maybe_text(r, object, "api_flavor");

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
            return refuse(r, item, "\"fallback_model_providers\" must be a list of providers' ids");
        out->fallbacks[out->fallback_count++] = arena_slice_text(&r->book->arena, text_of(item));
    }
    return OK;
}

static enum status
read_names(struct reader *r, yyjson_val *object, struct provider *out)
{
    yyjson_val *url = yyjson_obj_get(object, "api_pattern");

    if (url != NULL && !yyjson_is_null(url)) {
        out->url = yyjson_is_str(url) ? prices_compile_regex(r->book, text_of(url), true) : NULL;
        if (out->url == NULL)
            complain(r, PROBLEM_WARNING, url, "\"api_pattern\" is not understood and never matches", NULL);
    }
    if (maybe_clause(r, object, "model_match", &out->has_model_match, &out->model_match) != OK)
        return ERR_INVALID;
    if (maybe_clause(r, object, "provider_match", &out->has_provider_match, &out->provider_match) != OK)
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
        return refuse(r, list, "\"models\" must be a list");
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
    const char *name = maybe_text(r, object, "name");
    enum status status;

    r->owner = NULL;
    if (!yyjson_is_obj(object))
        return refuse(r, object, "a provider must be an object with \"id\" and \"models\"");
    status = take_text(r, object, "id", &out->id);
    if (status != OK)
        return status;
    r->owner = out->id;
    out->name = name != NULL ? name : out->id;
    out->place = place_of(r, yyjson_obj_get(object, "id"));
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
        return refuse(r, list, "a price file is a list of providers: [{\"id\": \"openai\", \"models\": [...]}, ...]");
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
    struct place place = place_at(r, error->pos <= r->json.len ? error->pos : r->json.len);

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
