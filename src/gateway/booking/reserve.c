#include "gateway/booking/reserve.h"

#include "base/clock.h"
#include "gateway/attempt/attempt.h"
#include "gateway/booking/sizing.h"
#include "money/row.h"

/* Others reserve at the same time: what a budget has left may have changed when it is asked for. */
enum { CLIP_TRIES = 4 };

/* Which budgets apply */

static size_t
count_rules(const struct budget_rules *rules, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += rules[i].count;
    return sum;
}

enum { SCOPES_PLAIN = 4, TAGS_MOST = 32 };

/* The request's tags, "name=value,name=value", that have budgets. */
static size_t
find_tag_rules(const struct exchange *exchange, const struct config *config, struct budget_rules *out)
{
    struct slice rest = exchange->tags;
    size_t count = 0;

    while (config->budgets_by_tag.count > 0 && rest.len > 0 && count < TAGS_MOST) {
        const struct budget_rules *rules = map_get(&config->budgets_by_tag, slice_split(&rest, ','));

        if (rules != NULL)
            out[count++] = *rules;
    }
    return count;
}

static size_t
find_rules(const struct exchange *exchange, struct budget_rules *out)
{
    const struct config *config = exchange->request.config;
    const struct identity *identity = &exchange->identity;
    size_t count = 0;

    out[count++] = config->budgets;
    out[count++] = identity->tenant->budgets;
    out[count++] = exchange->request.route->budgets;
    if (identity->key != NULL)
        out[count++] = identity->key->budgets;
    return count + find_tag_rules(exchange, config, &out[count]);
}

static struct budget_policy
find_policy(const struct exchange *exchange)
{
    const struct key_config *key = exchange->identity.key;
    const struct budget_policy *const said[] = {
        key != NULL ? &key->policy : &exchange->identity.tenant->policy,
        &exchange->identity.tenant->policy,
        &exchange->request.route->policy,
        &exchange->request.config->policy,
    };
    struct budget_policy policy = {0};

    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        if (policy.exposure == EXPOSURE_UNSET)
            policy.exposure = said[i]->exposure;
        if (policy.on_exceed == ON_EXCEED_UNSET)
            policy.on_exceed = said[i]->on_exceed;
    }
    return policy;
}

static struct budgets *
budgets_of(const struct exchange *exchange)
{
    return &exchange->worker->gateway->budgets;
}

void
reserve_begin(struct exchange *exchange)
{
    struct budget_rules rules[SCOPES_PLAIN + TAGS_MOST];
    struct budget_policy policy;
    struct reservation *r;
    size_t scopes, count;

    if (exchange->request.config->all_budgets.count == 0)
        return;
    scopes = find_rules(exchange, rules);
    count = count_rules(rules, scopes);
    if (count == 0)
        return;
    r = arena_alloc(&exchange->arena, sizeof(*r));
    if (!budgets_claim(budgets_of(exchange), &r->claim,
                       arena_alloc(&exchange->arena, count * sizeof(struct budget_line)), exchange->arrived_wall_us,
                       rules, scopes))
        return;
    policy = find_policy(exchange);
    r->observe = exchange->request.config->observe;
    r->strict = policy.exposure == EXPOSURE_STRICT && !r->observe;
    r->degrade = policy.on_exceed == ON_EXCEED_DEGRADE;
    r->has_money = budget_claim_has(&r->claim, BUDGET_USD);
    r->has_tokens = budget_claim_has(&r->claim, BUDGET_TOKENS);
    r->has_requests = budget_claim_has(&r->claim, BUDGET_REQUESTS);
    r->cap = -1;
    exchange->reservation = r;
}

/* What may come on top of what was reserved, as far as anything bounds it. */
static void
state_exposure(struct exchange *exchange, const struct plan *plan)
{
    struct reservation *r = exchange->reservation;
    bool unbounded;
    struct budget_amounts more = sizing_exposure(exchange, plan, &unbounded);

    budgets_expose(budgets_of(exchange), &r->claim, &more, unbounded);
}

/* What there is does not suffice: an answer as long as it buys, if one may be so short. */
static bool
reserve_clipped(struct exchange *exchange, const struct plan *plan)
{
    struct reservation *r = exchange->reservation;
    int64_t least = exchange->facts.bound.cap_least, answers = exchange->facts.choices;

    for (unsigned tries = 0; tries < CLIP_TRIES; tries++) {
        int64_t output = sizing_affordable(exchange, plan, &r->obstacle.room, r->output_tokens), cap = output / answers;
        struct budget_amounts wanted;

        if (!sizing_makes_output(exchange) || r->obstacle.info.rule.unit == BUDGET_REQUESTS || output < 0 ||
            cap < least)
            return false;
        output = cap * answers;
        wanted = sizing_amounts(exchange, plan, r->input_tokens, output);
        if (!budgets_reserve(budgets_of(exchange), &r->claim, &wanted, false, &r->obstacle))
            continue;
        r->cap = cap;
        r->output_tokens = r->output_most = output;
        r->transforms |= (unsigned)TRANSFORM_CLIPPED;
        count(&exchange->worker->counters, COUNT_CLIPPED, 1);
        return true;
    }
    return false;
}

/* Going on with less than was asked is what `degrade` is for: only what is cheaper than the reference. */
static void
mark_refused(struct exchange *exchange, struct plan *plan)
{
    const struct plan *reference = plans_reference(&exchange->plans);

    plan->over_budget = true;
    /* A cascade was refused what is reserved for two. */
    if (plan->source == SOURCE_CASCADE)
        return;
    for (size_t i = 0; exchange->reservation->degrade && i < exchange->plans.count; i++) {
        struct plan *other = &exchange->plans.all[i];

        if (reference == NULL || !usd_known(other->cost) || !usd_known(reference->cost) ||
            other->cost >= reference->cost)
            other->over_budget = true;
    }
}

/* What makes no call takes nothing but its place among the requests. */
static void
want_nothing(struct reservation *r)
{
    r->why = NULL;
    r->metered = false;
    r->input_tokens = r->output_tokens = r->output_most = 0;
    r->wanted = (struct budget_amounts){{0, 0, 1}};
}

static int64_t
add_up(int64_t a, int64_t b)
{
    return a < INT64_MAX - b ? a + b : INT64_MAX;
}

/* Who asks another model first must be able to ask the reference afterwards. Returns what of the whole is for that. */
static struct budget_amounts
want_reference_too(struct exchange *exchange)
{
    struct reservation *r = exchange->reservation, of_reference = *r;
    const struct plan *reference = &exchange->plans.all[0];
    struct budget_amounts more, own = r->wanted, aside = {{0}};

    if (r->why == NULL)
        r->why = sizing_objection(exchange, reference);
    sizing_plan(exchange, reference, &of_reference);
    more = sizing_amounts(exchange, reference, of_reference.input_tokens, of_reference.output_tokens);
    r->wanted.of[BUDGET_USD] = add_up(r->wanted.of[BUDGET_USD], more.of[BUDGET_USD]);
    r->wanted.of[BUDGET_TOKENS] = add_up(r->wanted.of[BUDGET_TOKENS], more.of[BUDGET_TOKENS]);
    aside.of[BUDGET_USD] = r->wanted.of[BUDGET_USD] - own.of[BUDGET_USD];
    aside.of[BUDGET_TOKENS] = r->wanted.of[BUDGET_TOKENS] - own.of[BUDGET_TOKENS];
    return aside;
}

/* Returns what of it is set aside. */
static struct budget_amounts
want(struct exchange *exchange, const struct plan *plan)
{
    static const struct budget_amounts nothing;
    struct reservation *r = exchange->reservation;

    r->why = sizing_objection(exchange, plan);
    sizing_plan(exchange, plan, r);
    r->wanted = sizing_amounts(exchange, plan, r->input_tokens, r->output_tokens);
    return plan->source == SOURCE_CASCADE ? want_reference_too(exchange) : nothing;
}

/* Only then can its answer be made shorter. */
static bool
makes_call(const struct plan *plan)
{
    return plan->target != NULL && plan->source != SOURCE_SHARED && plan->source != SOURCE_CASCADE;
}

bool
reserve_plan(struct exchange *exchange, struct plan *plan)
{
    struct reservation *r = exchange->reservation;
    struct budget_amounts aside = {{0}};

    if (r == NULL)
        return true;
    if (plan->target != NULL)
        aside = want(exchange, plan);
    else
        want_nothing(r);
    r->unbounded = r->why != NULL;
    if (!r->unbounded && (budgets_reserve(budgets_of(exchange), &r->claim, &r->wanted, r->observe, &r->obstacle) ||
                          (makes_call(plan) && reserve_clipped(exchange, plan)))) {
        r->refused = false;
        r->aside = aside;
        if (!r->strict && plan->target != NULL)
            state_exposure(exchange, plan);
        return true;
    }
    r->refused = true;
    mark_refused(exchange, plan);
    return false;
}

void
reserve_again(struct exchange *exchange)
{
    if (exchange->reservation == NULL)
        return;
    exchange->reservation->refused = false;
    for (size_t i = 0; i < exchange->plans.count; i++)
        exchange->plans.all[i].over_budget = false;
}

/* Refusing */

const char *
reserve_words(struct exchange *exchange)
{
    const struct budget_info *info = &exchange->reservation->obstacle.info;
    const char *scope =
        info->rule.scope == BUDGET_EVERYTHING ? "everything together" : budget_scope_name(info->rule.scope);

    return arena_printf(&exchange->arena, "the budget of %s%s%.*s (%.*s)", scope, info->rule.name.len > 0 ? " " : "",
                        SLICE_ARGS(info->rule.name), SLICE_ARGS(info->rule.text));
}

static const char *
say_refused(struct exchange *exchange)
{
    struct reservation *r = exchange->reservation;
    const struct budget_info *info = &r->obstacle.info;
    enum budget_unit unit = info->rule.unit;
    int64_t left = r->obstacle.left > 0 ? r->obstacle.left : 0;
    char has[BUDGET_AMOUNT_SIZE], wants[BUDGET_AMOUNT_SIZE], again[CLOCK_TEXT_SIZE];

    budget_format_amount(unit, left, has);
    budget_format_amount(unit, r->wanted.of[unit], wants);
    clock_format_utc(info->end_wall_us, again);
    return arena_printf(&exchange->arena, "%s has %s left and this request may take %s; it starts anew at %s",
                        reserve_words(exchange), has, wants, again);
}

static enum counter
refusal_counter(const struct reservation *r)
{
    static const enum counter counters[BUDGET_UNITS] = {COUNT_REFUSED_USD, COUNT_REFUSED_TOKENS,
                                                        COUNT_REFUSED_REQUESTS};

    return r->unbounded ? COUNT_REFUSED_UNBOUNDED : counters[r->obstacle.info.rule.unit];
}

/* Until the budget starts anew; at least a moment, should the wall clock have jumped. */
static usec
time_left(const struct exchange *exchange, const struct budget_info *info)
{
    usec left_us = info->end_wall_us - world_wall_us(worker_world(exchange->worker));

    return left_us > USEC_PER_S ? left_us : USEC_PER_S;
}

bool
reserve_refuses(struct exchange *exchange)
{
    struct reservation *r = exchange->reservation;
    const char *why;
    bool money;

    if (r == NULL || !r->refused)
        return false;
    count(&exchange->worker->counters, refusal_counter(r), 1);
    if (r->unbounded) {
        why = arena_printf(&exchange->arena,
                           "a strict budget applies (exposure: strict), and nothing bounds what this may cost: %s",
                           r->why);
    } else {
        budgets_count_refusal(budgets_of(exchange), &r->claim, &r->obstacle);
        why = say_refused(exchange);
    }
    if (!r->unbounded)
        exchange->retry_after_us = time_left(exchange, &r->obstacle.info);
    money = r->unbounded || r->obstacle.info.rule.unit == BUDGET_USD;
    exchange_give_up(exchange, NOTHING_FITS, ENDING_REFUSED, money ? ERROR_OVER_BUDGET : ERROR_RATE_LIMITED, why);
    return true;
}

/* Serving */

/* OpenAI's newer models take only the newer name; many other servers know only the older. */
const char *
reserve_cap_name(const struct exchange *exchange)
{
    enum api api = exchange->plan->api;
    const char *provider = exchange->plan->target->backend->provider;
    bool newer = provider != NULL && (strcmp(provider, "openai") == 0 || strcmp(provider, "azure") == 0);

    return request_cap_name(api, api == API_CHAT && newer ? 1 : 0);
}

struct request_change
reserve_change(const struct exchange *exchange)
{
    const struct reservation *r = exchange->reservation;

    return (struct request_change){.model = exchange->plan->target->upstream,
                                   .cap = r != NULL ? r->cap : -1,
                                   .cap_name = r != NULL && r->cap >= 0 ? reserve_cap_name(exchange) : NULL};
}

bool
reserve_output(struct exchange *exchange, int64_t tokens)
{
    struct reservation *r = exchange->reservation;
    struct budget_amounts wanted = sizing_amounts(exchange, exchange->plan, r->input_tokens, tokens);

    if (!budgets_reserve(budgets_of(exchange), &r->claim, &wanted, false, &r->obstacle))
        return false;
    r->output_tokens = tokens;
    if (!r->strict)
        state_exposure(exchange, exchange->plan);
    return true;
}

int64_t
reserve_output_room(struct exchange *exchange)
{
    struct reservation *r = exchange->reservation;
    struct budget_amounts room;

    budgets_room(budgets_of(exchange), &r->claim, &room);
    return sizing_affordable(exchange, exchange->plan, &room, USAGE_COUNT_MOST / 2);
}

/* Settling */

static int64_t
weighted_tokens(const struct exchange *exchange, const struct usage *usage)
{
    int64_t weight_ppm = exchange->request.config->cached_token_weight_ppm;
    wide_int cached = (wide_int)usage->cache_read_tokens * weight_ppm;

    return usage->input_tokens - usage->cache_read_tokens + (int64_t)((cached + 999999) / 1000000) +
           usage->output_tokens;
}

int64_t
reserve_tokens(const struct exchange *exchange)
{
    const struct reservation *r = exchange->reservation;

    return r != NULL ? sizing_add_tokens(r->input_tokens, r->output_tokens) : 0;
}

static int64_t
most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* An expectation that is not known either counts nothing. In strict, what nobody told counts as all that was reserved for
 * this attempt: so much may be billed. What is set aside for the reference nobody was asked for. */
static struct budget_amounts
counts_of(const struct exchange *exchange, const struct usage *usage, usd cost)
{
    const struct reservation *r = exchange->reservation;
    usd money = usd_known(cost) ? cost : exchange->plan->cost;
    int64_t tokens = usage->exactness != USAGE_UNKNOWN ? weighted_tokens(exchange, usage) : reserve_tokens(exchange);
    bool was_told = usage->exactness == USAGE_EXACT && usd_known(cost);

    if (r != NULL && r->strict && !was_told) {
        money = most_of(money, r->claim.reserved.of[BUDGET_USD] - r->aside.of[BUDGET_USD]);
        tokens = most_of(tokens, r->claim.reserved.of[BUDGET_TOKENS] - r->aside.of[BUDGET_TOKENS]);
    }
    return (struct budget_amounts){{most_of(money, 0), most_of(tokens, 0), !exchange->is_own}};
}

void
reserve_post(struct exchange *exchange, const struct usage *usage, usd cost)
{
    struct reservation *r = exchange->reservation;
    struct budget_amounts actual = counts_of(exchange, usage, cost), *counted = &exchange->counted;

    counted->of[BUDGET_USD] = add_up(counted->of[BUDGET_USD], actual.of[BUDGET_USD]);
    counted->of[BUDGET_TOKENS] = add_up(counted->of[BUDGET_TOKENS], actual.of[BUDGET_TOKENS]);
    counted->of[BUDGET_REQUESTS] = !exchange->is_own;
    if (r == NULL)
        return;
    if (exchange->cascade_kept)
        r->aside = (struct budget_amounts){{0}}; /* nobody is asked after it */
    if (budgets_post_keeping(budgets_of(exchange), &r->claim, &actual, &r->aside) && !r->observe)
        count(&exchange->worker->counters, COUNT_OVERRUNS, 1);
}

/* Who is still to be answered is told how its limits stand. */
static void
keep_standing(struct exchange *exchange)
{
    struct reservation *r = exchange->reservation;

    if (exchange->client == NULL || exchange->first_byte_us != 0)
        return;
    if (r->has_requests)
        budgets_tightest(budgets_of(exchange), &r->claim, BUDGET_REQUESTS, &r->standing[BUDGET_REQUESTS]);
    if (r->has_tokens)
        budgets_tightest(budgets_of(exchange), &r->claim, BUDGET_TOKENS, &r->standing[BUDGET_TOKENS]);
}

void
reserve_release(struct exchange *exchange)
{
    if (exchange->reservation == NULL || exchange->reservation->claim.count == 0)
        return;
    keep_standing(exchange);
    budgets_release(budgets_of(exchange), &exchange->reservation->claim);
}

bool
reserve_tightest(struct exchange *exchange, enum budget_unit unit, struct budget_info *out)
{
    struct reservation *r = exchange->reservation;

    if (!(unit == BUDGET_TOKENS ? r->has_tokens : unit == BUDGET_REQUESTS ? r->has_requests : r->has_money))
        return false;
    if (r->claim.count > 0)
        return budgets_tightest(budgets_of(exchange), &r->claim, unit, out);
    *out = r->standing[unit];
    return out->rule.limit > 0;
}

unsigned
reserve_transforms(const struct exchange *exchange)
{
    return exchange->reservation != NULL ? exchange->reservation->transforms : 0;
}
