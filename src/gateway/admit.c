#include "gateway/admit.h"

#include <stdlib.h>

#include "config/value.h"
#include "fleet/admission.h"
#include "fleet/pool_size.h"
#include "gateway/attempt.h"
#include "gateway/cascading.h"

/* With so many times the tokens at which reading the weights takes as long as using them, nine tenths of a step are use
 * (hypot(1, 2) / 2 of step_time.h's first term). */
static const double GOOD_STEP = 2.0;

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

static usec
sooner(usec a, usec b)
{
    return a < b ? a : b;
}

/* When the first token has to be there: as the route says, and so that what follows it ends in time; of a cascade's answer, in
 * time for the reference's. */
static usec
first_token_deadline_us(const struct exchange *exchange, const struct plan *plan)
{
    const struct route_config *route = exchange->request.route;
    usec whole_us = exchange->request.deadline_us, first_us = USEC_NEVER;
    usec rest_us = plan->total_us > plan->first_token_us ? plan->total_us - plan->first_token_us : 0;

    if (route->first_token_us != USEC_NEVER)
        first_us = exchange->arrived_us + route->first_token_us;
    if (plan->source == SOURCE_CASCADE) {
        rest_us = plan->rest_us;
        whole_us = cascading_due_us(exchange);
    } else if (route->total_us != USEC_NEVER)
        whole_us = sooner(whole_us, exchange->arrived_us + route->total_us);
    return whole_us != USEC_NEVER ? sooner(first_us, whole_us - rest_us) : first_us;
}

/* What a request wants, and what its backend is like */

static bool
admits(const struct exchange *exchange, const struct plan *plan)
{
    return plan->target != NULL && plan->target->backend->admission.on && plan->source != SOURCE_SHARED &&
           plan->source != SOURCE_PASSTHROUGH && !exchange->view->config->observe;
}

/* A client may ask for any number of answers: no request counts for more than all the caches hold, or than anybody has
 * ever served. */
static const int64_t TOKENS_BELIEVED = (int64_t)1 << 32;

static int64_t
believed(int64_t tokens, const struct admission_pace *pace)
{
    int64_t most = pace->kv_tokens > 0 ? pace->kv_tokens * pace->replicas : TOKENS_BELIEVED;

    return tokens < most ? tokens : most;
}

static struct admission_want
want_of(const struct exchange *exchange, const struct plan *plan, const struct admission_pace *pace)
{
    struct expectation expectation = experience_expect(plan->facts->experience, 500000);
    struct replica_wish wish = estimate_wish(&exchange->request, &expectation);
    const struct key_config *key = exchange->identity.key;
    const struct tenant_config *tenant = exchange->identity.tenant;
    int64_t tokens = wish.prompt_tokens + wish.output_tokens / 2;

    return (struct admission_want){
        .place = {.class = key != NULL ? key->class : exchange->view->config->open_class,
                  .tenant = slice_of(tenant->name),
                  .weight = tenant->weight},
        .tokens = tokens > 0 ? believed(tokens, pace) : 1,
        .prefill = believed(wish.prompt_tokens - wish.matched_tokens, pace),
        .deadline_us = first_token_deadline_us(exchange, plan),
    };
}

/* A replica reads a prompt in steps that are full, beside what decodes there. */
static void
add_pace(struct replica *replica, usec now_us, struct admission_pace *pace)
{
    struct replica_look look;
    struct step_load load = {0};

    replica_look(replica, now_us, &look);
    load.kv_tokens = look.now.context_tokens;
    load.sequences = look.now.requests - look.now.filling;
    load.new_tokens = load.sequences + 1;
    pace->first_token_us += (usec)step_time_predict_us(&look.model.time, &load);
    load.new_tokens = look.model.step_tokens_most > load.sequences ? look.model.step_tokens_most : load.sequences + 1;
    pace->prefill_us_per_token += step_time_predict_us(&look.model.time, &load) / (double)load.new_tokens;
    if (look.model.time.beta_us > 0.0)
        pace->step_tokens += (int64_t)(GOOD_STEP * look.model.time.alpha_us / look.model.time.beta_us);
    pace->kv_tokens += look.model.kv_tokens;
    pace->replicas++;
}

/* The mean of the replicas that can be asked now; of all if none can. */
static struct admission_pace
pace_of(const struct exchange *exchange, const struct plan *plan)
{
    const struct standing *standing = &plan->facts->standing;
    const struct backend_config *backend = plan->target->backend;
    usec now_us = world_now_us(worker_world(exchange->worker));
    struct admission_pace pace = {0};

    for (size_t i = 0; i < standing->count; i++)
        if (health_state(standing->seats[i].health, now_us) == HEALTH_IN)
            add_pace(standing->seats[i].replica, now_us, &pace);
    for (size_t i = 0; pace.replicas == 0 && i < standing->count; i++)
        add_pace(standing->seats[i].replica, now_us, &pace);
    ENSURE(pace.replicas > 0);
    pace.requests_most = backend->admission.requests;
    pace.queue_most = backend->admission.queue;
    pace.first_token_us /= pace.replicas;
    pace.prefill_us_per_token /= pace.replicas;
    pace.step_tokens /= pace.replicas;
    pace.kv_tokens = backend->admission.kv_tokens > 0 ? backend->admission.kv_tokens
                     : backend->engine_model != NULL  ? pace.kv_tokens / pace.replicas
                                                      : 0;
    return pace;
}

static struct admission *
admission_of(const struct exchange *exchange, const struct plan *plan, const struct admission_pace *pace)
{
    const struct backend_config *backend = plan->target->backend;

    return admissions_of(&exchange->worker->gateway->admissions, backend->name, pace);
}

/* Before the balance */

static void
survey_plan(const struct exchange *exchange, struct plan *plan)
{
    struct admission_pace pace = pace_of(exchange, plan);
    struct admission_want want = want_of(exchange, plan, &pace);
    usec now_us = world_now_us(worker_world(exchange->worker));
    struct admission_forecast forecast = admission_expect(admission_of(exchange, plan, &pace), &want, now_us);

    plan->wait_us = forecast.wait_us;
    if (want.deadline_us == USEC_NEVER || now_us + forecast.first_token_us <= want.deadline_us)
        return;
    plan->away = VERDICT_CROWDED;
    plan->away_until_us = now_us + (now_us + forecast.first_token_us - want.deadline_us);
}

void
admit_survey(const struct exchange *exchange, struct plans *plans)
{
    usec now_us = world_now_us(worker_world(exchange->worker));

    for (size_t i = 0; i < plans->count; i++) {
        struct plan *plan = &plans->all[i];

        plan->wait_us = 0;
        if (plan->tried || !admits(exchange, plan))
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
tell_pool(const struct exchange *exchange, usec now_us)
{
    const struct target_facts *facts = exchange->plan->facts;
    struct pool_size *pool =
        facts->standing.count > 0 ? atomic_load(&facts->standing.seats[0].replica->pool_size) : NULL;
    struct expectation expectation = experience_expect(facts->experience, 500000);
    struct replica_wish wish = estimate_wish(&exchange->request, &expectation);

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
    struct admission_pace pace;
    struct admission_want want;
    struct place *place;
    enum admission_state state;

    if (!admits(exchange, exchange->plan))
        return true;
    ENSURE(exchange->place == NULL);
    pace = pace_of(exchange, exchange->plan);
    want = want_of(exchange, exchange->plan, &pace);
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
