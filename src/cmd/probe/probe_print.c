/* What probes came to, for a person and for a program. */
#include <stdlib.h>
#include <yyjson.h>

#include "base/text.h"
#include "cmd/check_summary.h"
#include "cmd/probe/probe_page.h"

enum { NAMES_MOST = 4096, NAMES_SHOWN = 5, NAME_SHOWN_BYTES = 64 };

/* The ids of a list of models; they live as long as the document. *whole is false where there are more. */
static size_t
read_ids(yyjson_doc *doc, const char **ids, bool *whole)
{
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *model;
    size_t i, most, count = 0;

    *whole = !yyjson_get_bool(yyjson_obj_get(root, "has_more"));
    yyjson_arr_foreach(yyjson_obj_get(root, "data"), i, most, model)
    {
        const char *id = yyjson_get_str(yyjson_obj_get(model, "id"));

        if (id != NULL && count < NAMES_MOST)
            ids[count++] = id;
    }
    *whole = *whole && count < NAMES_MOST;
    return count;
}

struct missing {
    const char *route;
    const struct target *target;
    const char *nearest; /* NULL: none */
};

typedef void report_missing(const struct missing *missing, size_t before, struct buffer *out);

static size_t
check_target(const struct route_config *route, const struct target *target, const struct probe_result *result,
             const char *const *ids, size_t count, size_t before, report_missing *report, struct buffer *out)
{
    if (target->backend != result->backend)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(ids[i], target->upstream) == 0)
            return 0;
    report(&(struct missing){route->name, target, text_nearest(slice_of(target->upstream), ids, count)}, before, out);
    return 1;
}

/* Its own words, on somebody's terminal: what cannot be printed is not, nor what has the key in it. */
static void
put_name(const char *id, const char *secret, struct buffer *out)
{
    if (secret != NULL && secret[0] != '\0' && strstr(id, secret) != NULL) {
        buffer_add_text(out, "?");
        return;
    }
    for (size_t i = 0; i < NAME_SHOWN_BYTES && id[i] != '\0'; i++)
        buffer_add_byte(out, id[i] > ' ' && id[i] < 127 ? id[i] : '?');
}

/* "tiny, small, 12 more". */
static void
put_names(const struct probe_result *result, const char *const *ids, size_t count, struct buffer *out)
{
    for (size_t i = 0; i < count && i < NAMES_SHOWN; i++) {
        buffer_add_text(out, i > 0 ? ", " : "");
        put_name(ids[i], result->backend->credential.secret, out);
    }
    if (count > NAMES_SHOWN)
        buffer_printf(out, ", %zu more", count - NAMES_SHOWN);
}

/* What came of a list of models. */
struct models {
    size_t count, missing;
    struct buffer names, missing_words;
};

/* Reports the models that routes name and this backend does not list. */
static struct models
check_models(const struct config *config, const struct probe_result *result, report_missing *report)
{
    const char **ids = must_calloc(NAMES_MOST, sizeof *ids);
    struct slice body = buffer_content(&result->models.body);
    yyjson_doc *doc = yyjson_read(body.data, body.len, 0);
    struct models models = {0};
    bool whole;

    models.count = read_ids(doc, ids, &whole);
    put_names(result, ids, models.count, &models.names);
    for (size_t i = 0; whole && models.count > 0 && i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];

        models.missing += check_target(route, &route->reference, result, ids, models.count, models.missing, report,
                                       &models.missing_words);
        for (size_t j = 0; j < route->candidate_count; j++)
            models.missing += check_target(route, &route->candidates[j], result, ids, models.count, models.missing,
                                           report, &models.missing_words);
    }
    yyjson_doc_free(doc);
    free(ids);
    return models;
}

static void
models_free(struct models *models)
{
    buffer_free(&models->names);
    buffer_free(&models->missing_words);
}

static void
missing_text(const struct missing *missing, size_t before, struct buffer *out)
{
    (void)before;
    buffer_printf(out, "    route %s: it does not list the model %s", missing->route, missing->target->upstream);
    if (missing->nearest != NULL)
        buffer_printf(out, "; did you mean %s?", missing->nearest);
    buffer_add_byte(out, '\n');
}

static void
print_page(const struct probe_result *result,
           void (*print)(const struct probe_page *, const struct probe_result *, struct buffer *), struct buffer *out)
{
    struct probe_page page;

    probe_page_read(result, &page);
    print(&page, result, out);
}

static bool
print_result_text(const struct config *config, const struct probe_result *result, struct buffer *out)
{
    struct models models = {0};
    bool fine;

    buffer_printf(out, "  %-14s ", result->backend->name);
    summary_url(result->backend, result->endpoint, out);
    if (result->state == PROBE_FINE) {
        models = check_models(config, result, missing_text);
        buffer_printf(out, ": fine, %zu model%s%s%.*s%s, %lld ms\n", models.count, models.count == 1 ? "" : "s",
                      models.count > 0 ? " (" : "", SLICE_ARGS(buffer_content(&models.names)),
                      models.count > 0 ? ")" : "", (long long)(result->models.took_us / USEC_PER_MS));
    } else {
        buffer_printf(out, ": %s\n", result->models.why);
    }
    buffer_add(out, buffer_content(&models.missing_words));
    if (result->page.asked && result->models.status != 0)
        print_page(result, probe_page_text, out);
    fine = result->state == PROBE_FINE && models.missing == 0;
    models_free(&models);
    return fine;
}

bool
probe_print_text(const struct config *config, const struct probe_results *results, struct buffer *out)
{
    bool fine = true;

    buffer_add_text(out, "probes\n");
    for (size_t i = 0; i < results->count; i++)
        fine = print_result_text(config, &results->all[i], out) && fine;
    return fine;
}

static void
json_pair(const char *key, const char *value, struct buffer *out)
{
    buffer_printf(out, "\"%s\":", key);
    if (value == NULL) {
        buffer_add_text(out, "null");
        return;
    }
    buffer_add_byte(out, '"');
    buffer_add_json(out, slice_of(value));
    buffer_add_byte(out, '"');
}

static void
missing_json(const struct missing *missing, size_t before, struct buffer *out)
{
    buffer_add_text(out, before > 0 ? ",{" : "{");
    json_pair("route", missing->route, out);
    buffer_add_byte(out, ',');
    json_pair("target", missing->target->name, out);
    buffer_add_byte(out, ',');
    json_pair("nearest", missing->nearest, out);
    buffer_add_byte(out, '}');
}

static bool
print_result_json(const struct config *config, const struct probe_result *result, struct buffer *out)
{
    static const char *const states[] = {"fine", "refused", "odd", "unreachable"};
    struct models models = {0};
    bool fine;

    if (result->state == PROBE_FINE)
        models = check_models(config, result, missing_json);
    buffer_add_byte(out, '{');
    json_pair("backend", result->backend->name, out);
    buffer_add_byte(out, ',');
    json_pair("state", states[result->state], out);
    buffer_printf(out, ",\"endpoint\":%zu,\"status\":%u,\"took_us\":%lld,\"models\":%zu,", result->endpoint,
                  result->models.status, (long long)result->models.took_us, models.count);
    json_pair("why", result->models.why[0] != '\0' ? result->models.why : NULL, out);
    buffer_printf(out, ",\"missing\":[%.*s],\"metrics\":", SLICE_ARGS(buffer_content(&models.missing_words)));
    if (result->page.asked)
        print_page(result, probe_page_json, out);
    else
        buffer_add_text(out, "null");
    buffer_add_byte(out, '}');
    fine = result->state == PROBE_FINE && models.missing == 0;
    models_free(&models);
    return fine;
}

bool
probe_print_json(const struct config *config, const struct probe_results *results, struct buffer *out)
{
    bool fine = true;

    buffer_add_text(out, "\"probes\":[");
    for (size_t i = 0; i < results->count; i++) {
        buffer_add_text(out, i > 0 ? "," : "");
        fine = print_result_json(config, &results->all[i], out) && fine;
    }
    buffer_add_byte(out, ']');
    return fine;
}
