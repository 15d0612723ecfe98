#include "gateway/discovery.h"

#include <stdlib.h>

/* How long a list of models is taken for current, and when to ask again after a failure. */
static const usec REFRESH_US = 60 * USEC_PER_S, RETRY_US = 5 * USEC_PER_S;
enum { LIST_BYTES_MOST = 4 * 1024 * 1024 };

/* One backend being asked. */
struct inquiry {
    struct call call;
    struct timer timer;
    struct view *view;
    const struct backend_config *backend;
    unsigned status;
    struct buffer answer;
};

struct discovery {
    struct view *view; /* held */
    size_t count;
    struct inquiry inquiries[];
};

static struct inquiry *
inquiry_of(struct call *call)
{
    return CONTAINER_OF(call, struct inquiry, call);
}

static struct world *
inquiry_world(const struct inquiry *inquiry)
{
    return worker_world(inquiry->view->worker);
}

static void
again(struct inquiry *inquiry, usec after_us)
{
    buffer_free(&inquiry->answer);
    world_timer_start(inquiry_world(inquiry), &inquiry->timer, after_us);
}

static void
on_head(struct call *call, const struct http_head *head)
{
    inquiry_of(call)->status = head->status;
}

static void
on_body(struct call *call, struct slice piece)
{
    struct inquiry *inquiry = inquiry_of(call);

    if (buffer_len(&inquiry->answer) + piece.len <= LIST_BYTES_MOST)
        buffer_add(&inquiry->answer, piece);
}

static void
on_end(struct call *call)
{
    struct inquiry *inquiry = inquiry_of(call);
    bool learned =
        inquiry->status == 200 && directory_learn(&inquiry->view->snapshot->directory, inquiry->backend->index,
                                                  buffer_content(&inquiry->answer)) == OK;

    call->inside = NULL;
    if (!learned)
        log_line(inquiry->view->worker->gateway->log, LOG_DEBUG, "backend %s does not list its models (status %u)",
                 inquiry->backend->name, inquiry->status);
    again(inquiry, learned ? REFRESH_US : RETRY_US);
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    struct inquiry *inquiry = inquiry_of(call);

    (void)failure;
    call->inside = NULL;
    log_line(inquiry->view->worker->gateway->log, LOG_DEBUG, "backend %s: %s", inquiry->backend->name, text);
    again(inquiry, RETRY_US);
}

static const struct call_events inquiry_events = {
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .failed = on_failed,
};

/* Backends whose credential a command prints are not asked: the command runs when a request wants it. */
static void
ask(struct timer *timer)
{
    struct inquiry *inquiry = CONTAINER_OF(timer, struct inquiry, timer);
    const struct backend_config *backend = inquiry->backend;
    const struct credential *credential = &backend->credential;
    struct http_header headers[3] = {{SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("identity")}};
    bool anthropic = backend->dialect == DIALECT_ANTHROPIC;
    const char *query = backend->query != NULL ? backend->query : "";
    struct arena arena;
    const char *target;
    size_t count = 1;

    if (backend->endpoint_count == 0 || credential->command != NULL)
        return;
    arena_init(&arena);
    target = arena_printf(&arena, "%s/v1/models%s%s%s%s", backend->base_path != NULL ? backend->base_path : "",
                          anthropic || query[0] != '\0' ? "?" : "", anthropic ? "limit=1000" : "",
                          anthropic && query[0] != '\0' ? "&" : "", query);
    if (credential->header != NULL && credential->secret != NULL)
        headers[count++] = (struct http_header){
            slice_of(credential->header),
            slice_of(arena_printf(&arena, "%s%s", credential->prefix != NULL ? credential->prefix : "",
                                  credential->secret))};
    if (anthropic)
        headers[count++] = (struct http_header){SLICE_LITERAL("anthropic-version"), SLICE_LITERAL("2023-06-01")};
    inquiry->call = (struct call){.events = &inquiry_events};
    inquiry_world(inquiry)->ops->call_open(inquiry_world(inquiry), &inquiry->call,
                                           &(struct call_request){.endpoint = &backend->endpoints[0],
                                                                  .method = SLICE_LITERAL("GET"),
                                                                  .target = slice_of(target),
                                                                  .headers = headers,
                                                                  .header_count = count});
    arena_reset(&arena);
}

struct discovery *
discovery_start(struct gateway_worker *worker)
{
    const struct config *config = worker->view->config;
    struct discovery *discovery =
        must_calloc(1, sizeof(*discovery) + config->backend_count * sizeof(discovery->inquiries[0]));

    discovery->view = view_hold(worker->view);
    discovery->count = config->backend_count;
    for (size_t i = 0; i < discovery->count; i++) {
        struct inquiry *inquiry = &discovery->inquiries[i];

        inquiry->view = discovery->view;
        inquiry->backend = &config->backends[i];
        inquiry->timer.fire = ask;
        world_timer_start(worker_world(worker), &inquiry->timer, 0);
    }
    return discovery;
}

void
discovery_stop(struct discovery *discovery)
{
    for (size_t i = 0; i < discovery->count; i++) {
        struct inquiry *inquiry = &discovery->inquiries[i];
        struct world *world = inquiry_world(inquiry);

        world_timer_stop(world, &inquiry->timer);
        if (inquiry->call.inside != NULL)
            world->ops->call_close(world, &inquiry->call);
        buffer_free(&inquiry->answer);
    }
    view_release(discovery->view);
    free(discovery);
}
