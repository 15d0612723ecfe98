/* How much several opinions of one outcome are worth: a logistic regression over what they said, before the outcome was
 * known, as ln(p / (1 - p)); with a constant, by which they are all off. */
#ifndef QUALITY_BLEND_H
#define QUALITY_BLEND_H

#include <stdint.h>

enum { BLEND_CONSTANT, BLEND_REGRESSION, BLEND_NEAR, BLEND_OPINIONS };

struct blend {
    double weights[BLEND_OPINIONS];
    double covariance[BLEND_OPINIONS][BLEND_OPINIONS];
};

void blend_init(struct blend *blend);

/* ln(p / (1 - p)), from the logits of the regression and of the neighbours. */
double blend_logit(const struct blend *blend, double regression, double near);

void blend_add(struct blend *blend, double regression, double near, double outcome);

#endif
