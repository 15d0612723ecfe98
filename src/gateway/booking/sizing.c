#include "gateway/booking/sizing.h"

#include "dialect/translate/translate.h"

/* Sent where a strict budget needs a cap and neither request nor route names one: every model in use takes it. */
static const int64_t CAP_IF_NONE = 4096;

/* A long stream reserves so much output at a time, and in strict keeps a quarter of it for what is on its way. */
static const int64_t TRANCHE_TOKENS = 2048;

/* One event of a stream seldom brings more. */
static const int64_t EVENT_TOKENS = 16;

/* What an image usually comes to. */
static const int64_t IMAGE_TOKENS_EXPECTED = 1500;

bool
sizing_makes_output(const struct exchange *exchange)
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
    const bool writes = bound->writes_cache || (plan->cache.on && plan->cache.marks != 0);
    const bool writes_hour = bound->writes_cache || (plan->cache.on && plan->cache.hour_marks != 0);
    const bool may_be[] = {writes, writes_hour, bound->has_audio, output > 0};
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
    if (!worst)
        return estimate_cost(plan->facts, &terms, &usage).total;
    most = prices_cost(plan->facts->price, &terms, &usage).total;
    for (size_t i = 0; usd_known(most) && i < sizeof(parts) / sizeof(parts[0]); i++) {
        usd cost;

        if (!may_be[i] || !price_tells_apart(plan->facts->price, parts[i]))
            continue;
        usage_set(&usage, parts[i], usage_kind_side(parts[i]) == USAGE_OUTPUT ? output : input);
        cost = prices_cost(plan->facts->price, &terms, &usage).total;
        most = !usd_known(cost) ? USD_UNKNOWN : cost > most ? cost : most;
    }
    return most;
}

int64_t
sizing_add_tokens(int64_t a, int64_t b)
{
    return a < USAGE_COUNT_MOST - b ? a + b : USAGE_COUNT_MOST;
}

struct budget_amounts
sizing_amounts(const struct exchange *exchange, const struct plan *plan, int64_t input, int64_t output)
{
    const struct reservation *r = exchange->reservation;
    usd money = r->has_money ? money_for(exchange, plan, input, output, r->strict) : 0;

    return (struct budget_amounts){{money > 0 ? money : 0, sizing_add_tokens(input, output), !exchange->is_own}};
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
input_most(const struct exchange *exchange, const struct plan *plan, const struct size_bounds *sizes)
{
    int64_t text = exchange->request_bytes - exchange->facts.bound.image_bytes;

    return sizing_add_tokens(sizing_add_tokens(text > 0 ? text : 0, sizes->input_excess),
                             request_bound_hidden_input(&exchange->facts.bound, plan->api,
                                                        plan->api == API_MESSAGES && exchange->facts.has_tools));
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
asked_cap(const struct exchange *exchange, const struct plan *plan)
{
    const struct reservation *r = exchange->reservation;

    if (exchange->facts.output_cap >= 0)
        return exchange->facts.output_cap;
    if (exchange->request.route->output_max > 0)
        return exchange->request.route->output_max;
    if (plan->translated != NULL && plan->translated->cap >= 0)
        return plan->translated->cap; /* the other API wants one */
    return r->strict ? CAP_IF_NONE : -1;
}

/* Who follows a shared flight has no say in how long it gets, and may come to pay for all of it. What a cascade holds back is
 * kept whole or not at all.
 *
 * In strict a stream reserves piece by piece only where its text was seen to bound what is billed, and keeps some of it
 * for what is on its way when it is ended. */
static void
plan_metering(const struct exchange *exchange, const struct plan *plan, const struct size_bounds *sizes,
              struct reservation *r)
{
    r->metered = plan->source != SOURCE_SHARED && plan->source != SOURCE_CASCADE && exchange->facts.stream &&
                 sizing_makes_output(exchange) && !r->observe && (r->has_money || r->has_tokens);
    r->tranches =
        !r->strict || (sizes->output_shown && !exchange->facts.bound.thinks && r->output_most > TRANCHE_TOKENS);
    r->lag_tokens = r->strict ? TRANCHE_TOKENS / 4 : EVENT_TOKENS;
    r->tokens_per_byte = r->strict ? 1.0 : 1.0 / sizes->bytes_per_output_token;
    r->surely_per_byte = (sizes->output_shown ? 0.8 : 0.5) / sizes->bytes_per_output_token;
}

void
sizing_plan(const struct exchange *exchange, const struct plan *plan, struct reservation *r)
{
    struct size_bounds sizes = experience_bounds(plan->facts->experience);
    int64_t cap = sizing_makes_output(exchange) ? asked_cap(exchange, plan) : -1;

    r->transforms &= (unsigned)TRANSFORM_ENDED;
    r->cap = -1;
    r->input_most = input_most(exchange, plan, &sizes);
    r->input_tokens = r->strict ? r->input_most : input_expected(exchange, &sizes);
    r->output_most = !sizing_makes_output(exchange) ? 0 : cap >= 0 ? all_answers(exchange, cap) : INT64_MAX;
    plan_metering(exchange, plan, &sizes, r);
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

const char *
sizing_objection(struct exchange *exchange, const struct plan *plan)
{
    const struct reservation *r = exchange->reservation;
    const char *what = exchange->facts.bound.unbounded;

    if (!r->strict || (!r->has_money && !r->has_tokens) || identify_free(exchange))
        return NULL;
    if (exchange->identity.api == API_PASSTHROUGH)
        what = "pass-through, whose bodies are not read";
    if (what == NULL && r->has_money && !usd_known(money_for(exchange, plan, 1, 1, true)))
        what = arena_printf(&exchange->arena, "%s, %s", plan->target->name,
                            facts_hourly(plan->facts) ? "whose time is paid by the hour" : "whose price is not known");
    return what;
}

struct budget_amounts
sizing_exposure(const struct exchange *exchange, const struct plan *plan, bool *unbounded)
{
    const struct reservation *r = exchange->reservation;
    int64_t window = plan->facts->price != NULL ? price_context_window(plan->facts->price) : 0;
    int64_t input = r->input_most, output = r->output_most, tokens;
    struct budget_amounts more = {{0}};
    usd money;

    *unbounded = false;
    if (identify_free(exchange))
        return more;
    if (output == INT64_MAX && window > 0)
        output = all_answers(exchange, window);
    *unbounded =
        output == INT64_MAX || exchange->facts.bound.unbounded != NULL || exchange->identity.api == API_PASSTHROUGH;
    if (*unbounded)
        return more;
    money = r->has_money ? money_for(exchange, plan, input, output, true) : 0;
    tokens = sizing_add_tokens(input, output);
    if (usd_known(money) && money > r->claim.reserved.of[BUDGET_USD])
        more.of[BUDGET_USD] = money - r->claim.reserved.of[BUDGET_USD];
    if (tokens > r->claim.reserved.of[BUDGET_TOKENS])
        more.of[BUDGET_TOKENS] = tokens - r->claim.reserved.of[BUDGET_TOKENS];
    *unbounded = !usd_known(money);
    return more;
}

int64_t
sizing_affordable(const struct exchange *exchange, const struct plan *plan, const struct budget_amounts *room,
                  int64_t most)
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
