/* One model's P(acceptable | features), learned online: a logistic regression whose weights are normally distributed, each
 * label moving means and covariances by one step of Newton's (the extended Kalman filter; for words, whose covariances
 * are left out, as in Graepel and others, ICML 2010). So one pass does what many passes of gradients would, no learning
 * rate is to be chosen, and early labels do not shout. The prior variances say how much each kind of feature can matter.
 *
 * As words' covariances are left out, the last labels speak louder than they should. So from some number of labels on what
 * is expected of a request comes from the weights' average over time (Polyak and Juditsky, 1992), later ones counting more.
 *
 * Memory is fixed: a covariance matrix of the dense features, and three numbers for each place of the words. */
#ifndef QUALITY_LEARNER_H
#define QUALITY_LEARNER_H

#include "quality/features.h"

/* The dense features: a constant, the traits, the vector. */
enum { LEARNER_VECTOR_AT = 1 + TRAITS, LEARNER_DENSE_MOST = LEARNER_VECTOR_AT + EMBED_DIMS_MOST };

struct learner {
    unsigned dense; /* 1 + TRAITS + the dims of vectors */
    uint64_t labels;
    float *weights;                         /* dense */
    float *covariance;                      /* dense x dense; exactly symmetric */
    float *place_weights, *place_variances; /* FEATURE_PLACES */
    uint32_t snapshots;                     /* that the averages are of; 0: there are none yet */
    float *average_weights, *average_place_weights;
};

void learner_init(struct learner *learner, unsigned vector_dims);
void learner_free(struct learner *learner);

/* Before any label the variances are these. */
float learner_prior_variance(unsigned dense_feature);
float learner_prior_place_variance(void);

/* The weights to expect by: their averages, once there are such. */
const float *learner_weights(const struct learner *learner);
const float *learner_place_weights(const struct learner *learner);

/* ln(p / (1 - p)). */
double learner_logit(const struct learner *learner, const struct features *features);

/* Learns that the outcome was `outcome`, 0 to 1. Returns what had been expected of it, ln(p / (1 - p)), nearer to 0 where
 * little was known. */
double learner_add(struct learner *learner, const struct features *features, double outcome);

/* The number of a dense feature's value. */
float learner_dense_value(const struct features *features, unsigned feature);

/* And of the tag: it is as a word that is there as a whole, but matters less than words do together. */
float learner_tag_value(void);

double logistic(double logit);
double logit_of(double p); /* bounded: as if p were within a ten-thousandth of neither 0 nor 1 */

#endif
