/* The report for people. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "money/amount.h"
#include "money/report/report_choice.h"
#include "money/report/report_look_ups.h"
#include "money/report/report_pools.h"
#include "money/report/report_routes.h"

enum { TEXT_MOST = 64, SHOWN_MOST = 6 };

/* Where lines go, and whether in colour. */
struct page {
    struct buffer *out;
    bool colour;
};

static void
start(const struct page *page, const char *code)
{
    if (page->colour)
        buffer_printf(page->out, "\033[%sm", code);
}

static void
stop(const struct page *page)
{
    if (page->colour)
        buffer_add_text(page->out, "\033[0m");
}

static void
title(const struct page *page, const char *text)
{
    buffer_add_byte(page->out, '\n');
    start(page, "1");
    buffer_add_text(page->out, text);
    stop(page);
    buffer_add_byte(page->out, '\n');
}

/* "  name        text" */
static void fact(const struct page *page, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

static void
fact(const struct page *page, const char *name, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buffer_printf(page->out, "  %-24s %s\n", name, text);
}

static struct slice
or_dash(struct slice text)
{
    return text.len != 0 ? text : SLICE_LITERAL("-");
}

static const char *
money(wide_int amount, char *out)
{
    amount_format_people(amount, out);
    return out;
}

static const char *
dollars(double amount, char *out)
{
    amount_format_people((wide_int)(amount * 1e12), out);
    return out;
}

static const char *
share(wide_int part, wide_int whole, char *out)
{
    if (whole == 0)
        return "-";
    snprintf(out, TEXT_MOST, "%.1f%%", 100 * (double)part / (double)whole);
    return out;
}

static const char *
duration(double us, char *out)
{
    if (us < 0)
        return "-";
    if (us < 1e3)
        snprintf(out, TEXT_MOST, "<1 ms"); /* the clock is read once in a turn of the loop */
    else if (us < 1e6)
        snprintf(out, TEXT_MOST, us < 1e4 ? "%.1f ms" : "%.0f ms", us / 1e3);
    else
        snprintf(out, TEXT_MOST, "%.2f s", us / 1e6);
    return out;
}

static const char *
interval_of_dollars(struct interval interval, char *out)
{
    char low[TEXT_MOST], middle[TEXT_MOST], high[TEXT_MOST];

    if (!interval.known)
        return "unknown";
    snprintf(out, 3 * TEXT_MOST, "%s (%s to %s)", dollars(interval.middle, middle), dollars(interval.low, low),
             dollars(interval.high, high));
    return out;
}

/* What providers kept, whoever asked them to. */
static void
write_prompt_caches(const struct page *page, const struct sums *all)
{
    char a[TEXT_MOST], b[TEXT_MOST], c[TEXT_MOST], d[TEXT_MOST];

    if (all->cache_read_tokens == 0 && all->cache_write_tokens == 0)
        return;
    fact(page, "provider prompt caches", "%s: reads saved %s, writes cost %s more; %s of all input tokens were read",
         money(all->cache_discount - all->cache_surcharge, a), money(all->cache_discount, b),
         money(all->cache_surcharge, c), share(all->cache_read_tokens, all->input_tokens, d));
    fact(page, "", "of that only the lever `prompt_cache` is among the booked savings: what providers keep of their");
    fact(page, "", "own accord, or because clients ask for it, lowers cost and baseline alike");
}

static void
write_money(const struct page *page, const struct report *report)
{
    const struct sums *all = &report->all;
    char a[3 * TEXT_MOST], b[TEXT_MOST];

    fact(page, "requests", "%lld, %lld answered in full", (long long)all->rows, (long long)all->ok);
    fact(page, "cost", "%s", money(all->cost, a));
    fact(page, "baseline", "%s (what it would have cost without Equipoise)", money(all->baseline, a));
    fact(page, "booked savings", "%s, %s of the baseline", money(all->saved, a), share(all->saved, all->baseline, b));
    fact(page, "of the cost", "%s exact, %s estimated", share(all->cost - all->cost_estimated, all->cost, a),
         share(all->cost_estimated, all->cost, b));
    write_prompt_caches(page, all);
    if (all->valued > 0)
        fact(page, "margin",
             "%s on the %lld requests whose value is known (feedback, or judged on a route with a worth)",
             money(all->value - all->valued_cost, a), (long long)all->valued);
}

/* "2 and 3 more" */
static void
more(const struct page *page, size_t shown, size_t all, const char *what)
{
    if (all > shown)
        fact(page, "", "and %zu more %s: --json has all", all - shown, what);
}

static void
write_unpriced(const struct page *page, const struct report *report)
{
    size_t shown = report->unpriced_count < SHOWN_MOST ? report->unpriced_count : SHOWN_MOST;

    if (report->all.unpriced == 0)
        return;
    start(page, "1;31");
    fact(page, "UNPRICED",
         "%lld of %lld requests have no known cost and are in no sum of money:", (long long)report->all.unpriced,
         (long long)report->all.rows);
    stop(page);
    for (size_t i = 0; i < shown; i++) {
        const struct report_unpriced *unpriced = &report->unpriced[i];

        fact(page, "", "%lld of model %.*s on backend %.*s", (long long)unpriced->requests,
             SLICE_ARGS(or_dash(unpriced->model)), SLICE_ARGS(or_dash(unpriced->backend)));
    }
    more(page, shown, report->unpriced_count, "models");
    fact(page, "", "give them a price under `prices: override:`; `equipoise explain ID` says why one has none");
}

static void
write_movers(const struct page *page, const struct report *report)
{
    size_t shown = report->mover_count < SHOWN_MOST ? report->mover_count : SHOWN_MOST;
    int64_t length = report->options.until - report->options.since;
    char a[TEXT_MOST], b[TEXT_MOST], c[TEXT_MOST], begin[CLOCK_TEXT_SIZE];

    if (shown == 0)
        return;
    title(page, "Top movers: cost against the same length of time before");
    for (size_t i = 0; i < shown; i++) {
        const struct report_mover *mover = &report->movers[i];
        wide_int change = mover->after - mover->before;

        buffer_printf(page->out, "  %-8s %-28.*s %14s to %-14s %s%s\n", report_by_name(mover->by),
                      SLICE_ARGS(or_dash(mover->label)), money(mover->before, a), money(mover->after, b),
                      change > 0 ? "+" : "", money(change, c));
    }
    more(page, shown, report->mover_count, "movers");
    if (report->first_before < report->options.since - length + length / 50)
        return;
    clock_format_utc(report->first_before, begin);
    buffer_printf(page->out, "  nothing was booked there before %.16s, so that time is the shorter one\n", begin);
}

static void
write_useful(const struct page *page, const struct report *report)
{
    char a[3 * TEXT_MOST];

    if (!report->useful.known) {
        fact(page, "cost per useful output",
             "unknown: no outcome was told or checked yet (POST /v1/feedback, or `validate:`)");
        return;
    }
    fact(page, "cost per useful output", "%s",
         interval_of_dollars(report_cost_per_useful(&report->all, report->useful), a));
    fact(page, "", "all cost / expected useful outputs, %.0f (%.0f to %.0f); %lld outcomes seen; the rest by the",
         report->useful.middle, report->useful.low, report->useful.high, (long long)report->all.judged);
    fact(page, "", "share seen on the same route and source, Wilson 95 %% intervals");
}

static void
write_latency(const struct page *page, const struct sums *sums)
{
    char a[TEXT_MOST], b[TEXT_MOST];

    fact(page, "first token", "p50 %s, p95 %s", duration(histogram_quantile(&sums->first_token_us, 0.5), a),
         duration(histogram_quantile(&sums->first_token_us, 0.95), b));
    fact(page, "whole answer", "p50 %s, p95 %s", duration(histogram_quantile(&sums->total_us, 0.5), a),
         duration(histogram_quantile(&sums->total_us, 0.95), b));
}

static const char *
delta_p95(const struct report_lever *lever, char *out)
{
    double with = histogram_quantile(&lever->sums.total_us, 0.95);
    double without = histogram_quantile(&lever->control.total_us, 0.95);
    char text[TEXT_MOST];

    if (lever->shadow)
        return "none";
    if (with < 0 || without < 0)
        return "unknown";
    if (fabs(with - without) < 1e3)
        return duration(0, out);
    snprintf(out, TEXT_MOST, "%s%s", with < without ? "-" : "+", duration(fabs(with - without), text));
    return out;
}

static const char *
delta_quality(const struct report_lever *lever, char *out)
{
    struct interval with = estimate_share((double)lever->sums.useful_ppm / 1e6, (double)lever->sums.judged);
    struct interval without = estimate_share((double)lever->control.useful_ppm / 1e6, (double)lever->control.judged);
    struct interval difference = estimate_difference(with, without);

    if (lever->shadow)
        return "none";
    if (!difference.known)
        return "unknown";
    snprintf(out, TEXT_MOST, "%+.1f%% (%+.1f to %+.1f)", 100 * difference.middle, 100 * difference.low,
             100 * difference.high);
    return out;
}

/* What the lines add up to, held against what the rows say: cost that has no baseline has no lines either. */
static void
write_levers_sum(const struct page *page, const struct report *report)
{
    const struct sums *all = &report->all;
    wide_int sum = 0, difference = all->baseline - (all->cost - all->cost_without_baseline);
    char a[AMOUNT_TEXT_SIZE], b[AMOUNT_TEXT_SIZE];

    for (size_t i = 0; i < report->lever_count; i++)
        sum += report->levers[i].shadow ? 0 : report->levers[i].sums.saved;
    amount_format(sum, a);
    amount_format(difference, b);
    if (sum == difference)
        buffer_printf(page->out, "  %-16s %-7s %14s             = baseline - cost\n", "in all", "on", money(sum, a));
    else
        buffer_printf(page->out, "  in all           on      $%s, BUT baseline - cost is $%s: please report this\n", a,
                      b);
}

static void
write_levers(const struct page *page, const struct report *report)
{
    char a[TEXT_MOST], b[TEXT_MOST], c[TEXT_MOST], d[TEXT_MOST];

    if (report->lever_count == 0)
        return;
    title(page, "Levers: what each saves, and what it costs");
    buffer_printf(page->out, "  %-16s %-7s %14s %10s %10s  %-24s %s\n", "lever", "mode", "saved", "traffic",
                  "p95 total", "useful", "risk");
    for (size_t i = 0; i < report->lever_count; i++) {
        const struct report_lever *lever = &report->levers[i];

        buffer_printf(page->out, "  %-16.*s %-7s %14s %10s %10s  %-24s %s\n", SLICE_ARGS(lever->lever),
                      lever->shadow ? "shadow" : "on", money(lever->sums.saved, a),
                      share(lever->sums.rows, report->all.rows, b), delta_p95(lever, c), delta_quality(lever, d),
                      report->options.risk(lever->lever));
    }
    write_levers_sum(page, report);
    buffer_add_text(
        page->out,
        "  on: booked. shadow: would have saved; no client got its answer. p95 and useful: against the same\n"
        "  routes' requests that the reference served; not a trial, unlike a holdout.\n");
}

/* No look-up, but a model that is asked first: "cascade", and its evidence, "cascade backend/model". */
static bool
is_asked_first(const struct report_look_ups *one)
{
    return slice_starts(one->lever, "cascade");
}

static void
write_look_up(const struct page *page, const struct report_look_ups *one)
{
    int64_t total = report_look_ups_total(one);
    char a[TEXT_MOST];

    buffer_printf(page->out, "  %-16.*s %-24.*s %10lld %s\n", SLICE_ARGS(one->lever), SLICE_ARGS(or_dash(one->route)),
                  (long long)total, is_asked_first(one) ? "requests" : "look-ups");
    for (unsigned i = 0; i < LOOK_UP_RESULTS; i++) {
        enum look_up_result result = (enum look_up_result)i;

        if (one->count[i] == 0)
            continue;
        buffer_printf(page->out, "  %-16s %10lld %6s  %s", "", (long long)one->count[i], share(one->count[i], total, a),
                      look_up_words(result));
        if (result == LOOK_UP_AUDITED)
            buffer_printf(page->out, ": for %s", money(one->cost[i], a));
        else if (one->saved[i] != 0)
            buffer_printf(page->out, ": %s", money(one->saved[i], a));
        buffer_add_byte(page->out, '\n');
    }
}

static void
write_look_ups(const struct page *page, const struct report *report, const char *words, bool asked_first)
{
    bool titled = false;

    for (size_t i = 0; i < report->look_ups_count; i++) {
        if (is_asked_first(&report->look_ups[i]) != asked_first)
            continue;
        if (!titled)
            title(page, words);
        titled = true;
        write_look_up(page, &report->look_ups[i]);
        report_evidence_text(report, &report->look_ups[i], page->out);
    }
}

static void
write_choices(const struct page *page, const struct report *report)
{
    if (report->choice_count == 0)
        return;
    title(page, "Model choice: what audits let other models serve");
    report_choice_text(report, page->out);
}

static void
write_routes(const struct page *page, const struct report *report)
{
    if (report_routes_any(report)) {
        title(page, "Routes: what is promised, who serves, what it saves");
        report_routes_text(report, page->out);
    }
    if (report_models_any(report)) {
        title(page, "Models: what a useful output of each costs");
        report_models_text(report, page->out);
    }
}

static void
write_labels(const struct report *report, const struct slice *labels, struct buffer *out)
{
    for (size_t k = 0; k < report->options.by_count; k++) {
        buffer_printf(out, "  %-20.*s", SLICE_ARGS(or_dash(labels[k])));
    }
}

static void
write_lines(const struct page *page, const struct report *report)
{
    struct slice names[REPORT_BY_MOST];
    char a[TEXT_MOST], b[TEXT_MOST], c[TEXT_MOST], d[TEXT_MOST];

    if (report->options.by_count == 0)
        return;
    for (size_t k = 0; k < report->options.by_count; k++)
        names[k] = report->options.by[k] == REPORT_BY_TAG && report->options.tag.len != 0
                       ? report->options.tag
                       : slice_of(report_by_name(report->options.by[k]));
    buffer_add_byte(page->out, '\n');
    start(page, "1");
    write_labels(report, names, page->out);
    buffer_printf(page->out, "%10s %14s %14s %14s %14s %10s\n", "requests", "cost", "baseline", "saved", "per useful",
                  "p95 total");
    stop(page);
    for (size_t i = 0; i < report->line_count; i++) {
        const struct report_line *line = &report->lines[i];
        struct interval each = report_cost_per_useful(&line->sums, line->useful);
        char e[TEXT_MOST];

        write_labels(report, line->label, page->out);
        buffer_printf(
            page->out, "%10lld %14s %14s %14s %14s %10s%s\n", (long long)line->sums.rows, money(line->sums.cost, a),
            money(line->sums.baseline, b), money(line->sums.saved, c), each.known ? dollars(each.middle, e) : "unknown",
            duration(histogram_quantile(&line->sums.total_us, 0.95), d), line->sums.unpriced > 0 ? "  + unpriced" : "");
    }
}

/* Lines by tag do not add up to the whole. */
static void
write_tag_note(const struct page *page, const struct report *report)
{
    struct sums tagged = {0};
    struct slice tag = report->options.tag;
    bool by_tag = false;
    char a[TEXT_MOST];

    for (size_t k = 0; k < report->options.by_count; k++)
        by_tag = by_tag || report->options.by[k] == REPORT_BY_TAG;
    if (!by_tag)
        return;
    for (size_t i = 0; i < report->line_count; i++)
        sums_add(&tagged, &report->lines[i].sums);
    if (tag.len != 0)
        buffer_printf(page->out, "  %lld requests for %s carry no tag %.*s\n",
                      (long long)(report->all.rows - tagged.rows), money(report->all.cost - tagged.cost, a),
                      SLICE_ARGS(tag));
    else
        buffer_add_text(page->out, "  a request counts once for each of its tags, one without tags not at all: the "
                                   "lines do not add up.\n  --by tag:NAME takes one tag and tells what is without "
                                   "it.\n");
}

static void
write_weeks(const struct page *page, const struct report *report)
{
    double more_useful = report->week_useful.middle - report->week_before_useful.middle;
    wide_int more_cost = report->week.cost - report->week_before.cost;
    char a[3 * TEXT_MOST];

    if (report->week_before.rows == 0)
        return;
    if (!report->week_useful.known || !report->week_before_useful.known)
        fact(page, "per extra useful output", "unknown: no outcomes in both weeks");
    else if (more_useful < 1)
        fact(page, "per extra useful output", "none: not more useful outputs than in the week before (%s more spent)",
             money(more_cost, a));
    else
        fact(page, "per extra useful output", "%s, this week against the one before",
             dollars((double)more_cost / 1e12 / more_useful, a));
}

static void
write_holdout(const struct page *page, const struct report *report)
{
    struct interval saving = report_cost_difference(&report->treated, &report->holdout);
    double error = (saving.high - saving.low) / 2;
    char a[TEXT_MOST], b[TEXT_MOST], c[TEXT_MOST];

    if (!saving.known)
        return;
    fact(page, "holdout", "measured saving per request %s, +- %s (95 %%); %lld requests bypassed all levers",
         dollars(saving.middle, a), dollars(error, b), (long long)report->holdout.rows);
    fact(page, "", "the smallest saving this could have seen is about %s a request", dollars(error * 2.8 / 1.96, c));
}

static void
write_head(const struct page *page, const struct report *report)
{
    char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
    int64_t from =
        report->options.since > report->first || report->first == INT64_MAX ? report->options.since : report->first;

    clock_format_utc(from, since);
    clock_format_utc(report->options.until, until);
    start(page, "1");
    buffer_printf(page->out, "Report %.16s to %.16s UTC\n", since, until);
    stop(page);
    if (report->modelled.rows == 0)
        return;
    start(page, "33");
    if (report->modelled.rows == report->all.rows)
        buffer_add_text(page->out,
                        "  modelled: all answers came from modelled backends; no figure here is a real bill\n");
    else
        buffer_printf(page->out, "  modelled: %lld of %lld requests were answered by modelled backends\n",
                      (long long)report->modelled.rows, (long long)report->all.rows);
    stop(page);
}

/* What the month will have cost, and of what. */
static void
write_month(const struct page *page, const struct report *report)
{
    char month[3 * TEXT_MOST], budget[TEXT_MOST], against[2 * TEXT_MOST] = "";

    if (report->options.month_budget > 0)
        snprintf(against, sizeof(against), ", of a budget of %s a month", money(report->options.month_budget, budget));
    fact(page, "month's end", "%s%s",
         report->month.known ? interval_of_dollars(report->month, month) : "unknown: fewer than three whole days yet",
         against);
}

void
report_write_text(const struct report *report, bool colour, struct buffer *out)
{
    struct page page = {out, colour};

    write_head(&page, report);
    if (report->all.rows == 0) {
        buffer_add_text(out, "  no requests in this time\n");
        return;
    }
    write_money(&page, report);
    write_unpriced(&page, report);
    write_useful(&page, report);
    write_latency(&page, &report->all);
    write_weeks(&page, report);
    write_month(&page, report);
    write_holdout(&page, report);
    write_levers(&page, report);
    if (report->pool_count > 0) {
        title(&page, "Engines paid by the hour");
        report_pools_text(report, out);
    }
    write_look_ups(&page, report, "Stored answers: what became of looking for them", false);
    write_look_ups(&page, report, "Cheaper models asked first: what became of it", true);
    write_choices(&page, report);
    write_routes(&page, report);
    write_movers(&page, report);
    write_lines(&page, report);
    write_tag_note(&page, report);
}
