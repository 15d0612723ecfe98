/* Metered, priced, booked: what an attempt cost, and the one row that a request leaves whatever its ending. */
#include "gateway/exchange.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/text.h"
#include "gateway/credentials.h"
#include "gateway/elements.h"
#include "gateway/look_ups.h"
#include "gateway/notice.h"
#include "gateway/reach.h"
#include "gateway/reserve.h"
#include "gateway/share.h"

/* No answer, or an error's: nothing is billed. */
static bool
nothing_billed(const struct flight *flight)
{
    return flight->status == 0 ? flight_did_nothing(flight) : flight->status >= 400 && !flight->meter.usage_seen;
}

/* What the answer did not tell is estimated from its bytes: the input's where none was told, the output's where none
 * was told or only its beginning was. */
static void
fill_in(struct exchange *exchange, struct usage *usage)
{
    const struct flight *flight = exchange->cursor.flight;
    struct expectation expectation = experience_expect(exchange->plan->facts->experience, 500000);

    if (!usage_reports(usage, USAGE_input_tokens))
        usage_set(usage, USAGE_input_tokens, estimate_input_tokens(&expectation, exchange->request_bytes));
    if (!usage_reports(usage, USAGE_output_tokens) || flight->meter.usage_partial)
        usage_set(usage, USAGE_output_tokens, estimate_output_tokens(&expectation, flight->meter.text_bytes));
    usage->exactness = USAGE_ESTIMATED;
}

struct usage
settle_usage_now(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    struct usage usage = flight->meter.usage;

    if (nothing_billed(flight) || (identify_free(exchange) && !flight->meter.usage_seen)) {
        usage_init(&usage);
        usage.exactness = USAGE_EXACT;
    } else if (flight->opaque || (exchange->identity.api == API_PASSTHROUGH && !flight->meter.usage_seen)) {
        usage_init(&usage); /* nobody knows what it was */
    } else if (usage.exactness == USAGE_UNKNOWN || flight->meter.usage_partial) {
        fill_in(exchange, &usage);
    }
    return usage;
}

/* The price of the model that served. Pass-through names its model only in the answer. */
static const struct price *
served_price(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct backend_config *backend = exchange->plan->target->backend;

    if (exchange->identity.api != API_PASSTHROUGH)
        return exchange->plan->facts->price;
    return prices_resolve(exchange->request.config->prices, backend->name, backend->provider,
                          slice_of(flight->meter.model));
}

static const char *
unread_usage(const struct flight *flight)
{
    return flight->opaque ? "the answer came compressed, though none was asked for: its usage cannot be read"
                          : "the answer does not tell its usage";
}

/* What the provider says it charges wins over the book; then the kinds of the book would not add up to it. */
static usd
charge(struct exchange *exchange, const struct usage *usage)
{
    struct price_terms terms = {.wall_us = exchange->arrived_wall_us};

    exchange->kinds = (struct cost){0};
    if (usage->exactness == USAGE_EXACT && usage->reported == 0 && !usd_known(usage->provider_cost))
        return 0;
    exchange->kinds = (struct cost){.why_unknown = "the provider told its own total"};
    if (usd_known(usage->provider_cost))
        return usage->provider_cost;
    if (usage->exactness == USAGE_UNKNOWN)
        exchange->kinds.why_unknown = unread_usage(exchange->cursor.flight);
    else
        exchange->kinds = prices_cost(served_price(exchange), &terms, usage);
    if (exchange->kinds.why_unknown != NULL)
        exchange->unpriced = exchange->kinds.why_unknown; /* the row's cost stays unknown, whatever follows */
    return exchange->kinds.why_unknown == NULL ? exchange->kinds.total : USD_UNKNOWN;
}

static int64_t
since_arrival(const struct exchange *exchange, usec at_us)
{
    return at_us != 0 ? at_us - exchange->arrived_us : ROW_UNKNOWN;
}

/* An error's answer is a failure, however much of it was read. */
static const char *
attempt_state(const struct flight *flight)
{
    if (flight->status >= 400)
        return flight_state_name(FLIGHT_FAILED);
    return flight_state_name(flight_over(flight) ? flight->state : FLIGHT_CLOSED);
}

void
settle_attempt(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    struct attempt_line *line;

    if (flight == NULL || exchange->booked)
        return;
    exchange->booked = true;
    exchange->called = exchange->plan;
    reach_report(exchange);
    ENSURE(exchange->try_count < ROW_ATTEMPTS_MOST);
    exchange->usage = settle_usage_now(exchange);
    line = &exchange->tries[exchange->try_count++];
    *line = (struct attempt_line){
        .target = slice_of(exchange->plan->target->name),
        .state = slice_of(attempt_state(flight)),
        .status = flight->status,
        .input_tokens = exchange->usage.input_tokens,
        .output_tokens = exchange->usage.output_tokens,
        .cost = charge(exchange, &exchange->usage),
        .started_us = since_arrival(exchange, flight->opened_us),
        .first_byte_us = since_arrival(exchange, flight->first_byte_us),
        .ended_us = since_arrival(exchange, flight_over(flight) ? flight->ended_us
                                                                : world_now_us(worker_world(exchange->worker))),
        .why = slice_of(flight->why != NULL ? arena_strdup(&exchange->arena, flight->why) : NULL),
    };
    if (usd_add(exchange->cost, line->cost, &exchange->cost) != OK)
        exchange->unpriced = "the sum is too large to be money";
    if (!share_leads(exchange)) /* then it may have to pay only a part */
        reserve_post(exchange, &exchange->usage, line->cost);
    if (flight->status == 401)
        credentials_refused(exchange->view, exchange->plan->target->backend);
}

usd
settle_cost_before(const struct exchange *exchange)
{
    usd sum = 0;

    for (size_t i = 0; i + 1 < exchange->try_count; i++)
        if (usd_add(sum, exchange->tries[i].cost, &sum) != OK)
            return USD_UNKNOWN;
    return sum;
}

usd
settle_cost_now(struct exchange *exchange)
{
    struct usage usage;
    usd cost;

    if (exchange->booked)
        return exchange->cost;
    usage = settle_usage_now(exchange);
    return usd_add(exchange->cost, charge(exchange, &usage), &cost) == OK ? cost : USD_UNKNOWN;
}

void
settle_journal_attempt(struct exchange *exchange)
{
    struct gateway_worker *worker = exchange->worker;

    if (exchange->try_count == 0)
        return; /* it failed before anything was sent */
    journal_put_attempt(&worker->record, exchange->id, &exchange->tries[exchange->try_count - 1]);
    gateway_append(worker);
}

/* Whose answer it has, else who was called last: a plan chosen after it may have had no credential to be called with. */
static const struct plan *
named_plan(const struct exchange *exchange)
{
    return exchange->called != NULL && exchange->stands_for == NULL ? exchange->called : exchange->plan;
}

/* The marks that we put in wrote to the provider's cache and had it read. */
static bool
marks_sent(const struct exchange *exchange)
{
    const struct plan *plan = named_plan(exchange);

    return plan != NULL && plan->target != NULL && plan->cache.on && plan->cache.marks != 0;
}

/* What the provider's prompt cache did to the cost, by the book, whoever asked it to keep what. Both are unknown where
 * there is no price. */
static void
price_cache(const struct exchange *exchange, const struct price *price, const struct usage *usage, usd *discount,
            usd *surcharge)
{
    struct price_terms terms = {.wall_us = exchange->arrived_wall_us};
    struct usage unread = *usage, unwritten;
    usd cost, of_unread, of_neither;

    *discount = *surcharge = 0;
    if (usage->cache_read_tokens == 0 && usage->cache_write_tokens == 0)
        return;
    cost = prices_cost(price, &terms, usage).total;
    usage_drop(&unread, USAGE_cache_read_tokens);
    of_unread = prices_cost(price, &terms, &unread).total;
    unwritten = unread;
    usage_drop(&unwritten, USAGE_cache_write_tokens);
    of_neither = prices_cost(price, &terms, &unwritten).total;
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
    price_cache(exchange, named_plan(exchange)->facts->price, usage, &discount, &surcharge);
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
    return prices_cost(facts_of(exchange->request.targets, target)->price, &terms, &usage).total;
}

/* On the target that served, what was charged is the price, but for what marks of ours did to it. */
static usd
counterfactual(const struct exchange *exchange, const struct target *target)
{
    const struct attempt_line *last = exchange->try_count > 0 ? &exchange->tries[exchange->try_count - 1] : NULL;
    usd cost;

    if (last != NULL && exchange->stands_for == NULL && slice_is(last->target, target->name))
        return usd_add(last->cost, saved_by_marks(exchange), &cost) == OK ? cost : USD_UNKNOWN;
    return price_on(exchange, target);
}

usd
settle_baseline(const struct exchange *exchange)
{
    if (exchange->plan == NULL || (exchange->try_count == 0 && exchange->stands_for == NULL) || exchange->left)
        return 0; /* nothing was bought, nor would it have been, or others paid for it */
    if (exchange->usage.exactness == USAGE_UNKNOWN)
        return USD_UNKNOWN;
    if (exchange->identity.api == API_PASSTHROUGH)
        return exchange->tries[exchange->try_count - 1].cost;
    return counterfactual(exchange, &exchange->request.route->baseline);
}

/* What a plan in the shadow would have come to. Who would have shared a call would have made none. */
static usd
would_cost(const struct exchange *exchange, const struct plan *shadow)
{
    const struct known_elements *elements = exchange->request.elements;
    usd whole;

    if (shadow->target == NULL || shadow->source == SOURCE_SHARED)
        return 0;
    whole = price_on(exchange, shadow->target);
    if (shadow->source != SOURCE_PARTLY || !usd_known(whole))
        return whole;
    return (usd)((wide_int)whole * (wide_int)elements->wanted_bytes / (wide_int)elements->bytes);
}

static void
put_line(struct row *row, const char *lever, bool shadow, usd before, usd after)
{
    usd saved;

    if (row->saving_count == ROW_SAVINGS_MOST || usd_sub(before, after, &saved) != OK || !usd_known(saved) ||
        saved == 0)
        return;
    row->savings[row->saving_count++] = (struct saving_line){slice_of(lever), shadow, saved};
}

/* What a lever in the shadow would have saved. */
static void
put_shadows(const struct exchange *exchange, struct row *row, const struct plan *plan, usd served, usd unmarked)
{
    for (size_t i = 0; i < exchange->plans.count; i++) {
        const struct plan *shadow = &exchange->plans.all[i];
        usd would = would_cost(exchange, shadow);

        if (shadow->verdict == VERDICT_SHADOW && usd_known(would) && would < unmarked)
            put_line(row, lever_name(shadow->lever), true, unmarked, would);
    }
    if (!plan->cache.on && plan->cache.saves != 0 && usd_sub(served, plan->cache.saves, &unmarked) == OK)
        put_line(row, lever_name(LEVER_PROMPT_CACHE), true, served, unmarked); /* as expected: nothing was tried */
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
    return called_itself(exchange) ? exchange->tries[exchange->try_count - 1].cost : price_on(exchange, plan->target);
}

static bool
is_part(const struct exchange *exchange)
{
    return exchange->has_part && exchange->stands_for != NULL;
}

/* From the baseline down to what was paid, step by step in a fixed order, so that the lines add up exactly: the
 * reference took the baseline's place, a lever took the reference's, marks had the provider keep prompts, further attempts
 * came on top. */
static void
put_savings(const struct exchange *exchange, struct row *row)
{
    const struct plan *plan = named_plan(exchange);
    enum lever_id chosen_by;
    usd reference, served, unmarked;

    if (plan == NULL || (exchange->try_count == 0 && exchange->stands_for == NULL) || !usd_known(row->baseline) ||
        !usd_known(row->cost) || exchange->identity.api == API_PASSTHROUGH)
        return;
    if (exchange->left) { /* others paid for the answer */
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
    if (is_part(exchange)) {
        put_line(row, lever_name(LEVER_COALESCE), false, served, exchange->part);
        served = exchange->part;
    }
    put_line(row, "attempts", false, served, row->cost);
}

/* {"t":"backend/model","s":"reference","c":"0.01","f":400,"m":900,"q":1000000,"v":"chosen"}: target, source, expected
 * cost, first token and total in milliseconds, quality bound (ppm), verdict; of some also "x":0.93, how its lever scored the
 * request, and "d":"numbers", in what it is another. */
static struct slice
plans_json(const struct exchange *exchange, struct buffer *out)
{
    buffer_clear(out);
    for (size_t i = 0; i < exchange->plans.count; i++) {
        const struct plan *plan = &exchange->plans.all[i];
        char cost[USD_TEXT_SIZE];

        usd_format(plan->cost, cost);
        buffer_add_text(out, i == 0 ? "[{\"t\":\"" : ",{\"t\":\"");
        buffer_add_json(out, slice_of(plan_model(plan)));
        buffer_add_text(out, "\",\"s\":\"");
        buffer_add_text(out, source_name(plan->source));
        buffer_add_text(out, usd_known(plan->cost) ? "\",\"c\":\"" : "\",\"c\":");
        buffer_add_text(out, cost);
        buffer_add_text(out, usd_known(plan->cost) ? "\",\"f\":" : ",\"f\":");
        buffer_add_number(out, (uint64_t)(plan->first_token_us / USEC_PER_MS));
        buffer_add_text(out, ",\"m\":");
        buffer_add_number(out, (uint64_t)(plan->total_us / USEC_PER_MS));
        buffer_add_text(out, ",\"q\":");
        buffer_add_number(out, plan->quality_ppm);
        if (plan->evidence.score > 0.0)
            buffer_printf(out, ",\"x\":%.4f", plan->evidence.score);
        if (plan->evidence.differs != NULL)
            buffer_printf(out, ",\"d\":\"%s\"", plan->evidence.differs);
        buffer_add_text(out, ",\"v\":\"");
        buffer_add_text(out, verdict_words(plan->verdict));
        buffer_add_text(out, "\"}");
    }
    if (exchange->plans.count > 0)
        buffer_add_byte(out, ']');
    return buffer_content(out);
}

static void
put_asker(const struct exchange *exchange, struct row *row)
{
    const struct identity *identity = &exchange->identity;
    const struct route_config *route = exchange->request.route;

    row->id = exchange->id;
    row->arrived_wall_us = exchange->arrived_wall_us;
    row->key_name = slice_of(identity->key != NULL ? identity->key->name : NULL);
    row->tenant = slice_of(identity->tenant->name);
    row->tags = exchange->tags;
    row->api = slice_of(api_name(identity->api));
    row->streamed = exchange->facts.stream;
    row->model_asked = exchange->facts.model;
    row->route = slice_of(route != NULL ? route->name : NULL);
    row->owner = slice_of(route != NULL ? route->owner : NULL);
    row->worth = route != NULL ? route->worth : USD_UNKNOWN;
    row->request_bytes = exchange->request_bytes;
    row->holdout = exchange->holdout;
    row->fingerprint = exchange->fingerprint;
}

static void
put_conversation(struct exchange *exchange, struct row *row)
{
    unsigned char bytes[sizeof(exchange->conversation)];
    char *text;

    if (exchange->conversation == 0)
        return;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(exchange->conversation >> (56 - 8 * i));
    text = arena_alloc(&exchange->arena, 2 * sizeof(bytes) + 1);
    text_format_hex(slice_make((const char *)bytes, sizeof(bytes)), text);
    row->conversation = slice_of(text);
}

static void
put_server(const struct exchange *exchange, struct row *row)
{
    const struct plan *plan = named_plan(exchange);
    const struct flight *flight = exchange->cursor.flight;

    if (plan == NULL && flight != NULL) {
        row->source = SLICE_LITERAL("replayed");
        row->answer_bytes = flight_answer_bytes(flight);
    }
    if (plan == NULL)
        return;
    row->source = slice_of(source_name(plan->source));
    if (flight != NULL)
        row->answer_bytes = flight_answer_bytes(flight);
    row->modelled = plan_modelled(plan, exchange->request.route);
    if (plan->target == NULL) { /* nothing was bought from anybody */
        row->model_served = slice_of(plan->made_by);
        return;
    }
    row->backend = slice_of(plan->target->backend->name);
    row->provider = slice_of(plan->target->backend->provider);
    row->model_served = slice_of(plan->target->upstream);
    if (flight != NULL && exchange->identity.api == API_PASSTHROUGH)
        row->model_served = slice_of(flight->meter.model);
}

static void
put_usage(const struct exchange *exchange, struct row *row)
{
    const struct usage *usage = &exchange->usage;

    row->input_tokens = usage->input_tokens;
    row->cache_read_tokens = usage->cache_read_tokens;
    row->cache_write_tokens = usage->cache_write_tokens;
    row->cache_write_1h_tokens = usage->cache_write_1h_tokens;
    row->output_tokens = usage->output_tokens;
    row->reasoning_tokens = usage->output_reasoning_tokens;
    row->audio_input_tokens = usage->input_audio_tokens;
    row->audio_output_tokens = usage->output_audio_tokens;
    row->tool_calls = usage->web_searches;
    row->service_tier = slice_of(usage->service_tier);
    row->exactness = SLICE_LITERAL("exact");
    if (!usd_known(exchange->cost))
        row->exactness = SLICE_LITERAL("unpriced");
    else if (exchange->try_count > 0 && usage->exactness == USAGE_ESTIMATED)
        row->exactness = SLICE_LITERAL("estimated");
}

static void
put_kinds(const struct exchange *exchange, struct row *row)
{
    const struct cost *kinds = &exchange->kinds;

    if (exchange->try_count == 0)
        return;
    if (exchange->identity.api != API_PASSTHROUGH)
        price_cache(exchange, named_plan(exchange)->facts->price, &exchange->usage, &row->cache_discount,
                    &row->cache_surcharge);
    else if (exchange->cursor.flight != NULL)
        price_cache(exchange, served_price(exchange), &exchange->usage, &row->cache_discount, &row->cache_surcharge);
    if (kinds->why_unknown != NULL)
        return;
    row->input_cost = kinds->input - kinds->cache_read - kinds->cache_write;
    row->cache_read_cost = kinds->cache_read;
    row->cache_write_cost = kinds->cache_write;
    row->output_cost = kinds->output;
}

static void
put_counted(const struct exchange *exchange, struct row *row)
{
    row->counted_cost = exchange->counted.of[BUDGET_USD];
    row->counted_tokens = exchange->counted.of[BUDGET_TOKENS];
    row->counted_requests = exchange->counted.of[BUDGET_REQUESTS];
}

static unsigned
cache_transform(const struct exchange *exchange)
{
    const struct plan *plan = named_plan(exchange);
    bool sent = plan != NULL && plan->cache.on && (plan->cache.marks != 0 || plan->cache.family != 0);

    return sent ? (unsigned)TRANSFORM_CACHE : 0;
}

static void
fill_row(struct exchange *exchange, struct row *row)
{
    usec total_us = world_now_us(worker_world(exchange->worker)) - exchange->arrived_us;

    row_init(row);
    put_asker(exchange, row);
    put_conversation(exchange, row);
    put_server(exchange, row);
    put_usage(exchange, row);
    put_kinds(exchange, row);
    row->state = slice_of(ending_name(exchange->ending));
    row->status = exchange->ending == ENDING_CLIENT_GONE && exchange->first_byte_us == 0 ? 0 : exchange->status;
    row->attempts = exchange->attempts;
    row->transforms = reserve_transforms(exchange) | cache_transform(exchange);
    row->cost = exchange->cost;
    row->baseline = settle_baseline(exchange);
    row->reserved_estimate = exchange->plan != NULL ? named_plan(exchange)->cost : 0;
    put_counted(exchange, row);
    row->queue_us = exchange->queue_us != 0 ? exchange->queue_us : ROW_UNKNOWN;
    row->first_token_us = exchange->first_byte_us != 0 ? exchange->first_byte_us : ROW_UNKNOWN;
    row->total_us = total_us;
    row->why = slice_of(exchange->why != NULL ? exchange->why : exchange->unpriced);
    row->plans = plans_json(exchange, &exchange->worker->text);
    row->look_ups = look_ups_text(exchange);
    memcpy(row->tries, exchange->tries, exchange->try_count * sizeof(row->tries[0]));
    row->try_count = exchange->try_count;
    put_savings(exchange, row);
}

/* `sign` is 1 to count, -1 to take it back. */
static void
count_row(struct gateway_worker *worker, const struct exchange *exchange, const struct row *row, int sign)
{
    struct counters *counters = &worker->counters;

    count(counters, (enum counter)(COUNT_ENDED_OK + (unsigned)exchange->ending), sign);
    count(counters, COUNT_INPUT_TOKENS, sign * row->input_tokens);
    count(counters, COUNT_CACHE_READ_TOKENS, sign * row->cache_read_tokens);
    count(counters, COUNT_CACHE_WRITE_TOKENS, sign * row->cache_write_tokens);
    count(counters, COUNT_OUTPUT_TOKENS, sign * row->output_tokens);
    if (usd_known(row->cost))
        count(counters, COUNT_COST_PICO, sign * row->cost);
    else
        count(counters, COUNT_UNPRICED, sign);
    if (usd_known(row->baseline) && usd_known(row->cost))
        count(counters, COUNT_BASELINE_PICO, sign * row->baseline);
    for (size_t i = 0; i < row->saving_count; i++)
        if (!row->savings[i].shadow)
            count(counters, COUNT_SAVED_PICO, sign * row->savings[i].saved);
    if (slice_is(row->exactness, "estimated"))
        count(counters, COUNT_ESTIMATED, sign);
}

/* Whole answers teach what the target is like, and levers. */
static void
learn(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct usage *usage = exchange->stands_for != NULL ? exchange->stands_for : &exchange->usage;

    if ((reserve_transforms(exchange) & (unsigned)TRANSFORM_ENDED) != 0)
        return; /* its length and time are ours */
    if (exchange->ending != ENDING_OK || exchange->try_count == 0 || flight == NULL || exchange->plan == NULL ||
        exchange->identity.api == API_PASSTHROUGH || exchange->plan->source == SOURCE_PARTLY)
        return;
    experience_learn(exchange->plan->facts->experience,
                     &(struct answer_seen){
                         .first_token_us = flight->first_byte_us - flight->opened_us,
                         .total_us = flight->ended_us - flight->opened_us,
                         .request_bytes = exchange->request_bytes,
                         .text_bytes = flight->meter.text_bytes,
                         .input_tokens = usage->input_tokens,
                         .output_tokens = usage->output_tokens,
                         .reasoning_tokens = usage->output_reasoning_tokens,
                         .more_than_text = exchange->facts.bound.images > 0 || exchange->facts.bound.has_audio ||
                                           exchange->facts.bound.unbounded != NULL,
                         .clipped = (reserve_transforms(exchange) & TRANSFORM_CLIPPED) != 0,
                         .exact = usage->exactness == USAGE_EXACT,
                     });
    if (!exchange->holdout && flight->status < 300)
        levers_learn(&exchange->request, exchange->plan, usage);
}

bool
settle_open(struct exchange *exchange)
{
    struct row *row = &exchange->worker->row;

    row_init(row);
    put_asker(exchange, row);
    put_server(exchange, row);
    row->state = SLICE_LITERAL("unknown");
    if (!exchange->follows) { /* who follows makes no call of its own: its leader's stands for it */
        row->reserved_estimate = exchange->plan->cost;
        row->counted_tokens = reserve_tokens(exchange);
    }
    journal_put_open(&exchange->worker->record, row);
    exchange->opened = true;
    return gateway_append(exchange->worker);
}

void
settle_row(struct exchange *exchange)
{
    struct gateway_worker *worker = exchange->worker;

    fill_row(exchange, &worker->row);
    journal_put_settle(&worker->record, &worker->row);
    /* Counted before it is kept: whoever compares the two never finds a row that was not counted. */
    count_row(worker, exchange, &worker->row, 1);
    if (!gateway_append(worker)) {
        count_row(worker, exchange, &worker->row, -1);
        count(&worker->counters, COUNT_ROWS_LOST, 1);
    }
    notice_row(worker, &worker->row);
    learn(exchange);
}
