/* labels: threads */
/* The register of all evidence, and what several workers may do with one piece of it at a time. */
#include "quality/evidences.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "cmocka_ready.h"

static const struct evidence_terms usual = {.floor_ppm = 900000, .alpha_ppm = 50000, .epoch = 1};

static void
fill_sample(struct shared_evidence *shared, const struct evidence_terms *terms)
{
    for (unsigned i = 0; i < SAMPLE_SCORES - 1; i++)
        assert_false(shared_evidence_sample(shared, terms, i));
    assert_true(shared_evidence_sample(shared, terms, SAMPLE_SCORES));
    assert_false(shared_evidence_sample(shared, terms, 0));
}

static void
each_lever_of_each_route_has_its_own(void **state)
{
    struct evidences all;
    struct shared_evidence *one;
    unsigned count = 0;

    (void)state;
    evidences_init(&all);
    one = evidences_at(&all, "chat", "semantic_cache");
    assert_ptr_equal(one, evidences_at(&all, "chat", "semantic_cache"));
    assert_ptr_not_equal(one, evidences_at(&all, "chat", "router"));
    assert_ptr_not_equal(one, evidences_at(&all, "chatsemantic", "_cache"));
    assert_string_equal(shared_evidence_route(one), "chat");
    assert_string_equal(shared_evidence_lever(one), "semantic_cache");
    for (struct shared_evidence *at = NULL; (at = evidences_next(&all, at)) != NULL; count++) {
    }
    assert_int_equal(count, 3);
    evidences_free(&all);
}

/* What is dropped is walked over by nobody, and where it is looked up again it begins with nothing. */
static void
what_is_forgotten_begins_anew(void **state)
{
    struct evidences all;
    unsigned count = 0;

    (void)state;
    evidences_init(&all);
    for (unsigned i = 0; i < 2; i++)
        fill_sample(evidences_at(&all, i == 0 ? "chat" : "other", "router b/m"), &usual);
    fill_sample(evidences_at(&all, "chat", "semantic_cache"), &usual);
    evidences_forget(&all, "chat", "router ");
    for (struct shared_evidence *at = NULL; (at = evidences_next(&all, at)) != NULL; count++)
        assert_true(shared_evidence_verdict(at).floor_ppm > 0);
    assert_int_equal(count, 2);
    assert_int_equal(shared_evidence_verdict(evidences_at(&all, "chat", "router b/m")).floor_ppm, 0);
    evidences_free(&all);
}

/* Evidence of one epoch says nothing of another, whose sample starts anew. */
static void
an_epoch_begins_with_its_own_sample(void **state)
{
    struct evidence_terms later = usual;
    const struct audit good = {.score = 1e6, .outcome = 1};
    struct evidences all;
    struct shared_evidence *shared;
    enum evidence_reason reason;

    (void)state;
    later.epoch++;
    evidences_init(&all);
    shared = evidences_at(&all, "chat", "semantic_cache");
    for (unsigned i = 0; i < SAMPLE_SCORES - 1; i++)
        assert_false(shared_evidence_sample(shared, &later, i));
    assert_false(shared_evidence_sample(shared, &usual, NAN));
    fill_sample(shared, &usual);
    for (unsigned i = 0; i < 100; i++)
        shared_evidence_observe(shared, &usual, &good);
    assert_true(shared_evidence_may_serve(shared, &usual, 1e6, &reason) > 0);
    assert_int_equal(shared_evidence_may_serve(shared, &later, 1e6, &reason), 0);
    assert_int_equal(reason, EVIDENCE_NO_EPOCH);
    assert_int_equal(shared_evidence_audit_ppm(shared, &later, false), PPM);
    assert_true(shared_evidence_audit_ppm(shared, &usual, false) < PPM);

    assert_int_equal(shared_evidence_observe(shared, &later, &good), 0);
    assert_int_equal(shared_evidence_verdict(shared).audits, 100);
    fill_sample(shared, &later);
    assert_int_equal(shared_evidence_verdict(shared).audits, 0);
    assert_int_equal(shared_evidence_may_serve(shared, &usual, 1e6, &reason), 0);
    evidences_free(&all);
}

/* Whoever has to agree that it takes over. */
struct agreement {
    bool agrees;
    unsigned asked;
};

static bool
agrees(void *context)
{
    struct agreement *agreement = context;

    agreement->asked++;
    return agreement->agrees;
}

static void
earn_but_the_widest(struct shared_evidence *shared)
{
    for (unsigned i = 0; i < 100; i++) {
        shared_evidence_observe(shared, &usual, &(struct audit){.score = 0, .outcome = 0});
        shared_evidence_observe(shared, &usual, &(struct audit){.score = 1e6, .outcome = 1});
    }
    assert_int_equal(shared_evidence_serving(shared, &usual), ARMS - 2);
}

/* What was earned on trial takes the place of what serves, unless that was suspended between a look and the other. */
static void
what_is_suspended_is_not_taken_over(void **state)
{
    struct evidence_terms later = usual;
    struct agreement agreement = {.agrees = false};
    struct evidences all;
    struct shared_evidence *shared, *trial;

    (void)state;
    later.epoch++;
    evidences_init(&all);
    shared = evidences_at(&all, "chat", "router");
    trial = evidences_at(&all, "chat", "trial");
    fill_sample(shared, &usual);
    fill_sample(trial, &later);
    earn_but_the_widest(shared);
    for (unsigned i = 0; i < 2000; i++)
        shared_evidence_observe(trial, &later, &(struct audit){.score = i % SAMPLE_SCORES, .outcome = 1});
    assert_true(shared_evidence_serving(trial, &later) > shared_evidence_serving(shared, &usual));
    assert_int_not_equal(shared_evidence_serving(shared, &usual), ARM_NONE);

    assert_false(shared_evidence_become(shared, &later, trial, &later, agrees, &agreement));
    assert_int_equal(agreement.asked, 0);
    assert_false(shared_evidence_become(shared, &usual, trial, &later, agrees, &agreement));
    assert_int_equal(agreement.asked, 1);
    for (unsigned i = 0; shared_evidence_serving(shared, &usual) != ARM_NONE; i++) {
        shared_evidence_observe(shared, &usual, &(struct audit){.score = 1e6, .outcome = 0});
        assert_true(i < 100);
    }
    agreement.agrees = true;
    assert_false(shared_evidence_become(shared, &usual, trial, &later, agrees, &agreement));
    assert_int_equal(shared_evidence_verdict(shared).suspensions, 1);

    earn_but_the_widest(shared);
    assert_true(shared_evidence_become(shared, &usual, trial, &later, agrees, &agreement));
    assert_int_equal(shared_evidence_verdict(shared).audits, 2000);
    assert_int_equal(shared_evidence_verdict(trial).audits, 0);
    evidences_free(&all);
}

enum { THREADS = 4, ROUNDS = 2000 };

/* Each thread does what a worker does, and saves and restores now and then what another piece of evidence holds. */
static void *
work(void *context)
{
    struct evidences *all = context;
    struct shared_evidence *shared = evidences_at(all, "chat", "semantic_cache");
    struct shared_evidence *copy = evidences_at(all, "chat", "copy");

    for (unsigned i = 0; i < ROUNDS; i++) {
        enum evidence_reason reason;
        struct buffer saved = {0};
        const double score = i % 100;

        shared_evidence_sample(shared, &usual, score);
        shared_evidence_observe(shared, &usual, &(struct audit){.score = score, .outcome = 1});
        assert_in_range(shared_evidence_may_serve(shared, &usual, score, &reason), 0, PPM);
        assert_in_range(shared_evidence_audit_ppm(shared, &usual, false), AUDIT_STALLED_PPM, PPM);
        if (i % 100 == 0) {
            shared_evidence_save(shared, &saved);
            assert_int_equal(shared_evidence_restore(copy, buffer_content(&saved)), OK);
            assert_true(shared_evidence_verdict(copy).audits <= THREADS * ROUNDS);
            buffer_free(&saved);
        }
    }
    return NULL;
}

static void
workers_lose_no_audit(void **state)
{
    struct evidences all;
    pthread_t threads[THREADS];

    (void)state;
    evidences_init(&all);
    fill_sample(evidences_at(&all, "chat", "semantic_cache"), &usual);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &all), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared_evidence_verdict(evidences_at(&all, "chat", "semantic_cache")).audits, THREADS * ROUNDS);
    evidences_free(&all);
}

static void
assert_split(struct evidences *all, const char *lever, const char *of, const char *part, const char *words)
{
    struct slice name = slice_of(lever);

    assert_true(slice_is(evidence_split_part(&name), part));
    assert_true(slice_is(name, of));
    assert_string_equal(shared_evidence_words(evidences_at(all, "chat", lever)), words);
}

/* A model may be called like the words that a slice is told with. */
static void
names_of_models_are_not_slices(void **state)
{
    struct evidences all;

    (void)state;
    evidences_init(&all);
    assert_split(&all, "router b/m for kids", "router b/m for kids", "", "router b/m for kids");
    assert_split(&all, "router b/m for kids" EVIDENCE_PART "tenant=a", "router b/m for kids", "tenant=a",
                 "router b/m for kids for tenant=a");
    assert_split(&all, "router b/m" EVIDENCE_PART "tenant=a", "router b/m", "tenant=a", "router b/m for tenant=a");
    assert_split(&all, "judge", "judge", "", "judge");
    evidences_free(&all);
}

/* Slices come on all workers at once, while a reload follows another list and drops what was earned by the one before. */
static void *
slice_up(void *context)
{
    struct evidences *all = context;

    for (unsigned i = 0; i < ROUNDS; i++) {
        char name[32], lever[64];
        struct buffer kept = {0};
        bool is_new;
        unsigned place;

        snprintf(name, sizeof(name), "tenant=%u", i % (2 * PARTS_MOST));
        place = parts_place(&all->parts, "chat", 1 + i / 500, name, &is_new);
        assert_in_range(place, 0, PARTS_MOST);
        snprintf(lever, sizeof(lever), "router b/m" EVIDENCE_PART "%s", name);
        shared_evidence_sample(evidences_at(all, "chat", lever), &usual, i);
        if (i % 100 == 0)
            parts_save(&all->parts, "chat", &kept);
        if (i % 250 == 0 && parts_follow(&all->parts, "chat", 1 + i / 500))
            evidences_forget(all, "chat", "router ");
        if (i % 100 == 0)
            for (struct shared_evidence *at = evidences_next(all, NULL); at != NULL; at = evidences_next(all, at))
                assert_true(slice_starts(slice_of(shared_evidence_lever(at)), "router "));
        buffer_free(&kept);
    }
    return NULL;
}

static void
workers_slice_up_together(void **state)
{
    struct evidences all;
    pthread_t threads[THREADS];
    struct buffer names[PARTS_MOST] = {{0}};
    unsigned count = 0;

    (void)state;
    evidences_init(&all);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, slice_up, &all), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    while (count < PARTS_MOST && parts_at(&all.parts, "chat", count + 1, &names[count])) {
        for (unsigned before = 0; before < count; before++)
            assert_false(slice_equal(buffer_content(&names[before]), buffer_content(&names[count])));
        count++;
    }
    for (unsigned i = 0; i < count; i++)
        buffer_free(&names[i]);
    assert_true(count > 0);
    evidences_free(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lever_of_each_route_has_its_own),
        cmocka_unit_test(what_is_forgotten_begins_anew),
        cmocka_unit_test(an_epoch_begins_with_its_own_sample),
        cmocka_unit_test(workers_lose_no_audit),
        cmocka_unit_test(what_is_suspended_is_not_taken_over),
        cmocka_unit_test(names_of_models_are_not_slices),
        cmocka_unit_test(workers_slice_up_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
