#include "money/report/report_choice.h"

#include <stdlib.h>

#include "money/amount.h"
#include "money/report/report_look_ups.h"

/* "backend/model"; of judges, which have no evidence, "". */
static struct report_choice *
line_of(struct text_table *table, struct arena *arena, struct slice route, struct slice model)
{
    struct report_choice *line;
    struct buffer key = {0};

    text_key_add(&key, route);
    text_key_add(&key, model);
    line = text_table_get(table, arena, buffer_content(&key), sizeof(*line));
    line->route = route;
    line->model = model;
    buffer_free(&key);
    return line;
}

static struct slice
model_of(struct arena *arena, const struct group *group)
{
    return slice_of(arena_printf(arena, "%.*s/%.*s", SLICE_ARGS(group->of[DIMENSION_backend]),
                                 SLICE_ARGS(group->of[DIMENSION_model])));
}

void
report_choice_add(struct text_table *table, struct arena *arena, const struct group *group, int64_t start,
                  const struct sums *sums)
{
    struct slice route = group->of[DIMENSION_route], source = group->of[DIMENSION_source];
    struct report_choice *line;

    if (slice_is(source, "judge")) {
        line = line_of(table, arena, route, SLICE_NONE);
        line->judged += sums->own_calls;
        line->judge_cost += sums->cost;
    } else if (slice_is(source, "audit")) {
        line = line_of(table, arena, route, model_of(arena, group));
        if (line->audits == 0 || start < line->first_audit)
            line->first_audit = start;
        line->audits += sums->own_calls;
        line->audit_cost += sums->cost;
    } else if (slice_is(source, "model")) {
        line = line_of(table, arena, route, model_of(arena, group));
        line->served += sums->rows;
        line->saved += sums->baseline - (sums->cost - sums->cost_without_baseline);
    }
    line = line_of(table, arena, route, SLICE_NONE);
    line->requests += sums->rows;
}

static struct report_choice
find(const struct text_table *table, struct slice route, struct slice model)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct report_choice *line = table->all[i];

        if (slice_equal(line->route, route) && slice_equal(line->model, model))
            return *line;
    }
    return (struct report_choice){.route = route, .model = model};
}

static int
by_route_model_and_part(const void *a, const void *b)
{
    const struct report_choice *left = a, *right = b;
    int order = slice_order(left->route, right->route);

    order = order != 0 ? order : slice_order(left->model, right->model);
    return order != 0 ? order : slice_order(left->evidence->part, right->evidence->part);
}

void
report_choice_finish(const struct text_table *table, struct report *report)
{
    const struct report_options *options = &report->options;

    report->choices = arena_alloc(&report->arena, (options->evidence_count + 1) * sizeof(struct report_choice));
    for (size_t i = 0; i < options->evidence_count; i++) {
        const struct report_evidence *evidence = &options->evidence[i];
        struct report_choice *line = &report->choices[report->choice_count], all;

        if (!slice_starts(evidence->lever, REPORT_ROUTER))
            continue;
        report->choice_count++;
        *line = find(table, evidence->route, evidence->model);
        all = find(table, evidence->route, SLICE_NONE);
        line->requests = all.requests;
        line->judged = all.judged;
        line->judge_cost = all.judge_cost;
        line->evidence = evidence;
    }
    qsort(report->choices, report->choice_count, sizeof(struct report_choice), by_route_model_and_part);
}

/* For a person */

static double
percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static void
write_labels(const struct report_choice *line, struct buffer *out)
{
    const struct report_evidence *evidence = line->evidence;

    if (evidence->labels == 0 && line->audits > 0 && evidence->part.len == 0) {
        buffer_add_text(out, "; none of its audits counts for it now: those of the hour that taught its view do not");
        return;
    }
    buffer_printf(out, "; audits: %llu, %.2f%% %sacceptable, at least %.2f%%", (unsigned long long)evidence->labels,
                  evidence->mean_ppm / 1e4, evidence->of_route ? "of the route " : "", evidence->lower_ppm / 1e4);
    if (evidence->of_route)
        buffer_printf(out, " (%.2f%% of its own)", evidence->own_mean_ppm / 1e4);
}

/* The beginning of a line about evidence. */
static void
put_part(const struct report_evidence *evidence, struct buffer *out)
{
    buffer_printf(out, "  %-16s ", "");
    if (evidence->part.len > 0)
        buffer_printf(out, "%.*s: ", SLICE_ARGS(evidence->part));
}

/* What it served is of all its slices, and told once. */
static bool
is_same_model(const struct report_choice *a, const struct report_choice *b)
{
    return slice_equal(a->route, b->route) && slice_equal(a->model, b->model);
}

/* Of the audits of this model in all its slices, which its rows do not tell apart, how many count for what is next there. */
static double
share_of_audits(const struct report *report, const struct report_choice *line)
{
    uint64_t audits = 0;

    for (size_t i = 0; i < report->choice_count; i++)
        if (is_same_model(&report->choices[i], line))
            audits += report->choices[i].evidence->audits;
    return audits > 0 ? (double)line->evidence->labels / (double)audits : 0;
}

/* What an audit of it costs, its judge's calls as of the mean of the route's. */
static double
cost_of_audit(const struct report *report, const struct report_choice *line)
{
    int64_t audits = 0;

    for (size_t i = 0; i < report->choice_count; i++)
        if (slice_equal(report->choices[i].route, line->route) &&
            (i == 0 || !is_same_model(&report->choices[i], &report->choices[i - 1])))
            audits += report->choices[i].audits;
    return (double)line->audit_cost / (double)line->audits + (double)line->judge_cost / (double)audits;
}

struct pace {
    double days;
    wide_int cost;
};

/* How long the missing labels take, and what they cost, as audits came since the first in the report's time. False: none is
 * missing, all that came would not do, none came, or something was earned already: then these labels are not those. */
static bool
pace_of(const struct report *report, const struct report_choice *line, struct pace *out)
{
    double days = report_days(report, line->first_audit), share = share_of_audits(report, line), audits;

    if (line->evidence->missing == 0 || line->evidence->missing == REPORT_NEVER)
        return false;
    if (line->evidence->serves || line->evidence->suspensions > 0)
        return false; /* the labels are of another arm than what is missing, or of less time than the audits */
    if (line->audits == 0 || share <= 0 || days <= 0)
        return false;
    audits = (double)line->evidence->missing / share;
    out->days = audits / (double)line->audits * days;
    out->cost = (wide_int)(audits * cost_of_audit(report, line));
    return true;
}

static void
write_missing(const struct report *report, const struct report_choice *line, struct buffer *out)
{
    struct pace pace;
    char cost[AMOUNT_TEXT_SIZE];

    if (line->evidence->missing == 0 || line->evidence->missing == REPORT_NEVER)
        return;
    buffer_printf(out, "; %llu more if all to come are", (unsigned long long)line->evidence->missing);
    if (!pace_of(report, line, &pace))
        return;
    amount_format_people(pace.cost, cost);
    buffer_printf(out, ": some %.3g days and %s at this pace", pace.days, cost);
}

static void
write_standing(const struct report *report, const struct report_choice *line, struct buffer *out)
{
    const struct report_evidence *evidence = line->evidence;

    put_part(evidence, out);
    buffer_add_text(out, evidence->words);
    if (evidence->serves)
        buffer_printf(out, " from a score of %.3f on", evidence->threshold);
    write_labels(line, out);
    write_missing(report, line, out);
    buffer_printf(out, "; %u suspensions", evidence->suspensions);
    if (evidence->failures > 0)
        buffer_printf(out, "; %llu could not be judged", (unsigned long long)evidence->failures);
    buffer_add_byte(out, '\n');
}

static void
write_line(const struct report_choice *line, struct buffer *out)
{
    char saved[AMOUNT_TEXT_SIZE], paid[AMOUNT_TEXT_SIZE];

    amount_format_people(line->saved, saved);
    amount_format_people(line->audit_cost, paid);
    buffer_printf(out, "  %-16.*s %.*s: served %lld of %lld requests (%.1f%%), saved %s; %lld audits for %s\n",
                  SLICE_ARGS(line->route), SLICE_ARGS(line->model), (long long)line->served, (long long)line->requests,
                  percent(line->served, line->requests), saved, (long long)line->audits, paid);
}

static void
write_evidence(const struct report *report, const struct report_choice *line, struct buffer *out)
{
    if (line->evidence->floor_ppm > 0) {
        write_standing(report, line, out);
        return;
    }
    put_part(line->evidence, out);
    buffer_printf(out, "%s\n", line->evidence->words);
}

/* Once for a route, behind its last model. */
static void
write_route(const struct report_choice *line, struct buffer *out)
{
    char paid[AMOUNT_TEXT_SIZE];

    amount_format_people(line->judge_cost, paid);
    buffer_printf(out, "  %-16s floor %.4g%% %s, as the route's judge sees it; judges: %lld calls for %s\n", "",
                  line->evidence->floor_ppm / 1e4, line->evidence->of, (long long)line->judged, paid);
}

void
report_choice_text(const struct report *report, struct buffer *out)
{
    for (size_t i = 0; i < report->choice_count; i++) {
        const struct report_choice *line = &report->choices[i];

        if (i == 0 || !is_same_model(line, line - 1))
            write_line(line, out);
        write_evidence(report, line, out);
        if (i + 1 == report->choice_count || !slice_equal(line->route, report->choices[i + 1].route))
            write_route(line, out);
    }
}

static void
put_model(const struct report_choice *line, struct buffer *out)
{
    const struct {
        const char *name;
        wide_int amount;
    } amounts[] = {{"saved_usd", line->saved}, {"audits_usd", line->audit_cost}, {"judges_usd", line->judge_cost}};

    buffer_add_json_member(out, "route", line->route);
    buffer_add_byte(out, ',');
    buffer_add_json_member(out, "model", line->model);
    buffer_printf(out, ",\"requests\":%lld,\"served\":%lld,\"audits\":%lld,\"judges\":%lld", (long long)line->requests,
                  (long long)line->served, (long long)line->audits, (long long)line->judged);
    for (size_t k = 0; k < sizeof(amounts) / sizeof(amounts[0]); k++) {
        char text[AMOUNT_TEXT_SIZE];

        amount_format(amounts[k].amount, text);
        buffer_printf(out, ",\"%s\":\"%s\"", amounts[k].name, text);
    }
}

/* ,"evidence":{...},"to_earn":{"days":..,"usd":".."}; null where that cannot be told. */
static void
put_evidence(const struct report *report, const struct report_choice *line, struct buffer *out)
{
    struct pace pace;
    char cost[AMOUNT_TEXT_SIZE];

    report_evidence_json(line->evidence, out);
    if (!pace_of(report, line, &pace)) {
        buffer_add_text(out, ",\"to_earn\":null");
        return;
    }
    amount_format(pace.cost, cost);
    buffer_printf(out, ",\"to_earn\":{\"days\":%.6g,\"usd\":\"%s\"}", pace.days, cost);
}

/* Where evidence is of slices: "slices":[{"slice":"tenant=acme","evidence":{...}},...]; they follow each other. Returns how many. */
static size_t
put_parts(const struct report *report, size_t from, struct buffer *out)
{
    size_t i = from;

    buffer_add_text(out, ",\"slices\":[");
    for (; i < report->choice_count && is_same_model(&report->choices[i], &report->choices[from]); i++) {
        buffer_add_text(out, i == from ? "{" : ",{");
        buffer_add_json_member(out, "slice", report->choices[i].evidence->part);
        put_evidence(report, &report->choices[i], out);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
    return i - from;
}

void
report_choice_json(const struct report *report, struct buffer *out)
{
    buffer_add_text(out, ",\n \"choices\":[");
    for (size_t i = 0; i < report->choice_count;) {
        const struct report_choice *line = &report->choices[i];

        buffer_add_text(out, i == 0 ? "\n  {" : ",\n  {");
        put_model(line, out);
        if (line->evidence->part.len > 0) {
            report_evidence_json(NULL, out);
            buffer_add_text(out, ",\"to_earn\":null");
            i += put_parts(report, i, out);
        } else {
            put_evidence(report, line, out);
            i++;
        }
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}
