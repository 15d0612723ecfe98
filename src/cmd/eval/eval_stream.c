#include "cmd/eval/eval_stream.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "cmd/eval/eval_sums.h"
#include "quality/coin.h"

struct stream {
    const struct scored_pairs *pairs;
    const struct stream_wanted *wanted;
    struct evidence_terms terms;
    struct evidence evidence;
    struct score_sample sample;
    struct stream_outcome out;
    struct rng rng;
};

static bool
within(const struct pairs_served *served, uint32_t limit_ppm)
{
    return (uint64_t)served->wrong * PPM <= (uint64_t)served->hits * limit_ppm;
}

static struct pairs_served
arm_of_all(const struct stream *stream)
{
    const struct evidence *evidence = &stream->evidence;

    if (!evidence->begun || evidence->serving == ARM_NONE)
        return (struct pairs_served){.threshold = NAN};
    return scored_pairs_from(stream->pairs, evidence->arms.threshold[evidence->serving]);
}

static void
audit(struct stream *stream, const struct scored_pair *pair)
{
    const struct audit said = {.score = pair->score, .outcome = pair->same ? 1 : 0};

    stream->out.audits++;
    if (evidence_observe(&stream->evidence, &said) & EVENT_EARNED) {
        struct pairs_served served = arm_of_all(stream);

        stream->out.kept = stream->out.kept && within(&served, stream->wanted->limit_ppm);
    }
}

static void
request(struct stream *stream, const struct scored_pair *pair)
{
    enum evidence_reason reason;

    stream->out.requests++;
    if (!stream->evidence.begun) {
        if (score_sample_add(&stream->sample, pair->score)) {
            enum status begun = evidence_begin(&stream->evidence, &stream->terms, &stream->sample);

            ENSURE(begun == OK);
        }
        return;
    }
    if (evidence_arm_of(&stream->evidence, pair->score) == ARM_NONE)
        return;
    if (coin_falls(rng_next(&stream->rng), evidence_audit_ppm(&stream->evidence, false))) {
        audit(stream, pair);
    } else if (evidence_may_serve(&stream->evidence, pair->score, &reason) > 0) {
        stream->out.hits++;
        stream->out.wrong += !pair->same;
    }
}

struct stream_outcome
stream_play(const struct scored_pairs *pairs, const struct stream_wanted *wanted)
{
    uint32_t *order = must_alloc((pairs->count + 1) * sizeof(*order));
    struct stream stream = {.pairs = pairs, .wanted = wanted, .out = {.kept = true}};

    stream.terms = (struct evidence_terms){
        .scope = FLOOR_SERVED, .floor_ppm = PPM - wanted->limit_ppm, .alpha_ppm = wanted->alpha_ppm};
    rng_seed(&stream.rng, wanted->seed);
    for (size_t i = 0; i < pairs->count; i++)
        order[i] = (uint32_t)i;
    for (unsigned pass = 0; pass < wanted->passes; pass++) {
        eval_shuffle(&stream.rng, order, pairs->count);
        for (size_t i = 0; i < pairs->count; i++)
            request(&stream, &pairs->all[order[i]]);
    }
    free(order);
    stream.out.verdict = evidence_verdict(&stream.evidence);
    stream.out.arm = arm_of_all(&stream);
    return stream.out;
}

/* What is asked of each order, to take the median. NAN: this order has none. */
typedef double measure(const struct scored_pairs *pairs, const struct stream_outcome *order);

static bool
serves(const struct stream_outcome *order)
{
    return !isnan(order->arm.threshold);
}

static double
measure_hits(const struct scored_pairs *pairs, const struct stream_outcome *order)
{
    (void)pairs;
    return order->hits > 0 ? (double)order->hits / (double)order->requests : NAN;
}

static double
measure_false_hits(const struct scored_pairs *pairs, const struct stream_outcome *order)
{
    (void)pairs;
    return order->hits > 0 ? (double)order->wrong / (double)order->hits : NAN;
}

static double
measure_arm(const struct scored_pairs *pairs, const struct stream_outcome *order)
{
    return serves(order) ? (double)order->arm.hits / (double)pairs->count : NAN;
}

static double
measure_arm_wrong(const struct scored_pairs *pairs, const struct stream_outcome *order)
{
    (void)pairs;
    return serves(order) ? (double)order->arm.wrong / (double)order->arm.hits : NAN;
}

static double
measure_threshold(const struct scored_pairs *pairs, const struct stream_outcome *order)
{
    (void)pairs;
    return order->arm.threshold;
}

static double
measure_labels(const struct scored_pairs *pairs, const struct stream_outcome *order)
{
    (void)pairs;
    return (double)order->audits;
}

static double
measure_missing_at_best(const struct scored_pairs *pairs, const struct stream_outcome *order)
{
    (void)pairs;
    return serves(order) || order->verdict.next.arm == ARM_NONE ? NAN : (double)order->verdict.next.missing_at_best;
}

static double
measure_missing_as_so_far(const struct scored_pairs *pairs, const struct stream_outcome *order)
{
    uint64_t missing = order->verdict.next.missing_as_so_far;

    (void)pairs;
    if (serves(order) || order->verdict.next.arm == ARM_NONE)
        return NAN;
    return missing == BETTING_NEVER || order->verdict.reason == EVIDENCE_BELOW_FLOOR ? INFINITY : (double)missing;
}

static double
measure_labels_per_request(const struct scored_pairs *pairs, const struct stream_outcome *order)
{
    struct pairs_served arm;

    if (serves(order) || order->verdict.next.arm == ARM_NONE)
        return NAN;
    arm = scored_pairs_from(pairs, order->verdict.next.threshold);
    return (double)arm.hits / (double)pairs->count;
}

static double
median_of(measure *of, const struct scored_pairs *pairs, const struct stream_outcome *orders, unsigned count)
{
    double *numbers = must_alloc(count * sizeof(*numbers)), result;
    size_t found = 0;

    for (unsigned i = 0; i < count; i++) {
        double number = of(pairs, &orders[i]);

        if (!isnan(number))
            numbers[found++] = number;
    }
    result = eval_median(numbers, found);
    free(numbers);
    return result;
}

struct stream_summary
stream_play_all(const struct scored_pairs *pairs, const struct stream_wanted *wanted, unsigned orders)
{
    struct stream_outcome *all = must_alloc(orders * sizeof(*all));
    struct stream_wanted one = *wanted;
    struct stream_summary sum = {.orders = orders};

    for (unsigned i = 0; i < orders; i++, one.seed++) {
        all[i] = stream_play(pairs, &one);
        sum.serving += serves(&all[i]);
        sum.kept += all[i].kept;
        sum.below += all[i].verdict.reason == EVIDENCE_BELOW_FLOOR;
    }
    sum.hits = median_of(measure_hits, pairs, all, orders);
    sum.false_hits = median_of(measure_false_hits, pairs, all, orders);
    sum.arm = median_of(measure_arm, pairs, all, orders);
    sum.arm_wrong = median_of(measure_arm_wrong, pairs, all, orders);
    sum.threshold = median_of(measure_threshold, pairs, all, orders);
    sum.labels = median_of(measure_labels, pairs, all, orders);
    sum.missing_at_best = median_of(measure_missing_at_best, pairs, all, orders);
    sum.missing_as_so_far = median_of(measure_missing_as_so_far, pairs, all, orders);
    sum.labels_per_request = median_of(measure_labels_per_request, pairs, all, orders);
    free(all);
    return sum;
}
