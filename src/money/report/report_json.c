/* The report as JSON: everything that the text says, amounts as exact decimal strings, null where nothing is known. */
#include "base/clock.h"
#include "money/amount.h"
#include "money/report/report_choice.h"
#include "money/report/report_look_ups.h"
#include "money/report/report_pools.h"
#include "money/report/report_routes.h"

static void
add_quantile(struct buffer *out, const char *name, const struct histogram *histogram, double share)
{
    double value = histogram_quantile(histogram, share);

    if (value >= 0)
        buffer_printf(out, ",\"%s\":%.0f", name, value);
    else
        buffer_printf(out, ",\"%s\":null", name);
}

/* The members of an object, without its braces. */
static void
add_sums(struct buffer *out, const struct sums *sums)
{
#define SUM_COUNT(name, words) buffer_printf(out, "\"%s\":%lld,", #name, (long long)sums->name);
#define SUM_USD(name, words)
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
    amount_add_json(out, "cost_usd", sums->cost);
    buffer_add_byte(out, ',');
    amount_add_json(out, "baseline_usd", sums->baseline);
    buffer_add_byte(out, ',');
    amount_add_json(out, "saved_usd", sums->saved);
    buffer_add_byte(out, ',');
    amount_add_json(out, "cost_estimated_usd", sums->cost_estimated);
    buffer_add_byte(out, ',');
    amount_add_json(out, "input_cost_usd", sums->input_cost);
    buffer_add_byte(out, ',');
    amount_add_json(out, "cache_read_cost_usd", sums->cache_read_cost);
    buffer_add_byte(out, ',');
    amount_add_json(out, "cache_write_cost_usd", sums->cache_write_cost);
    buffer_add_byte(out, ',');
    amount_add_json(out, "cache_discount_usd", sums->cache_discount);
    buffer_add_byte(out, ',');
    amount_add_json(out, "cache_surcharge_usd", sums->cache_surcharge);
    buffer_add_byte(out, ',');
    amount_add_json(out, "output_cost_usd", sums->output_cost);
    buffer_add_byte(out, ',');
    amount_add_json(out, "value_usd", sums->value);
    buffer_add_byte(out, ',');
    amount_add_json(out, "valued_cost_usd", sums->valued_cost);
    add_quantile(out, "first_token_p50_us", &sums->first_token_us, 0.5);
    add_quantile(out, "first_token_p95_us", &sums->first_token_us, 0.95);
    add_quantile(out, "total_p50_us", &sums->total_us, 0.5);
    add_quantile(out, "total_p95_us", &sums->total_us, 0.95);
}

static void
add_part(struct buffer *out, const char *name, const struct sums *sums, struct interval useful)
{
    buffer_printf(out, ",\n \"%s\":{", name);
    add_sums(out, sums);
    buffer_add_byte(out, ',');
    interval_add_json(out, "useful", useful);
    buffer_add_byte(out, ',');
    interval_add_json(out, "cost_per_useful_usd", report_cost_per_useful(sums, useful));
    buffer_add_byte(out, '}');
}

static void
add_lines(const struct report *report, struct buffer *out)
{
    buffer_add_text(out, ",\n \"lines\":[");
    for (size_t i = 0; i < report->line_count; i++) {
        const struct report_line *line = &report->lines[i];

        buffer_add_text(out, i == 0 ? "\n  {" : ",\n  {");
        for (size_t k = 0; k < report->options.by_count; k++) {
            buffer_add_json_member(out, report_by_name(report->options.by[k]), line->label[k]);
            buffer_add_byte(out, ',');
        }
        add_sums(out, &line->sums);
        buffer_add_byte(out, ',');
        interval_add_json(out, "useful", line->useful);
        buffer_add_byte(out, ',');
        interval_add_json(out, "cost_per_useful_usd", report_cost_per_useful(&line->sums, line->useful));
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void
add_levers(const struct report *report, struct buffer *out)
{
    buffer_add_text(out, ",\n \"levers\":[");
    for (size_t i = 0; i < report->lever_count; i++) {
        const struct report_lever *lever = &report->levers[i];

        buffer_add_text(out, i == 0 ? "\n  {" : ",\n  {");
        buffer_add_json_member(out, "lever", lever->lever);
        buffer_printf(out, ",\"mode\":\"%s\",", lever->shadow ? "shadow" : "on");
        buffer_add_json_member(out, "risk", slice_of(report->options.risk(lever->lever)));
        buffer_add_text(out, ",\"touched\":{");
        add_sums(out, &lever->sums);
        buffer_add_text(out, "},\"control\":{");
        add_sums(out, &lever->control);
        buffer_add_text(out, "}}");
    }
    buffer_add_byte(out, ']');
}

static void
add_movers(const struct report *report, struct buffer *out)
{
    buffer_add_text(out, ",\n \"movers\":[");
    for (size_t i = 0; i < report->mover_count; i++) {
        const struct report_mover *mover = &report->movers[i];

        buffer_printf(out, "%s{\"by\":\"%s\",", i == 0 ? "\n  " : ",\n  ", report_by_name(mover->by));
        buffer_add_json_member(out, "name", mover->label);
        buffer_add_byte(out, ',');
        amount_add_json(out, "before_usd", mover->before);
        buffer_add_byte(out, ',');
        amount_add_json(out, "after_usd", mover->after);
        buffer_printf(out, ",\"requests_before\":%lld,\"requests_after\":%lld}", (long long)mover->requests_before,
                      (long long)mover->requests_after);
    }
    buffer_add_byte(out, ']');
}

static void
add_unpriced(const struct report *report, struct buffer *out)
{
    buffer_add_text(out, ",\n \"unpriced_models\":[");
    for (size_t i = 0; i < report->unpriced_count; i++) {
        buffer_add_text(out, i == 0 ? "{" : ",{");
        buffer_add_json_member(out, "backend", report->unpriced[i].backend);
        buffer_add_byte(out, ',');
        buffer_add_json_member(out, "model", report->unpriced[i].model);
        buffer_printf(out, ",\"requests\":%lld}", (long long)report->unpriced[i].requests);
    }
    buffer_add_byte(out, ']');
}

void
report_write_json(const struct report *report, struct buffer *out)
{
    char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];

    clock_format_utc(report->options.since > 0 ? report->options.since : 0, since);
    clock_format_utc(report->options.until, until);
    buffer_printf(out, "{\"since\":\"%s\",\"until\":\"%s\",\"interval\":0.95", since, until);
    add_part(out, "all", &report->all, report->useful);
    buffer_add_text(out, ",\n \"modelled\":{");
    add_sums(out, &report->modelled);
    buffer_add_byte(out, '}');
    add_lines(report, out);
    add_levers(report, out);
    report_pools_json(report, out);
    report_look_ups_json(report, out);
    report_choice_json(report, out);
    report_routes_json(report, out);
    add_unpriced(report, out);
    add_movers(report, out);
    buffer_add_text(out, ",\n \"holdout\":{");
    add_sums(out, &report->holdout);
    buffer_add_byte(out, '}');
    add_part(out, "week", &report->week, report->week_useful);
    add_part(out, "week_before", &report->week_before, report->week_before_useful);
    buffer_add_text(out, ",\n ");
    interval_add_json(out, "month_end_usd", report->month);
    if (report->options.month_budget > 0) {
        buffer_add_byte(out, ',');
        amount_add_json(out, "month_budget_usd", report->options.month_budget);
    } else {
        buffer_add_text(out, ",\"month_budget_usd\":null");
    }
    buffer_add_text(out, "}\n");
}
