#include "gateway/attempt/admit_pace.h"

#include <math.h>

#include "fleet/capacity/pool.h"
#include "fleet/health/told.h"
#include "gateway/attempt/reach.h"
#include "gateway/choice/cascading.h"
#include "gateway/watch/prefixes.h"

/* With so many times the tokens at which reading the weights takes as long as using them, nine tenths of a step are use
 * (hypot(1, 2) / 2 of step_time.h's first term). */
static const double GOOD_STEP = 2.0;

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

/* A client may ask for any number of answers: no request counts for more than all the caches hold, or than anybody has
 * ever served. */
static const int64_t TOKENS_BELIEVED = (int64_t)1 << 32;

static int64_t
believed(int64_t tokens, const struct admission_pace *pace)
{
    int64_t most = pace->kv_tokens > 0 ? pace->kv_tokens * pace->replicas : TOKENS_BELIEVED;

    return tokens < most ? tokens : most;
}

/* By the engine that is expected to keep most of it, of those that can be asked now: that is where it goes, unless somebody
 * else is even sooner. */
static int64_t
known_tokens(struct exchange *exchange, const struct plan *plan, int64_t prompt_tokens)
{
    const struct standing *standing = &plan->facts->standing;
    unsigned open[POLICY_SEATS_MOST], blocks[POLICY_SEATS_MOST], best = 0;
    struct policy_ask ask = {.seats = standing->seats, .open = open};
    usec now_us = world_now_us(worker_world(exchange->worker));
    struct replica_look look;

    prefixes_ask(exchange, plan, &ask);
    if (ask.chain == NULL)
        return 0;
    ask.open_count = reach_open_seats(exchange, plan, now_us, open);
    if (ask.open_count == 0)
        return 0;
    policy_match(&ask, blocks);
    for (unsigned i = 1; i < ask.open_count; i++)
        best = blocks[i] > blocks[best] ? i : best;
    replica_look(standing->seats[open[best]].replica, now_us, &look);
    return (int64_t)(look.trust * (double)prefix_chain_tokens(ask.chain, blocks[best], prompt_tokens));
}

struct replica_wish
admit_wish(struct exchange *exchange, const struct plan *plan)
{
    struct expectation expectation = experience_expect(plan->facts->experience, 500000);
    struct replica_wish wish = estimate_wish(&exchange->request, &expectation);

    wish.matched_tokens = known_tokens(exchange, plan, wish.prompt_tokens);
    return wish;
}

/* At most what an engine could do in a day: see TOKENS_BELIEVED. */
static const double WORK_BELIEVED_US = 86400.0 * (double)USEC_PER_S;

/* Of an engine's time, beside what is there now. */
static int64_t
work_us(const struct plan *plan, const struct replica_wish *wish, usec now_us)
{
    struct pool_now now;

    pool_look_all(&plan->facts->standing, now_us, &now);
    return (int64_t)fmax(1.0, fmin(WORK_BELIEVED_US,
                                   pool_work_us(&now, wish->prompt_tokens, wish->matched_tokens, wish->output_tokens)));
}

struct admission_want
admit_want(const struct exchange *exchange, const struct plan *plan, const struct replica_wish *wish,
           const struct admission_pace *pace)
{
    const struct key_config *key = exchange->identity.key;
    const struct tenant_config *tenant = exchange->identity.tenant;
    int64_t tokens = wish->prompt_tokens + wish->output_tokens / 2;

    return (struct admission_want){
        .place = {.class = key != NULL ? key->class : exchange->view->config->open_class,
                  .tenant = slice_of(tenant->name),
                  .weight = tenant->weight},
        .tokens = tokens > 0 ? believed(tokens, pace) : 1,
        .prefill = believed(wish->prompt_tokens - wish->matched_tokens, pace),
        .output = believed(wish->output_tokens, pace),
        .work_us = work_us(plan, wish, world_now_us(worker_world(exchange->worker))),
        .deadline_us = first_token_deadline_us(exchange, plan),
    };
}

/* What others have there: nothing of what fills its cache is theirs while it tells that none of them is there. */
static void
add_others(const struct replica_look *look, const struct replica_wish *like, usec now_us, struct admission_pace *pace)
{
    struct told_load load;

    told_load(look, like, now_us, &load);
    if (look->told.others >= 0 && load.requests - (double)look->now.requests < 0.5)
        return;
    pace->others_requests += llround(load.requests - (double)look->now.requests);
    pace->others_tokens += (int64_t)fmax(0.0, load.context_tokens - (double)look->now.context_tokens);
    pace->others_prefill += (int64_t)fmax(0.0, load.filling_tokens - (double)look->now.filling_tokens);
}

/* A replica reads a prompt in steps that are full, beside what decodes there. */
static void
add_pace(struct replica *replica, const struct replica_wish *like, usec now_us, struct admission_pace *pace)
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
    pace->kv_tokens += look.model.kv_tokens;
    pace->learned = look.model.time;
    pace->replicas++;
    add_others(&look, like, now_us, pace);
}

/* By what is known of such engines: what is learned tells how long a step takes, but hardly what of it each part is, and for a
 * moment any part may be 0. */
static int64_t
step_tokens(const struct engine_pair *pair)
{
    if (pair == NULL)
        pair = engine_pair_at(0);
    return (int64_t)(GOOD_STEP * pair->time.alpha_us / pair->time.beta_us);
}

/* From sums to means. */
static void
end_pace(const struct backend_config *backend, struct admission_pace *pace)
{
    ENSURE(pace->replicas > 0);
    pace->requests_most = backend->admission.requests;
    pace->queue_most = backend->admission.queue;
    pace->first_token_us /= pace->replicas;
    pace->prefill_us_per_token /= pace->replicas;
    pace->known = backend->engine_model != NULL ? engine_pair_find(slice_of(backend->engine_model)) : NULL;
    pace->step_tokens = step_tokens(pace->known);
    pace->kv_tokens = backend->admission.kv_tokens > 0 ? backend->admission.kv_tokens
                      : backend->engine_model != NULL  ? pace->kv_tokens / pace->replicas
                                                       : 0;
    pace->sequences = backend->admission.sequences > 0 ? backend->admission.sequences
                      : pace->kv_tokens > 0            ? ENGINE_SEQUENCES
                                                       : 0;
}

/* Of the replicas that can be asked now; of all if none can. */
struct admission_pace
admit_pace(const struct exchange *exchange, const struct plan *plan, const struct replica_wish *like)
{
    const struct standing *standing = &plan->facts->standing;
    usec now_us = world_now_us(worker_world(exchange->worker));
    struct admission_pace pace = {0};

    for (size_t i = 0; i < standing->count; i++)
        if (health_state(standing->seats[i].health, now_us) == HEALTH_IN)
            add_pace(standing->seats[i].replica, like, now_us, &pace);
    for (size_t i = 0; pace.replicas == 0 && i < standing->count; i++)
        add_pace(standing->seats[i].replica, like, now_us, &pace);
    end_pace(plan->target->backend, &pace);
    return pace;
}

bool
admit_pace_of_backend(struct gateway_worker *worker, const struct backend_config *backend,
                      const struct replica_wish *like, struct admission_pace *out)
{
    struct healths *healths = &worker->gateway->healths;
    usec now_us = world_now_us(worker_world(worker));

    *out = (struct admission_pace){0};
    for (size_t i = 0; i < backend->endpoint_count; i++)
        if (health_state(healths_place(healths, &backend->endpoints[i]), now_us) == HEALTH_IN)
            add_pace(healths_replica(healths, backend, i), like, now_us, out);
    if (out->replicas > 0)
        end_pace(backend, out);
    return out->replicas > 0;
}
