#include "money/report/report_routes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "money/amount.h"
#include "money/report/report_choice.h"
#include "money/report/report_look_ups.h"

enum { TEXT_MOST = 64 };

struct report_route *
report_routes_line(struct text_table *table, struct arena *arena, const struct group *group)
{
    struct report_route *route = text_table_get(table, arena, group->of[DIMENSION_route], sizeof(*route));

    route->route = group->of[DIMENSION_route];
    return route;
}

static bool
is_own(const struct group *group)
{
    struct slice source = group->of[DIMENSION_source];

    return slice_is(source, "audit") || slice_is(source, "judge") || slice_is(source, "verifier") ||
           slice_is(source, "sample");
}

struct report_model *
report_routes_model(struct text_table *table, struct arena *arena, const struct group *group)
{
    struct slice backend = group->of[DIMENSION_backend], name = group->of[DIMENSION_source];
    struct report_model *model;
    struct buffer key = {0};

    if (is_own(group))
        return NULL;
    if (backend.len > 0)
        name = slice_of(arena_printf(arena, "%.*s/%.*s", SLICE_ARGS(backend), SLICE_ARGS(group->of[DIMENSION_model])));
    text_key_add(&key, group->of[DIMENSION_route]);
    text_key_add(&key, name);
    model = text_table_get(table, arena, buffer_content(&key), sizeof(*model));
    model->route = group->of[DIMENSION_route];
    model->model = name;
    buffer_free(&key);
    return model;
}

struct sums *
report_routes_add(struct report_route *route, const struct group *group, const struct sums *sums)
{
    struct sums *side = group->of[DIMENSION_holdout].len != 0 ? &route->holdout : &route->treated;

    sums_add(&route->all, sums);
    sums_add(side, sums);
    if (is_own(group)) {
        route->audits += sums->own_calls;
        route->audit_cost += sums->cost;
    }
    return side;
}

static int
by_name(const void *a, const void *b)
{
    return slice_order(((const struct report_route *)a)->route, ((const struct report_route *)b)->route);
}

static int
by_route_and_requests(const void *a, const void *b)
{
    const struct report_model *left = a, *right = b;
    int order = slice_order(left->route, right->route);

    if (order == 0)
        order = (left->sums.rows < right->sums.rows) - (left->sums.rows > right->sums.rows);
    return order != 0 ? order : slice_order(left->model, right->model);
}

void
report_routes_finish(const struct text_table *routes, const struct text_table *models, struct report *report)
{
    report->routes = arena_alloc(&report->arena, (routes->count + 1) * sizeof(struct report_route));
    report->models = arena_alloc(&report->arena, (models->count + 1) * sizeof(struct report_model));
    report->route_count = routes->count;
    report->model_count = models->count;
    for (size_t i = 0; i < routes->count; i++)
        report->routes[i] = *(struct report_route *)routes->all[i];
    for (size_t i = 0; i < models->count; i++)
        report->models[i] = *(struct report_model *)models->all[i];
    qsort(report->routes, report->route_count, sizeof(struct report_route), by_name);
    qsort(report->models, report->model_count, sizeof(struct report_model), by_route_and_requests);
}

struct interval
report_saved(const struct sums *sums)
{
    if (sums->saved_rows != sums->rows + sums->own_calls)
        return (struct interval){0};
    return estimate_sum((double)sums->saved / 1e12, (double)sums->saved_square / 1e18, (double)sums->saved_rows);
}

struct interval
report_cost_difference(const struct sums *one, const struct sums *other)
{
    const struct sums *side[2] = {one, other};
    double mean[2], error = 0;

    for (int i = 0; i < 2; i++) {
        double count = (double)(side[i]->rows - (side[i]->unpriced - side[i]->own_unpriced));

        if (count < 2)
            return (struct interval){0};
        mean[i] = (double)side[i]->cost / 1e12 / count;
        error += fmax(0, (double)side[i]->cost_square / 1e18 / count - mean[i] * mean[i]) / (count - 1);
    }
    error = 1.959964 * sqrt(error);
    return (struct interval){true, mean[1] - mean[0] - error, mean[1] - mean[0], mean[1] - mean[0] + error};
}

/* For a person */

static const char *
money(wide_int amount, char *out)
{
    amount_format_people(amount, out);
    return out;
}

static const char *
dollars(double amount, char *out)
{
    return money((wide_int)(amount * 1e12), out);
}

static const char *
span_of_dollars(struct interval interval, char *out)
{
    char low[TEXT_MOST], high[TEXT_MOST];

    if (!interval.known)
        return "interval unknown";
    snprintf(out, 3 * TEXT_MOST, "%s to %s", dollars(interval.low, low), dollars(interval.high, high));
    return out;
}

static double
percent(wide_int part, wide_int whole)
{
    return whole > 0 ? 100 * (double)part / (double)whole : 0;
}

/* Who was refused before anything was chosen was served by none. */
static struct slice
served_by(const struct report_model *model)
{
    return model->model.len > 0 ? model->model : SLICE_LITERAL("nobody");
}

static bool
is_of(const struct report_route *route, const struct report_evidence *evidence)
{
    return slice_equal(route->route, evidence->route);
}

static bool
is_judges(const struct report_evidence *evidence)
{
    return slice_is(evidence->lever, REPORT_JUDGE);
}

static void
write_served(const struct report *report, const struct report_route *route, struct buffer *out)
{
    bool first = true;

    buffer_printf(out, "  %-16s served by ", "");
    for (size_t i = 0; i < report->model_count; i++) {
        const struct report_model *model = &report->models[i];

        if (!slice_equal(model->route, route->route) || model->sums.rows == 0)
            continue;
        buffer_printf(out, "%s%.*s %.1f%%", first ? "" : ", ", SLICE_ARGS(served_by(model)),
                      percent(model->sums.rows, route->all.rows));
        first = false;
    }
    buffer_add_text(out, first ? "nobody\n" : "\n");
}

static void
write_evidence(const struct report_evidence *evidence, struct buffer *out)
{
    buffer_printf(out, "  %-16s %.*s: %s", "", SLICE_ARGS(evidence->lever), evidence->words);
    if (evidence->floor_ppm == 0) {
        buffer_add_byte(out, '\n');
        return;
    }
    if (evidence->arm > 0)
        buffer_printf(out, " by arm %u of %u", evidence->arm, evidence->arms);
    buffer_printf(out, "; floor %.4g%% %s, lower bound now %.2f%%; %u suspensions\n", evidence->floor_ppm / 1e4,
                  evidence->of, evidence->lower_ppm / 1e4, evidence->suspensions);
    if (evidence->noticed_after > 0)
        buffer_printf(
            out, "  %-16s   were it to fall to %.4g%%, some %.0f requests would be served before that is noticed\n", "",
            evidence->fall_to_ppm / 1e4, evidence->noticed_after);
    if (evidence->judged_floor_ppm != evidence->floor_ppm)
        buffer_printf(out, "  %-16s   with the mistakes of its judge, which has to accept %.2f%% for that\n", "",
                      evidence->judged_floor_ppm / 1e4);
}

/* More than the judge accepts of the reference's own other answers it will accept of nobody. */
static void
write_ceiling(const struct report_evidence *evidence, struct buffer *out)
{
    if (evidence->floor_ppm == 0 || evidence->labels == 0)
        return;
    buffer_printf(
        out, "  %-16s its judge accepts %.1f%% of %llu second answers of the reference itself (%.1f to %.1f%%)%s\n", "",
        evidence->mean_ppm / 1e4, (unsigned long long)evidence->labels, evidence->lower_ppm / 1e4,
        evidence->upper_ppm / 1e4,
        evidence->upper_ppm <= evidence->floor_ppm ? ": the floor cannot be reached with this judge" : "");
}

static void
write_holdout(const struct report_route *route, struct buffer *out)
{
    struct interval saves = report_cost_difference(&route->treated, &route->holdout);
    struct interval useful =
        estimate_difference(estimate_share((double)route->treated.useful_ppm / 1e6, (double)route->treated.judged),
                            estimate_share((double)route->holdout.useful_ppm / 1e6, (double)route->holdout.judged));
    char saved[TEXT_MOST], span[3 * TEXT_MOST];

    if (route->holdout.rows == 0)
        return;
    buffer_printf(out, "  %-16s holdout, %lld request%s: ", "", (long long)route->holdout.rows,
                  route->holdout.rows == 1 ? "" : "s");
    if (saves.known)
        buffer_printf(out, "the others cost %s less each (%s)", dollars(saves.middle, saved),
                      span_of_dollars(saves, span));
    else
        buffer_add_text(out, "too few to compare costs");
    if (useful.known)
        buffer_printf(out, "; useful %+.1f%% (%+.1f to %+.1f)\n", 100 * useful.middle, 100 * useful.low,
                      100 * useful.high);
    else
        buffer_add_text(out, "; useful: not told on both sides\n");
}

static bool
is_shown(const struct report *report, const struct report_route *route)
{
    if (route->holdout.rows > 0)
        return true;
    for (size_t i = 0; i < report->options.evidence_count; i++)
        if (is_of(route, &report->options.evidence[i]))
            return true;
    return false;
}

static void
write_route(const struct report *report, const struct report_route *route, struct buffer *out)
{
    char saved[TEXT_MOST], span[3 * TEXT_MOST], audits[TEXT_MOST];

    buffer_printf(out,
                  "  %-16.*s %lld requests; saved %s (%s), after %s for %lld calls of our own (audits, judges, "
                  "verifiers, samples)\n",
                  SLICE_ARGS(route->route), (long long)route->all.rows, money(route->all.saved, saved),
                  span_of_dollars(report_saved(&route->all), span), money(route->audit_cost, audits),
                  (long long)route->audits);
    write_served(report, route, out);
    for (size_t i = 0; i < report->options.evidence_count; i++) {
        const struct report_evidence *evidence = &report->options.evidence[i];

        if (is_of(route, evidence))
            (is_judges(evidence) ? write_ceiling : write_evidence)(evidence, out);
    }
    write_holdout(route, out);
}

bool
report_routes_any(const struct report *report)
{
    for (size_t i = 0; i < report->route_count; i++)
        if (is_shown(report, &report->routes[i]))
            return true;
    return false;
}

void
report_routes_text(const struct report *report, struct buffer *out)
{
    for (size_t i = 0; i < report->route_count; i++)
        if (is_shown(report, &report->routes[i]))
            write_route(report, &report->routes[i], out);
    buffer_add_text(out, "  saved: booked, with a 95 % interval as requests vary; holdout: measured, by lot\n");
}

bool
report_models_any(const struct report *report)
{
    for (size_t i = 0; i < report->model_count; i++)
        if (report->models[i].sums.judged > 0)
            return true;
    return false;
}

void
report_models_text(const struct report *report, struct buffer *out)
{
    for (size_t i = 0; i < report->model_count; i++) {
        const struct report_model *model = &report->models[i];
        struct interval share = estimate_share((double)model->sums.useful_ppm / 1e6, (double)model->sums.judged);
        struct interval each = report_cost_per_useful(&model->sums, model->useful);
        char cost[TEXT_MOST], useful[TEXT_MOST], span[3 * TEXT_MOST];

        if (model->sums.judged == 0)
            continue;
        buffer_printf(out, "  %-16.*s %-32.*s %8lld for %s; useful %.1f%% of %lld judged (%.1f to %.1f)",
                      SLICE_ARGS(model->route), SLICE_ARGS(model->model), (long long)model->sums.rows,
                      money(model->sums.cost, cost), 100 * share.middle, (long long)model->sums.judged, 100 * share.low,
                      100 * share.high);
        if (each.known)
            buffer_printf(out, "; %s each (%s)\n", dollars(each.middle, useful), span_of_dollars(each, span));
        else
            buffer_add_text(out, "; none useful\n");
    }
}

/* As JSON */

static void
add_interval(struct buffer *out, const char *name, struct interval interval)
{
    buffer_add_byte(out, ',');
    interval_add_json(out, name, interval);
}

static void
add_amount(struct buffer *out, const char *name, wide_int amount)
{
    buffer_add_byte(out, ',');
    amount_add_json(out, name, amount);
}

static void
add_evidence_json(const struct report *report, const struct report_route *route, struct buffer *out)
{
    bool first = true;

    buffer_add_text(out, ",\"evidence\":[");
    for (size_t i = 0; i < report->options.evidence_count; i++) {
        const struct report_evidence *evidence = &report->options.evidence[i];

        if (!is_of(route, evidence))
            continue;
        buffer_add_text(out, first ? "{" : ",{");
        buffer_add_json_member(out, "lever", evidence->lever);
        buffer_printf(out, ",\"of\":\"%s\",\"arm\":%u,\"arms\":%u,\"judged_floor\":%.6f,\"upper_bound\":%.6f",
                      evidence->of, evidence->arm, evidence->arms, evidence->judged_floor_ppm / 1e6,
                      evidence->upper_ppm / 1e6);
        if (evidence->noticed_after > 0)
            buffer_printf(out, ",\"fall_to\":%.6f,\"noticed_after_requests\":%.0f", evidence->fall_to_ppm / 1e6,
                          evidence->noticed_after);
        report_evidence_json(evidence, out);
        buffer_add_byte(out, '}');
        first = false;
    }
    buffer_add_byte(out, ']');
}

static void
add_side(struct buffer *out, const char *name, const struct sums *sums, struct interval useful)
{
    buffer_printf(out, ",\"%s\":{\"requests\":%lld,\"judged\":%lld", name, (long long)sums->rows,
                  (long long)sums->judged);
    add_amount(out, "cost_usd", sums->cost);
    add_interval(out, "useful_share", estimate_share((double)sums->useful_ppm / 1e6, (double)sums->judged));
    add_interval(out, "cost_per_useful_usd", report_cost_per_useful(sums, useful));
    buffer_add_byte(out, '}');
}

static void
add_route_json(const struct report *report, const struct report_route *route, struct buffer *out)
{
    buffer_add_byte(out, '{');
    buffer_add_json_member(out, "route", route->route);
    buffer_printf(out, ",\"requests\":%lld,\"own_calls\":%lld", (long long)route->all.rows, (long long)route->audits);
    add_amount(out, "audits_paid_usd", route->audit_cost);
    add_amount(out, "saved_usd", route->all.saved);
    add_interval(out, "saved_interval_usd", report_saved(&route->all));
    add_side(out, "treated", &route->treated, route->useful_treated);
    add_side(out, "holdout", &route->holdout, route->useful_holdout);
    add_interval(out, "holdout_saves_usd", report_cost_difference(&route->treated, &route->holdout));
    add_interval(
        out, "holdout_useful_difference",
        estimate_difference(estimate_share((double)route->treated.useful_ppm / 1e6, (double)route->treated.judged),
                            estimate_share((double)route->holdout.useful_ppm / 1e6, (double)route->holdout.judged)));
    add_evidence_json(report, route, out);
    buffer_add_byte(out, '}');
}

void
report_routes_json(const struct report *report, struct buffer *out)
{
    buffer_add_text(out, ",\n \"routes\":[");
    for (size_t i = 0; i < report->route_count; i++) {
        buffer_add_text(out, i == 0 ? "\n  " : ",\n  ");
        add_route_json(report, &report->routes[i], out);
    }
    buffer_add_text(out, "],\n \"models\":[");
    for (size_t i = 0; i < report->model_count; i++) {
        const struct report_model *model = &report->models[i];

        buffer_add_text(out, i == 0 ? "\n  {" : ",\n  {");
        buffer_add_json_member(out, "route", model->route);
        buffer_add_byte(out, ',');
        buffer_add_json_member(out, "model", model->model);
        buffer_printf(out, ",\"requests\":%lld,\"judged\":%lld", (long long)model->sums.rows,
                      (long long)model->sums.judged);
        add_amount(out, "cost_usd", model->sums.cost);
        add_interval(out, "useful_share",
                     estimate_share((double)model->sums.useful_ppm / 1e6, (double)model->sums.judged));
        add_interval(out, "cost_per_useful_usd", report_cost_per_useful(&model->sums, model->useful));
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}
