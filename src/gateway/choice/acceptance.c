#include "gateway/choice/acceptance.h"

#include <math.h>

#include "gateway/attempt/destination.h"
#include "levers/cascade.h"
#include "levers/terms.h"
#include "quality/verify_model.h"

/* Changes when the same answer would get another score than before. */
enum { RULE = 1 };

uint64_t
acceptance_rule(const struct route_config *route)
{
    uint64_t mark = terms_with_number(RULE, route->cascade.accept);

    if (route->cascade.verifier != NULL)
        mark = terms_with_text_if(terms_with_text_if(mark, route->cascade.verifier->name),
                                  route->cascade.verifier->upstream);
    if (route->cascade.accept == ACCEPT_SELF_CONSISTENCY) {
        mark = terms_with_number(terms_with_number(mark, route->cascade.samples), route->cascade.agree);
        mark = terms_with_number(terms_with_number(mark, route->cascade.similar_ppm), route->cascade.tolerance_ppm);
    }
    return terms_with_validators(mark, &route->validate);
}

bool
acceptance_is_plain(const struct route_config *route)
{
    return route->cascade.accept == ACCEPT_VALIDATORS;
}

static void
finish(struct acceptance *acceptance, double score, const char *why)
{
    acceptance->score = score;
    acceptance->why = why;
    acceptance->done(acceptance);
}

/* No opinion of the answer: whoever scores it could not be asked, or told nothing. Another time it may be kept. */
static void
finish_untold(struct acceptance *acceptance, const char *why)
{
    acceptance->untold = true;
    finish(acceptance, NAN, why);
}

bool
acceptance_allowed(const struct route_config *route, const struct tenant_config *tenant)
{
    return route->cascade.verifier == NULL || destination_allowed(tenant, route->cascade.verifier->backend);
}

static void
replied(struct mission *mission, struct exchange *exchange)
{
    struct acceptance *acceptance = CONTAINER_OF(mission, struct acceptance, mission);
    const struct flight *flight = exchange->cursor.flight;
    double score;

    acceptance->cost = usd_known(exchange->cost) ? exchange->cost : 0;
    if (mission_result(exchange) != MISSION_ANSWERED)
        finish_untold(acceptance, "the verifier could not be asked");
    else if (flight->meter.text.cut || verify_reply(buffer_content(&flight->meter.text.text), &score) != OK)
        finish_untold(acceptance, "what the verifier replied is no number from 0 to 100");
    else
        finish(acceptance, score, NULL);
}

/* A client's head, of which a call on its behalf takes what it asks for, is gone with it. */
static bool
is_wanted(const struct acceptance *acceptance)
{
    return !acceptance->unwanted && (acceptance->exchange->is_own || acceptance->exchange->state == EXCHANGE_SERVING);
}

static void
ask_verifier(struct acceptance *acceptance)
{
    struct gateway_worker *worker = acceptance->exchange->worker;
    const struct target *verifier = acceptance->validation.route->cascade.verifier;
    struct buffer question = {0};
    struct chunk *body;

    if (buffer_len(&acceptance->validation.text) > VERIFY_ANSWER_MOST) {
        finish(acceptance, NAN, "it is longer than what a verifier is shown (64 KiB)");
        return;
    }
    if (!is_wanted(acceptance) || !mission_may_start(worker)) {
        finish_untold(acceptance, "too many calls of our own are under way for the verifier to be asked");
        return;
    }
    verify_question(chunk_bytes(acceptance->request), buffer_content(&acceptance->validation.text),
                    world_random(worker_world(worker)), verifier->name, &question);
    body = chunk_from(buffer_content(&question));
    buffer_free(&question);
    acceptance->mission = (struct mission){
        .source = acceptance->serves ? SOURCE_VERIFIER : SOURCE_JUDGE, .target = verifier, .done = replied};
    mission_prepare(&acceptance->mission, acceptance->exchange, API_CHAT, body);
    memcpy(acceptance->mission.about, acceptance->about, sizeof(acceptance->mission.about));
    chunk_release(body);
    mission_go(&acceptance->mission);
}

static void
compared(struct samples *samples)
{
    struct acceptance *acceptance = CONTAINER_OF(samples, struct acceptance, samples);

    acceptance->cost = samples->cost;
    samples_free(samples);
    if (samples->missing)
        finish_untold(acceptance, "a further answer, to hold it against, could not be had");
    else if (samples->incomparable)
        finish(acceptance, NAN, "it holds nothing by which it could be held against further answers");
    else
        finish(acceptance, samples->score, NULL);
}

static void
ask_again(struct acceptance *acceptance)
{
    struct exchange *exchange = acceptance->exchange;
    struct slice first = buffer_content(&acceptance->validation.text);

    if (slice_trim(first).len == 0) {
        finish(acceptance, NAN, "it says nothing");
        return;
    }
    if (!is_wanted(acceptance) || !samples_may_start(exchange->worker, exchange->request.route)) {
        finish_untold(acceptance, "too many calls of our own are under way for the model to be asked again");
        return;
    }
    acceptance->samples.first = first;
    acceptance->samples.done = compared;
    samples_ask(&acceptance->samples, &(struct samples_about){.exchange = exchange,
                                                              .body = acceptance->request,
                                                              .id = acceptance->about,
                                                              .serves = acceptance->serves});
}

/* The route's validators have nothing against it. */
static void
score(struct acceptance *acceptance)
{
    switch (acceptance->validation.route->cascade.accept) {
    case ACCEPT_MODEL:
        ask_verifier(acceptance);
        return;
    case ACCEPT_LOGPROBS:
        if (buffer_len(&acceptance->validation.text) > 0)
            finish(acceptance, acceptance->sureness, NULL);
        else
            finish(acceptance, NAN, "it says nothing");
        return;
    case ACCEPT_SELF_CONSISTENCY:
        ask_again(acceptance);
        return;
    case ACCEPT_NONE:
    case ACCEPT_VALIDATORS:
        break;
    }
    finish(acceptance, CASCADE_SCORE_MOST, NULL);
}

static void
validated(struct validation *validation)
{
    struct acceptance *acceptance = CONTAINER_OF(validation, struct acceptance, validation);

    acceptance->validated = validation->opinion == OPINION_USEFUL && validators_any(&validation->route->validate);
    if (validation->opinion == OPINION_UNKNOWN)
        finish_untold(acceptance, validation->reason);
    else if (validation->opinion != OPINION_USEFUL)
        finish(acceptance, NAN, validation->reason);
    else
        score(acceptance);
}

static bool
is_whole(const struct flight *flight)
{
    return flight->state == FLIGHT_COMPLETE && flight->status < 300 && !flight->meter.failed;
}

/* Why nobody can tell of it; NULL: one may. */
static const char *
objection(const struct flight *flight)
{
    const struct text_of *text = &flight->meter.text;

    if (!text->wanted || text->cut || flight->opaque || flight->unread)
        return "it cannot be read";
    return text->called ? "it calls a tool, which nobody here can judge" : NULL;
}

static bool
is_silent(struct acceptance *acceptance, const struct flight *flight)
{
    return acceptance->exchange->request.route->cascade.accept == ACCEPT_LOGPROBS &&
           !logprobs_sureness(&flight->meter.logprobs, &acceptance->sureness);
}

void
acceptance_start(struct acceptance *acceptance)
{
    struct exchange *exchange = acceptance->exchange;
    struct flight *flight = exchange->cursor.flight;
    struct validation *validation = &acceptance->validation;
    const char *why = objection(flight);

    *validation = (struct validation){.worker = exchange->worker,
                                      .view = view_hold(exchange->view),
                                      .route = exchange->request.route,
                                      .tenant = exchange->identity.tenant,
                                      .done = validated};
    memcpy(validation->id_text, exchange->id_text, sizeof(validation->id_text));
    acceptance->validated = acceptance->untold = acceptance->silent = false;
    acceptance->cost = 0;
    chunk_hold(acceptance->request);
    if (!is_whole(flight)) {
        finish_untold(acceptance, "no whole answer");
        return;
    }
    if (why == NULL && buffer_len(&flight->meter.text.text) > 0 && is_silent(acceptance, flight)) {
        acceptance->silent = true;
        finish_untold(acceptance, "its backend told no logprobs");
        return;
    }
    if (why != NULL) {
        finish(acceptance, NAN, why);
        return;
    }
    validation->text = flight->meter.text.text;
    buffer_init(&flight->meter.text.text);
    validation_start(validation);
}

void
acceptance_stop(struct acceptance *acceptance)
{
    static const char why[] = "dropped: nobody waits any more for the answer that it would have scored";

    acceptance->unwanted = true;
    if (acceptance->mission.exchange != NULL)
        mission_stop(&acceptance->mission, why);
    else
        samples_stop(&acceptance->samples, why);
}

void
acceptance_found_silent(const struct exchange *exchange, struct acceptance_book *book)
{
    usec now_us = world_now_us(worker_world(exchange->worker));

    if (!acceptance_is_silent(book, now_us))
        log_line(exchange->worker->gateway->log, LOG_WARN,
                 "route %s: %s tells no logprobs, which its cascade accepts by: it is not asked for an hour",
                 exchange->request.route->name, exchange->plan->target->name);
    acceptance_note_silent(book, now_us);
}

void
acceptance_free(struct acceptance *acceptance)
{
    chunk_release(acceptance->request);
    validation_free(&acceptance->validation);
}
