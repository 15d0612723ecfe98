/* What histories of labelled data have in common: random orders, and medians over them. */
#ifndef CMD_EVAL_SUMS_H
#define CMD_EVAL_SUMS_H

#include <stddef.h>

#include "base/rng.h"

/* Sums of floats that should be equal to a floor may miss it by less. */
#define EVAL_HAIR 1e-9

/* Into a random order (Fisher and Yates). */
void eval_shuffle(struct rng *rng, uint32_t *order, size_t count);

/* Sorts them; 0 if there are none. */
double eval_median(double *numbers, size_t count);

#endif
