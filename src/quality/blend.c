#include "quality/blend.h"

#include "quality/learner.h"

/* Before any label: mostly the regression. */
static const double prior_weights[BLEND_OPINIONS] = {0, .8, .2};
static const double prior_variances[BLEND_OPINIONS] = {.25, .03, .03};

void
blend_init(struct blend *blend)
{
    *blend = (struct blend){.weights = {0}};
    for (unsigned i = 0; i < BLEND_OPINIONS; i++) {
        blend->weights[i] = prior_weights[i];
        blend->covariance[i][i] = prior_variances[i];
    }
}

double
blend_logit(const struct blend *blend, double regression, double near)
{
    return blend->weights[BLEND_CONSTANT] + blend->weights[BLEND_REGRESSION] * regression +
           blend->weights[BLEND_NEAR] * near;
}

void
blend_add(struct blend *blend, double regression, double near, double outcome)
{
    const double values[BLEND_OPINIONS] = {1, regression, near};
    double p = logistic(blend_logit(blend, regression, near)), information = p * (1 - p);
    double spread[BLEND_OPINIONS] = {0}, variance = 0, sure;

    for (unsigned i = 0; i < BLEND_OPINIONS; i++) {
        for (unsigned j = 0; j < BLEND_OPINIONS; j++)
            spread[i] += blend->covariance[i][j] * values[j];
        variance += spread[i] * values[i];
    }
    sure = 1 + information * variance;
    for (unsigned i = 0; i < BLEND_OPINIONS; i++) {
        blend->weights[i] += spread[i] * (outcome - p) / sure;
        for (unsigned j = 0; j < BLEND_OPINIONS; j++)
            blend->covariance[i][j] -= spread[i] * spread[j] * (information / sure);
    }
}
