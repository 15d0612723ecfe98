#include "scene.h"

#include "gateway/running/adopt.h"

#include <stdio.h>

static const char usual_backends[] =
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ] }\n"
    "  beta:   { url: \"http://beta.example\", models: [ big ] }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/big ], levers: { alternatives: on } }\n"
    "  vectors:   { reference: alpha/embedder }\n"
    "  writer:    { reference: claude/opus }\n"
    "prices:\n"
    "  override:\n"
    "    alpha/big:      { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"
    "    alpha/embedder: { input: $0.10/M, output: $0/M }\n"
    "    beta/big:       { input: $3/M, output: $12/M, cache_read: $1/M }\n"
    "    claude/opus:    { input: $5/M, output: $25/M, cache_read: $0.50/M, cache_write: $6.25/M, "
    "cache_write_1h: $10/M }\n";

static void
swallow(struct log *log, enum log_level level, struct slice line)
{
    struct scene *scene = CONTAINER_OF(log, struct scene, log);

    history_log(scene->history, "gateway says, %s: %.*s", log_level_name(level), SLICE_ARGS(line));
}

/* The configuration's text, with the key's hash. */
static struct buffer
config_text(const struct scene_options *options)
{
    struct digest digest = hash_sha256(SLICE_LITERAL(KEY));
    struct buffer text = {0};
    char hex[65];

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    buffer_add_text(&text, options->config != NULL ? options->config : usual_backends);
    buffer_printf(&text, "keys:\n  web: { sha256: \"%s\", tenant: acme, tags: { feature: search }%s%s }\n", hex,
                  options->key != NULL ? ", " : "", options->key != NULL ? options->key : "");
    if (options->more != NULL)
        buffer_add_text(&text, options->more);
    return text;
}

static struct config *
load_text(struct slice text, const struct config *before)
{
    struct buffer said = {0};
    struct problems problems;
    struct config *config = NULL;

    problems_init(&problems);
    if (config_load_input(&(struct config_input){.file = "test.yaml", .text = text, .before = before}, &problems,
                          &config) != OK) {
        problems_print(&problems, text, false, &said);
        fprintf(stderr, "%.*s\n", SLICE_ARGS(buffer_content(&said)));
        fail();
    }
    problems_free(&problems);
    buffer_free(&said);
    return config;
}

/* Loading takes longer than most histories: what was loaded, and over what, is kept for further scenes, while there is room.
 * It never changes. */
enum { LOADED_MOST = 2048 };

static struct loaded {
    char *text;
    struct config *before, *config;
} loaded[LOADED_MOST];

static bool
is_it(const struct loaded *at, struct slice text, const struct config *before)
{
    return at->text != NULL && at->before == before && slice_is(text, at->text);
}

/* `before`: what it replaces; NULL: nothing. */
static struct config *
load(const struct scene_options *options, struct config *before)
{
    struct buffer text = config_text(options);
    struct loaded *at = loaded;
    struct config *config;

    while (at < loaded + LOADED_MOST && at->text != NULL && !is_it(at, buffer_content(&text), before))
        at++;
    if (at < loaded + LOADED_MOST && at->text != NULL) {
        config = config_hold(at->config);
    } else {
        config = load_text(buffer_content(&text), before);
        if (at < loaded + LOADED_MOST)
            *at = (struct loaded){slice_strdup(buffer_content(&text)), before != NULL ? config_hold(before) : NULL,
                                  config_hold(config)};
    }
    buffer_free(&text);
    return config;
}

static const struct provider usual_provider = {
    .words = 5, .input = 1000, .output = 60, .first_word_us = 200 * USEC_PER_MS, .word_gap_us = 20 * USEC_PER_MS};

static void
start_backend(struct scene *scene, const struct endpoint *endpoint, const char *name)
{
    size_t at = scene->backend_count++;

    ENSURE(at < SCENE_BACKENDS_MOST);
    scene->endpoint_ids[at] = endpoint->id;
    scene->providers[at] = usual_provider;
    scene->backends[at] = vbackend_new(scene->history, endpoint, name);
    provider_runs(&scene->providers[at], scene->backends[at]);
}

static bool
stands_at(const struct scene *scene, unsigned endpoint_id)
{
    for (size_t i = 0; i < scene->backend_count; i++)
        if (scene->endpoint_ids[i] == endpoint_id)
            return true;
    return false;
}

/* Those that are new. */
static void
start_backends(struct scene *scene)
{
    for (size_t i = 0; i < scene->config->backend_count; i++) {
        const struct backend_config *backend = &scene->config->backends[i];

        for (size_t j = 0; j < backend->endpoint_count; j++)
            if (!stands_at(scene, backend->endpoints[j].id))
                start_backend(scene, &backend->endpoints[j], backend->name);
    }
}

struct scene_adoption {
    struct adoption adoption;
    struct scene *scene;
};

static void
adopted(struct adoption *adoption)
{
    struct scene_adoption *done = CONTAINER_OF(adoption, struct scene_adoption, adoption);

    done->scene->reloads--;
    free(done);
}

void
scene_reload(struct scene *scene, const char *config)
{
    scene_reload_options(scene, (struct scene_options){.config = config});
}

void
scene_reload_options(struct scene *scene, struct scene_options options)
{
    struct config *before = scene->config;
    struct scene_adoption *adoption = must_calloc(1, sizeof(*adoption));

    scene->config = load(&options, before);
    config_release(before);
    start_backends(scene);
    adoption->scene = scene;
    adoption->adoption.done = adopted;
    scene->reloads++;
    scene->reloaded = true;
    adoption_start(&adoption->adoption, &scene->gateway, history_world(scene->history, 0), scene->config);
}

bool
scene_reloading(const struct scene *scene)
{
    return scene->reloads > 0;
}

struct scene *
scene_new(void **state, struct scene_options options)
{
    struct scene *scene = must_calloc(1, sizeof(*scene));
    unsigned workers = options.workers != 0 ? options.workers : 1;

    *state = scene;
    scene->history = history_new((struct history_options){.seed = options.seed,
                                                          .workers = workers,
                                                          .split_answers = options.split_answers,
                                                          .hop_most_us = options.hop_most_us,
                                                          .wall_us = options.wall_us});
    scene->log = (struct log){.least = LOG_DEBUG, .write = swallow};
    scene->config = load(&options, NULL);
    gateway_init(&scene->gateway, scene->config, &scene->log, options.seed);
    for (unsigned i = 0; i < workers; i++) {
        struct gateway_worker *worker = gateway_worker_new(&scene->gateway, history_world(scene->history, i));

        scene->gateway.workers[i] = worker;
        scene->gateway.worker_count = i + 1;
        history_serve(scene->history, i, &worker->app);
    }
    start_backends(scene);
    return scene;
}

static void
free_all(struct scene *scene)
{
    for (unsigned i = 0; i < scene->gateway.worker_count; i++)
        gateway_worker_free(scene->gateway.workers[i]);
    scene->gateway.worker_count = 0;
    gateway_free(&scene->gateway);
    history_free(scene->history);
    config_release(scene->config);
    free(scene->rows);
    free(scene);
}

void
scene_free(struct scene *scene, void **state)
{
    *state = NULL;
    free_all(scene);
}

int
scene_teardown(void **state)
{
    struct scene *scene = *state;

    if (scene == NULL)
        return 0;
    if (scene->passed)
        free_all(scene);
    else
        history_print(scene->history, stderr); /* and is left as it is: it may not be fit to be freed */
    return 0;
}

static size_t
index_of(struct scene *scene, const char *name, size_t replica)
{
    const struct backend_config *backend = config_backend(scene->config, slice_of(name));
    size_t index = 0;

    assert_non_null(backend);
    assert_true(replica < backend->endpoint_count);
    while (scene->endpoint_ids[index] != backend->endpoints[replica].id)
        index++;
    return index;
}

struct provider *
scene_provider(struct scene *scene, const char *backend)
{
    return &scene->providers[index_of(scene, backend, 0)];
}

struct vbackend *
scene_backend(struct scene *scene, const char *backend)
{
    return scene->backends[index_of(scene, backend, 0)];
}

struct provider *
scene_replica_provider(struct scene *scene, const char *backend, size_t replica)
{
    return &scene->providers[index_of(scene, backend, replica)];
}

struct vbackend *
scene_replica(struct scene *scene, const char *backend, size_t replica)
{
    return scene->backends[index_of(scene, backend, replica)];
}

/* Asking */

static void
put_body(const struct ask *ask, struct buffer *out)
{
    const char *model = ask->model != NULL           ? ask->model
                        : ask->api == API_MESSAGES   ? "writer"
                        : ask->api == API_EMBEDDINGS ? "vectors"
                                                     : "assistant";
    const char *text = ask->text != NULL ? ask->text : "tell me a story";

    if (ask->body != NULL) {
        buffer_add_text(out, ask->body);
        return;
    }
    buffer_printf(out, "{\"model\": \"%s\"", model);
    if (ask->api == API_CHAT || ask->api == API_MESSAGES)
        buffer_printf(out, ", \"messages\": [{\"role\": \"user\", \"content\": \"%s\"}]", text);
    else
        buffer_printf(out, ", \"%s\": \"%s\"", ask->api == API_COMPLETIONS ? "prompt" : "input", text);
    if (ask->api == API_MESSAGES)
        buffer_add_text(out, ", \"max_tokens\": 500");
    if (ask->stream)
        buffer_add_text(out, ", \"stream\": true");
    if (ask->wants_usage)
        buffer_add_text(out, ", \"stream_options\": {\"include_usage\": true}");
    if (ask->more != NULL)
        buffer_printf(out, ", %s", ask->more);
    buffer_add_text(out, "}");
}

static void
put_headers(const struct ask *ask, struct buffer *out)
{
    const char *key = ask->key != NULL ? ask->key : KEY;

    buffer_add_text(out, "content-type: application/json\nhost: localhost\n");
    if (key[0] != '\0')
        buffer_printf(out, ask->api == API_MESSAGES ? "x-api-key: %s\n" : "authorization: Bearer %s\n", key);
    if (ask->headers != NULL)
        buffer_add_text(out, ask->headers);
    buffer_add_byte(out, '\0');
}

struct vclient *
scene_asks(struct scene *scene, struct ask ask)
{
    struct buffer body = {0}, headers = {0};
    struct vclient *client;

    if (ask.client.body.data == NULL)
        put_body(&ask, &body);
    else
        buffer_add(&body, ask.client.body);
    put_headers(&ask, &headers);
    ask.client.target = ask.target != NULL ? ask.target : api_path(ask.api);
    ask.client.headers = headers.data;
    ask.client.body = buffer_content(&body);
    client = vclient_start(scene->history, &ask.client);
    buffer_free(&body);
    buffer_free(&headers);
    return client;
}

const struct row *
scene_row(struct scene *scene, size_t index)
{
    assert_true(index < scene->row_count);
    return &scene->rows[index];
}

void
scene_passed(struct scene *scene)
{
    scene->passed = true;
}

const struct row *
scene_row_of(struct scene *scene, const struct vclient *client)
{
    char id[TEXT_ID_SIZE];

    scene_rest(scene);
    for (size_t i = 0; i < scene->row_count; i++) {
        text_format_id(scene->rows[i].id, id);
        if (slice_is(vclient_header(client, "x-equipoise-id"), id))
            return &scene->rows[i];
    }
    fail_msg("no row");
    return NULL;
}

usd
scene_saved(const struct row *row, const char *lever)
{
    for (size_t i = 0; i < row->saving_count; i++)
        if (!row->savings[i].shadow && slice_is(row->savings[i].lever, lever))
            return row->savings[i].saved;
    return 0;
}

unsigned
scene_number_behind(struct slice text, const char *words)
{
    struct slice rest = slice_from(text, slice_find(text, slice_of(words)) + strlen(words));
    unsigned number = 0;

    for (; rest.len > 0 && rest.data[0] >= '0' && rest.data[0] <= '9'; rest = slice_from(rest, 1))
        number = 10 * number + (unsigned)(rest.data[0] - '0');
    return number;
}

void
assert_slice_is_(struct slice slice, const char *text, const char *file, int line)
{
    if (slice_is(slice, text))
        return;
    print_error("\"%.*s\" is not \"%s\"\n", SLICE_ARGS(slice), text);
    _fail(file, line);
}

void
assert_contains_(struct slice slice, const char *text, const char *file, int line)
{
    if (slice_find(slice, slice_of(text)) < slice.len)
        return;
    print_error("\"%.*s\" does not contain \"%s\"\n", SLICE_ARGS(slice), text);
    _fail(file, line);
}
