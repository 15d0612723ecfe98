/* What would have been paid, and which lever the difference is owed to. */
#include "gateway/booking/settle_parts.h"

#include "gateway/attempt/batch.h"
#include "gateway/flight/share.h"
#include "gateway/judging/mission.h"
#include "gateway/reuse/elements.h"

/* Whose answer it has, else who was called last: a plan chosen after it may have had no credential to be called with. */
const struct plan *
settle_named_plan(const struct exchange *exchange)
{
    return exchange->called != NULL && exchange->stands_for == NULL ? exchange->called : exchange->plan;
}

/* The marks that we put in wrote to the provider's cache and had it read. */
static bool
marks_sent(const struct exchange *exchange)
{
    const struct plan *plan = settle_named_plan(exchange);

    return plan != NULL && plan->target != NULL && plan->cache.on && plan->cache.marks != 0;
}

void
settle_price_cache(const struct exchange *exchange, const struct price *price, const struct usage *usage, usd cost,
                   usd *discount, usd *surcharge)
{
    struct price_terms terms = {.wall_us = exchange->arrived_wall_us};
    struct usage without = *usage;
    usd of_unread, of_neither;

    *discount = *surcharge = 0;
    if (usage->cache_read_tokens == 0 && usage->cache_write_tokens == 0)
        return;
    if (!usd_known(cost))
        cost = prices_cost(price, &terms, usage).total;
    usage_drop(&without, USAGE_cache_read_tokens);
    of_unread = of_neither = prices_cost(price, &terms, &without).total;
    if (usage->cache_write_tokens != 0) {
        usage_drop(&without, USAGE_cache_write_tokens);
        of_neither = prices_cost(price, &terms, &without).total;
    }
    if (usd_sub(of_unread, cost, discount) != OK || usd_sub(of_unread, of_neither, surcharge) != OK)
        *discount = *surcharge = USD_UNKNOWN;
}

/* What the marks saved on the target that served: reads' discount less writes' surcharge. */
static usd
saved_by_marks(const struct exchange *exchange)
{
    const struct usage *usage = exchange->stands_for != NULL ? exchange->stands_for : &exchange->usage;
    usd discount, surcharge, saved;

    if (!marks_sent(exchange))
        return 0;
    settle_price_cache(exchange, settle_named_plan(exchange)->facts->price, usage, USD_UNKNOWN, &discount, &surcharge);
    return usd_sub(discount, surcharge, &saved) == OK && usd_known(saved) ? saved : 0;
}

/* What the answer would have cost on another target. Where marks of ours were sent there would have been none: then only
 * what keeps prompts by itself would have had some to read. */
static usd
price_on(const struct exchange *exchange, const struct target *target)
{
    struct price_terms terms = {.wall_us = exchange->arrived_wall_us};
    struct usage usage = exchange->stands_for != NULL ? *exchange->stands_for : exchange->usage;

    if (marks_sent(exchange) && target->backend->dialect == DIALECT_ANTHROPIC) {
        usage_drop(&usage, USAGE_cache_read_tokens);
        usage_drop(&usage, USAGE_cache_write_tokens);
    }
    /* What this provider charges of its own accord says nothing of another one. */
    usage.provider_cost = USD_UNKNOWN;
    return estimate_cost(facts_of(exchange->request.targets, target), &terms, &usage).total;
}

/* The part of a call for several that it was answered by, if by the book it would have cost something else alone. By
 * tokens it costs the same, but for a pico-dollar of rounding. NULL: there is none, or nothing was saved. */
static const struct batch_part *
shared_part(const struct exchange *exchange)
{
    const struct batch_part *part = exchange->try_count > 0 && !exchange->follows ? batch_part_of(exchange) : NULL;
    usd difference;

    if (part == NULL || !part->priced || !part->by_book ||
        usd_sub(price_on(exchange, exchange->plan->target), part->cost, &difference) != OK || !usd_known(difference))
        return NULL;
    return difference > 1 || difference < -1 ? part : NULL;
}

/* On the target that served, what was charged is the price, but for what marks of ours did to it. */
static usd
counterfactual(const struct exchange *exchange, const struct target *target)
{
    const struct attempt_line *last = exchange->try_count > 0 ? &exchange->tries[exchange->try_count - 1] : NULL;
    usd cost;

    if (last != NULL && exchange->stands_for == NULL && shared_part(exchange) == NULL &&
        slice_is(last->target, target->name))
        return usd_add(last->cost, saved_by_marks(exchange), &cost) == OK ? cost : USD_UNKNOWN;
    return price_on(exchange, target);
}

usd
settle_baseline(const struct exchange *exchange)
{
    if (exchange->is_own)
        return 0; /* without us there would have been no such call */
    if (exchange->plan == NULL || (exchange->try_count == 0 && exchange->stands_for == NULL) || exchange->left)
        return 0; /* nothing was bought, nor would it have been, or others paid for it */
    if (exchange->usage.exactness == USAGE_UNKNOWN)
        return USD_UNKNOWN;
    if (exchange->identity.api == API_PASSTHROUGH)
        return exchange->tries[exchange->try_count - 1].cost;
    return counterfactual(exchange, &exchange->request.route->baseline);
}

/* What such a request costs in the mean: its call, what tells whether to keep the answer, and as not every one is kept, the
 * way on. */
static usd
mean_of_cascade(const struct exchange *exchange, const struct plan *cascade)
{
    usd sum = price_on(exchange, cascade->target), next;

    next = cascade->way_on != NULL ? mean_of_cascade(exchange, cascade->way_on)
                                   : price_on(exchange, &exchange->request.route->reference);
    if (!usd_known(sum) || !usd_known(cascade->scoring) || !usd_known(next) ||
        usd_add(sum, cascade->scoring, &sum) != OK ||
        usd_add(sum, (usd)((wide_int)next * cascade->goes_on_ppm / 1000000), &sum) != OK)
        return USD_UNKNOWN;
    return sum;
}

/* What a plan in the shadow would have come to. Who would have shared a call would have made none. */
static usd
would_cost(const struct exchange *exchange, const struct plan *shadow)
{
    const struct known_elements *elements = exchange->request.elements;
    usd whole;

    if (shadow->target == NULL || shadow->source == SOURCE_SHARED)
        return 0;
    if (shadow->source == SOURCE_CASCADE)
        return mean_of_cascade(exchange, shadow);
    whole = price_on(exchange, shadow->target);
    if (shadow->source != SOURCE_PARTLY || !usd_known(whole))
        return whole;
    return (usd)((wide_int)whole * (wide_int)elements->wanted_bytes / (wide_int)elements->bytes);
}

/* A lever has one line of a kind: a cascade may have lost at one model what it won at the next. */
static void
put_line(struct row *row, const char *lever, bool shadow, usd before, usd after)
{
    struct saving_line *line = row->savings, *end = line + row->saving_count;
    usd saved;

    if (usd_sub(before, after, &saved) != OK || !usd_known(saved) || saved == 0)
        return;
    while (!shadow && line < end && (line->shadow || !slice_is(line->lever, lever)))
        line++;
    if (!shadow && line < end && usd_add(line->saved, saved, &saved) == OK)
        line->saved = saved;
    else if (row->saving_count < ROW_SAVINGS_MOST)
        row->savings[row->saving_count++] = (struct saving_line){slice_of(lever), shadow, saved};
}

/* What a lever in the shadow would have saved. */
static void
put_shadows(const struct exchange *exchange, struct row *row, const struct plan *plan, usd served, usd unmarked)
{
    for (size_t i = 0; i < exchange->plans.count; i++) {
        const struct plan *shadow = &exchange->plans.all[i];
        usd would = shadow->verdict == VERDICT_SHADOW ? would_cost(exchange, shadow) : USD_UNKNOWN;

        if (usd_known(would) && would < unmarked)
            put_line(row, lever_name(shadow->lever), true, unmarked, would);
    }
    if (!plan->cache.on && plan->cache.saves != 0 && usd_sub(served, plan->cache.saves, &unmarked) == OK)
        put_line(row, lever_name(LEVER_PROMPT_CACHE), true, served, unmarked); /* as expected: nothing was tried */
    if (!plan->batch.on && plan->batch.saves != 0 && usd_sub(served, plan->batch.saves, &unmarked) == OK)
        put_line(row, lever_name(LEVER_BATCHING), true, served, unmarked); /* likewise */
}

/* It made the call that answered it; calls that failed before it do not count. */
static bool
called_itself(const struct exchange *exchange)
{
    return exchange->try_count > 0 && !exchange->follows;
}

/* What the answer cost, or would have if nobody had shared the call. */
static usd
cost_alone(const struct exchange *exchange, const struct plan *plan)
{
    if (plan->target == NULL)
        return 0;
    if (share_is_of_part(exchange))
        return exchange->share->bill.cost;
    return called_itself(exchange) && shared_part(exchange) == NULL ? exchange->tries[exchange->try_count - 1].cost
                                                                    : price_on(exchange, plan->target);
}

static bool
is_for_client(const struct exchange *own)
{
    return own->mission != NULL && (own->mission->source == SOURCE_VERIFIER || own->mission->source == SOURCE_SAMPLE);
}

/* What a cascade's attempts cost whose answers were not kept, but for the last attempt of all: who left after it was not
 * served by another. */
static usd
rejected_before(const struct exchange *exchange, const struct plan *plan)
{
    usd before;

    if (exchange->try_count == 0 || plan->source != SOURCE_CASCADE || plan->withheld == VERDICT_NONE ||
        !usd_known(exchange->rejected_cost))
        return exchange->rejected_cost;
    return usd_sub(exchange->rejected_cost, exchange->tries[exchange->try_count - 1].cost, &before) == OK ? before
                                                                                                          : USD_UNKNOWN;
}

bool
settle_is_part(const struct exchange *exchange)
{
    return exchange->has_part && !exchange->share->shadow && exchange->stands_for != NULL;
}

/* From the baseline down to what was paid, step by step in a fixed order, so that the lines add up exactly: the
 * reference took the baseline's place, a lever took the reference's, marks had the provider keep prompts, the call was for
 * several requests or shared by equal ones, further attempts came on top. */
void
settle_put_savings(const struct exchange *exchange, struct row *row)
{
    const struct plan *plan = settle_named_plan(exchange);
    enum lever_id chosen_by;
    usd reference, served, unmarked;

    bool bought = exchange->try_count > 0 || exchange->stands_for != NULL;

    if (plan == NULL || !usd_known(row->baseline) || !usd_known(row->cost) || exchange->identity.api == API_PASSTHROUGH)
        return;
    if (exchange->is_own) {
        put_line(row, is_for_client(exchange) ? lever_name(LEVER_CASCADE) : ROW_AUDITS, false, 0, row->cost);
        return;
    }
    if (exchange->left || !bought) { /* others paid for the answer, or there was none */
        put_line(row, "attempts", false, 0, row->cost);
        return;
    }
    reference = counterfactual(exchange, &exchange->request.route->reference);
    served = cost_alone(exchange, plan);
    if (usd_add(served, called_itself(exchange) && plan->target != NULL ? saved_by_marks(exchange) : 0, &unmarked) !=
        OK)
        unmarked = served;
    chosen_by = exchange->follows ? exchange->share->bill.lever : plan->lever;
    if (!usd_known(reference))
        reference = unmarked;
    put_line(row, "reference", false, row->baseline, reference);
    put_line(row, chosen_by != LEVER_COUNT ? lever_name(chosen_by) : "unattributed", false, reference, unmarked);
    put_line(row, lever_name(LEVER_PROMPT_CACHE), false, unmarked, served);
    put_shadows(exchange, row, plan, served, unmarked);
    if (shared_part(exchange) != NULL) {
        put_line(row, lever_name(LEVER_BATCHING), false, served, shared_part(exchange)->cost);
        served = shared_part(exchange)->cost;
    }
    if (settle_is_part(exchange)) {
        put_line(row, lever_name(LEVER_COALESCE), false, served, exchange->part);
        served = exchange->part;
    }
    if (usd_add(served, rejected_before(exchange, plan), &unmarked) == OK && usd_known(unmarked)) {
        put_line(row, lever_name(LEVER_CASCADE), false, served, unmarked);
        served = unmarked;
    }
    put_line(row, "attempts", false, served, row->cost);
}
