#define _GNU_SOURCE /* popen */
#include "cmd/probe_backends.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/list.h"
#include "base/text.h"
#include "cmd/check_summary.h"
#include "live/live.h"

enum { ANSWER_BYTES_MOST = 8 * 1024 * 1024, SECRET_BYTES_MOST = 16 * 1024, NAMES_MOST = 4096 };

/* A list of models is short work, whatever the backend's own timeouts allow for answers. */
static const usec PATIENCE_US = 12 * USEC_PER_S;

struct inquiry {
    struct call call;
    struct timer timer;
    struct probing *probing;
    struct probe_result *result;
    char *credential; /* the header's value; NULL: none */
    usec started_us;
    bool ended;
};

struct probing {
    struct live *live;
    struct world *world;
    struct inquiry *inquiries;
    size_t count, left;
};

static void
finish(struct inquiry *inquiry)
{
    struct probing *probing = inquiry->probing;

    ENSURE(!inquiry->ended && probing->left > 0);
    inquiry->ended = true;
    world_timer_stop(probing->world, &inquiry->timer);
    if (--probing->left == 0)
        live_stop(probing->live, true);
}

static void
on_head(struct call *call, const struct http_head *head)
{
    struct inquiry *inquiry = CONTAINER_OF(call, struct inquiry, call);

    inquiry->result->status = head->status;
    inquiry->result->took_us = world_now_us(inquiry->probing->world) - inquiry->started_us;
}

static void
on_body(struct call *call, struct slice piece)
{
    struct buffer *answer = &CONTAINER_OF(call, struct inquiry, call)->result->answer;

    if (buffer_len(answer) + piece.len <= ANSWER_BYTES_MOST)
        buffer_add(answer, piece);
}

static void
on_end(struct call *call)
{
    struct inquiry *inquiry = CONTAINER_OF(call, struct inquiry, call);
    struct probe_result *result = inquiry->result;

    if (result->status == 200) {
        result->state = PROBE_FINE;
    } else if (result->status == 401 || result->status == 403) {
        result->state = PROBE_REFUSED;
        snprintf(result->why, sizeof result->why, "it does not accept the key (HTTP %u)", result->status);
    } else {
        result->state = PROBE_ODD;
        snprintf(result->why, sizeof result->why, "it answers, but does not list its models (HTTP %u)", result->status);
    }
    finish(inquiry);
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    struct inquiry *inquiry = CONTAINER_OF(call, struct inquiry, call);

    (void)failure;
    snprintf(inquiry->result->why, sizeof inquiry->result->why, "%s", text);
    finish(inquiry);
}

static void
out_of_patience(struct timer *timer)
{
    struct inquiry *inquiry = CONTAINER_OF(timer, struct inquiry, timer);
    struct world *world = inquiry->probing->world;

    world->ops->call_close(world, &inquiry->call);
    snprintf(inquiry->result->why, sizeof inquiry->result->why, "no answer within %d seconds",
             (int)(PATIENCE_US / USEC_PER_S));
    finish(inquiry);
}

static const struct call_events events = {.head = on_head, .body = on_body, .end = on_end, .failed = on_failed};

static void
ask(struct inquiry *inquiry)
{
    struct world *world = inquiry->probing->world;
    const struct backend_config *backend = inquiry->result->backend;
    bool anthropic = backend->dialect == DIALECT_ANTHROPIC;
    struct http_header headers[3] = {{SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("identity")}};
    struct call_request request = {.endpoint = &backend->endpoints[inquiry->result->endpoint],
                                   .method = SLICE_LITERAL("GET"),
                                   .headers = headers,
                                   .header_count = 1};
    struct buffer target;

    buffer_init(&target);
    buffer_printf(&target, "%s/v1/models%s%s%s", backend->base_path, backend->query != NULL || anthropic ? "?" : "",
                  anthropic ? "limit=1000&" : "", backend->query != NULL ? backend->query : "");
    request.target = buffer_content(&target);
    if (inquiry->credential != NULL)
        headers[request.header_count++] =
            (struct http_header){slice_of(backend->credential.header), slice_of(inquiry->credential)};
    if (anthropic)
        headers[request.header_count++] =
            (struct http_header){SLICE_LITERAL("anthropic-version"), SLICE_LITERAL("2023-06-01")};
    inquiry->call.events = &events;
    inquiry->timer.fire = out_of_patience;
    inquiry->started_us = world_now_us(world);
    world_timer_start(world, &inquiry->timer, PATIENCE_US);
    world->ops->call_open(world, &inquiry->call, &request);
    buffer_free(&target);
}

static void
ask_all(void *context, struct world *world)
{
    struct probing *probing = context;

    probing->world = world;
    for (size_t i = 0; i < probing->count; i++)
        if (!probing->inquiries[i].ended)
            ask(&probing->inquiries[i]);
}

/* What the command prints, trimmed; NULL if it fails or prints nothing. */
static char *
run_command(const char *command)
{
    char *output = must_calloc(1, SECRET_BYTES_MOST);
    FILE *pipe = popen(command, "r"); /* the user's own command: NOLINT(cert-env33-c) */
    size_t len = pipe != NULL ? fread(output, 1, SECRET_BYTES_MOST - 1, pipe) : 0;
    struct slice secret = slice_trim(slice_make(output, len));
    bool good = pipe != NULL && pclose(pipe) == 0 && secret.len > 0;
    char *copy = good ? slice_strdup(secret) : NULL;

    explicit_bzero(output, SECRET_BYTES_MOST);
    free(output);
    return copy;
}

/* The value of the credential's header, malloced; NULL: none, or its command fails, which *failed says. */
static char *
credential_value(const struct credential *credential, bool *failed)
{
    char *printed = credential->command != NULL ? run_command(credential->command) : NULL;
    const char *secret = credential->command != NULL ? printed : credential->secret;
    size_t size;
    char *value;

    *failed = credential->command != NULL && printed == NULL;
    if (credential->header == NULL || secret == NULL)
        return NULL;
    size = strlen(credential->prefix) + strlen(secret) + 1;
    value = must_alloc(size);
    snprintf(value, size, "%s%s", credential->prefix, secret);
    if (printed != NULL)
        explicit_bzero(printed, strlen(printed));
    free(printed);
    return value;
}

static void
prepare(struct probing *probing, struct inquiry *inquiry, struct probe_result *result)
{
    bool failed;

    inquiry->probing = probing;
    inquiry->result = result;
    inquiry->credential = credential_value(&result->backend->credential, &failed);
    probing->left++;
    if (!failed)
        return;
    snprintf(result->why, sizeof result->why, "the command that prints its key fails");
    inquiry->ended = true;
    probing->left--;
}

static void
run(struct probing *probing)
{
    struct live_options options = {.workers = 1, .context = probing, .worker_started = ask_all};
    char problem[LIVE_PROBLEM_SIZE];

    if (probing->left == 0)
        return;
    if (live_new(&options, &probing->live, problem) != OK) {
        for (size_t i = 0; i < probing->count; i++)
            snprintf(probing->inquiries[i].result->why, sizeof probing->inquiries[i].result->why, "%s", problem);
        return;
    }
    live_start(probing->live);
    live_join(probing->live);
    live_free(probing->live);
}

static size_t
list_endpoints(const struct config *config, struct probe_result *results)
{
    size_t count = 0;

    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].endpoint_count; j++, count++)
            if (results != NULL)
                results[count] =
                    (struct probe_result){.backend = &config->backends[i], .endpoint = j, .state = PROBE_UNREACHABLE};
    return count;
}

void
probe_backends(const struct config *config, struct probe_results *results)
{
    struct probing probing = {.count = list_endpoints(config, NULL)};

    results->count = probing.count;
    results->all = must_calloc(probing.count + 1, sizeof *results->all);
    probing.inquiries = must_calloc(probing.count + 1, sizeof *probing.inquiries);
    list_endpoints(config, results->all);
    for (size_t i = 0; i < probing.count; i++)
        prepare(&probing, &probing.inquiries[i], &results->all[i]);
    run(&probing);
    for (size_t i = 0; i < probing.count; i++) {
        char *credential = probing.inquiries[i].credential;

        if (credential != NULL)
            explicit_bzero(credential, strlen(credential));
        free(credential);
    }
    free(probing.inquiries);
}

void
probe_results_free(struct probe_results *results)
{
    for (size_t i = 0; i < results->count; i++)
        buffer_free(&results->all[i].answer);
    free(results->all);
}

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

/* Reports the models that routes name and this backend does not list; how many. *models is how many it lists. */
static size_t
check_models(const struct config *config, const struct probe_result *result, report_missing *report, size_t *models,
             struct buffer *out)
{
    const char **ids = must_calloc(NAMES_MOST, sizeof *ids);
    yyjson_doc *doc = yyjson_read(buffer_content(&result->answer).data, buffer_len(&result->answer), 0);
    bool whole;
    size_t missing = 0;

    *models = read_ids(doc, ids, &whole);
    for (size_t i = 0; whole && *models > 0 && i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];

        missing += check_target(route, &route->reference, result, ids, *models, missing, report, out);
        for (size_t j = 0; j < route->candidate_count; j++)
            missing += check_target(route, &route->candidates[j], result, ids, *models, missing, report, out);
    }
    yyjson_doc_free(doc);
    free(ids);
    return missing;
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

bool
probe_print_text(const struct config *config, const struct probe_results *results, struct buffer *out)
{
    bool fine = true;

    buffer_add_text(out, "probes\n");
    for (size_t i = 0; i < results->count; i++) {
        const struct probe_result *result = &results->all[i];
        size_t models = 0;
        struct buffer missing;

        buffer_init(&missing);
        buffer_printf(out, "  %-14s ", result->backend->name);
        summary_url(result->backend, result->endpoint, out);
        if (result->state == PROBE_FINE) {
            fine = check_models(config, result, missing_text, &models, &missing) == 0 && fine;
            buffer_printf(out, ": fine, %zu model%s, %lld ms\n", models, models == 1 ? "" : "s",
                          (long long)(result->took_us / USEC_PER_MS));
        } else {
            buffer_printf(out, ": %s\n", result->why);
            fine = false;
        }
        buffer_add(out, buffer_content(&missing));
        buffer_free(&missing);
    }
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

bool
probe_print_json(const struct config *config, const struct probe_results *results, struct buffer *out)
{
    static const char *const states[] = {"fine", "refused", "odd", "unreachable"};
    bool fine = true;

    buffer_add_text(out, "\"probes\":[");
    for (size_t i = 0; i < results->count; i++) {
        const struct probe_result *result = &results->all[i];
        size_t models = 0;
        struct buffer missing;

        buffer_init(&missing);
        if (result->state != PROBE_FINE || check_models(config, result, missing_json, &models, &missing) > 0)
            fine = false;
        buffer_add_text(out, i > 0 ? ",{" : "{");
        json_pair("backend", result->backend->name, out);
        buffer_add_byte(out, ',');
        json_pair("state", states[result->state], out);
        buffer_printf(out, ",\"endpoint\":%zu,\"status\":%u,\"took_us\":%lld,\"models\":%zu,", result->endpoint,
                      result->status, (long long)result->took_us, models);
        json_pair("why", result->why[0] != '\0' ? result->why : NULL, out);
        buffer_printf(out, ",\"missing\":[%.*s]}", SLICE_ARGS(buffer_content(&missing)));
        buffer_free(&missing);
    }
    buffer_add_byte(out, ']');
    return fine;
}
