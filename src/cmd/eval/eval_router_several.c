/* Several cheaper models beside a reference: judged, and told. */
#include <math.h>

#include "cmd/eval/eval_router_report.h"

static const char *const traffic_names[SEVERAL_TRAFFICS] = {"once", "passes"};

static double
price_of(const struct router_result *result, unsigned model)
{
    return result->labelled->prices[model];
}

void
eval_router_pick_cheaper(struct router_result *result)
{
    struct router_several *several = &result->several;
    unsigned reference = result->fit->strong;

    for (unsigned model = 0; model < result->labelled->model_count; model++) {
        unsigned at = several->count;

        if (!(price_of(result, model) < price_of(result, reference)) || (result->only & 1u << model) == 0)
            continue;
        for (; at > 0 && price_of(result, several->models[at - 1]) > price_of(result, model); at--)
            several->models[at] = several->models[at - 1];
        several->models[at] = model;
        several->count++;
    }
}

/* What is lost by asking a candidate: as where one model is chosen from (eval_router_judge.c). */
static void
fill(const struct router_result *result, struct several_set *set)
{
    const struct fitted *fitted = &result->fitted;
    unsigned reference = result->fit->strong;

    set->reference_price = price_of(result, reference);
    for (unsigned k = 0; k < set->candidates; k++)
        set->prices[k] = price_of(result, result->several.models[k]);
    for (size_t i = 0; i < set->count; i++) {
        const float *p = fitted->p + i * fitted->models;
        const float *scores = result->labelled->all[fitted->order[i]].scores;

        set->reference[i] = scores[reference];
        for (unsigned k = 0; k < set->candidates; k++) {
            unsigned model = result->several.models[k];

            set->scores[i * set->candidates + k] = p[model] - p[reference];
            set->right[i * set->candidates + k] = scores[model];
        }
    }
}

void
eval_router_judge_several(struct router_result *result)
{
    struct router_several *several = &result->several;
    struct several_set set;

    if (several->count == 0 || result->streams == 0)
        return;
    several_set_init(&set, result->fitted.count, several->count);
    fill(result, &set);
    for (unsigned floor = 0; floor < ROUTER_FLOORS; floor++)
        for (unsigned traffic = 0; traffic < SEVERAL_TRAFFICS; traffic++)
            several->of[floor][traffic] =
                several_play_all(&set,
                                 &(struct several_wanted){.floor_ppm = router_floors_ppm[floor],
                                                          .alpha_ppm = result->alpha_ppm,
                                                          .seed = result->fit->seed,
                                                          .passes = traffic == 0 ? 1 : result->passes},
                                 result->streams);
    several_set_free(&set);
}

/* Of one that is picked at random for each request. */
static void
means(const struct router_result *result, double *accuracy, double *price)
{
    unsigned models = result->labelled->model_count;

    *accuracy = *price = 0;
    for (unsigned model = 0; model < models; model++) {
        *accuracy += result->model_accuracy[model] / models;
        *price += price_of(result, model) / models;
    }
}

static void
add_head(const struct router_result *result, struct buffer *out)
{
    const struct labelled *labelled = result->labelled;
    double accuracy, price;

    means(result, &accuracy, &price);
    buffer_printf(out, "\nWhat evidence would have let serve in place of %s, at %g %% confidence, of\n",
                  labelled->models[result->fit->strong], 100 - result->alpha_ppm / 1e4);
    for (unsigned k = 0; k < result->several.count; k++)
        buffer_printf(out, "%s%s", k > 0 ? ", " : "", labelled->models[result->several.models[k]]);
    buffer_printf(
        out,
        ":\nanswers that are right at least so often as a share of its own; in %u streams, all requests once in random "
        "order, or\n%u times. All that was asked is paid: audits too, of which a learning budget of %g %% says how "
        "many. "
        "Medians over streams.\n",
        result->streams, result->passes, SEVERAL_LEARNING_PPM / 1e4);
    buffer_printf(out, "%7s  %-8s%8s%9s%10s%10s%10s%10s%10s%12s\n", "floor", "traffic", "broken", "serving", "served",
                  "audits", "accuracy", "cost", "saved", "2nd half");
    buffer_printf(out, "%-54s%10.4f%10.4f\n", "  always the reference", result->model_accuracy[result->fit->strong],
                  price_of(result, result->fit->strong));
    buffer_printf(out, "%-54s%10.4f%10.4f\n", "  any of all models, at random", accuracy, price);
}

void
eval_router_several_text(const struct router_result *result, struct buffer *out)
{
    double price = price_of(result, result->fit->strong);

    add_head(result, out);
    for (unsigned floor = 0; floor < ROUTER_FLOORS; floor++)
        for (unsigned traffic = 0; traffic < SEVERAL_TRAFFICS; traffic++) {
            const struct several_summary *sum = &result->several.of[floor][traffic];

            buffer_printf(out, "%5g %%  %-8s%8u%9u%8.2f %%%8.2f %%", router_floors_ppm[floor] / 1e4,
                          traffic_names[traffic], sum->violated, sum->serving, 100 * sum->share, 100 * sum->audits);
            buffer_printf(out, "%10.4f%10.4f%8.2f %%%10.2f %%\n", sum->right, sum->spent,
                          100 * (1 - sum->spent / price), 100 * (1 - sum->later_spent / price));
        }
    buffer_add_text(
        out, "\nBroken: what served would, over the whole set, not have kept the floor. Served: by cheaper models. "
             "Saved: of what the reference\nalone would have cost, audits paid; in all, and in the second half.\n");
}

void
eval_router_several_json(const struct router_result *result, struct buffer *out)
{
    double accuracy, price;

    means(result, &accuracy, &price);
    buffer_add_text(out, ",\"several\":{\"reference\":\"");
    buffer_add_json(out, slice_of(result->labelled->models[result->fit->strong]));
    buffer_printf(out, "\",\"at_random\":{\"accuracy\":%.6f,\"cost\":%.6g},\"candidates\":[", accuracy, price);
    for (unsigned k = 0; k < result->several.count; k++) {
        buffer_add_text(out, k > 0 ? ",\"" : "\"");
        buffer_add_json(out, slice_of(result->labelled->models[result->several.models[k]]));
        buffer_add_byte(out, '"');
    }
    buffer_add_text(out, "],\"floors\":[");
    for (unsigned floor = 0; floor < ROUTER_FLOORS; floor++) {
        buffer_printf(out, "%s{\"floor\":%g", floor > 0 ? "," : "", router_floors_ppm[floor] / 1e6);
        for (unsigned traffic = 0; traffic < SEVERAL_TRAFFICS; traffic++) {
            const struct several_summary *sum = &result->several.of[floor][traffic];

            buffer_printf(out, ",\"%s\":{\"streams\":%u,\"broken\":%u,\"serving\":%u,\"share\":%.6f,\"audits\":%.6f",
                          traffic_names[traffic], sum->orders, sum->violated, sum->serving, sum->share, sum->audits);
            buffer_printf(out, ",\"accuracy\":%.6f,\"cost\":%.6f,\"later_cost\":%.6f}", sum->right, sum->spent,
                          sum->later_spent);
        }
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, "]}");
}
