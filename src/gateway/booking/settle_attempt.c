/* Metered, priced, booked: what an attempt cost. */
#include "gateway/booking/settle_parts.h"

#include "gateway/attempt/account.h"
#include "gateway/attempt/admit.h"
#include "gateway/attempt/batch.h"
#include "gateway/attempt/credentials.h"
#include "gateway/attempt/reach.h"
#include "gateway/booking/reserve.h"
#include "gateway/flight/share.h"
#include "money/rent.h"

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
const struct price *
settle_served_price(const struct exchange *exchange)
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

/* What falls to it of a call for several. */
static usd
charge_part(struct exchange *exchange, const struct batch_part *part)
{
    exchange->kinds = part->kinds;
    if (!usd_known(part->cost))
        exchange->unpriced = part->kinds.why_unknown;
    return part->cost;
}

usd
settle_share(const struct exchange *exchange, struct flight *call)
{
    double share_us =
        flight_did_nothing(call) ? 0 : replica_share_us(&call->ticket, world_now_us(worker_world(exchange->worker)));

    return rent_of_time(exchange->plan->target->backend->usd_per_hour, share_us);
}

static usd
charge_by_the_hour(struct exchange *exchange)
{
    exchange->kinds = (struct cost){.why_unknown = "the engine is paid by the hour: what its time costs is one sum"};
    return settle_share(exchange, exchange->cursor.flight);
}

/* What the provider says it charges wins over the book; then the kinds of the book would not add up to it. */
static usd
charge(struct exchange *exchange, const struct usage *usage)
{
    struct price_terms terms = {.wall_us = exchange->arrived_wall_us};
    const struct flight *flight = exchange->cursor.flight;
    const struct batch_part *part = flight != NULL ? flight->part : NULL; /* a call for one alone has one, too */

    exchange->kinds = (struct cost){0};
    if (part != NULL && part->priced)
        return charge_part(exchange, part);
    if (facts_hourly(exchange->plan->facts))
        return charge_by_the_hour(exchange);
    if (usage->exactness == USAGE_EXACT && usage->reported == 0 && !usd_known(usage->provider_cost))
        return 0;
    exchange->kinds = (struct cost){.why_unknown = "the provider told its own total"};
    if (usd_known(usage->provider_cost))
        return usage->provider_cost;
    if (usage->exactness == USAGE_UNKNOWN)
        exchange->kinds.why_unknown = unread_usage(exchange->cursor.flight);
    else
        exchange->kinds = prices_cost(settle_served_price(exchange), &terms, usage);
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

    admit_forget(exchange); /* whatever it waited for will not be sent */
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
    account_settle(exchange);
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
