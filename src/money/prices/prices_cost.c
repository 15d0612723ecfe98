/* What a usage costs under a price.
 *
 * Kinds contain each other (cached tokens are input tokens), and each is paid at the most specific rate there is: the
 * count that a rate applies to is what its kind counts less what more specific rates have taken. Lengths move the whole
 * request: beyond a tier's start every token is paid at the tier's rate. */
#include "base/clock.h"
#include "money/prices/prices_book.h"

/* Dollars per million tokens: the dearest known model costs 600, the cheapest cache read 0.002. */
#define RATE_LEAST (USD_RATE_ONE / 1000)
#define RATE_MOST (USD_RATE_ONE * 10000)

#define DAY_US (86400 * USEC_PER_S)
#define PPM ((int64_t)1000000)

static uint64_t
bit(unsigned kind)
{
    return (uint64_t)1 << kind;
}

bool
prices_rate_plausible(enum usage_kind kind, usd_rate rate)
{
    return rate == 0 || !usage_kind_is_tokens(kind) || (rate >= RATE_LEAST && rate <= RATE_MOST);
}

/* The kind that is both a and b, or USAGE_KIND_COUNT. */
static unsigned
find_join(unsigned a, unsigned b)
{
    unsigned both = 0;

    while (both < USAGE_KIND_COUNT && !usage_kind_joins(both, a, b))
        both++;
    return both;
}

static const char *
fault_of_pair(uint64_t kinds, unsigned a, unsigned b, struct arena *arena)
{
    unsigned both;

    if (!usage_kinds_overlap(a, b))
        return NULL;
    both = find_join(a, b);
    if (both < USAGE_KIND_COUNT && (kinds & bit(both)) != 0)
        return NULL;
    if (arena == NULL)
        return "its prices overlap without one for the overlap";
    return arena_printf(arena, "%s and %s are priced, but not what is both%s%s", usage_kind_price_name(a),
                        usage_kind_price_name(b), both < USAGE_KIND_COUNT ? ", " : "",
                        both < USAGE_KIND_COUNT ? usage_kind_price_name(both) : "");
}

static const char *
fault_of_kind(uint64_t kinds, unsigned kind, struct arena *arena)
{
    for (unsigned whole = 0; whole < USAGE_KIND_COUNT; whole++) {
        if (whole == kind || !usage_kind_within(kind, whole) || (kinds & bit(whole)) != 0)
            continue;
        if (arena == NULL)
            return "a part is priced without its whole";
        return arena_printf(arena, "%s is priced, but not %s, of which it is a part", usage_kind_price_name(kind),
                            usage_kind_price_name(whole));
    }
    return NULL;
}

const char *
tariff_fault(uint64_t kinds, struct arena *arena)
{
    for (unsigned a = 0; a < USAGE_KIND_COUNT; a++) {
        const char *fault;

        if ((kinds & bit(a)) == 0)
            continue;
        fault = fault_of_kind(kinds, a, arena);
        for (unsigned b = a + 1; fault == NULL && b < USAGE_KIND_COUNT; b++)
            if ((kinds & bit(b)) != 0)
                fault = fault_of_pair(kinds, a, b, arena);
        if (fault != NULL)
            return fault;
    }
    return NULL;
}

bool
constraint_holds(const struct constraint *constraint, usec wall_us)
{
    usec of_day = (wall_us % DAY_US + DAY_US) % DAY_US;

    switch (constraint->kind) {
    case HOLDS_ALWAYS:
        return true;
    case HOLDS_FROM:
        return wall_us >= constraint->from_wall_us;
    case HOLDS_DAILY:
        if (constraint->end_us < constraint->start_us)
            return of_day >= constraint->start_us || of_day < constraint->end_us;
        return of_day >= constraint->start_us && of_day < constraint->end_us;
    }
    return false;
}

const struct tariff *
model_tariff_at(const struct model *model, usec wall_us)
{
    for (size_t i = model->dated_count; i > 0; i--)
        if (constraint_holds(&model->dated[i - 1].constraint, wall_us))
            return &model->dated[i - 1].tariff;
    return &model->dated[0].tariff;
}

/* The rates that apply to one request. */
struct rates {
    const struct line *lines[USAGE_KIND_COUNT]; /* of those in `kinds`; the others are not set */
    uint64_t kinds;
    int64_t share_ppm; /* of every amount */
    int64_t token_ppm; /* of amounts for tokens, on top */
    const char *fault;
};

/* None yet. Every request asks for prices several times: the lines are not worth the time to clear them. */
static void
begin_rates(struct rates *rates, const char *fault)
{
    rates->kinds = 0;
    rates->share_ppm = rates->token_ppm = PPM;
    rates->fault = fault;
}

static void
set_rates(struct rates *rates, const struct tariff *tariff)
{
    begin_rates(rates, tariff->fault);
    for (size_t i = 0; i < tariff->line_count; i++) {
        rates->lines[tariff->lines[i].kind] = &tariff->lines[i];
        rates->kinds |= bit(tariff->lines[i].kind);
    }
}

/* What is known of the request that variants may ask for. */
struct context {
    usec wall_us;
    struct slice tier, speed, geo;
    bool batch;
};

/* Nearly always there is none. */
static struct slice
word_of(const char *word)
{
    return word[0] != '\0' ? slice_of(word) : SLICE_LITERAL("");
}

static struct context
context_of(const struct price_terms *terms, const struct usage *usage)
{
    struct context context = {
        .wall_us = terms->wall_us, .speed = word_of(usage->speed), .geo = word_of(usage->inference_geo)};

    context.tier = terms->service_tier.len > 0 ? terms->service_tier : word_of(usage->service_tier);
    context.batch = terms->batch || slice_is_nocase(context.tier, "batch");
    return context;
}

static bool
condition_fits(const struct condition *condition, const struct context *context)
{
    if (slice_is(condition->name, "service_tier"))
        return slice_equal(condition->value, context->tier);
    if (slice_is(condition->name, "processing"))
        return slice_is(condition->value, context->batch ? "batch" : "standard");
    if (slice_is(condition->name, "speed"))
        return slice_equal(condition->value, context->speed);
    return slice_is(condition->name, "inference_geo") && slice_equal(condition->value, context->geo);
}

static bool
variant_fits(const struct variant *variant, const struct context *context)
{
    for (size_t i = 0; i < variant->condition_count; i++)
        if (!condition_fits(&variant->conditions[i], context))
            return false;
    return constraint_holds(&variant->constraint, context->wall_us);
}

static bool
asks_for(const struct variant *variant, const char *name)
{
    for (size_t i = 0; i < variant->condition_count; i++)
        if (slice_is(variant->conditions[i].name, name))
            return true;
    return false;
}

/* Which of the request's conditions some variant has taken care of. */
struct covered {
    bool tier, batch, speed, geo;
};

/* Puts the rates of the variants that fit in the place of the standard ones; the first wins, kind by kind. */
static void
apply_variants(struct rates *rates, const struct model *model, const struct context *context, struct covered *covered)
{
    uint64_t taken = 0;

    for (size_t i = 0; i < model->variant_count; i++) {
        const struct variant *variant = &model->variants[i];

        if (!variant_fits(variant, context))
            continue;
        for (size_t j = 0; j < variant->tariff.line_count; j++) {
            const struct line *line = &variant->tariff.lines[j];

            if ((taken & bit(line->kind)) == 0)
                rates->lines[line->kind] = line;
            taken |= bit(line->kind);
        }
        covered->tier |= asks_for(variant, "service_tier");
        covered->batch |= asks_for(variant, "processing");
        covered->speed |= asks_for(variant, "speed");
        covered->geo |= asks_for(variant, "inference_geo");
    }
    if ((taken & ~rates->kinds) != 0) {
        rates->kinds |= taken;
        rates->fault = tariff_fault(rates->kinds, NULL);
    }
}

/* Public rules of providers for all their models, where the book has no rates of its own for a tier: the share of the
 * standard price that tokens cost. */
struct tier_rule {
    const char *provider, *tier;
    int64_t ppm;
};

static const struct tier_rule tier_rules[] = {
    {"openai", "batch", PPM / 2},
    {"openai", "flex", PPM / 2},
    {"azure", "batch", PPM / 2},
    {"anthropic", "batch", PPM / 2},
    {"google", "batch", PPM / 2},
    {"google", "flex", PPM / 2},
    {"aws", "batch", PPM / 2},
    {"mistral", "batch", PPM / 2},
    {"groq", "batch", PPM / 2},
    {"groq", "flex", PPM},
    {"together", "batch", PPM / 2},
    {"fireworks", "batch", PPM / 2},
    {"voyageai", "batch", PPM * 67 / 100},
};

static bool
is_standard(struct slice tier)
{
    static const char *const names[] = {"standard", "default", "auto", "on_demand"};

    if (tier.len == 0)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_is_nocase(tier, names[i]))
            return true;
    return false;
}

static int64_t
rule_for(const struct provider *provider, struct slice tier)
{
    for (size_t i = 0; provider != NULL && i < sizeof tier_rules / sizeof tier_rules[0]; i++)
        if (strcmp(tier_rules[i].provider, provider->id) == 0 && slice_is_nocase(tier, tier_rules[i].tier))
            return tier_rules[i].ppm;
    return -1;
}

static void
apply_tier_rules(struct rates *rates, const struct provider *provider, const struct context *context,
                 const struct covered *covered)
{
    struct slice tier = context->batch ? slice_of("batch") : context->tier;
    bool settled = context->batch ? covered->batch || covered->tier : covered->tier || is_standard(tier);
    int64_t ppm = settled ? PPM : rule_for(provider, tier);

    if (ppm < 0)
        rates->fault = context->batch ? "the price book has no price for batches of this model"
                                      : "the price book has no price for the service tier that the answer states";
    else
        rates->token_ppm = ppm;
    if (context->speed.len > 0 && !is_standard(context->speed) && !covered->speed)
        rates->fault = "the price book has no price for the speed that the answer states";
    /* Anthropic: inference kept in one country costs 1.1 times as much, cache and output too. */
    if (provider != NULL && strcmp(provider->id, "anthropic") == 0 && slice_is(context->geo, "us") && !covered->geo)
        rates->token_ppm = rates->token_ppm * 11 / 10;
}

static const struct contract *
contract_at(const struct price *price, usec wall_us)
{
    for (size_t i = 0; i < price->contract_count; i++) {
        const struct contract *contract = price->contracts[i];

        if ((contract->from_wall_us == 0 && contract->until_wall_us == 0) ||
            (wall_us >= contract->from_wall_us && wall_us < contract->until_wall_us))
            return contract;
    }
    return NULL;
}

/* Collects the rates for a request. A contract's own rates hold for every tier. */
static void
find_rates(const struct price *price, const struct context *context, struct rates *rates)
{
    const struct contract *contract = contract_at(price, context->wall_us);
    struct covered covered = {0};

    if (contract != NULL && contract->tariff.line_count > 0) {
        set_rates(rates, &contract->tariff);
    } else if (price->model != NULL) {
        set_rates(rates, model_tariff_at(price->model, context->wall_us));
        apply_variants(rates, price->model, context, &covered);
        apply_tier_rules(rates, price->provider, context, &covered);
    } else {
        begin_rates(rates, "the contract's price for this model does not hold at this time");
    }
    if (contract != NULL)
        rates->share_ppm = PPM - contract->discount_ppm;
}

/* The lowest kind of a set, which is not empty. */
static unsigned
first_of(uint64_t kinds)
{
    return (unsigned)__builtin_ctzll(kinds);
}

static bool
are_joined_by(unsigned kind, unsigned a, unsigned b)
{
    return !usage_kind_within(a, b) && !usage_kind_within(b, a) && usage_kind_joins(kind, a, b);
}

/* The count of a kind that was not reported: 0, unless parts of it were, or two kinds that it is the overlap of.
 * `present`: the kinds of which there are any. */
static const char *
fault_of_missing(uint64_t present, unsigned kind)
{
    uint64_t wholes = 0;

    for (uint64_t left = present; left != 0; left &= left - 1) {
        unsigned other = first_of(left);

        if (usage_kind_within(other, kind))
            return "the usage reports a part without its whole";
        if (usage_kind_within(kind, other))
            wholes |= bit(other);
    }
    for (; wholes != 0; wholes &= wholes - 1)
        for (uint64_t left = wholes & (wholes - 1); left != 0; left &= left - 1)
            if (are_joined_by(kind, first_of(wholes), first_of(left)))
                return "the usage reports two kinds that overlap, as cached and audio, but not their overlap";
    return NULL;
}

static uint64_t
present_kinds(const struct usage *usage)
{
    uint64_t present = 0;

    for (uint64_t left = usage->reported; left != 0; left &= left - 1)
        if (usage->counts[first_of(left)] > 0)
            present |= bit(first_of(left));
    return present;
}

/* The count that a kind's own rate applies to: what it counts less what more specific rates take. */
static const char *
share_of(const struct rates *rates, const struct usage *usage, uint64_t present, unsigned kind, int64_t *shares)
{
    const char *fault = usage_reports(usage, kind) ? NULL : fault_of_missing(present, kind);

    if (fault != NULL)
        return fault;
    shares[kind] = usage->counts[kind];
    for (uint64_t left = rates->kinds & ~bit(kind); left != 0; left &= left - 1) {
        unsigned part = first_of(left);

        if (usage_kind_within(part, kind))
            shares[kind] -= shares[part];
    }
    return shares[kind] >= 0 ? NULL : "the usage reports parts, as cached tokens, that are larger than their whole";
}

/* The most specific kinds first; sets the shares of all kinds that have a rate. */
static const char *
share_out(const struct rates *rates, const struct usage *usage, uint64_t present, int64_t *shares)
{
    uint64_t of_depth[USAGE_DEPTH_MOST + 1] = {0};

    for (uint64_t left = rates->kinds & ~bit(USAGE_requests); left != 0; left &= left - 1)
        of_depth[usage_kind_depth(first_of(left))] |= left & -left;
    for (unsigned depth = USAGE_DEPTH_MOST; depth > 0; depth--) {
        for (uint64_t left = of_depth[depth]; left != 0; left &= left - 1) {
            const char *fault = share_of(rates, usage, present, first_of(left), shares);

            if (fault != NULL)
                return fault;
        }
    }
    if ((rates->kinds & bit(USAGE_requests)) != 0)
        shares[USAGE_requests] = usage->requests > 0 ? usage->requests : 1;
    return NULL;
}

static usd_rate
rate_for(const struct line *line, int64_t input_tokens)
{
    usd_rate rate = line->base;

    for (size_t i = 0; i < line->tier_count && input_tokens > line->tiers[i].start; i++)
        rate = line->tiers[i].rate;
    return rate;
}

static bool
has_tiers(const struct rates *rates)
{
    for (uint64_t left = rates->kinds; left != 0; left &= left - 1)
        if (rates->lines[first_of(left)]->tier_count > 0)
            return true;
    return false;
}

struct cost
cost_unknown(const char *why)
{
    return (struct cost){.input = USD_UNKNOWN,
                         .output = USD_UNKNOWN,
                         .cache_read = USD_UNKNOWN,
                         .cache_write = USD_UNKNOWN,
                         .other = USD_UNKNOWN,
                         .total = USD_UNKNOWN,
                         .why_unknown = why};
}

/* The three sides, and the two parts of the input that caches make. */
struct sums {
    struct usd_sum sides[USAGE_OUTPUT + 1], cache_read, cache_write;
};

/* Adds one kind's amount, with what is taken off it, to its side. */
static enum status
add_amount(const struct rates *rates, unsigned kind, int64_t count, int64_t input_tokens, struct sums *sums)
{
    int64_t per = usage_kind_per(kind);
    enum status status = OK;
    usd_rate rate = rate_for(rates->lines[kind], input_tokens);

    if (count == 0)
        return OK;
    if (usage_kind_is_tokens(kind) && rates->token_ppm != PPM)
        rate = wide_divide_half_even(rate * rates->token_ppm, PPM);
    if (rates->share_ppm != PPM)
        rate = wide_divide_half_even(rate * rates->share_ppm, PPM);
    if (usage_kind_within(kind, USAGE_cache_read_tokens))
        status = usd_sum_add(&sums->cache_read, rate, count, per);
    else if (usage_kind_within(kind, USAGE_cache_write_tokens))
        status = usd_sum_add(&sums->cache_write, rate, count, per);
    return status == OK ? usd_sum_add(&sums->sides[usage_kind_side(kind)], rate, count, per) : status;
}

static struct cost
total_of(const struct sums *sums)
{
    const struct usd_sum *sides = sums->sides;
    struct cost cost = {0};

    if (usd_sum_total(&sides[USAGE_INPUT], &cost.input) != OK ||
        usd_sum_total(&sides[USAGE_OUTPUT], &cost.output) != OK ||
        usd_sum_total(&sums->cache_read, &cost.cache_read) != OK ||
        usd_sum_total(&sums->cache_write, &cost.cache_write) != OK ||
        usd_sum_total(&sides[USAGE_OTHER], &cost.other) != OK || usd_add(cost.input, cost.output, &cost.total) != OK ||
        usd_add(cost.total, cost.other, &cost.total) != OK)
        return cost_unknown("the amount is too large to be kept");
    return cost;
}

struct cost
prices_cost(const struct price *price, const struct price_terms *terms, const struct usage *usage)
{
    int64_t shares[USAGE_KIND_COUNT];
    struct sums sums = {0};
    struct context context = context_of(terms, usage);
    uint64_t present = present_kinds(usage);
    struct rates rates;
    const char *fault;

    if (price == NULL)
        return cost_unknown("the price book has no price for this model");
    if (usage->exactness == USAGE_UNKNOWN)
        return cost_unknown("the usage is not known");
    find_rates(price, &context, &rates);
    if (rates.fault != NULL)
        return cost_unknown(rates.fault);
    fault = share_out(&rates, usage, present, shares);
    if (fault == NULL && has_tiers(&rates) && !usage_reports(usage, USAGE_input_tokens))
        fault = fault_of_missing(present, USAGE_input_tokens);
    if (fault != NULL)
        return cost_unknown(fault);
    for (uint64_t left = rates.kinds; left != 0; left &= left - 1) {
        unsigned kind = first_of(left);

        if (add_amount(&rates, kind, shares[kind], usage->input_tokens, &sums) != OK)
            return cost_unknown("the amount is too large to be kept");
    }
    return total_of(&sums);
}

usd_rate
price_rate_at(const struct price *price, usec wall_us, enum usage_kind kind)
{
    const struct context context = {.wall_us = wall_us};
    struct rates rates;

    find_rates(price, &context, &rates);
    return (rates.kinds & bit(kind)) != 0 ? rates.lines[kind]->base : USD_RATE_NONE;
}
