#include "levers/estimate.h"

#include <math.h>

#include "fleet/capacity/pool.h"
#include "money/rent.h"

/* The share of answers that a plan's expected times shall cover. */
enum { TIMES_SHARE_PPM = 950000 };

/* Clients may name any model where a backend takes all: beyond this many, those of one backend and price share one. */
enum { KNOWN_MOST = 4096 };

void
facts_source_init(struct facts_source *source, struct experiences *experiences, struct healths *healths,
                  const struct config *config)
{
    *source = (struct facts_source){.experiences = experiences, .healths = healths, .config = config};
    map_init(&source->known);
    arena_init(&source->arena);
}

void
facts_source_free(struct facts_source *source)
{
    size_t at = 0;
    struct slice name;
    void *facts;

    while (map_next(&source->known, &at, &name, &facts))
        healths_let_go(source->healths, &((struct target_facts *)facts)->standing);
    map_free(&source->known);
    arena_reset(&source->arena);
}

static const struct target *
copy_target(struct arena *arena, const struct target *target)
{
    struct target *copy = arena_alloc(arena, sizeof(*copy));

    copy->backend = target->backend;
    copy->model = arena_strdup(arena, target->model);
    copy->upstream = arena_strdup(arena, target->upstream);
    copy->name = arena_strdup(arena, target->name);
    return copy;
}

/* `name` is what others know it by, who keep what they know over reloads. */
static const struct target_facts *
add_facts(struct facts_source *source, struct slice key, const struct target *target, struct slice name,
          const struct price *price)
{
    struct target_facts *facts = arena_alloc(&source->arena, sizeof(*facts));

    facts->target = copy_target(&source->arena, target);
    facts->experience = experiences_of(source->experiences, name);
    facts->price = price;
    facts->standing = healths_standing(source->healths, target, name, &source->arena);
    map_put(&source->known, key, facts);
    return facts;
}

/* One of too many, which shares what is known with all such of its backend and price; what is learned, with all of its
 * backend. */
static const struct target_facts *
shared_facts(struct facts_source *source, const struct target *target, const struct price *price)
{
    const struct target_facts *facts;
    struct buffer key = {0}, name = {0};

    buffer_printf(&key, "%s at %p", target->backend->name, (const void *)price); /* as long as this configuration */
    buffer_printf(&name, "%s, others", target->backend->name);
    facts = map_get(&source->known, buffer_content(&key));
    if (facts == NULL)
        facts = add_facts(source, buffer_content(&key), target, buffer_content(&name), price);
    buffer_free(&key);
    buffer_free(&name);
    return facts;
}

const struct target_facts *
facts_of(struct facts_source *source, const struct target *target)
{
    const struct target_facts *facts = map_get(&source->known, slice_of(target->name));
    const struct price *price;

    if (facts != NULL)
        return facts;
    price = prices_resolve(source->config->prices, target->backend->name, target->backend->provider,
                           slice_of(target->upstream));
    if (source->known.count < KNOWN_MOST)
        return add_facts(source, slice_of(target->name), target, slice_of(target->name), price);
    return shared_facts(source, target, price);
}

bool
facts_hourly(const struct target_facts *facts)
{
    return facts->price == NULL && usd_known(facts->target->backend->usd_per_hour);
}

struct cost
estimate_cost(const struct target_facts *facts, const struct price_terms *terms, const struct usage *usage)
{
    struct cost cost = cost_unknown("the engine is paid by the hour: what its time costs is one sum");
    struct pool_now now;

    if (!facts_hourly(facts))
        return prices_cost(facts->price, terms, usage);
    if (usage->exactness == USAGE_UNKNOWN)
        return cost_unknown("the usage is not known");
    pool_look(&facts->standing, &now);
    cost.total = rent_of_time(facts->target->backend->usd_per_hour,
                              pool_work_us(&now, usage->input_tokens, usage->cache_read_tokens, usage->output_tokens));
    return cost;
}

static int64_t
tokens_of(double bytes, double bytes_per_token)
{
    return bytes > 0.0 ? (int64_t)ceil(bytes / bytes_per_token) : 0;
}

int64_t
estimate_input_tokens(const struct expectation *expectation, int64_t bytes)
{
    return tokens_of((double)bytes, expectation->bytes_per_input_token);
}

int64_t
estimate_output_tokens(const struct expectation *expectation, int64_t bytes)
{
    return tokens_of((double)bytes, expectation->bytes_per_output_token);
}

/* Of all choices together. Clients may ask for any number of choices and any cap: the sum stays within a usage. */
static int64_t
expect_output(const struct request_facts *facts, double tokens)
{
    double each = ceil(tokens), sum;

    if (facts->api == API_EMBEDDINGS)
        return 0;
    if (facts->output_cap >= 0 && each > (double)facts->output_cap)
        each = (double)facts->output_cap;
    sum = each * (double)facts->choices;
    return sum < (double)USAGE_COUNT_MOST ? (int64_t)sum : USAGE_COUNT_MOST;
}

static void
expect_usage(const struct request *request, const struct expectation *expectation, struct usage *usage)
{
    usage_init(usage);
    usage_set(usage, USAGE_input_tokens, estimate_input_tokens(expectation, (int64_t)request->body.len));
    usage_set(usage, USAGE_output_tokens, expect_output(request->facts, expectation->output_tokens));
    usage->exactness = USAGE_ESTIMATED;
}

struct replica_wish
estimate_wish(const struct request *request, const struct expectation *expectation)
{
    return (struct replica_wish){.prompt_tokens = estimate_input_tokens(expectation, (int64_t)request->body.len),
                                 .output_tokens = expect_output(request->facts, expectation->output_tokens)};
}

/* Whatever its requests are charged: the engine is paid for anyway. */
static usd
marginal_of(const struct target_facts *facts, const struct usage *usage, usec now_us)
{
    struct pool_now now;

    if (!usd_known(facts->target->backend->usd_per_hour))
        return USD_UNKNOWN;
    pool_look_all(&facts->standing, now_us, &now);
    return rent_of_time(facts->target->backend->usd_per_hour,
                        pool_marginal_us(&now, usage->input_tokens, usage->cache_read_tokens, usage->output_tokens));
}

/* What a target's answers are like is known from so many. */
enum { ANSWERS_ENOUGH = 50 };

static void
put_estimate(const struct request *request, const struct expectation *expectation, const struct expectation *sizes,
             struct plan *plan)
{
    struct price_terms terms = {.wall_us = request->wall_us};
    struct usage usage;

    expect_usage(request, sizes, &usage);
    plan->cost = estimate_cost(plan->facts, &terms, &usage).total;
    plan->by_the_hour = usd_known(plan->facts->target->backend->usd_per_hour);
    plan->marginal = marginal_of(plan->facts, &usage, request->arrived_us);
    plan->first_token_us = expectation->first_token_us;
    plan->total_us = expectation->total_us;
}

void
estimate_plan(const struct request *request, struct plan *plan)
{
    struct expectation expectation = experience_expect(plan->facts->experience, TIMES_SHARE_PPM);

    put_estimate(request, &expectation, &expectation, plan);
}

void
estimate_plan_like(const struct request *request, const struct target_facts *like, struct plan *plan)
{
    struct expectation expectation = experience_expect(plan->facts->experience, TIMES_SHARE_PPM);
    struct expectation sizes = experience_expect(like->experience, TIMES_SHARE_PPM);

    put_estimate(request, &expectation, expectation.answers < ANSWERS_ENOUGH ? &sizes : &expectation, plan);
}

usd
estimate_cached(const struct request *request, const struct plan *plan, int64_t read, int64_t written, int64_t hour)
{
    struct expectation expectation = experience_expect(plan->facts->experience, TIMES_SHARE_PPM);
    struct price_terms terms = {.wall_us = request->wall_us};
    struct usage usage;

    expect_usage(request, &expectation, &usage);
    if (read > usage.input_tokens)
        read = usage.input_tokens;
    if (written > usage.input_tokens - read)
        written = usage.input_tokens - read;
    usage_set(&usage, USAGE_cache_read_tokens, read);
    usage_set(&usage, USAGE_cache_write_tokens, written);
    if (hour > written)
        hour = written;
    usage_set(&usage, USAGE_cache_write_5m_tokens, written - hour);
    if (hour > 0)
        usage_set(&usage, USAGE_cache_write_1h_tokens, hour);
    return estimate_cost(plan->facts, &terms, &usage).total;
}

usd
estimate_batched(const struct request *request, const struct plan *plan, double requests)
{
    struct expectation expectation = experience_expect(plan->facts->experience, TIMES_SHARE_PPM);
    struct price_terms terms = {.wall_us = request->wall_us};
    struct usage usage;
    struct cost cost;

    expect_usage(request, &expectation, &usage);
    cost = prices_cost(plan->facts->price, &terms, &usage);
    return cost.why_unknown == NULL ? cost.total - (usd)((double)cost.other * (1.0 - 1.0 / requests)) : USD_UNKNOWN;
}
