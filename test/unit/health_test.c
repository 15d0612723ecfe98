/* Places that fail are left alone for a while, and never for good. */
#include "fleet/health/health.h"

#include <pthread.h>

#include "cmocka_ready.h"

struct ward {
    struct healths healths;
    struct arena arena;
    struct endpoint endpoints[2];
    struct account_config account;
    struct backend_config backend;
    struct target target;
    struct standing standing;
    struct health *health; /* of the first endpoint */
    usec probe_us;
};

static void
open_ward(struct ward *ward)
{
    *ward = (struct ward){.endpoints = {{.host = "one.example", .port = 443}, {.host = "two.example", .port = 443}}};
    ward->account = (struct account_config){.name = "gpus"};
    ward->backend = (struct backend_config){.name = "gpus",
                                            .endpoints = ward->endpoints,
                                            .endpoint_count = 2,
                                            .accounts = &ward->account,
                                            .account_count = 1};
    ward->target = (struct target){.backend = &ward->backend};
    healths_init(&ward->healths);
    arena_init(&ward->arena);
    ward->standing = healths_standing(&ward->healths, &ward->target, SLICE_LITERAL("gpus/m"), &ward->arena);
    ward->health = ward->standing.seats[0].health;
}

static void
close_ward(struct ward *ward)
{
    healths_free(&ward->healths);
    arena_reset(&ward->arena);
}

/* Fails until it is out; how many failures that took. */
static unsigned
fail_until_out(struct health *health, usec at_us)
{
    unsigned failures = 1;

    while (health_failed(health, at_us, at_us) != HEALTH_EJECTED)
        failures++;
    return failures;
}

static void
failures_in_a_row_eject(void **state)
{
    struct ward w;

    (void)state;
    open_ward(&w);
    assert_int_equal(health_failed(w.health, 5, 5), HEALTH_SAME);
    assert_int_equal(health_failed(w.health, 5, 5), HEALTH_SAME);
    assert_int_equal(health_worked(w.health, 5, 6), HEALTH_SAME); /* something good in between */
    assert_int_equal(fail_until_out(w.health, 7), HEALTH_FAILURES_IN_A_ROW);
    assert_int_equal(health_state(w.health, 7), HEALTH_OUT);
    assert_int_equal(health_state(w.standing.seats[1].health, 7), HEALTH_IN);
    assert_false(health_claim(w.health, 7 + HEALTH_BACK_OFF_US - 1, &w.probe_us));
    close_ward(&w);
}

/* Every second answer is an error: never three in a row. */
static void
a_large_share_of_failures_ejects(void **state)
{
    struct ward w;
    usec now_us = USEC_PER_S;
    unsigned answers = 0;

    (void)state;
    open_ward(&w);
    for (; health_state(w.health, now_us) == HEALTH_IN; now_us += 10 * USEC_PER_MS, answers++) {
        if (answers % 2 == 0)
            health_worked(w.health, now_us, now_us);
        else
            health_failed(w.health, now_us, now_us);
        assert_true(answers < 100);
    }
    assert_true(answers >= HEALTH_SAMPLES_LEAST);
    close_ward(&w);
}

/* The same share, but so seldom that it is long ago each time; and a small share for ever. */
static void
a_small_or_an_old_share_does_not(void **state)
{
    struct ward w;

    (void)state;
    open_ward(&w);
    for (unsigned i = 1; i < 1000; i++) {
        usec now_us = i * 4 * HEALTH_SHARE_HALF_LIFE_US;

        health_worked(w.health, now_us, now_us);
        assert_int_equal(health_failed(w.health, now_us, now_us), HEALTH_SAME);
    }
    for (unsigned i = 1; i < 10000; i++) {
        usec now_us = (4000 * HEALTH_SHARE_HALF_LIFE_US) + i * USEC_PER_MS;

        if (i % 5 == 0)
            assert_int_equal(health_failed(w.health, now_us, now_us), HEALTH_SAME);
        else
            health_worked(w.health, now_us, now_us);
    }
    close_ward(&w);
}

static void
one_probe_at_a_time_readmits_or_ejects_for_longer(void **state)
{
    struct ward w;
    usec now_us = 1000;

    (void)state;
    open_ward(&w);
    fail_until_out(w.health, now_us);
    for (usec back_off_us = HEALTH_BACK_OFF_US; back_off_us < 40 * USEC_PER_S; back_off_us *= 2) {
        assert_int_equal(health_due_us(w.health), now_us + back_off_us);
        now_us += back_off_us;
        assert_int_equal(health_state(w.health, now_us), HEALTH_DUE);
        assert_true(health_claim(w.health, now_us, &w.probe_us));
        assert_false(health_claim(w.health, now_us, &w.probe_us)); /* it is out there */
        assert_int_equal(health_failed(w.health, now_us, now_us), HEALTH_EJECTED);
    }
    now_us = health_due_us(w.health);
    assert_true(health_claim(w.health, now_us, &w.probe_us));
    assert_int_equal(health_worked(w.health, now_us, now_us + 1), HEALTH_READMITTED);
    assert_int_equal(health_state(w.health, now_us + 1), HEALTH_IN);
    close_ward(&w);
}

/* Scenario 41: whatever became of the probe, and however often it failed, it is asked again within the longest back-off. */
static void
no_mark_stays(void **state)
{
    struct ward w;
    usec now_us = 0;

    (void)state;
    open_ward(&w);
    fail_until_out(w.health, now_us);
    for (unsigned i = 0; i < 50; i++) {
        usec due_us = health_due_us(w.health);

        assert_true(due_us - now_us <= HEALTH_BACK_OFF_MOST_US);
        now_us = due_us;
        assert_true(health_claim(w.health, now_us, &w.probe_us));
        if (i % 2 == 0) /* else nobody ever hears of the probe again */
            health_failed(w.health, now_us, now_us);
    }
    assert_int_equal(health_due_us(w.health) - now_us, HEALTH_BACK_OFF_MOST_US);
    close_ward(&w);
}

static void
back_offs_shrink_in_good_times(void **state)
{
    struct ward w;
    usec now_us = 0;

    (void)state;
    open_ward(&w);
    fail_until_out(w.health, now_us);
    for (unsigned i = 0; i < 3; i++) {
        now_us = health_due_us(w.health);
        health_failed(w.health, now_us, now_us);
    }
    assert_int_equal(health_due_us(w.health) - now_us, 8 * HEALTH_BACK_OFF_US);
    now_us = health_due_us(w.health);
    assert_int_equal(health_worked(w.health, now_us, now_us), HEALTH_READMITTED);
    now_us += HEALTH_FADE_US;
    fail_until_out(w.health, now_us);
    assert_int_equal(health_due_us(w.health) - now_us, 8 * HEALTH_BACK_OFF_US); /* 16, but for the fading */
    now_us = health_due_us(w.health);
    health_worked(w.health, now_us, now_us);
    now_us += 100 * HEALTH_FADE_US;
    fail_until_out(w.health, now_us);
    assert_int_equal(health_due_us(w.health) - now_us, HEALTH_BACK_OFF_US);
    close_ward(&w);
}

/* What was sent before says nothing of the time after. */
static void
stragglers_do_not_count(void **state)
{
    struct ward w;

    (void)state;
    open_ward(&w);
    fail_until_out(w.health, 1000);
    assert_int_equal(health_worked(w.health, 999, 2000), HEALTH_SAME);
    assert_int_equal(health_failed(w.health, 999, 1000 + 2 * HEALTH_BACK_OFF_US), HEALTH_SAME);
    assert_int_equal(health_due_us(w.health), 1000 + HEALTH_BACK_OFF_US);
    assert_int_equal(health_worked(w.health, 1001, 2000), HEALTH_READMITTED); /* a last resort that answered */
    close_ward(&w);
}

static void
a_probe_that_our_side_ended_is_free_again(void **state)
{
    struct ward w;
    usec due_us;

    (void)state;
    open_ward(&w);
    fail_until_out(w.health, 0);
    due_us = health_due_us(w.health);
    assert_true(health_claim(w.health, due_us, &w.probe_us));
    health_unknown(w.health, w.probe_us, due_us + 5);
    assert_true(health_claim(w.health, due_us + 5, &w.probe_us));
    health_unknown(w.standing.seats[1].health, 0, 0);
    assert_int_equal(health_state(w.standing.seats[1].health, 0), HEALTH_IN);
    close_ward(&w);
}

/* One probe at a time, whoever else ends meanwhile: a straggler, a last resort, a probe that was given up. */
static void
a_probe_is_freed_by_its_holder_alone(void **state)
{
    struct ward w;
    usec due_us, first_us, second_us, probe_us;

    (void)state;
    open_ward(&w);
    fail_until_out(w.health, 0);
    due_us = health_due_us(w.health);
    assert_true(health_claim(w.health, due_us, &first_us));
    assert_false(health_claim(w.health, due_us + 1, &probe_us)); /* a last resort goes all the same */
    assert_int_equal(probe_us, 0);
    health_unknown(w.health, probe_us, due_us + 2);
    assert_false(health_claim(w.health, due_us + 3, &probe_us));

    due_us = health_due_us(w.health); /* nothing was heard of the first */
    assert_true(health_claim(w.health, due_us, &second_us));
    health_unknown(w.health, first_us, due_us + 1);
    assert_false(health_claim(w.health, due_us + 2, &probe_us));
    health_unknown(w.health, second_us, due_us + 3);
    assert_true(health_claim(w.health, due_us + 4, &probe_us));
    close_ward(&w);
}

static void
one_word_is_enough_to_eject(void **state)
{
    struct ward w;

    (void)state;
    open_ward(&w);
    assert_int_equal(health_eject(w.standing.accounts[0]->health, 100), HEALTH_EJECTED);
    assert_int_equal(health_eject(w.standing.accounts[0]->health, 101),
                     HEALTH_SAME); /* the same trouble, seen by another */
    assert_int_equal(health_state(w.standing.accounts[0]->health, 101), HEALTH_OUT);
    assert_int_equal(health_eject(w.standing.accounts[0]->health, 100 + HEALTH_BACK_OFF_US), HEALTH_EJECTED);
    assert_int_equal(health_due_us(w.standing.accounts[0]->health), 100 + 3 * HEALTH_BACK_OFF_US);
    close_ward(&w);
}

static void
rests_are_of_a_model_at_a_place_and_only_grow(void **state)
{
    struct ward w;
    struct standing other, again;

    (void)state;
    open_ward(&w);
    other = healths_standing(&w.healths, &w.target, SLICE_LITERAL("gpus/other"), &w.arena);
    again = healths_standing(&w.healths, &w.target, SLICE_LITERAL("gpus/m"), &w.arena);
    assert_ptr_equal(again.seats[0].health, other.seats[0].health);
    assert_ptr_equal(again.accounts[0], other.accounts[0]);
    assert_ptr_equal(again.seats[0].rest, w.standing.seats[0].rest); /* as after a reload */
    rest_until(w.standing.seats[0].rest, 50);
    rest_until(w.standing.seats[0].rest, 40);
    assert_int_equal(rest_over_us(again.seats[0].rest), 50);
    assert_int_equal(rest_over_us(other.seats[0].rest), 0);
    assert_int_equal(rest_over_us(again.seats[1].rest), 0);
    close_ward(&w);
}

static void
metrics_tell_who_is_out(void **state)
{
    struct ward w;
    struct buffer page = {0};
    static const char *const lines[] = {
        "equipoise_endpoint_ejected{endpoint=\"one.example:443\"} 1\n",
        "equipoise_endpoint_ejected{endpoint=\"two.example:443\"} 0\n",
        "equipoise_endpoint_ejections_total{endpoint=\"one.example:443\"} 1\n",
        "equipoise_account_ejected{account=\"gpus\"} 0\n",
    };

    (void)state;
    open_ward(&w);
    fail_until_out(w.health, 0);
    healths_print(&w.healths, 0, &page);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_true(slice_find(buffer_content(&page), slice_of(lines[i])) < buffer_len(&page));
    buffer_free(&page);
    close_ward(&w);
}

/* Threads: of all who ask at a time, one gets the probe. */

enum { THREADS = 4, ROUNDS = 2000 };

struct asker {
    struct health *health;
    pthread_barrier_t *barrier;
    unsigned probes;
};

static void *
ask_many_times(void *context)
{
    struct asker *asker = context;

    for (usec round = 1; round <= ROUNDS; round++) {
        usec now_us = round * 1000 * HEALTH_FADE_US, probe_us;

        pthread_barrier_wait(asker->barrier);
        for (unsigned i = 0; i < HEALTH_FAILURES_IN_A_ROW; i++)
            health_failed(asker->health, now_us, now_us);
        pthread_barrier_wait(asker->barrier);
        if (health_claim(asker->health, now_us + HEALTH_BACK_OFF_MOST_US, &probe_us))
            asker->probes++;
        pthread_barrier_wait(asker->barrier);
        health_worked(asker->health, now_us + HEALTH_BACK_OFF_MOST_US, now_us + HEALTH_BACK_OFF_MOST_US);
    }
    return NULL;
}

static void
threads_share_one_probe(void **state)
{
    struct ward w;
    pthread_barrier_t barrier;
    pthread_t threads[THREADS];
    struct asker askers[THREADS];
    unsigned probes = 0;

    (void)state;
    open_ward(&w);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){.health = w.health, .barrier = &barrier};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many_times, &askers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        probes += askers[i].probes;
    }
    assert_int_equal(probes, ROUNDS);
    assert_int_equal(health_state(w.health, INT64_MAX), HEALTH_IN);
    pthread_barrier_destroy(&barrier);
    close_ward(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_eject),
        cmocka_unit_test(a_large_share_of_failures_ejects),
        cmocka_unit_test(a_small_or_an_old_share_does_not),
        cmocka_unit_test(one_probe_at_a_time_readmits_or_ejects_for_longer),
        cmocka_unit_test(no_mark_stays),
        cmocka_unit_test(back_offs_shrink_in_good_times),
        cmocka_unit_test(stragglers_do_not_count),
        cmocka_unit_test(a_probe_that_our_side_ended_is_free_again),
        cmocka_unit_test(a_probe_is_freed_by_its_holder_alone),
        cmocka_unit_test(one_word_is_enough_to_eject),
        cmocka_unit_test(rests_are_of_a_model_at_a_place_and_only_grow),
        cmocka_unit_test(metrics_tell_who_is_out),
        cmocka_unit_test(threads_share_one_probe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
