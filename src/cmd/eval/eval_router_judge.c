/* Judges what a router said of labelled requests. */
#include <math.h>
#include <stdlib.h>

#include "cmd/eval/eval_router_report.h"

const uint32_t router_floors_ppm[ROUTER_FLOORS] = {900000, 950000, 970000};

static const float *
scores_of(const struct router_result *result, size_t at)
{
    return result->labelled->all[result->fitted.order[at]].scores;
}

static void
judge_models(struct router_result *result)
{
    const struct fitted *fitted = &result->fitted;
    double error = 0, base = 0;

    for (unsigned model = 0; model < fitted->models; model++) {
        double sum = 0, square = 0;

        for (size_t i = 0; i < fitted->count; i++) {
            double score = (double)scores_of(result, i)[model];
            double missed = (double)fitted->p[i * fitted->models + model] - score;

            sum += score;
            square += score * score;
            error += missed * missed;
        }
        result->model_accuracy[model] = sum / (double)fitted->count;
        base += square - sum * sum / (double)fitted->count;
    }
    result->brier = error / (double)fitted->count / fitted->models;
    result->base_brier = base / (double)fitted->count / fitted->models;
}

static double
price_of(const struct router_result *result, unsigned model)
{
    return result->labelled->prices[model];
}

static void
judge_curve(struct router_result *result)
{
    const struct fitted *fitted = &result->fitted;
    unsigned weak = result->fit->weak, strong = result->fit->strong;
    struct routed *requests = must_alloc(fitted->count * sizeof(*requests) + 1);

    for (size_t i = 0; i < fitted->count; i++) {
        const float *p = fitted->p + i * fitted->models, *scores = scores_of(result, i);

        requests[i] = (struct routed){(double)p[strong] - (double)p[weak], scores[weak], scores[strong]};
    }
    router_curve_measure(&result->curve, requests, fitted->count, price_of(result, weak), price_of(result, strong));
    free(requests);
}

/* For answers that a judge compares, what counts is whether the weak model's is at least as good; where it is known what is
 * right, how much is lost by asking it. */
static struct scored_request *
score_requests(const struct router_result *result, enum floor_scope scope)
{
    const struct fitted *fitted = &result->fitted;
    unsigned weak = result->fit->weak, strong = result->fit->strong;
    struct scored_request *requests = must_alloc(fitted->count * sizeof(*requests) + 1);

    for (size_t i = 0; i < fitted->count; i++) {
        const float *p = fitted->p + i * fitted->models, *scores = scores_of(result, i);
        bool relative = scope == FLOOR_RELATIVE;

        requests[i] = (struct scored_request){
            .score = relative ? (double)p[weak] - (double)p[strong] : (double)fitted->acceptable[i],
            .outcome = relative                         ? scores[weak]
                       : scores[weak] >= scores[strong] ? 1
                                                        : 0,
            .reference = relative ? scores[strong] : 1,
        };
    }
    return requests;
}

static void
add_epoch(struct guarantee_outcome *sum, const struct guarantee_outcome *epoch)
{
    sum->requests += epoch->requests;
    sum->audits += epoch->audits;
    sum->served += epoch->served;
    sum->later_requests += epoch->later_requests;
    sum->later_served += epoch->later_served;
    sum->served_good += epoch->served_good;
    sum->spent += epoch->spent;
    sum->suspensions += epoch->suspensions;
    sum->violated |= epoch->violated;
    sum->verdict = epoch->verdict;
}

/* Requests in the order in which their router learned: each view of it is an epoch, whose evidence begins anew. */
static struct guarantee_outcome
play_epochs(const struct scored_request *requests, size_t count, const struct guarantee_wanted *wanted)
{
    struct guarantee_outcome sum = {.requests = 0};

    for (size_t from = 0, end; from < count; from = end) {
        struct guarantee_wanted epoch = *wanted;
        struct guarantee_outcome outcome;
        struct scored_set set;

        end = fit_epoch_end(from) < count ? fit_epoch_end(from) : count;
        epoch.later_from = count / 2 > from ? count / 2 - from : 0;
        scored_set_init(&set, requests + from, end - from);
        outcome = guarantee_play(&set, requests + from, &epoch);
        add_epoch(&sum, &outcome);
        scored_set_free(&set);
    }
    return sum;
}

static void
judge_guarantee(struct router_result *result, enum floor_scope scope, unsigned floor)
{
    const struct fitted *fitted = &result->fitted;
    struct router_guarantee *guarantee = &result->guarantees[scope][floor];
    struct scored_request *requests = score_requests(result, scope);
    struct scored_set set;
    struct guarantee_wanted wanted = {.scope = scope, .alpha_ppm = result->alpha_ppm, .seed = result->fit->seed};

    wanted.warm = result->warm;
    guarantee->scope = scope;
    guarantee->floor_ppm = wanted.floor_ppm = router_floors_ppm[floor];
    if (result->priced)
        wanted.price_ratio = price_of(result, result->fit->weak) / price_of(result, result->fit->strong);
    scored_set_init(&set, requests, fitted->count);
    for (enum router_traffic traffic = TRAFFIC_DRAWN; traffic <= TRAFFIC_PASSES; traffic++) {
        wanted.passes = traffic == TRAFFIC_ONCE ? 1 : result->passes;
        wanted.bootstrap = traffic == TRAFFIC_DRAWN;
        guarantee->of[traffic] = guarantee_play_all(&set, &wanted, result->streams);
    }
    scored_set_free(&set);
    if (result->fit->folds < 2 && result->fit->taught == 0)
        guarantee->online = play_epochs(requests, fitted->count, &wanted);
    free(requests);
}

static void
judge_lambdas(struct router_result *result)
{
    const struct fitted *fitted = &result->fitted;
    float *scores = must_alloc((fitted->count * fitted->models + 1) * sizeof(*scores));

    for (size_t i = 0; i < fitted->count; i++)
        memcpy(scores + i * fitted->models, scores_of(result, i), fitted->models * sizeof(*scores));
    result->lambda_count =
        lambda_curve(result->lambdas, fitted->p, scores, result->labelled->prices, fitted->models, fitted->count);
    free(scores);
}

void
eval_router_judge(struct router_result *result)
{
    result->pair = result->fit->weak < LABELLED_MODELS_MOST;
    result->priced = true;
    for (unsigned model = 0; model < result->fitted.models; model++)
        result->priced = result->priced && !isnan(price_of(result, model));
    judge_models(result);
    if (result->priced && result->fitted.models > 1)
        judge_lambdas(result);
    eval_router_judge_several(result);
    if (!result->pair)
        return;
    judge_curve(result);
    for (enum floor_scope scope = FLOOR_SERVED; scope <= FLOOR_RELATIVE && result->streams > 0; scope++)
        for (unsigned floor = 0; floor < ROUTER_FLOORS; floor++)
            judge_guarantee(result, scope, floor);
}
