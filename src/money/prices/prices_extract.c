/* Reading usage out of an answer as a price file's extractor says. */
#include <stdio.h>

#include "money/prices/prices_book.h"

static const struct extractor *
find_flavor(const struct provider *provider, const char *flavor)
{
    for (size_t i = 0; i < provider->extractor_count; i++)
        if (strcmp(provider->extractors[i].flavor, flavor) == 0)
            return &provider->extractors[i];
    return NULL;
}

static yyjson_val *
find_in_list(yyjson_val *list, const struct step *step)
{
    yyjson_val *item;
    size_t index, count;

    yyjson_arr_foreach(list, index, count, item)
    {
        yyjson_val *member = yyjson_obj_get(item, step->member);
        char lower[NAME_MOST];
        struct slice text = {lower, yyjson_get_len(member)};

        if (!yyjson_is_str(member) || text.len == 0 || text.len > sizeof lower)
            continue;
        for (size_t i = 0; i < text.len; i++) {
            char byte = yyjson_get_str(member)[i];

            lower[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
        }
        if (clause_matches(&step->match, text))
            return item;
    }
    return NULL;
}

static yyjson_val *
follow(const struct path *path, yyjson_val *value)
{
    for (size_t i = 0; i < path->count && value != NULL; i++)
        value = path->steps[i].in_list ? find_in_list(value, &path->steps[i])
                                       : yyjson_obj_get(value, path->steps[i].member);
    return value;
}

/* "usage.prompt_tokens" */
static const char *
path_text(const struct path *path, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < path->count && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? "." : "", path->steps[i].member);
    return out;
}

static enum status
refuse_count(const struct extractor *extractor, const struct mapping *mapping, enum status status, char *why)
{
    char root[80], path[80];
    const char *what = status == ERR_NOT_FOUND ? "is missing"
                       : status == ERR_LIMIT   ? "is impossibly large"
                                               : "is not a count (a whole number, 0 or more)";

    snprintf(why, PRICES_WHY_SIZE, "%s.%s %s", path_text(&extractor->root, root, sizeof root),
             path_text(&mapping->path, path, sizeof path), what);
    return ERR_INVALID;
}

/* What is no number at all counts as absent where nothing is required; a number that is no count never does. */
static enum status
take_mapping(const struct extractor *extractor, const struct mapping *mapping, yyjson_val *report, struct usage *usage,
             char *why)
{
    yyjson_val *value = follow(&mapping->path, report);
    bool counts = yyjson_is_num(value) || yyjson_is_bool(value);
    int64_t count = 0;
    enum status status;

    if (!mapping->required && !counts)
        return OK;
    status = usage_read_count(value, usage_kind_scale(mapping->kind), &count);
    if (status == OK && usage->counts[mapping->kind] + count > USAGE_COUNT_MOST)
        status = ERR_LIMIT;
    if (status != OK)
        return refuse_count(extractor, mapping, status, why);
    usage_set(usage, mapping->kind, usage->counts[mapping->kind] + count);
    return OK;
}

static enum status
take_mappings(const struct extractor *extractor, yyjson_val *root, struct usage *usage, char *why)
{
    yyjson_val *report = follow(&extractor->root, root);
    char path[80];

    if (!yyjson_is_obj(report)) {
        snprintf(why, PRICES_WHY_SIZE, "there is no object at %s", path_text(&extractor->root, path, sizeof path));
        return ERR_INVALID;
    }
    for (size_t i = 0; i < extractor->mapping_count; i++) {
        enum status status = take_mapping(extractor, &extractor->mappings[i], report, usage, why);

        if (status != OK)
            return status;
    }
    if (usage->reported != 0 || extractor->mapping_count == 0)
        return OK;
    snprintf(why, PRICES_WHY_SIZE, "no usage is reported at %s", path_text(&extractor->root, path, sizeof path));
    return ERR_INVALID;
}

static void
take_word(yyjson_val *object, const char *name, char *out)
{
    const char *word = yyjson_get_str(yyjson_obj_get(object, name));

    if (word != NULL)
        snprintf(out, USAGE_WORD_SIZE, "%s", word);
}

/* Terms that decide the price stand beside the counts, or beside their object. */
static void
take_terms(const struct extractor *extractor, yyjson_val *root, struct usage *usage)
{
    yyjson_val *report = follow(&extractor->root, root);

    take_word(root, "service_tier", usage->service_tier);
    take_word(report, "service_tier", usage->service_tier);
    take_word(report, "serviceTier", usage->service_tier);
    take_word(report, "speed", usage->speed);
    take_word(report, "inference_geo", usage->inference_geo);
}

/* Reads with one extractor into *out, which is left alone on failure. */
static enum status
extract_with(const struct extractor *extractor, yyjson_val *root, struct usage *out, struct slice *model, char *why)
{
    struct usage usage;
    yyjson_val *name = follow(&extractor->model, root);
    enum status status;

    usage_init(&usage);
    status = take_mappings(extractor, root, &usage, why);
    *model = SLICE_NONE;
    if (extractor->model.count > 0 && yyjson_is_str(name))
        *model = slice_make(yyjson_get_str(name), yyjson_get_len(name));
    if (status != OK)
        return status;
    take_terms(extractor, root, &usage);
    usage.exactness = USAGE_EXACT;
    *out = usage;
    return OK;
}

/* "default", else whichever fits, else the first so that it says what it misses. */
static enum status
extract_any(const struct provider *provider, yyjson_val *root, struct usage *out, struct slice *model, char *why)
{
    const struct extractor *first = find_flavor(provider, "default");

    if (first == NULL)
        first = &provider->extractors[0];
    if (extract_with(first, root, out, model, why) == OK)
        return OK;
    for (size_t i = 0; i < provider->extractor_count; i++)
        if (extract_with(&provider->extractors[i], root, out, model, why) == OK)
            return OK;
    return extract_with(first, root, out, model, why);
}

enum status
prices_extract(const struct price_book *book, const char *id, const char *flavor, yyjson_val *root, struct usage *out,
               struct slice *model, char *why)
{
    const struct provider *provider = prices_find_provider(book, id);
    const struct extractor *extractor;

    usage_init(out);
    *model = SLICE_NONE;
    why[0] = '\0';
    if (provider == NULL || provider->extractor_count == 0) {
        snprintf(why, PRICES_WHY_SIZE, "the price book %s %s",
                 provider == NULL ? "has no provider" : "cannot read answers of", id);
        return ERR_NOT_FOUND;
    }
    if (flavor == NULL)
        return extract_any(provider, root, out, model, why);
    extractor = find_flavor(provider, flavor);
    if (extractor != NULL)
        return extract_with(extractor, root, out, model, why);
    snprintf(why, PRICES_WHY_SIZE, "the price book does not know answers of %s in the flavor %s", id, flavor);
    return ERR_NOT_FOUND;
}
