#include "cmd/replay/replay_axis.h"

#include <math.h>
#include <stddef.h>

double
replay_axis_step(double most, unsigned steps)
{
    static const double factors[] = {1, 2, 5, 10};
    double base;

    if (!(most > 0))
        return 1;
    base = pow(10, floor(log10(most / steps)));
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++)
        if (factors[i] * base * steps >= most * (1 - 1e-9))
            return factors[i] * base;
    return 20 * base;
}
