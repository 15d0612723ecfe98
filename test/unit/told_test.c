/* What is believed of an engine: by its own page, by what we count, and the less of the page the older it is. */
#include "fleet/health/told.h"

#include <math.h>
#include <stdio.h>

#include "cmocka_ready.h"

#define S USEC_PER_S

static void
assert_near(double is, double value)
{
    if (fabs(is - value) > 1e-6)
        fail_msg("%g is not %g", is, value);
}

static struct engine_told
page(double queued, double running, double kv_share)
{
    struct engine_told told;

    engine_told_init(&told);
    told.of[TOLD_QUEUED] = queued;
    told.of[TOLD_RUNNING] = running;
    told.of[TOLD_KV_SHARE] = kv_share;
    return told;
}

/* Tells the replica what a page says at that time. */
static void
tell(struct replica *replica, const struct engine_told *told, usec now_us)
{
    struct replica_look look;
    struct replica_told next;

    replica_look(replica, now_us, &look);
    told_next(&look.told, told, now_us, &next);
    replica_tell(replica, &next);
}

static const struct replica_wish LIKE = {.prompt_tokens = 300, .output_tokens = 80};

static struct told_load
load_of(struct replica *replica, usec now_us)
{
    struct replica_look look;
    struct told_load load;

    replica_look(replica, now_us, &look);
    told_load(&look, &LIKE, now_us, &load);
    assert_near(told_requests(replica, now_us), load.requests);
    return load;
}

static double
requests(struct replica *replica, usec now_us)
{
    return load_of(replica, now_us).requests;
}

static double
kv_share(struct replica *replica, usec now_us)
{
    struct replica_look look;

    replica_look(replica, now_us, &look);
    return told_kv_share(&look, now_us);
}

/* A scrape is a second old, a dispatch takes a millisecond: an engine that told that it is idle is not sent everything. */
static void
what_was_sent_since_is_there(void **state)
{
    struct replicas all;
    struct replica *replica;
    struct replica_ticket tickets[8] = {{0}};
    struct engine_told idle = page(0, 0, 0);

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "a:1", NULL);
    tell(replica, &idle, 1 * S);
    for (unsigned i = 0; i < 8; i++)
        replica_take(replica, &tickets[i], &(struct replica_wish){.prompt_tokens = 42700, .output_tokens = 1},
                     1 * S + i);
    assert_near(requests(replica, 1 * S + 10), 8);
    assert_near(kv_share(replica, 1 * S + 10), 8 * 42700 / 427000.0);
    for (unsigned i = 0; i < 8; i++)
        replica_give_back(&tickets[i], REPLICA_COMPLETED, NULL, 2 * S);
    replicas_free(&all);
}

/* Ours are in what the engine tells: only what is beyond them is others'. Also when some of ours came while it was asked. */
static void
ours_are_not_counted_twice(void **state)
{
    struct replicas all;
    struct replica *replica;
    struct replica_ticket tickets[4] = {{0}};
    struct engine_told busy = page(2, 5, 0.5);
    struct replica_look look;

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "a:1", NULL);
    for (unsigned i = 0; i < 3; i++)
        replica_take(replica, &tickets[i], &(struct replica_wish){.prompt_tokens = 10}, 1 * S);
    replica_ask(replica);
    replica_take(replica, &tickets[3], &(struct replica_wish){.prompt_tokens = 70}, 1 * S + 1);
    tell(replica, &busy, 1 * S + 2);
    replica_look(replica, 1 * S + 3, &look);
    assert_near(look.told.others, 3);
    assert_near(requests(replica, 1 * S + 3), 7);
    /* What was sent since it was asked is in its cache beside what it told; of the queue of 2, 8/7 are expected to be ours. */
    assert_near(load_of(replica, 1 * S + 3).context_tokens - look.told.others_queued * 100 / 4,
                0.5 * 427000 + 70 + 30 * (8 / 7.0) / 4);
    for (unsigned i = 0; i < 4; i++)
        replica_give_back(&tickets[i], REPLICA_COMPLETED, NULL, 1 * S + 4);
    assert_near(requests(replica, 1 * S + 5), 3);
    replica_ask(replica);
    tell(replica, &busy, 2 * S);
    assert_near(requests(replica, 2 * S), 7);
    replicas_free(&all);
}

/* Whose the queue is: of those that may wait, ours without an answer and others', in proportion. */
static void
what_others_have_there_is_told_apart(void **state)
{
    struct replicas all;
    struct replica *replica;
    struct replica_ticket tickets[4] = {{0}};
    struct engine_told busy = page(6, 6, 0.25), queue_alone = page(6, -1, -1);
    struct told_load load;

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "a:1", NULL);
    tell(replica, &busy, 1 * S);
    load = load_of(replica, 1 * S); /* as nothing of ours was ever there, they are like what is asked for */
    assert_near(load.requests, 12);
    assert_near(load.filling, 6);
    assert_near(load.filling_tokens, 6 * 300);
    assert_near(load.context_tokens, 0.25 * 427000 + 6 * 300);
    assert_near(load.output_tokens, 6 * 40);
    for (unsigned i = 0; i < 4; i++)
        replica_take(replica, &tickets[i],
                     &(struct replica_wish){.prompt_tokens = 1000, .matched_tokens = 500, .streamed = true}, 2 * S);
    for (unsigned i = 0; i < 2; i++)
        replica_begun(&tickets[i], 2 * S + 1);
    tell(replica, &busy, 3 * S); /* 8 of others'; of 2 of ours and 8 of theirs 6 wait */
    load = load_of(replica, 3 * S);
    assert_near(load.requests, 4 + 8);
    assert_near(load.filling, 2 + 6 * 0.8);
    assert_near(load.filling_tokens, 2 * 500 + 6 * 0.8 * 500);
    /* Of ours, 4,000 but for 1.2 prompts that wait, are in what it tells. */
    assert_near(load.context_tokens, 0.25 * 427000 + 1.2 * 500 + 6 * 0.8 * 1000);
    load = load_of(replica, 3 * S + TOLD_FRESH_US + TOLD_HALF_LIFE_US);
    assert_near(load.requests, 4 + 4);
    assert_near(load.filling, 2 + 3 * 0.8);
    tell(replica, &queue_alone, 4 * S); /* those that are answered may be anybody's */
    assert_near(load_of(replica, 4 * S).requests, 4 + 4);
    for (unsigned i = 0; i < 4; i++)
        replica_give_back(&tickets[i], REPLICA_CLOSED, NULL, 5 * S);
    replicas_free(&all);
}

/* Prompts that begin alike share room: the engine's word holds, not the sum of ours. */
static void
room_that_ours_share_is_not_counted_for_each(void **state)
{
    struct replicas all;
    struct replica *replica;
    struct replica_ticket tickets[4] = {{0}};
    struct engine_told shared = page(0, 4, 0.1);

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "a:1", NULL);
    for (unsigned i = 0; i < 4; i++)
        replica_take(replica, &tickets[i], &(struct replica_wish){.prompt_tokens = 42700, .streamed = true}, 1 * S);
    for (unsigned i = 0; i < 4; i++)
        replica_begun(&tickets[i], 1 * S + 1);
    tell(replica, &shared, 2 * S);
    assert_near(requests(replica, 2 * S), 4);
    assert_near(kv_share(replica, 2 * S), 0.1);
    assert_near(load_of(replica, 2 * S).context_tokens, 42700);
    assert_near(kv_share(replica, 2 * S + TOLD_GONE_US + 1), 0.4);
    for (unsigned i = 0; i < 4; i++)
        replica_give_back(&tickets[i], REPLICA_CLOSED, NULL, 3 * S);
    assert_near(load_of(replica, 3 * S).context_tokens, 0);
    replicas_free(&all);
}

/* Scenario 41: an engine told that it was full and then nothing more, as its page is gone. It is believed for a moment, and
 * then less and less: no mark stays. */
static void
an_overload_that_was_told_fades(void **state)
{
    struct replicas all;
    struct replica *replica;
    struct engine_told full = page(500, 64, 1);
    double before = 1000;

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "a:1", NULL);
    tell(replica, &full, 1 * S);
    assert_near(requests(replica, 1 * S + TOLD_FRESH_US), 564);
    assert_near(requests(replica, 1 * S + TOLD_FRESH_US + TOLD_HALF_LIFE_US), 282);
    for (usec now_us = 4 * S; now_us < TOLD_GONE_US; now_us += S) {
        assert_true(requests(replica, now_us) < before);
        before = requests(replica, now_us);
    }
    assert_true(requests(replica, TOLD_GONE_US) < 0.3);
    assert_near(requests(replica, 90 * S), 0);
    assert_near(kv_share(replica, 90 * S), 0);
    replicas_free(&all);
}

static void
what_was_never_told_is_what_we_count(void **state)
{
    struct replicas all;
    struct replica *replica;
    struct replica_ticket ticket = {0};
    struct engine_told nothing = page(-1, -1, -1);

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "a:1", NULL);
    assert_near(requests(replica, 1 * S), 0);
    replica_take(replica, &ticket, &(struct replica_wish){.prompt_tokens = 213500}, 1 * S);
    assert_near(requests(replica, 1 * S), 1);
    assert_near(kv_share(replica, 1 * S), 0.5);
    tell(replica, &nothing, 2 * S);
    assert_near(requests(replica, 2 * S), 1);
    assert_near(kv_share(replica, 2 * S), 0.5);
    replica_give_back(&ticket, REPLICA_CLOSED, NULL, 3 * S);
    replicas_free(&all);
}

/* A name that is gone from the page keeps its value for a while. */
static void
a_missing_value_is_the_last_one_for_a_while(void **state)
{
    struct told_memory memory = {.at_us = {0}};
    struct engine_told told = page(3, 4, 0.5);

    (void)state;
    told_fill(&memory, &told, 1 * S);
    told = page(-1, 6, -1);
    told_fill(&memory, &told, 2 * S);
    assert_near(told.of[TOLD_QUEUED], 3);
    assert_near(told.of[TOLD_RUNNING], 6);
    assert_near(told.of[TOLD_KV_SHARE], 0.5);
    assert_near(told.of[TOLD_PREEMPTIONS], -1);
    told = page(-1, -1, -1);
    told_fill(&memory, &told, 1 * S + TOLD_KEPT_US + 1);
    assert_near(told.of[TOLD_QUEUED], -1);
    assert_near(told.of[TOLD_RUNNING], 6);
}

/* Counters become rates; an engine that starts anew begins its counters anew. */
static void
counters_become_rates(void **state)
{
    struct engine_told told = page(0, 0, 0);
    struct replica_told before, next;

    (void)state;
    told_nothing(&before);
    for (unsigned i = 1; i <= 60; i++) {
        told.of[TOLD_GENERATED_TOKENS] = 1000.0 * i;
        told_next(&before, &told, i * S, &next);
        before = next;
    }
    assert_true(fabs(before.generated_per_s - 1000) < 1);
    assert_near(before.prompt_per_s, -1);
    assert_int_equal(before.generated_tokens, 60000);
    told.of[TOLD_GENERATED_TOKENS] = 5;
    told_next(&before, &told, 61 * S, &next);
    assert_near(next.generated_per_s, before.generated_per_s);
    before = next;
    told.of[TOLD_GENERATED_TOKENS] = 5;
    told_next(&before, &told, 161 * S, &next);
    assert_true(next.generated_per_s < 0.01);
    told.of[TOLD_GENERATED_TOKENS] = 1e30;
    told_next(&before, &told, 162 * S, &next);
    assert_int_equal(next.generated_tokens, -1);
    assert_near(next.generated_per_s, -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sent_since_is_there),
        cmocka_unit_test(ours_are_not_counted_twice),
        cmocka_unit_test(what_others_have_there_is_told_apart),
        cmocka_unit_test(room_that_ours_share_is_not_counted_for_each),
        cmocka_unit_test(an_overload_that_was_told_fades),
        cmocka_unit_test(what_was_never_told_is_what_we_count),
        cmocka_unit_test(a_missing_value_is_the_last_one_for_a_while),
        cmocka_unit_test(counters_become_rates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
