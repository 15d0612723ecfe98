#include "gateway/judging/outside_judge.h"

#include "gateway/attempt/destination.h"

static const usec COMMAND_TIMEOUT_US = 60 * USEC_PER_S;
enum { OPINION_BYTES_MOST = 16 * 1024 };

static void
finish(struct outside_judge *judge)
{
    chunk_release(judge->question);
    buffer_free(&judge->answer);
    judge->worker->outside_judges--;
    judge->done(judge);
}

static void
take_opinion(struct outside_judge *judge, bool told, struct slice opinion)
{
    judge->failed = !told || judge_told_answer(opinion, &judge->outcome, judge->words) != OK;
    finish(judge);
}

/* A command */

static void
command_done(struct command_run *run, int exit_status, struct slice output)
{
    take_opinion(CONTAINER_OF(run, struct outside_judge, run), exit_status == 0, output);
}

static void
ask_command(struct outside_judge *judge, const char *command)
{
    struct world *world = worker_world(judge->worker);

    judge->run = (struct command_run){.command = command,
                                      .input = chunk_bytes(judge->question),
                                      .timeout_us = COMMAND_TIMEOUT_US,
                                      .output_most = OPINION_BYTES_MOST,
                                      .done = command_done};
    world->ops->command(world, &judge->run);
}

/* A service */

static struct outside_judge *
judge_of(struct call *call)
{
    return CONTAINER_OF(call, struct outside_judge, call);
}

static void
on_head(struct call *call, const struct http_head *head)
{
    judge_of(call)->status = head->status;
}

static void
on_body(struct call *call, struct slice piece)
{
    struct outside_judge *judge = judge_of(call);

    if (buffer_len(&judge->answer) + piece.len <= OPINION_BYTES_MOST)
        buffer_add(&judge->answer, piece);
}

static void
on_end(struct call *call)
{
    struct outside_judge *judge = judge_of(call);

    call->inside = NULL;
    list_remove(&judge->link);
    take_opinion(judge, judge->status >= 200 && judge->status < 300, buffer_content(&judge->answer));
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    (void)failure;
    (void)text;
    call->inside = NULL;
    list_remove(&judge_of(call)->link);
    take_opinion(judge_of(call), false, SLICE_NONE);
}

static const struct call_events http_events = {.head = on_head, .body = on_body, .end = on_end, .failed = on_failed};

static void
ask_http(struct outside_judge *judge, const struct judge_config *config)
{
    const struct http_header headers[] = {{SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")},
                                          {SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("identity")}};
    struct body_part body = {chunk_bytes(judge->question), judge->question};
    struct world *world = worker_world(judge->worker);

    judge->call = (struct call){.events = &http_events};
    list_append(&judge->worker->outside_calls, &judge->link);
    world->ops->call_open(world, &judge->call,
                          &(struct call_request){.endpoint = config->endpoint,
                                                 .method = SLICE_LITERAL("POST"),
                                                 .target = slice_of(config->path),
                                                 .headers = headers,
                                                 .header_count = sizeof(headers) / sizeof(headers[0]),
                                                 .parts = &body,
                                                 .part_count = 1});
}

bool
outside_judge_allowed(const struct route_config *route, const struct tenant_config *tenant)
{
    static const struct backend_config states_nothing;

    return route->judge.endpoint == NULL || destination_allowed(tenant, &states_nothing);
}

bool
outside_judge_ask(struct outside_judge *judge, struct gateway_worker *worker, const struct route_config *route,
                  const struct tenant_config *tenant, struct chunk *question, void (*done)(struct outside_judge *))
{
    const struct judge_config *config = &route->judge;

    if (worker->no_missions || worker->outside_judges == OUTSIDE_JUDGES_MOST || !outside_judge_allowed(route, tenant)) {
        chunk_release(question);
        return false;
    }
    *judge = (struct outside_judge){.worker = worker, .question = question, .done = done};
    worker->outside_judges++;
    if (config->command != NULL)
        ask_command(judge, config->command);
    else
        ask_http(judge, config);
    return true;
}

void
outside_judges_stop(struct gateway_worker *worker)
{
    struct world *world = worker_world(worker);
    struct list *node;

    while ((node = list_first(&worker->outside_calls)) != NULL) {
        struct outside_judge *judge = CONTAINER_OF(node, struct outside_judge, link);

        list_remove(node);
        world->ops->call_close(world, &judge->call);
        judge->dropped = true;
        finish(judge);
    }
}
