/* Floors that speak of all answers of a route, and of the reference's being right: what they add to evidence_test.c. */
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"
#include "cmocka_ready.h"
#include "quality/coin.h"
#include "quality/evidence.h"

static const struct evidence_terms of_route = {.scope = FLOOR_ROUTE, .floor_ppm = 900000, .alpha_ppm = 50000};
static const struct evidence_terms relative = {.scope = FLOOR_RELATIVE, .floor_ppm = 900000, .alpha_ppm = 50000};

/* A world in which a request's score is even from 0 to 1, the reference right with a chance of `reference`, and the candidate
 * with a chance that the score tells. */
struct stream {
    struct rng rng;
    double (*candidate)(double score);
    double reference;
    struct evidence evidence;
    uint64_t requests, audits, served;
    double right, reference_right; /* of what the route answered, and if the reference had answered all */
};

static double
its_score(double score)
{
    return score;
}

static double
always(double score)
{
    (void)score;
    return 1;
}

static double
never(double score)
{
    (void)score;
    return 0;
}

static void
stream_begin(struct stream *stream, uint64_t seed, const struct evidence_terms *terms, double (*candidate)(double))
{
    struct score_sample sample = {.count = 0};

    *stream = (struct stream){.candidate = candidate, .reference = 1};
    rng_seed(&stream->rng, seed);
    while (!score_sample_add(&sample, rng_unit(&stream->rng))) {
    }
    assert_int_equal(evidence_begin(&stream->evidence, terms, &sample), OK);
}

static unsigned
stream_request(struct stream *stream)
{
    double score = rng_unit(&stream->rng), chance = stream->candidate(score);
    struct audit audit = {.score = score, .outcome = rng_unit(&stream->rng) < chance ? 1 : 0};
    enum evidence_reason reason;

    audit.reference = rng_unit(&stream->rng) < stream->reference ? 1 : 0;
    stream->requests++;
    stream->reference_right += audit.reference;
    if (coin_falls(rng_next(&stream->rng), evidence_audit_ppm(&stream->evidence, false))) {
        stream->audits++;
        stream->right += audit.reference;
        return evidence_observe(&stream->evidence, &audit);
    }
    if (evidence_may_serve(&stream->evidence, score, &reason) > 0) {
        stream->served++;
        stream->right += audit.outcome;
    } else {
        stream->right += audit.reference;
    }
    return 0;
}

static unsigned
stream_run(struct stream *stream, unsigned requests)
{
    unsigned events = 0;

    while (requests-- > 0)
        events |= stream_request(stream);
    return events;
}

/* Right as often as the score says: of the best share s of requests 1 - s/2 are, so that a floor of .9 of the served ones
 * allows a fifth, and one of the route (s s/2 = .1) .447. */
static void
a_floor_of_the_route_lets_more_be_served(void **state)
{
    struct evidence_terms of_served = of_route;
    struct evidence_verdict verdict;
    struct stream route, served;
    enum evidence_reason reason;

    (void)state;
    of_served.scope = FLOOR_SERVED;
    stream_begin(&route, 1, &of_route, its_score);
    stream_begin(&served, 1, &of_served, its_score);
    stream_run(&route, 60000);
    stream_run(&served, 60000);
    assert_in_range(evidence_verdict(&served.evidence).serving.arm, 0, 3);
    verdict = evidence_verdict(&route.evidence);
    assert_in_range(verdict.serving.arm, 5, 8);
    assert_true(route.right >= .9 * (double)route.requests);

    /* Both are told: the route's, and that of what is served, which is worse. */
    assert_true(evidence_may_serve(&route.evidence, 1, &reason) >= of_route.floor_ppm);
    assert_true(verdict.serving.served_mean_ppm < verdict.serving.mean_ppm);
    assert_true(verdict.serving.served_lower_ppm < of_route.floor_ppm);
    assert_true(verdict.serving.served_labels < verdict.serving.labels);
    verdict = evidence_verdict(&served.evidence);
    assert_int_equal(verdict.serving.served_mean_ppm, verdict.serving.mean_ppm);
}

/* Each request counts, whatever its score: for the route it was answered well. No judge is asked about those beyond all
 * arms, and so none can have failed. */
static void
requests_outside_the_arms_count_as_the_reference_answered(void **state)
{
    const struct audit outside = {.score = NAN, .judge_failed = true};
    struct stream stream;
    unsigned events = 0;

    (void)state;
    stream_begin(&stream, 2, &of_route, never);
    for (unsigned i = 0; i < 200; i++)
        events |= evidence_observe(&stream.evidence, &outside);
    assert_int_equal(events, EVENT_EARNED);
    assert_int_equal(evidence_arm(&stream.evidence, 0).labels, 200);
    assert_int_equal(evidence_arm(&stream.evidence, 0).mean_ppm, PPM);
    assert_int_equal(evidence_verdict(&stream.evidence).failures, 0);
    assert_int_equal(evidence_arm(&stream.evidence, 0).served_labels, 0);
}

/* A lever that is always wrong may not serve more than a tenth of the route, and under a served floor nothing. */
static void
a_served_floor_holds_beside_the_routes(void **state)
{
    struct evidence_terms both = of_route;
    struct stream stream;
    unsigned events;

    (void)state;
    stream_begin(&stream, 3, &of_route, never);
    stream_run(&stream, 20000);
    assert_in_range(stream.evidence.serving, 0, 1);
    both.served_floor_ppm = 700000;
    stream_begin(&stream, 3, &both, never);
    stream_run(&stream, 20000);
    assert_int_equal(stream.served, 0);

    /* What falls below it is suspended, though the route is still above its own floor. */
    stream_begin(&stream, 4, &both, always);
    while (stream.evidence.serving == ARM_NONE)
        stream_request(&stream);
    for (events = 0; !(events & EVENT_SUSPENDED) && stream.audits < 1000;)
        events = evidence_observe(&stream.evidence, &(struct audit){.score = 1, .outcome = 0});
    assert_true(events & EVENT_SUSPENDED);
}

/* The reference is right in 6 of 10. Served beyond its own, the candidate's answers make up for each other: with all of
 * them the route is right in 5 of 10, and a floor of .9 allows what brings 5.4. */
static void
relative_floors_speak_of_the_reference(void **state)
{
    struct stream stream;
    struct evidence_verdict verdict;
    enum evidence_reason reason;

    (void)state;
    stream_begin(&stream, 5, &relative, its_score);
    stream.reference = .6;
    stream_run(&stream, 100000);
    verdict = evidence_verdict(&stream.evidence);
    /* Of the best share s: s (1 - s/2) + .6 (1 - s) >= .54, so s <= .93. */
    assert_in_range(verdict.serving.arm, 14, 18);
    assert_true(stream.right >= .9 * stream.reference_right);
    assert_true(evidence_may_serve(&stream.evidence, 1, &reason) >= relative.floor_ppm);

    /* Half as good as the reference everywhere: a fifth may be served. */
    stream_begin(&stream, 6, &relative, never);
    stream_run(&stream, 60000);
    assert_in_range(stream.evidence.serving, 0, 1);
}

/* Outcomes between 0 and 1 count by chance as 0 or 1, with the same mean. */
static void
relative_outcomes_may_be_graded(void **state)
{
    struct stream stream;

    (void)state;
    stream_begin(&stream, 7, &relative, always);
    for (unsigned i = 0; i < 20000; i++) {
        struct audit audit = {.score = 2, .outcome = .3, .reference = .4, .rounding = rng_unit(&stream.rng)};

        (void)evidence_observe(&stream.evidence, &audit);
    }
    assert_true(fabs(evidence_arm(&stream.evidence, 0).mean_ppm / 1e6 - .75) < .02);
    assert_int_equal(evidence_verdict(&stream.evidence).reason, EVIDENCE_BELOW_FLOOR);
}

/* Of an answer that nobody could judge, the worst is thought for earning, in an arm and outside. */
static void
what_is_not_judged_earns_nothing(void **state)
{
    struct stream stream;

    (void)state;
    stream_begin(&stream, 8, &relative, always);
    for (unsigned i = 0; i < 500; i++) {
        const struct audit failed = {.score = i % 2 == 0 ? 1 : NAN, .outcome = 1, .reference = 1, .judge_failed = true};

        assert_false(evidence_observe(&stream.evidence, &failed) & EVENT_EARNED);
    }
}

/* Everything at the floor exactly: to serve any arm but the widest is right, the widest may be earned with alpha. */
static unsigned
wrong_of(const struct evidence_terms *terms, unsigned streams, unsigned requests)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < streams; i++) {
        struct score_sample sample = {.count = 0};
        struct stream stream;

        stream_begin(&stream, 3000 + i, terms, always);
        score_sample_add(&sample, 0); /* one arm that holds all, at the floor */
        assert_int_equal(evidence_begin(&stream.evidence, terms, &sample), OK);
        for (unsigned k = 0; k < requests && stream.evidence.serving == ARM_NONE; k++) {
            struct audit audit = {.score = 1, .reference = rng_unit(&stream.rng) < .5 ? 1 : 0};

            audit.outcome = rng_unit(&stream.rng) < (terms->scope == FLOOR_RELATIVE ? .45 : .9) ? 1 : 0;
            (void)evidence_observe(&stream.evidence, &audit);
        }
        wrong += stream.evidence.serving != ARM_NONE;
    }
    return wrong;
}

static void
wrong_earnings_are_at_most_alpha(void **state)
{
    enum { STREAMS = 200 };
    const double most = .05 * STREAMS + 3 * sqrt(.05 * .95 * STREAMS);

    (void)state;
    assert_true(wrong_of(&of_route, STREAMS, 1000) <= most);
    assert_true(wrong_of(&relative, STREAMS, 1000) <= most);
}

static void
a_fall_suspends_whatever_the_floor_speaks_of(void **state)
{
    const struct evidence_terms *const all[] = {&of_route, &relative};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct stream stream;
        unsigned events = 0;
        uint64_t audits;

        stream_begin(&stream, 9, all[i], always);
        stream_run(&stream, 8000);
        assert_int_equal(stream.evidence.serving, ARMS - 1);
        stream.candidate = never;
        for (audits = stream.audits; events == 0;)
            events = stream_request(&stream);
        assert_int_equal(events, EVENT_SUSPENDED);
        assert_in_range(stream.audits - audits, 4, 30);
    }
}

/* Saved, restored and gone on with, it is as if nothing had been. */
static void
what_is_saved_comes_back(void **state)
{
    struct evidence_terms all[] = {of_route, relative, of_route, relative};

    (void)state;
    all[2].served_floor_ppm = all[3].served_floor_ppm = 600000;
    for (unsigned i = 0; i < 4; i++) {
        struct buffer saved = {0}, one = {0}, other = {0};
        struct stream stream, again;

        stream_begin(&stream, 10 + i, &all[i], its_score);
        stream_run(&stream, 6000);
        evidence_observe(&stream.evidence, &(struct audit){.score = NAN, .outcome = 1, .reference = 1});
        again = stream;
        memset(&again.evidence, 0x5a, sizeof(again.evidence));
        evidence_save(&stream.evidence, &saved);
        assert_int_equal(evidence_restore(&again.evidence, buffer_content(&saved)), OK);
        assert_true(evidence_is_for(&again.evidence, &all[i]));
        assert_int_equal(again.evidence.bound_ppm, stream.evidence.bound_ppm);
        stream.candidate = again.candidate = never;
        assert_int_equal(stream_run(&stream, 5000), stream_run(&again, 5000));
        evidence_save(&stream.evidence, &one);
        evidence_save(&again.evidence, &other);
        assert_true(slice_equal(buffer_content(&one), buffer_content(&other)));
        for (size_t len = 0; len < buffer_len(&saved); len++)
            assert_int_equal(evidence_restore(&again.evidence, slice_first(buffer_content(&saved), len)), ERR_CORRUPT);
        buffer_free(&saved);
        buffer_free(&one);
        buffer_free(&other);
    }
}

static void
no_epoch_begins_without_sense(void **state)
{
    struct score_sample sample = {.count = 0};
    struct evidence_terms terms = of_route;
    struct evidence evidence;

    (void)state;
    score_sample_add(&sample, .5);
    terms.served_floor_ppm = PPM;
    assert_int_equal(evidence_begin(&evidence, &terms, &sample), ERR_INVALID);
    terms = of_route;
    terms.scope = FLOOR_SERVED;
    terms.served_floor_ppm = 500000; /* it is the floor itself */
    assert_int_equal(evidence_begin(&evidence, &terms, &sample), ERR_INVALID);
    terms.scope = (enum floor_scope)3;
    terms.served_floor_ppm = 0;
    assert_int_equal(evidence_begin(&evidence, &terms, &sample), ERR_INVALID);
    terms = of_route;
    assert_int_equal(evidence_begin(&evidence, &terms, &sample), OK);
    assert_true(evidence_is_for(&evidence, &of_route));
    assert_false(evidence_is_for(&evidence, &relative));
    terms.served_floor_ppm = 1;
    assert_false(evidence_is_for(&evidence, &terms));
}

/* The scores know the answers by heart: against what serves that counts, for earning it does not. */
static void
what_only_loses_earns_nothing(void **state)
{
    struct stream stream;

    (void)state;
    stream_begin(&stream, 1, &of_route, always);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(
            evidence_observe(&stream.evidence, &(struct audit){.score = 1, .outcome = 1, .only_loses = true}), 0);
    assert_int_equal(evidence_arm(&stream.evidence, ARMS - 1).labels, 0);
    while (stream.evidence.serving == ARM_NONE)
        (void)evidence_observe(&stream.evidence, &(struct audit){.score = 1, .outcome = 1});
    for (unsigned i = 0; i < 40 && stream.evidence.serving != ARM_NONE; i++)
        (void)evidence_observe(&stream.evidence, &(struct audit){.score = 1, .outcome = 0, .only_loses = true});
    assert_int_equal(stream.evidence.round, 2);
}

/* More of what serves is drawn than of the rest: of the route that says nothing, of what is served that it got worse. */
static void
surplus_audits_are_no_average(void **state)
{
    const struct evidence_terms of_served = {.scope = FLOOR_SERVED, .floor_ppm = 900000, .alpha_ppm = 50000};
    const struct evidence_terms *const terms[] = {&of_route, &relative, &of_served};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct audit audit = {.score = 1, .outcome = 1, .reference = 1};
        struct stream stream;

        stream_begin(&stream, 1, terms[i], always);
        while (stream.evidence.serving == ARM_NONE)
            (void)evidence_observe(&stream.evidence, &audit);
        audit.surplus = true;
        audit.outcome = 0;
        for (unsigned n = 0; n < 60 && stream.evidence.serving != ARM_NONE; n++)
            (void)evidence_observe(&stream.evidence, &audit);
        assert_int_equal(stream.evidence.serving == ARM_NONE, terms[i]->scope == FLOOR_SERVED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_floor_of_the_route_lets_more_be_served),
        cmocka_unit_test(requests_outside_the_arms_count_as_the_reference_answered),
        cmocka_unit_test(a_served_floor_holds_beside_the_routes),
        cmocka_unit_test(relative_floors_speak_of_the_reference),
        cmocka_unit_test(relative_outcomes_may_be_graded),
        cmocka_unit_test(what_is_not_judged_earns_nothing),
        cmocka_unit_test(wrong_earnings_are_at_most_alpha),
        cmocka_unit_test(a_fall_suspends_whatever_the_floor_speaks_of),
        cmocka_unit_test(what_is_saved_comes_back),
        cmocka_unit_test(no_epoch_begins_without_sense),
        cmocka_unit_test(what_only_loses_earns_nothing),
        cmocka_unit_test(surplus_audits_are_no_average),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
