#include "quality/arms.h"

#include <math.h>
#include <stdlib.h>

#include "base/status.h"

static int
best_first(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left < right) - (left > right);
}

bool
score_sample_add(struct score_sample *sample, double score)
{
    sample->requests++;
    if (isfinite(score) && sample->count < SAMPLE_SCORES)
        sample->scores[sample->count++] = score;
    return sample->count == SAMPLE_SCORES;
}

void
arms_freeze(struct arms *arms, struct score_sample *sample, double labels_needed)
{
    double *scores = sample->scores, each = (double)ARMS_START_REQUESTS / (double)sample->requests;
    unsigned count = sample->count, held = 0; /* scores in the arm; several may stand at its threshold */

    ENSURE(count > 0 && count <= sample->requests);
    qsort(scores, count, sizeof(*scores), best_first);
    arms->start = ARMS;
    for (unsigned arm = 0; arm < ARMS; arm++) {
        arms->threshold[arm] = scores[(count * (arm + 1) - 1) / ARMS];
        while (held < count && scores[held] >= arms->threshold[arm])
            held++;
        if (arms->start == ARMS && held * each >= labels_needed)
            arms->start = arm;
    }
    if (arms->start == ARMS)
        arms->start = ARMS - 1;
}

unsigned
arms_of(const struct arms *arms, double score)
{
    unsigned arm = 0;

    while (arm < ARMS && !(score >= arms->threshold[arm]))
        arm++;
    return arm;
}
