#include "quality/learner.h"

#include <math.h>
#include <stdlib.h>

/* Prior variances of weights. They were chosen by five-fold learning on one half of a public set of labelled requests
 * (doc/routing.md), and matter little within a factor of two. All features are about 1 in size, words together. */
#define CONSTANT_VARIANCE 4.f
#define TRAIT_VARIANCE .1f
#define VECTOR_VARIANCE .2f
#define WORD_VARIANCE 3.f
#define TAG_VARIANCE .5f

/* What was learned long ago fades: variances grow by a share of the prior with each label, up to it. So a weight never
 * knows more than some tens of thousands of labels tell, and single precision suffices. */
#define FADE (1.f / 50000)
enum { FADE_EVERY = 64 };

/* A place's variance stays above this share of the prior, to the same end. */
#define PLACE_VARIANCE_LEAST (WORD_VARIANCE / 1000)

/* Averages begin with this label, before which weights move for good reasons; a snapshot is taken with every so many. */
enum { AVERAGE_FROM = 1024, SNAPSHOT_EVERY = 32 };

#define P_LEAST 1e-4

double
logistic(double logit)
{
    return 1 / (1 + exp(-logit));
}

double
logit_of(double p)
{
    p = fmin(1 - P_LEAST, fmax(P_LEAST, p));
    return log(p / (1 - p));
}

float
learner_prior_variance(unsigned dense_feature)
{
    return dense_feature == 0                  ? CONSTANT_VARIANCE
           : dense_feature < LEARNER_VECTOR_AT ? TRAIT_VARIANCE
                                               : VECTOR_VARIANCE;
}

float
learner_prior_place_variance(void)
{
    return WORD_VARIANCE;
}

void
learner_init(struct learner *learner, unsigned vector_dims)
{
    unsigned dense = LEARNER_VECTOR_AT + vector_dims;

    ENSURE(vector_dims <= EMBED_DIMS_MOST);
    *learner = (struct learner){.dense = dense};
    learner->weights = must_calloc(dense, sizeof(float));
    learner->covariance = must_calloc((size_t)dense * dense, sizeof(float));
    learner->place_weights = must_calloc(FEATURE_PLACES, sizeof(float));
    learner->place_variances = must_alloc(FEATURE_PLACES * sizeof(float));
    learner->average_weights = must_calloc(dense, sizeof(float));
    learner->average_place_weights = must_calloc(FEATURE_PLACES, sizeof(float));
    for (unsigned i = 0; i < dense; i++)
        learner->covariance[(size_t)i * dense + i] = learner_prior_variance(i);
    for (unsigned i = 0; i < FEATURE_PLACES; i++)
        learner->place_variances[i] = WORD_VARIANCE;
}

void
learner_free(struct learner *learner)
{
    free(learner->weights);
    free(learner->covariance);
    free(learner->place_weights);
    free(learner->place_variances);
    free(learner->average_weights);
    free(learner->average_place_weights);
    *learner = (struct learner){.dense = 0};
}

float
learner_dense_value(const struct features *features, unsigned feature)
{
    if (feature == 0)
        return 1;
    if (feature < LEARNER_VECTOR_AT)
        return features->traits[feature - 1];
    return features->dims > 0 ? features->vector[feature - LEARNER_VECTOR_AT] : 0;
}

float
learner_tag_value(void)
{
    return sqrtf(TAG_VARIANCE / WORD_VARIANCE);
}

const float *
learner_weights(const struct learner *learner)
{
    return learner->snapshots > 0 ? learner->average_weights : learner->weights;
}

const float *
learner_place_weights(const struct learner *learner)
{
    return learner->snapshots > 0 ? learner->average_place_weights : learner->place_weights;
}

static double
logit_by(const struct learner *learner, const float *weights, const float *places, const struct features *features)
{
    double sum = 0;

    for (unsigned i = 0; i < learner->dense; i++)
        sum += (double)weights[i] * (double)learner_dense_value(features, i);
    for (unsigned i = 0; i < features->count; i++)
        sum += (double)places[features->words[i].place] * (double)features->words[i].value;
    if (features->tagged)
        sum += (double)places[features->tag_place] * (double)learner_tag_value();
    return sum;
}

double
learner_logit(const struct learner *learner, const struct features *features)
{
    return logit_by(learner, learner_weights(learner), learner_place_weights(learner), features);
}

/* A label's step: of what the features are, how sure the logit is, and by how much the label surprises. */
struct step {
    float values[LEARNER_DENSE_MOST];
    float spread[LEARNER_DENSE_MOST]; /* covariance x values */
    double variance;                  /* of the logit */
    double surprise, shrink;          /* means move by variances x surprise; these shrink by their squares x shrink */
};

/* Column by column, as the matrix is symmetric: the inner loop has no sum to carry. */
static void
spread_values(const struct learner *learner, struct step *step)
{
    unsigned dense = learner->dense;

    memset(step->spread, 0, dense * sizeof(float));
    for (unsigned j = 0; j < dense; j++) {
        const float *column = learner->covariance + (size_t)j * dense;
        float value = step->values[j];

        for (unsigned i = 0; value != 0 && i < dense; i++)
            step->spread[i] += column[i] * value;
    }
}

static void
measure_variance(const struct learner *learner, const struct features *features, struct step *step)
{
    step->variance = 0;
    for (unsigned i = 0; i < learner->dense; i++)
        step->variance += (double)step->spread[i] * (double)step->values[i];
    for (unsigned i = 0; i < features->count; i++) {
        double value = (double)features->words[i].value;

        step->variance += (double)learner->place_variances[features->words[i].place] * value * value;
    }
    if (features->tagged)
        step->variance += (double)(learner->place_variances[features->tag_place] * TAG_VARIANCE / WORD_VARIANCE);
    step->variance = fmax(0, step->variance); /* which rounding may have brought below */
}

static void
move_place(struct learner *learner, uint32_t place, float value, const struct step *step)
{
    float *variance = &learner->place_variances[place], spread = *variance * value;

    learner->place_weights[place] += spread * (float)step->surprise;
    *variance = fmaxf(PLACE_VARIANCE_LEAST, *variance - (float)step->shrink * spread * spread);
}

static void
move_dense(struct learner *learner, struct step *step)
{
    unsigned dense = learner->dense;
    float root = (float)sqrt(step->shrink);

    for (unsigned i = 0; i < dense; i++) {
        learner->weights[i] += step->spread[i] * (float)step->surprise;
        step->spread[i] *= root;
    }
    for (unsigned i = 0; i < dense; i++) {
        float *row = learner->covariance + (size_t)i * dense, one = step->spread[i];

        for (unsigned j = 0; j < dense; j++)
            row[j] -= one * step->spread[j];
    }
}

static void
fade(struct learner *learner)
{
    for (unsigned i = 0; i < learner->dense; i++) {
        float *variance = &learner->covariance[(size_t)i * learner->dense + i], prior = learner_prior_variance(i);

        if (*variance < prior)
            *variance = fminf(prior, *variance + prior * FADE * FADE_EVERY);
    }
}

static void
average(float *averages, const float *weights, size_t count, float rate)
{
    for (size_t i = 0; i < count; i++)
        averages[i] += rate * (weights[i] - averages[i]);
}

/* The k-th snapshot weighs 2 / (k + 1): the average is over the later part of what was learned, wherever it ends. */
static void
take_snapshot(struct learner *learner)
{
    float rate = 2.f / ((float)learner->snapshots + 2);

    average(learner->average_weights, learner->weights, learner->dense, rate);
    average(learner->average_place_weights, learner->place_weights, FEATURE_PLACES, rate);
    learner->snapshots++;
}

double
learner_add(struct learner *learner, const struct features *features, double outcome)
{
    double logit = logit_by(learner, learner->weights, learner->place_weights, features), p, information;
    struct step step;

    ENSURE(outcome >= 0 && outcome <= 1);
    for (unsigned i = 0; i < learner->dense; i++)
        step.values[i] = learner_dense_value(features, i);
    spread_values(learner, &step);
    measure_variance(learner, features, &step);
    logit /= sqrt(1 + M_PI / 8 * step.variance); /* MacKay's approximation of the mean over all weights */
    p = logistic(logit);
    information = p * (1 - p);
    step.shrink = information / (1 + information * step.variance);
    step.surprise = (outcome - p) / (1 + information * step.variance);
    move_dense(learner, &step);
    for (unsigned i = 0; i < features->count; i++)
        move_place(learner, features->words[i].place, features->words[i].value, &step);
    if (features->tagged)
        move_place(learner, features->tag_place, learner_tag_value(), &step);
    if (++learner->labels % FADE_EVERY == 0)
        fade(learner);
    if (learner->labels >= AVERAGE_FROM && learner->labels % SNAPSHOT_EVERY == 0)
        take_snapshot(learner);
    return logit;
}
