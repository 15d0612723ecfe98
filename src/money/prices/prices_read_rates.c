/* Reads what a model costs: rates, length tiers, dates and hours, variants. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "money/prices/prices_reader.h"

#define DAY_US (86400 * USEC_PER_S)

static enum status
read_rate(struct reader *r, yyjson_val *name, yyjson_val *value, enum usage_kind kind, usd_rate *out)
{
    enum status status = ERR_INVALID;
    struct slice number = yyjson_is_str(value) ? reader_text(value) : reader_raw(value);

    if (number.data != NULL)
        status = usd_rate_parse(number, out);
    if (status != OK)
        return reader_refuse(
            r, number.data != NULL ? value : name,
            READER_SAY(r, "\"%s\" must be a price in dollars, 0 or more", usage_kind_price_name(kind)));
    if (prices_rate_plausible(kind, *out))
        return OK;
    reader_complain(
        r, PROBLEM_ERROR, value,
        READER_SAY(r, "\"%s\" is %.*s dollars per million tokens, which cannot be meant", usage_kind_price_name(kind),
                   SLICE_ARGS(number)),
        "This field is per million tokens. A price per token in its place is off by a factor of 1,000,000.");
    return ERR_INVALID;
}

static int
by_start(const void *a, const void *b)
{
    const struct length_tier *left = a, *right = b;

    return (left->start > right->start) - (left->start < right->start);
}

static enum status
read_tiers(struct reader *r, yyjson_val *name, yyjson_val *list, struct line *line)
{
    yyjson_val *item;
    size_t index, count;

    if (!yyjson_is_arr(list))
        return reader_refuse(r, name, "\"tiers\" must be a list of {\"start\": tokens, \"price\": dollars}");
    line->tiers = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *line->tiers);
    yyjson_arr_foreach(list, index, count, item)
    {
        struct length_tier *tier = &line->tiers[line->tier_count];
        enum status status = read_rate(r, name, yyjson_obj_get(item, "price"), line->kind, &tier->rate);

        if (status != OK)
            return status;
        if (reader_number(yyjson_obj_get(item, "start"), &tier->start) != OK)
            return reader_refuse(r, name, "a tier's \"start\" must be a whole number of tokens");
        line->tier_count++;
    }
    qsort(line->tiers, line->tier_count, sizeof *line->tiers, by_start);
    return OK;
}

static enum status
read_line(struct reader *r, yyjson_val *name, yyjson_val *value, enum usage_kind kind, struct line *line)
{
    enum status status;

    *line = (struct line){.kind = kind, .place = reader_place(r, name)};
    if (!yyjson_is_obj(value))
        return read_rate(r, name, value, kind, &line->base);
    status = read_rate(r, name, yyjson_obj_get(value, "base"), kind, &line->base);
    return status != OK ? status : read_tiers(r, name, yyjson_obj_get(value, "tiers"), line);
}

static void
complain_unknown_unit(struct reader *r, yyjson_val *name)
{
    const char *known[USAGE_KIND_COUNT];
    const char *nearest;

    for (unsigned i = 0; i < USAGE_KIND_COUNT; i++)
        known[i] = usage_kind_price_name((enum usage_kind)i);
    nearest = text_nearest(reader_text(name), known, USAGE_KIND_COUNT);
    reader_complain(
        r, PROBLEM_WARNING, name,
        READER_SAY(r, "\"%.*s\" is no unit that can be priced, and is left out", SLICE_ARGS(reader_text(name))),
        nearest != NULL ? READER_SAY(r, "Did you mean \"%s\"?", nearest) : NULL);
}

static uint64_t
tariff_kinds(const struct tariff *tariff)
{
    uint64_t kinds = 0;

    for (size_t i = 0; i < tariff->line_count; i++)
        kinds |= (uint64_t)1 << tariff->lines[i].kind;
    return kinds;
}

static enum status
read_tariff(struct reader *r, yyjson_val *object, struct tariff *out)
{
    yyjson_val *name, *value;
    size_t index, count;

    *out = (struct tariff){0};
    if (!yyjson_is_obj(object))
        return reader_refuse(r, object,
                             "\"prices\" must be an object such as {\"input_mtok\": 2.5, \"output_mtok\": 10}");
    out->lines = arena_alloc(&r->book->arena, yyjson_obj_size(object) * sizeof *out->lines);
    yyjson_obj_foreach(object, index, count, name, value)
    {
        enum usage_kind kind;
        enum status status;

        if (yyjson_is_null(value))
            continue;
        if (usage_kind_find_price(reader_text(name), &kind) != OK) {
            complain_unknown_unit(r, name);
            continue;
        }
        if ((tariff_kinds(out) >> kind & 1) != 0)
            return reader_refuse(r, name, "this price is given twice");
        status = read_line(r, name, value, kind, &out->lines[out->line_count]);
        if (status != OK)
            return status;
        out->line_count++;
    }
    return OK;
}

/* Constraints */

/* "16:30:00Z", "16:30:00", "16:30:00+02:00" as time of day in UTC. */
static enum status
read_time_of_day(struct reader *r, yyjson_val *value, usec *out)
{
    struct slice text = reader_text(value);
    usec time;

    if (text.data == NULL || clock_parse_utc(slice_of(READER_SAY(r, "2000-01-02T%.*s", SLICE_ARGS(text))), &time) != OK)
        return reader_refuse(r, value, "a time of day must look like \"16:30:00Z\"");
    *out = time % DAY_US;
    return OK;
}

static enum status
read_constraint(struct reader *r, yyjson_val *object, struct constraint *out)
{
    yyjson_val *date = yyjson_obj_get(object, "start_date"), *start = yyjson_obj_get(object, "start_time");
    enum status status;

    *out = (struct constraint){.kind = HOLDS_ALWAYS};
    if (object == NULL || yyjson_is_null(object))
        return OK;
    if (date != NULL) {
        out->kind = HOLDS_FROM;
        out->place = reader_place(r, date);
        if (yyjson_is_str(date) && clock_parse_utc(reader_text(date), &out->from_wall_us) == OK)
            return OK;
        return reader_refuse(r, date, "\"start_date\" must be a date such as \"2026-01-31\"");
    }
    if (start == NULL)
        return reader_refuse(r, start, "a \"constraint\" must have \"start_date\", or \"start_time\" and \"end_time\"");
    out->kind = HOLDS_DAILY;
    out->place = reader_place(r, start);
    status = read_time_of_day(r, start, &out->start_us);
    return status != OK ? status : read_time_of_day(r, yyjson_obj_get(object, "end_time"), &out->end_us);
}

static enum status
read_dated(struct reader *r, yyjson_val *object, struct dated_tariff *out)
{
    enum status status = read_constraint(r, yyjson_obj_get(object, "constraint"), &out->constraint);

    if (status == OK)
        status = read_tariff(r, yyjson_obj_get(object, "prices"), &out->tariff);
    out->tariff.fault = tariff_fault(tariff_kinds(&out->tariff), &r->book->arena);
    return status;
}

/* "prices" is an object, or a list of objects that each hold under a constraint. */
enum status
reader_prices(struct reader *r, yyjson_val *prices, struct model *model)
{
    yyjson_val *item;
    size_t index, count;

    if (!yyjson_is_arr(prices)) {
        model->dated = arena_alloc(&r->book->arena, sizeof *model->dated);
        model->dated_count = 1;
        model->dated[0].tariff.fault = NULL;
        if (read_tariff(r, prices, &model->dated[0].tariff) != OK)
            return ERR_INVALID;
        model->dated[0].tariff.fault = tariff_fault(tariff_kinds(&model->dated[0].tariff), &r->book->arena);
        return OK;
    }
    if (yyjson_arr_size(prices) == 0)
        return reader_refuse(r, prices, "\"prices\" is an empty list");
    model->dated = arena_alloc(&r->book->arena, yyjson_arr_size(prices) * sizeof *model->dated);
    yyjson_arr_foreach(prices, index, count, item)
    {
        enum status status = read_dated(r, item, &model->dated[model->dated_count]);

        if (status != OK)
            return status;
        model->dated_count++;
    }
    return OK;
}

static enum status
read_conditions(struct reader *r, yyjson_val *when, struct variant *variant)
{
    yyjson_val *name, *value;
    size_t index, count;

    if (yyjson_obj_size(when) == 0)
        return reader_refuse(r, when, "a variant's \"when\" must name at least one condition");
    variant->conditions = arena_alloc(&r->book->arena, yyjson_obj_size(when) * sizeof *variant->conditions);
    yyjson_obj_foreach(when, index, count, name, value)
    {
        struct condition *condition = &variant->conditions[variant->condition_count++];

        if (!yyjson_is_str(value))
            return reader_refuse(r, name, "a variant's condition wants a text");
        condition->name = arena_copy(&r->book->arena, reader_text(name));
        condition->value = arena_copy(&r->book->arena, reader_text(value));
    }
    return OK;
}

enum status
reader_variants(struct reader *r, yyjson_val *list, struct model *model)
{
    yyjson_val *item;
    size_t index, count;

    model->variants = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *model->variants);
    yyjson_arr_foreach(list, index, count, item)
    {
        struct variant *variant = &model->variants[model->variant_count];
        enum status status = read_conditions(r, yyjson_obj_get(item, "when"), variant);

        if (status == OK)
            status = read_constraint(r, yyjson_obj_get(item, "constraint"), &variant->constraint);
        if (status == OK)
            status = read_tariff(r, yyjson_obj_get(item, "prices"), &variant->tariff);
        if (status != OK)
            return status;
        model->variant_count++;
    }
    return OK;
}
