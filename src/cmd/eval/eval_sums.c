#include "cmd/eval/eval_sums.h"

#include <stdlib.h>

void
eval_shuffle(struct rng *rng, uint32_t *order, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = rng_below(rng, i);
        uint32_t kept = order[i - 1];

        order[i - 1] = order[other];
        order[other] = kept;
    }
}

static int
rising(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

double
eval_median(double *numbers, size_t count)
{
    qsort(numbers, count, sizeof(*numbers), rising);
    return count == 0 ? 0 : count % 2 == 1 ? numbers[count / 2] : (numbers[count / 2 - 1] + numbers[count / 2]) / 2;
}
