#include "cmd/eval/eval_guarantee.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "cmd/eval/eval_sums.h"
#include "quality/coin.h"

static int
best_first(const void *a, const void *b)
{
    const struct scored_request *left = a, *right = b;

    if (left->score != right->score)
        return left->score < right->score ? 1 : -1;
    return (left->outcome < right->outcome) - (left->outcome > right->outcome);
}

void
scored_set_init(struct scored_set *set, const struct scored_request *requests, size_t count)
{
    *set = (struct scored_set){.count = count};
    set->all = must_alloc((count + 1) * sizeof(set->all[0]));
    set->outcomes = must_calloc(count + 1, sizeof(set->outcomes[0]));
    set->references = must_calloc(count + 1, sizeof(set->references[0]));
    memcpy(set->all, requests, count * sizeof(set->all[0]));
    qsort(set->all, count, sizeof(set->all[0]), best_first);
    for (size_t i = 0; i < count; i++) {
        set->outcomes[i + 1] = set->outcomes[i] + (double)set->all[i].outcome;
        set->references[i + 1] = set->references[i] + (double)set->all[i].reference;
    }
}

void
scored_set_free(struct scored_set *set)
{
    free(set->all);
    free(set->outcomes);
    free(set->references);
    *set = (struct scored_set){.count = 0};
}

/* How many have at least that score. */
static size_t
count_from(const struct scored_set *set, double threshold)
{
    size_t in = 0, out = set->count; /* the first `in` do, from number `out` on they do not */

    while (in < out) {
        size_t middle = in + (out - in) / 2;

        if (set->all[middle].score >= threshold)
            in = middle + 1;
        else
            out = middle;
    }
    return in;
}

/* If the first `in` are served. */
static double
quality_of(const struct scored_set *set, enum floor_scope scope, size_t in)
{
    double good = set->outcomes[in], all_right = set->references[set->count];

    if (scope == FLOOR_ROUTE)
        return (good + (double)(set->count - in)) / (double)set->count;
    if (scope == FLOOR_RELATIVE)
        return all_right > 0 ? (good + all_right - set->references[in]) / all_right : NAN;
    return in > 0 ? good / (double)in : NAN;
}

double
scored_set_quality(const struct scored_set *set, enum floor_scope scope, double threshold)
{
    return quality_of(set, scope, count_from(set, threshold));
}

double
scored_set_share(const struct scored_set *set, double threshold)
{
    return (double)count_from(set, threshold) / (double)set->count;
}

double
scored_set_best(const struct scored_set *set, enum floor_scope scope, uint32_t floor_ppm)
{
    for (size_t in = set->count; in > 0; in--)
        if ((in == set->count || set->all[in - 1].score > set->all[in].score) &&
            quality_of(set, scope, in) >= (double)floor_ppm / PPM - EVAL_HAIR)
            return (double)in / (double)set->count;
    return 0;
}

struct play {
    const struct scored_set *set;
    const struct guarantee_wanted *wanted;
    struct evidence_terms terms;
    struct evidence evidence;
    struct score_sample sample;
    struct guarantee_outcome out;
    uint64_t half;
    struct rng rng;
};

static void
audit(struct play *play, const struct scored_request *request)
{
    const struct audit said = {.score = request->score,
                               .outcome = (double)request->outcome,
                               .reference = (double)request->reference,
                               .rounding = rng_unit(&play->rng)};
    unsigned events = evidence_observe(&play->evidence, &said);
    double quality;

    play->out.audits++;
    play->out.suspensions += (events & EVENT_SUSPENDED) != 0;
    if (!(events & EVENT_EARNED))
        return;
    quality = scored_set_quality(play->set, play->wanted->scope, play->evidence.arms.threshold[play->evidence.serving]);
    play->out.violated |= quality < (double)play->wanted->floor_ppm / PPM - EVAL_HAIR;
}

static void
sample(struct play *play, double score)
{
    enum status begun;

    if (!score_sample_add(&play->sample, score))
        return;
    begun = evidence_begin(&play->evidence, &play->terms, &play->sample);
    ENSURE(begun == OK);
}

static bool
is_served(struct play *play, const struct scored_request *request)
{
    enum evidence_reason reason;

    if (!play->evidence.begun) {
        sample(play, request->score);
        return false;
    }
    if (coin_falls(rng_next(&play->rng), evidence_audit_ppm(&play->evidence, false))) {
        audit(play, request);
        play->out.spent += play->wanted->price_ratio;
        return false;
    }
    return evidence_may_serve(&play->evidence, request->score, &reason) > 0;
}

static void
request(struct play *play, const struct scored_request *request)
{
    bool served = is_served(play, request), later = play->out.requests++ >= play->half;

    play->out.served += served;
    play->out.later_requests += later;
    play->out.later_served += later && served;
    play->out.served_good += served ? (double)request->outcome : 0;
    play->out.spent += served ? play->wanted->price_ratio : 1;
}

static void
pass(struct play *play, uint32_t *order)
{
    const struct scored_set *set = play->set;

    if (!play->wanted->bootstrap)
        eval_shuffle(&play->rng, order, set->count);
    for (size_t i = 0; i < set->count; i++)
        request(play, &set->all[play->wanted->bootstrap ? rng_below(&play->rng, set->count) : order[i]]);
}

struct guarantee_outcome
guarantee_play(const struct scored_set *set, const struct scored_request *order, const struct guarantee_wanted *wanted)
{
    struct play play = {.set = set, .wanted = wanted};
    uint32_t *places = must_alloc((set->count + 1) * sizeof(*places));

    play.terms =
        (struct evidence_terms){.scope = wanted->scope, .floor_ppm = wanted->floor_ppm, .alpha_ppm = wanted->alpha_ppm};
    play.half = order != NULL ? wanted->later_from : (uint64_t)set->count * wanted->passes / 2;
    rng_seed(&play.rng, wanted->seed);
    for (size_t i = 0; i < set->count; i++)
        places[i] = (uint32_t)i;
    while (wanted->warm && !play.evidence.begun)
        sample(&play, set->all[rng_below(&play.rng, set->count)].score);
    for (size_t i = 0; order != NULL && i < set->count; i++)
        request(&play, &order[i]);
    for (unsigned i = 0; order == NULL && i < wanted->passes; i++)
        pass(&play, places);
    free(places);
    play.out.verdict = evidence_verdict(&play.evidence);
    return play.out;
}

static double
share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void
take_medians(const struct guarantee_outcome *all, unsigned orders, struct guarantee_summary *sum)
{
    double *numbers = must_alloc(5 * orders * sizeof(*numbers) + 1);
    double *targets[5] = {&sum->later_share, &sum->share, &sum->quality, &sum->audits, &sum->saved};

    for (unsigned i = 0; i < orders; i++) {
        const struct guarantee_outcome *one = &all[i];
        double requests = (double)one->requests;

        numbers[i] = share((double)one->later_served, (double)one->later_requests);
        numbers[orders + i] = share((double)one->served, requests);
        numbers[2 * orders + i] = share(one->served_good, (double)one->served);
        numbers[3 * orders + i] = share((double)one->audits, requests);
        numbers[4 * orders + i] = 1 - share(one->spent, requests);
    }
    for (unsigned k = 0; k < 5; k++)
        *targets[k] = eval_median(numbers + k * orders, orders);
    free(numbers);
}

struct guarantee_summary
guarantee_play_all(const struct scored_set *set, const struct guarantee_wanted *wanted, unsigned orders)
{
    struct guarantee_outcome *all = must_alloc(orders * sizeof(*all));
    struct guarantee_wanted one = *wanted;
    struct guarantee_summary sum = {.orders = orders, .best = scored_set_best(set, wanted->scope, wanted->floor_ppm)};

    for (unsigned i = 0; i < orders; i++, one.seed++) {
        all[i] = guarantee_play(set, NULL, &one);
        sum.violated += all[i].violated;
        sum.serving += all[i].verdict.serving.arm != ARM_NONE;
        sum.below += all[i].verdict.reason == EVIDENCE_BELOW_FLOOR;
        sum.suspended += all[i].suspensions > 0;
    }
    take_medians(all, orders, &sum);
    free(all);
    return sum;
}
