#include "twin/twin.h"

#include "twin/batching.h"

const double TWIN_ABILITY_SMALL = 0.6, TWIN_ABILITY_MEDIUM = 2.2, TWIN_ABILITY_LARGE = 4.5;

enum { BODY_MOST = 64 << 20, CONTROL_BODY_MOST = 64 << 10 };

/* What is answered where. */
struct route {
    const char *method, *path;
    bool open;    /* without a key */
    enum api api; /* of a model, if `serve` is NULL */
    void (*serve)(struct serving *serving, struct chunk *body);
};

static struct twin *
twin_of(const struct serving *serving)
{
    return serving->worker->twin;
}

/* Routes that answer at once */

static void
serving_json(struct serving *serving, struct buffer *body)
{
    serving_plain(serving, 200, "application/json", buffer_content(body));
    buffer_free(body);
}

static void
serve_health(struct serving *serving, struct chunk *body)
{
    (void)body;
    serving_plain(serving, 200, "text/plain; charset=utf-8", SLICE_LITERAL("ok\n"));
}

static void
serve_metrics(struct serving *serving, struct chunk *body)
{
    struct buffer out;

    (void)body;
    buffer_init(&out);
    batching_observe(serving->worker);
    seen_write_metrics(&twin_of(serving)->seen, &twin_of(serving)->settings, &out);
    serving_plain(serving, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_content(&out));
    buffer_free(&out);
}

static void
write_model(const struct twin_model *model, enum dialect dialect, struct buffer *out)
{
    buffer_add_text(out,
                    dialect == DIALECT_ANTHROPIC ? "{\"type\":\"model\",\"id\":" : "{\"object\":\"model\",\"id\":");
    render_string(out, slice_of(model->name));
    if (dialect == DIALECT_ANTHROPIC) {
        buffer_add_text(out, ",\"created_at\":\"2026-01-01T00:00:00Z\",\"display_name\":");
        render_string(out, slice_of(model->name));
        buffer_add_byte(out, '}');
    } else {
        buffer_add_text(out, ",\"created\":1767225600,\"owned_by\":\"equipoise-twin\"}");
    }
}

static void
serve_models(struct serving *serving, struct chunk *body)
{
    const struct twin_settings *settings = &twin_of(serving)->settings;
    struct buffer out;

    (void)body;
    buffer_init(&out);
    buffer_add_text(&out, serving->dialect == DIALECT_ANTHROPIC ? "{\"data\":[" : "{\"object\":\"list\",\"data\":[");
    for (unsigned i = 0; i < settings->model_count; i++) {
        buffer_add_text(&out, i == 0 ? "" : ",");
        write_model(&settings->models[i], serving->dialect, &out);
    }
    buffer_add_byte(&out, ']');
    if (serving->dialect == DIALECT_ANTHROPIC) {
        buffer_add_text(&out, ",\"has_more\":false,\"first_id\":");
        render_string(&out, slice_of(settings->models[0].name));
        buffer_add_text(&out, ",\"last_id\":");
        render_string(&out, slice_of(settings->models[settings->model_count - 1].name));
    }
    buffer_add_byte(&out, '}');
    serving_json(serving, &out);
}

static void
serve_seen(struct serving *serving, struct chunk *body)
{
    struct buffer out;

    (void)body;
    buffer_init(&out);
    batching_observe(serving->worker);
    seen_write_json(&twin_of(serving)->seen, &twin_of(serving)->settings, &out);
    serving_json(serving, &out);
}

static void
serve_last(struct serving *serving, struct chunk *body)
{
    struct buffer out;

    (void)body;
    buffer_init(&out);
    seen_write_last(&twin_of(serving)->seen, &out);
    serving_json(serving, &out);
}

static void
serve_last_body(struct serving *serving, struct chunk *body)
{
    struct chunk *last = seen_last_body(&twin_of(serving)->seen);

    (void)body;
    serving_plain(serving, 200, "application/octet-stream", last != NULL ? chunk_bytes(last) : SLICE_LITERAL(""));
    chunk_release(last);
}

static void
serve_reset(struct serving *serving, struct chunk *body)
{
    (void)body;
    seen_reset(&twin_of(serving)->seen);
    serving_plain(serving, 200, "application/json", SLICE_LITERAL("{}"));
}

static void
serve_faults(struct serving *serving, struct chunk *body)
{
    struct twin *twin = twin_of(serving);
    struct buffer out;

    (void)body;
    buffer_init(&out);
    buffer_add_text(&out, "{\"faults\":[");
    lock_take(&twin->faults_lock);
    for (unsigned i = 0; i < twin->faults.count; i++) {
        buffer_add_text(&out, i == 0 ? "{\"fault\":\"" : ",{\"fault\":\"");
        twin_fault_write(&twin->faults.faults[i], &out);
        buffer_printf(&out, "\",\"struck\":%lld}", (long long)twin->faults.faults[i].struck);
    }
    lock_drop(&twin->faults_lock);
    buffer_add_text(&out, "]}");
    serving_json(serving, &out);
}

/* {"faults": ["status=500:1%", ...]} */
static enum status
read_faults(struct slice body, struct twin_fault_set *set, const char **why)
{
    yyjson_doc *doc = yyjson_read(body.data, body.len, 0);
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "faults"), *fault = NULL;
    enum status status = OK;
    size_t index = 0, count = 0;

    if (!yyjson_is_arr(list)) {
        *why = "the body must be like {\"faults\": [\"status=500:1%\", \"delay=2s*3\"]}";
        status = ERR_INVALID;
    }
    yyjson_arr_foreach(list, index, count, fault)
    {
        if (!yyjson_is_str(fault)) {
            *why = "each fault must be a text";
            status = ERR_INVALID;
        }
        if (status == OK)
            status = twin_faults_add(set, ask_text(fault), why);
    }
    yyjson_doc_free(doc);
    return status;
}

static void
serve_set_faults(struct serving *serving, struct chunk *body)
{
    struct twin *twin = twin_of(serving);
    struct twin_fault_set set = {.count = 0};
    const char *why = NULL;

    if (read_faults(chunk_bytes(body), &set, &why) != OK) {
        serving_error(serving, 400, why);
        return;
    }
    lock_take(&twin->faults_lock);
    twin->faults = set;
    lock_drop(&twin->faults_lock);
    serve_faults(serving, body);
}

static const struct route routes[] = {
    {"POST", "/v1/chat/completions", false, API_CHAT, NULL},
    {"POST", "/v1/completions", false, API_COMPLETIONS, NULL},
    {"POST", "/v1/responses", false, API_RESPONSES, NULL},
    {"POST", "/v1/embeddings", false, API_EMBEDDINGS, NULL},
    {"POST", "/v1/messages", false, API_MESSAGES, NULL},
    {"GET", "/v1/models", false, API_COUNT, serve_models},
    {"GET", "/health", true, API_COUNT, serve_health},
    {"GET", "/metrics", true, API_COUNT, serve_metrics},
    {"GET", "/twin/seen", true, API_COUNT, serve_seen},
    {"GET", "/twin/last", true, API_COUNT, serve_last},
    {"GET", "/twin/last/body", true, API_COUNT, serve_last_body},
    {"GET", "/twin/faults", true, API_COUNT, serve_faults},
    {"POST", "/twin/faults", true, API_COUNT, serve_set_faults},
    {"POST", "/twin/reset", true, API_COUNT, serve_reset},
};

static const struct route *
find_route(struct slice method, struct slice path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (slice_is(method, routes[i].method) && slice_is(path, routes[i].path))
            return &routes[i];
    return NULL;
}

/* Requests */

static bool
key_fits(const struct serving *serving, const struct http_head *head)
{
    const char *key = twin_of(serving)->settings.key;
    struct slice bearer = http_head_get(head, "authorization");

    if (key == NULL || (serving->route != NULL && serving->route->open))
        return true;
    return (slice_starts(bearer, "Bearer ") && slice_is(slice_from(bearer, 7), key)) ||
           slice_is(http_head_get(head, "x-api-key"), key) || slice_is(http_head_get(head, "api-key"), key);
}

static enum dialect
dialect_of(const struct http_head *head)
{
    bool anthropic =
        slice_starts(head->target, "/v1/messages") || http_head_get(head, "anthropic-version").data != NULL;

    return anthropic ? DIALECT_ANTHROPIC : DIALECT_OPENAI;
}

static enum status
take_header_faults(struct serving *serving, const struct http_head *head, const char **why)
{
    struct twin_fault_set set = {.count = 0};

    if (twin_faults_add(&set, http_head_get(head, "x-twin-fault"), why) != OK)
        return ERR_INVALID;
    twin_faults_draw(&set, &serving->worker->rng, &serving->strike);
    return OK;
}

/* An error that shows in the head; true if there was one and it is answered. */
static bool
refuse_head(struct serving *serving, const struct http_head *head)
{
    const char *why = NULL;

    if (!key_fits(serving, head)) {
        serving_error(serving, 401, "Incorrect API key provided.");
    } else if (serving->route == NULL) {
        serving_error(serving, 404,
                      "There is nothing at this path and method. The modelled backend has /v1/chat/completions, "
                      "/v1/completions, /v1/responses, /v1/embeddings, /v1/messages and /v1/models.");
    } else if (take_header_faults(serving, head, &why) != OK) {
        serving_error(serving, 400, arena_printf(&serving->arena, "x-twin-fault: %s", why));
    } else if (said_read(&serving->said, head, &serving->arena, &why) != OK) {
        serving_error(serving, 400, why);
    } else {
        return false;
    }
    return true;
}

static enum body_mode
on_head(struct application *application, struct client *client, const struct http_head *head, size_t *body_most)
{
    struct twin_worker *worker = CONTAINER_OF(application, struct twin_worker, application);
    struct serving *serving = serving_new(worker, client);

    serving->dialect = dialect_of(head);
    serving->route = find_route(head->method, slice_first(head->target, slice_find_byte(head->target, '?')));
    if (refuse_head(serving, head))
        return BODY_REFUSED;
    if (serving->route->serve == NULL)
        serving->seen = request_seen_of(head);
    *body_most = serving->route->serve == NULL ? worker->twin->settings.body_most : CONTROL_BODY_MOST;
    return BODY_COLLECT;
}

static void
on_request(struct application *application, struct client *client, struct chunk *body)
{
    struct serving *serving = client->user;

    (void)application;
    ENSURE(serving->state == SERVING_READING);
    if (serving->route->serve != NULL) {
        serving->route->serve(serving, body);
        return;
    }
    seen_request(&twin_of(serving)->seen, &serving->seen, body);
    serving_model(serving, serving->route->api, body);
}

static void
on_bad_body(struct application *application, struct client *client, unsigned status)
{
    (void)application;
    serving_error(client->user, status,
                  status == 413 ? "The request is larger than this backend takes."
                                : "The request's body did not arrive as announced.");
}

static void
on_drained(struct application *application, struct client *client)
{
    (void)application;
    serving_drained(client->user);
}

static void
on_gone(struct application *application, struct client *client)
{
    (void)application;
    serving_gone(client->user);
}

static const struct application_ops ops = {
    .head = on_head,
    .request = on_request,
    .bad_body = on_bad_body,
    .drained = on_drained,
    .gone = on_gone,
};

/* Life */

void
twin_settings_default(struct twin_settings *settings, struct twin_pace pace)
{
    *settings = (struct twin_settings){
        .models = {{.name = "twin-small", .ability = TWIN_ABILITY_SMALL, .pace = pace},
                   {.name = "twin-medium", .ability = TWIN_ABILITY_MEDIUM, .pace = pace},
                   {.name = "twin-large", .ability = TWIN_ABILITY_LARGE, .pace = pace},
                   {.name = "twin-large-thinking", .ability = TWIN_ABILITY_LARGE, .thinks = true, .pace = pace},
                   {.name = "twin-embed", .embeds = true, .pace = {pace.first_token_us, 0}}},
        .model_count = 5,
        .seed = 1,
        .body_most = BODY_MOST,
        .prefix_cache = true,
    };
}

struct twin *
twin_new(const struct twin_settings *settings)
{
    struct twin *twin = must_calloc(1, sizeof *twin);

    ENSURE(settings->model_count >= 1 && settings->model_count <= TWIN_MODELS_MOST);
    ENSURE(settings->jitter >= 0 && settings->jitter < 1);
    twin->settings = *settings;
    for (unsigned i = 0; i < settings->model_count; i++)
        ENSURE(!settings->models[i].embeds || settings->models[i].engine.sequences_most == 0);
    for (unsigned i = 0; i < settings->model_count; i++)
        twin->settings.models[i].name = must_strdup(settings->models[i].name);
    twin->settings.key = settings->key != NULL ? must_strdup(settings->key) : NULL;
    twin->faults = settings->faults;
    seen_init(&twin->seen);
    lock_init(&twin->faults_lock);
    return twin;
}

void
twin_free(struct twin *twin)
{
    for (unsigned i = 0; i < twin->settings.model_count; i++)
        free((char *)(uintptr_t)twin->settings.models[i].name);
    free((char *)(uintptr_t)twin->settings.key);
    seen_free(&twin->seen);
    lock_destroy(&twin->faults_lock);
    free(twin);
}

struct application *
twin_worker_new(struct twin *twin, struct world *world)
{
    struct twin_worker *worker = must_calloc(1, sizeof *worker);

    worker->application = (struct application){.ops = &ops, .world = world};
    worker->twin = twin;
    worker->prefixes = prefix_new();
    worker->batching = batching_new(worker);
    worker->slots = (twin->settings.slots + world->workers - 1) / world->workers;
    rng_seed(&worker->rng, rng_mix(twin->settings.seed) + world->worker);
    list_init(&worker->answers);
    list_init(&worker->waiting);
    return &worker->application;
}

void
twin_worker_free(struct application *application)
{
    struct twin_worker *worker = CONTAINER_OF(application, struct twin_worker, application);

    ENSURE(list_empty(&worker->answers));
    batching_free(worker->batching);
    prefix_free(worker->prefixes);
    free(worker);
}

void
twin_engine_metrics(struct application *application, unsigned model, struct engine_metrics *out)
{
    struct twin_worker *worker = CONTAINER_OF(application, struct twin_worker, application);
    struct engine_model *engine = model < TWIN_MODELS_MOST ? worker->batching->engines[model] : NULL;

    *out = (struct engine_metrics){0};
    if (engine != NULL)
        engine_metrics(engine, world_now_us(application->world), out);
}
