#include "gateway/reserve.h"

#include "base/clock.h"
#include "gateway/attempt.h"
#include "money/row.h"

/* Sent where a strict budget needs a cap and neither request nor route names one: every model in use takes it. */
static const int64_t CAP_IF_NONE = 4096;

/* A long stream reserves so much output at a time, and in strict keeps a quarter of it for what is on its way. */
static const int64_t TRANCHE_TOKENS = 2048;

/* One event of a stream seldom brings more. */
static const int64_t EVENT_TOKENS = 16;

/* What an image usually comes to. */
static const int64_t IMAGE_TOKENS_EXPECTED = 1500;

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

/* What an attempt may come to */

static bool
makes_output(const struct exchange *exchange)
{
    return exchange->identity.api != API_EMBEDDINGS && exchange->identity.api != API_PASSTHROUGH;
}

/* Tiers that cost no more than the standard one, by which they may be served all the same. */
static bool
may_be_dearer(const char *service_tier)
{
    static const char *const names[] = {"", "flex", "batch", "standard_only"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(service_tier, names[i]) == 0)
            return false;
    return true;
}

/* The dearest of the ways in which these tokens may be billed, if `worst`; else the plain one. */
static usd
money_for(const struct exchange *exchange, const struct plan *plan, int64_t input, int64_t output, bool worst)
{
    const struct request_bound *bound = &exchange->facts.bound;
    const enum usage_kind parts[] = {USAGE_cache_write_tokens, USAGE_cache_write_1h_tokens, USAGE_input_audio_tokens,
                                     USAGE_output_reasoning_tokens};
    const bool may_be[] = {bound->writes_cache, bound->writes_cache, bound->has_audio, output > 0};
    struct price_terms terms = {.wall_us = exchange->arrived_wall_us};
    struct usage usage;
    usd most;

    usage_init(&usage);
    usage.exactness = USAGE_ESTIMATED;
    memcpy(usage.speed, bound->speed, sizeof(bound->speed));
    memcpy(usage.inference_geo, bound->geo, sizeof(bound->geo));
    if (worst && may_be_dearer(bound->service_tier))
        terms.service_tier = slice_of(bound->service_tier);
    usage_set(&usage, USAGE_input_tokens, input);
    usage_set(&usage, USAGE_output_tokens, output);
    most = prices_cost(plan->facts->price, &terms, &usage).total;
    for (size_t i = 0; worst && usd_known(most) && i < sizeof(parts) / sizeof(parts[0]); i++) {
        usd cost;

        if (!may_be[i])
            continue;
        usage_set(&usage, parts[i], usage_kind_side(parts[i]) == USAGE_OUTPUT ? output : input);
        cost = prices_cost(plan->facts->price, &terms, &usage).total;
        most = !usd_known(cost) ? USD_UNKNOWN : cost > most ? cost : most;
    }
    return most;
}

static int64_t
add_tokens(int64_t a, int64_t b)
{
    return a < USAGE_COUNT_MOST - b ? a + b : USAGE_COUNT_MOST;
}

/* Unknown money is none: in strict it never comes so far, else it is stated as exposure. */
static struct budget_amounts
amounts_of(const struct exchange *exchange, const struct plan *plan, int64_t input, int64_t output)
{
    const struct reservation *r = exchange->reservation;
    usd money = r->has_money ? money_for(exchange, plan, input, output, r->strict) : 0;

    return (struct budget_amounts){{money > 0 ? money : 0, add_tokens(input, output), 1}};
}

static int64_t
all_answers(const struct exchange *exchange, int64_t each)
{
    int64_t answers = exchange->facts.choices;

    return each < USAGE_COUNT_MOST / answers ? each * answers : USAGE_COUNT_MOST;
}

static int64_t
least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* No token is less than a byte, so that the text's bytes bound its tokens; what templates add was seen, what images and
 * tools add is known. */
static int64_t
input_most(const struct exchange *exchange, const struct size_bounds *sizes)
{
    int64_t text = exchange->request_bytes - exchange->facts.bound.image_bytes;

    return add_tokens(add_tokens(text > 0 ? text : 0, sizes->input_excess),
                      request_bound_hidden_input(&exchange->facts.bound, exchange->identity.api,
                                                 exchange->identity.api == API_MESSAGES && exchange->facts.has_tools));
}

static int64_t
input_expected(const struct exchange *exchange, const struct size_bounds *sizes)
{
    double text = (double)(exchange->request_bytes - exchange->facts.bound.image_bytes);

    return (text > 0.0 ? (int64_t)(text * sizes->input_tokens_per_byte) + 1 : 0) +
           IMAGE_TOKENS_EXPECTED * exchange->facts.bound.images;
}

/* The cap on each answer, as asked or as the route says; -1: nobody says. */
static int64_t
asked_cap(const struct exchange *exchange)
{
    const struct reservation *r = exchange->reservation;

    if (exchange->facts.output_cap >= 0)
        return exchange->facts.output_cap;
    if (exchange->request.route->output_max > 0)
        return exchange->request.route->output_max;
    return r->strict ? CAP_IF_NONE : -1;
}

/* In strict a stream reserves piece by piece only where its text was seen to bound what is billed, and keeps some of it
 * for what is on its way when it is ended. */
static void
plan_metering(const struct exchange *exchange, const struct size_bounds *sizes, struct reservation *r)
{
    r->metered = exchange->facts.stream && makes_output(exchange) && !r->observe && (r->has_money || r->has_tokens);
    r->tranches =
        !r->strict || (sizes->output_shown && !exchange->facts.bound.thinks && r->output_most > TRANCHE_TOKENS);
    r->lag_tokens = r->strict ? TRANCHE_TOKENS / 4 : EVENT_TOKENS;
    r->tokens_per_byte = r->strict ? 1.0 : 1.0 / sizes->bytes_per_output_token;
    r->surely_per_byte = (sizes->output_shown ? 0.8 : 0.5) / sizes->bytes_per_output_token;
}

static void
plan_sizes(const struct exchange *exchange, const struct plan *plan, struct reservation *r)
{
    struct size_bounds sizes = experience_bounds(plan->facts->experience);
    int64_t cap = makes_output(exchange) ? asked_cap(exchange) : -1;

    r->transforms &= (unsigned)TRANSFORM_ENDED;
    r->cap = -1;
    r->input_tokens = r->strict ? input_most(exchange, &sizes) : input_expected(exchange, &sizes);
    r->output_most = !makes_output(exchange) ? 0 : cap >= 0 ? all_answers(exchange, cap) : INT64_MAX;
    plan_metering(exchange, &sizes, r);
    if (!r->strict)
        r->output_tokens = least_of(r->output_most, all_answers(exchange, sizes.output_tokens));
    else
        r->output_tokens = r->metered && r->tranches ? TRANCHE_TOKENS : r->output_most;
    if (exchange->identity.api == API_PASSTHROUGH)
        r->input_tokens = r->output_tokens = 0;
    if (cap >= 0 && !r->observe && (r->has_money || r->has_tokens)) {
        r->cap = cap;
        r->transforms |= exchange->facts.output_cap < 0 ? (unsigned)TRANSFORM_CAPPED : 0;
    }
}

/* What `strict` cannot bound; NULL: it can. */
static const char *
objection(struct exchange *exchange, const struct plan *plan)
{
    const struct reservation *r = exchange->reservation;
    const char *what = exchange->facts.bound.unbounded;

    if (!r->strict || (!r->has_money && !r->has_tokens))
        return NULL;
    if (exchange->identity.api == API_PASSTHROUGH)
        what = "pass-through, whose bodies are not read";
    if (what == NULL && r->has_money && !usd_known(money_for(exchange, plan, 1, 1, true)))
        what = arena_printf(&exchange->arena, "%s, whose price is not known", plan->target->name);
    return what;
}

/* What may come on top of what was reserved, as far as anything bounds it. */
static void
state_exposure(struct exchange *exchange, const struct plan *plan)
{
    struct reservation *r = exchange->reservation;
    struct size_bounds sizes = experience_bounds(plan->facts->experience);
    int64_t window = plan->facts->price != NULL ? price_context_window(plan->facts->price) : 0;
    int64_t input = input_most(exchange, &sizes), output = r->output_most;
    bool unbounded = exchange->facts.bound.unbounded != NULL || exchange->identity.api == API_PASSTHROUGH;
    struct budget_amounts more = {{0}};
    usd money;

    if (output == INT64_MAX && window > 0)
        output = all_answers(exchange, window);
    if (output == INT64_MAX || unbounded) {
        budgets_expose(budgets_of(exchange), &r->claim, &more, true);
        return;
    }
    money = r->has_money ? money_for(exchange, plan, input, output, true) : 0;
    if (usd_known(money) && money > r->claim.reserved.of[BUDGET_USD])
        more.of[BUDGET_USD] = money - r->claim.reserved.of[BUDGET_USD];
    if (add_tokens(input, output) > r->claim.reserved.of[BUDGET_TOKENS])
        more.of[BUDGET_TOKENS] = add_tokens(input, output) - r->claim.reserved.of[BUDGET_TOKENS];
    budgets_expose(budgets_of(exchange), &r->claim, &more, !usd_known(money));
}

/* Output tokens that this room buys, at most `most`; -1: not even the input fits. */
static int64_t
affordable(const struct exchange *exchange, const struct plan *plan, const struct budget_amounts *room, int64_t most)
{
    const struct reservation *r = exchange->reservation;
    int64_t output = least_of(most, room->of[BUDGET_TOKENS] - r->input_tokens);
    usd base, full;

    if (output < 0)
        return -1;
    if (!r->has_money || output == 0)
        return output;
    base = money_for(exchange, plan, r->input_tokens, 0, r->strict);
    full = money_for(exchange, plan, r->input_tokens, output, r->strict);
    if (!usd_known(base) || !usd_known(full) || full <= room->of[BUDGET_USD])
        return output;
    if (base > room->of[BUDGET_USD])
        return -1;
    output = (int64_t)((wide_int)(room->of[BUDGET_USD] - base) * output / (full - base));
    while (output > 0 &&
           money_for(exchange, plan, r->input_tokens, output, r->strict) > room->of[BUDGET_USD]) /* rounding */
        output--;
    return output;
}

/* What there is does not suffice: an answer as long as it buys, if one may be so short. */
static bool
reserve_clipped(struct exchange *exchange, const struct plan *plan)
{
    struct reservation *r = exchange->reservation;
    int64_t least = exchange->facts.bound.cap_least, answers = exchange->facts.choices;

    for (unsigned tries = 0; tries < CLIP_TRIES; tries++) {
        int64_t output = affordable(exchange, plan, &r->refusal.room, r->output_tokens), cap = output / answers;
        struct budget_amounts wanted;

        if (!makes_output(exchange) || r->refusal.info.rule.unit == BUDGET_REQUESTS || output < 0 || cap < least)
            return false;
        output = cap * answers;
        wanted = amounts_of(exchange, plan, r->input_tokens, output);
        if (!budgets_reserve(budgets_of(exchange), &r->claim, &wanted, false, &r->refusal))
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
    for (size_t i = 0; exchange->reservation->degrade && i < exchange->plans.count; i++) {
        struct plan *other = &exchange->plans.all[i];

        if (reference == NULL || !usd_known(other->cost) || !usd_known(reference->cost) ||
            other->cost >= reference->cost)
            other->over_budget = true;
    }
}

bool
reserve_plan(struct exchange *exchange, struct plan *plan)
{
    struct reservation *r = exchange->reservation;

    if (r == NULL)
        return true;
    r->why = objection(exchange, plan);
    r->unbounded = r->why != NULL;
    plan_sizes(exchange, plan, r);
    r->wanted = amounts_of(exchange, plan, r->input_tokens, r->output_tokens);
    if (!r->unbounded && (budgets_reserve(budgets_of(exchange), &r->claim, &r->wanted, r->observe, &r->refusal) ||
                          reserve_clipped(exchange, plan))) {
        r->refused = false;
        if (!r->strict)
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
    const struct budget_info *info = &exchange->reservation->refusal.info;
    const char *scope =
        info->rule.scope == BUDGET_EVERYTHING ? "everything together" : budget_scope_name(info->rule.scope);

    return arena_printf(&exchange->arena, "the budget of %s%s%.*s (%.*s)", scope, info->rule.name.len > 0 ? " " : "",
                        SLICE_ARGS(info->rule.name), SLICE_ARGS(info->rule.text));
}

static const char *
say_refused(struct exchange *exchange)
{
    struct reservation *r = exchange->reservation;
    const struct budget_info *info = &r->refusal.info;
    enum budget_unit unit = info->rule.unit;
    int64_t left = r->refusal.room.of[unit] > 0 ? r->refusal.room.of[unit] : 0;
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

    return r->unbounded ? COUNT_REFUSED_UNBOUNDED : counters[r->refusal.info.rule.unit];
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
        budgets_count_refusal(budgets_of(exchange), &r->claim, &r->refusal);
        why = say_refused(exchange);
    }
    if (!r->unbounded)
        exchange->retry_after_us = time_left(exchange, &r->refusal.info);
    money = r->unbounded || r->refusal.info.rule.unit == BUDGET_USD;
    exchange_give_up(exchange, NOTHING_FITS, ENDING_REFUSED, money ? ERROR_OVER_BUDGET : ERROR_RATE_LIMITED, why);
    return true;
}

/* Serving */

/* OpenAI's newer models take only the newer name; many other servers know only the older. */
static const char *
cap_name(const struct exchange *exchange)
{
    enum api api = exchange->identity.api;
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
                                   .cap_name = r != NULL && r->cap >= 0 ? cap_name(exchange) : NULL};
}

bool
reserve_output(struct exchange *exchange, int64_t tokens)
{
    struct reservation *r = exchange->reservation;
    struct budget_amounts wanted = amounts_of(exchange, exchange->plan, r->input_tokens, tokens);

    if (!budgets_reserve(budgets_of(exchange), &r->claim, &wanted, false, &r->refusal))
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
    return affordable(exchange, exchange->plan, &room, USAGE_COUNT_MOST / 2);
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

    return r != NULL ? add_tokens(r->input_tokens, r->output_tokens) : 0;
}

/* An expectation that is not known either counts nothing. */
static struct budget_amounts
counts_of(const struct exchange *exchange, const struct usage *usage, usd cost)
{
    usd money = usd_known(cost) ? cost : exchange->plan->cost;
    int64_t tokens = usage->exactness != USAGE_UNKNOWN ? weighted_tokens(exchange, usage) : reserve_tokens(exchange);

    return (struct budget_amounts){{money > 0 ? money : 0, tokens > 0 ? tokens : 0, 1}};
}

static int64_t
add_up(int64_t a, int64_t b)
{
    return a < INT64_MAX - b ? a + b : INT64_MAX;
}

void
reserve_post(struct exchange *exchange, const struct usage *usage, usd cost)
{
    struct reservation *r = exchange->reservation;
    struct budget_amounts actual = counts_of(exchange, usage, cost), *counted = &exchange->counted;

    counted->of[BUDGET_USD] = add_up(counted->of[BUDGET_USD], actual.of[BUDGET_USD]);
    counted->of[BUDGET_TOKENS] = add_up(counted->of[BUDGET_TOKENS], actual.of[BUDGET_TOKENS]);
    counted->of[BUDGET_REQUESTS] = 1;
    if (r == NULL)
        return;
    if (budgets_post(budgets_of(exchange), &r->claim, &actual) && !r->observe)
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
