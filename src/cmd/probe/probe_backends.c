#include "cmd/probe/probe_backends.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "cmd/probe/backend_secret.h"
#include "live/live.h"

enum { ANSWER_BYTES_MOST = 8 * 1024 * 1024 };

/* What an endpoint is asked for. */
enum { QUESTIONS_MOST = 3 };

/* A list of models is short work, whatever the backend's own timeouts allow for answers. */
static const usec PATIENCE_US = 12 * USEC_PER_S;

struct inquiry {
    struct call call;
    struct timer timer;
    struct probing *probing;
    const struct backend_config *backend;
    const struct endpoint *endpoint;
    struct probe_answer *answer;
    char *target;
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

    inquiry->answer->status = head->status;
    inquiry->answer->took_us = world_now_us(inquiry->probing->world) - inquiry->started_us;
}

static void
on_body(struct call *call, struct slice piece)
{
    struct buffer *body = &CONTAINER_OF(call, struct inquiry, call)->answer->body;

    if (buffer_len(body) + piece.len <= ANSWER_BYTES_MOST)
        buffer_add(body, piece);
}

static void
on_end(struct call *call)
{
    finish(CONTAINER_OF(call, struct inquiry, call));
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    struct inquiry *inquiry = CONTAINER_OF(call, struct inquiry, call);

    (void)failure;
    inquiry->answer->status = 0;
    snprintf(inquiry->answer->why, sizeof inquiry->answer->why, "%s", text);
    finish(inquiry);
}

static void
out_of_patience(struct timer *timer)
{
    struct inquiry *inquiry = CONTAINER_OF(timer, struct inquiry, timer);
    struct world *world = inquiry->probing->world;

    world->ops->call_close(world, &inquiry->call);
    inquiry->answer->status = 0;
    snprintf(inquiry->answer->why, sizeof inquiry->answer->why, "no answer within %d seconds",
             (int)(PATIENCE_US / USEC_PER_S));
    finish(inquiry);
}

static const struct call_events events = {.head = on_head, .body = on_body, .end = on_end, .failed = on_failed};

static void
ask(struct inquiry *inquiry)
{
    struct world *world = inquiry->probing->world;
    const struct backend_config *backend = inquiry->backend;
    struct http_header headers[3] = {{SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("identity")}};
    struct call_request request = {.endpoint = inquiry->endpoint,
                                   .method = SLICE_LITERAL("GET"),
                                   .target = slice_of(inquiry->target),
                                   .headers = headers,
                                   .header_count = 1};

    if (inquiry->credential != NULL)
        headers[request.header_count++] =
            (struct http_header){slice_of(backend->credential.header), slice_of(inquiry->credential)};
    if (backend->dialect == DIALECT_ANTHROPIC)
        headers[request.header_count++] =
            (struct http_header){SLICE_LITERAL("anthropic-version"), SLICE_LITERAL("2023-06-01")};
    inquiry->call.events = &events;
    inquiry->timer.fire = out_of_patience;
    inquiry->started_us = world_now_us(world);
    world_timer_start(world, &inquiry->timer, PATIENCE_US);
    world->ops->call_open(world, &inquiry->call, &request);
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

/* The value of a credential's header, and what becomes of it. */
struct secret {
    char *value; /* NULL: none */
    bool failed;
};

static void
add_inquiry(struct probing *probing, const struct probe_result *result, const struct endpoint *endpoint,
            struct probe_answer *answer, struct buffer *target, const struct secret *secret)
{
    struct inquiry *inquiry = &probing->inquiries[probing->count++];

    answer->asked = true;
    *inquiry = (struct inquiry){.probing = probing,
                                .backend = result->backend,
                                .endpoint = endpoint,
                                .answer = answer,
                                .target = slice_strdup(buffer_content(target)),
                                .credential = secret->value != NULL ? must_strdup(secret->value) : NULL,
                                .ended = secret->failed};
    buffer_clear(target);
    if (secret->failed)
        snprintf(answer->why, sizeof answer->why, "the command that prints its key fails");
    else
        probing->left++;
}

static void
prepare(struct probing *probing, struct probe_result *result)
{
    const struct backend_config *backend = result->backend;
    const struct endpoint *endpoint = &backend->endpoints[result->endpoint];
    bool anthropic = backend->dialect == DIALECT_ANTHROPIC;
    struct buffer target = {0};
    struct secret secret;

    secret.value = backend_secret_value(&backend->credential, &secret.failed);
    buffer_printf(&target, "%s/v1/models%s%s%s", backend->base_path, backend->query != NULL || anthropic ? "?" : "",
                  anthropic ? "limit=1000&" : "", backend->query != NULL ? backend->query : "");
    add_inquiry(probing, result, endpoint, &result->models, &target, &secret);
    if (backend->metrics_path != NULL) {
        buffer_add_text(&target, backend->metrics_path);
        add_inquiry(probing, result, &backend->metrics_endpoints[result->endpoint], &result->page, &target, &secret);
    }
    if (backend->metrics_path != NULL && backend->engine == ENGINE_LLAMACPP) {
        buffer_printf(&target, "%s/slots", backend->base_path);
        add_inquiry(probing, result, endpoint, &result->slots, &target, &secret);
    }
    buffer_free(&target);
    backend_secret_forget(secret.value);
}

static void
judge(struct probe_result *result)
{
    struct probe_answer *models = &result->models;

    if (models->status == 0) {
        result->state = PROBE_UNREACHABLE;
    } else if (models->status == 200) {
        result->state = PROBE_FINE;
    } else if (models->status == 401 || models->status == 403) {
        result->state = PROBE_REFUSED;
        snprintf(models->why, sizeof models->why, "it does not accept the key (HTTP %u)", models->status);
    } else {
        result->state = PROBE_ODD;
        snprintf(models->why, sizeof models->why, "it answers, but does not list its models (HTTP %u)", models->status);
    }
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
            snprintf(probing->inquiries[i].answer->why, sizeof probing->inquiries[i].answer->why, "%s", problem);
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

static void
drop_inquiry(struct inquiry *inquiry)
{
    backend_secret_forget(inquiry->credential);
    free(inquiry->target);
}

void
probe_backends(const struct config *config, struct probe_results *results)
{
    struct probing probing = {0};

    results->count = list_endpoints(config, NULL);
    results->all = must_calloc(results->count + 1, sizeof *results->all);
    probing.inquiries = must_calloc(results->count * QUESTIONS_MOST + 1, sizeof *probing.inquiries);
    list_endpoints(config, results->all);
    for (size_t i = 0; i < results->count; i++)
        prepare(&probing, &results->all[i]);
    run(&probing);
    for (size_t i = 0; i < results->count; i++)
        judge(&results->all[i]);
    for (size_t i = 0; i < probing.count; i++)
        drop_inquiry(&probing.inquiries[i]);
    free(probing.inquiries);
}

void
probe_results_free(struct probe_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        buffer_free(&results->all[i].models.body);
        buffer_free(&results->all[i].page.body);
        buffer_free(&results->all[i].slots.body);
    }
    free(results->all);
}
