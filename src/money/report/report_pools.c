#include "money/report/report_pools.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/timers.h"
#include "money/amount.h"
#include "money/rent.h"

static const double HOUR_US = 3600.0 * USEC_PER_S;

struct report_pool *
report_pools_line(struct text_table *table, struct arena *arena, struct slice backend)
{
    struct report_pool *pool = text_table_get(table, arena, backend, sizeof(*pool));

    pool->backend = backend;
    return pool;
}

wide_int
report_pool_paid(const struct report_pool *pool)
{
    return rent_of_units(pool->rent);
}

wide_int
report_pool_idle(const struct report_pool *pool)
{
    return report_pool_paid(pool) - pool->sums.cost;
}

static int
by_paid(const void *a, const void *b)
{
    const struct report_pool *left = a, *right = b;

    return (left->rent < right->rent) - (left->rent > right->rent);
}

void
report_pools_finish(const struct text_table *table, struct report *report)
{
    report->pools = arena_alloc(&report->arena, (table->count + 1) * sizeof(struct report_pool));
    for (size_t i = 0; i < table->count; i++) {
        const struct report_pool *pool = table->all[i];

        if (pool->rented_us > 0)
            report->pools[report->pool_count++] = *pool;
    }
    qsort(report->pools, report->pool_count, sizeof(struct report_pool), by_paid);
}

/* What was paid, or charged where that is more. */
static wide_int
loaded(const struct report_pool *pool)
{
    wide_int paid = report_pool_paid(pool);

    return paid > pool->sums.cost ? paid : pool->sums.cost;
}

double
report_pool_usd_per_million(const struct report_pool *pool)
{
    double tokens = (double)pool->sums.input_tokens + (double)pool->sums.output_tokens;

    return tokens > 0 ? (double)loaded(pool) / (double)USD_ONE / (tokens / 1e6) : -1;
}

struct interval
report_pool_per_useful(const struct report_pool *pool)
{
    struct sums all = {.cost = loaded(pool)};

    return report_cost_per_useful(&all, pool->useful);
}

static double
used_share(const struct report_pool *pool)
{
    wide_int paid = report_pool_paid(pool);

    return paid > 0 ? (double)pool->sums.cost / (double)paid : 0;
}

/* Text */

static const char *
money(wide_int amount, char out[AMOUNT_TEXT_SIZE])
{
    amount_format_people(amount, out);
    return out;
}

void
report_pools_text(const struct report *report, struct buffer *out)
{
    char paid[AMOUNT_TEXT_SIZE], busy[AMOUNT_TEXT_SIZE], idle[AMOUNT_TEXT_SIZE], each[32], useful[32];

    buffer_printf(out, "  %-20s %13s %12s %12s %12s %7s %12s %12s\n", "backend", "replica-hours", "paid", "busy",
                  "idle", "used", "per Mtoken", "per useful");
    for (size_t i = 0; i < report->pool_count; i++) {
        const struct report_pool *pool = &report->pools[i];
        double million = report_pool_usd_per_million(pool);
        struct interval one = report_pool_per_useful(pool);

        snprintf(each, sizeof(each), million >= 0 ? "$%.4g" : "no tokens", million);
        snprintf(useful, sizeof(useful), one.known ? "$%.4g" : "unknown", one.middle);
        buffer_printf(out, "  %-20.*s %13.3f %12s %12s %12s %6.1f%% %12s %12s%s\n", SLICE_ARGS(pool->backend),
                      (double)pool->rented_us / HOUR_US, money(report_pool_paid(pool), paid),
                      money(pool->sums.cost, busy), money(report_pool_idle(pool), idle), used_share(pool) * 100, each,
                      useful, pool->modelled ? "  modelled" : "");
    }
    buffer_add_text(out, "  busy is in the cost above, idle comes on top; the last two have both in them\n");
}

/* JSON */

static void
json_amount(struct buffer *out, const char *name, wide_int amount)
{
    buffer_add_byte(out, ',');
    amount_add_json(out, name, amount);
}

void
report_pools_json(const struct report *report, struct buffer *out)
{
    buffer_add_text(out, ",\n \"pools\":[");
    for (size_t i = 0; i < report->pool_count; i++) {
        const struct report_pool *pool = &report->pools[i];
        double million = report_pool_usd_per_million(pool);
        struct interval useful = report_pool_per_useful(pool);

        buffer_add_text(out, i == 0 ? "\n  {\"backend\":\"" : ",\n  {\"backend\":\"");
        buffer_add_json(out, pool->backend);
        buffer_printf(out, "\",\"modelled\":%s,\"replica_hours\":%.9f,\"replica_us\":%lld",
                      pool->modelled ? "true" : "false", (double)pool->rented_us / HOUR_US, (long long)pool->rented_us);
        json_amount(out, "paid_usd", report_pool_paid(pool));
        json_amount(out, "busy_usd", pool->sums.cost);
        json_amount(out, "idle_usd", report_pool_idle(pool));
        buffer_printf(out, ",\"used\":%.6f,\"requests\":%lld,\"input_tokens\":%lld,\"output_tokens\":%lld",
                      used_share(pool), (long long)pool->sums.rows, (long long)pool->sums.input_tokens,
                      (long long)pool->sums.output_tokens);
        buffer_printf(
            out, million >= 0 ? ",\"loaded_usd_per_million_tokens\":%.9g" : ",\"loaded_usd_per_million_tokens\":null",
            million);
        buffer_printf(out, useful.known ? ",\"loaded_usd_per_useful\":%.9g}" : ",\"loaded_usd_per_useful\":null}",
                      useful.middle);
    }
    buffer_add_byte(out, ']');
}

/* CSV */

void
report_write_pools_csv(const struct report *report, struct buffer *out)
{
    buffer_add_text(out, "backend,modelled,replica_hours,paid_usd,busy_usd,idle_usd,used,requests,input_tokens,"
                         "output_tokens,loaded_usd_per_million_tokens,loaded_usd_per_useful\r\n");
    for (size_t i = 0; i < report->pool_count; i++) {
        const struct report_pool *pool = &report->pools[i];
        double million = report_pool_usd_per_million(pool);
        struct interval useful = report_pool_per_useful(pool);

        csv_add(out, pool->backend);
        buffer_printf(out, ",%d,%.9f", pool->modelled, (double)pool->rented_us / HOUR_US);
        amount_add_csv(out, report_pool_paid(pool));
        amount_add_csv(out, pool->sums.cost);
        amount_add_csv(out, report_pool_idle(pool));
        buffer_printf(out, ",%.6f,%lld,%lld,%lld,", used_share(pool), (long long)pool->sums.rows,
                      (long long)pool->sums.input_tokens, (long long)pool->sums.output_tokens);
        if (million >= 0)
            buffer_printf(out, "%.9g", million);
        buffer_add_byte(out, ',');
        if (useful.known)
            buffer_printf(out, "%.9g", useful.middle);
        buffer_add_text(out, "\r\n");
    }
}
