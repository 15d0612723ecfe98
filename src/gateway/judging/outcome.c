#include "gateway/judging/outcome.h"

#include <stdlib.h>

#include "gateway/choice/cascading.h"
#include "gateway/judging/validation.h"

/* Per worker: beyond the first, judgements wait in line; beyond the second, there is no outcome. */
enum { AT_ONCE_MOST = 16, IN_LINE_MOST = 1024 };

/* One answer being judged. Owned by its worker. */
struct judgement {
    struct list link; /* worker->judgements */
    struct validation validation;
    uint64_t id;
    bool started;
};

static void
keep_outcome(struct gateway_worker *worker, uint64_t id, bool useful, const char *reason)
{
    struct feedback feedback = {
        .id = id,
        .useful_ppm = useful ? 1000000 : 0,
        .value = USD_UNKNOWN,
        .source = SLICE_LITERAL("validator"),
        .reason = useful ? SLICE_NONE : slice_of(reason),
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
        validation_start(&judgement->validation);
        return; /* whoever ends starts the next */
    }
}

static void
judged(struct validation *validation)
{
    struct judgement *judgement = CONTAINER_OF(validation, struct judgement, validation);
    struct gateway_worker *worker = validation->worker;

    if (validation->opinion != OPINION_UNKNOWN)
        keep_outcome(worker, judgement->id, validation->opinion == OPINION_USEFUL, validation->reason);
    list_remove(&judgement->link);
    worker->judging--;
    worker->judgement_count--;
    validation_free(validation);
    free(judgement);
    start_waiting(worker);
}

void
outcome_gather(struct exchange *exchange, struct flight *flight)
{
    enum api api = exchange->identity.api;
    bool validates = !exchange->is_own && validators_any(&exchange->request.route->validate);

    flight->meter.text.wanted =
        api != API_EMBEDDINGS && api != API_PASSTHROUGH && (validates || cascading_scores(exchange));
    flight->meter.text.most = exchange->request.config->limits.answer_max;
    flight->meter.logprobs.wanted = exchange->plan->asks_logprobs;
}

/* Its text was taken when it was accepted. */
static bool
was_accepted(struct exchange *exchange)
{
    if (!cascading_validated(exchange))
        return false;
    keep_outcome(exchange->worker, exchange->id, true, NULL);
    return true;
}

void
outcome_start(struct exchange *exchange)
{
    struct gateway_worker *worker = exchange->worker;
    struct flight *flight = exchange->cursor.flight;
    struct text_of *text = &flight->meter.text;
    struct judgement *judgement;

    if (!text->wanted || flight->state != FLIGHT_COMPLETE || flight->status >= 300 || exchange->is_own ||
        !validators_any(&exchange->request.route->validate) || was_accepted(exchange))
        return;
    if (text->cut || flight->opaque || (text->called && buffer_len(&text->text) == 0) ||
        worker->judgement_count == IN_LINE_MOST) {
        validation_count_unknown(worker, &exchange->request.route->validate);
        return;
    }
    judgement = must_calloc(1, sizeof(*judgement));
    judgement->validation = (struct validation){.worker = worker,
                                                .view = view_hold(exchange->view),
                                                .route = exchange->request.route,
                                                .tenant = exchange->identity.tenant,
                                                .text = text->text,
                                                .done = judged};
    memcpy(judgement->validation.id_text, exchange->id_text, sizeof(judgement->validation.id_text));
    judgement->id = exchange->id;
    buffer_init(&text->text);
    list_append(&worker->judgements, &judgement->link);
    worker->judgement_count++;
    start_waiting(worker);
}
