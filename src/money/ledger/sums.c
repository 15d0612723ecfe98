#include "money/ledger/sums.h"

enum { PICO_PER_NANO = 1000, USEFUL_PPM = 1000000 };

/* How many sums there are of each kind. */
enum {
    COUNTS = 0
#define SUM_COUNT(name, words) +1
#define SUM_USD(name, words)
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
    ,
    AMOUNTS = 0
#define SUM_COUNT(name, words)
#define SUM_USD(name, words) +1
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
};

/* Counts of tokens are what somebody else said: too much of them must not wrap round. */
static void
count_add(int64_t *count, int64_t more)
{
    if (__builtin_add_overflow(*count, more, count))
        *count = more > 0 ? INT64_MAX : INT64_MIN;
}

static void
add_state(struct sums *sums, const struct row *row)
{
    sums->ok += slice_is(row->state, "ok");
    sums->refused += slice_is(row->state, "refused");
    sums->gone += slice_is(row->state, "client gone");
    sums->unknown += slice_is(row->state, "unknown");
}

static void
add_money(struct sums *sums, const struct row *row)
{
    wide_int nano = usd_known(row->cost) ? row->cost / PICO_PER_NANO : 0;
    struct row_costs costs = row_costs(row);

    sums->unpriced += !usd_known(row->cost);
    sums->own_unpriced += !usd_known(row->cost) && row_is_own(row);
    if (usd_known(row->counted_cost))
        sums->counted_cost += row->counted_cost;
    if (usd_known(row->baseline))
        *(usd_known(row->cost) ? &sums->baseline : &sums->baseline_without_cost) += row->baseline;
    if (!usd_known(row->cost))
        return;
    sums->cost += row->cost;
    sums->cost_square += nano * nano;
    if (!usd_known(row->baseline))
        sums->cost_without_baseline += row->cost;
    if (slice_is(row->exactness, "estimated")) {
        sums->estimated++;
        sums->cost_estimated += row->cost;
    }
    sums->input_cost += costs.of[COST_INPUT];
    sums->cache_read_cost += costs.of[COST_CACHE_READ];
    sums->cache_write_cost += costs.of[COST_CACHE_WRITE];
    sums->output_cost += costs.of[COST_OUTPUT];
    if (usd_known(row->cache_discount))
        sums->cache_discount += row->cache_discount;
    if (usd_known(row->cache_surcharge))
        sums->cache_surcharge += row->cache_surcharge;
}

static void
add_usage(struct sums *sums, const struct row *row)
{
    count_add(&sums->attempts, row->attempts);
    count_add(&sums->input_tokens, row->input_tokens);
    count_add(&sums->cache_read_tokens, row->cache_read_tokens);
    count_add(&sums->cache_write_tokens, row->cache_write_tokens);
    count_add(&sums->output_tokens, row->output_tokens);
    count_add(&sums->reasoning_tokens, row->reasoning_tokens);
    count_add(&sums->tool_calls, row->tool_calls);
    count_add(&sums->counted_tokens, row->counted_tokens);
    count_add(&sums->counted_requests, row->counted_requests);
}

static void
add_latency(struct sums *sums, const struct row *row)
{
    if (!slice_is(row->state, "ok"))
        return;
    if (row->first_token_us != ROW_UNKNOWN)
        histogram_count(&sums->first_token_us, row->first_token_us);
    if (row->total_us != ROW_UNKNOWN)
        histogram_count(&sums->total_us, row->total_us);
}

static int64_t
usefulness(int64_t ppm)
{
    if (ppm < 0)
        return 0;
    return ppm < USEFUL_PPM ? ppm : USEFUL_PPM;
}

void
sums_add_outcome(struct sums *sums, const struct row *row, int sign)
{
    usd value = row_value(row);

    if (row_is_own(row))
        return;
    if (row->useful_ppm != ROW_UNKNOWN) {
        sums->judged += sign;
        sums->useful_ppm += sign * usefulness(row->useful_ppm);
    } else if (slice_is(row->state, "ok")) {
        sums->unjudged += sign;
    }
    if (usd_known(value)) {
        sums->valued += sign;
        sums->value += sign * (wide_int)value;
        if (usd_known(row->cost))
            sums->valued_cost += sign * (wide_int)row->cost;
    }
}

void
sums_add_row(struct sums *sums, const struct row *row, wide_int saved)
{
    wide_int nano = saved / PICO_PER_NANO;

    sums->saved += saved;
    sums->saved_square += nano * nano;
    sums->saved_rows++;
    add_money(sums, row);
    add_usage(sums, row);
    if (row_is_own(row)) {
        sums->own_calls++;
        return;
    }
    sums->rows++;
    sums->streamed += row->streamed != 0;
    add_state(sums, row);
    add_latency(sums, row);
    sums_add_outcome(sums, row, 1);
}

void
sums_add(struct sums *to, const struct sums *from)
{
#define SUM_COUNT(name, words) count_add(&to->name, from->name);
#define SUM_USD(name, words) to->name += from->name;
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
    histogram_add(&to->first_token_us, &from->first_token_us);
    histogram_add(&to->total_us, &from->total_us);
}

void
sums_put(struct buffer *out, const struct sums *sums)
{
    size_t most = 2 * WIRE_NUMBER_MOST + COUNTS * WIRE_NUMBER_MOST + AMOUNTS * WIRE_WIDE_MOST;
    unsigned char *start = (unsigned char *)buffer_reserve(out, most + 2 * HISTOGRAM_BYTES_MOST);
    unsigned char *at = wire_put(start, COUNTS);

#define SUM_COUNT(name, words) at = wire_put_signed(at, sums->name);
#define SUM_USD(name, words)
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
    at = wire_put(at, AMOUNTS);
#define SUM_COUNT(name, words)
#define SUM_USD(name, words) at = wire_put_wide(at, sums->name);
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
    at = histogram_put(at, &sums->first_token_us);
    at = histogram_put(at, &sums->total_us);
    out->end += (size_t)(at - start);
}

/* Sums that an older program did not know stay 0. */
enum status
sums_take(struct slice bytes, struct sums *out)
{
    struct wire_reader in = wire_reader_of(bytes);
    uint64_t left = wire_take(&in);

    *out = (struct sums){0};
    if (left > COUNTS)
        return ERR_CORRUPT;
#define SUM_COUNT(name, words)                                                                                         \
    if (left > 0) {                                                                                                    \
        out->name = wire_take_signed(&in);                                                                             \
        left--;                                                                                                        \
    }
#define SUM_USD(name, words)
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
    left = wire_take(&in);
    if (left > AMOUNTS)
        return ERR_CORRUPT;
#define SUM_COUNT(name, words)
#define SUM_USD(name, words)                                                                                           \
    if (left > 0) {                                                                                                    \
        out->name = wire_take_wide(&in);                                                                               \
        left--;                                                                                                        \
    }
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
    histogram_take(&in, &out->first_token_us);
    histogram_take(&in, &out->total_us);
    return in.bad || in.at != in.end ? ERR_CORRUPT : OK;
}
