/* Evidence as a lever gathers it: arms, walk, coin, suspension, epochs, and what is kept of it. */
#include "quality/evidence.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"
#include "cmocka_ready.h"
#include "quality/coin.h"

static const struct evidence_terms usual = {.scope = FLOOR_SERVED, .floor_ppm = 900000, .alpha_ppm = 50000, .epoch = 7};

/* A world in which a request's score is even from 0 to 1, and its answer acceptable with a chance that the score tells. */
struct stream {
    struct rng rng;
    double (*acceptable)(double score);
    struct evidence evidence;
    uint64_t requests, audits, served, wrongly;
};

static double
perfect(double score)
{
    (void)score;
    return 1;
}

static double
at_the_floor(double score)
{
    (void)score;
    return .9;
}

static double
better_with_score(double score)
{
    return score > .5 ? .985 : score;
}

static double
never(double score)
{
    (void)score;
    return .1;
}

static void
stream_begin(struct stream *stream, uint64_t seed, const struct evidence_terms *terms, double (*acceptable)(double))
{
    struct score_sample sample = {.count = 0};

    *stream = (struct stream){.acceptable = acceptable};
    rng_seed(&stream->rng, seed);
    while (!score_sample_add(&sample, rng_unit(&stream->rng))) {
    }
    assert_int_equal(evidence_begin(&stream->evidence, terms, &sample), OK);
}

/* One request, as a lever handles it. Returns the events. */
static unsigned
stream_request(struct stream *stream)
{
    double score = rng_unit(&stream->rng), share = stream->acceptable(score);
    bool good = rng_unit(&stream->rng) < share;
    enum evidence_reason reason;

    stream->requests++;
    if (coin_falls(rng_next(&stream->rng), evidence_audit_ppm(&stream->evidence, false))) {
        stream->audits++;
        return evidence_observe(&stream->evidence, &(struct audit){.score = score, .outcome = good ? 1 : 0});
    }
    if (evidence_may_serve(&stream->evidence, score, &reason) > 0) {
        stream->served++;
        stream->wrongly += !good;
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

static void
arms_are_twentieths_of_what_was_seen(void **state)
{
    struct score_sample sample = {.count = 0};
    struct arms arms;

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        score_sample_add(&sample, (i * 7 % 200) / 200.0); /* 0, .005, ... .995 in some order */
    arms_freeze(&arms, &sample, 0);
    assert_int_equal(arms.start, 0);
    for (unsigned arm = 0; arm < ARMS; arm++)
        assert_true(fabs(arms.threshold[arm] - (190 - 10 * (double)arm) / 200) < 1e-9);
    assert_int_equal(arms_of(&arms, 2), 0);
    assert_int_equal(arms_of(&arms, .95), 0);
    assert_int_equal(arms_of(&arms, .949), 1);
    assert_int_equal(arms_of(&arms, 0), 19);
    assert_int_equal(arms_of(&arms, -.001), ARM_NONE);
    assert_int_equal(arms_of(&arms, NAN), ARM_NONE);
}

/* 500 labels an arm in 10,000 requests, if each has a score; fewer if only some do. */
static void
a_walk_starts_where_labels_come(void **state)
{
    const struct {
        uint64_t requests;
        double needed;
        unsigned start;
    } cases[] = {{200, 500, 0}, {200, 501, 1}, {200, 10000, 19}, {200, 10001, 19}, {2000, 50, 0}, {2000, 299, 5}};

    (void)state;
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct score_sample sample = {.count = 0};
        struct arms arms;

        for (unsigned i = 0; i < 200; i++)
            score_sample_add(&sample, i);
        sample.requests = cases[k].requests;
        arms_freeze(&arms, &sample, cases[k].needed);
        assert_int_equal(arms.start, cases[k].start);
    }
}

/* Equal scores stand in one arm, which holds them all. */
static void
equal_scores_share_an_arm(void **state)
{
    struct score_sample sample = {.count = 0};
    struct arms arms;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        score_sample_add(&sample, i < 50 ? 1 : 0);
    score_sample_add(&sample, NAN);
    assert_int_equal(sample.count, 100);
    assert_int_equal(sample.requests, 101);
    arms_freeze(&arms, &sample, 4000);
    assert_int_equal(arms.start, 0);
    assert_int_equal(arms_of(&arms, 1), 0);
    assert_int_equal(arms_of(&arms, .5), 10);
}

static void
no_epoch_begins_without_scores_or_sense(void **state)
{
    const struct evidence_terms bad[] = {{.floor_ppm = 0, .alpha_ppm = 1},
                                         {.floor_ppm = PPM, .alpha_ppm = 1},
                                         {.floor_ppm = 1, .alpha_ppm = 0},
                                         {.floor_ppm = 1, .alpha_ppm = PPM}};
    struct score_sample sample = {.count = 0};
    struct evidence evidence = {.begun = false};
    enum evidence_reason reason;

    (void)state;
    assert_int_equal(evidence_begin(&evidence, &usual, &sample), ERR_INVALID);
    score_sample_add(&sample, .5);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(evidence_begin(&evidence, &bad[i], &sample), ERR_INVALID);
    assert_int_equal(evidence_may_serve(&evidence, 1, &reason), 0);
    assert_int_equal(reason, EVIDENCE_NO_EPOCH);
    assert_int_equal(evidence_observe(&evidence, &(struct audit){.score = 1, .outcome = 1}), 0);
    assert_int_equal(evidence_audit_ppm(&evidence, false), PPM);
    assert_int_equal(evidence_verdict(&evidence).reason, EVIDENCE_NO_EPOCH);
}

/* However long the first earning took, the walk to the next arm begins with the common coin. */
static void
the_coin_is_rare_only_once_the_walk_stalls(void **state)
{
    struct evidence_terms strict = usual;
    struct stream stream;
    unsigned events = 0;

    (void)state;
    strict.floor_ppm = 960000; /* 225 labels are long for a walk */
    stream_begin(&stream, 10, &strict, better_with_score);
    while (events == 0)
        events = stream_request(&stream);
    assert_int_equal(events, EVENT_EARNED);
    assert_true(evidence_arm(&stream.evidence, stream.evidence.arms.start).labels > 225);
    assert_int_equal(evidence_audit_ppm(&stream.evidence, false), AUDIT_SERVING_PPM);
    stream_run(&stream, 20000);
    assert_int_equal(evidence_audit_ppm(&stream.evidence, false), AUDIT_STALLED_PPM);
}

/* Flawless answers: arm after arm is earned, and its bound is over the floor. */
static void
good_answers_earn_arm_after_arm(void **state)
{
    struct stream stream;
    struct evidence_verdict verdict;
    enum evidence_reason reason;
    unsigned events = 0;

    (void)state;
    stream_begin(&stream, 1, &usual, perfect);
    assert_int_equal(evidence_audit_ppm(&stream.evidence, false), AUDIT_SHADOW_PPM);
    while (events == 0)
        events = stream_request(&stream);
    assert_int_equal(events, EVENT_EARNED);
    verdict = evidence_verdict(&stream.evidence);
    assert_int_equal(verdict.reason, EVIDENCE_SERVES);
    assert_in_range(evidence_arm(&stream.evidence, 0).labels, 35, 80);
    assert_in_range(verdict.serving.arm, 1, ARMS - 1); /* wider ones had gathered as many by then */
    assert_true(verdict.serving.lower_ppm >= usual.floor_ppm);
    assert_int_equal(evidence_may_serve(&stream.evidence, 1, &reason), stream.evidence.bound_ppm);
    assert_int_equal(verdict.serving.lower_ppm, stream.evidence.bound_ppm);

    stream_run(&stream, 20000);
    verdict = evidence_verdict(&stream.evidence);
    assert_int_equal(verdict.serving.arm, ARMS - 1);
    assert_int_equal(verdict.next.arm, ARM_NONE);
    assert_int_equal(verdict.audit_ppm, AUDIT_STALLED_PPM);
    assert_int_equal(stream.wrongly, 0);
}

/* The walk stops at the arms that are not good enough, and the coin becomes rarer. */
static void
a_walk_stops_at_the_floor(void **state)
{
    struct evidence_verdict verdict;
    struct stream stream;
    enum evidence_reason reason;
    unsigned events = 0;

    (void)state;
    stream_begin(&stream, 2, &usual, better_with_score);
    while (events == 0)
        events = stream_request(&stream);
    assert_int_equal(events, EVENT_EARNED);
    assert_int_equal(evidence_audit_ppm(&stream.evidence, false), AUDIT_SERVING_PPM);
    assert_int_equal(evidence_audit_ppm(&stream.evidence, true), AUDIT_SHADOW_PPM);
    assert_true(evidence_may_serve(&stream.evidence, 1, &reason) >= usual.floor_ppm);
    assert_int_equal(evidence_may_serve(&stream.evidence, 0, &reason), 0);
    assert_int_equal(reason, EVIDENCE_OUTSIDE);

    stream_run(&stream, 30000);
    verdict = evidence_verdict(&stream.evidence);
    assert_int_equal(verdict.suspensions, 0);
    assert_in_range(verdict.serving.arm, 6, 14); /* arm 9 holds all scores above .5; at 14 the mean is .9 */
    assert_int_equal(verdict.next.arm, verdict.serving.arm + 1);
    assert_int_equal(verdict.audit_ppm, AUDIT_STALLED_PPM);
    assert_true(stream.served > 5000 && (double)stream.wrongly < .1 * (double)stream.served);
}

static void
bad_answers_earn_nothing_and_say_so(void **state)
{
    struct evidence_verdict verdict;
    enum evidence_reason reason;
    struct stream stream;

    (void)state;
    stream_begin(&stream, 3, &usual, never);
    assert_int_equal(evidence_verdict(&stream.evidence).reason, EVIDENCE_FEW_LABELS);
    assert_int_equal(stream_run(&stream, 2000), EVENT_BELOW_FLOOR);
    verdict = evidence_verdict(&stream.evidence);
    assert_int_equal(verdict.reason, EVIDENCE_BELOW_FLOOR);
    assert_true(verdict.next.upper_ppm < usual.floor_ppm);
    assert_true(verdict.next.missing_as_so_far == BETTING_NEVER);
    assert_int_equal(evidence_may_serve(&stream.evidence, 1, &reason), 0);
    assert_int_equal(reason, EVIDENCE_BELOW_FLOOR);
}

/* All arms exactly at the floor: any earning is wrong, and there are at most alpha of them. */
static void
wrong_earnings_are_at_most_alpha(void **state)
{
    enum { STREAMS = 400, REQUESTS = 3000 };
    const double alpha = .05;
    unsigned wrong = 0;

    (void)state;
    for (unsigned i = 0; i < STREAMS; i++) {
        struct stream stream;

        stream_begin(&stream, 1000 + i, &usual, at_the_floor);
        wrong += (stream_run(&stream, REQUESTS) & EVENT_EARNED) != 0;
    }
    assert_true(wrong <= alpha * STREAMS + 3 * sqrt(alpha * (1 - alpha) * STREAMS));
}

/* Half of the arm is always acceptable and audited four times as often as the other half; together they are at the floor.
 * Told the scale of its bets the test is not deceived; were it not told, it would take the good half for the whole. */
static unsigned
wrong_with_uneven_audits(unsigned streams, unsigned audits, bool scaled)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < streams; i++) {
        struct stream stream;
        unsigned events = 0;

        stream_begin(&stream, 2000 + i, &usual, at_the_floor);
        for (unsigned k = 0; k < audits && events == 0; k++) {
            bool good_half = rng_unit(&stream.rng) < .8;
            struct audit audit = {.score = 2, .outcome = good_half || rng_unit(&stream.rng) < .8};

            audit.halvings = scaled && good_half ? 2 : 0;
            events = evidence_observe(&stream.evidence, &audit) & EVENT_EARNED;
        }
        wrong += events != 0;
    }
    return wrong;
}

static void
scaled_bets_make_up_for_uneven_audits(void **state)
{
    enum { STREAMS = 200, AUDITS = 1000 };

    (void)state;
    assert_true(wrong_with_uneven_audits(STREAMS, AUDITS, true) <= .05 * STREAMS + 3 * sqrt(.05 * .95 * STREAMS));
    assert_true(wrong_with_uneven_audits(STREAMS, AUDITS, false) > STREAMS / 2);
}

/* A fall stops everything at once, drops the evidence, and makes the next earning harder. */
static void
a_fall_suspends_all_arms(void **state)
{
    struct evidence_verdict verdict;
    enum evidence_reason reason;
    struct stream stream;
    unsigned events = 0;
    uint64_t audits, labels;

    (void)state;
    stream_begin(&stream, 4, &usual, perfect);
    stream_run(&stream, 8000);
    stream.acceptable = never;
    for (audits = stream.audits; events == 0;)
        events = stream_request(&stream);
    assert_int_equal(events, EVENT_SUSPENDED);
    assert_in_range(stream.audits - audits, 4, 30);
    verdict = evidence_verdict(&stream.evidence);
    assert_int_equal(verdict.reason, EVIDENCE_FEW_LABELS);
    assert_int_equal(verdict.suspensions, 1);
    assert_int_equal(verdict.next.labels, 0);
    assert_int_equal(verdict.audit_ppm, AUDIT_SHADOW_PPM);
    assert_int_equal(evidence_may_serve(&stream.evidence, 1, &reason), 0);

    labels = verdict.next.missing_at_best; /* alpha / 6 now instead of alpha / 2 */
    stream_begin(&stream, 5, &usual, perfect);
    assert_true(labels > evidence_verdict(&stream.evidence).next.missing_at_best);
}

static void
a_failing_judge_neither_earns_nor_suspends(void **state)
{
    struct stream stream;
    unsigned events = 0, told = 0;

    (void)state;
    stream_begin(&stream, 6, &usual, perfect);
    for (unsigned i = 0; i < 5000; i++) {
        events = evidence_observe(&stream.evidence, &(struct audit){.score = 1, .outcome = 1, .judge_failed = true});
        assert_int_equal(events & ~(unsigned)(EVENT_JUDGE_FAILS | EVENT_BELOW_FLOOR), 0);
        told += (events & EVENT_JUDGE_FAILS) != 0;
    }
    assert_int_equal(told, 1);
    assert_int_equal(evidence_verdict(&stream.evidence).failures, 5000);

    stream_begin(&stream, 7, &usual, perfect);
    stream_run(&stream, 8000);
    for (unsigned i = 0; i < 100; i++)
        events = evidence_observe(&stream.evidence, &(struct audit){.score = 1, .outcome = 1, .judge_failed = true});
    assert_int_equal(evidence_verdict(&stream.evidence).reason, EVIDENCE_SERVES);
}

static void
other_terms_are_another_epoch(void **state)
{
    struct evidence_terms other = usual;
    struct stream stream;

    (void)state;
    stream_begin(&stream, 8, &usual, perfect);
    assert_true(evidence_is_for(&stream.evidence, &usual));
    other.epoch++;
    assert_false(evidence_is_for(&stream.evidence, &other));
    other = usual;
    other.floor_ppm++;
    assert_false(evidence_is_for(&stream.evidence, &other));
    other = usual;
    other.alpha_ppm++;
    assert_false(evidence_is_for(&stream.evidence, &other));
}

static void
the_coin_is_fair_and_keeps_its_word(void **state)
{
    const struct coin coin = {.secret = {1, 2, 3}}, other = {.secret = {1, 2, 4}};
    unsigned tenth = 0, both = 0, same = 0;

    (void)state;
    for (uint64_t id = 0; id < 20000; id++) {
        uint64_t draw = coin_draw(&coin, id);

        assert_true(draw == coin_draw(&coin, id));
        assert_true(coin_falls(draw, PPM));
        assert_false(coin_falls(draw, 0));
        if (coin_falls(draw, AUDIT_STALLED_PPM))
            assert_true(coin_falls(draw, AUDIT_SERVING_PPM));
        tenth += coin_falls(draw, AUDIT_SERVING_PPM);
        both += coin_falls(draw, AUDIT_SERVING_PPM) && coin_falls(coin_draw(&other, id), AUDIT_SERVING_PPM);
        same += draw == coin_draw(&other, id);
    }
    assert_in_range(tenth, 1850, 2150);
    assert_in_range(both, 140, 260); /* the draws of two secrets know nothing of each other */
    assert_int_equal(same, 0);
    assert_true(coin_falls(0, 1));
    assert_false(coin_falls(UINT64_MAX, PPM - 1));
}

/* Saved, restored and gone on with, it is as if nothing had been. */
static void
what_is_saved_comes_back(void **state)
{
    double (*const worlds[])(double) = {better_with_score, never, perfect};

    (void)state;
    for (unsigned k = 0; k < 3; k++) {
        struct buffer saved = {0}, one = {0}, other = {0};
        struct stream stream, again;

        stream_begin(&stream, 20 + k, &usual, worlds[k]);
        stream_run(&stream, 6000);
        evidence_observe(&stream.evidence, &(struct audit){.score = .7, .outcome = .4, .halvings = 5});
        again = stream;
        memset(&again.evidence, 0x5a, sizeof(again.evidence));
        evidence_save(&stream.evidence, &saved);
        assert_int_equal(evidence_restore(&again.evidence, buffer_content(&saved)), OK);
        assert_int_equal(again.evidence.bound_ppm, stream.evidence.bound_ppm);
        assert_int_equal(again.evidence.below, stream.evidence.below);
        stream.acceptable = again.acceptable = never;
        assert_int_equal(stream_run(&stream, 5000), stream_run(&again, 5000));
        evidence_save(&stream.evidence, &one);
        evidence_save(&again.evidence, &other);
        assert_true(slice_equal(buffer_content(&one), buffer_content(&other)));
        assert_false(slice_equal(buffer_content(&one), buffer_content(&saved)));
        buffer_free(&saved);
        buffer_free(&one);
        buffer_free(&other);
    }
}

static void
assert_refused(struct slice bytes)
{
    struct evidence evidence = {.audits = 1234};
    struct evidence before = evidence;

    assert_int_equal(evidence_restore(&evidence, bytes), ERR_CORRUPT);
    assert_memory_equal(&evidence, &before, sizeof(before));
}

/* Where in the saved bytes a byte stands (evidence_save.c), what to put there, and the checksum made right again. */
static void
assert_refused_with(struct buffer *saved, size_t at, unsigned char byte)
{
    size_t content = buffer_len(saved) - 8;
    char *data = saved->data + saved->start, was = data[at];
    uint64_t sum;

    data[at] = (char)byte;
    sum = hash_fast(slice_make(data, content), 0x44495645u);
    memcpy(data + content, &sum, sizeof(sum));
    assert_refused(buffer_content(saved));
    data[at] = was;
}

static void
damaged_bytes_are_refused(void **state)
{
    struct stream stream;
    struct buffer saved = {0};
    struct evidence evidence;
    size_t last;

    (void)state;
    stream_begin(&stream, 30, &usual, perfect);
    stream_run(&stream, 3000);
    evidence_save(&stream.evidence, &saved);
    for (size_t len = 0; len < buffer_len(&saved); len++)
        assert_refused(slice_first(buffer_content(&saved), len));
    for (size_t i = 0; i < buffer_len(&saved); i++) {
        saved.data[i] ^= 4;
        assert_refused(buffer_content(&saved));
        saved.data[i] ^= 4;
    }
    assert_int_equal(evidence_restore(&evidence, buffer_content(&saved)), OK);

    last = buffer_len(&saved) - 8 - 7;    /* of the counts: band, halvings, step, count */
    assert_refused_with(&saved, 4, 2);    /* a version to come */
    assert_refused_with(&saved, 5, 2);    /* a flag that is neither */
    assert_refused_with(&saved, 6, 1);    /* another scope has more to it */
    assert_refused_with(&saved, 6, 3);    /* a scope to come */
    assert_refused_with(&saved, 10, 255); /* floor above 1 */
    assert_refused_with(&saved, 14, 255); /* alpha above 1 */
    assert_refused_with(&saved, 23, 21);  /* no such arm */
    assert_refused_with(&saved, 24, 20);  /* a start that is none */
    assert_refused_with(&saved, 24, 255);
    assert_refused_with(&saved, 43, 1);        /* more failures than audits */
    assert_refused_with(&saved, 54 + 7, 0xbf); /* a threshold below the next */
    assert_refused_with(&saved, 54 + 15, 0x7f);
    assert_refused_with(&saved, 54 + 160 + 7, 0x40); /* a CUSUM past its alarm */
    assert_refused_with(&saved, last, 20);
    assert_refused_with(&saved, last, 0); /* a place before the one before */
    assert_refused_with(&saved, last + 1, 6);
    assert_refused_with(&saved, last + 2, 21);
    buffer_free(&saved);
}

/* Good above one half, bad below: the walk stops there. */
static void
earn_the_upper_half(struct stream *stream)
{
    stream_begin(stream, 31, &usual, better_with_score);
    while (stream->evidence.serving == ARM_NONE || stream->requests < 20000)
        stream_request(stream);
    assert_true(stream->evidence.arms.threshold[stream->evidence.serving] > .45);
}

static void
near_is_what_a_wider_arm_would_serve(void **state)
{
    struct stream stream;
    uint64_t id;

    (void)state;
    stream_begin(&stream, 31, &usual, better_with_score);
    assert_false(evidence_is_near(&stream.evidence, .4)); /* nothing serves */
    earn_the_upper_half(&stream);
    assert_false(evidence_is_near(&stream.evidence, .9));
    assert_true(evidence_is_near(&stream.evidence, .3));
    assert_false(evidence_is_near(&stream.evidence, stream.evidence.arms.threshold[ARMS - 1] - .001));
    id = evidence_round_id(&stream.evidence);
    assert_true(id == evidence_round_id(&stream.evidence));
    stream.acceptable = never;
    while (stream.evidence.serving != ARM_NONE)
        stream_request(&stream);
    assert_true(id != evidence_round_id(&stream.evidence));
}

/* What was promoted is served: bad ones among it suspend, as they would in the arm; they earn nothing beyond their score. */
static void
what_is_promoted_counts_for_losing(void **state)
{
    struct audit audit = {.score = .3, .outcome = 0};
    struct stream plain, promoting;
    unsigned events = 0, count = 0;

    (void)state;
    earn_the_upper_half(&plain);
    promoting = plain;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(evidence_observe(&plain.evidence, &audit) & (unsigned)EVENT_SUSPENDED, 0);
    audit.promoted = true;
    audit.judge_failed = true;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(evidence_observe(&promoting.evidence, &audit) & (unsigned)EVENT_SUSPENDED, 0);
    audit.judge_failed = false;
    while ((events & (unsigned)EVENT_SUSPENDED) == 0 && count++ < 100)
        events = evidence_observe(&promoting.evidence, &audit);
    assert_true(count > 2 && count < 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arms_are_twentieths_of_what_was_seen),
        cmocka_unit_test(a_walk_starts_where_labels_come),
        cmocka_unit_test(equal_scores_share_an_arm),
        cmocka_unit_test(no_epoch_begins_without_scores_or_sense),
        cmocka_unit_test(the_coin_is_rare_only_once_the_walk_stalls),
        cmocka_unit_test(good_answers_earn_arm_after_arm),
        cmocka_unit_test(a_walk_stops_at_the_floor),
        cmocka_unit_test(bad_answers_earn_nothing_and_say_so),
        cmocka_unit_test(wrong_earnings_are_at_most_alpha),
        cmocka_unit_test(scaled_bets_make_up_for_uneven_audits),
        cmocka_unit_test(a_fall_suspends_all_arms),
        cmocka_unit_test(a_failing_judge_neither_earns_nor_suspends),
        cmocka_unit_test(other_terms_are_another_epoch),
        cmocka_unit_test(the_coin_is_fair_and_keeps_its_word),
        cmocka_unit_test(near_is_what_a_wider_arm_would_serve),
        cmocka_unit_test(what_is_promoted_counts_for_losing),
        cmocka_unit_test(what_is_saved_comes_back),
        cmocka_unit_test(damaged_bytes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
