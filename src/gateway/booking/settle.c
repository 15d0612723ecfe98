/* The one row that a request leaves whatever its ending, and what is learned from it. */
#include "gateway/attempt/batch.h"
#include "gateway/booking/reserve.h"
#include "gateway/booking/settle_parts.h"
#include "gateway/flight/share.h"
#include "gateway/judging/mission.h"
#include "gateway/running/notice.h"

static int64_t
tokens_of(const struct usage *usage)
{
    return usage->input_tokens + usage->output_tokens;
}

/* What others bought, or paid a part of: its tokens, and the lever's lines. */
static void
count_shared(struct counters *counters, const struct exchange *exchange, const struct row *row, int sign)
{
    if (!settle_is_part(exchange) || exchange->left)
        return;
    count(counters, COUNT_COALESCED_TOKENS,
          sign * (tokens_of(&exchange->share->bill.usage) - tokens_of(&exchange->usage)));
    for (size_t i = 0; i < row->saving_count; i++)
        if (!row->savings[i].shadow && slice_is(row->savings[i].lever, lever_name(LEVER_COALESCE)))
            count(counters, COUNT_COALESCED_SAVED_PICO, sign * row->savings[i].saved);
}

static enum counter
row_counter(const struct exchange *exchange)
{
    if (exchange->mission == NULL)
        return (enum counter)(COUNT_ENDED_OK + (unsigned)exchange->ending);
    if (exchange->mission->source == SOURCE_VERIFIER)
        return COUNT_OWN_VERIFIERS;
    if (exchange->mission->source == SOURCE_SAMPLE)
        return COUNT_OWN_SAMPLES;
    return exchange->mission->source == SOURCE_AUDIT ? COUNT_OWN_AUDITS : COUNT_OWN_JUDGES;
}

/* `sign` is 1 to count, -1 to take it back. */
static void
count_row(struct gateway_worker *worker, const struct exchange *exchange, const struct row *row, int sign)
{
    struct counters *counters = &worker->counters;

    count(counters, row_counter(exchange), sign);
    count(counters, COUNT_INPUT_TOKENS, sign * row->input_tokens);
    count(counters, COUNT_CACHE_READ_TOKENS, sign * row->cache_read_tokens);
    count(counters, COUNT_CACHE_WRITE_TOKENS, sign * row->cache_write_tokens);
    count(counters, COUNT_CACHE_WRITE_1H_TOKENS, sign * row->cache_write_1h_tokens);
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
    count_shared(counters, exchange, row, sign);
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
    if (batch_part_of(exchange) == NULL) /* else it was learned from as a whole */
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
    settle_put_asker(exchange, row);
    settle_put_server(exchange, row);
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

    settle_fill_row(exchange, &worker->row);
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
