#include "cmd/eval/eval_router_report.h"

#include <math.h>

static const char *const scope_names[ROUTER_SCOPES] = {"served", "route", "relative"};
static const char *const traffic_names[ROUTER_TRAFFICS] = {"drawn", "once", "passes"};

static double
over(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void
add_percent(struct buffer *out, double share)
{
    if (isnan(share))
        buffer_printf(out, "%10s", "-");
    else
        buffer_printf(out, "%8.2f %%", 100 * share);
}

static void
add_head(const struct router_result *result, struct buffer *out)
{
    const struct labelled *labelled = result->labelled;

    buffer_printf(out, "%zu requests of %s, ", result->fitted.count, result->name);
    if (result->fit->folds >= 2)
        buffer_printf(out, "each scored by a router taught the other %u of %u folds", result->fit->folds - 1,
                      result->fit->folds);
    else if (result->fit->taught > 0)
        buffer_printf(out, "scored by a router taught %zu others", result->fit->taught);
    else
        buffer_add_text(out, "each scored before it was learned from, by a view as of when half as many were");
    buffer_printf(out, "; seed %llu.\n%s\n\n", (unsigned long long)result->fit->seed,
                  result->fit->tags ? "The router is told each request's task, as a tag that traffic carries."
                                    : "The router is not told what task a request is of.");
    buffer_printf(out, "%-32s%12s%12s\n", "model", "its score", "price");
    for (unsigned model = 0; model < labelled->model_count; model++) {
        buffer_printf(out, "%-32s%12.4f", labelled->models[model], result->model_accuracy[model]);
        if (isnan(labelled->prices[model]))
            buffer_printf(out, "%12s\n", "-");
        else
            buffer_printf(out, "%12.4g\n", labelled->prices[model]);
    }
    buffer_printf(out, "\nSquared error of what is expected of a score: %.4f; of the mean alone: %.4f.\n",
                  result->brier, result->base_brier);
    if (result->decision_us > 0)
        buffer_printf(out, "A decision takes %.1f us of processor time: features, vector, scores of all models.\n",
                      result->decision_us);
}

static void
add_curve(const struct router_result *result, struct buffer *out)
{
    const struct router_curve *curve = &result->curve;

    buffer_printf(out, "\n%s against %s\n", result->labelled->models[result->fit->weak],
                  result->labelled->models[result->fit->strong]);
    if (isnan(curve->apgr)) {
        buffer_add_text(out, "The strong model is not better than the weak one: there is no gap to recover.\n");
    } else {
        buffer_printf(out, "APGR %.4f (chance: .5), CPT50 ", curve->apgr);
        buffer_printf(out, "%.2f %%, CPT80 %.2f %%\n", 100 * curve->cpt50, 100 * curve->cpt80);
    }
    buffer_printf(out, "%12s%12s%12s\n", "to strong", "accuracy", "cost");
    for (unsigned i = 0; i < CURVE_POINTS; i++) {
        const struct curve_point *point = &curve->points[i];

        buffer_printf(out, "%10.1f %%%12.4f", 100 * point->strong_share, point->accuracy);
        if (isnan(point->cost))
            buffer_printf(out, "%12s\n", "-");
        else
            buffer_printf(out, "%12.4g\n", point->cost);
    }
}

static void
add_traffic(const struct router_result *result, const struct router_guarantee *guarantee, enum router_traffic traffic,
            struct buffer *out)
{
    const struct guarantee_summary *sum = &guarantee->of[traffic];

    buffer_printf(out, "%-9s%5.0f %%  %-7s", scope_names[guarantee->scope], guarantee->floor_ppm / 1e4,
                  traffic_names[traffic]);
    buffer_printf(out, "%8u%9u%9u", sum->violated, sum->serving, sum->below);
    add_percent(out, sum->best);
    add_percent(out, sum->later_share);
    buffer_printf(out, "%8.2f", over(sum->later_share, sum->best));
    add_percent(out, sum->share > 0 ? sum->quality : NAN);
    add_percent(out, sum->audits);
    add_percent(out, result->priced ? sum->saved : NAN);
    buffer_add_byte(out, '\n');
}

static void
add_online(const struct router_guarantee *guarantee, struct buffer *out)
{
    const struct guarantee_outcome *one = &guarantee->online;
    double later = over((double)one->later_served, (double)one->later_requests);

    buffer_printf(out, "%-9s%5.0f %%  %-7s", scope_names[guarantee->scope], guarantee->floor_ppm / 1e4, "online");
    buffer_printf(out, "%8u%9u%9u", one->violated, one->verdict.serving.arm != ARM_NONE,
                  one->verdict.reason == EVIDENCE_BELOW_FLOOR);
    add_percent(out, guarantee->of[TRAFFIC_ONCE].best);
    add_percent(out, later);
    buffer_printf(out, "%8.2f", over(later, guarantee->of[TRAFFIC_ONCE].best));
    add_percent(out, one->served > 0 ? one->served_good / (double)one->served : NAN);
    add_percent(out, over((double)one->audits, (double)one->requests));
    add_percent(out, NAN);
    buffer_add_byte(out, '\n');
}

static void
add_guarantees(const struct router_result *result, struct buffer *out)
{
    bool online = result->fit->folds < 2 && result->fit->taught == 0;

    buffer_printf(
        out,
        "\nWhat evidence would have served, at %g %% confidence, in %u streams: \"drawn\" %ux as many requests, "
        "drawn from the set;\n\"once\" all in random order; \"passes\" %u times that. Medians over streams.\n",
        100 - result->alpha_ppm / 1e4, result->streams, result->passes, result->passes);
    buffer_add_text(out,
                    result->warm ? "Arms are cut of scores seen before.\n" : "Arms are cut of the first scores.\n");
    buffer_printf(out, "%-9s%7s  %-7s%8s%9s%9s%10s%10s%8s%10s%10s%10s\n", "", "", "", "", "", "no arm", "best in",
                  "2nd half", "of the", "accepted", "", "saved");
    buffer_printf(out, "%-9s%7s  %-7s%8s%9s%9s%10s%10s%8s%10s%10s%10s\n", "scope", "floor", "traffic", "broken",
                  "serving", "will do", "hindsight", "served", "best", "of it", "audits", "net");
    for (unsigned scope = 0; scope < ROUTER_SCOPES; scope++)
        for (unsigned floor = 0; floor < ROUTER_FLOORS; floor++) {
            for (enum router_traffic traffic = TRAFFIC_DRAWN; traffic <= TRAFFIC_PASSES; traffic++)
                add_traffic(result, &result->guarantees[scope][floor], traffic, out);
            if (online)
                add_online(&result->guarantees[scope][floor], out);
        }
    buffer_add_text(out,
                    "\nBroken: an arm served whose quality over the whole set is below the floor. Served: of what "
                    "the weak model answers.\nRoute: of all answers, the strong model's being acceptable. Relative: "
                    "of all answers, as a share of the strong model's\naccuracy; \"accepted\" is then how many are "
                    "right. Saved: of the strong model's cost, audits paid.\n");
}

static void
add_lambdas(const struct router_result *result, struct buffer *out)
{
    buffer_add_text(out, "\nEach request to the model of the highest expected score less lambda times its price:\n");
    buffer_printf(out, "%12s%12s%12s\n", "lambda", "accuracy", "cost");
    for (size_t i = 0; i < result->lambda_count; i++)
        buffer_printf(out, "%12.4g%12.4f%12.4g\n", result->lambdas[i].lambda, result->lambdas[i].accuracy,
                      result->lambdas[i].cost);
}

void
eval_router_text(const struct router_result *result, struct buffer *out)
{
    add_head(result, out);
    if (result->pair)
        add_curve(result, out);
    if (result->pair && result->streams > 0)
        add_guarantees(result, out);
    if (result->lambda_count > 0 && !result->pair)
        add_lambdas(result, out);
    if (result->several.count > 0 && result->streams > 0)
        eval_router_several_text(result, out);
}

static void
add_number(struct buffer *out, const char *name, double number)
{
    if (isfinite(number))
        buffer_printf(out, "\"%s\":%.6g", name, number);
    else
        buffer_printf(out, "\"%s\":null", name);
}

static void
add_numbers(struct buffer *out, const char *const *names, const double *numbers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_byte(out, ',');
        add_number(out, names[i], numbers[i]);
    }
}

static void
add_models_json(const struct router_result *result, struct buffer *out)
{
    for (unsigned model = 0; model < result->labelled->model_count; model++) {
        buffer_add_text(out, model > 0 ? ",{\"model\":\"" : "{\"model\":\"");
        buffer_add_json(out, slice_of(result->labelled->models[model]));
        buffer_printf(out, "\",\"accuracy\":%.6f,", result->model_accuracy[model]);
        add_number(out, "price", result->labelled->prices[model]);
        buffer_add_byte(out, '}');
    }
}

static void
add_curve_json(const struct router_curve *curve, struct buffer *out)
{
    const char *const names[] = {"apgr", "cpt50", "cpt80"};
    const double numbers[] = {curve->apgr, curve->cpt50, curve->cpt80};

    buffer_add_text(out, ",\"curve\":{");
    add_numbers(out, names, numbers, 3);
    buffer_add_text(out, ",\"points\":[");
    for (unsigned i = 0; i < CURVE_POINTS; i++) {
        buffer_printf(out, "%s{\"strong_share\":%.6f,\"accuracy\":%.6f,", i > 0 ? "," : "",
                      curve->points[i].strong_share, curve->points[i].accuracy);
        add_number(out, "cost", curve->points[i].cost);
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, "]}");
}

static void
add_guarantee_json(const struct router_result *result, const struct router_guarantee *guarantee, struct buffer *out)
{
    const char *const names[] = {"hindsight", "later_share", "share", "accepted", "audits", "saved"};

    buffer_printf(out, "{\"scope\":\"%s\",\"floor\":%g", scope_names[guarantee->scope], guarantee->floor_ppm / 1e6);
    for (enum router_traffic traffic = TRAFFIC_DRAWN; traffic <= TRAFFIC_PASSES; traffic++) {
        const struct guarantee_summary *sum = &guarantee->of[traffic];
        const double numbers[] = {sum->best,   sum->later_share,
                                  sum->share,  sum->share > 0 ? sum->quality : NAN,
                                  sum->audits, result->priced ? sum->saved : NAN};

        buffer_printf(out, ",\"%s\":{\"streams\":%u,\"broken\":%u,\"serving\":%u,\"below\":%u,\"suspended\":%u,",
                      traffic_names[traffic], sum->orders, sum->violated, sum->serving, sum->below, sum->suspended);
        add_numbers(out, names, numbers, 6);
        buffer_add_byte(out, '}');
    }
    buffer_printf(out, ",\"online\":{\"broken\":%s,\"later_share\":%.6f,\"audits\":%llu}}",
                  guarantee->online.violated ? "true" : "false",
                  over((double)guarantee->online.later_served, (double)guarantee->online.later_requests),
                  (unsigned long long)guarantee->online.audits);
}

static void
add_lambdas_json(const struct router_result *result, struct buffer *out)
{
    buffer_add_text(out, ",\"lambdas\":[");
    for (size_t i = 0; i < result->lambda_count; i++)
        buffer_printf(out, "%s{\"lambda\":%.6g,\"accuracy\":%.6f,\"cost\":%.6g}", i > 0 ? "," : "",
                      result->lambdas[i].lambda, result->lambdas[i].accuracy, result->lambdas[i].cost);
    buffer_add_text(out, "]");
}

void
eval_router_json(const struct router_result *result, struct buffer *out)
{
    buffer_add_text(out, "{\"file\":\"");
    buffer_add_json(out, slice_of(result->name));
    buffer_printf(out, "\",\"count\":%zu,\"folds\":%u,\"taught\":%zu,\"seed\":%llu,\"tags\":%s,\"models\":[",
                  result->fitted.count, result->fit->folds, result->fit->taught, (unsigned long long)result->fit->seed,
                  result->fit->tags ? "true" : "false");
    add_models_json(result, out);
    buffer_printf(out, "],\"squared_error\":%.6f,\"squared_error_of_mean\":%.6f", result->brier, result->base_brier);
    if (result->decision_us > 0)
        buffer_printf(out, ",\"decision_us\":%.2f", result->decision_us);
    if (result->pair)
        add_curve_json(&result->curve, out);
    if (result->pair && result->streams > 0) {
        buffer_add_text(out, result->warm ? ",\"warm\":true,\"guarantees\":[" : ",\"warm\":false,\"guarantees\":[");
        for (unsigned i = 0; i < ROUTER_SCOPES * ROUTER_FLOORS; i++) {
            if (i > 0)
                buffer_add_byte(out, ',');
            add_guarantee_json(result, &result->guarantees[i / ROUTER_FLOORS][i % ROUTER_FLOORS], out);
        }
        buffer_add_byte(out, ']');
    }
    if (result->lambda_count > 0)
        add_lambdas_json(result, out);
    if (result->several.count > 0 && result->streams > 0)
        eval_router_several_json(result, out);
    buffer_add_text(out, "}\n");
}
