#include "gateway/attempt/account.h"

#include "base/rng.h"

static const struct standing *
standing_of(const struct plan *plan)
{
    return &plan->facts->standing;
}

/* Engines of one's own have no limits but those of the configuration, and one account. */
static bool
is_counted(const struct plan *plan)
{
    const struct standing *standing = standing_of(plan);

    return plan->target->backend->engine == ENGINE_HOSTED || standing->account_count > 1 ||
           atomic_load_explicit(&standing->accounts[0]->quota.bound, memory_order_relaxed);
}

/* Providers count a prompt and what may be answered to it at most. Where nothing caps it, what nearly all answers have. */
static int64_t
tokens_needed(const struct exchange *exchange, const struct plan *plan)
{
    struct size_bounds bounds = experience_bounds(plan->facts->experience);
    const struct request_facts *facts = exchange->request.facts;
    int64_t output = facts->api == API_EMBEDDINGS ? 0 : bounds.output_tokens;

    if (facts->output_cap >= 0 && facts->output_cap < output)
        output = facts->output_cap;
    return (int64_t)((double)exchange->request.body.len * bounds.input_tokens_per_byte) + output;
}

/* Where no limit is known nothing is reckoned. */
static struct quota_need
need_of(const struct exchange *exchange, const struct plan *plan)
{
    const struct standing *standing = standing_of(plan);
    struct quota_need need = {.of = {[LIMIT_REQUESTS] = 1}};
    bool bound = false;

    for (size_t i = 0; i < standing->account_count && !bound; i++)
        bound = atomic_load_explicit(&standing->accounts[i]->quota.bound, memory_order_relaxed);
    if (bound && plan->source != SOURCE_PASSTHROUGH)
        need.of[LIMIT_TOKENS] = tokens_needed(exchange, plan);
    return need;
}

/* What stands between a plan and one of its accounts. */
static enum verdict
account_away(struct account *account, const struct quota_need *need, usec now_us, usec *until_us)
{
    usec open_us;

    if (health_state(account->health, now_us) == HEALTH_OUT) {
        *until_us = health_due_us(account->health);
        return VERDICT_SPENT;
    }
    if (rest_over_us(&account->rest) > now_us) {
        *until_us = rest_over_us(&account->rest);
        return VERDICT_RESTING;
    }
    open_us = quota_open_us(&account->quota, need, now_us);
    if (open_us == 0)
        return VERDICT_NONE;
    *until_us = open_us;
    return VERDICT_RESTING;
}

/* One that has room at a known time is better than one without money. */
static bool
is_nearer(enum verdict away, usec until_us, const struct plan *plan)
{
    if (away != plan->away)
        return away == VERDICT_RESTING;
    return until_us < plan->away_until_us;
}

void
account_survey(const struct exchange *exchange, struct plan *plan, usec now_us)
{
    const struct standing *standing = standing_of(plan);
    struct quota_need need = need_of(exchange, plan);

    for (size_t i = 0; i < standing->account_count; i++) {
        usec until_us = 0;
        enum verdict away = account_away(standing->accounts[i], &need, now_us, &until_us);

        if (away == VERDICT_NONE) {
            plan->away = VERDICT_NONE;
            return;
        }
        if (i > 0 && !is_nearer(away, until_us, plan))
            continue;
        plan->away = away;
        plan->away_until_us = until_us;
    }
}

static size_t
first_account(const struct exchange *exchange, size_t count)
{
    return rng_mix(exchange->conversation != 0 ? exchange->conversation : exchange->id) % count;
}

static bool
take(struct exchange *exchange, const struct plan *plan, const struct quota_need *need, usec now_us)
{
    const struct standing *standing = standing_of(plan);
    size_t first = first_account(exchange, standing->account_count);

    for (size_t turn = 0; turn < standing->account_count; turn++) {
        size_t at = (first + turn) % standing->account_count;
        struct account *account = standing->accounts[at];

        if (health_state(account->health, now_us) == HEALTH_OUT || rest_over_us(&account->rest) > now_us ||
            !quota_take(&account->quota, need, now_us, &exchange->quota))
            continue;
        exchange->account = at;
        return true;
    }
    return false;
}

/* Chosen as a last resort, or by who only observes: the provider may say no itself. Else one had room a moment ago. */
static bool
is_forced(const struct exchange *exchange, const struct plan *plan)
{
    return plan->away != VERDICT_NONE || exchange->view->config->observe || plan->source == SOURCE_PASSTHROUGH;
}

static bool
makes_call(const struct plan *plan)
{
    return plan->target != NULL && plan->source != SOURCE_SHARED;
}

bool
account_claim(struct exchange *exchange, const struct plan *plan)
{
    usec now_us = world_now_us(worker_world(exchange->worker));
    struct quota_need need;

    account_unclaim(exchange);
    exchange->account = 0;
    if (!makes_call(plan) || !is_counted(plan))
        return true;
    need = need_of(exchange, plan);
    if (take(exchange, plan, &need, now_us))
        return true;
    exchange->account = first_account(exchange, standing_of(plan)->account_count);
    return is_forced(exchange, plan);
}

void
account_unclaim(struct exchange *exchange)
{
    quota_refund(&exchange->quota, world_now_us(worker_world(exchange->worker)));
}

void
account_go_along(struct exchange *exchange)
{
    quota_forgo_request(&exchange->quota, world_now_us(worker_world(exchange->worker)));
}

struct account *
account_of(const struct exchange *exchange)
{
    return standing_of(exchange->plan)->accounts[exchange->account];
}

const char *
account_secret(const struct exchange *exchange, const char *secret)
{
    const struct backend_config *backend = exchange->plan->target->backend;

    return backend->account_count > 1 ? backend->accounts[exchange->account].credential.secret : secret;
}

/* All that a provider counts; an answer that told nothing used what was taken, unless no work was done. */
static int64_t
tokens_of(const struct exchange *exchange, const struct flight *flight)
{
    if (flight->status == 0 || flight->status >= 400)
        return flight_did_nothing(flight) || flight->status >= 400 ? 0 : -1;
    if (exchange->usage.exactness != USAGE_EXACT)
        return -1;
    return exchange->usage.input_tokens + exchange->usage.output_tokens;
}

void
account_settle(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    struct world *world = worker_world(exchange->worker);
    usec now_us = world_now_us(world);
    const struct http_head head = {
        .status = flight->status, .headers = flight->headers, .header_count = flight->header_count};
    struct limits_left left;

    if (exchange->quota.quota == NULL)
        return;
    if (flight->status != 0 && limits_left_read(&head, world_wall_us(world), &left))
        quota_learn(&exchange->quota, &left, now_us);
    quota_settle(&exchange->quota, tokens_of(exchange, flight), now_us);
}

bool
account_all_spent(const struct exchange *exchange, const struct plan *plan)
{
    const struct standing *standing = standing_of(plan);
    usec now_us = world_now_us(worker_world(exchange->worker));

    for (size_t i = 0; i < standing->account_count; i++)
        if (health_state(standing->accounts[i]->health, now_us) != HEALTH_OUT)
            return false;
    return true;
}
