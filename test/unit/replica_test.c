/* What is under way at a replica adds up, whatever becomes of it, and at rest it is nothing. */
/* labels: threads */
#include "fleet/dispatch/replica.h"

#include <pthread.h>

#include "cmocka_ready.h"
#include "fleet/health/told.h"

static const struct replica_wish WISH = {.prompt_tokens = 1000, .matched_tokens = 400, .output_tokens = 50};

static struct replica_now
now_of(struct replica *replica)
{
    struct replica_look look;

    replica_look(replica, 0, &look);
    return look.now;
}

static struct replica_totals
totals_of(struct replica *replica, usec now_us)
{
    struct replica_look look;

    replica_look(replica, now_us, &look);
    return look.totals;
}

static void
assert_nothing_there(struct replica *replica)
{
    static const struct replica_now nothing = {0};
    struct replica_now now = now_of(replica);

    assert_memory_equal(&now, &nothing, sizeof(now));
}

static void
a_ticket_is_counted_from_the_moment_it_is_taken(void **state)
{
    struct replicas all;
    struct replica_ticket ticket = {0};
    struct replica *replica;
    struct replica_now now;

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "one:80", NULL);
    replica_take(replica, &ticket, &WISH, 10);
    now = now_of(replica);
    assert_int_equal(now.requests, 1);
    assert_int_equal(now.filling, 1);
    assert_int_equal(now.filling_tokens, 600);
    assert_int_equal(now.context_tokens, 1000);
    assert_int_equal(now.output_tokens, 50);
    replica_begun(&ticket, 20);
    replica_begun(&ticket, 25); /* every further byte */
    now = now_of(replica);
    assert_int_equal(now.filling, 0);
    assert_int_equal(now.filling_tokens, 0);
    assert_int_equal(now.context_tokens, 1000);
    replica_produced(&ticket, REPLICA_STEP_TOKENS - 1); /* not worth a word yet */
    assert_int_equal(now_of(replica).output_tokens, 50);
    replica_produced(&ticket, 40);
    assert_int_equal(now_of(replica).output_tokens, 10);
    replica_produced(&ticket, 90); /* more than was expected */
    assert_int_equal(now_of(replica).output_tokens, 0);
    assert_int_equal(now_of(replica).context_tokens, 1090);
    replica_give_back(&ticket, REPLICA_COMPLETED, NULL, 30);
    replica_give_back(&ticket, REPLICA_COMPLETED, NULL, 30); /* it is gone */
    assert_nothing_there(replica);
    replicas_free(&all);
}

/* An engine that keeps nothing, whatever was sent to it before: prompts are soon taken to be new there, for who waits behind
 * them, for their shares of its time, and for what is learned of its steps. */
static void
what_never_comes_true_is_not_taken_to_be_known(void **state)
{
    static const struct replica_metered nothing_known = {1000, 0, 50}, all_known = {1000, 400, 50};
    struct replicas all;
    struct engine_fits fits;
    struct replica_wish wish = WISH;
    struct replica_ticket ticket = {0};
    struct replica *replica;

    (void)state;
    replicas_init(&all);
    engine_fits_init(&fits);
    wish.streamed = true;
    wish.fit = engine_fits_of(&fits, SLICE_LITERAL("gpus/llama"), "h100-llama-3.1-8b");
    replica = replicas_of(&all, "one:80", "h100-llama-3.1-8b");
    for (usec at_us = 0; at_us < 400; at_us++) {
        replica_take(replica, &ticket, &wish, at_us);
        replica_give_back(&ticket, REPLICA_COMPLETED, &nothing_known, at_us);
    }
    replica_take(replica, &ticket, &wish, 400);
    assert_in_range(now_of(replica).filling_tokens, 980, 1000);
    assert_true(replica->track.fresh > 980);
    assert_true(ticket.turn.cached < 20);
    assert_int_equal(totals_of(replica, 400).matched_tokens, 401 * 400); /* what was sent before stays what it is */
    replica_give_back(&ticket, REPLICA_COMPLETED, &all_known, 401);
    for (usec at_us = 402; at_us < 40000; at_us++) { /* it has learned to */
        replica_take(replica, &ticket, &wish, at_us);
        replica_give_back(&ticket, REPLICA_COMPLETED, &all_known, at_us);
    }
    replica_take(replica, &ticket, &wish, 40000);
    assert_in_range(now_of(replica).filling_tokens, 600, 620);
    replica_give_back(&ticket, REPLICA_CLOSED, NULL, 40001);
    engine_fits_free(&fits);
    replicas_free(&all);
}

static void
every_ending_gives_all_back(void **state)
{
    static const struct replica_metered metered = {900, 300, 70}, no_cache = {100, -1, 5};
    struct replicas all;
    struct replica_ticket tickets[5] = {{0}};
    struct replica *replica;
    struct replica_totals totals;

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "one:80", "h100-llama-3.1-8b");
    for (size_t i = 0; i < 5; i++)
        replica_take(replica, &tickets[i], &WISH, 1);
    replica_produced(&tickets[1], 20); /* before its first byte was told of */
    replica_begun(&tickets[2], 2);
    replica_produced(&tickets[2], 33);
    replica_give_back(&tickets[0], REPLICA_FAILED, NULL, 3);
    replica_give_back(&tickets[1], REPLICA_CLOSED, NULL, 3);
    replica_give_back(&tickets[2], REPLICA_COMPLETED, &metered, 3);
    replica_give_back(&tickets[3], REPLICA_COMPLETED, &no_cache, 3);
    assert_int_equal(replicas_in_flight(&all), 1);
    replica_give_back(&tickets[4], REPLICA_CLOSED, NULL, 3);
    assert_nothing_there(replica);
    totals = totals_of(replica, 3);
    assert_int_equal(totals.taken, 5);
    assert_int_equal(totals.completed, 2);
    assert_int_equal(totals.failed, 1);
    assert_int_equal(totals.closed, 2);
    assert_int_equal(totals.metered, 2);
    assert_int_equal(totals.input_tokens, 1000);
    assert_int_equal(totals.cached_tokens, 300);
    assert_int_equal(totals.output_tokens, 75);
    assert_int_equal(totals.sent_tokens, 5000);
    assert_int_equal(totals.matched_tokens, 2000);
    assert_int_equal(replicas_in_flight(&all), 0);
    replicas_free(&all);
}

static void
busy_time_is_counted_to_the_microsecond(void **state)
{
    struct replicas all;
    struct replica_ticket a = {0}, b = {0};
    struct replica *replica;
    struct replica_totals totals;

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "one:80", NULL);
    replica_take(replica, &a, &WISH, 1000);
    replica_take(replica, &b, &WISH, 1100);
    replica_begun(&a, 1150);
    totals = totals_of(replica, 1160); /* in the middle */
    assert_int_equal(totals.busy_us, 160);
    assert_int_equal(totals.request_us, 100 + 2 * 60);
    assert_int_equal(totals.filling_us, 100 + 2 * 50 + 10);
    replica_give_back(&a, REPLICA_COMPLETED, NULL, 1200);
    replica_give_back(&b, REPLICA_COMPLETED, NULL, 1190); /* another worker's clock is behind */
    totals = totals_of(replica, 5000);
    assert_int_equal(totals.busy_us, 200);
    assert_int_equal(totals.request_us, 100 + 2 * 100);
    replica_take(replica, &a, &WISH, 6000);
    assert_int_equal(totals_of(replica, 6010).busy_us, 210);
    replica_give_back(&a, REPLICA_CLOSED, NULL, 6010);
    replicas_free(&all);
}

static void
a_replica_is_known_by_its_place_over_reloads(void **state)
{
    struct replicas all;
    struct replica_ticket ticket = {0};
    struct replica_look look;
    struct replica *replica;
    struct replica_model learned;

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "one:80", NULL);
    replica_look(replica, 0, &look);
    assert_true(look.model.kv_tokens > 0 && look.model.time.beta_us > 0); /* a common one */
    assert_int_equal(look.told.at_us, 0);
    assert_true(look.told.kv_share < 0 && look.told.preemptions < 0);
    replica_take(replica, &ticket, &WISH, 1);
    assert_ptr_equal(replicas_of(&all, "one:80", "h100-llama-3-70b-tp8"), replica);
    replica_look(replica, 0, &look);
    assert_int_equal(look.model.kv_tokens, 1327000);
    assert_int_equal(look.now.requests, 1);
    learned = look.model;
    learned.fitted = true;
    learned.time.beta_us = 7;
    replica_learn_model(replica, &learned);
    assert_ptr_equal(replicas_of(&all, "one:80", "a100-llama-3-8b"), replica);
    replica_look(replica, 0, &look);
    assert_true(look.model.fitted && look.model.time.beta_us == 7); /* what was seen stays */
    assert_ptr_not_equal(replicas_of(&all, "one:81", NULL), replica);
    replica_give_back(&ticket, REPLICA_CLOSED, NULL, 1);
    replicas_free(&all);
}

/* What one engine's answers teach holds for another of its pool at once. */
static void
what_was_learned_holds_for_one_that_is_new(void **state)
{
    struct step_sum sum = {0};
    struct replicas all;
    struct replica_ticket ticket = {0};
    struct replica_look look;
    struct replica *replica;
    struct replica_wish wish = WISH;
    struct step_time learned;

    (void)state;
    replicas_init(&all);
    wish.fit = engine_fits_of(&all.fits, SLICE_LITERAL("gpus/big"), NULL);
    replica = replicas_of(&all, "two:80", NULL);
    assert_false(shared_fit_time(wish.fit, &learned));
    step_sum_add(&sum, &engine_pair_at(0)->time, 100, 1, 1000, 0, 1);
    lock_take(&wish.fit->lock);
    for (int i = 0; i < 50; i++) /* a quarter quicker than what it starts with */
        engine_fit_learn(&wish.fit->fit, &sum, 1, false, step_sum_predict_us(&sum, &engine_pair_at(0)->time) * 0.75);
    lock_drop(&wish.fit->lock);
    assert_true(shared_fit_time(wish.fit, &learned));
    replica_take(replica, &ticket, &wish, 1);
    replica_look(replica, 2, &look);
    assert_true(look.model.fitted && look.model.time.alpha_us == learned.alpha_us);
    assert_true(learned.alpha_us < 0.9 * engine_pair_at(0)->time.alpha_us);
    replica_give_back(&ticket, REPLICA_CLOSED, NULL, 8);
    replicas_free(&all);
}

enum { THREADS = 4, ROUNDS = 5000 };

static void *
come_and_go(void *context)
{
    struct replica *replica = context;
    struct replica_ticket ticket = {0};
    struct replica_look look;

    for (int i = 0; i < ROUNDS; i++) {
        replica_take(replica, &ticket, &WISH, i);
        if (i % 3 > 0)
            replica_begun(&ticket, i + 1);
        replica_produced(&ticket, i % 100);
        replica_look(replica, i, &look);
        if (i % 7 == 0)
            replica_ask(replica);
        if (i % 7 == 3)
            replica_tell(replica, &(struct replica_told){.at_us = i + 1, .queued = 3, .running = 4, .kv_share = 0.5});
        assert_true(told_requests(replica, i) >= 0);
        replica_give_back(&ticket, (enum replica_ending)(i % 3), NULL, i + 2);
    }
    return NULL;
}

static void
many_threads_leave_nothing_behind(void **state)
{
    struct replicas all;
    struct replica *replica;
    pthread_t threads[THREADS];

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "one:80", NULL);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, replica), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_nothing_there(replica);
    assert_int_equal(totals_of(replica, 0).taken, THREADS * ROUNDS);
    replicas_free(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_is_counted_from_the_moment_it_is_taken),
        cmocka_unit_test(what_never_comes_true_is_not_taken_to_be_known),
        cmocka_unit_test(every_ending_gives_all_back),
        cmocka_unit_test(busy_time_is_counted_to_the_microsecond),
        cmocka_unit_test(a_replica_is_known_by_its_place_over_reloads),
        cmocka_unit_test(what_was_learned_holds_for_one_that_is_new),
        cmocka_unit_test(many_threads_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
