#include "gateway/judging/validation.h"

#include <stdio.h>

#include "gateway/attempt/destination.h"
#include "gateway/running/view.h"

static const usec COMMAND_TIMEOUT_US = 30 * USEC_PER_S;
enum { COMMAND_OUTPUT_MOST = 1024, HTTP_ANSWER_MOST = 64 * 1024 };

static void ask_next(struct validation *validation);

static void
count_opinion(struct gateway_worker *worker, enum validator validator, enum opinion opinion)
{
    static const enum counter first[VALIDATOR_COUNT] = {COUNT_SCHEMA_USEFUL, COUNT_REGEX_USEFUL, COUNT_COMMAND_USEFUL,
                                                        COUNT_HTTP_USEFUL};

    count(&worker->counters, (enum counter)(first[validator] + (unsigned)opinion), 1);
}

static void
take_opinion(struct validation *validation, enum opinion opinion)
{
    count_opinion(validation->worker, validation->at, opinion);
    if (opinion == OPINION_NOT) {
        validation->opinion = OPINION_NOT;
        validation->done(validation);
        return;
    }
    if (opinion == OPINION_UNKNOWN)
        log_line(validation->worker->gateway->log, LOG_WARN, "route %s: a validator could not tell of %s: %s",
                 validation->route->name, validation->id_text, validation->reason);
    if (opinion == OPINION_UNKNOWN)
        validation->opinion = OPINION_UNKNOWN;
    validation->at++;
    ask_next(validation);
}

/* Texts are judged off the loop */

static void
run_job(struct job *job)
{
    struct validation *validation = CONTAINER_OF(job, struct validation, job);
    const struct validator_config *config = &validation->route->validate;
    struct slice text = buffer_content(&validation->text);

    validation->job_opinion = validation->at == VALIDATOR_SCHEMA
                                  ? validate_schema(config->schema, text, validation->reason)
                                  : validate_regex(config->regex, text, validation->reason);
}

static void
job_done(struct job *job)
{
    struct validation *validation = CONTAINER_OF(job, struct validation, job);

    take_opinion(validation, validation->job_opinion);
}

static void
ask_job(struct validation *validation)
{
    struct world *world = worker_world(validation->worker);

    validation->job = (struct job){.run = run_job, .done = job_done};
    world->ops->work(world, &validation->job);
}

/* A command */

static void
command_done(struct command_run *run, int exit_status, struct slice output)
{
    struct validation *validation = CONTAINER_OF(run, struct validation, run);

    take_opinion(validation, validate_exit_status(exit_status, output, validation->reason));
}

static void
ask_command(struct validation *validation)
{
    struct world *world = worker_world(validation->worker);

    validation->run = (struct command_run){.command = validation->route->validate.command,
                                           .input = buffer_content(&validation->text),
                                           .timeout_us = COMMAND_TIMEOUT_US,
                                           .output_most = COMMAND_OUTPUT_MOST,
                                           .done = command_done};
    world->ops->command(world, &validation->run);
}

/* HTTP */

static struct validation *
validation_of(struct call *call)
{
    return CONTAINER_OF(call, struct validation, call);
}

static void
on_head(struct call *call, const struct http_head *head)
{
    validation_of(call)->status = head->status;
}

static void
on_body(struct call *call, struct slice piece)
{
    struct validation *validation = validation_of(call);

    if (buffer_len(&validation->answer) + piece.len <= HTTP_ANSWER_MOST)
        buffer_add(&validation->answer, piece);
}

static void
on_end(struct call *call)
{
    struct validation *validation = validation_of(call);

    call->inside = NULL;
    take_opinion(validation,
                 validate_http_answer(validation->status, buffer_content(&validation->answer), validation->reason));
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    struct validation *validation = validation_of(call);

    (void)failure;
    call->inside = NULL;
    snprintf(validation->reason, REASON_SIZE, "http: %s", text);
    take_opinion(validation, OPINION_UNKNOWN);
}

static const struct call_events http_events = {.head = on_head, .body = on_body, .end = on_end, .failed = on_failed};

/* The validator's place states no region, retention or class: a tenant who asks for one does not have its text sent
 * there. */
static bool
may_leave(const struct validation *validation)
{
    static const struct backend_config states_nothing;

    return destination_allowed(validation->tenant, &states_nothing);
}

static void
ask_http(struct validation *validation)
{
    struct world *world = worker_world(validation->worker);
    const struct http_header headers[] = {{SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")},
                                          {SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("identity")}};
    struct body_part body;

    if (!may_leave(validation)) {
        snprintf(validation->reason, REASON_SIZE, "http: the tenant's rules do not allow it (tenants: allow)");
        take_opinion(validation, OPINION_UNKNOWN);
        return;
    }
    validate_http_question(&validation->question, validation->id_text, validation->route->name,
                           buffer_content(&validation->text));
    body = (struct body_part){buffer_content(&validation->question), NULL};
    validation->call = (struct call){.events = &http_events};
    world->ops->call_open(world, &validation->call,
                          &(struct call_request){.endpoint = validation->route->validate.endpoint,
                                                 .method = SLICE_LITERAL("POST"),
                                                 .target = slice_of(validation->route->validate.target),
                                                 .headers = headers,
                                                 .header_count = sizeof(headers) / sizeof(headers[0]),
                                                 .parts = &body,
                                                 .part_count = 1});
}

static void
ask_next(struct validation *validation)
{
    static void (*const ask[VALIDATOR_COUNT])(struct validation *) = {ask_job, ask_job, ask_command, ask_http};

    while (validation->at < VALIDATOR_COUNT && !validator_is_set(&validation->route->validate, validation->at))
        validation->at++;
    if (validation->at < VALIDATOR_COUNT) {
        ask[validation->at](validation);
        return;
    }
    validation->done(validation);
}

void
validation_start(struct validation *validation)
{
    validation->opinion = OPINION_USEFUL;
    validation->at = VALIDATOR_SCHEMA;
    ask_next(validation);
}

void
validation_free(struct validation *validation)
{
    buffer_free(&validation->text);
    buffer_free(&validation->question);
    buffer_free(&validation->answer);
    view_release(validation->view);
}

void
validation_count_unknown(struct gateway_worker *worker, const struct validator_config *config)
{
    for (unsigned i = 0; i < VALIDATOR_COUNT; i++)
        if (validator_is_set(config, (enum validator)i))
            count_opinion(worker, (enum validator)i, OPINION_UNKNOWN);
}
