#include "gateway/attempt/admit.h"

#include <stdlib.h>

#include "config/value.h"
#include "fleet/admission/admission.h"
#include "fleet/capacity/pool_size.h"
#include "gateway/attempt/admit_pace.h"
#include "gateway/attempt/attempt.h"

/* In line, or at the backend. Owned by the exchange until it is handed to a flight; while a message about it is on its
 * way, by that. */
struct place {
    struct admission_ticket ticket;
    struct admission *admission;
    struct world *world;
    struct exchange *exchange; /* NULL: it has left, or the flight has the place */
    bool waits;                /* in line, as far as this worker has heard */
    struct message message;    /* that it may start, or is refused */
    struct timer timer;        /* waiting: until it would be too late; at the backend: until its prompt must be read */
};

/* Deadlines */

bool
admit_read_deadline(struct exchange *exchange, const char **why)
{
    struct slice text = http_head_get(&exchange->head, "x-equipoise-deadline");
    usec span_us;

    exchange->request.deadline_us = USEC_NEVER;
    if (text.len == 0)
        return true;
    if (value_duration(text, &span_us) != OK || span_us <= 0) {
        *why = "x-equipoise-deadline: expected a duration such as 800ms or 2s";
        return false;
    }
    exchange->request.deadline_us = exchange->arrived_us + span_us;
    return true;
}

bool
admit_holds_the_line(const struct exchange *exchange, const struct plan *plan)
{
    return plan->target != NULL && plan->target->backend->admission.on && plan->source != SOURCE_SHARED &&
           plan->source != SOURCE_PASSTHROUGH && !exchange->view->config->observe;
}

static struct admission *
admission_of(const struct exchange *exchange, const struct plan *plan, const struct admission_pace *pace)
{
    const struct backend_config *backend = plan->target->backend;

    return admissions_of(&exchange->worker->gateway->admissions, backend->name, pace);
}

/* Before the balance */

static void
survey_plan(struct exchange *exchange, struct plan *plan)
{
    struct replica_wish wish = admit_wish(exchange, plan);
    struct admission_pace pace = admit_pace(exchange, plan, &wish);
    struct admission_want want = admit_want(exchange, plan, &wish, &pace);
    usec now_us = world_now_us(worker_world(exchange->worker));
    struct admission_forecast forecast = admission_expect(admission_of(exchange, plan, &pace), &want, now_us);

    plan->wait_us = forecast.wait_us;
    if (want.deadline_us == USEC_NEVER || now_us + forecast.first_token_us <= want.deadline_us)
        return;
    plan->away = VERDICT_CROWDED;
    plan->away_until_us = now_us + (now_us + forecast.first_token_us - want.deadline_us);
}

void
admit_survey(struct exchange *exchange, struct plans *plans)
{
    usec now_us = world_now_us(worker_world(exchange->worker));

    for (size_t i = 0; i < plans->count; i++) {
        struct plan *plan = &plans->all[i];

        plan->wait_us = 0;
        if (plan->tried || !admit_holds_the_line(exchange, plan))
            continue;
        if (plan->crowded_until_us > now_us) { /* also as a last resort it would be refused again */
            plan->away = VERDICT_CROWDED;
            plan->away_until_us = plan->crowded_until_us;
        } else if (plan->away == VERDICT_NONE) {
            survey_plan(exchange, plan);
        }
    }
}

/* Who hears of a change */

static void on_told(struct message *message, struct world *to);

/* Those that another's end, or first token, let in or made hopeless; each on its own worker. */
static void
tell(struct world *world, struct list *told)
{
    LIST_EACH(told, node, after)
    {
        struct place *place = CONTAINER_OF(CONTAINER_OF(node, struct admission_ticket, link), struct place, ticket);

        list_remove(node);
        place->message.deliver = on_told;
        world->ops->post(world, place->world->worker, &place->message); /* it is that worker's again */
    }
}

/* Outside, and freed now or when the message that is on its way has come. */
static void
leave(struct place *place)
{
    struct list told;
    enum admission_state was;

    list_init(&told);
    world_timer_stop(place->world, &place->timer);
    was = admission_end(place->admission, &place->ticket, world_now_us(place->world), &told);
    tell(place->world, &told);
    place->exchange = NULL;
    if (!place->waits || was == ADMISSION_WAITS)
        free(place);
}

void
admit_forget(struct exchange *exchange)
{
    struct place *place = exchange->place;
    bool waited;

    if (place == NULL)
        return;
    exchange->place = NULL;
    waited = place->waits;
    count(&exchange->worker->counters, COUNT_QUEUE_LEFT, waited);
    leave(place);
    if (waited)
        exchange_drop(exchange);
}

/* Refusals */

/* Another plan may serve; if none can, the client is told when this one could have. */
static void
tell_pool(struct exchange *exchange, usec now_us)
{
    const struct target_facts *facts = exchange->plan->facts;
    struct pool_size *pool =
        facts->standing.count > 0 ? atomic_load(&facts->standing.seats[0].replica->pool_size) : NULL;
    struct replica_wish wish = admit_wish(exchange, exchange->plan);

    if (pool == NULL)
        return;
    pool_size_over(pool, &wish, pool_size_takes(pool, &wish, now_us), now_us, NULL, now_us);
}

static void
refused(struct exchange *exchange, usec retry_after_us)
{
    usec now_us = world_now_us(worker_world(exchange->worker));

    tell_pool(exchange, now_us); /* what is turned away is demand all the same: with more replicas it would be served */

    exchange->plan->crowded_until_us = now_us + (retry_after_us > 0 ? retry_after_us : 1);
    count(&exchange->worker->counters, COUNT_QUEUE_REFUSED, 1);
    exchange_move(exchange, ATTEMPT_FAILED);
}

/* The wait is over: the place is the exchange's, or nobody's. */
static void
waited(struct place *place, bool is_in)
{
    struct exchange *exchange = place->exchange;
    usec retry_after_us = place->ticket.retry_after_us;

    place->waits = false;
    world_timer_stop(place->world, &place->timer);
    if (is_in) {
        exchange_admitted(exchange);
    } else {
        exchange->place = NULL;
        leave(place);
        refused(exchange, retry_after_us);
    }
    exchange_drop(exchange);
}

static void
on_told(struct message *message, struct world *to)
{
    struct place *place = CONTAINER_OF(message, struct place, message);

    (void)to;
    if (place->exchange == NULL)
        free(place); /* it left while the message was on its way */
    else
        waited(place, place->ticket.state == ADMISSION_IN);
}

/* Nobody let it in, and now it would be too late. If somebody did a moment ago, the message will find it outside. */
static void
on_late(struct timer *timer)
{
    struct place *place = CONTAINER_OF(timer, struct place, timer);
    struct list told;
    enum admission_state was;

    list_init(&told);
    was = admission_end(place->admission, &place->ticket, world_now_us(place->world), &told);
    tell(place->world, &told);
    if (was == ADMISSION_WAITS)
        waited(place, false);
}

/* Asking */

static void
begin_wait(struct place *place, const struct admission_want *want)
{
    struct exchange *exchange = place->exchange;
    usec now_us = world_now_us(place->world);

    place->waits = true;
    exchange_hold(exchange);
    count(&exchange->worker->counters, COUNT_QUEUE_WAITED, 1);
    place->timer.fire = on_late;
    if (want->deadline_us != USEC_NEVER)
        world_timer_start(place->world, &place->timer, want->deadline_us > now_us ? want->deadline_us - now_us : 0);
}

bool
admit_ask(struct exchange *exchange)
{
    struct replica_wish wish;
    struct admission_pace pace;
    struct admission_want want;
    struct place *place;
    enum admission_state state;

    if (!admit_holds_the_line(exchange, exchange->plan))
        return true;
    ENSURE(exchange->place == NULL);
    wish = admit_wish(exchange, exchange->plan);
    pace = admit_pace(exchange, exchange->plan, &wish);
    want = admit_want(exchange, exchange->plan, &wish, &pace);
    place = must_calloc(1, sizeof(*place));
    place->admission = admission_of(exchange, exchange->plan, &pace);
    place->world = worker_world(exchange->worker);
    place->exchange = exchange;
    exchange->place = place;
    state = admission_ask(place->admission, &place->ticket, &want, &pace, world_now_us(place->world));
    if (state == ADMISSION_IN)
        return true;
    if (state == ADMISSION_WAITS) {
        begin_wait(place, &want);
    } else {
        usec retry_after_us = place->ticket.retry_after_us;

        exchange->place = NULL;
        leave(place);
        refused(exchange, retry_after_us);
    }
    return false;
}

/* At the backend */

static void
prompt_is_read(struct place *place, usec seen_us)
{
    struct list told;

    list_init(&told);
    admission_first_token(place->admission, &place->ticket, seen_us, world_now_us(place->world), &told);
    tell(place->world, &told);
}

static void
on_prompt_read(struct timer *timer)
{
    prompt_is_read(CONTAINER_OF(timer, struct place, timer), 0);
}

void
admit_hand_over(struct exchange *exchange, struct flight *flight)
{
    struct place *place = exchange->place;

    if (place == NULL)
        return;
    exchange->place = NULL;
    place->exchange = NULL;
    flight->place = place;
    if (exchange->facts.stream)
        return;
    /* An answer that is no stream does not tell when its prompt was read: by then it should be. */
    place->timer.fire = on_prompt_read;
    world_timer_start(place->world, &place->timer, admission_prompt_us(place->admission, &place->ticket));
}

void
admit_begun(struct flight *flight)
{
    if (flight->place != NULL && flight->is_stream && flight->place->ticket.prefilling)
        prompt_is_read(flight->place, flight->first_byte_us - flight->opened_us);
}

void
admit_over(struct flight *flight)
{
    struct place *place = flight->place;

    if (place == NULL)
        return;
    flight->place = NULL;
    /* Of those that went together one tells it. */
    if ((flight->status == 429 || flight->status == 503) && (flight->part == NULL || flight->part->leads))
        admission_overloaded(place->admission, world_now_us(place->world));
    leave(place);
}

/* Of others */

/* As those that wait are. */
static struct replica_wish
like_those_in_line(struct admission *admission)
{
    struct admission_figures figures;

    admission_figures(admission, &figures);
    return (struct replica_wish){.prompt_tokens =
                                     figures.waiting > 0 ? figures.waiting_tokens / (int64_t)figures.waiting : 0};
}

void
admit_told(struct gateway_worker *worker, const struct backend_config *backend)
{
    struct world *world = worker_world(worker);
    struct admission *admission =
        backend->admission.on ? admissions_find(&worker->gateway->admissions, backend->name) : NULL;
    struct replica_wish like;
    struct admission_pace pace;
    struct list told;

    if (admission == NULL || !admission_waits(admission))
        return;
    like = like_those_in_line(admission);
    if (!admit_pace_of_backend(worker, backend, &like, &pace))
        return;
    list_init(&told);
    admission_told(admission, &pace, world_now_us(world), &told);
    tell(world, &told);
}
