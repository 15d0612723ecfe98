#include "money/focus.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "money/amount.h"
#include "money/group.h"
#include "money/report.h"

#define HOUR_US ((int64_t)3600 * USEC_PER_S)

/* One hour of one key, tenant, model, backend. */
struct charge {
    int64_t start;
    struct group group;
    struct sums sums;
};

struct focus {
    struct ledger_store *store;
    struct arena arena;
    struct map by_key; /* -> struct charge */
    struct charge **all;
    size_t count, size;
    struct buffer key;
};

/* What a FOCUS row is kept apart by; what else the ledger keeps apart is added up. */
static const enum dimension kept[] = {DIMENSION_key,      DIMENSION_tenant, DIMENSION_model,   DIMENSION_backend,
                                      DIMENSION_provider, DIMENSION_route,  DIMENSION_modelled};
enum { KEPT = sizeof(kept) / sizeof(kept[0]) };

static struct charge *
charge_of(struct focus *focus, int64_t start, const struct group *group)
{
    struct charge *charge;
    struct group reduced = {0};

    for (unsigned i = 0; i < KEPT; i++)
        reduced.of[kept[i]] = group->of[kept[i]];
    buffer_clear(&focus->key);
    buffer_add(&focus->key, slice_make((const char *)&start, sizeof(start)));
    group_put(&focus->key, &reduced);
    charge = map_get(&focus->by_key, buffer_content(&focus->key));
    if (charge != NULL)
        return charge;
    charge = arena_alloc(&focus->arena, sizeof(*charge));
    charge->start = start;
    charge->group = reduced;
    map_put(&focus->by_key, buffer_content(&focus->key), charge);
    if (focus->count == focus->size) {
        focus->size = focus->size != 0 ? 2 * focus->size : 256;
        focus->all = must_realloc(focus->all, focus->size * sizeof(struct charge *));
    }
    return focus->all[focus->count++] = charge;
}

static enum status
add_sums(void *user, int64_t start, uint64_t id, struct slice bytes)
{
    struct focus *focus = user;
    struct slice group_bytes;
    struct group group;
    struct sums sums;
    enum status status = focus->store->ops->find_group(focus->store, id, &focus->arena, &group_bytes);

    if (status == OK)
        status = group_take(group_bytes, &group);
    if (status == OK)
        status = sums_take(bytes, &sums);
    if (status == OK && slice_is(group.of[DIMENSION_kind], "request"))
        sums_add(&charge_of(focus, start, &group)->sums, &sums);
    return status;
}

/* The columns, in FOCUS's order (alphabetical), then ours: COLUMN is the header. ProviderName and PublisherName went with
 * FOCUS 1.4; ServiceProviderName and HostProviderName stand in their place. */
static const char header[] =
    "BilledCost,BillingAccountId,BillingAccountName,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,ChargeCategory,"
    "ChargeClass,ChargeDescription,ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,ConsumedQuantity,ConsumedUnit,"
    "ContractedCost,EffectiveCost,HostProviderName,InvoiceIssuerName,ListCost,PricingQuantity,PricingUnit,ResourceId,"
    "ServiceCategory,ServiceName,ServiceProviderName,ServiceSubcategory,SkuId,SkuMeter,SubAccountId,SubAccountName,"
    "x_Backend,x_Key,x_Model,x_Modelled,x_Requests,x_Route,x_TokenKind,x_UnpricedRequests\r\n";

struct meter {
    const char *name, *words;
    int64_t tokens; /* calls for the last */
    wide_int cost;
    bool is_tokens;
};

enum { METERS = 5 };

static void
fill_meters(const struct sums *sums, struct meter *out)
{
    wide_int parts = sums->input_cost + sums->cache_read_cost + sums->cache_write_cost + sums->output_cost;

    out[0] =
        (struct meter){"input", "input tokens", sums->input_tokens - sums->cache_read_tokens - sums->cache_write_tokens,
                       sums->input_cost, true};
    out[1] = (struct meter){"cache_read", "input tokens read from cache", sums->cache_read_tokens,
                            sums->cache_read_cost, true};
    out[2] = (struct meter){"cache_write", "input tokens written to cache", sums->cache_write_tokens,
                            sums->cache_write_cost, true};
    out[3] = (struct meter){"output", "output tokens", sums->output_tokens, sums->output_cost, true};
    out[4] = (struct meter){"other", "charges by the call and what no kind of token explains", sums->tool_calls,
                            sums->cost - parts, false};
}

static void
field(struct buffer *out, struct slice text)
{
    csv_add(out, text);
    buffer_add_byte(out, ',');
}

static void
field_or(struct buffer *out, struct slice text, const char *otherwise)
{
    field(out, text.len != 0 ? text : slice_of(otherwise));
}

static void
field_time(struct buffer *out, int64_t wall_us)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(wall_us, text);
    field(out, slice_of(text));
}

static void
field_amount(struct buffer *out, wide_int amount)
{
    char text[AMOUNT_TEXT_SIZE];

    amount_format(amount, text);
    field(out, slice_of(text));
}

static void
field_count(struct buffer *out, int64_t count)
{
    buffer_printf(out, "%lld,", (long long)count);
}

static void
billing_period(int64_t start, int64_t *from, int64_t *until)
{
    struct clock_date date = clock_date_of(start);

    date.day = 1;
    date.hour = date.minute = date.second = 0;
    *from = clock_of_date(date);
    date.month++;
    *until = clock_of_date(date);
}

/* A million tokens is the pricing unit: exact, as a decimal of six places. */
static void
field_pricing(struct buffer *out, const struct meter *meter)
{
    if (meter->is_tokens)
        field_amount(out, (wide_int)meter->tokens * (USD_ONE / 1000000));
    else
        field_count(out, meter->tokens);
    buffer_add_text(out, meter->is_tokens ? "1000000 Tokens," : "Calls,");
}

static void
write_charge(struct buffer *out, const struct charge *charge, const struct meter *meter, bool first)
{
    const struct slice *of = charge->group.of;
    char text[256];
    int64_t from, until;

    billing_period(charge->start, &from, &until);
    field_amount(out, meter->cost);
    field_or(out, of[DIMENSION_backend], "none");
    field_or(out, of[DIMENSION_backend], "none");
    buffer_add_text(out, "USD,");
    field_time(out, until);
    field_time(out, from);
    buffer_add_text(out, "Usage,,");
    snprintf(text, sizeof(text), "%.*s: %s", SLICE_ARGS(of[DIMENSION_model]), meter->words);
    field(out, slice_of(text));
    buffer_add_text(out, "Usage-Based,");
    field_time(out, charge->start + HOUR_US);
    field_time(out, charge->start);
    field_count(out, meter->tokens);
    buffer_add_text(out, meter->is_tokens ? "Tokens," : "Calls,");
    field_amount(out, meter->cost);
    field_amount(out, meter->cost);
    field_or(out, of[DIMENSION_provider], "self-hosted");
    field_or(out, of[DIMENSION_provider], "self-hosted");
    field_amount(out, meter->cost);
    field_pricing(out, meter);
    field(out, of[DIMENSION_model]);
    buffer_add_text(out, "AI and Machine Learning,");
    field_or(out, of[DIMENSION_model], "none");
    field_or(out, of[DIMENSION_provider], "self-hosted");
    buffer_add_text(out, "Generative AI,");
    snprintf(text, sizeof(text), "%.*s/%.*s/%s", SLICE_ARGS(of[DIMENSION_provider]), SLICE_ARGS(of[DIMENSION_model]),
             meter->name);
    field(out, slice_of(text));
    field(out, slice_of(meter->words));
    field(out, of[DIMENSION_tenant]);
    field(out, of[DIMENSION_tenant]);
    field(out, of[DIMENSION_backend]);
    field(out, of[DIMENSION_key]);
    field(out, of[DIMENSION_model]);
    buffer_add_text(out, of[DIMENSION_modelled].len != 0 ? "true," : "false,");
    field_count(out, first ? charge->sums.rows : 0);
    field(out, of[DIMENSION_route]);
    buffer_printf(out, "%s,%lld\r\n", meter->name, (long long)(first ? charge->sums.unpriced : 0));
}

/* Requests are counted on the first row of a charge only, so that they add up. */
static void
write_meters(struct buffer *out, const struct charge *charge)
{
    struct meter meters[METERS];
    bool first = true;

    fill_meters(&charge->sums, meters);
    for (unsigned i = 0; i < METERS; i++) {
        if (meters[i].cost == 0 && meters[i].tokens == 0 && !(i == METERS - 1 && first))
            continue;
        write_charge(out, charge, &meters[i], first);
        first = false;
    }
}

static int
by_time(const void *a, const void *b)
{
    const struct charge *left = *(struct charge *const *)a, *right = *(struct charge *const *)b;

    return (left->start > right->start) - (left->start < right->start);
}

enum status
focus_write(struct ledger_store *const *stores, size_t count, int64_t since, int64_t until, struct buffer *out)
{
    struct focus focus = {0};
    enum status status = OK;

    for (size_t i = 0; i < count && status == OK; i++) {
        focus.store = stores[i];
        status = stores[i]->ops->each_sums(stores[i], LEDGER_HOUR, since, until, add_sums, &focus);
    }
    if (focus.count > 1)
        qsort(focus.all, focus.count, sizeof(struct charge *), by_time);
    buffer_add_text(out, header);
    for (size_t i = 0; i < focus.count && status == OK; i++)
        write_meters(out, focus.all[i]);
    map_free(&focus.by_key);
    buffer_free(&focus.key);
    arena_reset(&focus.arena);
    free(focus.all);
    return status;
}
