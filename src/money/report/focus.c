#include "money/report/focus.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "money/amount.h"
#include "money/ledger/group.h"
#include "money/rent.h"
#include "money/report/report.h"

#define HOUR_US ((int64_t)3600 * USEC_PER_S)

/* FOCUS prices tokens by the million; unit prices have six decimals more than costs. */
enum { TOKENS_A_UNIT = 1000000, MICRO = 1000000 };

/* One hour of one key, tenant, model, backend. */
struct charge {
    int64_t start;
    struct group group;
    struct sums sums;
    bool idle; /* it is no requests', but what is left of a backend's hour that is paid for */
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
static const enum dimension kept[] = {DIMENSION_key,     DIMENSION_tenant,   DIMENSION_model,
                                      DIMENSION_backend, DIMENSION_provider, DIMENSION_route,
                                      DIMENSION_owner,   DIMENSION_source,   DIMENSION_modelled};
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
    *charge = (struct charge){.start = start};
    charge->group = reduced;
    map_put(&focus->by_key, buffer_content(&focus->key), charge);
    if (focus->count == focus->size) {
        focus->size = focus->size != 0 ? 2 * focus->size : 256;
        focus->all = must_realloc(focus->all, focus->size * sizeof(struct charge *));
    }
    return focus->all[focus->count++] = charge;
}

/* No request has this source. */
static void
add_rent(struct focus *focus, int64_t start, const struct group *group, const struct sums *sums)
{
    struct group idle = *group;
    struct charge *charge;

    idle.of[DIMENSION_source] = SLICE_LITERAL("idle");
    charge = charge_of(focus, start, &idle);
    charge->idle = true;
    sums_add(&charge->sums, sums);
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
    if (status == OK && slice_is(group.of[DIMENSION_kind], "rent"))
        add_rent(focus, start, &group, &sums);
    return status;
}

/* What a charge consists of: tokens of one kind, or what no kind of token explains. */
struct meter {
    const char *name, *words;
    int64_t tokens;
    wide_int cost;
};

enum { METERS = 5 };

/* One row of the file. Counts of requests stand on a charge's first row only, so that they add up. */
struct line {
    const struct charge *charge;
    const struct slice *of; /* the charge's group */
    struct meter meter;
    bool first;
    bool priced;    /* a cost is known for at least one of its requests */
    bool by_tokens; /* else the quantity is its requests: nothing else is known of what was charged */
};

static void
fill_meters(const struct sums *sums, struct meter *out)
{
    wide_int parts = sums->input_cost + sums->cache_read_cost + sums->cache_write_cost + sums->output_cost;
    int64_t uncached = sums->input_tokens - sums->cache_read_tokens - sums->cache_write_tokens;

    out[0] = (struct meter){"input", "input tokens", uncached, sums->input_cost};
    out[1] =
        (struct meter){"cache_read", "input tokens read from cache", sums->cache_read_tokens, sums->cache_read_cost};
    out[2] = (struct meter){"cache_write", "input tokens written to cache", sums->cache_write_tokens,
                            sums->cache_write_cost};
    out[3] = (struct meter){"output", "output tokens", sums->output_tokens, sums->output_cost};
    out[4] = (struct meter){"other", "charges that no kind of token explains", 0, sums->cost - parts};
}

static void
put_count(struct buffer *out, int64_t count)
{
    buffer_printf(out, "%lld", (long long)count);
}

static void
put_amount(struct buffer *out, wide_int amount)
{
    char text[AMOUNT_TEXT_SIZE];

    amount_format(amount, text);
    buffer_add_text(out, text);
}

static void
put_time(struct buffer *out, int64_t wall_us)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(wall_us, text);
    buffer_add_text(out, text);
}

static void
put_or(struct buffer *out, struct slice text, const char *otherwise)
{
    csv_add(out, text.len != 0 ? text : slice_of(otherwise));
}

/* The columns' writers: one for each kind of value in focus.def */

static void
write_nothing(const struct line *line, struct buffer *out)
{
    (void)line;
    (void)out;
}

#define ALWAYS(name, text)                                                                                             \
    static void write_##name(const struct line *line, struct buffer *out)                                              \
    {                                                                                                                  \
        (void)line;                                                                                                    \
        buffer_add_text(out, text);                                                                                    \
    }
ALWAYS(currency, "USD")
ALWAYS(usage, "Usage")
ALWAYS(usage_based, "Usage-Based")
ALWAYS(service_category, "AI and Machine Learning")
ALWAYS(service_subcategory, "Generative AI")
ALWAYS(service, "Model Inference")
#undef ALWAYS

#define TEXT(name)                                                                                                     \
    static void write_##name(const struct line *line, struct buffer *out)                                              \
    {                                                                                                                  \
        csv_add(out, line->of[DIMENSION_##name]);                                                                      \
    }
TEXT(backend)
TEXT(key)
TEXT(model)
TEXT(owner)
TEXT(route)
TEXT(source)
TEXT(tenant)
#undef TEXT

#define PER_CHARGE(name, sum, put)                                                                                     \
    static void write_##name(const struct line *line, struct buffer *out)                                              \
    {                                                                                                                  \
        put(out, line->first ? line->charge->sums.sum : 0);                                                            \
    }
PER_CHARGE(baseline, baseline, put_amount)
PER_CHARGE(saved, saved, put_amount)
PER_CHARGE(estimated, estimated, put_count)
PER_CHARGE(requests, rows, put_count)
PER_CHARGE(tool_calls, tool_calls, put_count)
PER_CHARGE(unpriced, unpriced, put_count)
#undef PER_CHARGE

static void
write_cost(const struct line *line, struct buffer *out)
{
    put_amount(out, line->meter.cost);
}

static void
write_account(const struct line *line, struct buffer *out)
{
    put_or(out, line->of[DIMENSION_backend], "None");
}

static void
write_provider(const struct line *line, struct buffer *out)
{
    put_or(out, line->of[DIMENSION_provider], line->of[DIMENSION_backend].len != 0 ? "Self-Hosted" : "None");
}

/* The first of the month that is `later` months after that of the charge. */
static int64_t
month_of(const struct line *line, int later)
{
    struct clock_date date = clock_date_of(line->charge->start);

    date.day = 1;
    date.month += later;
    date.hour = date.minute = date.second = 0;
    return clock_of_date(date);
}

static void
write_month_start(const struct line *line, struct buffer *out)
{
    put_time(out, month_of(line, 0));
}

static void
write_month_end(const struct line *line, struct buffer *out)
{
    put_time(out, month_of(line, 1));
}

static void
write_hour_start(const struct line *line, struct buffer *out)
{
    put_time(out, line->charge->start);
}

static void
write_hour_end(const struct line *line, struct buffer *out)
{
    put_time(out, line->charge->start + HOUR_US);
}

static void
write_description(const struct line *line, struct buffer *out)
{
    struct buffer text = {0};
    struct slice model = line->of[DIMENSION_model];

    if (line->charge->idle)
        buffer_printf(&text, "%.*s: %s", SLICE_ARGS(line->of[DIMENSION_backend]), line->meter.words);
    else
        buffer_printf(&text, "%.*s: %s%s", SLICE_ARGS(model.len != 0 ? model : SLICE_LITERAL("no model")),
                      line->meter.words, line->priced ? "" : "; the price is not known");
    csv_add(out, buffer_content(&text));
    buffer_free(&text);
}

static int64_t
quantity_of(const struct line *line)
{
    return line->by_tokens ? line->meter.tokens : line->charge->sums.rows + line->charge->sums.own_calls;
}

static void
write_consumed(const struct line *line, struct buffer *out)
{
    if (line->priced)
        put_count(out, quantity_of(line));
}

static void
write_consumed_unit(const struct line *line, struct buffer *out)
{
    if (line->priced)
        buffer_add_text(out, line->by_tokens ? "Tokens" : "Requests");
}

/* Millions of tokens: exact, as a decimal of six places. */
static void
write_pricing(const struct line *line, struct buffer *out)
{
    if (line->priced && line->by_tokens)
        put_amount(out, (wide_int)line->meter.tokens * (USD_ONE / TOKENS_A_UNIT));
    else if (line->priced)
        put_count(out, quantity_of(line));
}

static void
write_pricing_unit(const struct line *line, struct buffer *out)
{
    if (line->priced)
        buffer_add_text(out, line->by_tokens ? "1000000 Tokens" : "Requests");
}

static void
write_category(const struct line *line, struct buffer *out)
{
    buffer_add_text(out, line->priced ? "Standard" : "");
}

/* In micro-pico-dollars, 18 decimals, so that quantity x price, rounded to the pico-dollar, is the cost: the error is
 * at most half of the last decimal for each unit, of which no hour has 10^6. */
static void
write_unit_price(const struct line *line, struct buffer *out)
{
    wide_int units = line->by_tokens ? TOKENS_A_UNIT : 1;
    char text[AMOUNT_TEXT_SIZE];

    if (!line->priced)
        return;
    amount_format_exact(wide_divide_half_even(line->meter.cost * MICRO * units, quantity_of(line)), USD_DECIMALS + 6,
                        text);
    buffer_add_text(out, text);
}

static void
add_sku(const struct line *line, struct buffer *out)
{
    struct slice provider =
        line->of[DIMENSION_provider].len != 0 ? line->of[DIMENSION_provider] : line->of[DIMENSION_backend];

    buffer_printf(out, "%.*s/%.*s/%s", SLICE_ARGS(provider), SLICE_ARGS(line->of[DIMENSION_model]), line->meter.name);
}

static void
write_sku(const struct line *line, struct buffer *out)
{
    struct buffer text = {0};

    add_sku(line, &text);
    csv_add(out, buffer_content(&text));
    buffer_free(&text);
}

static void
write_sku_price(const struct line *line, struct buffer *out)
{
    if (line->priced)
        write_sku(line, out);
}

static void
write_meter_words(const struct line *line, struct buffer *out)
{
    csv_add(out, slice_of(line->meter.words));
}

static void
write_kind(const struct line *line, struct buffer *out)
{
    buffer_add_text(out, line->meter.name);
}

static void
write_modelled(const struct line *line, struct buffer *out)
{
    buffer_add_text(out, line->of[DIMENSION_modelled].len != 0 ? "true" : "false");
}

/* {"name":"text"}, the members that have a text. */
static void
add_member(struct buffer *json, const char *name, struct slice text)
{
    if (text.len == 0)
        return;
    buffer_printf(json, "%s\"%s\":\"", buffer_len(json) == 0 ? "{" : ",", name);
    buffer_add_json(json, text);
    buffer_add_byte(json, '"');
}

static void
end_object(struct buffer *json, struct buffer *out)
{
    if (buffer_len(json) != 0)
        buffer_add_byte(json, '}');
    csv_add(out, buffer_content(json));
    buffer_free(json);
}

static void
write_sku_details(const struct line *line, struct buffer *out)
{
    struct buffer json = {0};

    if (!line->priced)
        return;
    add_member(&json, "x_Model", line->of[DIMENSION_model]);
    add_member(&json, "x_TokenKind", slice_of(line->meter.name));
    end_object(&json, out);
}

static void
write_tags(const struct line *line, struct buffer *out)
{
    struct buffer json = {0};

    add_member(&json, "equipoise/key", line->of[DIMENSION_key]);
    add_member(&json, "equipoise/owner", line->of[DIMENSION_owner]);
    add_member(&json, "equipoise/route", line->of[DIMENSION_route]);
    end_object(&json, out);
}

typedef void column_writer(const struct line *line, struct buffer *out);

static void
write_line(const struct line *line, struct buffer *out)
{
    static column_writer *const writers[] = {
#define FOCUS_COLUMN(id, level, writer, words) write_##writer,
#include "money/report/focus.def"
#undef FOCUS_COLUMN
    };
    size_t count = sizeof(writers) / sizeof(writers[0]);

    for (size_t i = 0; i < count; i++) {
        writers[i](line, out);
        buffer_add_text(out, i + 1 < count ? "," : "\r\n");
    }
}

static void
write_header(struct buffer *out)
{
    const char *comma = "";

#define FOCUS_COLUMN(id, level, writer, words)                                                                         \
    buffer_printf(out, "%s%s", comma, #id);                                                                            \
    comma = ",";
#include "money/report/focus.def"
#undef FOCUS_COLUMN
    buffer_add_text(out, "\r\n");
}

static void
write_idle(const struct charge *charge, struct buffer *out)
{
    struct line line = {.charge = charge,
                        .of = charge->group.of,
                        .meter = {"idle", "replicas' time that no request was charged for", 0, charge->sums.cost},
                        .first = true};

    write_line(&line, out);
}

/* A row for each kind that was used or charged for; a charge with none of them still counts its requests. */
static void
write_charge(const struct charge *charge, struct buffer *out)
{
    struct meter meters[METERS];
    bool first = true;

    fill_meters(&charge->sums, meters);
    for (unsigned i = 0; i < METERS; i++) {
        struct line line = {.charge = charge, .of = charge->group.of, .meter = meters[i], .first = first};

        if (meters[i].cost == 0 && meters[i].tokens <= 0 && !(i == METERS - 1 && first))
            continue;
        line.priced = charge->sums.unpriced < charge->sums.rows + charge->sums.own_calls;
        line.by_tokens = meters[i].tokens > 0;
        write_line(&line, out);
        first = false;
    }
}

/* By the hour, in each of which what is idle stands first. */
static int
by_hour(const void *a, const void *b)
{
    const struct charge *left = *(struct charge *const *)a, *right = *(struct charge *const *)b;

    if (left->start != right->start)
        return left->start > right->start ? 1 : -1;
    return right->idle - left->idle;
}

/* Whose time a charge of the hour is part of. A reload within the hour may have changed whose the backend is, and the hour has
 * a row for each: a charge belongs to the one that it names, and is taken off once, whatever it names. */
static struct charge *
rent_it_uses(struct charge *const *idle, size_t count, const struct slice *of)
{
    struct charge *any = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct slice *its = idle[i]->group.of;

        if (!slice_equal(its[DIMENSION_backend], of[DIMENSION_backend]))
            continue;
        if (slice_equal(its[DIMENSION_provider], of[DIMENSION_provider]) &&
            slice_equal(its[DIMENSION_modelled], of[DIMENSION_modelled]))
            return idle[i];
        any = any != NULL ? any : idle[i];
    }
    return any;
}

/* What was paid for each hour less what its requests are charged; they stand by the hour. */
static void
find_idle(const struct focus *focus)
{
    size_t hour = 0, idle_count = 0; /* where the present one begins, and how much idle there is in it */

    for (size_t i = 0; i < focus->count; i++) {
        struct charge *charge = focus->all[i], *idle;

        if (charge->start != focus->all[hour]->start) {
            hour = i;
            idle_count = 0;
        }
        if (charge->idle) {
            charge->sums.cost = rent_of_units(charge->sums.rent);
            idle_count++;
        } else if ((idle = rent_it_uses(&focus->all[hour], idle_count, charge->group.of)) != NULL) {
            idle->sums.cost -= charge->sums.cost;
        }
    }
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
        qsort(focus.all, focus.count, sizeof(struct charge *), by_hour);
    write_header(out);
    if (status == OK)
        find_idle(&focus);
    for (size_t i = 0; i < focus.count && status == OK; i++)
        (focus.all[i]->idle ? write_idle : write_charge)(focus.all[i], out);
    map_free(&focus.by_key);
    buffer_free(&focus.key);
    arena_reset(&focus.arena);
    free(focus.all);
    return status;
}
