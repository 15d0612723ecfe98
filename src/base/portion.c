#include "base/portion.h"

#include <stdlib.h>

#include "base/usd.h"

struct remainder {
    wide_int left;
    size_t at;
};

static int
largest_first(const void *a, const void *b)
{
    const struct remainder *x = a, *y = b;

    if (x->left != y->left)
        return x->left > y->left ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static wide_int
sum_of(const int64_t *weights, size_t count)
{
    wide_int sum = 0;

    for (size_t i = 0; i < count; i++) {
        ENSURE(weights[i] >= 0);
        sum += weights[i];
    }
    return sum;
}

void
portion_split(int64_t total, const int64_t *weights, size_t count, int64_t *parts)
{
    struct remainder *remainders = must_calloc(count + 1, sizeof(*remainders));
    wide_int sum = sum_of(weights, count), whole = sum != 0 ? sum : (wide_int)count;
    int64_t rest = total;

    ENSURE(total >= 0);
    for (size_t i = 0; i < count; i++) {
        wide_int share = (wide_int)total * (sum != 0 ? weights[i] : 1);

        parts[i] = (int64_t)(share / whole);
        remainders[i] = (struct remainder){share % whole, i};
        rest -= parts[i];
    }
    qsort(remainders, count, sizeof(*remainders), largest_first);
    for (size_t i = 0; i < count && rest > 0; i++, rest--)
        parts[remainders[i].at]++;
    free(remainders);
}
