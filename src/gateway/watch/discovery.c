#include "gateway/watch/discovery.h"

#include <stdlib.h>

#include "gateway/watch/question.h"

/* How long a list of models is taken for current, and when to ask again after a failure. */
static const usec REFRESH_US = 60 * USEC_PER_S, RETRY_US = 5 * USEC_PER_S;
enum { LIST_BYTES_MOST = 4 * 1024 * 1024 };

static const usec PATIENCE_US = 30 * USEC_PER_S;

/* One backend being asked. */
struct inquiry {
    struct question question;
    struct timer timer;
    struct view *view;
    const struct backend_config *backend;
};

struct discovery {
    struct view *view; /* held */
    size_t count;
    struct inquiry inquiries[];
};

static struct world *
inquiry_world(const struct inquiry *inquiry)
{
    return worker_world(inquiry->view->worker);
}

static void
answered(struct question *question, const char *failure)
{
    struct inquiry *inquiry = CONTAINER_OF(question, struct inquiry, question);
    struct log *log = inquiry->view->worker->gateway->log;
    bool learned = failure == NULL && question->status == 200 &&
                   directory_learn(&inquiry->view->snapshot->directory, inquiry->backend->index,
                                   buffer_content(&question->answer)) == OK;

    if (failure != NULL)
        log_line(log, LOG_DEBUG, "backend %s: %s", inquiry->backend->name, failure);
    else if (!learned)
        log_line(log, LOG_DEBUG, "backend %s does not list its models (status %u)", inquiry->backend->name,
                 question->status);
    buffer_free(&question->answer);
    world_timer_start(inquiry_world(inquiry), &inquiry->timer, learned ? REFRESH_US : RETRY_US);
}

/* Backends whose credential a command prints are not asked: the command runs when a request wants it. */
static void
ask(struct timer *timer)
{
    struct inquiry *inquiry = CONTAINER_OF(timer, struct inquiry, timer);
    const struct backend_config *backend = inquiry->backend;
    bool anthropic = backend->dialect == DIALECT_ANTHROPIC;
    const char *query = backend->query != NULL ? backend->query : "";
    struct buffer target = {0};

    if (backend->endpoint_count == 0 || backend->credential.command != NULL)
        return;
    buffer_printf(&target, "%s/v1/models%s%s%s%s", backend->base_path != NULL ? backend->base_path : "",
                  anthropic || query[0] != '\0' ? "?" : "", anthropic ? "limit=1000" : "",
                  anthropic && query[0] != '\0' ? "&" : "", query);
    question_ask(&inquiry->question, inquiry->view,
                 &(struct question_about){.backend = backend,
                                          .endpoint = &backend->endpoints[0],
                                          .target = buffer_content(&target),
                                          .bytes_most = LIST_BYTES_MOST,
                                          .patience_us = PATIENCE_US});
    buffer_free(&target);
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
        inquiry->question.answered = answered;
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

        world_timer_stop(inquiry_world(inquiry), &inquiry->timer);
        question_drop(&inquiry->question);
    }
    view_release(discovery->view);
    free(discovery);
}
