#include "cmd/eval/eval_fit.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

struct fitting {
    const struct labelled *labelled;
    const struct embedder *embedder;
    const struct fit_wanted *wanted;
    struct fitted *out;
    struct features *features;
    unsigned learned; /* models, and one that stands for "the weak one's answer is acceptable" */
    struct router *routers[FIT_FOLDS_MOST];
};

static bool
is_pair(const struct fitting *fitting)
{
    return fitting->wanted->weak < LABELLED_MODELS_MOST;
}

static void
read_features(struct fitting *fitting, uint32_t request)
{
    struct routed_request routed = {.text = labelled_prompt(fitting->labelled, request), .turns = 1};

    if (fitting->wanted->tags)
        routed.tag = labelled_task(fitting->labelled, request);
    features_read(fitting->features, fitting->embedder, &routed);
}

static void
teach(struct fitting *fitting, struct router *router, uint32_t request)
{
    const float *scores = fitting->labelled->all[request].scores;
    float outcomes[ROUTER_MODELS_MOST];

    for (unsigned model = 0; model < fitting->out->models; model++)
        outcomes[model] = scores[model];
    if (is_pair(fitting))
        outcomes[fitting->out->models] = scores[fitting->wanted->weak] >= scores[fitting->wanted->strong] ? 1 : 0;
    router_learn(router, fitting->features, outcomes, request);
}

static void
keep(struct fitting *fitting, size_t at, const float *p)
{
    struct fitted *out = fitting->out;

    memcpy(out->p + at * out->models, p, out->models * sizeof(*p));
    out->acceptable[at] = is_pair(fitting) ? p[out->models] : NAN;
}

static void
fit_folds(struct fitting *fitting)
{
    unsigned folds = fitting->wanted->folds;
    float p[ROUTER_MODELS_MOST];

    for (size_t i = 0; i < fitting->out->count; i++) {
        read_features(fitting, fitting->out->order[i]);
        for (unsigned fold = 0; fold < folds; fold++)
            if (i % folds != fold)
                teach(fitting, fitting->routers[fold], fitting->out->order[i]);
    }
    for (size_t i = 0; i < fitting->out->count; i++) {
        read_features(fitting, fitting->out->order[i]);
        router_score(fitting->routers[i % folds], fitting->features, p);
        keep(fitting, i, p);
    }
}

/* `order` holds those to score alone; those to teach come in an order of their own. */
static void
fit_apart(struct fitting *fitting, const uint32_t *taught)
{
    float p[ROUTER_MODELS_MOST];

    for (size_t i = 0; i < fitting->wanted->taught; i++) {
        read_features(fitting, taught[i]);
        teach(fitting, fitting->routers[0], taught[i]);
    }
    for (size_t i = 0; i < fitting->out->count; i++) {
        read_features(fitting, fitting->out->order[i]);
        router_score(fitting->routers[0], fitting->features, p);
        keep(fitting, i, p);
    }
}

size_t
fit_epoch_end(size_t from)
{
    return from == 0 ? FIT_EPOCH_FIRST : 2 * from;
}

static void
fit_online(struct fitting *fitting)
{
    struct router_view *view = NULL;
    size_t epoch_end = 0;
    float p[ROUTER_MODELS_MOST];

    for (size_t i = 0; i < fitting->out->count; i++) {
        if (i == epoch_end || view == NULL) {
            router_view_free(view);
            view = router_freeze(fitting->routers[0]);
            epoch_end = fit_epoch_end(i);
        }
        read_features(fitting, fitting->out->order[i]);
        router_view_score(view, fitting->features, p);
        keep(fitting, i, p);
        teach(fitting, fitting->routers[0], fitting->out->order[i]);
    }
    router_view_free(view);
}

/* Fisher and Yates. */
static uint32_t *
shuffled(struct rng *rng, size_t first, size_t count)
{
    uint32_t *order = must_alloc((count + 1) * sizeof(*order));

    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)(first + i);
    for (size_t i = count; i > 1; i--) {
        size_t other = rng_below(rng, i);
        uint32_t kept = order[i - 1];

        order[i - 1] = order[other];
        order[other] = kept;
    }
    return order;
}

void
fit(const struct labelled *labelled, const struct embedder *embedder, const struct fit_wanted *wanted,
    struct fitted *out)
{
    struct fitting fitting = {.labelled = labelled, .embedder = embedder, .wanted = wanted, .out = out};
    size_t first = wanted->folds >= 2 ? 0 : wanted->taught;
    unsigned routers = wanted->folds >= 2 ? wanted->folds : 1;
    uint32_t *taught;
    struct rng rng;

    rng_seed(&rng, wanted->seed);
    taught = shuffled(&rng, 0, first);
    *out = (struct fitted){.count = labelled->count - first, .models = labelled->model_count};
    out->order = shuffled(&rng, first, out->count);
    out->p = must_alloc((out->count * out->models + 1) * sizeof(float));
    out->acceptable = must_alloc((out->count + 1) * sizeof(float));
    fitting.features = must_alloc(sizeof(*fitting.features));
    fitting.learned = out->models + (is_pair(&fitting) ? 1 : 0);
    for (unsigned i = 0; i < routers; i++)
        fitting.routers[i] = router_new(fitting.learned, embedder_table_id(embedder), embedder_dims(embedder));
    if (wanted->folds >= 2)
        fit_folds(&fitting);
    else if (first > 0)
        fit_apart(&fitting, taught);
    else
        fit_online(&fitting);
    for (unsigned i = 0; i < routers; i++)
        router_free(fitting.routers[i]);
    free(fitting.features);
    free(taught);
}

void
fitted_free(struct fitted *fitted)
{
    free(fitted->order);
    free(fitted->p);
    free(fitted->acceptable);
    *fitted = (struct fitted){.count = 0};
}
