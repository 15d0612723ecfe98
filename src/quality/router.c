#include "quality/router.h"

#include <math.h>
#include <stdlib.h>

#include "quality/router_parts.h"

/* What neighbours say of the first ones says nothing of their worth. */
enum { BLEND_FROM_LABELS = 20 };

/* Of a place of words, the weights of all models side by side: one look at memory finds them all. */
struct router_view {
    unsigned models, dense;
    float *weights;       /* dense x models */
    float *place_weights; /* FEATURE_PLACES x models */
    float tag_value;
    struct blend blends[ROUTER_MODELS_MOST];
    struct neighbours neighbours;
};

struct router *
router_new(unsigned models, uint64_t table, unsigned dims)
{
    struct router *router = must_calloc(1, sizeof(*router));

    ENSURE(models > 0 && models <= ROUTER_MODELS_MOST);
    router->models = models;
    router->table = table;
    for (unsigned model = 0; model < models; model++) {
        learner_init(&router->learners[model], dims);
        blend_init(&router->blends[model]);
    }
    neighbours_init(&router->neighbours, dims, models, NEIGHBOURS_MOST);
    return router;
}

void
router_free(struct router *router)
{
    if (router == NULL)
        return;
    for (unsigned model = 0; model < router->models; model++)
        learner_free(&router->learners[model]);
    neighbours_free(&router->neighbours);
    free(router);
}

unsigned
router_models(const struct router *router)
{
    return router->models;
}

uint64_t
router_labels(const struct router *router)
{
    return router->labels;
}

void
router_learn(struct router *router, const struct features *features, const float *outcomes, uint64_t id)
{
    float near[ROUTER_MODELS_MOST];

    (void)neighbours_expect(&router->neighbours, features, near, NULL);
    for (unsigned model = 0; model < router->models; model++) {
        struct learner *learner = &router->learners[model];
        double outcome = (double)outcomes[model], expected;

        if (isnan(outcome))
            continue;
        expected = learner_add(learner, features, outcome);
        if (learner->labels > BLEND_FROM_LABELS)
            blend_add(&router->blends[model], expected, logit_of((double)near[model]), outcome);
    }
    neighbours_add(&router->neighbours, features, outcomes, id);
    router->labels++;
}

void
router_score(const struct router *router, const struct features *features, float *p)
{
    float near[ROUTER_MODELS_MOST];

    (void)neighbours_expect(&router->neighbours, features, near, NULL);
    for (unsigned model = 0; model < router->models; model++) {
        double regression = learner_logit(&router->learners[model], features);

        p[model] = (float)logistic(blend_logit(&router->blends[model], regression, logit_of((double)near[model])));
    }
}

struct router_view *
router_freeze(const struct router *router)
{
    struct router_view *view = must_calloc(1, sizeof(*view));
    unsigned models = router->models, dense = router->learners[0].dense;

    view->models = models;
    view->dense = dense;
    view->tag_value = learner_tag_value();
    view->weights = must_alloc((size_t)dense * models * sizeof(float));
    view->place_weights = must_alloc((size_t)FEATURE_PLACES * models * sizeof(float));
    memcpy(view->blends, router->blends, sizeof(view->blends));
    for (unsigned model = 0; model < models; model++) {
        const struct learner *learner = &router->learners[model];

        for (size_t i = 0; i < dense; i++)
            view->weights[i * models + model] = learner_weights(learner)[i];
        for (size_t i = 0; i < FEATURE_PLACES; i++)
            view->place_weights[i * models + model] = learner_place_weights(learner)[i];
    }
    neighbours_copy(&view->neighbours, &router->neighbours);
    return view;
}

void
router_view_free(struct router_view *view)
{
    if (view == NULL)
        return;
    free(view->weights);
    free(view->place_weights);
    neighbours_free(&view->neighbours);
    free(view);
}

static void
add_weighed(double *sums, const float *weights, float value, unsigned models)
{
    for (unsigned model = 0; model < models; model++)
        sums[model] += (double)weights[model] * (double)value;
}

/* In the order of learner_logit, so that no bit differs. */
static void
regress(const struct router_view *view, const struct features *features, double *logits)
{
    size_t models = view->models;

    memset(logits, 0, models * sizeof(*logits));
    for (unsigned i = 0; i < view->dense; i++)
        add_weighed(logits, view->weights + i * models, learner_dense_value(features, i), view->models);
    for (unsigned i = 0; i < features->count; i++)
        add_weighed(logits, view->place_weights + features->words[i].place * models, features->words[i].value,
                    view->models);
    if (features->tagged)
        add_weighed(logits, view->place_weights + features->tag_place * models, view->tag_value, view->models);
}

/* `nearest`: as neighbours_expect has it. */
static unsigned
score(const struct router_view *view, const struct features *features, double *logits, float *near, float *p,
      struct neighbour *nearest)
{
    unsigned count = neighbours_expect(&view->neighbours, features, near, nearest);

    regress(view, features, logits);
    for (unsigned model = 0; model < view->models; model++)
        p[model] = (float)logistic(blend_logit(&view->blends[model], logits[model], logit_of((double)near[model])));
    return count;
}

void
router_view_score(const struct router_view *view, const struct features *features, float *p)
{
    double logits[ROUTER_MODELS_MOST];
    float near[ROUTER_MODELS_MOST];

    (void)score(view, features, logits, near, p, NULL);
}

void
router_view_tell(const struct router_view *view, const struct features *features, float *p,
                 struct router_explanation *out)
{
    double logits[ROUTER_MODELS_MOST];
    float near[ROUTER_MODELS_MOST];
    struct neighbour nearest[NEIGHBOURS_SHOWN];
    unsigned count = score(view, features, logits, near, p, nearest);

    for (unsigned model = 0; model < view->models; model++) {
        out[model] = (struct router_explanation){.p = (double)p[model],
                                                 .near = (double)near[model],
                                                 .regression = logistic(logits[model]),
                                                 .neighbour_count = count};
        memcpy(out[model].neighbours, nearest, count * sizeof(nearest[0]));
        neighbours_tell(&view->neighbours, model, count, out[model].neighbours);
    }
}

static void
add_reason(struct router_explanation *out, struct router_reason reason)
{
    unsigned at = out->reason_count < ROUTER_REASONS ? out->reason_count++ : ROUTER_REASONS;

    if (reason.weight == 0) {
        out->reason_count -= at < ROUTER_REASONS;
        return;
    }
    for (; at > 0 && fabs(out->reasons[at - 1].weight) < fabs(reason.weight); at--)
        if (at < ROUTER_REASONS)
            out->reasons[at] = out->reasons[at - 1];
    if (at < ROUTER_REASONS)
        out->reasons[at] = reason;
}

/* What each feature adds to the regression, as far as that is heard. */
static void
add_reasons(const struct router_view *view, const struct features *features, unsigned model,
            struct router_explanation *out)
{
    double heard = view->blends[model].weights[BLEND_REGRESSION], meaning = 0;
    size_t models = view->models;

    for (unsigned i = 1; i < view->dense; i++) {
        double weight = heard * (double)view->weights[i * models + model] * (double)learner_dense_value(features, i);

        if (i < LEARNER_VECTOR_AT)
            add_reason(out, (struct router_reason){.kind = REASON_TRAIT, .trait = i - 1, .weight = weight});
        else
            meaning += weight;
    }
    add_reason(out, (struct router_reason){.kind = REASON_MEANING, .weight = meaning});
    for (unsigned i = 0; i < features->count; i++) {
        const struct word_feature *word = &features->words[i];
        double weight = heard * (double)view->place_weights[word->place * models + model] * (double)word->value;

        add_reason(out,
                   (struct router_reason){.kind = REASON_WORDS, .at = word->at, .len = word->len, .weight = weight});
    }
    if (features->tagged) {
        double weight = (double)view->place_weights[features->tag_place * models + model] * (double)view->tag_value;

        add_reason(out, (struct router_reason){.kind = REASON_TAG, .weight = heard * weight});
    }
}

void
router_view_explain(const struct router_view *view, const struct features *features, unsigned model,
                    struct router_explanation *out)
{
    double logits[ROUTER_MODELS_MOST];
    float near[ROUTER_MODELS_MOST];

    ENSURE(model < view->models);
    *out = (struct router_explanation){.reason_count = 0};
    out->neighbour_count = neighbours_expect(&view->neighbours, features, near, out->neighbours);
    neighbours_tell(&view->neighbours, model, out->neighbour_count, out->neighbours);
    regress(view, features, logits);
    out->near = (double)near[model];
    out->regression = logistic(logits[model]);
    out->p = logistic(blend_logit(&view->blends[model], logits[model], logit_of(out->near)));
    add_reasons(view, features, model, out);
}
