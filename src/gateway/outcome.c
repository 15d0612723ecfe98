#include "gateway/outcome.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/destination.h"
#include "quality/validate.h"

/* Per worker: beyond the first, judgements wait in line; beyond the second, there is no outcome. */
enum { AT_ONCE_MOST = 16, IN_LINE_MOST = 1024 };

static const usec COMMAND_TIMEOUT_US = 30 * USEC_PER_S;
enum { COMMAND_OUTPUT_MOST = 1024, HTTP_ANSWER_MOST = 64 * 1024 };

/* One answer being judged, by one validator after the other. Owned by its worker. */
struct judgement {
    struct list link; /* worker->judgements */
    struct gateway_worker *worker;
    struct view *view; /* whose route and tenant are; held */
    const struct route_config *route;
    const struct tenant_config *tenant;
    uint64_t id;
    char id_text[16];
    struct buffer text;
    bool started;
    enum validator at;    /* who is asked */
    bool doubted;         /* somebody could not tell */
    enum opinion opinion; /* of a job */
    char reason[REASON_SIZE];
    struct job job;
    struct command_run run;
    struct call call;
    unsigned status; /* of the call */
    struct buffer question, answer;
};

static void ask_next(struct judgement *judgement);

static void
count_opinion(struct gateway_worker *worker, enum validator validator, enum opinion opinion)
{
    static const enum counter first[VALIDATOR_COUNT] = {COUNT_SCHEMA_USEFUL, COUNT_REGEX_USEFUL, COUNT_COMMAND_USEFUL,
                                                        COUNT_HTTP_USEFUL};

    count(&worker->counters, (enum counter)(first[validator] + (unsigned)opinion), 1);
}

static void
keep_outcome(struct judgement *judgement, bool useful)
{
    struct gateway_worker *worker = judgement->worker;
    struct feedback feedback = {
        .id = judgement->id,
        .useful_ppm = useful ? 1000000 : 0,
        .value = USD_UNKNOWN,
        .source = SLICE_LITERAL("validator"),
        .reason = useful ? SLICE_NONE : slice_of(judgement->reason),
        .wall_us = world_wall_us(worker_world(worker)),
    };

    journal_put_feedback(&worker->record, &feedback);
    if (gateway_append(worker))
        count(&worker->counters, COUNT_FEEDBACK, 1);
}

static void
start_waiting(struct gateway_worker *worker)
{
    LIST_EACH(&worker->judgements, node, after)
    {
        struct judgement *judgement = CONTAINER_OF(node, struct judgement, link);

        if (worker->judging == AT_ONCE_MOST)
            return;
        if (judgement->started)
            continue;
        judgement->started = true;
        worker->judging++;
        ask_next(judgement);
        return; /* whoever ends starts the next */
    }
}

static void
end(struct judgement *judgement)
{
    struct gateway_worker *worker = judgement->worker;

    list_remove(&judgement->link);
    worker->judging--;
    worker->judgement_count--;
    buffer_free(&judgement->text);
    buffer_free(&judgement->question);
    buffer_free(&judgement->answer);
    view_release(judgement->view);
    free(judgement);
    start_waiting(worker);
}

static void
take_opinion(struct judgement *judgement, enum opinion opinion)
{
    count_opinion(judgement->worker, judgement->at, opinion);
    if (opinion == OPINION_NOT) {
        keep_outcome(judgement, false);
        end(judgement);
        return;
    }
    if (opinion == OPINION_UNKNOWN)
        log_line(judgement->worker->gateway->log, LOG_WARN, "route %s: no outcome for %s: %s", judgement->route->name,
                 judgement->id_text, judgement->reason);
    judgement->doubted |= opinion == OPINION_UNKNOWN;
    judgement->at++;
    ask_next(judgement);
}

/* Texts are judged off the loop */

static void
run_job(struct job *job)
{
    struct judgement *judgement = CONTAINER_OF(job, struct judgement, job);
    const struct validator_config *config = &judgement->route->validate;
    struct slice text = buffer_content(&judgement->text);

    judgement->opinion = judgement->at == VALIDATOR_SCHEMA ? validate_schema(config->schema, text, judgement->reason)
                                                           : validate_regex(config->regex, text, judgement->reason);
}

static void
job_done(struct job *job)
{
    struct judgement *judgement = CONTAINER_OF(job, struct judgement, job);

    take_opinion(judgement, judgement->opinion);
}

static void
ask_job(struct judgement *judgement)
{
    struct world *world = worker_world(judgement->worker);

    judgement->job = (struct job){.run = run_job, .done = job_done};
    world->ops->work(world, &judgement->job);
}

/* A command */

static void
command_done(struct command_run *run, int exit_status, struct slice output)
{
    struct judgement *judgement = CONTAINER_OF(run, struct judgement, run);

    take_opinion(judgement, validate_exit_status(exit_status, output, judgement->reason));
}

static void
ask_command(struct judgement *judgement)
{
    struct world *world = worker_world(judgement->worker);

    judgement->run = (struct command_run){.command = judgement->route->validate.command,
                                          .input = buffer_content(&judgement->text),
                                          .timeout_us = COMMAND_TIMEOUT_US,
                                          .output_most = COMMAND_OUTPUT_MOST,
                                          .done = command_done};
    world->ops->command(world, &judgement->run);
}

/* HTTP */

static struct judgement *
judgement_of(struct call *call)
{
    return CONTAINER_OF(call, struct judgement, call);
}

static void
on_head(struct call *call, const struct http_head *head)
{
    judgement_of(call)->status = head->status;
}

static void
on_body(struct call *call, struct slice piece)
{
    struct judgement *judgement = judgement_of(call);

    if (buffer_len(&judgement->answer) + piece.len <= HTTP_ANSWER_MOST)
        buffer_add(&judgement->answer, piece);
}

static void
on_end(struct call *call)
{
    struct judgement *judgement = judgement_of(call);

    call->inside = NULL;
    take_opinion(judgement,
                 validate_http_answer(judgement->status, buffer_content(&judgement->answer), judgement->reason));
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    struct judgement *judgement = judgement_of(call);

    (void)failure;
    call->inside = NULL;
    snprintf(judgement->reason, REASON_SIZE, "http: %s", text);
    take_opinion(judgement, OPINION_UNKNOWN);
}

static const struct call_events http_events = {.head = on_head, .body = on_body, .end = on_end, .failed = on_failed};

/* The validator's place states no region, retention or class: a tenant who asks for one does not have its text sent
 * there. */
static bool
may_leave(const struct judgement *judgement)
{
    static const struct backend_config states_nothing;

    return destination_allowed(judgement->tenant, &states_nothing);
}

static void
ask_http(struct judgement *judgement)
{
    struct world *world = worker_world(judgement->worker);
    const struct http_header headers[] = {{SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")},
                                          {SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("identity")}};
    struct body_part body;

    if (!may_leave(judgement)) {
        snprintf(judgement->reason, REASON_SIZE, "http: the tenant's rules do not allow it (tenants: allow)");
        take_opinion(judgement, OPINION_UNKNOWN);
        return;
    }
    validate_http_question(&judgement->question, judgement->id_text, judgement->route->name,
                           buffer_content(&judgement->text));
    body = (struct body_part){buffer_content(&judgement->question), NULL};
    judgement->call = (struct call){.events = &http_events};
    world->ops->call_open(world, &judgement->call,
                          &(struct call_request){.endpoint = judgement->route->validate.endpoint,
                                                 .method = SLICE_LITERAL("POST"),
                                                 .target = slice_of(judgement->route->validate.target),
                                                 .headers = headers,
                                                 .header_count = sizeof(headers) / sizeof(headers[0]),
                                                 .parts = &body,
                                                 .part_count = 1});
}

static void
ask_next(struct judgement *judgement)
{
    static void (*const ask[VALIDATOR_COUNT])(struct judgement *) = {ask_job, ask_job, ask_command, ask_http};

    while (judgement->at < VALIDATOR_COUNT && !validator_is_set(&judgement->route->validate, judgement->at))
        judgement->at++;
    if (judgement->at < VALIDATOR_COUNT) {
        ask[judgement->at](judgement);
        return;
    }
    if (!judgement->doubted)
        keep_outcome(judgement, true);
    end(judgement);
}

void
outcome_gather(struct exchange *exchange, struct flight *flight)
{
    enum api api = exchange->identity.api;

    flight->meter.text.wanted = !exchange->is_own && api != API_EMBEDDINGS && api != API_PASSTHROUGH &&
                                validators_any(&exchange->request.route->validate);
    flight->meter.text.most = exchange->request.config->limits.answer_max;
}

static void
count_unknown(struct gateway_worker *worker, const struct validator_config *config)
{
    for (unsigned i = 0; i < VALIDATOR_COUNT; i++)
        if (validator_is_set(config, (enum validator)i))
            count_opinion(worker, (enum validator)i, OPINION_UNKNOWN);
}

void
outcome_start(struct exchange *exchange)
{
    struct gateway_worker *worker = exchange->worker;
    struct flight *flight = exchange->cursor.flight;
    struct text_of *text = &flight->meter.text;
    struct judgement *judgement;

    if (!text->wanted || flight->state != FLIGHT_COMPLETE || flight->status >= 300)
        return;
    if (text->cut || flight->opaque || (text->called && buffer_len(&text->text) == 0) ||
        worker->judgement_count == IN_LINE_MOST) {
        count_unknown(worker, &exchange->request.route->validate);
        return;
    }
    judgement = must_calloc(1, sizeof(*judgement));
    judgement->worker = worker;
    judgement->view = view_hold(exchange->view);
    judgement->route = exchange->request.route;
    judgement->tenant = exchange->identity.tenant;
    judgement->id = exchange->id;
    memcpy(judgement->id_text, exchange->id_text, sizeof(judgement->id_text));
    judgement->text = text->text;
    buffer_init(&text->text);
    list_append(&worker->judgements, &judgement->link);
    worker->judgement_count++;
    start_waiting(worker);
}
